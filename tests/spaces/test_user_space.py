"""A search space of the user's own: one class in one file, from declaration to guided generation."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from conftest import RunCli, assert_fails

from diffusionnag import (
    DiffusionNAGError,
    SearchSpace,
    get_search_space,
    register_search_space,
)

PIPELINE = '''
from diffusionnag import SearchSpace


class Pipeline(SearchSpace):
    """Two branches between a stem and a head; they may not be the same."""

    name = "pipeline"
    nodes = ("stem", "left", "right", "head")
    operations = ("conv3", "conv5", "pool", "linear")
    edges = ((0, 1), (0, 2), (1, 3), (2, 3))

    def choices(self, node):
        return ("linear",) if node == 3 else ("conv3", "conv5", "pool")

    def rule(self, operations):
        return "left equals right" if operations[1] == operations[2] else None

    def analytic_properties(self, architecture):
        return {"convolutions": sum("conv" in name for name in self.operation_names(architecture))}
'''
SIZE = 3 * 3 * 2

# One class with one mistake each, and what its error line must say.
MISTAKES = {
    "nodes = ('a', 'b')": "name",
    "name = 'nasbench201'": "exists already",
    "choices = lambda self, node: ('x', 'z')": "'z'",
    "edges = ((0, 2),)": "edge",
    "edges = ((1, 0),)": "edge",
    "rule = lambda self, operations: 'never'": "rule",
    "rule = lambda self, operations: operations[9]": "`rule` of the search space Mine failed",
    "choices = lambda self, node: {}[node]": "`choices` of the search space Mine failed: KeyError",
    "choices = lambda self, node: None": "`choices` of the search space Mine failed: TypeError",
    "edge_condition = lambda self, i, j: 1 / 0": "`edge_condition` of the search space Mine failed",
    "__init__ = lambda self, width: None": "`__init__` of the search space Mine failed: TypeError",
}


@pytest.fixture
def pipeline(tmp_path: Path) -> str:
    """The space as named on the command line, its file lying in the folder of `run_cli`."""
    (tmp_path / "mine.py").write_text(PIPELINE)
    return "mine.py:Pipeline"


def test_everything_follows_from_the_declaration(pipeline: str, tmp_path: Path) -> None:
    space = get_search_space(str(tmp_path / pipeline))
    everything = list(space.enumerate())
    assert space.size == len(everything) == len(set(everything)) == SIZE
    assert all(
        space.parse(space.format(architecture)) == architecture for architecture in everything
    )
    assert set(space.sample(500)) == set(everything)
    assert space.mutate(everything[0]) in everything
    with pytest.raises(DiffusionNAGError, match="left equals right"):
        space.parse("conv3|pool|pool|linear")
    with pytest.raises(DiffusionNAGError, match="node head cannot be pool; it can be linear"):
        space.parse("conv3|conv3|pool|pool")


def test_it_is_described_and_drawn(pipeline: str, run_main: RunCli, tmp_path: Path) -> None:
    result = run_main("info", pipeline, "conv3|conv5|pool|linear", "--out", "drawn.svg")
    assert result.returncode == 0, result.stderr
    assert "convolutions: 2.0" in result.stdout
    for node in ("stem", "left", "right", "head"):
        assert node in result.stdout
    assert "conv5" in (tmp_path / "drawn.svg").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("quick_training")
def test_it_is_learnt_generated_and_guided(
    pipeline: str, run_cli: RunCli, run_main: RunCli, tmp_path: Path
) -> None:
    trained = run_main("train-generator", pipeline, "--out", "model", "--steps", 90)
    assert trained.returncode == 0, trained.stderr
    assert "90 steps" in trained.stdout

    space = get_search_space(str(tmp_path / pipeline))
    rows = [
        {
            "arch": space.format(architecture),
            "cost": architecture.operations.count(2) + architecture.operations[0] / 10,
        }
        for architecture in space.enumerate()
    ]
    (tmp_path / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = ("--data", "table.jsonl", "--property", "cost", "--folds", 2)
    fitted = run_main("train-predictor", pipeline, *table, "--out", "cost")
    assert fitted.returncode == 0, fitted.stderr

    costs = {}
    for name, guide in {
        "free": (),
        "high": ("--guide", "cost", "--sample"),
        "low": ("--guide=cost=-1", "--sample"),
    }.items():
        wanted = ("-n", 40, "--generator", "model", "--out", f"{name}.jsonl", *guide)
        run = run_cli if name == "free" else run_main
        made = run("generate", pipeline, *wanted)
        assert made.returncode == 0, made.stderr
        lines = (tmp_path / f"{name}.jsonl").read_text().splitlines()
        drawn = [space.parse(json.loads(line)["architecture"]) for line in lines]
        assert len(drawn) == 40
        costs[name] = sum(architecture.operations.count(2) for architecture in drawn) / 40
    assert costs["low"] < costs["free"] < costs["high"]


def test_a_generator_of_another_space_does_not_fit(pipeline: str, run_main: RunCli) -> None:
    result = run_main("generate", pipeline, "--generator", "nasbench201")
    assert_fails(result, 2, "trained for the search space 'nasbench201'")


def test_a_space_without_a_generator_says_so(pipeline: str, run_main: RunCli) -> None:
    assert_fails(run_main("generate", pipeline), 2, "'pipeline'")


@pytest.mark.parametrize(
    ("reference", "source", "message"),
    [
        ("missing.py:Pipeline", None, "no file missing.py"),
        ("missing_module:Pipeline", None, "cannot import 'missing_module'"),
        (":Pipeline", None, "Pipeline"),
        ("mine.py:Piepline", PIPELINE, "mine.py defines no class 'Piepline'"),
        ("mine.py:SIZE", "SIZE = 3", "'SIZE' derived from SearchSpace"),
        (
            "mine.py:Pipeline",
            "raise ValueError('no\\nluck')",
            "mine.py cannot be loaded: ValueError: no luck",
        ),
        ("mine.py:Pipeline", "class Pipeline(", "mine.py cannot be loaded"),
        ("mine.py:Pipeline", "import sys; sys.exit(3)", "mine.py cannot be loaded"),
    ],
)
def test_code_that_gives_no_space_is_refused(
    run_main: RunCli, tmp_path: Path, reference: str, source: str | None, message: str
) -> None:
    if source is not None:
        (tmp_path / "mine.py").write_text(source)
    assert_fails(run_main("info", reference), 2, message)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_declaration_is_named(
    run_main: RunCli, tmp_path: Path, mistake: str
) -> None:
    right = ["nodes = ('a', 'b')", "operations = ('x', 'y')", "edges = ((0, 1),)"]
    name = [] if "nodes" in mistake or "name" in mistake else ["name = 'mine'"]
    body = "\n    ".join([*name, *right, mistake])
    source = f"from diffusionnag import SearchSpace\nclass Mine(SearchSpace):\n    {body}\n"
    (tmp_path / "mine.py").write_text(source)
    result = run_main("train-generator", "mine.py:Mine", "--out", "model", "--steps", 2)
    assert_fails(result, 2, MISTAKES[mistake])


def test_markup_of_the_terminal_means_nothing_in_a_space(run_main: RunCli, tmp_path: Path) -> None:
    source = PIPELINE.replace("conv3", "[red]").replace("may not", "[/b] may not")
    (tmp_path / "mine.py").write_text(source)
    result = run_main("info", "mine.py:Pipeline", "[red]|conv5|pool|linear")
    assert result.returncode == 0, result.stderr
    assert "[red]|conv5|pool|linear" in result.stdout
    described = run_main("info", "mine.py:Pipeline")
    assert described.returncode == 0, described.stderr
    assert "[/b] may not" in described.stdout


def test_a_rule_that_refuses_nearly_all_is_drawn_from_all_the_same() -> None:
    class Narrow(SearchSpace):
        name = "narrow-of-the-tests"
        nodes = ("a", "b", "c", "d")
        operations = tuple("01234567")
        edges = ((0, 1), (1, 2), (2, 3))

        def rule(self, operations) -> str | None:
            """All but the first are the same as it, which is even."""
            return None if set(operations) in ({"0"}, {"2"}) else "not so"

    assert {Narrow().format(drawn) for drawn in Narrow().sample(5)} <= {"0|0|0|0", "2|2|2|2"}


def test_a_class_is_registered_by_a_decorator() -> None:
    @register_search_space
    class Switch(SearchSpace):
        name = "switch-of-the-tests"
        nodes = ("left", "right")
        operations = ("on", "off")
        edges = ((0, 1),)

    space = get_search_space("switch-of-the-tests")
    assert isinstance(space, Switch)
    assert sorted(map(space.format, space.enumerate())) == ["off|off", "off|on", "on|off", "on|on"]


def test_a_name_belongs_to_one_space() -> None:
    class Impostor(SearchSpace):
        name = "nasbench201"

    with pytest.raises(DiffusionNAGError, match="'nasbench201' exists already"):
        register_search_space(Impostor)
    assert get_search_space("nasbench201").size == 15_625


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import nothing_of_that_name", "cannot be loaded: ModuleNotFoundError"),
        ("Space = 3", "defines no class 'Space' derived from SearchSpace"),
    ],
)
def test_a_broken_package_breaks_its_own_space_only(
    run_main: RunCli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    message: str,
) -> None:
    module = f"broken_{len(source)}"
    (tmp_path / f"{module}.py").write_text(source)
    package = tmp_path / f"{module}-1.0.dist-info"
    package.mkdir()
    declared = f"[diffusionnag.search_spaces]\nbroken = {module}:Space\n"
    (package / "entry_points.txt").write_text(declared)
    monkeypatch.syspath_prepend(tmp_path)
    assert_fails(run_main("info", "broken"), 2, message)
    listed = run_main("spaces")
    assert (listed.returncode, message in listed.stderr) == (0, True)
    assert "nasbench201" in listed.stdout
    cell = get_search_space("nasbench201").sample(1)[0]
    record = {"architecture": get_search_space("nasbench201").format(cell), "valid": True}
    (tmp_path / "cells.jsonl").write_text(json.dumps(record | {"properties": {}}) + "\n")
    assert run_main("report", ".").returncode == 0
    assert f"Architecture {record['architecture']}" in (tmp_path / "report.html").read_text()


def test_importing_the_file_first_is_no_obstacle(pipeline: str, tmp_path: Path) -> None:
    specification = importlib.util.spec_from_file_location("mine", tmp_path / "mine.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    register_search_space(module.Pipeline)
    assert get_search_space(str(tmp_path / pipeline)).name == "pipeline"
