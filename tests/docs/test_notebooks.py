"""The notebooks hold what their pages hold: text, blocks, outputs and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from docs.scripts.notebooks import FOLDER, notebook, tutorials


@pytest.mark.parametrize("page", tutorials(), ids=lambda page: page.stem)
def test_a_notebook_is_its_page(page: Path) -> None:
    written = (FOLDER / f"{page.stem}.ipynb").read_text()
    assert written == notebook(page), "run `make notebooks`"


def test_no_notebook_is_left_over() -> None:
    assert {file.stem for file in FOLDER.glob("*.ipynb")} == {page.stem for page in tutorials()}


@pytest.mark.parametrize("page", tutorials(), ids=lambda page: page.stem)
def test_a_notebook_shows_what_its_code_prints(page: Path) -> None:
    cells = json.loads((FOLDER / f"{page.stem}.ipynb").read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert sum(bool(cell["outputs"]) for cell in code) >= len(code) // 2
