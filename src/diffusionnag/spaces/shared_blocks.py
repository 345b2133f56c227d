"""Which weights networks of inverted residual blocks share, by the names of their blocks and parts."""

from __future__ import annotations

from collections.abc import Sequence

from diffusionnag.spaces.cost import InvertedResidualShape


def block_names(
    names: Sequence[str], blocks: Sequence[tuple[str, InvertedResidualShape]]
) -> list[str]:
    """Return names in a supernet for the tensors of a stem, named blocks, and what follows them.

    The first layer is the stem: `0.1.bias` becomes `stem.1.bias`, `3.layers.0.0.weight` becomes
    `BLOCK.expand.0.weight`, and the layers after the last block are `head.0` and so on.
    """
    shared: list[str] = []
    for name in names:
        first, rest = name.split(".", 1)
        place = int(first) - 1
        if place < 0:
            shared.append(f"stem.{rest}")
        elif place < len(blocks):
            block, shape = blocks[place]
            _, part, rest = rest.split(".", 2)
            shared.append(f"{block}.{_parts(shape)[int(part)]}.{rest}")
        else:
            shared.append(f"head.{place - len(blocks)}.{rest}")
    return shared


def _parts(shape: InvertedResidualShape) -> list[str]:
    """Return what the layers of a block do, in their order."""
    expanded = ["expand"] if shape.hidden != shape.inputs else []
    gated = ["gate"] if shape.squeezed else []
    return [*expanded, "depthwise", *gated, "project"]
