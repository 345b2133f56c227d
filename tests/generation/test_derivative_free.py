"""Guidance by a black box: what it raises, what it asks, and what it refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from diffusionnag import (
    Architecture,
    DiffusionNAGError,
    Generator,
    PropertyPredictor,
    get_search_space,
)
from diffusionnag.generation.derivative_free import sample_derivative_free
from diffusionnag.generation.sampling import Sampling

SPACE = get_search_space("nasbench201")
MIRRORED = ((1, 6), (2, 5), (3, 4))

SEEDED = Sampling(seed=1)


def convolutions(architectures: Sequence[Architecture]) -> list[float]:
    return [
        SPACE.operation_names(architecture).count("nor_conv_3x3") for architecture in architectures
    ]


def symmetry(architectures: Sequence[Architecture]) -> list[float]:
    """How many pairs of edges agree, of which no edge alone knows anything."""
    return [
        sum(architecture.operations[i] == architecture.operations[j] for i, j in MIRRORED)
        for architecture in architectures
    ]


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator.from_pretrained("nasbench201")


@pytest.fixture(scope="module")
def unguided(generator: Generator) -> list[Architecture]:
    return generator.sample(256, sampling=SEEDED).architectures


@pytest.mark.parametrize(("fitness", "gain"), [(convolutions, 1.5), (symmetry, 1.0)])
def test_a_black_box_is_raised_and_lowered(
    generator: Generator,
    unguided: list[Architecture],
    fitness: Callable[[Sequence[Architecture]], list[float]],
    gain: float,
) -> None:
    middle = np.mean(fitness(unguided))
    high = sample_derivative_free(generator, 256, fitness, sampling=SEEDED)
    assert len(high.architectures) == 256
    assert all(map(SPACE.is_valid, high.architectures))
    assert high.details.fitness == fitness(high.architectures)
    assert np.mean(high.details.fitness) > middle + gain
    low = sample_derivative_free(generator, 256, fitness, scale=-4.0, sampling=SEEDED)
    assert np.mean(low.details.fitness) < 0.5 * middle


def test_larger_spaces_are_guided_too() -> None:
    generator = Generator.from_pretrained("mobilenetv3")
    space = generator.search_space

    def params(architectures: Sequence[Architecture]) -> list[float]:
        return [space.analytic_properties(architecture)["params"] for architecture in architectures]

    free = params(generator.sample(256, sampling=SEEDED))
    samples = sample_derivative_free(generator, 256, params, sampling=SEEDED)
    assert np.mean(samples.details.fitness) > np.mean(free) + 1.5 * np.std(free)
    assert all(map(space.is_valid, samples.architectures))
    assert len(set(samples.architectures)) > 200


def test_nothing_is_asked_twice(generator: Generator) -> None:
    asked: Counter[Architecture] = Counter()

    def counted(architectures: Sequence[Architecture]) -> list[float]:
        asked.update(architectures)
        return convolutions(architectures)

    samples = sample_derivative_free(
        generator, 100, counted, population=64, sampling=Sampling(steps=8)
    )
    assert len(samples.architectures) == 100
    assert set(asked.values()) == {1}
    assert dict(zip(asked, convolutions(list(asked)), strict=True)) == samples.details.asked
    assert set(samples.architectures) <= set(asked)
    assert all(map(SPACE.is_valid, asked))
    assert len(asked) <= 100 * 9


def test_without_scale_or_differences_it_samples_freely(generator: Generator) -> None:
    free = generator.sample(256, sampling=replace(SEEDED, solver="ancestral"))
    for fitness, scale in (
        (convolutions, 0.0),
        (lambda architectures: [7] * len(architectures), 4.0),
    ):
        guided = sample_derivative_free(generator, 256, fitness, scale=scale, sampling=SEEDED)
        assert np.mean([a == b for a, b in zip(guided, free, strict=True)]) > 0.97


def test_a_seed_decides_the_architectures(generator: Generator) -> None:
    first, again, other = (
        sample_derivative_free(
            generator, 32, convolutions, population=32, sampling=Sampling(seed=seed)
        )
        for seed in (5, 5, 6)
    )
    assert first == again
    assert first.architectures != other.architectures


def failing(architectures: Sequence[Architecture]) -> list[float]:
    raise ValueError("the board\ndoes not answer")


@pytest.mark.parametrize(
    ("fitness", "message"),
    [
        (failing, "the fitness function failed with ValueError: the board does not answer"),
        (lambda architectures: [float("nan")] * len(architectures), r"the fitness of \|.* is nan"),
        (lambda architectures: [-np.inf] * len(architectures), "is -inf; return a finite number"),
        (lambda architectures: [1.0], r"shape \(1,\) for \d+ architectures; one number for each"),
        (lambda architectures: 1.0, r"shape \(\) for"),
        (lambda architectures: ["good"] * len(architectures), "failed with ValueError"),
        (lambda architectures: None, r"shape \(\) for"),
    ],
)
def test_a_wrong_function_is_one_line(
    generator: Generator, fitness: Callable[[Sequence[Architecture]], list[float]], message: str
) -> None:
    with pytest.raises(DiffusionNAGError, match=message) as caught:
        sample_derivative_free(generator, 8, fitness, population=8, sampling=Sampling(steps=2))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": 0}, "count is 0"),
        ({"population": 0}, "population is 0"),
        ({"sampling": Sampling(steps=-1)}, "steps is -1"),
        ({"scale": float("nan")}, "the scale is nan"),
        ({"sampling": Sampling(seed=2**80)}, "seed"),
    ],
)
def test_wrong_requests_are_refused(
    generator: Generator, wrong: dict[str, float], message: str
) -> None:
    with pytest.raises(DiffusionNAGError, match=message):
        sample_derivative_free(generator, fitness=convolutions, **({"count": 4} | wrong))  # pyright: ignore[reportArgumentType]


def test_a_predictor_that_was_a_fitness_guides_afterwards(generator: Generator) -> None:
    space = generator.search_space
    cells = list(dict.fromkeys(space.sample(20, 0)))
    counts = [space.operation_names(cell).count("none") for cell in cells]
    predictor = PropertyPredictor(space, "gaps").fit(cells, counts)

    def fitness(architectures: Sequence[Architecture]) -> list[float]:
        return predictor.normal_score(architectures).tolist()

    sample_derivative_free(generator, 4, fitness, population=4, sampling=Sampling(steps=2))
    assert len(generator.sample(4, guide=predictor, sampling=Sampling(steps=2))) == 4
