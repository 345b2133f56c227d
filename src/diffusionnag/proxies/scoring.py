"""Training-free proxies of many architectures, as a table that grows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from diffusionnag._devices import seeded, torch_defaults
from diffusionnag._files import prepare_folder
from diffusionnag._seeds import check_seed
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.execution import Executor, LocalExecutor, check_picklable
from diffusionnag.networks import Augmentation, TaskData, build_network
from diffusionnag.predictors.quality import mean_ranks
from diffusionnag.proxies.az_nas import VIEWS, az_nas
from diffusionnag.proxies.network_proxies import PROXIES, SHARING
from diffusionnag.proxies.untrained import Untrained
from diffusionnag.spaces import (
    Architecture,
    Graph,
    NodeClassification,
    SearchSpace,
    task_as_json,
)
from diffusionnag.tables import nothing_to_learn
from diffusionnag.tables.growing import check_identity, draw_distinct
from diffusionnag.tables.table import Table, read_table, write_table

TABLE_FILE = "scores.parquet"
SETTINGS_FILE = "proxies.json"
USUAL_PROXIES = ("nwot", "synflow", "jacov", "trainability", "flops")
"""Cheap, and better together than each alone, as the first three are known to be (NAS-Bench-Suite-Zero,
Krishnakumar et al. 2022)."""
FURTHER_PROXIES = ("snip", "grad_norm", "fisher", "plain", "l2_norm")
"""They rank networks worse, but tell them apart: as inputs of its surrogate they help a search, where
the usual ones beside their mean do not (tried on accuracies after 12 epochs, and under attack)."""
AZ_NAS = "az_nas"
"""The name of what joins four proxies by their ranks among the networks that are scored."""
COMBINED = "proxies"
"""The name of the mean of ranks."""


@dataclass(frozen=True)
class ProxySettings:
    """Which proxies are computed, `az_nas` among them, on a batch of how many examples.

    Those in `names` are combined, those `besides` are not.
    """

    names: tuple[str, ...] = USUAL_PROXIES
    batch: int = 64
    seed: int = 0
    besides: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = (*PROXIES, AZ_NAS)
        unknown = [name for name in self.asked if name not in known]
        if unknown or not self.names:
            wrong = unknown[0] if unknown else "none"
            raise DiffusionNAGError(f"no proxy {wrong!r}; known: {', '.join(known)}")
        if len(set(self.asked)) < len(self.asked):
            raise DiffusionNAGError("a proxy is named twice")
        if self.batch < 2:
            raise DiffusionNAGError(f"a batch of {self.batch} compares nothing; give at least 2")
        check_seed(self.seed)

    @property
    def asked(self) -> tuple[str, ...]:
        """All that are asked for, those that are combined first."""
        return (*self.names, *self.besides)

    @property
    def computed(self) -> tuple[str, ...]:
        """The proxies of a single network that these are made of, each once."""
        parts = (VIEWS if name == AZ_NAS else (name,) for name in self.asked)
        return tuple(dict.fromkeys(itertools.chain.from_iterable(parts)))


@torch_defaults()
def score_architecture(
    space: SearchSpace,
    architecture: Architecture,
    data: TaskData,
    settings: ProxySettings = ProxySettings(),
) -> dict[str, float]:
    """Return the proxies of an architecture, by name, from the first batch of shuffled `data`.

    The network is as large as the data's task says, and freshly initialised by the seed. A proxy
    that is not defined for it, or not finite, is NaN; for `az_nas` come the four that it joins.
    Raises DiffusionNAGError for an architecture whose network cannot be built.
    """
    shuffled = np.random.default_rng(settings.seed).permutation(data.count)[: settings.batch]
    with seeded(settings.seed):  # windows of a text are shifted at random
        inputs, targets = data.batch(
            torch.from_numpy(shuffled), Augmentation(), torch.device("cpu")
        )
    if isinstance(inputs, Graph):
        raise DiffusionNAGError("training-free proxies are not for networks of graphs")
    network = build_network(space, architecture, task=data.task, seed=settings.seed)
    untrained = Untrained(network, inputs, lambda outputs: data.loss(outputs, targets, 0.0))
    scores = {}
    for name in sorted(settings.computed, key=lambda name: name not in SHARING):
        if name not in SHARING:
            untrained.forget_graph()
        with seeded(settings.seed):
            score = _score(name, untrained)
        scores[name] = score if math.isfinite(score) else math.nan
    return {name: scores[name] for name in settings.computed}


def _score(name: str, untrained: Untrained) -> float:
    try:
        return PROXIES[name](untrained)
    except (RuntimeError, ValueError, TypeError):  # of a user's own module, or of linear algebra
        return math.nan


@dataclass(frozen=True)
class Scorer:
    """Scores any architecture of a space, in whatever process; what cannot be built is NaN."""

    space: SearchSpace
    data: TaskData
    settings: ProxySettings

    def __call__(self, architecture: Architecture) -> dict[str, float]:
        """Return the proxies of an architecture, by name."""
        try:
            return score_architecture(self.space, architecture, self.data, self.settings)
        except DiffusionNAGError:
            return dict.fromkeys(self.settings.computed, math.nan)


def score_space(
    space: SearchSpace,
    data: TaskData,
    count: int,
    folder: Path,
    settings: ProxySettings = ProxySettings(),
    *,
    executor: Executor | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """Return a table of the proxies of `count` random architectures, or more if the folder has more.

    The same ones are drawn with the same seed. Otherwise as `score_architectures`; raises
    DiffusionNAGError besides for a count that the space does not have.
    """
    if not 1 <= count <= space.size:
        raise DiffusionNAGError(
            f"cannot score {count} architectures; ask for 1 to all {space.size} of {space.name}"
        )
    drawn = draw_distinct(space, count, settings.seed)
    return score_architectures(
        space, data, drawn, folder, settings, executor=executor, report=report
    )


def score_architectures(
    space: SearchSpace,
    data: TaskData,
    architectures: Sequence[Architecture],
    folder: Path,
    settings: ProxySettings = ProxySettings(),
    *,
    executor: Executor | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """Return a table of the proxies of architectures, and of those that the folder has besides.

    Each row is kept in `folder` once it is computed, by whichever worker of the `executor`, and a
    later call goes on with them. An architecture whose network cannot be built has NaN everywhere.
    Raises DiffusionNAGError for a folder that holds scores of other settings or data, and where
    several workers would need objects that cannot be pickled.
    """
    if isinstance(data.task, NodeClassification):
        raise DiffusionNAGError("training-free proxies are not for networks of graphs")
    executor, scorer = executor or LocalExecutor(), Scorer(space, data, settings)
    if not isinstance(executor, LocalExecutor):
        check_picklable(scorer, "the networks")
    prepare_folder(folder)
    identity = {"search_space": space.name, "task": task_as_json(data.task)}
    check_identity(
        folder / SETTINGS_FILE,
        identity | asdict(settings) | {"data": data.fingerprint(), "torch": torch.__version__},
        "scores of other settings or data; delete it, or name another folder",
    )
    path, rows = folder / TABLE_FILE, dict[Architecture, dict[str, float]]()
    if path.exists():
        table = read_table(path)
        columns = [table.column(name).tolist() for name in settings.computed]
        for text, *values in zip(table.architectures, *columns, strict=True):
            rows[space.parse(text)] = dict(zip(settings.computed, values, strict=True))
    missing = [architecture for architecture in architectures if architecture not in rows]
    done = len(architectures) - len(missing)
    report(done, len(architectures))
    for architecture, scores in executor.map_unordered(scorer, missing):
        rows[architecture] = scores
        write_table(_table(space, settings, architectures, rows), path)
        done += 1
        report(done, len(architectures))
    return _table(space, settings, architectures, rows)


def single_scores(
    table: Table,
    space: SearchSpace,
    architectures: Sequence[Architecture],
    names: Sequence[str] = FURTHER_PROXIES,
) -> dict[str, np.ndarray]:
    """Return what scored architectures have by each of some proxies, by name, `count` float64 each.

    Left out are proxies that are not defined for all of them, or the same for all.
    """
    texts = list(map(space.format, architectures))
    scores = {name: table.lookup(name, texts) for name in names}
    return {
        name: values
        for name, values in scores.items()
        if np.isfinite(values).all() and not nothing_to_learn(values)
    }


def combined_ranks(scores: dict[str, np.ndarray]) -> np.ndarray:
    """Return the mean of the ranks by each proxy, from 0 (worst) to 1, `count` float64.

    Proxies that are defined for fewer than half of the architectures do not count; an architecture
    for which one that counts is not defined is NaN.
    """
    ranks = []
    for values in scores.values():
        known = np.isfinite(values)
        if known.sum() * 2 >= len(values) and known.sum() > 1:
            rank = np.full(len(values), np.nan)
            rank[known] = mean_ranks(values[known]) / (known.sum() - 1)
            ranks.append(rank)
    return np.mean(ranks, axis=0) if ranks else np.full(len(next(iter(scores.values()))), np.nan)


def _table(
    space: SearchSpace,
    settings: ProxySettings,
    asked: Sequence[Architecture],
    rows: dict[Architecture, dict[str, float]],
) -> Table:
    """Return what is scored, those asked for in their order first."""
    ordered = dict.fromkeys([*(each for each in asked if each in rows), *rows])
    computed = {
        name: np.array([rows[each][name] for each in ordered], dtype=np.float64)
        for name in settings.computed
    }
    if AZ_NAS in settings.asked:
        computed[AZ_NAS] = az_nas({name: computed[name] for name in VIEWS})
    combined = combined_ranks({name: computed[name] for name in settings.names})
    return Table("proxies", tuple(map(space.format, ordered)), computed | {COMBINED: combined})
