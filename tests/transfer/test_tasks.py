"""Transfer between tasks with tables: likenesses that are learnt, and what measurements change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RunCli, assert_fails

from diffusionnag import DiffusionNAGError, get_search_space
from diffusionnag.predictors import spearman
from diffusionnag.tables import Table
from diffusionnag.tables.table import write_table
from diffusionnag.transfer import TaskTransfer, learn_tasks

SPACE = get_search_space("transnas")
CELLS = list(SPACE.enumerate())
TEXTS = list(map(SPACE.format, CELLS))


def quality(operation: str, noise: float = 0.05, seed: int = 0) -> np.ndarray:
    """Return how often each cell has an operation, and some noise, `4096`."""
    counts = np.array([SPACE.operation_names(cell).count(operation) for cell in CELLS])
    return counts + noise * np.random.default_rng(seed).normal(size=len(CELLS))


CONVOLUTIONS = [quality("nor_conv_3x3", seed=seed) for seed in range(3)]
SKIPS = [quality("skip_connect", seed=seed) for seed in range(3, 5)]
LABELLED = np.random.default_rng(0).permutation(len(CELLS))[:60]


@pytest.fixture(scope="module")
def learnt() -> TaskTransfer:
    """Five known tasks: three that like convolutions and two that like skip connections."""
    values = np.stack([*CONVOLUTIONS, *SKIPS], axis=1)[LABELLED]
    return TaskTransfer.learn(SPACE, [CELLS[row] for row in LABELLED], values)


def measured(values: np.ndarray, count: int) -> tuple[list, np.ndarray]:
    rows = np.random.default_rng(1).permutation(len(CELLS))[:count]
    return [CELLS[row] for row in rows], values[rows]


def test_a_few_measurements_tell_which_tasks_are_alike(learnt: TaskTransfer) -> None:
    assert np.allclose(learnt.task_weights(), learnt.similarity.mean / 5)
    skips, convolutions = slice(3, 5), slice(3)
    for values, alike, other in (
        (quality("skip_connect", seed=8), skips, convolutions),
        (quality("nor_conv_3x3", seed=8), convolutions, skips),
    ):
        given = learnt.given(*measured(values, 6))
        before, after = (
            spearman(process.normal_score(CELLS), values) for process in (learnt, given)
        )
        assert after > max(before, 0.9)
        weights = given.task_weights()
        assert weights[alike].sum() > 0.7 > 0.3 > weights[other].sum()


def test_tasks_whose_best_cells_differ_get_different_proposals(learnt: TaskTransfer) -> None:
    best = []
    for operation in ("skip_connect", "nor_conv_3x3"):
        given = learnt.given(*measured(quality(operation, seed=9), 6))
        best.append(CELLS[int(given.normal_score(CELLS).argmax())])
        assert SPACE.operation_names(best[-1]).count(operation) >= 4
    assert best[0] != best[1]


def test_units_do_not_count_and_predictions_are_in_that_of_the_measurements(
    learnt: TaskTransfer,
) -> None:
    cells, values = measured(quality("skip_connect", seed=8), 20)
    given, scaled = learnt.given(cells, values), learnt.given(cells, 1000 * values - 7)
    assert np.allclose(given.normal_score(CELLS[:50]), scaled.normal_score(CELLS[:50]))
    mean, std = given.predict(cells)
    assert np.abs(mean - values).mean() < 0.5
    assert (std > 0).all()
    assert given.to_standard(values.max()) > given.to_standard(values.min())
    # Values that are all the same say nothing, and so does no value at all.
    for nothing in (learnt.given(cells, np.ones(20)), learnt.given([], np.array([]))):
        assert np.array_equal(nothing.normal_score(CELLS[:50]), learnt.normal_score(CELLS[:50]))


def test_values_that_cannot_be_learnt_are_one_line(learnt: TaskTransfer) -> None:
    cells = [CELLS[row] for row in LABELLED[:20]]
    values = np.stack([CONVOLUTIONS[0], SKIPS[0]], axis=1)[LABELLED[:20]]
    unfinished, level = values.copy(), values.copy()
    unfinished[7, 1] = np.nan
    level[:, 0] = 3.0
    with pytest.raises(DiffusionNAGError, match="architecture 7 has a value that is not finite"):
        TaskTransfer.learn(SPACE, cells, unfinished)
    with pytest.raises(DiffusionNAGError, match="architecture 7 has a value that is not finite"):
        learnt.given(cells, unfinished[:, 1])
    with pytest.raises(DiffusionNAGError, match="task 0 cannot be learnt: all 20 values are 3"):
        TaskTransfer.learn(SPACE, cells, level)
    with pytest.raises(DiffusionNAGError, match="20 architectures and values of 19"):
        learnt.given(cells, values[:19, 0])


def test_it_guides_by_a_gradient(learnt: TaskTransfer) -> None:
    given = learnt.given(*measured(quality("skip_connect"), 6))
    x = torch.from_numpy(SPACE.encode(CELLS[:3])).requires_grad_()
    given.standardised(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_tables_are_read_and_what_is_missing_is_told(tmp_path: Path, run_main: RunCli) -> None:
    rows = LABELLED[:30]
    texts = tuple(TEXTS[row] for row in rows)
    columns = {"a": CONVOLUTIONS[0][rows], "b": SKIPS[0][rows], "c": SKIPS[1][rows]}
    write_table(Table("known", texts, columns), tmp_path / "known.parquet")
    write_table(Table("new", texts[:6], {"d": SKIPS[0][rows][:6]}), tmp_path / "new.parquet")
    known = [f"{tmp_path / 'known.parquet'}:{name}" for name in columns]
    learnt = learn_tasks(SPACE, known, str(tmp_path / "new.parquet"))
    assert (learnt.labelled, learnt.measured) == (30, 6)
    assert "how much each counts" in learnt.describe()[1]
    with pytest.raises(DiffusionNAGError, match="at least 2 different known tasks"):
        learn_tasks(SPACE, [known[0], known[0]])
    with pytest.raises(DiffusionNAGError, match="names no column"):
        learn_tasks(SPACE, known, str(tmp_path / "known.parquet"))
    wanted = [
        "transfer",
        "transnas",
        "-n",
        4,
        *(part for text in known for part in ("--from", text)),
    ]
    result = run_main(*wanted, "--measured", tmp_path / "new.parquet", "--out", tmp_path / "a.csv")
    assert result.returncode == 0, result.stderr
    assert "30 architectures of each of 3 known tasks and 6 of the new one" in result.stderr
    assert_fails(run_main("transfer", "transnas"), 2, "--data IMAGES, or --from TABLE:COLUMN")
    assert_fails(
        run_main(*wanted, "--encoder", "x"), 2, "--predictor, --encoder and --no-proxies belong to"
    )
