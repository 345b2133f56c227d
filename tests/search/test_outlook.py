"""What a search says at its end: its best by all that was measured, and whether better is left."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCli, assert_fails

from diffusionnag import Architecture, DiffusionNAGError, get_search_space
from diffusionnag.search import DiffusionNAGSampler, SearchResult, search

SPACE = get_search_space("nasbench201")
LIKELY = 0.05


def convolutions(architecture: Architecture) -> float:
    """Return how many operations of a cell are convolutions, the large ones counting more."""
    names = SPACE.operation_names(architecture)
    return names.count("nor_conv_3x3") + 0.5 * names.count("nor_conv_1x1")


def searched(storage: str | None = None, *, trials: int = 120, workers: int = 1) -> SearchResult:
    return search(
        SPACE,
        evaluate=convolutions,
        trials=trials,
        until_improbable=LIKELY,
        storage=storage,
        workers=workers,
        strategy="mutation",
    )


def test_it_ends_when_nothing_better_is_likely_and_may_be_resumed(tmp_path: Path) -> None:
    storage = f"journal:{tmp_path}/study.log"
    result = searched(storage)
    assert result.exhausted
    assert result.values.max() == 6
    assert result.outlook is not None
    assert result.outlook.chance_of_better < 2 * LIKELY
    assert result.outlook.architecture == result.architectures[result.best[0]]
    assert result.outlook.mean == pytest.approx(6, abs=0.5)
    again = searched(storage)
    assert again.exhausted
    assert again.architectures[: len(result.measured)] == result.architectures


def test_workers_end_by_it_too(tmp_path: Path) -> None:
    result = searched(workers=2)
    assert result.exhausted
    assert result.values.max() == 6


def test_until_then_it_proposes_what_it_would_propose_anyway() -> None:
    usual = search(SPACE, evaluate=convolutions, trials=12, strategy="mutation")
    assert searched(trials=12).architectures == usual.architectures


@pytest.mark.parametrize("sign", [1, -1])
def test_the_chance_falls_and_the_best_is_in_the_unit_of_the_objective(sign: int) -> None:
    def value(architecture: Architecture) -> float:
        return 100 + sign * convolutions(architecture)

    first, last = (
        search(SPACE, evaluate=value, trials=trials, minimize=sign < 0, strategy="mutation").outlook
        for trials in (6, 40)
    )
    assert first is not None
    assert last is not None
    assert first.chance_of_better > 0.5 > last.chance_of_better
    assert last.mean == pytest.approx(100 + sign * 6, abs=0.5)
    assert 0 <= last.deviation < first.deviation


def test_of_noisy_values_it_names_one_that_is_truly_better_than_the_highest() -> None:
    gained = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        result = search(
            SPACE,
            evaluate=lambda cell, rng=rng: convolutions(cell) + 1.5 * rng.normal(),
            trials=25,
            strategy="random",
            seed=seed,
        )
        assert result.outlook is not None
        highest = result.architectures[result.best[0]]
        gained.append(convolutions(result.outlook.architecture) - convolutions(highest))
    assert np.mean(gained) > 0


def test_there_is_none_of_few_measurements_several_objectives_and_other_searchers() -> None:
    assert search(SPACE, evaluate=convolutions, trials=4).outlook is None
    assert search(SPACE, evaluate=convolutions, trials=8, searcher="rea").outlook is None
    both = search(
        SPACE,
        ["some", "others"],
        evaluate=lambda cell: {"some": convolutions(cell), "others": -convolutions(cell)},
        trials=6,
    )
    assert both.outlook is None


@pytest.mark.parametrize("chance", [0.0, 1.0, -0.1, math.nan])
def test_a_chance_lies_between_0_and_1(chance: float) -> None:
    with pytest.raises(DiffusionNAGError, match="between 0 and 1"):
        DiffusionNAGSampler(SPACE, strategy="mutation", until_improbable=chance)


def test_the_command_says_it_in_two_lines(run_main: RunCli, tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(
        "def count(cell):\n    return float(sum(1 for each in cell.operations if each == 3))\n"
    )
    options = ("search", "nasbench201", "--objective", "python:count.py:count")
    own = ("--strategy", "mutation", "--until-improbable", 0.1)
    result = run_main(*options, "--trials", 100, *own)
    assert result.returncode == 0, result.stderr
    assert "it is improbable that something better is left" in result.stderr
    assert "best by what all measurements tell: the same" in result.stdout
    assert "chance that a better one is left: " in result.stdout
    refused = run_main(*options, "--trials", 10, "--until-improbable", 0.1, "--searcher", "rea")
    assert_fails(refused, 2, "has no option until-improbable")
    several = ("--objective", "python:count.py:count", "--objective", "params=min")
    assert_fails(run_main(*options[:2], *several, *own), 2, "is for one objective")
