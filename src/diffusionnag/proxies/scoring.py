"""Training-free proxies of many architectures, as a table that grows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from diffusionnag._devices import torch_defaults
from diffusionnag._files import prepare_folder
from diffusionnag._seeds import check_seed
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks import Augmentation, TaskData, build_network
from diffusionnag.proxies.network_proxies import PROXIES, Batch
from diffusionnag.spaces import (
    Architecture,
    Graph,
    NodeClassification,
    SearchSpace,
    task_as_json,
)
from diffusionnag.tables.growing import check_identity, draw_other
from diffusionnag.tables.table import Table, read_table, write_table

TABLE_FILE = "scores.parquet"
SETTINGS_FILE = "proxies.json"
USUAL_PROXIES = ("nwot", "synflow", "jacov")
"""Cheap, and better together than each alone (NAS-Bench-Suite-Zero, Krishnakumar et al. 2022)."""
COMBINED = "proxies"
"""The name of the mean of ranks."""


@dataclass(frozen=True)
class ProxySettings:
    """Which proxies are computed, on a batch of how many examples."""

    names: tuple[str, ...] = USUAL_PROXIES
    batch: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = [name for name in self.names if name not in PROXIES]
        if unknown or not self.names:
            wrong = unknown[0] if unknown else "none"
            raise DiffusionNAGError(f"no proxy {wrong!r}; known: {', '.join(PROXIES)}")
        if len(set(self.names)) < len(self.names):
            raise DiffusionNAGError("a proxy is named twice")
        if self.batch < 2:
            raise DiffusionNAGError(f"a batch of {self.batch} compares nothing; give at least 2")
        check_seed(self.seed)


@torch_defaults()
def score_architecture(
    space: SearchSpace,
    architecture: Architecture,
    data: TaskData,
    settings: ProxySettings = ProxySettings(),
) -> dict[str, float]:
    """Return the proxies of an architecture, by name, from the first batch of shuffled `data`.

    The network is as large as the data's task says, and freshly initialised by the seed. A proxy
    that is not defined for it, or not finite, is NaN. Raises DiffusionNAGError for an architecture
    whose network cannot be built.
    """
    shuffled = np.random.default_rng(settings.seed).permutation(data.count)[: settings.batch]
    inputs, targets = data.batch(torch.from_numpy(shuffled), Augmentation(), torch.device("cpu"))
    if isinstance(inputs, Graph):
        raise DiffusionNAGError("training-free proxies are not for networks of graphs")
    network = build_network(space, architecture, task=data.task, seed=settings.seed)
    batch = Batch(inputs, lambda outputs: data.loss(outputs, targets, 0.0))
    scores = {}
    for name in settings.names:
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            score = _score(name, network, batch)
        scores[name] = score if math.isfinite(score) else math.nan
    return scores


def _score(name: str, network: torch.nn.Module, batch: Batch) -> float:
    try:
        return PROXIES[name](network, batch)
    except (RuntimeError, ValueError, TypeError):  # of a user's own module, or of linear algebra
        return math.nan


def score_space(
    space: SearchSpace,
    data: TaskData,
    count: int,
    folder: Path,
    settings: ProxySettings = ProxySettings(),
    *,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """Return a table of the proxies of `count` random architectures, or more if the folder has more.

    Each row is kept in `folder` once it is computed, and a later call goes on with them. An
    architecture whose network cannot be built has NaN everywhere. Raises DiffusionNAGError for a
    count that the space does not have, and a folder that holds scores of other settings or data.
    """
    if not 1 <= count <= space.size:
        raise DiffusionNAGError(
            f"cannot score {count} architectures; ask for 1 to all {space.size} of {space.name}"
        )
    if isinstance(data.task, NodeClassification):
        raise DiffusionNAGError("training-free proxies are not for networks of graphs")
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
        columns = [table.column(name).tolist() for name in settings.names]
        for text, *values in zip(table.architectures, *columns, strict=True):
            rows[space.parse(text)] = dict(zip(settings.names, values, strict=True))
    while len(rows) < count:
        report(len(rows), count)
        architecture = draw_other(space, rows, settings.seed)
        try:
            rows[architecture] = score_architecture(space, architecture, data, settings)
        except DiffusionNAGError:
            rows[architecture] = dict.fromkeys(settings.names, math.nan)
        write_table(_table(space, settings, rows), path)
    report(len(rows), count)
    return _table(space, settings, rows)


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
            _, place, ties = np.unique(values[known], return_inverse=True, return_counts=True)
            # Equal scores share the mean of their ranks.
            middle = np.cumsum(ties) - (ties + 1) / 2
            rank[known] = middle[place] / (known.sum() - 1)
            ranks.append(rank)
    return np.mean(ranks, axis=0) if ranks else np.full(len(next(iter(scores.values()))), np.nan)


def _table(
    space: SearchSpace, settings: ProxySettings, rows: dict[Architecture, dict[str, float]]
) -> Table:
    scores = {
        name: np.array([row[name] for row in rows.values()], dtype=np.float64)
        for name in settings.names
    }
    return Table(
        "proxies", tuple(map(space.format, rows)), scores | {COMBINED: combined_ranks(scores)}
    )
