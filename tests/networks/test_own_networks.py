"""A space of the user's own, with a function that builds its modules, goes the whole way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import RunCli, assert_fails
from safetensors.torch import load_file
from test_architecture_training import write_images

from diffusionnag import DiffusionNAGError, get_search_space
from diffusionnag.networks import (
    OwnFit,
    TrainingSettings,
    build_network,
    count_network,
    train_architecture,
)
from diffusionnag.spaces import ImageClassification

SPACE = """
name: columns-of-the-tests
network: networks.py:build
nodes:
  width: [4, 8]
  kernel: [1, 3, 5]
"""
NETWORKS = """
from torch import nn

def build(operations, task):
    width, kernel = int(operations["width"]), int(operations["kernel"])
    if kernel == 5:
        return "no module" if width == 4 else nn.Linear(-1, -1)
    return nn.Sequential(
        nn.Conv2d(3, width, kernel, padding=kernel // 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, task.classes),
    )
"""
CLASS = """
from torch import nn
from diffusionnag import SearchSpace

class Mine(SearchSpace):
    name = "mine-of-the-tests"
    nodes = ("left", "right")
    operations = ("relu", "tanh")
    edges = ((0, 1),)

    def build_network(self, architecture, task):
        chosen = {"relu": nn.ReLU, "tanh": nn.Tanh}
        layers = [chosen[name]() for name in self.operation_names(architecture)]
        size = 3 * task.resolution**2
        return nn.Sequential(nn.Flatten(), *layers, nn.Linear(size, task.classes))
"""


def write_space(folder: Path) -> None:
    """Write a space as data, `space.yaml`, and the function that builds its networks."""
    (folder / "space.yaml").write_text(SPACE)
    (folder / "networks.py").write_text(NETWORKS)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    write_space(tmp_path)
    (tmp_path / "mine.py").write_text(CLASS)
    return tmp_path


@pytest.mark.parametrize(("name", "text"), [("space.yaml", "4|3"), ("mine.py:Mine", "relu|tanh")])
def test_it_is_measured_exported_and_trained(
    own: Path, run_main: RunCli, name: str, text: str
) -> None:
    space = get_search_space(str(own / name))
    network = build_network(space, space.parse(text), classes=7, resolution=8)
    assert network(torch.zeros(2, 3, 8, 8)).shape == (2, 7)
    measured = run_main("measure", name, text, "--resolution", 8, "--repeats", 2)
    assert measured.returncode == 0, measured.stderr
    built = build_network(space, space.parse(text), resolution=8)
    assert (
        f"params: {count_network(built, ImageClassification(10, 8)).parameters / 1e6:.6f} M"
        in measured.stdout
    )
    assert float(measured.stdout.split("whole process: ")[1].split()[0]) > 100
    write_images(own / "images.parquet")
    options = ("--data", "images.parquet", "--resolution", 8, "--epochs", 1, "--batch-size", 16)
    trained = run_main("train", name, text, *options, "--out", "trained")
    assert trained.returncode == 0, trained.stderr
    exported = run_main("export", name, text, "--weights", "trained", "--to", "own.onnx")
    assert exported.returncode == 0, exported.stderr


TWO_HEADS = """
import torch
from torch import nn
from diffusionnag import SearchSpace
from diffusionnag.networks import Regularised
from diffusionnag.spaces import NetworkFamily, TabularClassification

class Network(nn.Module):
    def __init__(self, task):
        super().__init__()
        self.body, self.head = nn.Linear(task.features, 8), nn.Linear(8, task.classes)
        self.second, self.dropped = None, []

    def forward(self, x):
        x = self.body(x).relu()
        told = self.head(x)
        return (told, self.second(x)) if self.training and self.second else told

    def drop_paths(self, share):
        self.dropped.append(share)

    def add_auxiliary_head(self):
        self.second = nn.Linear(8, self.head.out_features)

    def remove_auxiliary_head(self):
        assert self.second is not None
        assert self.dropped == sorted(self.dropped) and 0.4 < self.dropped[-1] < 0.5
        self.second = None

class Two(SearchSpace):
    name = "two-heads-of-the-tests"
    nodes, operations, edges = ("left", "right"), ("relu", "tanh"), ((0, 1),)
    networks = NetworkFamily(TabularClassification())

    def build_network(self, architecture, task):
        return Network(task)
"""


def test_a_second_head_serves_training_alone(tmp_path: Path, run_main: RunCli) -> None:
    (tmp_path / "two.py").write_text(TWO_HEADS)
    asked = ("--auxiliary-weight", 0.4, "--drop-path", 0.5, "--batch-size", 16, "--epochs", 3)
    training = ("two.py:Two", "relu|tanh", "--data", "sklearn:iris", *asked)
    trained = run_main("train", *training, "--out", "out")
    assert trained.returncode == 0, trained.stderr
    alone = run_main("train", *training, "--auxiliary-weight", 0.1, "--out", "other")
    assert trained.stdout != alone.stdout, "the head's loss counts by its weight"
    (tmp_path / "one.py").write_text(TWO_HEADS.replace("def drop_paths", "def ignored"))
    one = run_main("train", "one.py:Two", *training[1:], "--out", "third")
    assert_fails(one, 2, "the network has no auxiliary head and no paths to drop")
    kept = load_file(tmp_path / "out" / "model.safetensors")
    assert not any("second" in name for name in kept)


LIGHTNING = """
import torch
from torch import nn
from torch.nn import functional as F

class Network(nn.Linear):
    def training_step(self, batch, number):
        return {"loss": F.cross_entropy(self(batch[0]), batch[1])}

    def validation_step(self, batch, number):
        self.log("accuracy", 100 * (self(batch[0]).argmax(1) == batch[1]).float().mean(), on_epoch=True)

    def configure_optimizers(self):
        optimiser = torch.optim.Adam(self.parameters(), 0.1)
        scheduler = torch.optim.lr_scheduler.StepLR(optimiser, 5)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler}}

def build(operations, task):
    return Network(4, 2) if operations["head"] == "trains" else nn.Linear(4, 2)

class Data:
    def setup(self, stage):
        x = torch.randn(96, 4, generator=torch.Generator().manual_seed(0))
        self.batches = list(zip(x.split(16), (x[:, 0] > 0).long().split(16)))

    def train_dataloader(self):
        return self.batches[:4]

    def val_dataloader(self):
        return self.batches[4:]

def loaders():
    data = Data()
    data.setup("fit")
    return data.train_dataloader(), data.val_dataloader()
"""


@pytest.mark.parametrize("data", ["Data", "loaders"])
def test_a_module_may_train_itself_as_lightnings_do(
    tmp_path: Path, run_main: RunCli, data: str
) -> None:
    (tmp_path / "networks.py").write_text(LIGHTNING)
    (tmp_path / "space.yaml").write_text(
        "name: lightning-of-the-tests\nnetwork: networks.py:build\n"
        "task: {kind: own, input_shape: [4], output_shape: [2]}\n"
        "nodes:\n  head: [trains, does_not]\n  end: [end]\n"
    )
    chosen = ("--data", f"lightning:networks.py:{data}", "--epochs", 5)
    trained = run_main("train", "space.yaml", "trains|end", *chosen, "--out", "out")
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout.startswith("5 epochs: accuracy "), "its loss is not known"
    assert float(trained.stdout.split("accuracy ")[1].split()[0]) > 80
    failed = run_main("train", "space.yaml", "does_not|end", *chosen, "--out", "other")
    assert_fails(failed, 2, "the module has no method training_step")
    for name, message in {
        f"{data}:f1": f"name the value to go by: lightning:networks.py:{data}:NAME",
        "": "should read like 'lightning:train.py:fit'",
    }.items():
        other = ("--data", f"lightning:networks.py:{name}", "--epochs", 1, "--out", "third")
        assert_fails(run_main("train", "space.yaml", "trains|end", *other), 2, message)


def test_the_users_own_training_follows_from_its_seed(own: Path, tmp_path: Path) -> None:
    space = get_search_space(str(own / "mine.py:Mine"))
    architecture = space.parse("relu|tanh")
    data = OwnFit(space.networks.task, "mine.py:fit", lambda network, budget: torch.rand(1).item())

    def drawn(seed: int, **options: Any) -> float:
        settings = TrainingSettings(seed=seed)
        _, history = train_architecture(space, architecture, data, settings, tmp_path, **options)
        return history[-1].metrics["accuracy"]

    before = torch.get_rng_state()
    first = drawn(0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert drawn(0) == first
    assert drawn(1) != first
    for options in ({"device": "cuda"}, {"devices": 2}):
        with pytest.raises(DiffusionNAGError, match="leave out `device` and `devices`"):
            drawn(0, **options)


@pytest.mark.parametrize(
    ("text", "message"), [("4|5", "returned str, no torch module, for 4.5"), ("8|5", "8.5 cannot")]
)
def test_a_builder_that_fails_is_one_line(own: Path, text: str, message: str) -> None:
    space = get_search_space(str(own / "space.yaml"))
    with pytest.raises(DiffusionNAGError, match=message):
        build_network(space, space.parse(text))


@pytest.mark.usefixtures("quick_training")
def test_what_cannot_be_built_is_not_generated(own: Path, run_main: RunCli) -> None:
    trained = run_main("train-generator", "space.yaml", "--out", "generator", "--steps", 150)
    assert trained.returncode == 0, trained.stderr
    for count, *options in ((64, "--generator", "generator"), (4, "--guide", "params=-1")):
        done = run_main("generate", "space.yaml", "-n", count, *options, "--out", "all.jsonl")
        assert done.returncode == 0, done.stderr
        assert "left out, as no network of them can be built" in done.stdout
        records = (own / "all.jsonl").read_text().splitlines()
        assert len(records) == count
        assert not any("|5" in record for record in records)
    fewer = run_main("generate", "space.yaml", "-n", 5, "--guide", "params=-1")
    assert_fails(fewer, 2, "only 4 columns-of-the-tests architectures")


def test_a_space_without_a_builder_says_so(own: Path, run_main: RunCli) -> None:
    (own / "space.yaml").write_text(SPACE.replace("network: networks.py:build", ""))
    assert_fails(run_main("measure", "space.yaml", "4|3"), 2, "cannot be built")
