"""What `search` is asked for, in the words of the command line, and how it is made ready to run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from optuna.pruners import BasePruner, NopPruner

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation.generator import Generator
from diffusionnag.generation.request import parse_bound, parse_request, read_property
from diffusionnag.guidance import Property
from diffusionnag.images import read_images
from diffusionnag.search.command_objective import CommandObjective
from diffusionnag.search.objectives import RUNNING
from diffusionnag.search.problem import Problem, read_problem
from diffusionnag.search.pruning import new_pruner
from diffusionnag.search.sampler import ArchitectureSampler
from diffusionnag.search.searchers import new_searcher
from diffusionnag.search.study import Search, check_trials, open_study
from diffusionnag.spaces import SearchSpace, get_search_space
from diffusionnag.transfer.dataset_encoding import encode_dataset
from diffusionnag.transfer.predictor import DatasetAwarePredictor


@dataclass(frozen=True)
class SearchTask:
    """A search as it was asked for: plain values, so that any process can open it anew.

    Each option is the one of `diffusionnag search`; None stands for one that was left out.
    """

    space: str
    objectives: tuple[str, ...] = ()
    evaluate: str | None = None
    timeout: float | None = None
    retries: int = 0
    cost: str | None = None
    trials: int = 100
    minimize: bool = False
    constraints: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    limit_probability: float = 0.5
    pruner: str = "none"
    searcher: str = "diffusionnag"
    acquisition: str | None = None
    strategy: str | None = None
    warm_up: int | None = None
    start_from: str | None = None
    data: Path | None = None
    generator: str | None = None
    seed: int = 0
    storage: str | None = None
    study: str | None = None

    def open(self, storage: str | None = None) -> Search:
        """Return the search, its study opened in that storage, or else in its own.

        Raises DiffusionNAGError for what cannot be searched, as `new_searcher`, `read_problem` and
        `open_study` do.
        """
        space = get_search_space(self.space)
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
        generator = None
        if self.generator is not None:
            generator = Generator.from_pretrained(self.generator, search_space=space)
        limits = parse_request([], self.limits, self.limit_probability, space).limits
        return new_searcher(
            self.searcher,
            space,
            seed=self.seed,
            limits=limits or None,
            acquisition=self.acquisition,
            strategy=self.strategy,
            warm_up=self.warm_up,
            start_from=self._start(space),
            generator=generator,
        )

    def _start(self, space: SearchSpace) -> Property | None:
        if self.data is not None:
            predictor = DatasetAwarePredictor.from_pretrained(
                self.start_from or space.name, search_space=space
            )
            images = read_images(self.data)
            return predictor.for_dataset(encode_dataset(images, predictor.image_encoder))
        return None if self.start_from is None else read_property(self.start_from, space)

    def _pruner(self, problem: Problem) -> BasePruner:
        pruner = new_pruner(self.pruner)
        reports = problem.kind in RUNNING and len(problem.objectives) == 1
        if not reports and not isinstance(pruner, NopPruner):
            raise DiffusionNAGError(
                "--pruner is for one objective that reports while it is measured, training: or python:"
            )
        return pruner

    def _problem(self, space: SearchSpace) -> Problem:
        bounds = [parse_bound(text, "--constraint") for text in self.constraints]
        command = None
        if self.evaluate is not None:
            command = CommandObjective(space, self.evaluate, self.timeout, self.retries)
        elif self.timeout is not None or self.retries:
            raise DiffusionNAGError("--timeout and --retries are for a command; give --evaluate")
        return read_problem(
            self.objectives,
            bounds,
            space,
            minimize=self.minimize,
            command=command,
            cost=self.cost,
        )
