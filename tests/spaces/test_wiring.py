"""Wiring that varies: edges decided by nodes, what follows from them, and fixed wiring as before."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import networkx
import numpy as np
import pytest
import torch
from conftest import RunCli, assert_fails
from hypothesis import given
from hypothesis import strategies as st

from diffusionnag import Architecture, Generator, SearchSpace, get_search_space
from diffusionnag.diffusion import Strength
from diffusionnag.diffusion.denoiser_training import TrainingRun
from diffusionnag.diffusion.recipes import get_recipe
from diffusionnag.diffusion.score_network import ScoreNetworkConfig, attention_mask
from diffusionnag.generation.generator import Origin
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance import AnalyticProperty
from diffusionnag.predictors import PathFeatures, WeisfeilerLehman
from diffusionnag.spaces.constrained_decoding import mend_invalid

# The first 64 architectures of seed 0 from the shipped generators, free and guided to many
# parameters, as they were when the generators were last trained.
DIGESTS = {
    "nasbench201": ("4faeec283bb8bbbe", "45b3c0e26adc8e49"),
    "mobilenetv3": ("da58ab448d923633", "69da74c5f68f694d"),
    "mnasnet": ("b26cfa06cfbfaff5", "35c9725094f51171"),
}


class FreeGraph(SearchSpace):
    """Three inner nodes, the last of which may block, and each of seven edges there or not."""

    name = "free-graph-of-the-tests"
    nodes = (
        *("input", "a", "b", "c", "output"),
        *("input>b", "a>b", "a>c", "b>c", "a>output", "b>output", "c>output"),
    )
    operations = ("end", "conv", "pool", "stop", "edge", "no_edge")
    edges = ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (1, 4), (2, 4), (3, 4))
    blocking_operations = ("stop",)

    def choices(self, node: int) -> Sequence[str]:
        if ">" in self.nodes[node]:
            return ("edge", "no_edge")
        return ("end",) if node in (0, 4) else ("conv", "pool", "stop")[: 3 if node == 3 else 2]

    def edge_condition(self, source: int, target: int) -> Mapping[str, Collection[str]]:
        switch = f"{self.nodes[source]}>{self.nodes[target]}"
        return {switch: ("edge",)} if switch in self.nodes else {}


SPACE = FreeGraph()


def open_paths(architecture: Architecture) -> list[tuple[int, ...]]:
    """Return the paths from input to output that are there and lead through no `stop`."""
    graph = networkx.DiGraph([*architecture.edges])
    graph.add_nodes_from(range(5))
    names = SPACE.operation_names(architecture)
    paths = networkx.all_simple_paths(graph, 0, 4)
    return [tuple(path) for path in paths if not any(names[node] == "stop" for node in path)]


def test_edges_follow_their_nodes() -> None:
    everything = list(SPACE.enumerate())
    assert len(set(everything)) == SPACE.size == 2 * 2 * 3 * 2**7
    for architecture in everything[::7]:
        names = dict(zip(SPACE.nodes, SPACE.operation_names(architecture), strict=True))
        for edge in SPACE.edges:
            switch = ">".join(SPACE.nodes[node] for node in edge)
            assert (edge in architecture.edges) == (names.get(switch, "edge") == "edge")
    assert SPACE.decode(SPACE.encode(everything)) == everything
    other = Architecture(everything[0].operations, SPACE.edges[1:])
    assert "wiring" in SPACE.is_valid(other).reason
    assert all(SPACE.is_valid(architecture) for architecture in SPACE.neighbours(everything[0]))


def test_path_features_count_along_the_paths_that_are_there() -> None:
    features = PathFeatures(SPACE)
    for architecture in SPACE.sample(60, 0):
        _, along, counts, *_ = features(torch.from_numpy(SPACE.encode([architecture])))
        paths = open_paths(architecture)
        assert float(along[0, : len(features.paths)].sum()) == len(paths)
        names = SPACE.operation_names(architecture)
        passed = Counter(names[node] for path in paths for node in path)
        assert counts[0].tolist() == [passed["conv"], passed["pool"]]


def test_relabelled_neighbourhoods_see_the_wiring() -> None:
    architectures = SPACE.sample(40, 1)
    x = torch.from_numpy(SPACE.encode(architectures))
    graphs = []
    for architecture in architectures:
        kept = {node for path in open_paths(architecture) for node in path}
        edges = [edge for edge in architecture.edges if set(edge) <= kept]
        names = SPACE.operation_names(architecture)
        graph = networkx.DiGraph(edges)
        graph.add_nodes_from((node, {"label": names[node]}) for node in kept)
        graphs.append(graph)
    whole = torch.cat(WeisfeilerLehman(SPACE, architectures)(x), dim=1)
    match = networkx.algorithms.isomorphism.categorical_node_match("label", None)
    for i, j in itertools.combinations(range(len(graphs)), 2):
        same = networkx.is_isomorphic(graphs[i], graphs[j], node_match=match)
        assert torch.allclose(whole[i], whole[j]) == same


def test_wiring_nodes_see_and_are_seen_by_all() -> None:
    mask = attention_mask(SPACE, ScoreNetworkConfig())
    assert mask[:, 5:].all()
    assert mask[:, :, 5:].all()
    assert not mask[0, 1, 3]
    assert mask[0, 3, 1]


@pytest.mark.parametrize("name", DIGESTS)
def test_fixed_wiring_gives_the_same_samples_as_ever(name: str) -> None:
    space = get_search_space(name)
    assert space.wiring.is_fixed
    generator = Generator.from_pretrained(name)
    for guide, digest in zip((None, AnalyticProperty(space, "params")), DIGESTS[name], strict=True):
        sampling = Sampling("ancestral", strength=Strength())
        samples = generator.sample(64, guide=guide, sampling=sampling)
        drawn = "\n".join(map(space.format, samples))
        assert hashlib.sha256(drawn.encode()).hexdigest().startswith(digest)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("{'c': ('x',)}", "unknown node 'c'"),
        ("{'b': ('z',)}", "unknown operation 'z'"),
    ],
)
def test_a_mistake_in_a_condition_is_named(
    run_main: RunCli, tmp_path: Path, condition: str, message: str
) -> None:
    source = f"""
from diffusionnag import SearchSpace
class Mine(SearchSpace):
    name = "mine"
    nodes = ("a", "b")
    operations = ("x", "y")
    edges = ((0, 1),)
    def edge_condition(self, source, target):
        return {condition}
"""
    (tmp_path / "mine.py").write_text(source)
    assert_fails(run_main("info", "mine.py:Mine"), 2, message)


class Ordered(SearchSpace):
    """Four nodes whose numbers must add up to an even one and never fall."""

    name = "ordered-of-the-tests"
    nodes = ("a", "b", "c", "d")
    operations = ("0", "1", "2", "3")
    edges = ((0, 1), (1, 2), (2, 3))

    def rule(self, operations: Sequence[str]) -> str | None:
        numbers = [int(operation) for operation in operations]
        return None if numbers == sorted(numbers) and sum(numbers) % 2 == 0 else "not in order"


@given(seed=st.integers(0, 2**32))
def test_what_is_mended_is_the_likeliest_of_all_valid(seed: int) -> None:
    space = Ordered()
    probabilities = np.random.default_rng(seed).dirichlet(np.full(4, 0.5), size=(1, 4))
    everything = list(space.enumerate())
    encoded = space.encode(everything)
    logs = np.log(np.clip(probabilities, 1e-6, 1))
    likelihoods = (encoded * logs).sum((1, 2))
    (drawn,) = space.decode(probabilities)
    if space.is_valid(drawn):
        assert mend_invalid(space, [drawn], probabilities) == []
        return
    (mended,) = mend_invalid(space, [drawn], probabilities)
    assert likelihoods[everything.index(mended)] == pytest.approx(likelihoods.max())


def test_what_a_bad_network_draws_is_handed_out_mended() -> None:
    space = Ordered()
    run = TrainingRun.start(space, get_recipe("fast", space), seed=0)
    generator = Generator(space, run.averaged_denoiser(), "ancestral", Origin("fast", 0, 0))
    samples = generator.sample(100, sampling=Sampling(seed=0))
    assert all(space.is_valid(architecture) for architecture in samples)
    assert not all(space.is_valid(architecture) for architecture in samples.drawn)
    assert len(samples.drawn) == 100


def test_the_example_of_the_guide_is_drawn_with_its_skip_connections(run_main: RunCli) -> None:
    path = Path(__file__).parents[2] / "examples" / "tabular_mlp.yaml"
    text = "quantiles|relu64|gelu64|gated128|linear|edge|no_edge|edge"
    result = run_main("info", path, text)
    assert result.returncode == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["0", "input", "quantiles", "->", "layer1,", "layer2"] in lines
    assert ["2", "layer2", "gelu64", "->", "layer3,", "output"] in lines
    assert ">" not in result.stdout.replace("->", "")
