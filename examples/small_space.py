"""A search space of one's own: a small CNN of four layers, declared in one class."""

from collections.abc import Sequence

from diffusionnag import SearchSpace


class SmallCNN(SearchSpace):
    """Four layers of seven kinds; the last may be absent, and stride 2 occurs at most twice."""

    name = "small_cnn"
    nodes = ("layer1", "layer2", "layer3", "layer4")
    operations = ("conv3", "conv5", "conv3_stride2", "conv5_stride2", "depthwise3", "pool", "none")
    edges = ((0, 1), (1, 2), (2, 3))

    def choices(self, node: int) -> Sequence[str]:
        """Only the last layer may be absent."""
        return self.operations if node == 3 else self.operations[:-1]

    def rule(self, operations: Sequence[str]) -> str | None:
        """At most two layers may halve the resolution."""
        halvings = sum(operation.endswith("stride2") for operation in operations)
        return f"{halvings} layers have stride 2; at most 2 may" if halvings > 2 else None
