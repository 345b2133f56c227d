"""Networks of graphs: as large as published, trained on the nodes of a graph, exported for any graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from conftest import RunCli, assert_fails

from diffusionnag import DiffusionNAGError, get_search_space
from diffusionnag.networks import OwnFit, build_network, load_data
from diffusionnag.spaces import Graph, NodeClassification
from diffusionnag.tables import open_table

SPACE = get_search_space("nasbench_graph")
EVERY_LAYER = ("0,0,1,3|gat,cheb,arma,sage", "0,1,2,2|skip,gcn,gin,graph")
BENCHMARK = {
    "cora": NodeClassification(1433, 7),
    "citeseer": NodeClassification(3703, 6),
    "pubmed": NodeClassification(500, 3, width=128, hidden_head=0),
    "arxiv": NodeClassification(128, 40, width=128),
}


@pytest.mark.parametrize("dataset", BENCHMARK)
def test_networks_have_the_parameters_of_the_benchmark(dataset: str) -> None:
    table = open_table("nas-bench-graph", SPACE)
    drawn = SPACE.sample(40, 0)
    with torch.device("meta"):
        networks = [build_network(SPACE, each, task=BENCHMARK[dataset]) for each in drawn]
    counted = [sum(part.numel() for part in network.parameters()) for network in networks]
    published = table.lookup(f"{dataset}_params", list(map(SPACE.format, drawn)))
    assert counted == np.round(1e6 * published).astype(int).tolist()


def write_graph(folder: Path) -> None:
    """Write a ring of 60 nodes; each half has a class, and three nodes have none."""
    rows = [f"n{number},{number % 7},{'left' if number < 30 else 'right'}" for number in range(60)]
    rows[5], rows[25], rows[35] = "n5,5,", "n25,4,", "n35,0,"
    (folder / "nodes.csv").write_text("\n".join(["id,size,label", *rows]))
    edges = [f"n{number},n{(number + 1) % 60}" for number in range(60)]
    (folder / "edges.csv").write_text("\n".join(["source,target", *edges, "n3,n3", "n1,n0"]))


def test_a_folder_of_nodes_and_edges_is_a_graph(tmp_path: Path) -> None:
    write_graph(tmp_path)
    data = load_data(tmp_path, SPACE)
    assert not isinstance(data, OwnFit)
    assert data.count == 57 - round(0.1 * 57), "nodes without a class are not learnt from"
    graph, targets = data.batch(torch.arange(10), None, "cpu")  # type: ignore[arg-type]
    assert isinstance(graph, Graph)
    assert graph.features.shape == (60, 1)
    assert graph.edges.shape == (2, 120), "each edge once in both ways, no loop"
    assert (targets >= 0).sum() == 10
    assert data.task == NodeClassification(1, 2)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("edges.csv", "source,target\nn0,n99", "names the unknown node n99"),
        ("edges.csv", "from,to\nn0,n1", "no column 'source'"),
        ("nodes.csv", "id,size,label\nn0,1,a\nn0,2,b", "have the same id"),
        ("nodes.csv", "id,size,label\nn0,1,a\nn1,2,a", "holds one class only"),
    ],
)
def test_a_graph_that_cannot_be_read_is_one_line(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    write_graph(tmp_path)
    if "one class" in message:
        (tmp_path / "edges.csv").write_text("source,target\nn0,n1")
    (tmp_path / name).write_text(text)
    with pytest.raises(DiffusionNAGError, match=message):
        load_data(tmp_path, SPACE)


def test_no_graph_at_all_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(DiffusionNAGError, match=r"has no nodes\.csv or nodes\.parquet"):
        load_data(tmp_path, SPACE)
    with pytest.raises(DiffusionNAGError, match="should read like 'sbm:1000'"):
        load_data("sbm:few", SPACE)


def test_it_learns_from_the_edges_and_is_exported_for_any_graph(
    tmp_path: Path, run_main: RunCli
) -> None:
    text = EVERY_LAYER[1]
    training = ("--data", "sbm:300", "--epochs", 30, "--out", "trained")
    trained = run_main("train", "nasbench_graph", text, *training)
    assert trained.returncode == 0, trained.stderr
    accuracy = float(trained.stdout.split("accuracy ")[1].split()[0])
    assert accuracy > 60, "of four communities"
    exported = run_main("export", "nasbench_graph", text, "--weights", "trained", "--to", "g.onnx")
    assert exported.returncode == 0, exported.stderr
    session = onnxruntime.InferenceSession(tmp_path / "g.onnx")
    edges = np.array([[0, 1, 2, 3], [1, 0, 3, 2]])
    features = np.ones((9, 16), dtype=np.float32)
    (logits,) = session.run(None, {"features": features, "edges": edges})
    assert np.asarray(logits).shape == (9, 4)


def test_every_kind_of_layer_is_exported(tmp_path: Path, run_main: RunCli) -> None:
    exported = run_main("export", "nasbench_graph", EVERY_LAYER[0], "--to", "graph.pt2")
    assert exported.returncode == 0, exported.stderr
    program = torch.export.load(tmp_path / "graph.pt2").module()
    assert program(torch.randn(6, 1433), torch.tensor([[0, 1], [1, 5]])).shape == (6, 7)
    measured = run_main("measure", "graph.pt2", "--batch", 50, "--repeats", 2)
    assert measured.returncode == 0, measured.stderr
    assert "batch 50" in measured.stdout


def test_a_search_trains_on_a_graph(run_main: RunCli) -> None:
    found = run_main(
        "search", "nasbench_graph", "--searcher", "random", "--trials", 2,
        "--objective", "training:sbm:100,epochs=2",
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert "accuracy %" in found.stdout


def test_what_is_not_for_graphs_says_so(run_main: RunCli) -> None:
    done = run_main("train", "nasbench_graph", EVERY_LAYER[0], "--data", "sbm:100", "--test", "x",
                    "--out", "out")  # fmt: skip
    assert_fails(done, 2, "nodes of the same graph are held out")
    done = run_main("proxies", "nasbench_graph", "--data", "sbm:100", "-n", 5, "--out", "scores")
    assert_fails(done, 2, "not for networks of graphs")
