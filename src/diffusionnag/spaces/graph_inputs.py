"""What networks of graphs take: features of the nodes, and the edges between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Graph(NamedTuple):
    """A graph: `features` are `nodes x F` floats, `edges` `2 x edges` int64, from which to which node.

    No edge leads from a node to itself.
    """

    features: Tensor
    edges: Tensor

    def to(self, device: Any) -> Graph:
        """Return the graph on a device."""
        return Graph(self.features.to(device), self.edges.to(device))
