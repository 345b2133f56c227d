"""A space that nobody has seen goes the whole way by its commands; bad builders are one line each."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from conftest import RunCli, assert_fails

from diffusionnag import get_search_space
from diffusionnag.networks import build_network

SPACE = """
name: signals-of-the-tests
description: A temporal CNN for signals of 32 values.
network: networks.py:build
task: {kind: own, input_shape: [1, 32], output_shape: [2]}
nodes:
  body:
    depths: [1, 2]
    layer:
      width: [4, 8, 16]
      kernel: [3, 5]
  pooling: [mean, last]
rules:
  - networks.py:no_narrowing
"""
NETWORKS = '''
from torch import nn

class Pooling(nn.Module):
    def __init__(self, last):
        super().__init__()
        self.last = last

    def forward(self, x):
        return x[:, :, -1] if self.last else x.mean(2)

def build(operations, task):
    channels, layers = task.input_shape[0], []
    for layer in ("body1", "body2"):
        width, kernel = operations[layer + ".width"], operations[layer + ".kernel"]
        if width != "none":
            layers += [nn.Conv1d(channels, int(width), int(kernel), padding="same"), nn.ReLU()]
            channels = int(width)
    last = operations["pooling"] == "last"
    return nn.Sequential(*layers, Pooling(last), nn.Linear(channels, task.outputs))

def no_narrowing(operations):
    """The second layer is as wide as the first one, or wider."""
    second = operations["body2.width"]
    return second == "none" or int(second) >= int(operations["body1.width"])
'''
FIT = """
import torch
from torch.nn import functional as F

def signals(count, seed):
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    time = torch.arange(32) * (0.3 + 0.6 * labels[:, None])
    return (time.sin() + 0.3 * torch.randn(count, 32, generator=rng))[:, None], labels

def fit(module, budget):
    x, labels = signals(64, 0)
    optimiser = torch.optim.Adam(module.parameters(), 0.02)
    for epoch in range(budget):
        loss = F.cross_entropy(module(x), labels)
        optimiser.zero_grad(); loss.backward(); optimiser.step()
    x, labels = signals(40, 1)
    right = (module(x).argmax(1) == labels).float().mean()
    return {"accuracy": 100 * right.item(), "loss": loss.item()}
"""
ARCHITECTURE = "8|3|16|5|mean"


@pytest.fixture
def signals(tmp_path: Path) -> Path:
    for name, text in {"space.yaml": SPACE, "networks.py": NETWORKS, "train.py": FIT}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.usefixtures("quick_training", "few_candidates")
def test_it_goes_the_whole_way(signals: Path, run_main: RunCli) -> None:
    def run(*words: object) -> str:
        done = run_main(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert " built, 0 failed" in run("check", "space.yaml", "-n", 12)
    run("train-generator", "space.yaml", "--out", "generator", "--steps", 20)
    own = ("space.yaml", "--generator", "generator", "--limit", "params<=0.6k")
    run("generate", *own, "-n", 8, "--out", "small.jsonl")
    space = get_search_space(str(signals / "space.yaml"))
    lines = (signals / "small.jsonl").read_text().splitlines()
    for line in lines:
        network = build_network(space, space.parse(json.loads(line)["architecture"]))
        assert sum(each.numel() for each in network.parameters()) <= 600
    objective = "training:fit:train.py:fit,epochs=20"
    found = run("search", *own, "--objective", objective, "--trials", 4, "--out", "best.jsonl")
    assert "accuracy %" in found
    best = json.loads((signals / "best.jsonl").read_text().splitlines()[0])
    assert best["properties"]["accuracy"] >= 75
    text = best["architecture"]
    training = ("--data", "fit:train.py:fit", "--epochs", 40, "--out", "trained")
    assert "accuracy" in run("train", "space.yaml", text, *training)
    run("export", "space.yaml", text, "--weights", "trained", "--to", "signals.onnx", "--opset", 18)
    session = onnxruntime.InferenceSession(signals / "signals.onnx")
    (logits,) = session.run(None, {"inputs": np.zeros((5, 1, 32), dtype=np.float32)})
    assert np.asarray(logits).shape == (5, 2)
    assert "params: " in run("measure", "space.yaml", text, "--repeats", 2)
    chosen = ("--data", "fit:train.py:fit", "--epochs", 2, "--top", 2, "--seeds", 1)
    run("compare", "space.yaml", *chosen, "--groups", "best.jsonl", "--out", "compared")


BAD = """
import torch
from torch import nn

class Bad(nn.Module):
    def __init__(self, fault, task):
        super().__init__()
        self.fault = fault
        self.layer = nn.Linear(task.features, task.outputs + (fault == "shape"))

    def forward(self, x):
        if self.training and self.fault == "memory":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        if self.training and self.fault == "late":
            raise ValueError("a single memory location")
        if self.fault == "text":
            return "logits"
        return self.layer(x) * (float("nan") if self.fault == "nan" else 1)

def build(operations, task):
    fault = operations["fault"]
    if fault == "raises":
        raise KeyError("no such layer")
    if fault == "none_at_all":
        return None
    return nn.Identity() if fault == "nothing_to_learn" else Bad(fault, task)
"""
FAULTS = {
    "raises": "cannot be built: KeyError",
    "none_at_all": "returned NoneType, no torch module",
    "nothing_to_learn": "nothing to learn",
    "shape": "returns [2, 4] for 2 inputs; it should be [2, 3]",
    "text": "returns str",
    "nan": "the loss became nan at step 0",
    "memory": "not enough memory for a batch of 64",
    "late": "failed at step 0: ValueError: a single memory location",
}


@pytest.fixture
def bad(tmp_path: Path) -> str:
    faults = ", ".join([*FAULTS, "fine"])
    (tmp_path / "networks.py").write_text(BAD)
    (tmp_path / "bad.yaml").write_text(
        "name: bad-of-the-tests\nnetwork: networks.py:build\n"
        "task: {kind: tabular_classification, features: 13, classes: 3}\n"
        f"nodes:\n  fault: [{faults}]\n  end: [end]\n"
    )
    return "bad.yaml"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_builder_is_one_line(bad: str, run_main: RunCli, fault: str) -> None:
    done = run_main("train", bad, f"{fault}|end", "--data", "sklearn:wine", "--out", "out")
    assert_fails(done, 2, FAULTS[fault])


def test_a_search_goes_on_after_each_of_them(bad: str, tmp_path: Path, run_main: RunCli) -> None:
    done = run_main(
        "search", bad, "--searcher", "random", "--objective", "training:sklearn:wine,epochs=1",
        "--trials", 9, "--out", "all.jsonl",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (record,) = map(json.loads, (tmp_path / "all.jsonl").read_text().splitlines())
    assert record["architecture"] == "fine|end"
    assert "passed over, as no network can be built: " in done.stderr
    assert "after 7 trials nothing was left to propose" in done.stderr
    assert "6 trials gave no value" in done.stderr
    checked = run_main("check", bad, "-n", 60)
    assert "9 random architectures of bad-of-the-tests: 1 built, 8 failed" in checked.stdout
