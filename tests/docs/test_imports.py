"""Documentation and examples import only names that a package lists."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import diffusionnag

ROOT = Path(__file__).parents[2]
FENCED = re.compile(r"^```python[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def sources() -> Iterator[tuple[str, str]]:
    """Yield every piece of Python that users are shown, with where it stands."""
    for page in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]:
        for number, block in enumerate(FENCED.finditer(page.read_text()), 1):
            yield f"{page.relative_to(ROOT)}, block {number}", block[1]
    for file in sorted(ROOT.glob("examples/*.py")):
        yield str(file.relative_to(ROOT)), file.read_text()


SOURCES = list(sources())


@pytest.mark.parametrize("source", [text for _, text in SOURCES], ids=[name for name, _ in SOURCES])
def test_only_listed_names_are_imported(source: str) -> None:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("diffusionnag.") for alias in node.names)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("diffusionnag"):
            listed = importlib.import_module(node.module or "").__all__
            for alias in node.names:
                assert alias.name in listed, f"{node.module} does not list {alias.name}"


def test_the_table_of_the_python_api_has_every_name_of_the_top() -> None:
    page = (ROOT / "docs/reference/index.md").read_text()
    rows = "".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(\w+)`", rows)) == set(diffusionnag.__all__)


def test_every_listed_name_is_there() -> None:
    for module in pkgutil.walk_packages(diffusionnag.__path__, "diffusionnag."):
        if module.ispkg:
            package = importlib.import_module(module.name)
            for name in getattr(package, "__all__", []):
                assert hasattr(package, name), f"{module.name} lists {name}"
