"""Ways to look for the best architectures, given the same time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch

from diffusionnag.diffusion.guided import guided
from diffusionnag.diffusion.solvers import ancestral, get_solver, time_grid
from diffusionnag.generation import Generator, Sampling
from diffusionnag.generation._moves import promising_moves
from diffusionnag.generation._objective import Objective, Pool
from diffusionnag.guidance import Guidance
from diffusionnag.guidance.properties import GUIDANCE_SCALE
from diffusionnag.guidance.terms import Sum
from diffusionnag.spaces.search_space import operation_indices
from experiments.guidance.best import Case, cases
from experiments.result_table import ResultTable

SECONDS = 0.4
"""Of computing in one thread, for each run."""
SPACES = ("mnasnet", "mobilenetv3")
QUANTILE = 0.3
SEEDS = range(3)
COUNT = 10
DRAWN = 1_000
ELITE = 32
SIGMA = 0.6
"""Noise that lets a few operations change."""


@dataclass(frozen=True)
class Search:
    """What a way of searching works with."""

    generator: Generator
    guide: Guidance
    pool: Pool
    rng: np.random.Generator
    seed: int

    def elite(self) -> np.ndarray:
        """Return the best architectures so far, `32 x N` indices."""
        return self.pool.operations[self.pool.best(ELITE)].astype(np.int64)


def draws(search: Search) -> Iterator[np.ndarray]:
    """Yield uniform draws."""
    while True:
        yield search.pool.objective.space.sample_operations(DRAWN, search.rng)


def guided_samples(search: Search) -> Iterator[np.ndarray]:
    """Yield what the generator draws under guidance."""
    sampling = Sampling(seed=search.seed)
    space = search.generator.search_space
    batches = search.generator.estimates(guide=search.guide, sampling=sampling, batch=64)
    for estimates in batches:
        drawn = [
            architecture for architecture in space.decode(estimates) if space.is_valid(architecture)
        ]
        yield operation_indices(drawn, len(space.nodes))


def renoised(search: Search) -> Iterator[np.ndarray]:
    """Yield the elite noised to sigma 0.6 and denoised under guidance: diffusion's mutation."""
    yield next(draws(search))
    denoiser, space = search.generator.denoiser, search.generator.search_space
    rng = torch.Generator().manual_seed(search.seed)

    def randn(like: torch.Tensor) -> torch.Tensor:
        return torch.randn(like.shape, generator=rng)

    times = time_grid(denoiser.sde, 8, get_solver("ancestral").spacing)
    times = times[denoiser.sde.sigma(times) <= SIGMA]
    while True:
        x = torch.from_numpy(np.eye(len(space.operations), dtype=np.float32)[search.elite()])
        x = denoiser.sde.scale(times[0]) * (x + denoiser.sde.sigma(times[0]) * randn(x))
        with torch.no_grad():
            estimates = ancestral(guided(denoiser, search.guide), x, denoiser.sde, times, randn)
        drawn = [
            architecture
            for architecture in space.decode(estimates.numpy())
            if space.is_valid(architecture)
        ]
        yield operation_indices(drawn, len(space.nodes))


def mutants(search: Search) -> Iterator[np.ndarray]:
    """Yield the elite with one node changed at random."""
    yield next(draws(search))
    space = search.pool.objective.space
    free, numbers = np.flatnonzero(space.allowed.sum(1) > 1), space.allowed.sum(1)
    options = np.argsort(~space.allowed, axis=1, kind="stable")
    while True:
        made = search.elite()[search.rng.integers(ELITE, size=400)]
        nodes = search.rng.choice(free, size=len(made))
        made[np.arange(len(made)), nodes] = options[nodes, search.rng.integers(numbers[nodes])]
        yield made


def every_change(search: Search) -> Iterator[np.ndarray]:
    """Yield all single changes of the best that was not yet changed: hill climbing."""
    yield next(draws(search))
    space, done = search.pool.objective.space, set[int]()
    while rows := [row for row in search.pool.best(ELITE).tolist() if row not in done]:
        done.update(rows)
        around = (space.changes(search.pool.operations[row].tolist()) for row in rows)
        yield np.array(list(chain.from_iterable(around)))


def moves(search: Search) -> Iterator[np.ndarray]:
    """Yield changes of one node or two that the gradients promise most from."""
    yield next(draws(search))
    yield from _moves(search)


def moves_of_guided(search: Search) -> Iterator[np.ndarray]:
    """Yield the same, the generator's guided samples being the start."""
    yield next(guided_samples(search))
    yield from _moves(search)


def _moves(search: Search) -> Iterator[np.ndarray]:
    done = set[int]()
    while rows := [row for row in search.pool.best(ELITE).tolist() if row not in done]:
        done.update(rows)
        yield promising_moves(search.pool, np.array(rows), 32)


VARIANTS: dict[str, Callable[[Search], Iterator[np.ndarray]]] = {
    "uniform draws": draws,
    "guided generation": guided_samples,
    "elite noised again, denoised under guidance": renoised,
    "elite mutated (evolution)": mutants,
    "every single change of the elite": every_change,
    "moves that gradients promise (best)": moves,
    "moves from guided generation": moves_of_guided,
}


def best_variants(report: Callable[[str], None]) -> ResultTable:
    """Return the mean guide of ten within limits, by the way of searching, at equal time."""
    runs_of: dict[str, list[np.ndarray]] = {}
    asked = [case for case in cases() if case.space.name in SPACES and case.quantile == QUANTILE]
    for case in asked:
        generator = Generator.from_pretrained(case.space.name)
        for name in VARIANTS:
            report(f"{case.space.name}, {case.kind}: {name}")
            runs = np.array([_run(case, generator, name, seed) for seed in SEEDS])
            runs_of.setdefault(name, []).append(runs.mean(0))
    return ResultTable(
        title=f"Ways to find the best {COUNT}, {SECONDS:g} s of computing each",
        columns=(
            "way",
            *(f"{case.space.name}, {case.kind}" for case in asked),
            "predicted",
        ),
        rows=tuple(
            (
                name,
                *(f"{score:.3f}" if np.isfinite(score) else "-" for score, _ in runs),
                f"{np.mean([predicted for _, predicted in runs]):,.0f}",
            )
            for name, runs in runs_of.items()
        ),
        notes=(
            f"Mean guide of the best {COUNT} within limits at the {100 * QUANTILE:g} % quantile of "
            f"random draws, means over {len(SEEDS)} seeds; `-`: fewer than {COUNT} kept them. "
            "Predicted: how many architectures, on average.",
            f"A run ends after {SECONDS:g} s of its thread, or when it knows nothing new to try. All "
            "but the first two and the last start from 1,000 uniform draws.",
        ),
    )


def _run(case: Case, generator: Generator, name: str, seed: int) -> tuple[float, float]:
    guide = Sum((case.score, *case.limits))
    pool = Pool(Objective(guide, case.space))
    search = Search(generator, guide, pool, np.random.default_rng(seed), seed)
    end = time.thread_time() + SECONDS
    for operations in VARIANTS[name](search):
        pool.add(operations)
        if time.thread_time() > end:
            break
    best = pool.best(COUNT)
    kept = (pool.shortfall[best] == 0).sum() == COUNT
    return float(pool.score[best].mean() / GUIDANCE_SCALE) if kept else np.nan, float(len(pool))
