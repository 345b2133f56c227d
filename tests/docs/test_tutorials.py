"""The tutorials run as they are written, and print what they show."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.scripts.pages import TUTORIALS, difference, run_page

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(set(TUTORIALS.glob("*.md")) - {TUTORIALS / "index.md"}), ROOT / "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_prints_what_it_shows(page: Path, tmp_path: Path) -> None:
    for ran in run_page(page, tmp_path):
        assert not difference(ran), f"{page.name}: {ran.what}\n{difference(ran)}"
