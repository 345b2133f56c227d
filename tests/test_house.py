"""The rules of the house: which way dependence runs, what is public, and what things are called."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import diffusionnag

ROOT = Path(diffusionnag.__file__).parent
TOP = "diffusionnag"

ORDER = (
    "cli",
    "report",
    "search",
    "generation",
    "transfer",
    "proxies",
    "diffusion",
    "predictors",
    "supernets",
    "networks",
    "guidance",
    "tables",
    "artifacts",
    "images",
    "text",
    "graphs",
    "tabular",
    "spaces",
    "execution",
)
"""Dependence runs from left to right; below all of them are the private modules at the root."""

UPWARD: set[tuple[str, str]] = set()
"""Imports, module and imported module, that still run the other way."""

SAME_NAME = {
    "nasbench_graph": {"spaces", "tables"},
    "nasbench_macro": {"spaces", "tables"},
}
"""Module names of which each place holds what its package holds of one search space."""

VAGUE = {"one", "found"}
"""What no variable is called: each is called what it is."""

PATHS = sorted(ROOT.rglob("*.py"))
EXPERIMENTS = sorted((Path(__file__).parents[1] / "experiments").rglob("*.py"))


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _nodes(tree: ast.AST, *, inside_functions: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not inside_functions:
            continue
        yield node
        yield from _nodes(node, inside_functions=inside_functions)


def _imports(path: Path, *, inside_functions: bool) -> Iterator[str]:
    """Yield the modules of the package that a file imports, without the package's own name."""
    for node in _nodes(_tree(path), inside_functions=inside_functions):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            # `from package import name` may name a module.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            top, _, rest = name.partition(".")
            if top == TOP and rest:
                yield _module(rest)


def _module(name: str) -> str:
    path = ROOT.joinpath(*name.split("."))
    return name if path.is_dir() or path.with_suffix(".py").exists() else name.rpartition(".")[0]


def _package(module: str) -> str:
    return module.split(".")[0]


def _floor(module: str) -> int:
    package = _package(module)
    assert package in ORDER or (ROOT / f"{package}.py").exists(), f"{package} has no place in ORDER"
    return ORDER.index(package) if package in ORDER else len(ORDER)


def test_dependence_runs_one_way() -> None:
    upward = {
        (_name(path), imported)
        for path in PATHS
        if path.parent != ROOT or (path.name.startswith("_") and not path.name.startswith("__"))
        for imported in _imports(path, inside_functions=False)
        if imported and _floor(imported) < _floor(_name(path))
    }
    assert upward <= UPWARD


def test_private_modules_are_used_by_their_own_package_only() -> None:
    wrong = {
        (_name(path), imported)
        for path in PATHS
        for imported in _imports(path, inside_functions=True)
        if any(part.startswith("_") for part in imported.split(".")[1:])
        and _package(imported) != _package(_name(path))
    }
    assert wrong == set()


def _packages() -> list[str]:
    return [_name(path) for path in PATHS if path.name == "__init__.py" and path.parent != ROOT]


@pytest.mark.parametrize("package", [*_packages(), ""])
def test_a_package_lists_what_is_public_and_describes_it(package: str) -> None:
    module = importlib.import_module(f"{TOP}.{package}" if package else TOP)
    assert module.__doc__
    assert "__all__" in vars(module)
    listed = getattr(module, "__all__", [])
    assert len(set(listed)) == len(listed)
    undescribed = [name for name in listed if not _is_described(module.__name__, name)]
    assert undescribed == []


def _is_described(module_name: str, name: str) -> bool:
    value = getattr(importlib.import_module(module_name), name)
    if inspect.isclass(value) or inspect.isroutine(value):
        return bool(value.__doc__)
    # A constant is described by the string that follows it, where it is assigned.
    tree = _tree(Path(importlib.import_module(module_name).__file__ or ""))
    for node, following in zip(tree.body, [*tree.body[1:], ast.Pass()], strict=True):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
    for node in _nodes(tree, inside_functions=True):
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return _is_described(node.module or "", name)
    return False


def test_importing_the_library_takes_no_torch() -> None:
    code = f"import sys, {TOP}; print(sorted({{'torch', 'numpy', 'rich'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("wanted", [None, "ACTIVE"])
def test_threads_wait_passively_unless_the_user_wants_otherwise(wanted: str | None) -> None:
    code = f"import os, {TOP}; print(os.environ['OMP_WAIT_POLICY'])"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {"OMP_WAIT_POLICY": wanted} if wanted else {}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == (wanted or "PASSIVE")


def test_module_names_tell_modules_apart() -> None:
    places = defaultdict(set)
    for path in PATHS:
        # A command is named after what it does, and so is the package that does it.
        if path.name not in ("__init__.py", "__main__.py") and path.parent.name != "cli":
            places[path.stem.lstrip("_")].add(_name(path).rpartition(".")[0])
    twice = {name: packages for name, packages in places.items() if len(packages) > 1}
    unexpected = {
        name: packages
        for name, packages in twice.items()
        if not packages <= SAME_NAME.get(name, set())
    }
    assert unexpected == {}


def _variables(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield each place where a variable or a parameter gets its name, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name, node.lineno


def test_variables_are_called_what_they_are() -> None:
    vague = [
        f"{path}:{line}: {name}"
        for path in (*PATHS, *EXPERIMENTS)
        for name, line in _variables(_tree(path))
        if name in VAGUE
    ]
    assert EXPERIMENTS
    assert vague == []
