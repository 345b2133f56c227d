"""Every kind of data goes through the same training: tables, texts, a text to model, one's own."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from conftest import RunCli, assert_fails
from torch import nn

from diffusionnag import DiffusionNAGError, SearchSpace
from diffusionnag.networks import (
    Progress,
    TrainedNetwork,
    export_network,
    load_data,
    train_architecture,
    usual_settings,
)
from diffusionnag.spaces import (
    Declaration,
    ImageRegression,
    LanguageModelling,
    OwnTask,
    TabularClassification,
    TabularRegression,
    Task,
    TextClassification,
    declared_space,
)
from diffusionnag.text import tokenizer_from_json

EXAMPLES = Path(__file__).parents[2] / "examples"


class Bag(nn.Module):
    """Embeds tokens, and averages them unless each is to be followed."""

    def __init__(self, task: Any, width: int) -> None:
        super().__init__()
        self.averages = task.kind == "text_classification"
        self.tokens, self.head = (
            nn.Embedding(task.vocabulary, width),
            nn.Linear(width, task.outputs),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        embedded = self.tokens(x)
        if self.averages:
            present = (x != 0)[:, :, None]
            embedded = (embedded * present).sum(1) / present.sum(1)
        return self.head(embedded)


def build(operations: Any, task: Any) -> nn.Module:
    width = int(operations["width"])
    if task.inputs == "tokens":
        return Bag(task, width)
    size = int(np.prod(task.input_shape))
    layers = (nn.Flatten(), nn.Linear(size, width), nn.ReLU(), nn.Dropout(0.1))
    return nn.Sequential(*layers, nn.Linear(width, task.outputs))


def space_for(task: Task) -> SearchSpace:
    nodes = {"width": ["8", "16"], "end": ["end"]}
    return declared_space(Declaration("any-of-the-tests", nodes, network=build, task=task))()


def trained(
    task: Task, data: str | Path, folder: Path, epochs: int = 3, **options: Any
) -> tuple[TrainedNetwork, list[dict[str, float]], Any]:
    space = space_for(task)
    folder.mkdir(exist_ok=True)
    examples = load_data(data, space, **options)
    settings = usual_settings(examples.task, epochs=epochs, learning_rate=0.02, batch_size=16)
    network, history = train_architecture(space, space.parse("16|end"), examples, settings, folder)
    return network, [epoch.metrics for epoch in history], examples


def write_rows(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    """A hundred made-up rows; the price follows from the rest, some of which is missing."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    for row in range(100):
        rooms, town = int(rng.integers(1, 9)), ["east", "west", ""][row % 3]
        price = 1_000 * rooms + {"east": 500, "west": -500, "": 0}[town]
        rows.append({"rooms": rooms if row % 50 else "", "town": town, "price": price})
    return write_rows(tmp_path / "houses.csv", rows)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    words = {"good": ["fine", "great", "nice"], "bad": ["poor", "awful", "dull"]}
    rows = [
        {"id": row, "text": f"{words[label][row % 3]} work, {row % 7} of 7", "label": label}
        for row, label in enumerate(["good", "bad"] * 40)
    ]
    return write_rows(tmp_path / "reviews.csv", rows)


def test_rows_of_a_table_are_told_apart(tmp_path: Path) -> None:
    task = TabularClassification()
    network, metrics, data = trained(task, "sklearn:breast_cancer", tmp_path)
    assert network.task == data.task == TabularClassification(30, 2)
    assert metrics[-1]["accuracy"] > 85
    assert len(network.preparation["numbers"]) == 30
    network.save(tmp_path / "kept")
    loaded = TrainedNetwork.load(tmp_path / "kept", network.space)
    x = torch.randn(4, 30)
    torch.testing.assert_close(loaded.network(x), network.network(x), rtol=0, atol=0)
    assert (loaded.task, loaded.preparation["classes"]) == (network.task, ["0", "1"])


def test_numbers_are_told_in_their_own_unit(houses: Path, tmp_path: Path) -> None:
    network, metrics, data = trained(
        TabularRegression(), houses, tmp_path, epochs=30, target="price"
    )
    assert network.task == TabularRegression(features=3), "a number, and two towns"
    first, last = metrics[0], metrics[-1]
    assert last["rmse"] < first["rmse"]
    assert last["r2"] > 0.6
    spread = np.std(data.held_out.targets) * data.scale[1]
    assert last["rmse"] == pytest.approx(spread * (1 - last["r2"]) ** 0.5, rel=1e-3)
    assert data.preparation["categories"] == {"town": ("east", "west")}


def test_texts_are_told_apart_and_exported_with_any_length(reviews: Path, tmp_path: Path) -> None:
    task = TextClassification(context=12)
    network, metrics, data = trained(task, reviews, tmp_path, epochs=6)
    assert data.training.inputs.shape == (72, 12)
    assert metrics[-1]["accuracy"] > 90
    path = tmp_path / "texts.onnx"
    assert export_network(network.network, network.task, path) <= 1e-4
    session = onnxruntime.InferenceSession(path)
    assert session.get_inputs()[0].shape == ["batch", "length"]
    (logits,) = session.run(None, {"tokens": np.full((3, 5), 7)})
    assert np.asarray(logits).shape == (3, 2)


def test_byte_pairs_are_learnt_from_the_texts(reviews: Path, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    _, metrics, data = trained(TextClassification(), reviews, tmp_path, tokens="bpe:270")
    assert data.task.vocabulary == 270
    assert data.training.inputs.shape[1] < 16
    tokenizer = tokenizer_from_json(data.preparation)
    assert tokenizer.decode(tokenizer.encode("fine wörk, 3 of 7").tolist()) == "fine wörk, 3 of 7"
    assert metrics[-1]["accuracy"] > 90


def test_a_text_is_modelled_and_resumes_to_the_same_weights(tmp_path: Path) -> None:
    text = tmp_path / "alphabet.txt"
    text.write_text("abcdefgh " * 150)
    task = TextClassification(context=8)
    network, metrics, data = trained(task, text, tmp_path / "once", epochs=4)
    assert isinstance(network.task, LanguageModelling)
    assert metrics[-1]["bits_per_byte"] < metrics[0]["bits_per_byte"] < 8
    assert metrics[-1]["perplexity"] == pytest.approx(
        2 ** (metrics[-1]["bits_per_byte"] * 135 / 134), rel=1e-6
    )
    space, seen = network.space, 0

    def stop(progress: Progress) -> None:
        nonlocal seen
        seen = progress.step
        if progress.step == 15:
            raise KeyboardInterrupt

    settings = usual_settings(data.task, epochs=4, learning_rate=0.02, batch_size=16)
    arguments = (space, network.architecture, data, settings, tmp_path / "stopped")
    (tmp_path / "stopped").mkdir()
    with pytest.raises(KeyboardInterrupt):
        train_architecture(*arguments, report=stop)
    again, _ = train_architecture(*arguments)
    for name, weights in network.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], weights)


def test_numbers_are_told_from_images(tmp_path: Path) -> None:
    from test_architecture_training import write_images

    images = write_images(tmp_path / "images.parquet")
    network, metrics, data = trained(ImageRegression(8), images, tmp_path / "out", epochs=8)
    assert isinstance(network.task, ImageRegression)
    assert data.scale == (pytest.approx(0.5, abs=0.1), pytest.approx(0.5, abs=0.1))
    assert metrics[-1]["rmse"] < metrics[0]["rmse"] < 1


FIT = """
import torch

def fit(module, budget):
    optimiser = torch.optim.SGD(module.parameters(), 0.1)
    x = torch.randn(16, 5)
    for epoch in range(budget):
        loss = (module(x) - 1).square().mean()
        optimiser.zero_grad(); loss.backward(); optimiser.step()
    return {"closeness": -loss.item(), "epochs": budget}

def broken(module, budget):
    raise ValueError("no data today")

def nothing(module, budget):
    return {"other": 1}
"""


def test_ones_own_training_is_given_the_module_and_a_budget(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(FIT)
    task = OwnTask((5,), (2,))
    network, metrics, data = trained(
        task, f"fit:{tmp_path}/own.py:fit:closeness", tmp_path, epochs=7
    )
    assert (data.metric, metrics[-1]["epochs"], network.task) == ("closeness", 7, task)
    for name, message in (("broken", "no data today"), ("nothing", "name the value")):
        with pytest.raises(DiffusionNAGError, match=message):
            trained(task, f"fit:{tmp_path}/own.py:{name}", tmp_path)
    with pytest.raises(DiffusionNAGError, match="is your own"):
        load_data("data.csv", space_for(task))


def test_data_of_another_kind_are_one_line(tmp_path: Path, houses: Path, reviews: Path) -> None:
    (tmp_path / "short.txt").write_text("abc")
    classes, texts = TabularClassification(), TextClassification()
    wrong: list[tuple[Task, object, dict[str, Any], str]] = [
        (classes, "missing.csv", {}, "no file"),
        (classes, "sklearn:mnist", {}, "bundles no 'mnist'"),
        (classes, houses, {"target": "colour"}, "no column 'colour'"),
        (TabularRegression(), houses, {"target": "town"}, "holds texts"),
        (texts, houses, {}, "no column called label"),
        (texts, reviews, {"tokens": "words"}, "no tokens 'words'"),
        (texts, tmp_path / "short.txt", {}, "too short"),
        (texts, reviews, {"subset": 1}, "too few"),
        (texts, reviews, {"resolution": 3}, "no resolution to choose"),
    ]
    for task, data, options, message in wrong:
        with pytest.raises(DiffusionNAGError, match=message):
            load_data(str(data), space_for(task), **options)


# -- the commands ---------------------------------------------------------------------------------


@pytest.fixture
def example(tmp_path: Path) -> str:
    for name in ("tabular_mlp.yaml", "tabular_mlp_networks.py"):
        (tmp_path / name).write_text((EXAMPLES / name).read_text())
    return "tabular_mlp.yaml"


MLP = "standardised|gelu64|gated128|gated128|linear|edge|edge|no_edge"


def test_compare_and_search_go_by_the_metric_of_the_data(
    example: str, tmp_path: Path, run_main: RunCli
) -> None:
    declared = (tmp_path / example).read_text()
    (tmp_path / example).write_text(
        declared.replace("classification", "regression").replace("  classes: 2\n", "")
    )
    objective = "training:sklearn:diabetes,epochs=1,subset=60"
    searched = run_main(
        "search",
        example,
        "--searcher",
        "random",
        "--objective",
        objective,
        "--trials",
        3,
        "--out",
        "searched.jsonl",
    )
    assert searched.returncode == 0, searched.stderr
    records = [json.loads(line) for line in (tmp_path / "searched.jsonl").read_text().splitlines()]
    values = [record["properties"]["rmse"] for record in records]
    assert values == sorted(values), "less is better, without being told"
    chosen = ("--data", "sklearn:diabetes", "--epochs", 1, "--top", 2, "--seeds", 1)
    compared = run_main(
        "compare", example, *chosen, "--groups", "searched.jsonl", "--out", "compared"
    )
    assert compared.returncode == 0, compared.stderr
    assert "rmse on 44 held-out rows" in compared.stdout


def test_a_network_that_returns_another_shape_is_one_line(
    example: str, tmp_path: Path, run_main: RunCli
) -> None:
    networks = tmp_path / "tabular_mlp_networks.py"
    networks.write_text(
        networks.read_text().replace("task.features, task.outputs", "task.features, 7")
    )
    command = ("train", example, MLP, "--data", "sklearn:wine", "--out", "out")
    assert_fails(run_main(*command), 2, "returns [2, 7] for 2 inputs; it should be [2, 3]")
