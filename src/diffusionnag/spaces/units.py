"""Units of properties, as far as their names tell them."""

from __future__ import annotations

import re

import numpy as np

MOST_MILLIONS = {"params": 1e5, "macs": 1e7, "peak_memory": 1e5}
"""No architecture has so many millions of one of these: values above are counted one by one."""
ACCURACY = re.compile(
    r"(^|[_\W])(acc|accuracy|top1|top5)([_\W]|$)|^(cifar|imagenet|analog_|quantised_|robustness:)"
)


def unit(property_name: str, values: np.ndarray | None = None) -> str:
    """Return what to write behind a property: M, MiB, ms or %, or nothing.

    Parameters, MACs and peak memory of a space come in millions, the memory of activations in MiB;
    latencies of devices in ms, their energy in Wh and their memory in MB. An accuracy is in % where
    `values` (of any shape) are given and not all of them shares of 1.
    """
    finite = np.array([]) if values is None else values[np.isfinite(values)]
    highest = float(finite.max()) if finite.size else None
    if property_name in MOST_MILLIONS:
        counted = highest is not None and highest > MOST_MILLIONS[property_name]
        return "" if counted else " M"
    if property_name == "activation_memory":
        return " MiB"
    if property_name.startswith("latency:") or property_name.endswith("_ms"):
        return " ms"
    if property_name.startswith(("energy:", "memory:")):
        return " Wh" if property_name.startswith("energy:") else " MB"
    accurate = ACCURACY.search(property_name) and highest is not None and highest > 1
    return " %" if accurate else ""
