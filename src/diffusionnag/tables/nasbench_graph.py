"""NAS-Bench-Graph: measured graph networks on nine datasets, from a package on PyPI.

The package `nas-bench-graph` (1.4.0) holds one pickle for each dataset: a dictionary from the hash
of an architecture to its measurements. They are found without importing the package, and read by
the restricted unpickler.
"""

import functools
import importlib.util
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from diffusionnag._files import read_file
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces.nasbench_graph import GRAPH_OPERATIONS, LAYERS, WIRINGS
from diffusionnag.tables._kept import read_or_recall
from diffusionnag.tables.table import Table
from diffusionnag.tables.unpickling import NUMPY_NUMBERS, damaged, restricted_unpickle

NAS_BENCH_GRAPH = "nas-bench-graph"
COMPLETE_DATASETS = (
    *("cora", "citeseer", "pubmed", "cs"),
    *("physics", "photo", "computers", "arxiv"),
)
"""On these every network of the space was measured."""
GRAPH_DATASETS = (*COMPLETE_DATASETS, "proteins")
"""On the last 2,021 networks were measured."""

# What follows the dataset in a column's name, the file's own name, and the factor to its unit.
_MEASUREMENTS = {
    "": ("perf", 100),
    "_validation": ("valid_perf", 100),
    "_latency_ms": ("latency", 1000),
    "_params": ("para", 1),
}
_SOURCE = f"the data of {NAS_BENCH_GRAPH}"
_REMEDY = "install it again: pip install --force-reinstall nas-bench-graph==1.4.0"


def nas_bench_graph_folder() -> Path | None:
    """Find the data of nas-bench-graph without importing it; None where not installed."""
    spec = importlib.util.find_spec("nas_bench_graph")
    folders = (spec.submodule_search_locations if spec else None) or []
    return next(
        (path for path in (Path(folder) / "light" for folder in folders) if path.is_dir()), None
    )


@functools.cache
def read_nas_bench_graph() -> Table:
    """Read the measurements of all 26,206 networks on nine datasets.

    Columns for each DATASET: `DATASET`, the test accuracy in % (of proteins the ROC-AUC),
    `DATASET_validation`, `DATASET_latency_ms`, and `DATASET_params` in millions; NaN where a
    network was not measured. The pickles are read once on a machine. Raises DiffusionNAGError where
    the package is absent or damaged.
    """
    folder = nas_bench_graph_folder()
    if folder is None:
        raise DiffusionNAGError(
            f"{NAS_BENCH_GRAPH} is not installed: pip install 'diffusionnag[bench]'"
        )
    files = {dataset: folder / f"{dataset}.bench" for dataset in GRAPH_DATASETS}
    return read_or_recall(NAS_BENCH_GRAPH, list(files.values()), lambda: _read(files))


def _read(files: Mapping[str, Path]) -> Table:
    records = {
        dataset: restricted_unpickle(read_file(file), NUMPY_NUMBERS, _SOURCE, _REMEDY)
        for dataset, file in files.items()
    }
    try:
        hashes = sorted(set().union(*records.values()))
        architectures = tuple(map(_architecture_string, hashes))
        columns = {
            dataset + suffix: np.array(
                [factor * measured[key][name] if key in measured else np.nan for key in hashes]
            )
            for dataset, measured in records.items()
            for suffix, (name, factor) in _MEASUREMENTS.items()
        }
        return Table(NAS_BENCH_GRAPH, architectures, columns)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise damaged(_SOURCE, f"{type(error).__name__}: {error}", _REMEDY) from error


def _architecture_string(key: int) -> str:
    # A hash is the number of the wiring, then the layers' operations as decimal digits.
    wiring, operations = divmod(key, 10**LAYERS)
    sources = ",".join(map(str, WIRINGS[wiring]))
    layers = ",".join(GRAPH_OPERATIONS[int(digit)] for digit in f"{operations:0{LAYERS}}")
    return f"{sources}|{layers}"
