"""Whether what is best for one device is so for another: fronts of perplexity and latency, swapped.

Everything is read off the table of 10,000 measured GPT-2 shapes. What is lost by choosing with another
device's latencies is partly luck: a device's own front is made of its luckiest measurements. A second
look therefore takes latencies as a ridge regression within each width has them, which knows no luck.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import spearmanr

from diffusionnag.generation import hypervolume, non_dominated
from experiments.guidance.language_models import QUALITY, QUANTILES, Judged
from experiments.result_table import ResultTable

PREFIX = "latency:"
PARAMETERS = "params"
"""What stands for a latency that nobody measured."""


def device_fronts(report: Callable[[str], None]) -> ResultTable:
    """Return what a device's front keeps if it is chosen by the latencies of another one."""
    judged = Judged()
    perplexity = judged.measured(QUALITY)
    names = [name for name in judged.table.columns if name.startswith(PREFIX)]
    measured = {name: judged.measured(name) for name in names}
    smooth = {name: judged.values(name, judged.rows) for name in names}
    by_parameters = judged.measured(PARAMETERS)
    rows = []
    for name in names:
        report(name)
        others = [other for other in names if other != name]
        ranks = [_spearman(measured[name], measured[other]) for other in others]
        kept = [share_kept(perplexity, measured[name], measured[other]) for other in others]
        without_luck = [share_kept(perplexity, smooth[name], smooth[other]) for other in others]
        over = [
            overrun(perplexity, smooth[name], smooth[other], quantile)
            for other in others
            for quantile in QUANTILES
        ]
        rows.append(
            (
                name.removeprefix(PREFIX),
                f"{min(ranks):.3f} ({_of(others, ranks)}) to {max(ranks):.3f}",
                f"{100 * np.median(kept):.1f} %",
                f"{100 * min(kept):.1f} % ({_of(others, kept)})",
                f"{100 * np.median(without_luck):.1f} %",
                f"{100 * min(without_luck):.1f} % ({_of(others, without_luck)})",
                f"{100 * share_kept(perplexity, smooth[name], by_parameters):.1f} %",
                f"{sum(excess > 0 for excess in over)} of {len(over)}",
                f"{100 * np.median(over):+.1f} %, {100 * max(over):+.1f} %",
            )
        )
    return ResultTable(
        title="Fronts of perplexity and latency chosen by another device's latencies",
        columns=(
            *("device", "Spearman with others", "kept, median", "kept, least"),
            *("kept without luck, median", "least", "by parameters"),
            *("limits broken", "beyond the limit: median, most"),
        ),
        rows=tuple(rows),
        notes=(
            "Of 10,000 measured GPT-2 shapes, those are chosen that are not dominated in perplexity and "
            "in the latency of another device (each of the 13 others). `kept` is their hypervolume on the "
            "device itself, as a share of that of its own front, between the best and worst values. With "
            "luck: latencies as measured. Without: as a ridge regression within each width, fitted on all "
            "rows, has them on both devices; perplexities are measured ones. `by parameters`: chosen by "
            "parameters in place of any latency, without luck.",
            "Limits: within the other device's 30 % and 60 % quantiles of latency the shape with the least "
            "perplexity is chosen; it breaks the limit if its latency is beyond the same quantile of the "
            "device itself (without luck), by so much.",
        ),
    )


def share_kept(perplexity: np.ndarray, own: np.ndarray, other: np.ndarray) -> float:
    """Return the hypervolume on a device of the front by another one, over that of its own front."""
    return _volume(perplexity, own, other) / _volume(perplexity, own, own)


def overrun(perplexity: np.ndarray, own: np.ndarray, other: np.ndarray, quantile: float) -> float:
    """Return how far the best row within a quantile of another latency is beyond that of its own.

    As a share of the limit; below 0 where it keeps within.
    """
    within = np.flatnonzero(other <= np.quantile(other, quantile))
    best = within[perplexity[within].argmin()]
    return float(own[best] / np.quantile(own, quantile) - 1)


def _volume(perplexity: np.ndarray, own: np.ndarray, chosen_by: np.ndarray) -> float:
    chosen = non_dominated(-np.stack([perplexity, chosen_by], axis=1))
    values = np.stack([perplexity, own], axis=1)
    low, high = values.min(0), values.max(0)
    scores = ((high - values) / (high - low))[chosen]
    return hypervolume(scores[non_dominated(scores)], np.zeros(2))


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    return float(spearmanr(a, b).statistic)  # type: ignore[attr-defined]


def _of(names: list[str], values: list[float]) -> str:
    return names[int(np.argmin(values))].removeprefix(PREFIX)
