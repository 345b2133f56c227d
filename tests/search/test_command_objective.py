"""Commands as objectives: what they are given, what is read from them, and what may go wrong."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path

import pytest
from conftest import RunCli, assert_fails
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusionnag import DiffusionNAGError, get_search_space
from diffusionnag.search import CommandObjective, MeasurementError

SPACE = get_search_space("nasbench201")
(CELL,) = SPACE.sample(1, seed=0)
MEASURE = Path(__file__).parents[2] / "examples" / "measure.py"
EXAMPLE = f"{shlex.quote(sys.executable)} {shlex.quote(str(MEASURE))} --arch {{architecture}}"


def measured(command: str, **options: float) -> float | dict[str, float]:
    return CommandObjective(SPACE, command, **options)(CELL)  # type: ignore[arg-type]


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_a_command_is_given_the_architecture_whole(seed: int) -> None:
    (cell,) = SPACE.sample(1, seed)
    command = CommandObjective(
        SPACE,
        """test {architecture} = "$DIFFUSIONNAG_ARCHITECTURE" && printf %s {architecture} | wc -c""",
    )
    assert command(cell) == len(SPACE.format(cell))


def test_the_last_line_is_the_value() -> None:
    assert measured("echo epoch 1; echo 93.5; echo") == 93.5
    assert measured("""echo '{"accuracy": 93.5, "note": "ok", "hours": 2}'""") == {
        "accuracy": 93.5,
        "hours": 2.0,
    }
    assert measured("""echo '{"accuracy": "93.1", "note": "ok"}'""") == {"accuracy": 93.1}
    for wrong in ("echo done", "true", "echo '[1, 2]'", "echo '{'"):
        with pytest.raises(MeasurementError, match="neither a number nor a JSON object"):
            measured(wrong)


def test_a_failure_tells_the_last_line_of_its_messages() -> None:
    with pytest.raises(MeasurementError, match="exit code 3: out of memory"):
        measured("echo 1; echo start >&2; echo out of memory >&2; exit 3")
    with pytest.raises(MeasurementError, match="it wrote nothing"):
        measured("exit 1")


def test_a_command_is_repeated_until_it_succeeds(tmp_path: Path) -> None:
    runs = shlex.quote(str(tmp_path / "runs"))
    command = f"echo run >> {runs}; test $(wc -l < {runs}) -ge 3 && echo 7"
    with pytest.raises(MeasurementError):
        measured(command, retries=1)
    assert measured(command, retries=1) == 7
    assert len((tmp_path / "runs").read_text().splitlines()) == 3


def test_a_timeout_kills_what_the_command_started(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    child = f"while true; do date +%N > {shlex.quote(str(alive))}; sleep 0.05; done"
    with pytest.raises(MeasurementError, match=r"longer than 0\.5 s"):
        measured(f"({child}) & wait", timeout=0.5)
    before = alive.read_text()
    time.sleep(0.3)
    assert alive.read_text() == before


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        (" ", {}, "empty"),
        ("train '{architecture}'", {}, "without quotes"),
        ("train", {"timeout": 0.0}, "above 0"),
        ("train", {"retries": -1}, "0 or more"),
    ],
)
def test_wrong_options_are_refused(command: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(DiffusionNAGError, match=message):
        measured(command, **options)


def test_a_search_by_a_command(run_main: RunCli, tmp_path: Path) -> None:
    options = ("--evaluate", EXAMPLE, "--objective", "accuracy", "--constraint", "hours<=3")
    options += ("--cost", "hours", "--out", "found.jsonl", "--searcher", "random", "--trials", 8)
    result = run_main("search", "nasbench201", *options)
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    assert len(records) == 8
    total = sum(record["properties"]["hours"] for record in records)
    assert f"cost: hours {total:g}" in result.stdout
    allowed = [record for record in records if record["allowed"]]
    assert records[: len(allowed)] == allowed
    accuracies = [record["properties"]["accuracy"] for record in allowed]
    assert accuracies == sorted(accuracies, reverse=True)
    for record in records:
        text = record["architecture"]
        assert record["valid"]
        assert record["allowed"] == (record["properties"]["hours"] <= 3)
        cost = 10 * text.count("nor_conv_3x3") + 5 * text.count("nor_conv_1x1")
        assert record["properties"]["accuracy"] == cost


def test_a_command_that_fails_at_times_stops_nothing(run_main: RunCli) -> None:
    flaky = "case {architecture} in *none*) echo diverged >&2; exit 1;; esac; echo {architecture} | wc -c"
    options = ("--evaluate", flaky, "--searcher", "random", "--trials", 12, "--minimize")
    result = run_main("search", "nasbench201", *options)
    assert result.returncode == 0, result.stderr
    assert "gave no value; the last: the command ended with exit code 1: diverged" in result.stderr
    assert "best: " in result.stdout


def test_a_column_of_a_table_is_summed(run_main: RunCli, tmp_path: Path) -> None:
    cells = [SPACE.format(cell) for cell in SPACE.enumerate()]
    rows = [f"{cell},{row},{row % 7}" for row, cell in enumerate(cells)]
    (tmp_path / "measured.csv").write_text("\n".join(["arch,score,seconds", *rows]) + "\n")
    options = ("--objective", "table:measured.csv:score", "--cost", "seconds", "--trials", 5)
    options += ("--searcher", "random", "--out", "found.jsonl")
    result = run_main("search", "nasbench201", *options)
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    seconds = [cells.index(record["architecture"]) % 7 for record in records]
    assert [record["properties"]["seconds"] for record in records] == seconds
    assert f"simulated cost: seconds {sum(seconds)}" in result.stdout


def test_wrong_requests_are_one_line(run_main: RunCli) -> None:
    assert_fails(run_main("search", "nasbench201"), 2, "nothing to measure")
    result = run_main("search", "nasbench201", "--objective", "table:x.csv:y", "--retries", 2)
    assert_fails(result, 2, "give one to evaluate")
