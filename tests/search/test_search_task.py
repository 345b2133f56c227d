"""A search as one call: what the command does, from Python and notebooks."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCli

import diffusionnag
from diffusionnag import (
    AnalyticProperty,
    Architecture,
    DiffusionNAGError,
    PropertyPredictor,
    SearchSpace,
    get_search_space,
    limit,
)
from diffusionnag.cli.search import search as command
from diffusionnag.search import Measured, Proposer, SearchResult, SearchTask, search

SPACE = get_search_space("nasbench201")
pytestmark = pytest.mark.usefixtures("few_candidates")


def convolutions(architecture: Architecture) -> dict[str, float]:
    """Return how many operations of two kinds a cell has."""
    names = SPACE.operation_names(architecture)
    return {"convolutions": names.count("nor_conv_3x3"), "pools": names.count("avg_pool_3x3")}


def test_one_call_does_what_the_command_does(run_main: RunCli, tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(
        "def count(architecture):\n    return float(sum(architecture.operations))\n"
    )
    options = ("--objective", "python:count.py:count", "--trials", 8, "--seed", 3)
    options += ("--strategy", "mutation", "--out", "command.jsonl")
    printed = run_main("search", "nasbench201", *options)
    assert printed.returncode == 0, printed.stderr
    result = diffusionnag.search(
        "nasbench201", "python:count.py:count", trials=8, strategy="mutation", seed=3
    )
    result.save(tmp_path / "call.jsonl")
    written = [(tmp_path / f"{name}.jsonl").read_text() for name in ("command", "call")]
    assert written[0] == written[1]
    assert json.loads((tmp_path / "call.run.json").read_text())["goals"] == {"count": 1}


def test_every_field_of_a_task_is_an_option_of_the_command() -> None:
    options = set(inspect.signature(command).parameters) - {"top", "out", "plot"}
    assert options == {field.name for field in dataclasses.fields(SearchTask)}


@pytest.fixture(scope="module")
def front() -> SearchResult:
    return search(
        SPACE,
        ["convolutions", "pools"],
        evaluate=convolutions,
        constraints=["pools<=3"],
        limits=[limit(AnalyticProperty(SPACE, "params"), at_most=1.0)],
        cost="pools",
        searcher="diffusionnag",
        strategy="mutation+random",
        trials=14,
    )


def test_a_function_measures_several_objectives_within_limits(front: SearchResult) -> None:
    assert len(front.measured) == len(set(front.architectures)) == 14
    sizes = [
        SPACE.analytic_properties(architecture)["params"] for architecture in front.architectures
    ]
    assert max(sizes) <= 1
    measured = [convolutions(architecture) for architecture in front.architectures]
    np.testing.assert_array_equal(front.values, [[*values.values()] for values in measured])
    assert front.cost == sum(values["pools"] for values in measured)
    assert front.allowed.tolist() == [values["pools"] <= 3 for values in measured]
    best = front.values[front.best]
    for values in front.values[front.allowed]:
        assert not ((values >= best).all(1) & (values > best).any(1)).all()
    assert front.hypervolume > 0
    assert (front.failed, front.pruned, front.exhausted) == (0, 0, False)


def test_a_result_is_shown_in_notebooks(front: SearchResult) -> None:
    table = front.to_pandas()
    assert len(table) == 14
    assert {"architecture", "convolutions", "pools", "params", "trial", "allowed"} <= {*table}
    first = table.to_dict("records")[0]
    assert SPACE.parse(first["architecture"]) == front.architectures[first["trial"]]
    shown = front._repr_html_()
    assert shown.count("<tr>") == 1 + min(10, len(front.best))
    assert "<th>convolutions</th>" in shown


def test_progress_is_reported_after_each_trial() -> None:
    counts: list[int] = []
    search(
        SPACE,
        evaluate=lambda architecture: 1.0,
        trials=4,
        searcher="random",
        report=lambda result: counts.append(len(result.finished)),
    )
    assert counts == [0, 1, 2, 3, 4]


def test_what_cannot_be_pickled_is_refused_for_several_workers() -> None:
    with pytest.raises(DiffusionNAGError, match="must be picklable"):
        search(SPACE, evaluate=lambda architecture: 1.0, trials=4, workers=2)


@pytest.mark.parametrize("objectives", [("convolutions",), ("convolutions", "pools")])
def test_a_long_study_is_learnt_from_as_much_as_a_shorter_one(objectives: tuple[str, ...]) -> None:
    cells = list(dict.fromkeys(SPACE.sample(700, 0)))
    counts = [tuple(convolutions(cell)[name] for name in objectives) for cell in cells]
    measured = [Measured(cell, values) for cell, values in zip(cells, counts, strict=True)]
    fitted: list[int] = []

    class Counted(PropertyPredictor):
        def fit(self, architectures, values, **options):  # type: ignore[override]
            fitted.append(len(architectures))
            return super().fit(architectures, values, **options)

    def surrogate(space: SearchSpace) -> PropertyPredictor:
        return Counted(space, "measured", model="gaussian_process")

    proposer = Proposer(SPACE, strategy="mutation", surrogate=surrogate)
    proposed = proposer.propose(measured, set(cells), np.random.default_rng(0))
    assert fitted == [200] * len(objectives)
    assert proposed not in cells
    assert len(objectives) > 1 or convolutions(proposed)["convolutions"] >= 3
