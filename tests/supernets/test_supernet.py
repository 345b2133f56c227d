"""Shared weights: trained, resumed, searched through, and inherited by networks of their own."""

from __future__ import annotations

import json
import re
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from commands import Command
from conftest import RunCli, assert_fails, wait_for
from test_architecture_training import CELL, DATA, KEEN, SPACE, settings, write_images

from diffusionnag import DiffusionNAGError, get_search_space
from diffusionnag.artifacts.training_state import STATE_FILE
from diffusionnag.networks import TrainedNetwork
from diffusionnag.spaces import Architecture, ImageClassification
from diffusionnag.supernets import Supernet, TrainedSupernet, recalibrate, train_supernet

SMALLEST = "|".join(["3-3,3-3,none,none"] * 5)
SMALL = ImageClassification(2, 8, width=0.25, cells=1)
EDGE = r"tensors\.1\.edges\.(\d)\.(nor_conv_\dx\d)"
SMALL_DATA = replace(DATA, task=SMALL)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A supernet as a model folder, and the images that it was trained on."""
    folder = tmp_path_factory.mktemp("supernet")
    images = write_images(folder / "images.parquet")
    data = TrainedSupernet(Supernet(SPACE, SMALL), {}, {"data": str(images)}).read_data()
    supernet, _ = train_supernet(SPACE, data, settings(epochs=8, learning_rate=0.1), folder)
    shared = TrainedSupernet(supernet, data.preparation, {"data": str(images)})
    shared.save(folder / "shared")
    return folder / "shared", images


def inputs(count: int = 6) -> torch.Tensor:
    return torch.randn((count, 3, 8, 8), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("training", [False, True])
def test_a_network_of_its_own_computes_what_it_computes_in_the_supernet(training: bool) -> None:
    supernet = Supernet(SPACE, SMALL, seed=1)
    for architecture in (SPACE.parse(CELL), *SPACE.sample(5, seed=0)):
        network = supernet.extract(architecture).train(training)
        supernet.train(training)
        expected = supernet.run(architecture, inputs())
        torch.testing.assert_close(network(inputs()), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["mobilenetv3", "mnasnet"])
def test_elastic_networks_are_parts_of_the_largest(name: str) -> None:
    space = get_search_space(name)
    supernet = Supernet(space, ImageClassification(2, 32))
    largest, smallest = space.extremes()
    x = torch.randn((2, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    for architecture in (largest, smallest, *space.sample(3, seed=0)):
        network = supernet.eval().extract(architecture)
        torch.testing.assert_close(network(x), supernet.run(architecture, x), rtol=0, atol=1e-5)
    matrices, others = [], []
    for name, parameter in supernet.named_parameters():
        (matrices if re.search("_[57]to[35]$", name) else others).append(parameter)
    own = sum(parameter.numel() for parameter in supernet.extract(largest).parameters())
    assert sum(parameter.numel() for parameter in others) == own

    # The largest, the smallest and two others see each batch; smaller kernels learn their matrices.
    outputs = supernet.train()(x)
    assert outputs.shape == (4, 2, 2)
    outputs.square().sum().backward()
    assert all(parameter.grad is not None for parameter in others)
    assert any(matrix.grad is not None for matrix in matrices)


def test_networks_share_the_weights_of_the_same_operation_and_no_others() -> None:
    supernet = Supernet(SPACE, SMALL)
    same, other = (
        SPACE.parse(f"|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|{operation}~2|")
        for operation in ("skip_connect", "nor_conv_1x1")
    )
    supernet.train().run(same, inputs()).square().sum().backward()
    touched = {name for name, tensor in supernet.named_parameters() if tensor.grad is not None}
    cells = {name for name in touched if ".edges." in name}
    assert cells
    assert all(".edges.3.nor_conv_3x3." in name for name in cells)
    first, second = (dict(supernet.extract(each).named_parameters()) for each in (same, other))
    assert torch.equal(first["1.edges.3.1.weight"], second["1.edges.3.1.weight"])
    assert "1.edges.5.1.weight" in second.keys() - first.keys()


def test_random_networks_share_a_batch_where_none_contains_the_others() -> None:
    supernet = Supernet(SPACE, SMALL).train()
    most = []
    for count in (64, 256):
        torch.manual_seed(0)
        supernet.zero_grad()
        outputs = supernet(inputs(count))
        assert outputs.shape == (1, count, 2)
        outputs.square().sum().backward()
        touched = [name for name, tensor in supernet.named_parameters() if tensor.grad is not None]
        kinds = {match.groups() for name in touched if (match := re.search(EDGE, name))}
        most.append(max(Counter(edge for edge, _ in kinds).values()))
    assert most == [1, 2]
    # Each network has its own part of the batch, in the order of the examples.
    changed = inputs(256)
    changed[64:] = 0
    torch.manual_seed(0)
    torch.testing.assert_close(supernet(changed)[0, :64], outputs[0, :64])


def test_it_learns_and_inherited_weights_tell_good_cells_from_bad_ones(
    trained: tuple[Path, Path],
) -> None:
    shared = TrainedSupernet.load(trained[0])
    data = shared.read_data()
    broken = SPACE.parse("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    good = SPACE.parse(CELL.replace("none", "nor_conv_3x3"))
    assert shared.evaluate(good, data)["accuracy"] > shared.evaluate(broken, data)["accuracy"]
    assert shared.evaluate(good, data) == shared.evaluate(good, data)


def test_recalibrated_batch_norms_have_the_statistics_of_the_data() -> None:
    network = Supernet(SPACE, SMALL).extract(SPACE.parse(CELL))
    seen: list[torch.Tensor] = []
    norm = next(module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d))
    norm.register_forward_hook(lambda module, given, _: seen.append(given[0].detach()))
    recalibrate(network, DATA)
    assert not network.training
    expected = torch.cat(seen).mean((0, 2, 3))
    torch.testing.assert_close(norm.running_mean, expected, rtol=1e-4, atol=1e-5)
    assert norm.momentum == torch.nn.BatchNorm2d(1).momentum


def test_stopped_at_any_step_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    def stop(progress: object) -> None:
        raise KeyboardInterrupt

    stopped, once = tmp_path / "stopped", tmp_path / "once"
    for folder in (stopped, once):
        folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        train_supernet(SPACE, SMALL_DATA, settings(1), stopped, report=stop)
    again, history = train_supernet(SPACE, SMALL_DATA, settings(1), stopped)
    undisturbed, expected = train_supernet(SPACE, SMALL_DATA, settings(1), once)
    assert history == expected
    states = again.state_dict(), undisturbed.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


DECLARED = """
name: shared-of-the-tests
network: networks.py:build
shared_names: networks.py:shared
nodes:
  first: [relu, tanh]
  kernel: [1, 3]
"""
BUILDER = """
from torch import nn

def build(operations, task):
    kernel = int(operations["kernel"])
    act = {"relu": nn.ReLU, "tanh": nn.Tanh}[operations["first"]]
    layers = nn.Conv2d(3, 4, kernel, padding=kernel // 2), act(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(4, task.outputs))

def shared(operations, names):
    return [f"{operations['kernel']}.{name}" if name[0] == "0" else name for name in names]
"""


def test_a_declared_space_says_what_its_networks_share(tmp_path: Path, run_main: RunCli) -> None:
    (tmp_path / "space.yaml").write_text(DECLARED)
    (tmp_path / "networks.py").write_text(BUILDER)
    images = write_images(tmp_path / "images.parquet")
    chosen = ["--resolution", "8", "--epochs", "1", "--out", "shared"]
    result = run_main("supernet", "space.yaml", "--data", images, *chosen)
    assert result.returncode == 0, result.stderr
    space = get_search_space(str(tmp_path / "space.yaml"))
    supernet = TrainedSupernet.load(tmp_path / "shared", space).supernet
    one, other, third = (
        supernet.extract(space.parse(text)).state_dict() for text in ("relu|3", "tanh|3", "relu|1")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(one["4.weight"], third["4.weight"])
    assert one["0.weight"].shape != third["0.weight"].shape


def test_a_space_that_shares_no_weights_has_no_supernet() -> None:
    space = get_search_space("nasbench101")
    with pytest.raises(DiffusionNAGError, match="no supernet"):
        Supernet(space, space.networks.task)


# -- the commands ---------------------------------------------------------------------------------


def arguments(images: Path, out: str) -> list[str]:
    sizes = ["--resolution", "8", "--width", "0.25", "--cells", "1"]
    chosen = [*sizes, "--epochs", "2", "--batch-size", "12"]
    return ["supernet", "nasbench201", "--data", str(images), "--out", out, *chosen]


def test_killed_it_goes_on_to_the_same_weights(tmp_path: Path, run_cli: RunCli) -> None:
    images = write_images(tmp_path / "images.parquet")
    process = Command(arguments(images, "killed"), tmp_path, KEEN)
    wait_for((tmp_path / "killed" / STATE_FILE).exists, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    for out in ("killed", "undisturbed"):
        result = run_cli(*arguments(images, out))
        assert result.returncode == 0, result.stderr
        assert ("resuming from step" in result.stderr) == (out == "killed")
    killed, undisturbed = (
        (tmp_path / out / "model.safetensors").read_bytes() for out in ("killed", "undisturbed")
    )
    assert killed == undisturbed
    assert_fails(run_cli(*arguments(images, "killed")), 2, "holds a trained model")


def test_a_search_measures_with_inherited_weights(
    trained: tuple[Path, Path], tmp_path: Path, run_main: RunCli
) -> None:
    chosen = ["--searcher", "random", "--trials", "3", "--out", "measured.jsonl"]
    result = run_main("search", "nasbench201", "--objective", f"supernet:{trained[0]}", *chosen)
    assert result.returncode == 0, result.stderr
    shared = TrainedSupernet.load(trained[0])
    rows = [json.loads(line) for line in (tmp_path / "measured.jsonl").read_text().splitlines()]
    assert len(rows) == 3
    for row in rows:
        cell: Architecture = SPACE.parse(row["architecture"])
        assert shared.evaluate(cell, shared.read_data()).items() <= row["properties"].items()


def test_a_search_lowers_the_cross_entropy_where_that_is_the_metric(
    trained: tuple[Path, Path], tmp_path: Path, run_main: RunCli
) -> None:
    objective = f"supernet:{trained[0]},metric=cross_entropy,data={trained[1]}"
    chosen = ["--searcher", "random", "--trials", "4", "--out", "measured.jsonl"]
    result = run_main("search", "nasbench201", "--objective", objective, *chosen)
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in (tmp_path / "measured.jsonl").read_text().splitlines()]
    lowest = min(rows, key=lambda row: row["properties"]["cross_entropy"])
    shown = lowest["architecture"]
    assert shown in result.stdout.replace("\n", "")
    unknown = objective.replace("cross_entropy", "f1")
    result = run_main("search", "nasbench201", "--objective", unknown, "--trials", "2")
    assert result.returncode == 2
    assert "it has accuracy, cross_entropy" in result.stderr


def test_an_exported_network_has_inherited_weights(
    trained: tuple[Path, Path], tmp_path: Path, run_main: RunCli
) -> None:
    result = run_main(
        "export", "nasbench201", CELL, "--weights", trained[0], "--to", "network.onnx"
    )
    assert result.returncode == 0, result.stderr
    shared = TrainedSupernet.load(trained[0])
    expected = shared.inherit(SPACE.parse(CELL), shared.read_data()).network(inputs()).detach()
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    (outputs,) = session.run(None, {"images": inputs().numpy()})
    np.testing.assert_allclose(np.asarray(outputs), expected.numpy(), atol=1e-4)


def test_training_begins_with_inherited_weights(
    trained: tuple[Path, Path], tmp_path: Path, run_main: RunCli
) -> None:
    folder, images = trained
    chosen = ["--data", images, "--init", folder, "--epochs", "1", "--learning-rate", "1e-9"]
    result = run_main("train", "nasbench201", CELL, *chosen, "--out", "tuned")
    assert result.returncode == 0, result.stderr
    tuned = TrainedNetwork.load(tmp_path / "tuned")
    assert tuned.task == SMALL
    inherited = TrainedSupernet.load(folder).supernet.extract(SPACE.parse(CELL))
    for name, parameter in inherited.named_parameters():
        torch.testing.assert_close(tuned.network.get_parameter(name), parameter)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("supernet", "nasbench101", "--data", "x", "--out", "y"), "no supernet"),
        (("supernet", "nasbench201", "--data", "x", "--out", "y", "--epochs", "0"), "epochs is 0"),
        (("supernet", "nasbench201", "--data", "x", "--out", "y", "--cells", "0"), "at least 1"),
        (
            ("supernet", "nasbench201", "--data", "x", "--out", "y", "--progressive"),
            "less of than the largest",
        ),
        (("train", "mobilenetv3", SMALLEST, "--data", "x", "--out", "y", "--cells", "2"), "cells"),
        (("search", "nasbench201", "--objective", "supernet:nothing"), "no checkpoint"),
    ],
)
def test_wrong_requests_are_one_line(
    run_main: RunCli, command: tuple[str, ...], message: str
) -> None:
    assert_fails(run_main(*command), 2, message)
