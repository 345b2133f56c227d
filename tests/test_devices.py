"""Devices that there are, and torch's defaults, which are the user's."""

from __future__ import annotations

import threading

import pytest
import torch

from diffusionnag import DiffusionNAGError
from diffusionnag._devices import check_device, check_devices, device_names, torch_defaults


def test_every_device_that_is_named_can_be_used() -> None:
    for name in [*device_names(), "cpu:0"]:
        assert check_device(name) == name


@pytest.mark.parametrize(
    "name", ["cuda:99", "xpu:99", "meta", "gpu", "", "cpu:x", "CPU", "cuda:-1"]
)
def test_other_devices_are_refused(name: str) -> None:
    with pytest.raises(DiffusionNAGError, match=f"no device '{name}' here; there is cpu"):
        check_device(name)


def test_more_devices_than_there_are_are_refused() -> None:
    check_devices("cpu", 1)
    with pytest.raises(DiffusionNAGError, match="cannot use 1000000 devices; cpu has "):
        check_devices("cpu", 1_000_000)
    with pytest.raises(DiffusionNAGError, match="at least 1"):
        check_devices("cpu", 0)


def test_the_defaults_of_the_user_come_back() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        with torch_defaults(), torch_defaults():
            x = torch.ones(2)
            assert (x.dtype, x.device.type) == (torch.float32, "cpu")
        y = torch.ones(2)
        assert (y.dtype, y.device.type) == (torch.float64, "meta")
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device("cpu")


def test_threads_do_not_take_each_others_defaults() -> None:
    entered, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with torch_defaults():
            entered.set()
            leave.wait()

    torch.set_default_dtype(torch.float64)
    try:
        with torch_defaults():
            thread = threading.Thread(target=stay)
            thread.start()
            entered.wait()
        assert torch.get_default_dtype() == torch.float32
        leave.set()
        thread.join()
        assert torch.get_default_dtype() == torch.float64
    finally:
        leave.set()
        torch.set_default_dtype(torch.float32)
