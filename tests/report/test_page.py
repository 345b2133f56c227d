"""The report of a folder: what it shows, what it leaves out, and that nothing in it can do harm."""

from __future__ import annotations

import html
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import optuna
import pytest
from conftest import RunCli, assert_fails
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages.journal import JournalFileBackend

from diffusionnag import get_search_space
from diffusionnag.artifacts.model_cards import About
from diffusionnag.cli import main
from diffusionnag.networks import Comparison, TrainedNetwork, build_network, write_comparison
from diffusionnag.report.page import read_run_folder, write_page
from diffusionnag.report.page._section import Section
from diffusionnag.search import ARCHITECTURE
from diffusionnag.search.study import ORIGIN, SUBJECT
from diffusionnag.search.trials import METRICS
from diffusionnag.spaces import ImageClassification

pytest.importorskip("matplotlib")

SPACE = get_search_space("nasbench201")
LARGEST = 3 * 2**20
MEASURE = "def count(architecture):\n    return float(sum(architecture.operations))\n"
VOID = ("meta", "link", "wbr", "img")


class Page(HTMLParser):
    """A page as its reader meets it: elements with their attributes, and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def pictures(page: Page) -> list[str]:
    """Return what the pictures say to those who cannot see them."""
    return [str(picture["aria-label"]) for picture in page.all("svg") if picture["role"] == "img"]


def write_set(folder: Path, name: str = "cells.jsonl", count: int = 20, **more: object) -> Path:
    lines = []
    for cell in SPACE.sample(count, seed=1):
        known = {"score": float(sum(cell.operations)), **SPACE.analytic_properties(cell)}
        row = {"architecture": SPACE.format(cell), "valid": True, "properties": known, **more}
        lines.append(json.dumps(row))
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def report(folder: Path) -> Page:
    path = folder / "report.html"
    write_page(read_run_folder(folder), path, top=2)
    return Page(path.read_text(encoding="utf-8"))


# -- what it shows --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of real runs, and its report by the command line."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "count.py").write_text(MEASURE)
    (folder / "names.csv").write_text(
        "arch,size\n"
        + "".join(f"{SPACE.format(x)},{i}\n" for i, x in enumerate(SPACE.sample(12, 0)))
    )
    guided = "generate nasbench201 -n 24 --guide cifar10 --limit params<=0.8M --out guided.jsonl"
    front = "generate nasbench201 -n 12 --pareto --guide cifar10 --guide macs=-1 --out front.jsonl"
    searched = "search nasbench201 --objective python:count.py:count --searcher random --trials 8"
    kept = "--storage sqlite:///study.db --out measured.jsonl"
    learnt = "train-predictor nasbench201 --data names.csv --property size --folds 2 --out size"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in (guided, front, f"{searched} {kept}", learnt, "report ."):
            patch.setattr(sys, "argv", ["diffusionnag", *command.split()])
            with pytest.raises(SystemExit) as ended:
                main()
            assert ended.value.code == 0
    return folder


def test_it_shows_what_was_asked_and_what_came_out(shown: Path) -> None:
    page = Page((shown / "report.html").read_text(encoding="utf-8"))
    text = " ".join(page.texts)
    for wanted in ("guided.jsonl", "front.jsonl", "study.db", "size"):
        assert wanted in page.texts
    assert "measured.jsonl" not in page.texts, "its study tells the same"
    for command in ("diffusionnag generate nasbench201 -n 24 --guide cifar10", "train-predictor"):
        assert command in text
    for asked in ("raise cifar10, lower macs", "params <= 0.8", "raise count"):
        assert asked in page.texts
    alts = pictures(page)
    assert sum(alt.startswith("Distribution of") for alt in alts) == 3
    assert any("cifar10 and macs" in alt and "on the front" in alt for alt in alts)
    assert any(alt.startswith("8 measured values of count") for alt in alts)
    drawn = [alt.removeprefix("Architecture ") for alt in alts if alt.startswith("Architecture ")]
    assert len(drawn) == 6 + 6 + 6
    assert all(SPACE.is_valid(SPACE.parse(text)) for text in drawn)
    best = json.loads((shown / "guided.jsonl").read_text().splitlines()[0])["architecture"]
    assert drawn[0] == best


def test_the_overview_names_the_best_of_each_and_what_to_do_next(shown: Path) -> None:
    text = (shown / "report.html").read_text(encoding="utf-8")
    overview = Page(text[text.index("<nav") : text.index("</nav>") + len("</nav>")])
    assert {"study.db", "guided.jsonl", "front.jsonl", "size"} <= set(overview.texts)
    assert any(line.startswith("best cifar10") for line in overview.texts)
    assert any("with more --trials" in line for line in overview.texts)
    assert "use it: --guide size or --limit 'size<=VALUE'" in overview.texts


def test_pictures_are_drawn_narrow_and_long_galleries_are_folded(tmp_path: Path) -> None:
    write_set(tmp_path)
    write_page(read_run_folder(tmp_path), tmp_path / "report.html", top=5)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    styles = [
        str(picture["style"])
        for picture in page.all("svg")
        if "Architecture" not in str(picture["aria-label"])
    ]
    assert styles
    widths = [float(style.removeprefix("--width: ").removesuffix("pt")) / 72 for style in styles]
    assert all(width < 5.5 for width in widths), "inches that a phone shows without scrolling"
    assert "3 more drawings" in page.texts


def test_it_needs_nothing_but_itself(shown: Path) -> None:
    path = shown / "report.html"
    page = Page(path.read_text(encoding="utf-8"))
    assert path.stat().st_size < LARGEST
    assert not page.all("script")
    assert not page.all("img")
    links = [
        address
        for _, given in page.elements
        for address in (given.get("href"), given.get("src"))
        if address
    ]
    assert links
    assert all(link.startswith(("#", "data:,")) for link in links)
    targets = {given["id"] for _, given in page.elements if "id" in given}
    assert all(link.removeprefix("#") in targets for link in links if link.startswith("#"))
    urls = re.findall(r"url\(([^)]*)", path.read_text(encoding="utf-8"))
    assert all(url.startswith("#") and url.removeprefix("#") in targets for url in urls)


def test_every_picture_has_a_title(shown: Path) -> None:
    page = Page((shown / "report.html").read_text(encoding="utf-8"))
    assert len(page.all("svg")) == len(pictures(page)) == len(page.all("title")) - 1
    assert page.all("html")[0]["lang"] == "en"


def test_the_same_folder_gives_the_same_page(tmp_path: Path) -> None:
    write_set(tmp_path)
    report(tmp_path)
    first = (tmp_path / "report.html").read_bytes()
    report(tmp_path)
    assert (tmp_path / "report.html").read_bytes() == first


def test_a_command_is_broken_before_options_only() -> None:
    command = "diffusionnag generate nasbench201 --limit 'params<=0.8M' " + "--guide cifar10 " * 6
    lines = Section("", "", "", (), command.strip()).command_lines.splitlines()
    assert len(lines) > 1
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert all(line.startswith("    --") for line in lines[1:])
    assert "".join(line.removesuffix("\\") for line in lines).split() == command.split()


# -- files of others ------------------------------------------------------------------------------


def test_architectures_without_a_record_are_shown(tmp_path: Path) -> None:
    write_set(tmp_path)
    page = report(tmp_path)
    assert "nasbench201" in page.texts
    assert any("Distribution of score" in alt for alt in pictures(page))


def test_a_comparison_is_shown(tmp_path: Path) -> None:
    cells = [SPACE.format(cell) for cell in SPACE.sample(4, seed=2)]
    groups = {"guided": tuple(cells[:2]), "ran<dom": tuple(cells[2:])}
    accuracies = {
        "guided": np.array([[90.0, 92.0], [94.0, 96.0]]),
        "ran<dom": np.full((2, 2), 50.0),
    }
    about = About(command="diffusionnag compare nasbench201 --groups guided.jsonl random.jsonl")
    write_comparison(Comparison("nasbench201", groups, accuracies, about), tmp_path)
    page = report(tmp_path)
    assert about.command in " ".join(page.texts)
    assert "ran<dom" in page.texts
    assert "93.00 ± 12.71" in page.texts, "12.706 is the 97.5th percentile of t with one degree"
    assert any("guided 93 %, ran<dom 50 %" in alt for alt in pictures(page))
    assert f"Architecture {cells[1]}" in pictures(page)


def test_a_trained_network_is_shown(tmp_path: Path) -> None:
    (cell,) = SPACE.sample(1, seed=3)
    network = build_network(SPACE, cell, classes=2)
    about = About(command="diffusionnag train nasbench201", quality={"accuracy in %": 81.25})
    colour = (0.5, 0.5, 0.5)
    preparation = {"classes": ("a", "b"), "mean": colour, "std": colour}
    TrainedNetwork(SPACE, cell, network, ImageClassification(2, 32), preparation, about).save(
        tmp_path
    )
    (tmp_path / "history.csv").write_text("epoch,loss,accuracy\n1,0.7,60.0\n2,0.5,81.25\n")
    page = report(tmp_path)
    assert {"diffusionnag train nasbench201", "81.25", "accuracy in %"} <= set(page.texts)
    assert "Accuracy over 2 epochs, 81.25 % in the end" in pictures(page)
    assert f"Architecture {SPACE.format(cell)}" in pictures(page)


@pytest.mark.parametrize(
    "dump", sorted((Path(__file__).parents[1] / "search" / "studies").glob("format_*.sql"))
)
def test_a_study_of_an_earlier_version_is_shown(tmp_path: Path, dump: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "study.db")) as database:
        database.executescript(dump.read_text())
    page = report(tmp_path)
    assert "old" in page.texts, "the name of the study"
    assert any("measured values of" in alt for alt in pictures(page))
    assert any(alt.startswith("Architecture |") for alt in pictures(page))


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>|<img src=x onerror=alert(1)>\x00\ud800"
    row = {"architecture": evil, "properties": {evil: 1.0, "$x^2$": 2.0}, "true": {evil: 1.0}}
    (tmp_path / "a<b>&.jsonl").write_text(f"{json.dumps(row)}\n" * 12)
    about = {
        "command": f"{evil} '",
        "data": evil,
        "date": evil,
        "machine": "",
        "quality": {evil: 1},
    }
    record = {"search_space": evil, "about": about, "goals": {evil: 1}, "limits": [evil]}
    record |= {"random": {evil: [1.0, 2.0]}, "random_true": {}, "warm_up": 0}
    (tmp_path / "a<b>&.run.json").write_text(json.dumps(record))
    page = report(tmp_path)
    assert not page.all("script")
    assert not page.all("img")
    assert "a<b>&.jsonl" in page.texts
    assert any("<script>alert(1)" in text for text in page.texts)
    assert any(alt.startswith("Distribution of <script>") for alt in pictures(page))


def test_a_space_is_never_loaded_because_a_file_names_it(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('this ran')")
    write_set(tmp_path)
    record = {"search_space": f"{tmp_path}/evil.py:Space", "about": {}, "goals": {}, "limits": []}
    record |= {"random": {}, "random_true": {}, "warm_up": 0}
    (tmp_path / "cells.run.json").write_text(json.dumps(record))
    assert not any(alt.startswith("Architecture") for alt in pictures(report(tmp_path)))


DEEP = "[" * 200_000 + "]" * 200_000
DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut.jsonl": lambda path: path.write_text('{"architecture": "a", "prop'),
    "other.jsonl": lambda path: path.write_text('{"name": 3}\n'),
    "list.jsonl": lambda path: path.write_text("[1, 2]\n"),
    "empty.jsonl": lambda path: path.write_text(""),
    "binary.jsonl": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "text.log": lambda path: path.write_text("epoch 1 of 3\n"),
    "none.db": lambda path: path.write_bytes(b"not a database"),
    "config.json": lambda path: path.write_text("{}"),
    "comparison.json": lambda path: path.write_text('{"groups": {"a": []}}'),
    "nested.jsonl": lambda path: path.write_text('{"properties": ' + DEEP),
    "model/config.json": lambda path: path.write_text(DEEP),
    "compared/comparison.json": lambda path: path.write_text(DEEP),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_cannot_be_read_is_left_out_and_named(tmp_path: Path, name: str) -> None:
    write_set(tmp_path, count=1)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    DAMAGES[name](tmp_path / name)
    before = (tmp_path / name).read_bytes()
    page = report(tmp_path)
    assert "cells.jsonl" in page.texts
    assert any(text.startswith(f"{name}: ") for text in page.texts)
    assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize("damage", ['{"search_space"', "[3]", "nested"])
def test_a_damaged_record_is_named(tmp_path: Path, damage: str) -> None:
    damage = DEEP if damage == "nested" else damage
    write_set(tmp_path)
    write_set(tmp_path, "more.jsonl")
    (tmp_path / "more.run.json").write_text(damage)
    assert any("more.run.json is damaged" in text for text in report(tmp_path).texts)


def write_study(folder: Path, storage: str | optuna.storages.BaseStorage) -> None:
    """Keep a study of three trials as `search` does, with a file of architectures beside it."""
    write_set(folder, count=1)
    record = {"search_space": SPACE.name, "about": {}, "goals": {"accuracy": 1}, "limits": []}
    record |= {"random": {}, "random_true": {}, "warm_up": 0}
    study = optuna.create_study(storage=storage, direction="maximize")
    study.set_user_attr(SUBJECT, SPACE.name)
    study.set_user_attr(ORIGIN, record)
    for cell in SPACE.sample(3, seed=0):
        attributes = {ARCHITECTURE: SPACE.format(cell), METRICS: {"accuracy": 90.0}}
        study.add_trial(optuna.trial.create_trial(value=90.0, user_attrs=attributes))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study in a database."""
    folder = tmp_path_factory.mktemp("study")
    write_study(folder, f"sqlite:///{folder}/study.db")
    return folder


@pytest.mark.parametrize("name", [ARCHITECTURE, METRICS, SUBJECT, ORIGIN])
def test_studies_that_say_odd_things_end_nothing(study: Path, name: str, tmp_path: Path) -> None:
    shutil.copytree(study, tmp_path, dirs_exist_ok=True)
    for number, wrong in enumerate(["3", "[]", "null", '"x"', "{}", "{", "\xff"]):
        odd = shutil.copy(study / "study.db", tmp_path / f"odd{number}.db")
        with closing(sqlite3.connect(odd)) as database, database:
            for table in ("trial_user_attributes", "study_user_attributes"):
                database.execute(f"UPDATE {table} SET value_json = ? WHERE key = ?", (wrong, name))
    assert "cells.jsonl" in report(tmp_path).texts


@settings(max_examples=40)
@given(
    line=st.integers(0, 8),
    damage=st.sampled_from([b"", b"\xff\xfe", b"{}", b"3", b'{"op_code": 99}']),
)
def test_a_journal_with_a_wrong_line_ends_nothing(line: int, damage: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backend = JournalFileBackend(str(folder / "study.log"))
        write_study(folder, optuna.storages.JournalStorage(backend))
        lines = (folder / "study.log").read_bytes().splitlines(keepends=True)
        lines[line % len(lines)] = damage + b"\n" if damage else b""
        (folder / "study.log").write_bytes(b"".join(lines))
        assert any(entry.name == "cells.jsonl" for entry in read_run_folder(folder).entries)


# -- wrong requests -------------------------------------------------------------------------------


def test_wrong_requests_are_one_line(run_main: RunCli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_set(tmp_path)
    assert_fails(run_main("report", "empty"), 2, "empty holds nothing to report")
    assert_fails(run_main("report", "nowhere"), 2, "there is no folder nowhere")
    assert_fails(run_main("report", ".", "--top", -1), 2, "--top is -1")
    assert_fails(run_main("report", ".", "--space", "nasbench2"), 2, "no search space named")
    assert_fails(run_main("report", ".", "--out", "no/page.html"), 1, "cannot write no/page.html")
    assert not list(tmp_path.rglob("*.html"))


# -- in a browser ---------------------------------------------------------------------------------

MEASURED = """
<body><iframe width="{width}" height="800" srcdoc="{page}"></iframe><script>
onload = () => {{
  const page = document.querySelector("iframe").contentDocument, root = page.documentElement;
  page.querySelectorAll("details").forEach(folded => folded.open = true);
  const boxes = [...page.querySelectorAll("svg")].map(one => one.getBoundingClientRect());
  const found = {{wide: root.scrollWidth, boxes: boxes.map(box => [box.width, box.height])}};
  document.body.textContent = JSON.stringify(found);
}};
</script></body>
"""


@pytest.fixture(scope="session")
def browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        browser = shutil.which(name)
        if browser:
            return browser
    pytest.skip("needs a browser: install Chromium, on Debian by `apt-get install chromium`")


def browse(browser: str, page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    quiet = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0")
    command = [browser, *quiet, *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)


@pytest.mark.parametrize("width", [390, 1200], ids=["phone", "desktop"])
def test_a_browser_draws_all_of_it_without_complaint(
    shown: Path, tmp_path: Path, browser: str, width: int
) -> None:
    text = (shown / "report.html").read_text(encoding="utf-8")
    page = tmp_path / "framed.html"
    page.write_text(MEASURED.format(width=width, page=html.escape(text)), encoding="utf-8")
    result = browse(browser, page, "--dump-dom")
    assert "CONSOLE" not in result.stderr
    match = re.search(r"<body>(\{.*?\})</body>", result.stdout)
    assert match, result.stdout[-500:]
    measured = json.loads(match[1])
    assert len(measured["boxes"]) == len(pictures(Page(text)))
    assert all(wide > 200 and high > 100 for wide, high in measured["boxes"])
    assert measured["wide"] <= width, "nothing makes the page itself scroll sideways"
