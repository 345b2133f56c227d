"""`train-predictor` on tables as users have them: small, flawed, and judged by cross-validation."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCli, assert_fails

from diffusionnag import PropertyPredictor, get_search_space
from diffusionnag.artifacts.json_lines import ArchitectureRecord, write_records

SPACE = get_search_space("nasbench201")
CELLS = list(dict.fromkeys(SPACE.sample(60, seed=0)))[:48]
SIZES = [SPACE.analytic_properties(cell)["params"] for cell in CELLS]
MEASURES = (
    "mean absolute error",
    "root mean squared error",
    "Spearman",
    "Kendall",
    "share within one standard deviation",
    "share within two standard deviations",
)
FITTED = {"README.md", "config.json", "model.safetensors"}
TRAIN = "train-predictor nasbench201 --data mine.csv --property size --out size "


def write(folder: Path, rows: list[str]) -> None:
    (folder / "mine.csv").write_text("\n".join(["arch,size", *rows, ""]))


def rows(count: int = len(CELLS)) -> list[str]:
    pairs = zip(CELLS[:count], SIZES[:count], strict=True)
    return [f"{SPACE.format(cell)},{size}" for cell, size in pairs]


# -- what it does ---------------------------------------------------------------------------------


def test_it_starts_from_what_is_known(run_main: RunCli, tmp_path: Path) -> None:
    write(tmp_path, rows(12))
    result = run_main(*TRAIN.split(), "--start-from", "cifar10", "--start-from", "latency:pixel3")
    assert result.returncode == 0, result.stderr
    predictor = PropertyPredictor.from_pretrained(tmp_path / "size")
    assert [known.property_name for known in predictor.starts_from] == ["cifar10", "latency:pixel3"]
    generated = run_main("generate", "nasbench201", "-n", 3, "--guide", "size")
    assert generated.returncode == 0, generated.stderr
    assert_fails(run_main(*TRAIN.split(), "--start-from", "nothing"), 2)


def test_a_flawed_table_is_cleaned_learnt_judged_and_drawn(
    run_main: RunCli, tmp_path: Path
) -> None:
    write(tmp_path, ["[red]net,1.0", *rows(), f"{SPACE.format(CELLS[0])},9", f"{rows()[1]}", ","])
    result = run_main(*TRAIN.split(), "--folds", 2, "--plot", "size/scatter.png")
    assert result.returncode == 0, result.stderr
    told = result.stderr.splitlines()
    assert told[0].startswith(
        "left out 2 rows (rows 1, 52): no nasbench201 architecture; the first"
    )
    assert "'[red]net'" in told[0]
    assert told[1].startswith("merged 1 architecture")
    assert told[2].startswith("averaged 1 architecture")
    assert told[-2].startswith("saved in size; use it with: ")
    assert told[-1] == "drawn into size/scatter.png"
    assert {path.name for path in tmp_path.iterdir()} == {"mine.csv", "size"}
    assert {path.name for path in (tmp_path / "size").iterdir()} == {*FITTED, "scatter.png"}

    names = [f"{name}, cross-validated" for name in MEASURES]
    printed = dict(line.split(": ") for line in result.stdout.splitlines())
    about = json.loads((tmp_path / "size" / "config.json").read_text())["about"]
    assert list(printed) == list(about["quality"]) == names
    assert about["data"] == "mine: 52 rows, 48 distinct architectures with a value of size"
    assert 0.5 < about["quality"]["Spearman, cross-validated"] <= 1
    predictor = PropertyPredictor.from_pretrained(tmp_path / "size")
    assert np.corrcoef(predictor.predict(CELLS[1:])[0], SIZES[1:])[0, 1] > 0.8


def test_several_properties_are_learnt_at_once(run_main: RunCli, tmp_path: Path) -> None:
    cells = [f"{row},{place},{place % 7}" for place, row in enumerate(rows())]
    (tmp_path / "mine.csv").write_text("\n".join(["arch,size,place / 1,rest", *cells]))
    several = ("--property", "size", "--property", "place / 1", "--folds", 2, "--out", "out")
    result = run_main("train-predictor", "nasbench201", "--data", "mine.csv", *several)
    assert result.returncode == 0, result.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"size", "place_1"}
    heading, *lines = result.stdout.splitlines()
    assert heading.split() == ["size", "place", "/", "1"]
    assert [line.split(",")[0].strip() for line in lines] == list(MEASURES)
    told = result.stderr.splitlines()[-1]
    used = "diffusionnag generate nasbench201 --guide out/size --limit 'out/place_1<=median'"
    assert told == f"saved in out; use them with: {used}"
    made = run_main(*shlex.split(used)[1:], "-n", 3, "--out", "three.csv")
    assert made.returncode == 0, made.stderr
    assert (
        (tmp_path / "three.csv")
        .read_text()
        .startswith('"architecture","size","size std","place / 1"')
    )

    picture = run_main(
        "train-predictor", "nasbench201", "--data", "mine.csv", *several, "--plot", "a.png"
    )
    assert_fails(picture, 2, "--plot draws one property")
    unknown = run_main(*TRAIN.split(), "--property", "sizes")
    assert_fails(unknown, 2, "no column 'sizes'")
    assert not (tmp_path / "size").exists()


def test_the_error_of_five_rows_cannot_be_measured(run_main: RunCli, tmp_path: Path) -> None:
    write(tmp_path, rows(5))
    assert_fails(run_main(*TRAIN.split(), "--plot", "a.png"), 2, "5 are too few for that")
    assert not (tmp_path / "size").exists()
    result = run_main(*TRAIN.split())
    assert result.returncode == 0, result.stderr
    assert "5 architectures are too few to hold any out" in result.stderr
    assert result.stdout == ""
    assert json.loads((tmp_path / "size" / "config.json").read_text())["about"]["quality"] == {}


def test_large_tables_are_judged_on_a_tenth(
    run_main: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diffusionnag.predictors.cross_validation.MOST_CROSS_VALIDATED", 40)
    write(tmp_path, rows())
    result = run_main(*TRAIN.split(), "--plot", "scatter.svg")
    assert result.returncode == 0, result.stderr
    about = json.loads((tmp_path / "size" / "config.json").read_text())["about"]
    assert set(about["quality"]) <= {f"{name}, on a held-out tenth" for name in MEASURES}
    assert "mean absolute error, on a held-out tenth" in about["quality"]
    assert "5 architectures on a held-out tenth" in (tmp_path / "scatter.svg").read_text()


# -- what it refuses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ("--folds 1", 2, "1 folds cannot be held out in turn"),
        ("--folds -3", 2, "ask for 2 or more"),
        ("--plot scatter.jpg", 2, "scatter.jpg"),
        ("--plot size/scatter.jpg", 2, "scatter.jpg"),
        ("--plot missing/scatter.png", 1, "cannot write missing/scatter.png: no folder missing"),
        ("--plot mine.csv/scatter.png", 1, "cannot write mine.csv/scatter.png"),
        ("--seed -1", 2, "seed"),
    ],
)
def test_wrong_requests_leave_nothing_behind(
    run_main: RunCli, tmp_path: Path, options: str, code: int, message: str
) -> None:
    write(tmp_path, rows())
    assert_fails(run_main(*(TRAIN + options).split()), code, message)
    assert {path.name for path in tmp_path.iterdir()} == {"mine.csv"}


def test_tables_that_cannot_be_learnt_are_one_line(run_main: RunCli, tmp_path: Path) -> None:
    other = get_search_space("mnasnet")
    tables = {
        "nothing to learn": [f"{SPACE.format(cell)},3" for cell in CELLS],
        "at least 5 are needed": rows(4) * 2,
        "out of the range of calculation": [
            f"{SPACE.format(cell)},{sign}1e308" for cell, sign in zip(CELLS, "-+" * 9, strict=False)
        ],
        "0 to 4.94066e-324 is out of the range": [
            f"{SPACE.format(cell)},{end}"
            for cell, end in zip(CELLS, ("0", "5e-324") * 9, strict=False)
        ],
        "row 1 is a mnasnet architecture": [f"{other.format(other.sample(1)[0])},3"],
    }
    for message, lines in tables.items():
        write(tmp_path, lines)
        assert_fails(run_main(*TRAIN.split()), 2, message)
        assert {path.name for path in tmp_path.iterdir()} == {"mine.csv"}


def test_what_a_search_writes_is_learnt_from(run_main: RunCli, tmp_path: Path) -> None:
    records = [
        ArchitectureRecord(SPACE.format(cell), True, {"size": float(row)}, trial=row, allowed=True)
        for row, cell in enumerate(CELLS[:8])
    ]
    write_records(tmp_path / "found.jsonl", records)
    done = run_main(*TRAIN.replace("mine.csv", "found.jsonl").split())
    assert done.returncode == 0, done.stderr
    assert PropertyPredictor.from_pretrained(tmp_path / "size").property_name == "size"


def test_cells_without_a_number_are_named_and_counted(run_main: RunCli, tmp_path: Path) -> None:
    texts = [SPACE.format(cell) for cell in CELLS[:9]]
    values = ["OOM", "-", "93%", *range(6)]
    write(tmp_path, [f"{text},{value}" for text, value in zip(texts, values, strict=True)])
    done = run_main(*TRAIN.split())
    assert done.returncode == 0, done.stderr
    assert "left out 3 rows (rows 1, 2, 3): size is no number, but 'OOM', '-', '93%'" in done.stderr
