"""A search as one call, and what it is asked for: what the command `search` fills in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from optuna.pruners import BasePruner, NopPruner
from optuna.study import Study

from diffusionnag.artifacts.model_cards import About
from diffusionnag.errors import DiffusionNAGError, ImprobableError
from diffusionnag.execution import (
    Executor,
    LocalExecutor,
    ProcessExecutor,
    check_picklable,
    new_executor,
)
from diffusionnag.generation.bounds import parse_bound
from diffusionnag.generation.generator import Generator
from diffusionnag.generation.request import parse_request, read_property, space_under
from diffusionnag.guidance import Bound, Property
from diffusionnag.images import read_images
from diffusionnag.proxies import shipped_proxies
from diffusionnag.search._pruners import new_pruner
from diffusionnag.search._workers import run_workers
from diffusionnag.search.architecture_sampler import ArchitectureSampler
from diffusionnag.search.earlier_measurements import add_measured
from diffusionnag.search.objectives import CommandObjective, Measure, Problem, read_problem
from diffusionnag.search.search_result import SearchResult
from diffusionnag.search.searchers import new_searcher
from diffusionnag.search.storages import shared_storage
from diffusionnag.search.study import Search, check_trials, note_origin, open_study
from diffusionnag.spaces import SearchSpace
from diffusionnag.transfer.dataset_encoding import encode_dataset
from diffusionnag.transfer.known_datasets import known_datasets, mean_over_datasets
from diffusionnag.transfer.predictor import DatasetAwarePredictor, is_dataset_aware


@dataclass(frozen=True)
class SearchTask:
    """All that a search is asked for; None stands for what is left out.

    Several workers open it anew, each in its own process, so it must be picklable then: functions
    and classes of your own belong in a module.
    """

    space: str | SearchSpace
    objectives: str | Sequence[str] = ()
    """What to raise or lower, each as `read_objective` has it, `=min` behind it to lower it; or the
    names of values that `evaluate` gives."""
    evaluate: str | Measure | None = None
    """A function of an architecture, or a shell command (see `CommandObjective`), that measures."""
    timeout: float | None = None
    """Seconds after which a command is killed."""
    retries: int = 0
    """How often a command that fails is repeated."""
    cost: str | None = None
    """The measured value that is summed over all trials."""
    minimize: bool = False
    """Whether less of a single objective is better."""
    constraints: Sequence[str] = ()
    """Bounds `NAME<=VALUE` on measured values, which are learnt."""
    measured: str | Path | None = None
    """A table of what was measured before, with columns by the names of the objectives."""
    trials: int = 100
    """How many to measure, with those of an earlier run of the same study and those `measured` before."""
    pruner: str = "none"
    searcher: str = "diffusionnag"
    acquisition: str | None = None
    strategy: str | None = None
    warm_up: int | None = None
    """Measurements before the first proposal."""
    until_improbable: float | None = None
    """The search ends when the chance that something better is left, by its surrogate, is below this."""
    noisy: bool = False
    """Whether measuring gives another value each time; promising architectures are measured again."""
    start_from: str | Path | Property | Sequence[str | Path | Property] | None = None
    """Properties whose best are measured first; with `data`, a folder of `meta-train` too."""
    data: str | Path | None = None
    """Images whose predicted accuracy the search starts from."""
    limits: Sequence[str | Bound] = ()
    """Limits on properties known before measuring, which every proposal keeps."""
    limit_probability: float = 0.5
    conditions: Sequence[str] = ()
    """What limits, the properties to start from and analytic ones are asked for under: `resolution=192`."""
    fixed: Mapping[str, str] | None = None
    """Operation by node that every proposal has."""
    generator: str | Path | Generator | None = None
    storage: str | None = None
    """Where the study is kept (see `open_storage`); in memory if left out."""
    study: str | None = None
    """Name of the study; its space and objectives if left out."""
    workers: int = 1
    executor: str | None = None
    cpus: float | None = None
    gpus: float | None = None
    """Of each worker of a cluster."""
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.objectives, str):
            object.__setattr__(self, "objectives", (self.objectives,))

    def run(
        self,
        report: Callable[[SearchResult], None] = lambda result: None,
        about: About | None = None,
    ) -> SearchResult:
        """Run the trials that are left, and return what was measured.

        `report` is told how far it has got: at the start, and after each trial. `about` says where
        the study comes from. Raises DiffusionNAGError for what cannot be searched, as `new_searcher`,
        `read_problem` and `open_study` do, and EnvironmentFailureError for a storage that fails.
        """
        executor = new_executor(self.executor, self.workers, cpus=self.cpus, gpus=self.gpus)
        share = shared_storage if isinstance(executor, ProcessExecutor) else nullcontext
        with share(self.storage) as storage:
            return replace(self, storage=storage)._run(executor, report, about or About())

    def _run(
        self, executor: Executor, report: Callable[[SearchResult], None], about: About
    ) -> SearchResult:
        if not isinstance(executor, LocalExecutor):
            check_picklable(self, "a search")
        search = self.open()
        if self.measured is not None:
            add_measured(search, self.measured)
        result = partial(SearchResult.of, search, about)
        note_origin(search.study, result().run_record())

        def show(study: Study) -> None:
            report(result())

        show(search.study)
        if isinstance(executor, LocalExecutor):
            ended = search.run(show)
        else:
            ended = run_workers(search, self.open, executor, self.workers, show)
        outlook = search.sampler.outlook(search.study)
        return replace(result(), outlook=outlook, improbable=isinstance(ended, ImprobableError))

    def open(self, storage: str | None = None) -> Search:
        """Return the search, its study opened in that storage, or else in its own.

        Raises DiffusionNAGError as `run` does.
        """
        space = space_under(self.space, self.conditions)
        sampler = self._sampler(space)
        check_trials(space, self.trials)
        problem = self._problem(space)
        study = open_study(
            sampler,
            problem.subject,
            directions=problem.directions,
            storage=storage or self.storage,
            name=self.study,
            pruner=self._pruner(problem),
        )
        return Search(problem, sampler, study, self.trials)

    def _sampler(self, space: SearchSpace) -> ArchitectureSampler:
        generator = self.generator
        if generator is not None and not isinstance(generator, Generator):
            generator = Generator.from_pretrained(generator, search_space=space)
        priors = self._priors(space)
        limits = parse_request(priors, self.limits, self.limit_probability, space).limits
        return new_searcher(
            self.searcher,
            space,
            fixed=self.fixed,
            seed=self.seed,
            limits=limits or None,
            acquisition=self.acquisition,
            strategy=self.strategy,
            warm_up=self.warm_up,
            until_improbable=self.until_improbable,
            noisy=self.noisy or None,
            start_from=priors or None,
            generator=generator,
        )

    def _priors(self, space: SearchSpace) -> tuple[Property, ...]:
        """Return what the search starts from, the accuracy predicted for the images at first.

        Where no more is named, proxies that ship for the space count besides.
        """
        start = self.start_from
        given = (start,) if isinstance(start, (str, Path, Property)) else tuple(start or ())
        given = [str(prior) if isinstance(prior, Path) else prior for prior in given]
        if self.data is None:
            return tuple(_read(prior, space) for prior in given)
        aware = [prior for prior in given if isinstance(prior, str) and is_dataset_aware(prior)]
        others: list[Property] = [_read(prior, space) for prior in given if prior not in aware]
        images, predicted = read_images(Path(self.data)), list[Property]()
        if not aware and known_datasets(space):
            return (mean_over_datasets(space), *others)
        if not given:
            others += shipped_proxies(space)
        for name in aware or [space.name]:
            predictor = DatasetAwarePredictor.from_pretrained(name, search_space=space)
            encoding = encode_dataset(images, predictor.image_encoder)
            predicted.append(predictor.for_dataset(encoding))
        return (*predicted, *others)

    def _pruner(self, problem: Problem) -> BasePruner:
        pruner = new_pruner(self.pruner)
        reports = problem.kind.reports and len(problem.objectives) == 1
        if not reports and not isinstance(pruner, NopPruner):
            raise DiffusionNAGError(
                "a pruner is for one objective that reports while it is measured, training: or python:"
            )
        return pruner

    def _problem(self, space: SearchSpace) -> Problem:
        bounds = [parse_bound(text, "constraint") for text in self.constraints]
        evaluate = self.evaluate
        if isinstance(evaluate, str):
            evaluate = CommandObjective(space, evaluate, self.timeout, self.retries)
        elif self.timeout is not None or self.retries:
            raise DiffusionNAGError("timeout and retries are for a command; give one to evaluate")
        return read_problem(
            self.objectives,
            bounds,
            space,
            minimize=self.minimize,
            evaluate=evaluate,
            cost=self.cost,
        )


def _read(prior: str | Property, space: SearchSpace) -> Property:
    return prior if isinstance(prior, Property) else read_property(prior, space)


def search(
    space: str | SearchSpace,
    objectives: str | Sequence[str] = (),
    *,
    trials: int = 100,
    report: Callable[[SearchResult], None] = lambda result: None,
    **options: Any,
) -> SearchResult:
    """Measure architectures of a space, each chosen by what was measured before, and return them.

    `options` are the fields of `SearchTask`: what measures, who searches, and where it runs. `report`
    is told how far it has got. Raises as `SearchTask.run` does.
    """
    return SearchTask(space, objectives, trials=trials, **options).run(report)
