"""NAS-Bench-Graph: networks whose wiring varies, their one form, and the measured table."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCli, assert_fails
from hypothesis import given, settings
from hypothesis import strategies as st
from nas_bench_graph.architecture import Arch

from diffusionnag import DiffusionNAGError, get_search_space
from diffusionnag.tables import nasbench_graph, read_nas_bench_graph

SPACE = get_search_space("nasbench_graph")
OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
SOURCES = list(itertools.product((0,), (0, 1), (0, 1, 2), (0, 1, 2, 3)))

texts = st.builds(
    lambda sources, layers: ",".join(map(str, sources)) + "|" + ",".join(layers),
    st.sampled_from(SOURCES),
    st.lists(st.sampled_from(OPERATIONS), min_size=4, max_size=4).filter(
        lambda layers: set(layers) != {"skip"}
    ),
)


def benchmark_hash(text: str) -> int:
    sources, layers = (part.split(",") for part in text.split("|"))
    return Arch([int(source) for source in sources], layers).valid_hash()


def test_two_networks_are_one_exactly_if_the_benchmark_says_so() -> None:
    form_of_hash: dict[int, str] = {}
    written = [
        (sources, layers)
        for sources in SOURCES
        for layers in itertools.product(OPERATIONS, repeat=4)
    ]
    index = {name: number for number, name in enumerate(SPACE.operations)}
    rows = [
        [index[name] for name in ("input", *layers, "output", *map(str, sources[1:]))]
        for sources, layers in written
    ]
    for (sources, layers), architecture in zip(
        written, SPACE.architectures(np.array(rows)), strict=True
    ):
        if set(layers) == {"skip"}:
            assert not SPACE.is_valid(architecture)
            continue
        form = SPACE.format(architecture)
        known = form_of_hash.setdefault(Arch(list(sources), list(layers)).valid_hash(), form)
        assert known == form
    assert len(form_of_hash) == len(set(form_of_hash.values())) == SPACE.size == 26_206
    assert set(form_of_hash.values()) == {
        SPACE.format(architecture) for architecture in SPACE.enumerate()
    }


@given(text=texts)
def test_a_string_keeps_its_hash_through_parsing_and_encoding(text: str) -> None:
    architecture = SPACE.parse(text)
    assert benchmark_hash(SPACE.format(architecture)) == benchmark_hash(text)
    assert SPACE.decode(SPACE.encode([architecture])) == [architecture]
    assert SPACE.parse(SPACE.format(architecture)) == architecture


@given(text=texts)
def test_edges_are_those_of_the_sources(text: str) -> None:
    architecture = SPACE.parse(text)
    sources = [int(source) for source in SPACE.format(architecture).split("|")[0].split(",")]
    wired = {(source, layer) for layer, source in enumerate(sources, start=1)}
    leaves = {1, 2, 3, 4} - set(sources)
    assert set(architecture.edges) == wired | {(leaf, 5) for leaf in leaves}
    assert np.array_equal(architecture.adjacency(), np.triu(architecture.adjacency(), 1))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_mutants_are_other_networks_of_the_space(seed: int) -> None:
    (parent,) = SPACE.sample(1, seed)
    neighbours = list(SPACE.neighbours(parent))
    assert parent not in neighbours
    assert len(set(neighbours)) == len(neighbours)
    assert all(
        SPACE.is_valid(neighbour) and SPACE.parse(SPACE.format(neighbour)) == neighbour
        for neighbour in neighbours
    )
    assert SPACE.mutate(parent, seed) in neighbours


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,1,2|gcn,gcn,gcn,gcn", "should read like"),
        ("1,1,2,1|gcn,gcn,gcn,gcn", "should read like"),
        ("0,1,3,1|gcn,gcn,gcn,gcn", "node source3 cannot be 3; it can be 0, 1, 2"),
        ("0,1,2,1|gcn,gcn,gcn,mlp", "node layer4: no operation 'mlp'"),
        ("0,0,1,2|skip,skip,skip,skip", "no layer but skip"),
    ],
)
def test_a_wrong_string_is_refused_by_its_wrong_part(text: str, message: str) -> None:
    with pytest.raises(DiffusionNAGError, match=message):
        SPACE.parse(text)


def test_the_table_holds_every_network_with_the_packages_own_numbers() -> None:
    table = read_nas_bench_graph()
    assert set(table.architectures) == {
        SPACE.format(architecture) for architecture in SPACE.enumerate()
    }
    assert np.isfinite(table.column("proteins")).sum() == 2_021
    assert all(np.isfinite(table.column(name)).all() for name in ("cora", "arxiv_latency_ms"))
    folder = nasbench_graph.nas_bench_graph_folder()
    assert folder is not None
    # The package's file, read as its own loader does, is to be trusted in a test.
    measured = pickle.loads((folder / "proteins.bench").read_bytes())
    for text in ("0,1,2,3|gcn,sage,arma,fc", "0,1,0,1|fc,sage,skip,gcn"):
        record = measured[benchmark_hash(text)]
        form = [SPACE.format(SPACE.parse(text))]
        assert table.lookup("proteins", form)[0] == pytest.approx(100 * record["perf"])
        assert table.lookup("proteins_params", form)[0] == pytest.approx(record["para"])
        latency = table.lookup("proteins_latency_ms", form)[0]
        assert latency == pytest.approx(1000 * record["latency"])


class _Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("harm",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged"),
        (pickle.dumps({11111: {"perf": 0.5}}), "damaged"),
        (pickle.dumps({99_999_999: {}}), "damaged"),
        (pickle.dumps([_Harmful()]), "print, which it does not need"),
    ],
)
def test_damaged_or_harmful_data_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    for dataset in nasbench_graph.GRAPH_DATASETS:
        (tmp_path / f"{dataset}.bench").write_bytes(content)
    monkeypatch.setattr(nasbench_graph, "nas_bench_graph_folder", lambda: tmp_path)
    with pytest.raises(DiffusionNAGError, match=message):
        read_nas_bench_graph.__wrapped__()


def test_a_network_is_described_with_its_wiring_and_measurements(
    run_main: RunCli, tmp_path: Path
) -> None:
    result = run_main("info", "nasbench_graph", "0,1,2,1|gcn,gin,fc,cheb", "--out", "drawn.svg")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "0,1,1,2|gcn,gin,cheb,fc"
    assert "layer1  gcn        -> layer2, layer3" in result.stdout
    assert "cora: 80.47 (nas-bench-graph)" in lines
    picture = (tmp_path / "drawn.svg").read_text()
    assert "layer4" in picture
    assert "source4" not in result.stdout + picture
    assert_fails(run_main("info", "nasbench_graph", "0,1"), 2, "should read like")
