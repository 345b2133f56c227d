"""A predictor of ImageNet accuracy at every resolution, taught by Gaussian processes.

Few exact labels at 224 pixels, and noisier ones below, are learnt best by Gaussian processes, which are
too slow to guide by. A small ensemble learns from what they say of many architectures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from diffusionnag._seeds import numpy_generator
from diffusionnag.predictors import (
    GaussianProcess,
    GaussianProcessConfig,
    PropertyPredictor,
    fit_gaussian_process,
)
from diffusionnag.spaces import Architecture, SearchSpace, operation_indices

EXACT = 224
"""The resolution at which the labels are exact."""
RANDOM, MUTATED = 20_000, 40_000
MUTATION_RATE = 0.15
CHUNK = 2_000

HELD_OUT_SHARE, DEVELOPMENT = 0.1, 450
"""Of all distinct architectures: what is held out to judge by, and how many settings were chosen on."""


def split(architectures: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that are held out, and those learnt from; the settings were chosen on the rest."""
    distinct = numpy_generator(0).permutation(np.unique(architectures))
    first = round(HELD_OUT_SHARE * len(distinct))
    held_out, _, learnt = np.split(distinct, [first, first + DEVELOPMENT])
    held_out, learnt = (np.isin(architectures, names) for names in (held_out, learnt))
    return np.flatnonzero(held_out), np.flatnonzero(learnt)


class Process:
    """A Gaussian process on values in their own unit, each architecture's repeats averaged."""

    def __init__(
        self, space: SearchSpace, architectures: Sequence[Architecture], values: np.ndarray
    ) -> None:
        rows: dict[Architecture, list[float]] = {}
        for architecture, value in zip(architectures, values, strict=True):
            rows.setdefault(architecture, []).append(value)
        means = np.array([np.mean(of) for of in rows.values()])
        self.space = space
        self.centre, self.spread = float(means.mean()), float(means.std())
        target = torch.from_numpy((means - self.centre) / self.spread)
        order = torch.randperm(len(means), generator=torch.Generator().manual_seed(0))
        self.process = GaussianProcess(space, GaussianProcessConfig(len(means)))
        x = torch.from_numpy(space.encode(list(rows)))
        fit_gaussian_process(self.process, x[order], target[order], lambda step, steps: None)

    def predict(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the expected value of each architecture, `batch` float64."""
        values = []
        with torch.no_grad():
            for start in range(0, len(architectures), CHUNK):
                x = torch.from_numpy(self.space.encode(architectures[start : start + CHUNK]))
                values.append(self.process.standardised(x).double().numpy())
        return self.centre + self.spread * np.concatenate(values)


class Teacher:
    """The accuracy at 224 pixels; below, a line in it for each resolution, and what all differ by."""

    def __init__(
        self,
        space: SearchSpace,
        architectures: Sequence[Architecture],
        resolution: np.ndarray,
        values: np.ndarray,
    ) -> None:
        def rows(chosen: np.ndarray) -> list[Architecture]:
            return [architectures[row] for row in np.flatnonzero(chosen).tolist()]

        exact = resolution == EXACT
        self.exact = Process(space, rows(exact), values[exact])
        self.lines = {float(EXACT): np.array([1.0, 0.0])}
        below = self.exact.predict(rows(~exact))
        residual = np.zeros(len(below))
        for at in np.unique(resolution[~exact]):
            chosen = resolution[~exact] == at
            line = np.polyfit(below[chosen], values[~exact][chosen], 1)
            self.lines[float(at)] = line
            residual[chosen] = values[~exact][chosen] - np.polyval(line, below[chosen])
        self.differs = Process(space, rows(~exact), residual)

    def predict(self, architectures: Sequence[Architecture], resolution: np.ndarray) -> np.ndarray:
        """Return the accuracy of each at its resolution, interpolated between those measured."""
        exact, differs = self.exact.predict(architectures), self.differs.predict(architectures)
        known = sorted(self.lines)
        of_known = [
            np.polyval(self.lines[at], exact) + (0 if at == EXACT else differs) for at in known
        ]
        place = np.interp(resolution, known, np.arange(len(known)))
        low = np.floor(place).astype(int).clip(0, len(known) - 2)
        rows, share = np.arange(len(exact)), place - low
        table = np.array(of_known)
        return (1 - share) * table[low, rows] + share * table[low + 1, rows]


def lessons(
    space: SearchSpace, architectures: Sequence[Architecture], seed: int
) -> tuple[list[Architecture], np.ndarray]:
    """Return what the teacher is asked: random and changed architectures, and their resolutions.

    Half of them are asked at the exact resolution, the others at any multiple of 4 from 128 on.
    """
    rng = numpy_generator(seed)
    parents = operation_indices(architectures, len(space.nodes))
    children = parents[rng.integers(len(parents), size=2 * MUTATED)]
    drawn = space.sample_operations(len(children), rng)
    children = np.where(rng.random(children.shape) < MUTATION_RATE, drawn, children)
    children = children[space.obeys_rule(children)][:MUTATED]
    asked = [
        *architectures,
        *space.architectures(children),
        *space.sample(RANDOM, seed),
    ]
    lower = 4 * rng.integers(32, 57, size=len(asked))
    return asked, np.where(rng.random(len(asked)) < 0.5, EXACT, lower).astype(np.float64)


def distilled(
    predictor: PropertyPredictor,
    architectures: Sequence[Architecture],
    values: np.ndarray,
    *,
    conditions: np.ndarray,
    steps: int,
) -> PropertyPredictor:
    """Fit an ensemble with the condition `resolution` on what a teacher says, and return it.

    The teacher learns from the measured `values`, `count`, and their resolutions, `count x 1`.
    """
    space = predictor.search_space
    teacher = Teacher(space, architectures, conditions[:, 0], values)
    asked, at = lessons(space, architectures, seed=0)
    return predictor.fit(asked, teacher.predict(asked, at), conditions=at[:, None], steps=steps)
