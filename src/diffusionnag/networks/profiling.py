"""Latencies of a space's networks on this very machine, as a table that grows."""

from __future__ import annotations

import functools
import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from diffusionnag._files import prepare_folder
from diffusionnag._seeds import check_seed
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.building import build_network, require_networks
from diffusionnag.networks.counting import buildable, counted_names
from diffusionnag.networks.generation_latency import BACKENDS, decodes, measure_generations
from diffusionnag.networks.latency import LatencySettings, measure_latencies
from diffusionnag.spaces import Architecture, SearchSpace, Task, task_as_json
from diffusionnag.tables.growing import check_identity, draw_other
from diffusionnag.tables.table import Table, read_table, write_table

TABLE_FILE = "latencies.parquet"
SETTINGS_FILE = "profile.json"
MEASURED, REFERENCE = "measured_ms", "reference_ms"
COMPARED = 101
"""Random architectures of which the one with the median of multiply-adds is the reference."""


@dataclass(frozen=True)
class ProfileSettings:
    """What is measured: networks for a task, each as `latency` says.

    With `generation` it is one more token of a text, with a cache, in place of a whole text.
    """

    latency: LatencySettings
    task: Task
    generation: bool = False


def latency_name(name: str) -> str:
    """Return what the latency on a machine of this name is called, `latency:NAME`.

    Raises DiffusionNAGError for a name that is not made of letters, digits, `_` and `-`.
    """
    if not name.replace("-", "").replace("_", "").isalnum():
        raise DiffusionNAGError(f"the name {name!r} should be made of letters, digits, _ and -")
    return f"latency:{name}"


def measure_beside_reference(
    space: SearchSpace, architecture: Architecture, settings: ProfileSettings
) -> tuple[float, float]:
    """Return the latencies in ms of an architecture and, measured in turn with it, of a reference.

    The reference is the same one in every call, so that other work on the machine shows.
    """
    own, reference = _medians(space, [architecture, _reference(space)], settings)
    return own, reference


def _beside_reference_or_nan(
    space: SearchSpace, architecture: Architecture, settings: ProfileSettings
) -> tuple[float, float]:
    """Return the same, but NaN for an architecture whose network cannot be built or run."""
    try:
        return measure_beside_reference(space, architecture, settings)
    except Exception:  # whatever the user's own network raises
        # Where the reference fails too, it is not the architecture's fault.
        (reference,) = _medians(space, [_reference(space)], settings)
        return math.nan, reference


def _medians(
    space: SearchSpace, architectures: Sequence[Architecture], settings: ProfileSettings
) -> list[float]:
    networks = [build_network(space, each, task=settings.task) for each in architectures]
    measure = measure_generations if settings.generation else measure_latencies
    latencies = measure(networks, settings.task, settings.latency)
    assert latencies is not None
    return [latency.median for latency in latencies]


def _require_cache(space: SearchSpace, settings: ProfileSettings) -> None:
    network = build_network(space, _reference(space), task=settings.task)
    if not decodes(network, settings.latency.backend):
        raise DiffusionNAGError(
            f"networks of {space.name} write no text with a cache by {settings.latency.backend}; leave "
            f"out generation, or take a language model and {' or '.join(BACKENDS)}"
        )


@functools.cache
def _reference(space: SearchSpace) -> Architecture:
    drawn = space.sample(COMPARED, 0)
    if "macs" in counted_names(space):
        drawn, costs = buildable(space, drawn)
        macs = costs["macs"]
    else:
        macs = [space.analytic_properties(architecture)["macs"] for architecture in drawn]
    return drawn[int(np.argsort(macs, kind="stable")[len(drawn) // 2])]


def profile_space(
    space: SearchSpace,
    column: str,
    count: int,
    folder: Path,
    settings: ProfileSettings,
    *,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """Return a table of `count` random architectures, or more if the folder holds more.

    Its `column` holds each latency in ms as it would be at the machine's usual speed: as measured
    (`measured_ms`), times the reference's median over all rows, over the reference's latency just then
    (`reference_ms`). An architecture whose network cannot be built or run has NaN. Each row is kept in
    `folder` once it is measured, and a later call goes on with them. Raises DiffusionNAGError for a
    count the space does not have, impossible settings, and a folder that holds a profile of other
    settings or of another machine.
    """
    settings.latency.check()
    require_networks(space)
    if settings.generation:
        _require_cache(space, settings)
    if not 1 <= count <= space.size:
        raise DiffusionNAGError(
            f"cannot measure {count} architectures; ask for 1 to all {space.size} of {space.name}"
        )
    prepare_folder(folder)
    check_identity(
        folder / SETTINGS_FILE,
        {
            "search_space": space.name,
            "column": column,
            "latency": asdict(settings.latency),
            "task": task_as_json(settings.task),
            "machine": platform.node(),
            "torch": torch.__version__,
            **({"generation": True} if settings.generation else {}),
        },
        "a profile of other settings or another machine; delete it, or give this one another name",
    )
    path, rows = folder / TABLE_FILE, dict[Architecture, tuple[float, float]]()
    if path.exists():
        table = read_table(path)
        pairs = zip(table.column(MEASURED).tolist(), table.column(REFERENCE).tolist(), strict=True)
        rows = dict(zip(map(space.parse, table.architectures), pairs, strict=True))
    while len(rows) < count:
        report(len(rows), count)
        architecture = draw_other(space, rows, check_seed(seed))
        rows[architecture] = _beside_reference_or_nan(space, architecture, settings)
        write_table(_steadied(space, column, rows), path)
    report(len(rows), count)
    return _steadied(space, column, rows)


def _steadied(
    space: SearchSpace, column: str, rows: dict[Architecture, tuple[float, float]]
) -> Table:
    measured, reference = np.array(list(rows.values())).T
    columns = {
        column: measured * np.median(reference) / reference,
        MEASURED: measured,
        REFERENCE: reference,
    }
    return Table("profile", tuple(map(space.format, rows)), columns)
