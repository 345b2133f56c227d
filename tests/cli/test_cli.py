"""The command line as its users meet it: real processes, their output, their errors."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from conftest import RunCli, assert_fails

from diffusionnag import get_search_space
from diffusionnag.artifacts.checkpoints import shipped_folder

SPACE = get_search_space("nasbench201")
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|"


@pytest.fixture
def damaged_model(tmp_path: Path) -> Path:
    """A copy of a shipped generator with one bit of its weights changed."""
    source = shipped_folder("generators", "nasbench201")
    assert source is not None
    folder = Path(shutil.copytree(source, tmp_path / "damaged"))
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[len(weights) // 2] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    return folder


# -- what it does ---------------------------------------------------------------------------------


def test_help_names_every_command_and_needs_no_torch(
    run_script: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise RuntimeError('torch was imported')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "torch was imported" in run_script("generate", "nasbench201").stderr
    for arguments in (["--help"], [], ["generate", "--help"]):
        result = run_script(*arguments)
        assert result.returncode == 0, result.stderr
    learning = ("train-generator", "train-predictor", "meta-train", "transfer", "search")
    networks = ("train", "compare", "export", "measure", "report")
    commands = (
        "generate",
        "spaces",
        "info",
        "tables",
        "import",
        *learning,
        *networks,
    )
    result = run_script("--help")
    listed = {line.split()[1] for line in result.stdout.splitlines() if len(line.split()) > 1}
    assert listed >= set(commands)


def test_spaces_lists_what_there_is(run_main: RunCli) -> None:
    result = run_main("spaces")
    assert result.returncode == 0, result.stderr
    rows = {line.split("│")[1].strip(): line for line in result.stdout.splitlines() if "│" in line}
    assert set(rows) >= {"nasbench201", "mobilenetv3", "mnasnet"}
    assert "15,625" in rows["nasbench201"]
    assert "cifar10" in rows["nasbench201"]
    assert all("shipped" in rows[name] for name in ("nasbench201", "mobilenetv3", "mnasnet"))


def test_info_describes_a_cell(run_main: RunCli, tmp_path: Path) -> None:
    result = run_main("info", "nasbench201", CELL, "--out", "cell.svg")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(CELL + "\n")
    for text in (*SPACE.nodes, "nor_conv_3x3", "params: ", "macs: ", "cifar10: "):
        assert text in result.stdout
    picture = ET.parse(tmp_path / "cell.svg").getroot()
    words = " ".join(picture.itertext())
    assert picture.tag.endswith("svg")
    assert words.count("nor_conv_3x3") >= 2
    assert "avg_pool_3x3" in words


@pytest.mark.parametrize("name", ["nasbench201", "mobilenetv3", "mnasnet"])
def test_info_draws_a_random_architecture_from_a_seed(run_main: RunCli, name: str) -> None:
    space = get_search_space(name)
    first, again = (run_main("info", name, "--seed", 3).stdout for _ in range(2))
    assert first == again
    assert space.format(space.sample(1, 3)[0]) in first


def test_generate_shows_writes_and_draws(run_main: RunCli, tmp_path: Path) -> None:
    wanted = ("-n", 64, "--guide", "cifar10", "--sample", "--distinct", "--top", 7)
    outputs = ("--out", "cells.jsonl", "--plot", "plot.png")
    result = run_main("generate", "nasbench201", *wanted, *outputs)
    assert result.returncode == 0, result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {
        "cells.jsonl",
        "cells.run.json",
        "plot.png",
    }

    records = [json.loads(line) for line in (tmp_path / "cells.jsonl").read_text().splitlines()]
    cells = [SPACE.parse(record["architecture"]) for record in records]
    assert len(cells) == len(set(cells)) == 64
    assert all(record["valid"] for record in records)
    for cell, record in zip(cells, records, strict=True):
        assert set(record["properties"]) == {"cifar10", "params", "macs"}
        analytic = SPACE.analytic_properties(cell)
        assert record["properties"] | analytic == record["properties"]
        assert record["std"]["cifar10"] > 0
        assert 9 < record["true"]["cifar10"] < 95
    predicted = [record["properties"]["cifar10"] for record in records]
    assert predicted == sorted(predicted, reverse=True)

    listed = [line for line in result.stdout.splitlines() if "~0|+|" in line]
    assert len(listed) == 7
    for record, line in zip(records, listed, strict=False):
        assert record["architecture"] in line
    assert "100.00 %" in result.stdout
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_generate_without_a_guide(run_main: RunCli, tmp_path: Path) -> None:
    result = run_main("generate", "mnasnet", "-n", 5, "--top", 0, "--out", "all.jsonl")
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert len(records) == 5
    space = get_search_space("mnasnet")
    for record in records:
        assert space.format(space.parse(record["architecture"])) == record["architecture"]
        assert set(record) == {"architecture", "valid", "properties"}


def test_a_written_file_is_replaced_whole(run_main: RunCli, tmp_path: Path) -> None:
    (tmp_path / "cells.jsonl").write_text("old\n" * 1000)
    assert run_main("generate", "nasbench201", "-n", 3, "--out", "cells.jsonl").returncode == 0
    assert len((tmp_path / "cells.jsonl").read_text().splitlines()) == 3


def test_train_predictor_learns_from_a_users_table(run_main: RunCli, tmp_path: Path) -> None:
    cells = SPACE.sample(80, seed=0)
    rows = [f"{SPACE.format(cell)},{SPACE.analytic_properties(cell)['params']}" for cell in cells]
    (tmp_path / "mine.csv").write_text("\n".join(["arch,size", *rows, f"{CELL},"]))
    table = ("--data", "mine.csv", "--property", "size")
    fitted = run_main("train-predictor", "nasbench201", *table, "--out", "size", "--folds", 2)
    assert fitted.returncode == 0, fitted.stderr
    assert "left out 1 row (row 81): no finite value of size" in fitted.stderr
    assert "Spearman" in fitted.stdout
    means = {}
    for sign in ("1", "-1"):
        guide = ("--guide", f"size={sign}", "-n", 64, "--out", "out.jsonl")
        assert run_main("generate", "nasbench201", *guide).returncode == 0
        lines = (tmp_path / "out.jsonl").read_text().splitlines()
        means[sign] = sum(json.loads(line)["properties"]["params"] for line in lines) / 64
    assert means["-1"] < 0.3 < 0.7 < means["1"]


def test_an_error_is_the_only_output_of_a_process(
    run_script: RunCli, run_cli: RunCli, tmp_path: Path
) -> None:
    result = run_script("generate", "nasbench201", "-n", 4, "--out", "/proc/cells.jsonl")
    assert_fails(result, 1, "cannot write /proc/cells.jsonl")
    result = run_cli("generate", "nasbench201", "-n", 0, "--out", "cells.jsonl")
    assert_fails(result, 2, "at least 1")
    assert list(tmp_path.iterdir()) == []


# -- what it refuses ------------------------------------------------------------------------------

GENERATE = "generate nasbench201 -n 4 --out out.jsonl "
WRONG = {
    "unknown command": ("nosuchcommand", "No such command"),
    "no space": ("generate", "Missing argument"),
    "unknown option": (GENERATE + "--bogus", "No such option"),
    "unknown space": ("generate nasbench2001 --out out.jsonl", "did you mean nasbench201?"),
    "unknown guide": (GENERATE + "--guide cifar11", "no property 'cifar11'"),
    "guide of another space": (
        "generate mnasnet --out out.jsonl --guide nasbench201-cifar10",
        "trained for the search space 'nasbench201'",
    ),
    "guide's weight": (GENERATE + "--guide cifar10=much", "is no number"),
    "guide's weight 0": (GENERATE + "--guide cifar10=0", "other than 0"),
    "guide's weight nan": (GENERATE + "--guide cifar10=nan", "other than 0"),
    "guide twice": (GENERATE + "--guide cifar10 --guide cifar10=2", "guided twice"),
    "unknown solver": (GENERATE + "--solver eular", "no solver named 'eular'; known: "),
    "unknown device": (GENERATE + "--device tpu", "no device 'tpu'"),
    "unknown generator": (GENERATE + "--generator nosuch", "no model 'nosuch'"),
    "zero": ("generate nasbench201 -n 0 --out out.jsonl", "at least 1"),
    "negative": ("generate nasbench201 -n -5 --out out.jsonl", "at least 1"),
    "no number": ("generate nasbench201 -n many --out out.jsonl", "-n"),
    "no steps": (GENERATE + "--steps 0", "at least 1"),
    "top": (GENERATE + "--top -1", "--top is -1"),
    "seed": (GENERATE + "--seed -1", "seed"),
    "huge seed": (GENERATE + "--seed 99999999999999999999999", "seed"),
    "too many distinct": (
        "generate nasbench201 -n 15626 --distinct --out out.jsonl",
        "15626 distinct ones do not exist",
    ),
    "plot without guide": (GENERATE + "--plot plot.png", "--guide"),
    "plot's kind": (GENERATE + "--guide cifar10 --plot plot.xyz", "plot.xyz"),
    "damaged generator": (GENERATE + "--generator damaged", "is damaged"),
    "generator of another space": (
        GENERATE + "--generator mnasnet",
        "trained for the search space 'mnasnet'",
    ),
    "wrong operation": (
        f"info nasbench201 {CELL.replace('none', 'nothing')} --out out.svg",
        "node 0>2: no operation 'nothing'",
    ),
    "wrong edge": (
        f"info nasbench201 {CELL.replace('1x1~1', '1x1~0')} --out out.svg",
        "should read '|op~0|op~1|op~2|'",
    ),
    "picture's kind": ("info nasbench201 --out out.xyz", "out.xyz"),
    "info's seed": ("info nasbench201 --seed -1 --out out.svg", "seed"),
    "unknown property": (
        "train-predictor nasbench201 --data analog-nasbench --property cifar11 --out out",
        "nearest: cifar10",
    ),
    "missing table": (
        "train-predictor nasbench201 --data no.csv --property cifar10 --out out",
        "no.csv: no such file",
    ),
}
UNWRITABLE = {
    "no folder": GENERATE.replace("out.jsonl", "missing/out.jsonl"),
    "below a file": GENERATE.replace("out.jsonl", "file/out.jsonl"),
    "a folder": GENERATE.replace("out.jsonl", "damaged"),
    "nobody can": GENERATE.replace("out.jsonl", "/proc/out.jsonl"),
    "plot": GENERATE + "--guide cifar10 --plot file/plot.png",
    "plot nobody can": GENERATE + "--guide cifar10 --plot /proc/plot.png",
    "picture": "info nasbench201 --out file/out.svg",
    "picture nobody can": "info nasbench201 --out /proc/out.svg",
    "predictor": "train-predictor nasbench201 --data analog-nasbench --property cifar10 --out file/p",
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_requests_are_one_line(
    run_main: RunCli, tmp_path: Path, damaged_model: Path, case: str
) -> None:
    command, message = WRONG[case]
    assert_fails(run_main(*command.split()), 2, message)
    assert list(tmp_path.iterdir()) == [damaged_model]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("info SPACE", "interrupted"),
        ("train-generator SPACE --out model", "interrupted; the same command resumes it"),
        ("proxies SPACE --data d --out o", "interrupted; the same command resumes it"),
        (
            "search SPACE --objective params",
            "interrupted; the same command resumes it if it has a --storage",
        ),
    ],
)
def test_an_interrupted_command_says_whether_it_can_be_resumed(
    run_main: RunCli, tmp_path: Path, command: str, message: str
) -> None:
    (tmp_path / "mine.py").write_text("raise KeyboardInterrupt\n")
    result = run_main(*command.replace("SPACE", "mine.py:Mine").split())
    assert (result.returncode, result.stderr) == (1, f"error: {message}\n")


def test_a_failure_of_the_system_is_one_line(run_main: RunCli, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from diffusionnag import SearchSpace\n"
        "class Mine(SearchSpace):\n"
        "    name, nodes, operations, edges = 'mine', ('a', 'b'), ('x', 'y'), ((0, 1),)\n"
        "    def analytic_properties(self, architecture):\n"
        "        raise OSError(28, 'No space left on device')\n"
    )
    result = run_main("info", "mine.py:Mine", "x|y")
    assert (result.returncode, result.stderr) == (1, "error: No space left on device\n")


@pytest.mark.parametrize("case", UNWRITABLE)
def test_output_that_cannot_be_written_is_one_line(
    run_main: RunCli, tmp_path: Path, damaged_model: Path, case: str
) -> None:
    (tmp_path / "file").touch()
    assert_fails(run_main(*UNWRITABLE[case].split()), 1, "cannot write")
    assert {path.name for path in tmp_path.iterdir()} == {"damaged", "file"}
    assert {path.name for path in damaged_model.iterdir()} == {
        "README.md",
        "config.json",
        "model.safetensors",
    }
