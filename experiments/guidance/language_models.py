"""GPT-2 shapes for a device: the best within a limit, and fronts, against everything that was measured.

What guides are the shipped predictors, which learnt from nine tenths of the table. What judges is
fitted on all rows: within each width a ridge regression, whose errors on held-out rows were the
smallest (of perplexity 0.07 to 0.20 %, where the trees of `SurrogateBenchmark` have 0.15 to 0.39 %).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from diffusionnag.generation import Objectives, find_best, find_front, hypervolume, non_dominated
from diffusionnag.guidance import limit, minimize
from diffusionnag.predictors import PropertyPredictor
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space, operation_indices
from experiments.measured_data import required_table
from experiments.result_table import ResultTable
from experiments.shipped_models.within_widths import WithinWidths

SPACE, TABLE, QUALITY = "gpt2", "hwgpt_s", "perplexity"
LIMITED = ("latency:a100", "latency:rtx2080", "latency:cpu_alldlc")
QUANTILES = (0.3, 0.6)
SURE = (0.6, 0.95)
"""Probabilities with which a shape is to keep its limit."""
HANDED_OUT, FRONT = 20, 64
NEIGHBOURS = 10
MEASURED, JUDGED = "best measured", "measured best, judged"
GENERATED = f"best of {HANDED_OUT} generated"
COLUMNS = (
    *("device", "limit, ms", "probability", MEASURED, "its latency, judged"),
    *(GENERATED, "put right by neighbours", JUDGED, "keep the limit", "seconds"),
)
NONE = "none"
"""What stands for the best of no shapes."""


class Judged:
    """A table, its rows as architectures, and what is said of any other."""

    def __init__(self) -> None:
        self.space: SearchSpace = get_search_space(SPACE)
        self.table = required_table(SPACE, TABLE)
        self.rows = [self.space.parse(text) for text in self.table.architectures]
        self._operations = operation_indices(self.rows, len(self.space.nodes))
        self._judges: dict[str, WithinWidths] = {}

    def measured(self, name: str) -> np.ndarray:
        """Return what was measured of each row, `rows`."""
        return self.table.columns[name]

    def values(self, name: str, shapes: Sequence[Architecture]) -> np.ndarray:
        """Return a property of shapes as a model fitted on all rows says, `batch`."""
        if name not in self._judges:
            fitted = WithinWidths(self.space).fit(self.rows, self.measured(name))
            self._judges[name] = fitted
        return self._judges[name].predict(shapes)

    def by_neighbours(self, name: str, shapes: Sequence[Architecture]) -> np.ndarray:
        """Return the same, put right by how far it is off at the nearest rows, `batch`."""
        operations = operation_indices(shapes, len(self.space.nodes))
        differ = (operations[:, None] != self._operations).astype(float)
        # Another width makes another network altogether.
        differ[:, :, 0] *= len(self.space.nodes)
        nearest = np.argsort(differ.sum(2), axis=1, kind="stable")[:, :NEIGHBOURS]
        off = self.measured(name) - self.values(name, self.rows)
        return self.values(name, shapes) + off[nearest].mean(1)

    def predictor(self, name: str) -> PropertyPredictor:
        """Return the shipped predictor of a property."""
        return PropertyPredictor.from_pretrained(name, search_space=self.space)


def language_models(report: Callable[[str], None]) -> ResultTable:
    """Return the best of 20 generated under six limits, and the best of all measured rows."""
    judged, rows = Judged(), []
    for name in LIMITED:
        for quantile in QUANTILES:
            report(f"{name}, {quantile:.0%}")
            rows += [best_within(judged, name, float(quantile), sure) for sure in SURE]

    def won(sure: float, against: str) -> int:
        named = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        return sum(
            row[GENERATED] != NONE and float(row[GENERATED]) < float(row[against])
            for row in named
            if row["probability"] == f"{sure:g}"
        )

    return ResultTable(
        title="GPT-2 shapes within a device's latency, against 10,000 measured ones",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=(
            "Perplexity on OpenWebText; less is better. Generated is better than measured under "
            f"{won(SURE[0], MEASURED)} of 6 limits where they are to be kept with a probability of "
            f"{SURE[0]}, under {won(SURE[1], MEASURED)} with {SURE[1]}; than the rows, if these are judged "
            f"as well, under {won(SURE[0], JUDGED)} and {won(SURE[1], JUDGED)}. "
            f"`diffusionnag generate gpt2 -n {HANDED_OUT} "
            "--guide perplexity=-1 --limit 'latency:a100<=30%' --limit-probability 0.95`. What a "
            "predictor is unsure of includes how measurements vary, so that a high probability costs "
            "little on a quiet device (a100), and much on a noisy one (rtx2080, cpu_alldlc). The limits "
            "are the table's 30 % and 60 % quantiles.",
            "Generated shapes, and whether they keep the limit, are judged by a ridge regression within each "
            "width, fitted on all 10,000 rows (the shipped predictors were taught by one that was fitted on "
            f"9,000); `put right` adds its mean error at the {NEIGHBOURS} nearest rows. The best of 20 is "
            "the best of those that keep the limit. Measured rows count by what was measured, errors "
            "included; `measured best, judged` is the best row by the judge within the limit by the judge.",
            "Where the latency of the best measured is judged to be beyond its limit, it kept it by luck, "
            "and a shape as good that keeps it may not exist.",
        ),
    )


def best_within(judged: Judged, name: str, quantile: float, sure: float) -> tuple[str, ...]:
    """Return a row: what is generated and what was measured within a quantile of a latency."""
    perplexity, latency = judged.measured(QUALITY), judged.measured(name)
    bound = float(np.quantile(latency, quantile))
    guide = minimize(judged.predictor(QUALITY))
    within = limit(judged.predictor(name), at_most=bound, probability=sure)
    start = time.thread_time()
    shapes = find_best(judged.space, HANDED_OUT, guide=guide + within).architectures
    seconds = time.thread_time() - start
    kept = judged.values(name, shapes) <= bound
    allowed = [shape for shape, keeps in zip(shapes, kept, strict=True) if keeps]
    expected = judged.values(name, judged.rows)
    rows_kept = expected <= bound
    best_row = int(np.where(latency <= bound, perplexity, np.inf).argmin())
    return (
        name.removeprefix("latency:"),
        f"{bound:.4g}",
        f"{sure:g}",
        f"{perplexity[best_row]:.3f}",
        f"{expected[best_row]:.4g}",
        f"{judged.values(QUALITY, allowed).min():.3f}" if allowed else NONE,
        f"{judged.by_neighbours(QUALITY, allowed).min():.3f}" if allowed else NONE,
        f"{judged.values(QUALITY, judged.rows)[rows_kept].min():.3f}",
        f"{100 * kept.mean():.0f} %",
        f"{seconds:.1f}",
    )


def language_model_fronts(report: Callable[[str], None]) -> ResultTable:
    """Return hypervolumes of 64 generated shapes, and of the front of all that was measured."""
    judged, rows, won = Judged(), [], 0
    for name in judged.table.columns:
        if name.startswith("latency:"):
            report(name)
            table, ours, rows_judged, seconds = front_volumes(judged, name)
            won += ours >= table
            rows.append(
                (
                    name.removeprefix("latency:"),
                    *(f"{volume:.4f}" for volume in (table, rows_judged, ours)),
                    f"{100 * (ours / table - 1):+.2f} %",
                    f"{seconds:.1f}",
                )
            )
    return ResultTable(
        title="Fronts of perplexity and latency, against the front of 10,000 measured shapes",
        columns=(
            *("device", "measured front", "the same rows, judged", "64 generated"),
            *("gain over the measured", "seconds"),
        ),
        rows=tuple(rows),
        notes=(
            f"Generated are not worse on {won} of {len(rows)} devices. Hypervolume as a share of the "
            "rectangle between the best and the worst measured values. Generated shapes are judged by a "
            "ridge regression within each width, fitted on all 10,000 rows. Measured rows count "
            "by what was measured, lucky errors included; `judged` without them.",
            "`diffusionnag generate gpt2 -n 64 --guide perplexity=-1 --guide latency:a100=-1 --pareto`; "
            "seconds are of computing in one thread.",
        ),
    )


def front_volumes(judged: Judged, name: str) -> tuple[float, float, float, float]:
    """Return the hypervolumes of the measured front, of what is generated, and of judged rows."""
    names = (QUALITY, name)
    objectives = Objectives(tuple(map(judged.predictor, names)), (-1.0, -1.0))
    start = time.thread_time()
    shapes = find_front(judged.space, FRONT, objectives).architectures
    seconds = time.thread_time() - start
    measured = np.stack([judged.measured(each) for each in names], axis=1)
    low, high = measured.min(0), measured.max(0)

    def volume(values: np.ndarray) -> float:
        scores = (high - values) / (high - low)
        return hypervolume(scores[non_dominated(scores)], np.zeros(2))

    by_judge = [
        np.stack([judged.values(each, some) for each in names], axis=1)
        for some in (shapes, judged.rows)
    ]
    return volume(measured), volume(by_judge[0]), volume(by_judge[1]), seconds
