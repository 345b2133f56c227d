"""A search that starts from what is known of another property."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import optuna
import pytest
import torch
from conftest import RunCli, assert_fails
from torch import Tensor

from diffusionnag import (
    Architecture,
    DiffusionNAGError,
    Generator,
    PropertyPredictor,
    SearchSpace,
    get_search_space,
)
from diffusionnag.guidance import AnalyticProperty, Property, limit
from diffusionnag.predictors import spearman
from diffusionnag.search import DiffusionNAGSampler, MeasurementError, optuna_objective
from diffusionnag.search.proposers import informed_process
from diffusionnag.search.sampler import WARM_UP
from diffusionnag.transfer.predictor import is_dataset_aware

SPACE = get_search_space("nasbench201")
PARAMS = AnalyticProperty(SPACE, "params")

pytestmark = pytest.mark.usefixtures("few_candidates")
optuna.logging.set_verbosity(optuna.logging.ERROR)


def params(architecture: Architecture) -> float:
    return SPACE.analytic_properties(architecture)["params"]


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator.from_pretrained("nasbench201")


@pytest.fixture(scope="module")
def predictor() -> PropertyPredictor:
    """A predictor of how many 3x3 convolutions a cell has, from 40 cells."""
    cells = list(dict.fromkeys(SPACE.sample(40, seed=0)))
    counts = [SPACE.operation_names(cell).count("nor_conv_3x3") for cell in cells]
    return PropertyPredictor(SPACE, "convolutions").fit(cells, counts)


class Hashed(Property):
    """A property that knows the value of each cell, and has nothing to do with its operations."""

    def __init__(self, search_space: SearchSpace, values: dict[Architecture, float]) -> None:
        self.search_space, self.property_name, self.values = search_space, "hashed", values

    def distribution(self, x: Tensor, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
        cells = self.search_space.decode(x.numpy())
        mean = torch.tensor([self.values[cell] for cell in cells])
        return mean, torch.zeros_like(mean)

    def to_standard(self, value: float) -> float:
        return value

    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        mean = np.array([self.values[cell] for cell in architectures])
        return mean, np.zeros_like(mean)


def warmed_up(
    sampler: DiffusionNAGSampler,
    *,
    direction: Literal["maximize", "minimize"] = "maximize",
    failing: Sequence[int] = (),
) -> list[Architecture]:
    study = optuna.create_study(sampler=sampler, direction=direction)
    architectures: list[Architecture] = []

    def measure(architecture: Architecture) -> float:
        architectures.append(architecture)
        if len(architectures) in failing:
            raise MeasurementError("it did not train")
        return params(architecture)

    objective = optuna_objective(SPACE, measure)
    study.optimize(objective, WARM_UP + len(failing), catch=(MeasurementError,))
    return architectures


def test_the_best_predicted_alternate_with_others(
    generator: Generator, predictor: PropertyPredictor
) -> None:
    architectures = warmed_up(DiffusionNAGSampler(SPACE, generator=generator, start_from=predictor))
    predicted = predictor.predict(architectures)[0]
    assert len(set(architectures)) == WARM_UP
    assert (np.diff(predicted[::2]) <= 0).all()
    everything = predictor.predict(SPACE.sample(2_000, seed=1))[0]
    assert predicted[::2].min() > np.quantile(everything, 0.95) > predicted[1::2].min()


def test_less_is_predicted_where_less_is_better(generator: Generator) -> None:
    sampler = DiffusionNAGSampler(SPACE, generator=generator, start_from=PARAMS)
    smallest = warmed_up(sampler, direction="minimize")[::2]
    sizes = [params(architecture) for architecture in smallest]
    assert sizes == sorted(sizes)
    assert max(sizes) < np.quantile(
        [params(architecture) for architecture in SPACE.sample(500, seed=0)], 0.1
    )


def test_limits_are_kept_from_the_first_measurement(
    generator: Generator, predictor: PropertyPredictor
) -> None:
    sampler = DiffusionNAGSampler(
        SPACE, generator=generator, start_from=predictor, limits=[limit(PARAMS, at_most=0.6)]
    )
    assert max(params(architecture) for architecture in warmed_up(sampler)) <= 0.6


def test_the_next_best_takes_the_place_of_what_failed(
    generator: Generator, predictor: PropertyPredictor
) -> None:
    sampler = DiffusionNAGSampler(SPACE, generator=generator, start_from=predictor)
    smooth, bumpy = warmed_up(sampler), warmed_up(sampler, failing=(1, 3))
    assert bumpy[:WARM_UP] == smooth
    assert len(set(bumpy)) == WARM_UP + 2
    assert (np.diff(predictor.predict(bumpy[::2])[0]) <= 0).all()


def test_nothing_to_start_from_may_be_said(generator: Generator) -> None:
    for nothing in (None, ()):
        sampler = DiffusionNAGSampler(SPACE, generator=generator, start_from=nothing)
        assert sampler.warm_up == 5
    assert is_dataset_aware("nasbench201")
    assert not is_dataset_aware("cifar10")


def test_a_property_of_another_space_is_refused(generator: Generator) -> None:
    other = AnalyticProperty(get_search_space("mobilenetv3"), "params")
    with pytest.raises(DiffusionNAGError, match="mobilenetv3"):
        DiffusionNAGSampler(SPACE, generator=generator, start_from=other)


def test_a_search_starts_from_a_shipped_predictor_or_a_folder(
    run_main: RunCli, tmp_path: Path, predictor: PropertyPredictor
) -> None:
    predictor.save_pretrained(tmp_path / "convolutions")
    (tmp_path / "count.py").write_text(
        "def count(architecture):\n    return float(architecture.operations.count(4))\n"
    )
    best = {}
    for start in ("convolutions", "cifar10"):
        options = ("--objective", "python:count.py:count", "--trials", WARM_UP)
        result = run_main("search", "nasbench201", *options, "--start-from", start)
        assert result.returncode == 0, result.stderr
        best[start] = float(result.stdout.rpartition("best: ")[2].partition(",")[0])
    assert best["convolutions"] >= 5
    assert best["cifar10"] >= 3


@pytest.mark.parametrize("sign", [1, -1])
def test_how_a_property_counts_is_learnt(sign: int) -> None:
    cells = list(dict.fromkeys(SPACE.sample(400, seed=0)))
    known, others = cells[:16], cells[16:]
    rng = np.random.default_rng(0)
    values = dict(zip(cells, rng.normal(size=len(cells)), strict=True))
    prior = Hashed(SPACE, values)
    # In another unit, with the opposite sign even: nothing but the property tells the others apart.
    measured = np.array([70 + 5 * sign * values[cell] for cell in cells])
    surrogate = informed_process(SPACE, [PARAMS, prior]).fit(known, measured[:16], seed=0)
    with torch.no_grad():
        mean, std = surrogate.distribution(torch.from_numpy(SPACE.encode(others)))
    assert (std > 0).all()
    assert spearman(mean.double().numpy(), measured[16:]) > 0.8


@pytest.mark.parametrize("seed", range(5))
def test_the_best_may_have_a_middling_value_of_a_property(seed: int) -> None:
    cells = list(dict.fromkeys(SPACE.sample(400, seed=0)))
    rng = np.random.default_rng(seed)
    prior = Hashed(SPACE, dict(zip(cells, rng.normal(size=len(cells)), strict=True)))
    distances = np.array([abs(prior.values[cell] - 0.7) for cell in cells])
    surrogate = informed_process(SPACE, [prior]).fit(cells[:16], -distances[:16], seed=0)
    with torch.no_grad():
        mean, _ = surrogate.distribution(torch.from_numpy(SPACE.encode(cells[16:])))
    # Not those of the highest value, which are the furthest away.
    assert distances[16:][mean.numpy().argsort()[-10:]].mean() < 0.2


class SumOf(Hashed):
    """The sum of two such properties, which are told one by one."""

    def __init__(self, first: Hashed, second: Hashed) -> None:
        pairs = first.values.items()
        super().__init__(
            first.search_space, {cell: value + second.values[cell] for cell, value in pairs}
        )
        self.summed = (first, second)

    @property
    def aspect_names(self) -> Sequence[str]:
        return ("first", "second")

    def aspects(self, x: Tensor) -> Tensor:
        return torch.stack([each.standardised(x) for each in self.summed], dim=1)


def test_how_each_aspect_of_a_property_counts_is_learnt() -> None:
    cells = list(dict.fromkeys(SPACE.sample(400, seed=0)))
    known, others = cells[:20], cells[20:]
    rng = np.random.default_rng(0)
    first, second = (
        Hashed(SPACE, dict(zip(cells, rng.normal(size=len(cells)), strict=True))) for _ in range(2)
    )
    # The sum says nothing of the difference.
    measured = np.array([first.values[cell] - second.values[cell] for cell in cells])
    agreement = {}
    for prior in (SumOf(first, second), Hashed(SPACE, SumOf(first, second).values)):
        surrogate = informed_process(SPACE, [prior]).fit(known, measured[:20], seed=0)
        with torch.no_grad():
            mean, _ = surrogate.distribution(torch.from_numpy(SPACE.encode(others)))
        agreement[type(prior)] = spearman(mean.double().numpy(), measured[20:])
    assert agreement[SumOf] > 0.8
    assert abs(agreement[Hashed]) < 0.3


WRONG = {
    "name": ("--start-from cifar11", "cifar10"),
    "searcher": ("--start-from cifar10 --searcher rea", "rea has no option start-from"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_start_that_cannot_be_is_one_line(run_main: RunCli, tmp_path: Path, case: str) -> None:
    (tmp_path / "count.py").write_text("def count(architecture):\n    return 1.0\n")
    options, message = WRONG[case]
    objective = ("--objective", "python:count.py:count")
    assert_fails(run_main("search", "nasbench201", *objective, *options.split()), 2, message)
