"""Rules of the declared search spaces in this folder: predicates over the operations of all nodes."""

from collections.abc import Mapping

COLOURS = 3
STEM_WIDTH = 16
MOST_WEIGHTS = 300_000


def weights_fit(operations: Mapping[str, str]) -> bool:
    """All convolutions together may have 300,000 weights."""
    width = STEM_WIDTH
    weights = COLOURS * width * int(operations["stem"].removeprefix("conv")) ** 2
    for node, kernel in operations.items():
        if node.endswith(".kernel") and kernel != "none":
            next_width = int(operations[node.replace("kernel", "width")])
            weights += width * next_width * int(kernel) ** 2
            width = next_width
    return weights <= MOST_WEIGHTS


def rotary_positions_serve(operations: Mapping[str, str]) -> bool:
    """Rotary positions need a layer whose attention is not linear."""
    if operations["positions"] != "rotary":
        return True
    return any(
        node.endswith(".attention") and kind in ("full", "local")
        for node, kind in operations.items()
    )
