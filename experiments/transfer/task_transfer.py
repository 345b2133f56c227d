"""Transfer between tasks with tables: each is left out in turn, the others and a few of it known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import ttest_rel

from diffusionnag.predictors import RankGaussian, covariance_of, noisy_covariance, spearman
from diffusionnag.search.proposers import acquire
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space
from diffusionnag.transfer import TaskTransfer
from diffusionnag.transfer.tasks import Described
from diffusionnag.transfer.tasks_from_tables import MOST_LABELLED
from experiments.measured_data import required_table
from experiments.result_table import ResultTable
from experiments.search.search_runs import (
    Benchmark,
    Run,
    Searcher,
    median_and_range,
    median_to_goal,
    run_searches,
)

SPACE, TABLE = "transnas", "transnas_micro"
GOALS = 41
"""The top 1 % of the space."""
SEEDS = tuple(range(10))
GIVEN = (0, 5, 20)
"""So many of the new task, drawn at random, are measured before rank correlations are taken."""
CAP = 100
SEARCHERS = {Searcher("tpe"): 5 * CAP, Searcher("rea"): 5 * CAP}


@dataclass(frozen=True, eq=False)
class LeftOut:
    """A task that is new, the process that a seed has learnt from the others, and all it judges."""

    process: TaskTransfer
    described: Described
    architectures: Sequence[Architecture]
    normal: np.ndarray
    """Of the known tasks' labelled architectures, on the scale of the process, `labelled x tasks`."""
    values: np.ndarray

    @classmethod
    def of(
        cls,
        space: SearchSpace,
        architectures: Sequence[Architecture],
        columns: np.ndarray,
        task: int,
        seed: int,
    ) -> LeftOut:
        """Learn from all `columns`, `count x tasks`, but the one of the task."""
        rows = np.random.default_rng(seed).permutation(len(architectures))[:MOST_LABELLED]
        known = np.delete(columns, task, axis=1)[rows]
        process = TaskTransfer.learn(space, [architectures[row] for row in rows], known)
        with torch.no_grad():
            described = process.describe(torch.from_numpy(space.encode(architectures)).double())
        normal = np.stack([RankGaussian.fit(column).to_normal(column) for column in known.T], 1)
        return cls(process, described, architectures, normal, columns[:, task])

    def predicted(self, rows: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and deviation of all architectures, those of the rows being measured."""
        given = self.process.given(
            [self.architectures[row] for row in rows], self.values[list(rows)]
        )
        with torch.no_grad():
            mean, std = given.judge(self.described)
        return mean.numpy(), std.numpy()

    def additive(self, rows: Sequence[int]) -> np.ndarray:
        """Return the mean of all where each task adds nothing but a level of its own.

        One process of architectures, with the kernel of the other: labelled ones count as the mean
        of the known tasks, measured ones once.
        """
        process = self.process
        seen = list(rows) if len(rows) > 1 else []
        measured = [group[seen] for group in self.described.features]
        known = [torch.cat(pair) for pair in zip(process.labelled, measured, strict=True)]
        tasks = self.normal.shape[1]
        target = self.normal.mean(1)
        if seen:
            standard = RankGaussian.fit(self.values[seen]).to_normal(self.values[seen])
            level = self.described.scores.mean(1).numpy()[seen].mean()
            target = np.concatenate([target, standard + level])
        repeats = torch.tensor([tasks] * len(self.normal) + [1] * len(seen))
        covariance = noisy_covariance(known, process.kernel, repeats)
        weights = torch.linalg.solve(covariance, torch.from_numpy(target))
        return (covariance_of(self.described.features, known, process.kernel) @ weights).numpy()

    def search(self, cap: int, goal: float) -> list[int]:
        """Return the rows measured in order, by expected improvement, until one reaches the goal."""
        rows: list[int] = []
        rng = np.random.default_rng(0)
        while len(rows) < cap and not (rows and self.values[rows[-1]] >= goal):
            mean, std = self.predicted(rows)
            score = acquire("EI", mean, std, mean[rows].max(), rng) if rows else mean
            score[rows] = -np.inf
            rows.append(int(score.argmax()))
        return rows


def task_transfer(report: Callable[[str], None]) -> ResultTable:
    """Return how soon the best cells of each TransNAS task are found, the six others being known.

    Raises DiffusionNAGError where transnas_micro is not installed.
    """
    space, table = get_search_space(SPACE), required_table(SPACE, TABLE)
    names = list(table.columns)
    architectures = list(map(space.parse, table.architectures))
    columns = np.stack([table.columns[name] for name in names], axis=1)
    benchmarks = {
        name: Benchmark(
            name, SPACE, f"table:{TABLE}:{name}", f"table:{TABLE}:{name}", 5 * CAP, 9, GOALS
        )
        for name in names
    }
    runs = {
        (name, searcher): [Run(benchmark, searcher, seed, cap) for seed in SEEDS]
        for name, benchmark in benchmarks.items()
        for searcher, cap in SEARCHERS.items()
    }
    outcomes = run_searches([run for group in runs.values() for run in group], report)
    rows, correlations = [], []
    for task, name in enumerate(names):
        values = columns[:, task]
        goal, counts, regrets = np.sort(values)[-GOALS], [], []
        interacting, additive = [], []
        for seed in SEEDS:
            report(f"{name}, seed {seed}")
            left_out = LeftOut.of(space, architectures, columns, task, seed)
            order = left_out.search(CAP, goal)
            counts.append(len(order) if values[order[-1]] >= goal else np.inf)
            first = np.pad(values[order][:5], (0, max(0, 5 - len(order))), mode="edge")
            regrets.append(values.max() - np.maximum.accumulate(first)[[0, 4]])
            shuffled = np.random.default_rng(100 + seed).permutation(len(values)).tolist()
            drawn = [shuffled[:count] for count in GIVEN]
            interacting.append([spearman(left_out.predicted(rows)[0], values) for rows in drawn])
            additive.append([spearman(left_out.additive(rows), values) for rows in drawn])
        correlations.append((np.mean(interacting, axis=0), np.mean(additive, axis=0)))
        normal = [
            RankGaussian.fit(column).to_normal(column) for column in np.delete(columns, task, 1).T
        ]
        ranked = values[np.argsort(-np.sum(normal, axis=0), kind="stable")]
        rows.append(
            (
                name,
                " / ".join(f"{regret:.3g}" for regret in np.mean(regrets, axis=0)),
                median_and_range(counts, CAP),
                str(int((ranked >= goal).argmax()) + 1),
                *(
                    median_to_goal(
                        benchmarks[name], [outcomes[run] for run in runs[name, searcher]], cap
                    )
                    for searcher, cap in SEARCHERS.items()
                ),
                *(" / ".join(f"{value:.3f}" for value in mean) for mean in correlations[-1]),
            )
        )
    return ResultTable(
        title="One TransNAS task from six others",
        columns=(
            *(
                "task",
                "regret of the first / of the first five",
                "to the top 1 %",
                "ranked by the six",
            ),
            *(searcher.label for searcher in SEARCHERS),
            *("rank correlation, 0 / 5 / 20 measured", "additive model"),
        ),
        rows=tuple(rows),
        notes=(
            f"Cells measured until one of the best {GOALS} (1 %) of all 4,096, median over "
            f"{len(SEEDS)} seeds and range. A seed draws {MOST_LABELLED} cells, of which the values on the "
            "six other tasks are learnt; the process proposes the first cell, and each next one by expected "
            "improvement, knowing what was measured. Regret: in the task's own unit, mean over seeds. "
            f"Given up after {CAP}, TPE and REA, which know nothing of other tasks, after {5 * CAP}.",
            "Ranked by the six: all cells in the order of their mean normal score in six complete tables.",
            "Rank correlation with all cells' values, means over seeds; the measured ones are drawn at "
            "random. Additive: one process of architectures and a level for each task. "
            + _paired(correlations),
            "The process was developed on NAS-Bench-201's data sets and attacks; after a first run on these "
            "tasks it learnt to count what is unknown of the known ones, chosen on the former. That first "
            "run, of 100 labels (commit 2cde6d2), had a median over the tasks of 8.5 cells, and half of "
            "TPE's on 6 of 7, of REA's on 5 of 7.",
        ),
    )


def _paired(correlations: Sequence[tuple[np.ndarray, np.ndarray]]) -> str:
    """Return how the interacting process compares with the additive one, over the tasks."""
    interacting, additive = np.array(correlations).transpose(1, 0, 2)
    parts = [
        f"{count} measured: {interacting[:, place].mean():.3f} against {additive[:, place].mean():.3f} "
        f"(p = {ttest_rel(interacting[:, place], additive[:, place]).pvalue:.2g})"
        for place, count in enumerate(GIVEN)
    ]
    return f"Mean over tasks, paired t-test: {'; '.join(parts)}."
