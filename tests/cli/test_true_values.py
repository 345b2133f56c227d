"""Without a measured table values are predicted, and the command says what to install for true ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import RunCli

from diffusionnag.tables import DATA_FOLDER_VARIABLE


def test_what_to_install_for_true_values(
    run_main: RunCli, monkeypatch: pytest.MonkeyPatch, without_packages: Callable[..., None]
) -> None:
    monkeypatch.delenv(DATA_FOLDER_VARIABLE, raising=False)
    command = ("generate", "nasbench201", "-n", 3, "--guide", "cifar10")
    assert "for true values" not in run_main(*command).stderr
    without_packages("analognasbench")
    result = run_main(*command)
    assert result.returncode == 0
    assert "predicted" in result.stdout
    assert "true" not in result.stdout
    assert (
        "for true values beside the predicted ones: pip install 'diffusionnag[bench]'"
        in result.stderr
    )
