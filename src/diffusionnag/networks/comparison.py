"""Groups of architectures trained alike and compared, as in the paper's Table 1."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import stats

from diffusionnag.confidence import interval
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.task import ImageTask, kept_accuracy
from diffusionnag.networks.training import Progress, TrainingSettings
from diffusionnag.spaces import Architecture, SearchSpace


@dataclass(frozen=True)
class Group:
    """Architectures of one origin, the best first."""

    name: str
    architectures: tuple[Architecture, ...]


@dataclass(frozen=True)
class Interval:
    """A mean over seeds, and half the width of its 95 % interval; NaN with one seed."""

    mean: float
    half: float

    def __str__(self) -> str:
        half = "" if np.isnan(self.half) else f" ± {self.half:.2f}"
        return f"{self.mean:.2f}{half}"


def read_group(path: Path, space: SearchSpace, top: int) -> Group:
    """Return the first `top` architectures of a file that `generate` or `search` wrote.

    Raises DiffusionNAGError for a file that is none, or holds fewer.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        texts = [json.loads(line)["architecture"] for line in lines if line.strip()]
    except OSError as error:
        raise DiffusionNAGError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DiffusionNAGError(f"{path} is no file of architectures as --out writes") from error
    distinct = list(dict.fromkeys(texts))[:top]
    if len(distinct) < top:
        raise DiffusionNAGError(f"{path} holds {len(distinct)} architectures, not {top}; --top")
    return Group(path.stem, tuple(map(space.parse, distinct)))


def train_groups(
    space: SearchSpace,
    groups: Sequence[Group],
    task: ImageTask,
    settings: TrainingSettings,
    seeds: int,
    folder: Path,
    report: Callable[[int, int, Progress], None] = lambda done, total, progress: None,
) -> list[np.ndarray]:
    """Train each architecture with each seed; return accuracies in %, `architectures x seeds`.

    One that several groups hold is trained once. Each training has a folder below `folder`, and a
    later call goes on with the first that is not finished. Raises DiffusionNAGError where `folder`
    holds trainings of other settings.
    """
    distinct = list(dict.fromkeys(one for group in groups for one in group.architectures))
    total, accuracies = len(distinct) * seeds, {}
    for number, architecture in enumerate(distinct):
        for seed in range(seeds):
            done = number * seeds + seed
            accuracies[architecture, seed] = kept_accuracy(
                space,
                architecture,
                task,
                replace(settings, seed=seed),
                folder / f"{number}-seed{seed}",
                report=lambda progress, done=done: report(done, total, progress),
            )
    return [
        np.array([[accuracies[one, seed] for seed in range(seeds)] for one in group.architectures])
        for group in groups
    ]


def summarise(accuracies: np.ndarray) -> tuple[Interval, Interval, Interval]:
    """Return max, mean and min over architectures, each averaged over seeds."""
    statistics = (accuracies.max(0), accuracies.mean(0), accuracies.min(0))
    return tuple(Interval(float(one.mean()), float(interval(one))) for one in statistics)  # type: ignore[return-value]


def p_value(first: np.ndarray, second: np.ndarray) -> float:
    """Return the p-value of Welch's t-test that two groups have the same mean accuracy.

    Samples are the architectures' mean accuracies over seeds; NaN with fewer than two of either.
    """
    if min(len(first), len(second)) < 2:
        return float("nan")
    return float(stats.ttest_ind(first.mean(1), second.mean(1), equal_var=False).pvalue)  # type: ignore
