"""The tutorials run as they are written, and print what they show."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.scripts.pages import TUTORIALS, difference, read_blocks, run_page

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(set(TUTORIALS.glob("*.md")) - {TUTORIALS / "index.md"}), ROOT / "README.md"]


@pytest.mark.slow
@pytest.mark.usefixtures("quick_training", "few_candidates")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_prints_what_it_shows(page: Path, tmp_path: Path) -> None:
    for ran in run_page(page, tmp_path):
        assert not difference(ran), f"{page.name}: {ran.what}\n{difference(ran)}"


def test_files_that_pages_share_with_the_examples_are_the_same() -> None:
    shown = {
        block.title: "\n".join(block.lines) + "\n"
        for page in PAGES
        for block in read_blocks(page.read_text())
        if block.title
        and (ROOT / "examples" / block.title).exists()
        # A page has a script of this name of its own.
        and block.title != "measure.py"
    }
    assert len(shown) == 7
    for name, text in shown.items():
        assert text == (ROOT / "examples" / name).read_text(), name
