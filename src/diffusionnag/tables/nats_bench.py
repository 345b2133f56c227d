"""NATS-Bench: measured accuracies of every NAS-Bench-201 cell, from the official archive.

The topology archive of Dong & Yang (2020) is a folder NATS-tss-v1_0-3ffb9-simple with one
compressed pickle a cell, named by its index, and one that lists the cells. They are read here as
the package `nats-bench` (1.8) reads them, averages included, but by the restricted unpickler.
"""

import bz2
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.tables.table import Table
from diffusionnag.tables.unpickling import (
    NUMPY_NUMBERS,
    StandIns,
    damaged,
    restricted_unpickle,
)

ARCHIVE = "NATS-tss-v1_0-3ffb9-simple"
CELLS = 15_625

_SUFFIX = ".pickle.pbz2"
_META = f"meta{_SUFFIX}"
_REMEDY = "extract it again from the official archive"
# The largest file of the archive unpacks to less than 2 MB.
_LARGEST = 64 * 2**20
_CELL = re.compile(r"\|\w+~0\|\+\|\w+~0\|\w+~1\|\+\|\w+~0\|\w+~1\|\w+~2\|")


class _Score(NamedTuple):
    """Which of the archive's accuracies: `cifar10-valid` is CIFAR-10 with a part held out."""

    epochs: int
    data_set: str
    part: str


_SCORES = {
    "cifar10_test_200ep": _Score(200, "cifar10", "ori-test"),
    "cifar100_test_200ep": _Score(200, "cifar100", "x-test"),
    "imagenet16_test_200ep": _Score(200, "ImageNet16-120", "x-test"),
    "cifar10_test_12ep": _Score(12, "cifar10", "ori-test"),
    "cifar10_valid_12ep": _Score(12, "cifar10-valid", "x-valid"),
    "cifar100_test_12ep": _Score(12, "cifar100", "x-test"),
    "cifar100_valid_12ep": _Score(12, "cifar100", "x-valid"),
    "imagenet16_test_12ep": _Score(12, "ImageNet16-120", "x-test"),
    "imagenet16_valid_12ep": _Score(12, "ImageNet16-120", "x-valid"),
}

# The network whose size and latency are given: that of CIFAR-10.
_COST_EPOCHS, _COST_DATA_SET = 200, "cifar10"
# The reference takes sizes from this seed where the seeds disagree.
_COST_SEED = 888


_STAND_INS: StandIns = {("collections", "OrderedDict"): dict, **NUMPY_NUMBERS}


def read_nats_bench(
    folder: str | Path, report: Callable[[int, int], object] = lambda done, total: None
) -> Table:
    """Read the extracted archive NATS-tss-v1_0-3ffb9-simple; one row a file, in their order.

    Columns: accuracies in %, means over the seeds, named as `cifar10_test_200ep`; and of the
    CIFAR-10 network `params_m` and `flops_m` in millions and `latency_seconds` of a batch of 256,
    these three NaN where unknown. Cells whose file is absent are left out. One file is in memory
    at a time; `report` is called with the numbers of files read and to read. Raises
    DiffusionNAGError for another folder and for a damaged file, EnvironmentFailureError for what
    cannot be read.
    """
    folder = Path(folder)
    files = _cell_files(folder)
    cells = _read_cells(folder / _META)
    rows: dict[str, dict[str, float]] = {}
    for number, file in enumerate(files):
        report(number, len(files))
        index = int(file.name.removesuffix(_SUFFIX))
        if index >= len(cells):
            raise damaged(str(file), f"the benchmark has {len(cells)} cells", _REMEDY)
        rows[cells[index]] = _read_row(file, cells[index])
    report(len(files), len(files))
    names = next(iter(rows.values()))
    columns = {name: np.array([row[name] for row in rows.values()]) for name in names}
    return Table("nats-bench", tuple(rows), columns)


def _cell_files(folder: Path) -> list[Path]:
    expected = f"the extracted folder {ARCHIVE} of NATS-Bench is expected"
    if folder.is_file():
        how = f"; extract it first: tar -xf {folder}" if ".tar" in folder.suffixes else ""
        raise DiffusionNAGError(f"{folder}: is a file, but {expected}{how}")
    if not folder.exists():
        raise DiffusionNAGError(f"{folder}: no such folder; {expected}")
    try:
        names = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise EnvironmentFailureError(f"{folder}: cannot be read: {error.strerror}") from error
    if _META not in names:
        raise DiffusionNAGError(f"{folder}: holds no {_META}; {expected}")
    numbered = sorted(name for name in names if re.fullmatch(rf"\d{{6}}{re.escape(_SUFFIX)}", name))
    if not numbered:
        raise DiffusionNAGError(f"{folder}: holds no file such as 000000{_SUFFIX}; {expected}")
    return [folder / name for name in numbered]


def _read_cells(file: Path) -> list[str]:
    meta = _unpickle(file)
    cells = meta.get("meta_archs") if isinstance(meta, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, str) for cell in cells):
        raise damaged(str(file), "it lists no architectures", _REMEDY)
    if len(set(cells)) != CELLS or len(cells) != CELLS or not all(map(_CELL.fullmatch, cells)):
        raise DiffusionNAGError(
            f"{file}: does not list the {CELLS:,} cells of NAS-Bench-201; the topology archive "
            f"{ARCHIVE} is expected, not that of the size search space"
        )
    return cells


def _read_row(file: Path, cell: str) -> dict[str, float]:
    content = _unpickle(file)
    try:
        for results in content.values():
            if results["arch_str"] != cell:
                raise ValueError(f"it is about {results['arch_str']} instead of {cell}")
        return {
            **{name: _mean_accuracy(content, score) for name, score in _SCORES.items()},
            **_costs(content),
        }
    except (AttributeError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise damaged(str(file), reason, _REMEDY) from error


def _runs(content: dict[str, Any], epochs: int, data_set: str) -> dict[int, dict[str, Any]]:
    """Return what the training from each seed came to."""
    results = content[str(epochs)]
    return {
        seed: results["all_results"][data_set, seed] for seed in results["dataset_seed"][data_set]
    }


def _mean_accuracy(content: dict[str, Any], score: _Score) -> float:
    last = f"{score.part}@{score.epochs - 1}"
    runs = _runs(content, score.epochs, score.data_set).values()
    accuracies = [float(run["eval_acc1es"][last]) for run in runs]
    if not all(0 <= accuracy <= 100 for accuracy in accuracies):
        raise ValueError(f"accuracies {accuracies}")
    return _mean(accuracies)


def _costs(content: dict[str, Any]) -> dict[str, float]:
    runs = _runs(content, _COST_EPOCHS, _COST_DATA_SET)
    latencies = [_mean([float(time) for time in run["latency"] or ()]) for run in runs.values()]
    return {
        "params_m": _size({seed: float(run["params"]) for seed, run in runs.items()}),
        "flops_m": _size({seed: float(run["flop"]) for seed, run in runs.items()}),
        # -1 means not measured.
        "latency_seconds": _mean([latency for latency in latencies if latency > 0]),
    }


def _size(of_seed: dict[int, float]) -> float:
    if len({f"{size:.5f}" for size in of_seed.values()}) > 1:
        return of_seed.get(_COST_SEED, math.nan)
    return _mean(list(of_seed.values()))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _unpickle(file: Path) -> Any:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise EnvironmentFailureError(f"{file}: cannot be read: {error.strerror}") from error
    decompressor = bz2.BZ2Decompressor()
    try:
        content = decompressor.decompress(data, _LARGEST)
    except OSError as error:
        raise damaged(str(file), str(error), _REMEDY) from error
    if not decompressor.eof:
        raise damaged(str(file), "it is cut off or far too large", _REMEDY)
    return restricted_unpickle(content, _STAND_INS, str(file), _REMEDY)
