"""Time and memory of a long search, early and late in one run; writes results/search-speed.md."""

from __future__ import annotations

import resource
import statistics
import time

import optuna

from diffusionnag import get_search_space
from diffusionnag.search import DiffusionNAGSampler, optuna_objective
from experiments.result_table import ResultTable, write_benchmark

TRIALS = 1_000
MARKS = (50, 100, 200, 400, 600, 800, 1_000)
AROUND = 40
"""Proposals up to each mark whose median time is told."""
EARLY = 200


def main() -> None:
    """Run a study and write the table."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = get_search_space("nasbench201")
    ended: list[float] = []
    peaks: list[float] = []

    def count(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        ended.append(time.process_time())
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    study = optuna.create_study(sampler=DiffusionNAGSampler(space, seed=0), direction="maximize")
    begun = time.process_time()
    objective = optuna_objective(space, lambda cell: space.analytic_properties(cell)["params"])
    study.optimize(objective, TRIALS, callbacks=[count])
    times = [end - start for start, end in zip([begun, *ended], ended, strict=False)]
    medians = {mark: statistics.median(times[mark - AROUND : mark]) for mark in MARKS}
    table = ResultTable(
        title="Proposals of a long search",
        columns=("trial", "CPU time", f"relative to trial {EARLY}", "most memory so far"),
        rows=tuple(
            (
                f"{mark:,}",
                f"{medians[mark]:.3f} s",
                f"{medians[mark] / medians[EARLY]:.2f}",
                f"{peaks[mark - 1]:.0f} MiB",
            )
            for mark in MARKS
        ),
        notes=(
            "A study on nasbench201, measurements taking no time, in memory; seed 0.",
            f"Medians of the {AROUND} trials up to each.",
        ),
    )
    write_benchmark(table, "search-speed")


if __name__ == "__main__":
    main()
