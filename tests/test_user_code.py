"""The user's own code: what it may import, and that what it defines can be sent to other processes."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diffusionnag import DiffusionNAGError, SearchSpace, get_search_space
from diffusionnag._user_code import import_user_code

PIPELINE = """
from diffusionnag import SearchSpace
from sibling import NODES

class Pipeline(SearchSpace):
    name = "processes-of-the-tests"
    nodes = NODES
    operations = ("a", "b")
    edges = ((0, 1),)
"""
DECLARATION = """
name: declared-in-the-tests
nodes: {stem: [a, b], head: [a, b]}
rules: [rules.py:differ]
"""
RULES = """
def differ(operations):
    "stem and head differ"
    return operations["stem"] != operations["head"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "mine.py": PIPELINE,
        "sibling.py": "NODES = ('left', 'right')",
        "declared.yaml": DECLARATION,
        "rules.py": RULES,
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def formatted(space: SearchSpace) -> list[str]:
    return sorted(map(space.format, space.enumerate()))


def in_spawned_process(function: Callable[[Any], Any], argument: object) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, (argument,))


@pytest.mark.parametrize("name", ["mine.py:Pipeline", "declared.yaml"])
def test_a_space_can_be_sent_to_a_spawned_process(folder: Path, name: str) -> None:
    space = get_search_space(str(folder / name))
    assert in_spawned_process(formatted, space) == formatted(space)


def test_every_process_finds_what_a_file_defines(folder: Path) -> None:
    space = get_search_space(str(folder / "mine.py:Pipeline"))
    again = pickle.loads(pickle.dumps(space))
    assert type(again) is type(space)
    # Asked for again, the file is not loaded again: the first can still be pickled.
    get_search_space(str(folder / "mine.py:Pipeline"))
    assert type(pickle.loads(pickle.dumps(space))) is type(space)


def test_files_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "measure.py").write_text(f"NAME = {name!r}")
    modules = [
        import_user_code(str(tmp_path / name / "measure.py"), "measure.py")
        for name in ("one", "other", "one")
    ]
    assert [module.NAME for module in modules] == ["one", "other", "one"]


def test_a_file_that_changed_is_loaded_anew(tmp_path: Path) -> None:
    path = tmp_path / "measure.py"
    for value in (1, 22):
        path.write_text(f"VALUE = {value}")
        assert value == import_user_code(str(path), "measure.py").VALUE


def test_an_edit_within_the_same_second_is_seen_and_leaves_no_bytecode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "measure.py"
    for value in (3, 4):
        path.write_text(f"VALUE = {value}")
        os.utime(path, ns=(value, 1_800_000_000 * 10**9 + value))
        assert value == import_user_code(str(path), "measure.py").VALUE
    assert list(tmp_path.iterdir()) == [path]


def test_a_module_of_the_current_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "module_of_the_current_folder.py").write_text("VALUE = 1")
    monkeypatch.chdir(tmp_path)
    module = import_user_code("module_of_the_current_folder", "module:VALUE")
    assert module.VALUE == 1


def test_an_import_that_comes_later_is_found_and_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "late_sibling.py").write_text("VALUE = 3")
    (tmp_path / "json.py").write_text("raise ValueError")
    (tmp_path / "late.py").write_text(
        "def value():\n import late_sibling\n return late_sibling.VALUE"
    )
    assert import_user_code(str(tmp_path / "late.py"), "late.py").value() == 3
    assert import_user_code("json", "json:loads").loads("1") == 1


def test_a_file_that_is_missing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DiffusionNAGError, match="no file"):
        import_user_code(str(tmp_path / "missing.py"), "missing.py:f")
