"""Measured sub-networks of Once-for-All: resolutions, the sources' own files, and the two tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCli, assert_fails

from diffusionnag import get_search_space
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.tables import Table, clean_measurements, known_tables, read_table

SPACE = get_search_space("mobilenetv3")
A, B = (SPACE.format(architecture) for architecture in SPACE.sample(2, 0))
LOG = """Sub-network,Date,Model Parameters,Latency (ms),MACs,Top-1 Acc (%)
"{{'wid': None, {0}, 'r': [224]}}",2022-11-01 05:40:09.265694,5029656,0,255502624,75.448
"{{'wid': 1.2, {0}, 'r': [224]}}",2022-11-01 05:42:03.079087,9000000,0,297261792,76.9
"""


def configuration(text: str) -> dict[str, list[int]]:
    """Return an architecture as Once-for-All writes it, with 3s where a slot is absent."""
    stages = SPACE.stages(SPACE.parse(text))  # pyright: ignore[reportAttributeAccessIssue]
    padded = [pair for stage in stages for pair in [*stage, *[(3, 3)] * (4 - len(stage))]]
    kernels, expansions = zip(*padded, strict=True)
    return {"ks": list(kernels), "e": list(expansions), "d": [len(stage) for stage in stages]}


def test_a_column_at_one_resolution() -> None:
    columns = {"resolution": np.array([192, 224, 224]), "top1": np.array([70.0, 75.0, 76.0])}
    table = Table("t", (A, A, B), columns)
    assert table.measured_names == ("top1@192", "top1@224")
    np.testing.assert_array_equal(table.lookup("top1@224", [A, B]), [75, 76])
    np.testing.assert_array_equal(table.lookup("top1@192", [A, B]), [70, np.nan])
    with pytest.raises(DiffusionNAGError, match=r"at a resolution of '225'; it has 192, 224"):
        table.column("top1@225")
    with pytest.raises(DiffusionNAGError, match="has no column 'top5@224'"):
        table.column("top5@224")
    without = Table("t", (A,), {"top1": np.ones(1)})
    assert without.measured_names == ("top1",)
    with pytest.raises(DiffusionNAGError, match="has no column"):
        without.column("top1@224")


def test_import_of_logs_and_configurations(run_main: RunCli, tmp_path: Path) -> None:
    log, lines, out = tmp_path / "log.csv", tmp_path / "mine.jsonl", tmp_path / "out.parquet"
    log.write_text(LOG.format(str(configuration(A))[1:-1]))
    lines.write_text(json.dumps(configuration(B) | {"r": 192, "imagenet_top1": 74.2}) + "\n")
    result = run_main("import", "ofa", str(log), str(lines), "--out", str(out))
    assert (result.returncode, "2 measured sub-networks" in result.stderr) == (0, True)
    table = read_table(out)
    assert table.architectures == (A, B)
    assert list(table.columns) == ["resolution", "params", "macs", "imagenet_top1"]
    np.testing.assert_array_equal(table.columns["resolution"], [224, 192])
    np.testing.assert_array_equal(table.columns["imagenet_top1"], [75.448, 74.2])
    np.testing.assert_array_equal(table.columns["macs"], [255502624, np.nan])


def test_lines_without_a_resolution_have_the_usual_one(run_main: RunCli, tmp_path: Path) -> None:
    lines, out = tmp_path / "mine.jsonl", tmp_path / "out.parquet"
    rows = [configuration(A) | {"r": 192, "top1": 74.2}, configuration(B) | {"top1": 75.1}]
    lines.write_text("\n".join(map(json.dumps, rows)))
    result = run_main("import", "ofa", str(lines), "--out", str(out))
    assert result.returncode == 0, result.stderr
    np.testing.assert_array_equal(read_table(out).columns["resolution"], [192, 224])
    rows[1] |= {"r": "large"}
    lines.write_text("\n".join(map(json.dumps, rows)))
    result = run_main("import", "ofa", str(lines), "--out", str(out))
    assert_fails(result, 2, "mine.jsonl: row 2: the resolution r is 'large', which is no number")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("arch,top1\nx,1\n", "has neither a column 'Sub-network' nor ks, e and d"),
        ("Sub-network,MACs\nnonsense,1\n", "row 1 holds no configuration"),
        ("Sub-network,MACs\n{'ks': [3]},1\n", "should be 20 whole numbers"),
    ],
)
def test_other_files_fail(run_main: RunCli, tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    out = str(tmp_path / "out.parquet")
    assert_fails(run_main("import", "ofa", str(tmp_path / "a.csv"), "--out", out), 2, message)


def test_the_known_tables(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSIONNAG_DATA", str(data_folder))
    tables = known_tables("mobilenetv3")
    imagenet = tables["mobilenetv3_ofa_imagenet"]()
    assert imagenet.resolutions == (128, 160, 192, 224)
    measured = clean_measurements(imagenet, SPACE, "imagenet_top1@224")
    assert len(measured.architectures) == 2_162
    datasets = tables["mobilenetv3_ofa_datasets"]()
    counts = {name: int(np.isfinite(column).sum()) for name, column in datasets.columns.items()}
    assert counts == {
        "resolution": 2_718,
        "cifar10": 1_700,
        "cifar10_early_exit": 316,
        "cifar100": 338,
        "svhn": 364,
    }
    latencies = tables["mobilenetv3_ofa_latency_ms"]()
    row = 7
    name = f"latency:v100_1@{latencies.columns['resolution'][row]:g}"
    assert latencies.column(name)[row] == latencies.column("latency:v100_1")[row]
