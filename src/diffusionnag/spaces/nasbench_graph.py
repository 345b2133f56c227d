"""NAS-Bench-Graph: graph networks of four layers, their wiring generated as well (Qin et al. 2022)."""

from __future__ import annotations

import functools
import importlib.util
import itertools
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from diffusionnag.spaces._pasted import without_whitespace
from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.network_family import NetworkFamily
from diffusionnag.spaces.network_tasks import NodeClassification
from diffusionnag.spaces.search_space import SearchSpace

if TYPE_CHECKING:
    from torch import nn

LAYERS = 4
GRAPH_OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
SKIP = "skip"
WIRINGS = (
    *((0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 1, 1), (0, 0, 1, 2), (0, 0, 1, 3)),
    *((0, 1, 1, 1), (0, 1, 1, 2), (0, 1, 2, 2), (0, 1, 2, 3)),
)
"""The nine trees of four layers, as each layer's source: 0 is the input, 1 the first layer."""
SOURCES = tuple(map(str, range(LAYERS)))

Sources = tuple[int, ...]


class NASBenchGraph(SearchSpace):
    """26,206 graph networks: four layers of nine kinds, each fed by the input or an earlier layer.

    Layers that feed no other one lead to the output. The node `source3` holds what feeds layer 3.
    Strings are the benchmark's sources and operations: `0,1,2,1|gcn,gin,fc,cheb`. Networks that the
    benchmark holds for the same share one form: layers are numbered, and layers that may be
    exchanged sorted, in one way, and a `skip` that only passes its input on stands first.
    """

    name = "nasbench_graph"
    nodes = (
        *("input", "layer1", "layer2", "layer3", "layer4", "output"),
        *("source2", "source3", "source4"),
    )
    operations = ("input", *GRAPH_OPERATIONS, "output", *SOURCES)
    edges = tuple(
        edge for edge in itertools.combinations(range(LAYERS + 2), 2) if edge != (0, LAYERS + 1)
    )

    networks = NetworkFamily(NodeClassification(), extra=("graphs", "torch_geometric"))

    @property
    def builds_networks(self) -> bool:
        """Whether PyTorch Geometric is there, of which the layers are."""
        return importlib.util.find_spec("torch_geometric") is not None

    def build_network(self, architecture: Architecture, task: NodeClassification) -> nn.Module:
        """Return the benchmark's network: four layers of one width, and a linear head."""
        from diffusionnag.spaces.nasbench_graph_networks import NASBenchGraphNetwork

        names = self.operation_names(architecture)
        sources = [0, *map(int, names[LAYERS + 2 :])]
        return NASBenchGraphNetwork(names[1 : LAYERS + 1], sources, task)

    def choices(self, node: int) -> Sequence[str]:
        """Return the nine operations of a layer, and of a layer's source all that comes before it."""
        name = self.nodes[node]
        if name.startswith("source"):
            return SOURCES[: int(name.removeprefix("source"))]
        return GRAPH_OPERATIONS if name.startswith("layer") else (name,)

    def edge_condition(self, source: int, target: int) -> Mapping[str, Collection[str]]:
        """Return the source that makes a layer feed another, or keeps it from the output."""
        if target <= LAYERS:
            return {f"source{target}": (SOURCES[source],)} if target > 1 else {}
        later = range(source + 1, LAYERS + 1)
        return {
            f"source{layer}": [other for other in SOURCES[:layer] if other != SOURCES[source]]
            for layer in later
        }

    def rule(self, operations: Sequence[str]) -> str | None:
        """Forbid a network of skips alone."""
        layers = operations[1 : LAYERS + 1]
        return "it has no layer but skip" if set(layers) == {SKIP} else None

    def format(self, architecture: Architecture) -> str:
        """Return the benchmark's sources and operations of a network."""
        names = self.operation_names(architecture)
        return ",".join(["0", *names[LAYERS + 2 :]]) + "|" + ",".join(names[1 : LAYERS + 1])

    def parse(self, text: str) -> Architecture:
        """Return the network of a string in any numbering of the layers.

        Raises DiffusionNAGError for any other string.
        """
        parts = [part.split(",") for part in without_whitespace(text).split("|")]
        if [len(part) for part in parts] != [LAYERS, LAYERS] or parts[0][0] != "0":
            raise self.malformed(text, "it should read like '0,1,2,1|gcn,gin,fc,cheb'")
        (_, *sources), layers = parts
        return self.build(["input", *layers, "output", *sources], text)

    def canonical(self, operations: np.ndarray) -> np.ndarray:
        """Return the form in which the benchmark's own hash finds a network, `batch x N`."""
        first_layer, first_source = self.operations.index("gat"), self.operations.index("0")
        layers = operations[:, 1 : LAYERS + 1] - first_layer
        sources = operations[:, LAYERS + 2 :] - first_source
        canonical = operations.copy()
        kinds = np.concatenate([sources, layers == GRAPH_OPERATIONS.index(SKIP)], axis=1)
        numbers = kinds @ LAYERS ** np.arange(kinds.shape[1])
        for number in np.unique(numbers):
            rows = np.flatnonzero(numbers == number)
            wiring, orders = _canonical_orders()[tuple(kinds[rows[0]].tolist())]
            numbered = layers[rows][:, orders]
            codes = numbered @ len(GRAPH_OPERATIONS) ** np.arange(LAYERS)[::-1]
            least = numbered[np.arange(len(rows)), codes.argmin(1)]
            canonical[rows, 1 : LAYERS + 1] = least + first_layer
            canonical[rows, LAYERS + 2 :] = np.array(wiring[1:]) + first_source
        return canonical

    @cached_property
    def size(self) -> int:
        """The number of networks in the benchmark."""
        return 26_206


def _hoist_skips(sources: Sources, skips: tuple[bool, ...]) -> tuple[Sources, tuple[int, ...]]:
    """Return a tree with its idle skips as the first layers, and the order of its former layers.

    A skip is idle if it feeds a layer, or is the only one that its own source feeds, or passes on
    the input itself: the benchmark then takes it out, and puts it between the input and the rest.
    """
    tree, order = list(sources), list(range(LAYERS))
    for place in range(LAYERS):
        if not skips[order[place]]:
            continue
        number, source = place + 1, tree[place]
        feeds = number in tree
        alone = tree.count(source) == 1
        upstream = source
        while upstream and skips[order[upstream - 1]]:
            upstream = tree[upstream - 1]
        if not (feeds or alone or upstream == 0):
            continue
        # Its followers go to its source; all numbers before it, the input's too, grow by one.
        rest = [source if of == number else of for of in tree]
        moved = [of + 1 if of < number else of for of in rest]
        tree = [0, *moved[:place], *moved[place + 1 :]]
        order = [order[place], *order[:place], *order[place + 1 :]]
    return tuple(tree), tuple(order)


def _numberings(sources: Sources) -> tuple[Sources, list[tuple[int, ...]]]:
    """Return the wiring among the nine that a tree is, and each order of its layers that shows it."""
    orders_of: dict[Sources, list[tuple[int, ...]]] = {}
    for order in itertools.permutations(range(LAYERS)):
        number = {0: 0} | {old + 1: new + 1 for new, old in enumerate(order)}
        numbered = tuple(number[sources[old]] for old in order)
        if numbered in WIRINGS:
            orders_of.setdefault(numbered, []).append(order)
    ((wiring, orders),) = orders_of.items()
    return wiring, orders


@functools.cache
def _canonical_orders() -> dict[tuple[int, ...], tuple[Sources, list[tuple[int, ...]]]]:
    """Return the wiring and the orders of layers for each three sources and four "is a skip"."""
    table = {}
    for free in itertools.product(*(range(number) for number in range(2, LAYERS + 1))):
        wiring, (order, *_) = _numberings((0, *free))
        for skips in itertools.product((False, True), repeat=LAYERS):
            tree, hoisted = _hoist_skips(wiring, tuple(skips[old] for old in order))
            wiring_then, orders = _numberings(tree)
            table[*free, *skips] = (
                wiring_then,
                [tuple(order[hoisted[old]] for old in numbering) for numbering in orders],
            )
    return table
