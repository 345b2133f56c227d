"""Units are those that names and values tell, and none where they tell nothing."""

from __future__ import annotations

import numpy as np
import pytest

from diffusionnag.spaces import unit


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("params", [5.3], " M"),
        ("params", [5.3e6], ""),
        ("macs", [1.4e5], " M"),
        ("macs", [2.2e8], ""),
        ("latency:pixel3", [15.0], " ms"),
        ("energy:a100", [0.4], " Wh"),
        ("memory:a100", [900.0], " MB"),
        ("zcu102_latency_ms", [3.0], " ms"),
        ("latency", [3.0], ""),
        ("cifar10", [10.0, 94.3], " %"),
        ("acc", [93.1, np.nan], " %"),
        ("imagenet_top1", [76.0], " %"),
        ("robustness:pgd_1", [48.0], " %"),
        ("val_accuracy", [0.1, 0.93], ""),
        ("accumulated", [76.0], ""),
    ],
)
def test_a_unit_is_what_name_and_values_tell(name: str, values: list[float], expected: str) -> None:
    assert unit(name, np.array(values)) == expected


def test_an_exact_property_needs_no_values() -> None:
    assert [unit(name) for name in ("params", "macs", "cifar10", "depth")] == [" M", " M", "", ""]
