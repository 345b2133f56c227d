"""Searches repeated over seeds, each of them kept, so that an experiment can be stopped and go on."""

from __future__ import annotations

import functools
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import optuna
from optuna.trial import FrozenTrial

from diffusionnag.artifacts.model_cards import commit
from diffusionnag.execution import new_executor
from diffusionnag.search.architecture_sampler import ArchitectureSampler
from diffusionnag.search.objectives import Measure, optuna_objective, read_objective
from diffusionnag.search.proposers import Proposes
from diffusionnag.search.searchers import new_searcher
from diffusionnag.search.study import measured_trials, value_of
from diffusionnag.search.trials import Measured, recorded_architecture
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space, operation_indices
from diffusionnag.tables.measurements import clean_measurements
from experiments.measured_data import required_table
from experiments.search.priors import prior

KEPT = Path("runs") / "searches"
"""Finished runs, one JSON object a line, in a file for each commit."""


@dataclass(frozen=True)
class Benchmark:
    """What a search of a table raises, and what is reported of the best it has found so far.

    With `decimals` a run ends when it has measured one of the `goals` best of the table, to so
    many of them; otherwise, and at last, after so many `trials`.
    """

    name: str
    space: str
    searched: str
    reported: str
    trials: int
    decimals: int | None = None
    goals: int = 1
    noise: float = 0.0
    """Deviation of the noise that each architecture's searched value has, the same however often asked."""

    @functools.cached_property
    def goal(self) -> float:
        """The searched value at which a run ends, infinite where none is known to be the best."""
        if self.decimals is None:
            return np.inf
        _, table, column = self.searched.split(":")
        space = get_search_space(self.space)
        measured = clean_measurements(required_table(self.space, table), space, column)
        return round(float(np.sort(measured.values)[-self.goals]), self.decimals)

    def is_goal(self, value: float) -> bool:
        """Return whether a searched value is among the best of the table."""
        return round(value, self.decimals) >= self.goal


@dataclass(frozen=True)
class Searcher:
    """A searcher by name, with the options that only the library's own has."""

    name: str
    strategy: str | None = None
    acquisition: str | None = None
    start_from: str | None = None
    """What it knows before it measures, by the name that `prior` knows."""

    @property
    def label(self) -> str:
        """What tables call it: the candidates of its strategy where that is given, else its name."""
        return f"{self.strategy} candidates" if self.strategy else self.name


@dataclass(frozen=True)
class Keyed:
    """What is kept under its own fields."""

    @property
    def key(self) -> str:
        """Return the fields as text, under which its outcome is kept."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True)
class Run(Keyed):
    """One search: its benchmark, who searches, the seed, and after how many trials it ends at last."""

    benchmark: Benchmark
    searcher: Searcher
    seed: int
    trials: int

    @property
    def title(self) -> str:
        """Return what the run is called where progress is shown."""
        return f"{self.benchmark.name}, {self.searcher.label}, seed {self.seed}"

    def search(self) -> list[list[float]]:
        """Return searched and reported values of the run's trials, in order, and what was at each node."""
        benchmark, space = self.benchmark, get_search_space(self.benchmark.space)
        searched, reported = (
            _measure(text, benchmark.space) for text in (benchmark.searched, benchmark.reported)
        )
        start = self.searcher.start_from
        sampler = new_searcher(
            self.searcher.name,
            space,
            seed=self.seed,
            strategy=self.searcher.strategy,
            acquisition=self.searcher.acquisition,
            start_from=start and prior(start, space, self.seed),
        )
        noisy = _with_noise(searched, benchmark.noise, self.seed, space)
        trials = search_until_goal(benchmark, sampler, noisy, self.trials)
        recorded = [recorded_architecture(space, trial) for trial in trials]
        architectures = [cell for cell in recorded if cell is not None]
        return [
            [value_of(trial) for trial in trials],
            [float(reported(cell)) for cell in architectures],  # type: ignore[arg-type]
            *operation_indices(architectures, len(space.nodes)).T.tolist(),
        ]


class Searches(Protocol):
    """A search that can be repeated: a run, or what another experiment has in its place."""

    @property
    def key(self) -> str:
        """Return it as text, under which its outcome is kept."""
        ...

    @property
    def title(self) -> str:
        """Return what it is called where progress is shown."""
        ...

    def search(self) -> list[list[float]]:
        """Return what is kept of it: searched and reported values, for all that `run_searches` repeats."""
        ...


Repeated = TypeVar("Repeated", bound=Searches)


@dataclass(frozen=True, eq=False)
class Outcome:
    """The searched and the reported value of each measured architecture in order, each `measured`.

    A `Run` keeps the number of the operation at each node besides, `N x measured`.
    """

    searched: np.ndarray
    reported: np.ndarray
    operations: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    @classmethod
    def of(cls, kept: Sequence[Sequence[float]]) -> Outcome:
        """Return the outcome of the rows that a search has given."""
        searched, reported, *operations = np.array(kept, dtype=np.float64)
        return cls(searched, reported, np.array(operations))

    def architectures(self, space: SearchSpace) -> list[Architecture]:
        """Return what was measured, in order."""
        return space.architectures(self.operations.T.astype(np.int64))

    def best_so_far(self, trials: int) -> np.ndarray:
        """Return the reported value of the best searched one after each trial, `trials` float64.

        A run that ended before, because nothing better is left, stays where it is.
        """
        best = np.maximum.accumulate(self.searched)
        first = np.array([np.flatnonzero(self.searched == value)[0] for value in best])
        curve = self.reported[first][:trials]
        return np.pad(curve, (0, trials - len(curve)), mode="edge")


def search_until_goal(
    benchmark: Benchmark, sampler: ArchitectureSampler, measure: Measure, trials: int
) -> list[FrozenTrial]:
    """Return the trials measured until one reaches the goal, or at last so many."""

    def stop_at_goal(study: optuna.Study, trial: FrozenTrial) -> None:
        if benchmark.is_goal(value_of(trial)):
            study.stop()

    study = optuna.create_study(sampler=sampler, direction="maximize")
    objective = optuna_objective(sampler.search_space, measure)
    study.optimize(objective, trials, callbacks=[stop_at_goal])
    return measured_trials(study)


def propose_until_goal(
    proposer: Proposes,
    measure: Callable[[Architecture], float],
    is_goal: Callable[[float], bool],
    trials: int,
    *,
    first: Sequence[Architecture] = (),
    seed: int,
) -> list[float]:
    """Return what is measured until a value reaches the goal, or at last so many: `first`, then proposals."""
    rng, measured = np.random.default_rng(seed), list[Measured]()
    while len(measured) < trials and not (measured and is_goal(measured[-1].value)):
        queued = first[len(measured) :]
        taken = {trial.architecture for trial in measured}
        chosen = queued[0] if queued else proposer.propose(measured, taken, rng)
        measured.append(Measured(chosen, (measure(chosen),)))
    return [trial.value for trial in measured]


def median_to_goal(benchmark: Benchmark, outcomes: Sequence[Outcome], cap: int) -> str:
    """Return median and range of the measurements until the goal, where a run is given up at `cap`."""
    return median_and_range(
        [
            len(outcome.searched) if benchmark.is_goal(outcome.searched[-1]) else np.inf
            for outcome in outcomes
        ],
        cap,
    )


def median_and_range(counts: Sequence[float], cap: int) -> str:
    """Return median and range of counts as text, infinite ones as more than the cap."""
    counts = sorted(counts)

    def shown(value: float) -> str:
        return f"{value:g}" if np.isfinite(value) else f"> {cap}"

    return f"{shown(float(np.median(counts)))} ({shown(counts[0])} to {shown(counts[-1])})"


def run_searches(
    runs: Sequence[Repeated], report: Callable[[str], None]
) -> dict[Repeated, Outcome]:
    """Return the outcome of each run, from what the same commit has kept or from a search now."""
    return {run: Outcome.of(rows) for run, rows in keep_searches(runs, report).items()}


def keep_searches(
    runs: Sequence[Repeated], report: Callable[[str], None]
) -> dict[Repeated, list[list[float]]]:
    """Return what each search gives, from what the same commit has kept or by searching now.

    As many run side by side as there are cores, each with one thread.
    """
    path = KEPT / f"{commit()}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = dict(_read(path))
    missing = [run for run in dict.fromkeys(runs) if run.key not in kept]
    workers = max(1, min(os.cpu_count() or 1, len(missing)))
    searched = new_executor(None, workers).map_unordered(_begin, missing)
    with path.open("a", encoding="utf-8") as file:
        for done, (run, values) in enumerate(searched, start=1):
            kept[run.key] = values
            # A line that was cut short ends where the next one begins.
            file.write("\n" + json.dumps({"run": run.key, "found": values}))
            file.flush()
            report(f"{done} of {len(missing)} searches, the last: {run.title}")
    return {run: kept[run.key] for run in runs}


def _begin(run: Searches) -> list[list[float]]:
    """Search in a process that may have been told nothing yet."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return run.search()


def _read(path: Path) -> Iterator[tuple[str, list[list[float]]]]:
    """Yield the kept runs; a line that was cut short is left out."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            kept = json.loads(line)
        except json.JSONDecodeError:
            continue
        yield kept["run"], kept["found"]


def _with_noise(measure: Measure, deviation: float, seed: int, space: SearchSpace) -> Measure:
    """Return what measures with normal noise that the seed and the architecture decide."""

    def noisy(architecture: Architecture) -> float:
        number = zlib.crc32(space.format(architecture).encode())
        return measure(architecture) + deviation * np.random.default_rng([seed, number]).normal()  # type: ignore[operator]

    return noisy if deviation else measure


@functools.cache
def _measure(text: str, space: str) -> Measure:
    return read_objective(text, get_search_space(space))
