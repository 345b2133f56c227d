"""Groups of architectures trained alike and compared, as in the paper's Table 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from diffusionnag._files import digest_name
from diffusionnag._memory import check_fits
from diffusionnag.artifacts.json_lines import read_records
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.execution import Executor, LocalExecutor
from diffusionnag.networks.architecture_training import kept_metrics
from diffusionnag.networks.tasks import OwnFit, TaskData
from diffusionnag.networks.training_loop import Progress, TrainingSettings
from diffusionnag.spaces import Architecture, SearchSpace


@dataclass(frozen=True)
class Group:
    """Architectures of one origin, the best first."""

    name: str
    architectures: tuple[Architecture, ...]


def read_group(path: Path, space: SearchSpace, top: int) -> Group:
    """Return the first `top` distinct architectures of a file that `generate` or `search` wrote.

    Raises DiffusionNAGError for a file of another kind, or with fewer.
    """
    distinct = list(dict.fromkeys(record.architecture for record in read_records(path)))[:top]
    if len(distinct) < top:
        raise DiffusionNAGError(
            f"{path} holds {len(distinct)} distinct architectures, and {top} are asked for; ask for "
            f"{len(distinct)} or fewer"
        )
    return Group(path.stem, tuple(map(space.parse, distinct)))


@dataclass(frozen=True)
class Trainings:
    """Trains any of several architectures with any seed, each in a folder of its own.

    What is finished is only read again.
    """

    space: SearchSpace
    architectures: tuple[Architecture, ...]
    data: TaskData | OwnFit
    settings: TrainingSettings
    folder: Path
    device: str = "cpu"
    report: Callable[[Progress], None] | None = None

    def __call__(self, which: tuple[int, int]) -> float:
        """Return the metric of an architecture, by its number, with a seed."""
        number, seed = which
        architecture = self.architectures[number]
        # Numbers change with the groups that are compared.
        name = digest_name(self.space.format(architecture))
        metrics = kept_metrics(
            self.space,
            architecture,
            self.data,
            replace(self.settings, seed=seed),
            self.folder / f"{name}-seed{seed}",
            device=self.device,
            report=self.report or (lambda progress: None),
        )
        return metrics[self.data.metric]


def train_groups(
    space: SearchSpace,
    groups: Sequence[Group],
    data: TaskData | OwnFit,
    settings: TrainingSettings,
    seeds: int,
    folder: Path,
    *,
    executor: Executor | None = None,
    device: str = "cpu",
    report: Callable[[float, int], None] = lambda done, total: None,
) -> list[np.ndarray]:
    """Train each architecture with each seed; return the task's metric, `architectures x seeds`.

    An architecture that several groups hold is trained once. Each training has a folder below
    `folder`, and a later call, be it of other groups, resumes those that are not finished. Without
    an `executor` they run in this process one after another, and `report` counts the running one by
    its share. Raises DiffusionNAGError where `folder` holds trainings of other settings.
    """
    executor = executor or LocalExecutor()
    distinct = tuple(
        dict.fromkeys(architecture for group in groups for architecture in group.architectures)
    )
    check_fits(f"{len(distinct):,} architectures with {seeds:,} seeds", 100 * len(distinct) * seeds)
    pairs = [(number, seed) for number in range(len(distinct)) for seed in range(seeds)]
    values = np.zeros((len(distinct), seeds))
    done = 0

    def report_share(progress: Progress) -> None:
        report(done + progress.step / progress.steps, len(pairs))

    trainings = Trainings(space, distinct, data, settings, folder.resolve(), device)
    if isinstance(executor, LocalExecutor):
        trainings = replace(trainings, report=report_share)
    for pair, value in executor.map_unordered(trainings, pairs):
        values[pair] = value
        done += 1
        report(done, len(pairs))
    return [values[[distinct.index(each) for each in group.architectures]] for group in groups]
