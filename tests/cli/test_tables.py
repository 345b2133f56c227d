"""`diffusionnag tables`: what is installed, and how to get what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCli, assert_fails

from diffusionnag.spaces import search_space_names
from diffusionnag.tables import DATA_FOLDER_VARIABLE, TABLES, Table, measured_table
from diffusionnag.tables.table import write_table

USER_SPACE = Path(__file__).parents[2] / "examples" / "small_space.py"


def rows(output: str) -> dict[str, list[str]]:
    """Return the cells of each row of a printed table, by the first."""
    lines = [line.strip("│").split("│") for line in output.splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in line] for line in lines]
    return {row[0]: row for row in cells}


def test_with_the_data_every_table_has_its_size(
    run_main: RunCli, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_FOLDER_VARIABLE, str(data_folder))
    result = run_main("tables")
    assert result.returncode == 0, result.stderr
    listed = rows(result.stdout)
    assert list(listed) == [table.name for table in TABLES]
    for space in ("nasbench201", "mobilenetv3", "transnas", "nasbench_macro", "gpt2", "mnasnet"):
        result = run_main("tables", space)
        assert result.returncode == 0, result.stderr
        listed |= rows(result.stdout)
    for name, space, size, columns, source in (
        ("nasbench201_accuracy", "nasbench201", "15,625", "9", "NATS-Bench (Dong & Yang 2020)"),
        ("nasbench201_latency_ms", "nasbench201", "15,625", "27", "HELP (Lee et al. 2021)"),
        ("nasbench201_robustness_cifar10", "nasbench201", "15,625", "34", "Jung et al. 2023"),
        ("mobilenetv3_ofa_latency_ms", "mobilenetv3", "5,000", "13", "HELP (Lee et al. 2021)"),
        ("transnas_micro", "transnas", "4,096", "7", "TransNAS-Bench-101 (Duan et al. 2021)"),
        ("nasbench_macro", "nasbench_macro", "6,561", "4", "NAS-Bench-Macro (Su et al. 2021)"),
        ("hwgpt_s", "gpt2", "10,000", "33", "HW-GPT-Bench (Sukthanker et al. 2024)"),
        ("mnasnet_imagenet", "mnasnet", "5,138", "13", "Accel-NASBench (Ahmad et al. 2024)"),
    ):
        assert listed[name] == [name, space, source, f"{size} rows, {columns} columns"]


def test_without_data_it_says_how_to_get_each(
    run_main: RunCli, monkeypatch: pytest.MonkeyPatch, without_packages: Callable[..., None]
) -> None:
    monkeypatch.delenv(DATA_FOLDER_VARIABLE, raising=False)
    without_packages("analognasbench", "nas_bench_graph")
    result = run_main("tables")
    assert result.returncode == 0, result.stderr
    listed = rows(result.stdout)
    assert list(listed) == [table.name for table in TABLES]
    for table in TABLES:
        what = [table.name, table.space, table.source, f"no; {table.how_to_get}"]
        assert listed[table.name] == what
    assert "pip install 'diffusionnag[bench]'" in result.stdout
    assert "diffusionnag import nats-bench FOLDER" in result.stdout
    assert f"{DATA_FOLDER_VARIABLE} (not set)" in result.stderr


def test_of_one_space_the_columns_are_named(
    run_main: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_FOLDER_VARIABLE, str(tmp_path))
    columns = {"imagenet_top1": np.arange(2), "macs_m": np.ones(2)}
    table = Table("mine", ("a", "b"), columns)
    write_table(table, tmp_path / "mnasnet_imagenet.parquet")
    result = run_main("tables", "mnasnet")
    assert (result.returncode, result.stderr) == (0, "")
    assert list(rows(result.stdout)) == ["mnasnet_imagenet"]
    assert rows(result.stdout)["mnasnet_imagenet"][-1] == "2 rows, 2 columns"
    assert "mnasnet_imagenet: imagenet_top1, macs_m\n" in result.stdout


def test_a_damaged_table_is_listed_as_such(
    run_main: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_FOLDER_VARIABLE, str(tmp_path))
    (tmp_path / "mnasnet_imagenet.parquet").write_bytes(b"PAR1")
    assert rows(run_main("tables").stdout)["mnasnet_imagenet"][-1] == "yes"  # nothing is opened
    result = run_main("tables", "mnasnet")
    assert result.returncode == 0
    assert rows(result.stdout)["mnasnet_imagenet"][-1] == "damaged"
    assert "mnasnet_imagenet.parquet: is damaged" in result.stderr
    assert "Traceback" not in result.stderr


def test_spaces_without_tables_and_unknown_ones(run_main: RunCli) -> None:
    result = run_main("tables", f"{USER_SPACE}:SmallCNN")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "no measured table of small_cnn is known\n"
    assert_fails(run_main("tables", "nasbench102"), 2, "no search space named 'nasbench102'")


def test_every_table_is_of_a_space_that_exists() -> None:
    assert {table.space for table in TABLES} <= set(search_space_names())
    assert len({table.name for table in TABLES}) == len(TABLES)


def test_isomorphic_cells_share_what_was_measured_for_their_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_FOLDER_VARIABLE, str(tmp_path))
    # The convolution on 0>3 alone reaches the output; so it does behind a skip, and through it.
    alone = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"
    behind = "|skip_connect~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|"
    before = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|"
    other = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
    measured = Table("mine", (before,), {"pgd_1": np.array([40.0])})
    write_table(measured, tmp_path / "nasbench201_robustness_cifar10.parquet")
    table = measured_table("nasbench201", "robustness:pgd_1")
    assert table is not None
    values = table.lookup("robustness:pgd_1", [alone, behind, before, other])
    assert values[:3].tolist() == [40.0, 40.0, 40.0]
    assert np.isnan(values[3])
