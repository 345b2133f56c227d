"""Exported networks compute what PyTorch's do, and latencies are measured as asked for."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from conftest import RunCli, assert_fails
from onnx import TensorProto, ValueInfoProto, helper
from test_own_networks import write_space

from diffusionnag import DiffusionNAGError, SearchSpace, get_search_space
from diffusionnag.networks import (
    LatencySettings,
    TrainedNetwork,
    build_network,
    count_network,
    export_network,
    measure_latencies,
    open_exported,
    write_plan,
)
from diffusionnag.networks.building import random_inputs
from diffusionnag.networks.measure_elsewhere import inputs_of
from diffusionnag.predictors import PropertyPredictor
from diffusionnag.spaces import Graph, ImageClassification, NodeClassification

SPACE = get_search_space("nasbench201")
CELL = "|nor_conv_1x1~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|skip_connect~2|"
SMALL = ImageClassification(3, 16)
SMALLEST = {
    "nasbench201": CELL,
    "mobilenetv3": "|".join(["3-3,3-3,none,none"] * 5),
    "mnasnet": "|".join(["e4k3l1s1"] * 7),
}


@pytest.fixture
def own(tmp_path: Path) -> SearchSpace:
    """A space of tiny networks, which are exported much sooner: `space.yaml` in this folder."""
    write_space(tmp_path)
    return get_search_space(str(tmp_path / "space.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["nasbench201", "mobilenetv3", pytest.param("mnasnet", marks=pytest.mark.many)],
)
def test_an_onnx_file_takes_any_batch(tmp_path: Path, name: str) -> None:
    space = get_search_space(name)
    task = ImageClassification(5, 32, cells=1)
    network = build_network(space, space.parse(SMALLEST[name]), task=task).eval()
    path = tmp_path / "network.onnx"
    assert export_network(network, task, path) <= 1e-4
    assert list(tmp_path.iterdir()) == [path]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", 3, 32, 32]
    assert session.get_outputs()[0].shape == ["batch", 5]
    for batch in (1, 7):
        x = torch.randn(batch, 3, 32, 32)
        (logits,) = session.run(["logits"], {"images": x.numpy()})
        np.testing.assert_allclose(np.asarray(logits), network(x).detach().numpy(), atol=1e-4)


def test_an_exported_program_takes_any_batch(own: SearchSpace, tmp_path: Path) -> None:
    network = build_network(own, own.parse("4|3"), task=SMALL).eval()
    export_network(network, SMALL, tmp_path / "network.pt2")
    loaded = torch.export.load(tmp_path / "network.pt2").module()
    x = torch.randn(9, 3, 16, 16)
    torch.testing.assert_close(loaded(x), network(x))


def test_a_network_that_computes_differently_when_exported_is_not_written(tmp_path: Path) -> None:
    class Fickle(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((2, 3)) + (0 if torch.compiler.is_exporting() else 1)

    with pytest.raises(DiffusionNAGError, match="differs from PyTorch"):
        export_network(Fickle(), ImageClassification(3, 8), tmp_path / "network.pt2")
    assert list(tmp_path.iterdir()) == []


def test_export_takes_the_weights_of_a_training(
    own: SearchSpace, tmp_path: Path, run_main: RunCli
) -> None:
    architecture = own.parse("4|3")
    network = build_network(own, architecture, task=SMALL, seed=5)
    standard = (0.5, 0.5, 0.5)
    trained = TrainedNetwork(own, architecture, network, SMALL, {"mean": standard, "std": standard})
    trained.save(tmp_path / "trained")
    options = ("--weights", "trained", "--to")
    result = run_main("export", "space.yaml", "4|3", *options, "network.onnx")
    assert result.returncode == 0, result.stderr
    assert "mean 0.5000, 0.5000, 0.5000" in result.stderr
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    x = torch.randn(2, 3, 16, 16)
    logits = session.run(None, {"images": x.numpy()})[0]
    np.testing.assert_allclose(np.asarray(logits), network.eval()(x).detach().numpy(), atol=1e-4)
    result = run_main("export", "space.yaml", "8|3", *options, "o.onnx")
    assert_fails(result, 2, "weights of another architecture")
    assert not (tmp_path / "o.onnx").exists()


@pytest.mark.parametrize(
    ("backend", "name", "text"),
    [
        ("torch", "nasbench201", CELL),
        ("onnxruntime", "space.yaml", "4|3"),
        ("openvino", "space.yaml", "4|3"),
    ],
)
def test_latency_is_measured(
    own: SearchSpace, run_main: RunCli, backend: str, name: str, text: str
) -> None:
    chosen = ("--backend", backend, "--repeats", 5, "--resolution", 16)
    result = run_main("measure", name, text, *chosen)
    assert result.returncode == 0, result.stderr
    match = re.search(
        r"latency: ([\d.]+) ms, the middle half ([\d.]+) to ([\d.]+) ms", result.stdout
    )
    assert match is not None
    median, lower, upper = map(float, match.groups())
    assert 0 < lower <= median <= upper
    space = SPACE if name == SPACE.name else own
    task = ImageClassification(10, 16)
    cost = count_network(build_network(space, space.parse(text), task=task), task)
    assert f"params: {cost.parameters / 1e6:.6f} M" in result.stdout


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("export", "--to", "network.zip"), ".onnx, .pt2 or .xml"),
        (("export", "--to", "n.onnx", "--classes", "0"), "0 classes"),
        (("export", "--to", "n.onnx", "--weights", "missing"), "no checkpoint"),
        (("measure", "--backend", "tvm"), "no backend 'tvm'"),
        (("measure", "--threads", "0"), "threads is 0"),
        (("measure", "--resolution", "1"), "4 pixels at least"),
        (("measure", "--resolution", "1000000000"), "of memory, and this machine has"),
        (("measure", "--batch", "1000000000000"), "of memory, and this machine has"),
        (("measure", "--repeats", "100000000000000"), "of memory, and this machine has"),
        (("measure", "--threads", "1000000"), "at most 1,024"),
    ],
)
def test_wrong_requests_are_one_line(
    run_main: RunCli, command: tuple[str, ...], message: str
) -> None:
    name, *options = command
    assert_fails(run_main(name, "nasbench201", CELL, *options), 2, message)


def test_measuring_leaves_the_number_of_threads_alone() -> None:
    before = torch.get_num_threads()
    network = build_network(SPACE, SPACE.parse(CELL))
    measure_latencies(
        [network], ImageClassification(10, 8), LatencySettings(threads=before + 1, repeats=1)
    )
    assert torch.get_num_threads() == before


def test_an_exported_file_is_measured(own: SearchSpace, tmp_path: Path, run_main: RunCli) -> None:
    network = build_network(own, own.parse("4|3"), task=SMALL)
    export_network(network, SMALL, tmp_path / "network.onnx", opset=18)
    for suffix, backend in ((".pt2", "torch"), (".xml", "openvino")):
        error = export_network(network, SMALL, tmp_path / f"network{suffix}")
        assert error < 1e-4
        result = run_main("measure", f"network{suffix}", "--repeats", 2, "--batch", 3)
        assert result.returncode == 0, result.stderr
        assert f"ms ({backend}, 1 threads, batch 3, 2 runs)" in result.stdout
    result = run_main("measure", "network.onnx", "--repeats", 2, "--batch", 3)
    assert result.returncode == 0, result.stderr
    assert "ms (onnxruntime, 1 threads, batch 3, 2 runs)" in result.stdout
    (tmp_path / "empty.onnx").write_bytes(b"nothing")
    assert_fails(run_main("measure", "empty.onnx"), 2, "is damaged, or no .onnx file")
    (tmp_path / "empty.pt2").write_bytes(b"nothing")
    assert_fails(run_main("measure", "empty.pt2"), 2, "is damaged, or no .pt2 file")
    assert_fails(run_main("measure", "missing.onnx"), 2, "no file missing.onnx")
    assert_fails(run_main("measure", "nasbench201"), 2, "an architecture is missing")


def write_node(
    operator: str, inputs: list[ValueInfoProto], output: ValueInfoProto, path: Path
) -> None:
    """Write a file of another program, which computes no more than one operator."""
    node = helper.make_node(operator, [each.name for each in inputs], [output.name])
    graph = helper.make_graph([node], "graph", inputs, [output])
    versions = {"opset_imports": [helper.make_opsetid("", 18)], "ir_version": 9}
    onnx.save(helper.make_model(graph, **versions), path)


@pytest.mark.parametrize(
    ("taken", "kind"),
    [
        (["input_ids", "attention_mask", "token_type_ids"], TensorProto.INT64),
        (["input_ids", "attention_mask", "past_key_values.0.key"], TensorProto.FLOAT),
        (["pixel_values"], TensorProto.FLOAT16),
    ],
)
def test_a_file_of_another_program_is_one_line(
    tmp_path: Path, run_main: RunCli, taken: list[str], kind: int
) -> None:
    inputs = [helper.make_tensor_value_info(name, kind, [1, 4]) for name in taken]
    output = helper.make_tensor_value_info("most", kind, [1, 4])
    write_node("Max", inputs, output, tmp_path / "other.onnx")
    assert_fails(run_main("measure", "other.onnx"), 2, f"made up for {', '.join(taken)} (")


@pytest.mark.slow
def test_a_plan_is_measured_elsewhere_and_read_back(
    tmp_path: Path, run_main: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    own = tmp_path / "columns.py"
    own.write_text(
        "from torch import nn\n"
        "from diffusionnag.spaces import Declaration, TabularClassification\n"
        "def build(operations, task):\n"
        "    width = int(operations['width'])\n"
        "    layers = [nn.Linear(task.features, width), nn.ReLU(), nn.Linear(width, task.outputs)]\n"
        "    return nn.Sequential(*layers)\n"
        "widths = [str(width) for width in range(4, 11)]\n"
        "space = Declaration('columns-elsewhere', {'width': widths, 'end': ['end']}, network=build,\n"
        "                    task=TabularClassification(5, 3))\n"
    )
    planned = run_main("profile", "columns.py:space", "-n", 7, "--plan", "plan")
    assert planned.returncode == 0, planned.stderr
    rows = (tmp_path / "plan" / "networks.csv").read_text().splitlines()
    script = tmp_path / "plan" / "measure_elsewhere.py"
    first = subprocess.run(
        [sys.executable, script, "--repeats", "1"], capture_output=True, text=True, check=True
    )
    assert len(first.stdout.splitlines()) == len(rows) - 1
    measured = tmp_path / "plan" / "latencies.csv"
    lines = measured.read_text().splitlines()
    measured.write_text("\n".join(lines[:-1]) + "\n")
    again = subprocess.run(
        [sys.executable, script, "--repeats", "1"], capture_output=True, text=True, check=True
    )
    assert len(again.stdout.splitlines()) == 1, "what is measured is not measured again"
    assert len(measured.read_text().splitlines()) == len(rows)
    chosen = ("--name", "phone", "--measured", "plan/latencies.csv")
    learnt = run_main("profile", "columns.py:space", "-n", 7, *chosen)
    assert learnt.returncode == 0, learnt.stderr
    assert "--limit 'latency:phone<=" in learnt.stderr
    # Under the space's own name, by which guides and limits find it, not its file's.
    kept = PropertyPredictor.from_pretrained(
        "latency:phone", search_space=get_search_space("columns.py:space")
    )
    assert kept.property_name == "latency:phone"


@pytest.mark.parametrize("nodes", [1, 2, 5])
def test_graphs_measured_elsewhere_have_the_edges_of_those_here(tmp_path: Path, nodes: int) -> None:
    inputs = [
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["nodes", 3]),
        helper.make_tensor_value_info("edges", TensorProto.INT64, [2, "edges"]),
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)
    write_node("GatherND", inputs, output, tmp_path / "graph.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "graph.onnx")
    here = random_inputs(NodeClassification(3), nodes)
    assert isinstance(here, Graph)
    elsewhere = inputs_of(session, nodes, length=1)
    assert elsewhere["edges"].tolist() == here.edges.tolist()
    assert elsewhere["features"].shape == here.features.shape


def planned_rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "networks.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_plan_names_the_file_of_each_architecture(own: SearchSpace, tmp_path: Path) -> None:
    plan = tmp_path / "plan"
    assert len(write_plan(own, SMALL, 3, plan)) + len(planned_rows(plan)) == 3
    few = planned_rows(plan)
    # A third of the six cannot be built.
    assert len(write_plan(own, SMALL, 6, plan)) == 2
    assert [row for row in planned_rows(plan) if row in few] == few
    write_plan(own, SMALL, 6, plan, seed=1)
    x = torch.randn(1, *SMALL.input_shape)
    rows = planned_rows(plan)
    assert {row["arch"] for row in rows} == {"4|1", "4|3", "8|1", "8|3"}
    for row in rows:
        network = build_network(own, own.parse(row["arch"]), task=SMALL).eval()
        told = open_exported(plan / row["file"]).run(x)
        np.testing.assert_allclose(told, network(x).detach().numpy(), atol=1e-4)
    for task in (ImageClassification(3, 8), ImageClassification(4, 16)):
        with pytest.raises(DiffusionNAGError, match="a plan of another space or other sizes"):
            write_plan(own, task, 6, plan)
