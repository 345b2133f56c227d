"""Trainings on rows, texts and graphs that are killed, and resumed to the very same weights."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from commands import Command
from conftest import RunCli, wait_for
from test_architecture_training import KEEN

from diffusionnag.artifacts.training_state import STATE_FILE

NETWORKS = """
import torch
from torch import nn

class OfTokens(nn.Module):
    def __init__(self, task):
        super().__init__()
        self.tokens, self.head = nn.Embedding(task.vocabulary, 8), nn.Linear(8, task.outputs)
        self.dropout, self.each = nn.Dropout(0.1), len(task.output_shape) > 1

    def forward(self, tokens):
        x = self.dropout(self.tokens(tokens))
        return self.head(x if self.each else x.mean(1))

class OfGraphs(nn.Module):
    def __init__(self, task):
        super().__init__()
        self.own, self.fed = (nn.Linear(task.features, task.outputs) for _ in range(2))

    def forward(self, graph):
        sources, targets = graph.edges
        fed = torch.zeros_like(graph.features).index_add(0, targets, graph.features[sources])
        return self.own(graph.features) + self.fed(fed)

def build(operations, task):
    if task.kind == "node_classification":
        return OfGraphs(task)
    if task.vocabulary:
        return OfTokens(task)
    return nn.Sequential(nn.Linear(task.features, 8), nn.Dropout(0.1), nn.Linear(8, task.outputs))
"""
DATA = {
    "tabular_classification": "sklearn:iris",
    "text_classification": "texts.csv",
    "language_modelling": "text.txt",
    "node_classification": "sbm:80",
}


@pytest.mark.parametrize("kind", DATA)
def test_killed_it_is_resumed_to_the_same_weights(
    tmp_path: Path, run_main: RunCli, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    (tmp_path / "networks.py").write_text(NETWORKS)
    (tmp_path / "space.yaml").write_text(
        f"name: killed-{kind.replace('_', '-')}\nnetwork: networks.py:build\ntask: {{kind: {kind}}}\n"
        "nodes:\n  left: [a, b]\n  right: [c]\n"
    )
    rows = [
        f"{'good' if number % 2 else 'bad'} number {number},{number % 2}" for number in range(90)
    ]
    (tmp_path / "texts.csv").write_text("\n".join(["text,label", *rows]))
    (tmp_path / "text.txt").write_text("\n".join(rows))

    def arguments(out: str) -> list[str]:
        chosen = ["--data", DATA[kind], "--epochs", "40", "--batch-size", "16", "--out", out]
        return ["train", "space.yaml", "a|c", *chosen]

    process = Command(arguments("killed"), tmp_path, KEEN)
    wait_for((tmp_path / "killed" / STATE_FILE).exists, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    for out in ("killed", "undisturbed"):
        caplog.clear()
        done = run_main(*arguments(out))
        assert done.returncode == 0, done.stderr
        assert ("resuming from step" in caplog.text) == (out == "killed")
    killed, undisturbed = (
        (tmp_path / out / "model.safetensors").read_bytes() for out in ("killed", "undisturbed")
    )
    assert killed == undisturbed
