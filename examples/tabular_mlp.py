"""A search space with free wiring: a tabular network whose skip connections are generated too."""

from collections.abc import Collection, Mapping, Sequence

from diffusionnag import SearchSpace


class TabularMLP(SearchSpace):
    """Three layers of five kinds, and three skip connections that may be there or not."""

    name = "tabular_mlp"
    nodes = ("input", "layer1", "layer2", "layer3", "output", "skip0>2", "skip1>3", "skip2>4")
    operations = (
        "input",
        "relu64",
        "relu256",
        "gelu64",
        "gelu256",
        "gated128",
        "output",
        "yes",
        "no",
    )
    edges = ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4))

    def choices(self, node: int) -> Sequence[str]:
        """Five kinds of layer, and yes or no for a skip connection."""
        ends = {0: ("input",), 4: ("output",)}
        return ends.get(node, self.operations[1:6] if node < 4 else ("yes", "no"))

    def edge_condition(self, source: int, target: int) -> Mapping[str, Collection[str]]:
        """An edge over a layer is there if its node says yes."""
        return {f"skip{source}>{target}": ("yes",)} if target == source + 2 else {}
