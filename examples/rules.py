"""Rules of the declared search spaces in this folder: predicates over the operations of all nodes."""

from collections.abc import Mapping


def widths_never_fall(operations: Mapping[str, str]) -> bool:
    """No layer is narrower than the one before it."""
    widths = [
        int(width)
        for node, width in operations.items()
        if node.endswith(".width") and width != "none"
    ]
    return widths == sorted(widths)


def rotary_positions_serve(operations: Mapping[str, str]) -> bool:
    """Rotary positions need a layer whose attention is not linear."""
    if operations["positions"] != "rotary":
        return True
    return any(
        node.endswith(".attention") and kind in ("full", "local")
        for node, kind in operations.items()
    )
