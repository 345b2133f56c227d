"""AnalogNAS-Bench: measured accuracies of every NAS-Bench-201 cell, from a package on PyPI.

The package `analog-nasbench` (0.1.3) holds one pickle of plain objects. Its own loader needs
`pkg_resources`, and a pickle can run any code; so neither the package nor the pickle's own choice
of classes is trusted here: the file is found without importing the package, and is read by the
restricted unpickler.
"""

import functools
import importlib.util
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from diffusionnag._files import read_file
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.tables._kept import read_or_recall
from diffusionnag.tables.table import Table
from diffusionnag.tables.unpickling import damaged, restricted_unpickle

ANALOG_NASBENCH = "analog-nasbench"

# The package numbers the operations in this order.
_OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")

# "analog_noise" is the network trained as usual and then run on noisy analog hardware (the file's
# "noisy" and "baseline_drift"), "analog_aware" the one trained for it ("analog"). The drifts are
# those after 60 s, one hour, one day and 30 days.
_COLUMNS = {
    "cifar10": "baseline_accuracy",
    "quantised_8bit": "ptq_accuracy",
    "quantisation_aware": "qat_accuracy",
    "analog_noise": "noisy_accuracy",
    "analog_drift_1minute": "baseline_drift_60.value",
    "analog_drift_1hour": "baseline_drift_3600.value",
    "analog_drift_1day": "baseline_drift_86400.value",
    "analog_drift_1month": "baseline_drift_2592000.value",
    "analog_aware": "analog_accuracy",
    "analog_aware_drift_1minute": "analog_drift_60.value",
    "analog_aware_drift_1hour": "analog_drift_3600.value",
    "analog_aware_drift_1day": "analog_drift_86400.value",
    "analog_aware_drift_1month": "analog_drift_2592000.value",
}


class _Record:
    """Stands in for the package's classes: holds attributes, does nothing."""


_STAND_INS = {
    ("analognasbench.data", "Architecture"): _Record,
    ("analognasbench.data", "DriftMeasurement"): _Record,
}
_SOURCE = f"the data of {ANALOG_NASBENCH}"
_REMEDY = "install it again: pip install --force-reinstall analog-nasbench==0.1.3"


def analog_nasbench_file() -> Path | None:
    """Find the data file of analog-nasbench without importing it; None where not installed."""
    spec = importlib.util.find_spec("analognasbench")
    folders = (spec.submodule_search_locations if spec else None) or []
    files = [Path(folder) / "data.anb" for folder in folders]
    return next((file for file in files if file.is_file()), None)


@functools.cache
def read_analog_nasbench() -> Table:
    """Read the measured accuracies of all 15,625 NAS-Bench-201 cells on CIFAR-10, in %.

    Columns: `cifar10` as trained, `quantised_8bit` after post-training quantisation,
    `quantisation_aware` after training for it, `analog_noise` on analog hardware, `analog_aware`
    there after training for it, and both of these after a drift of a minute, an hour, a day and a
    month. The pickle is read once on a machine. Raises DiffusionNAGError where the package is
    absent or damaged.
    """
    file = analog_nasbench_file()
    if file is None:
        raise DiffusionNAGError(
            f"{ANALOG_NASBENCH} is not installed: pip install 'diffusionnag[bench]'"
        )
    return read_or_recall(ANALOG_NASBENCH, [file], lambda: _read(file))


def _read(file: Path) -> Table:
    return _to_table(restricted_unpickle(read_file(file), _STAND_INS, _SOURCE, _REMEDY))


def _to_table(records: Any) -> Table:
    try:
        architectures = tuple(_architecture_string(key) for key in records)
        columns = {
            name: np.fromiter(map(attrgetter(path), records.values()), np.float64)
            for name, path in _COLUMNS.items()
        }
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise damaged(_SOURCE, str(error), _REMEDY) from error
    return Table(ANALOG_NASBENCH, architectures, columns)


def _architecture_string(key: tuple[int, ...]) -> str:
    # The package orders the edges by their source, the benchmark's string by their target.
    e01, e02, e03, e12, e13, e23 = (_OPERATIONS[number] for number in key)
    return f"|{e01}~0|+|{e02}~0|{e12}~1|+|{e03}~0|{e13}~1|{e23}~2|"
