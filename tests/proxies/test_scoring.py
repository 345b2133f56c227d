"""`diffusionnag proxies`: scores that grow in a folder, and the predictor that they teach."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import Command
from conftest import RunCli, assert_fails, wait_for

from diffusionnag import PropertyPredictor, get_search_space
from diffusionnag.networks import OwnFit, load_data
from diffusionnag.predictors import spearman
from diffusionnag.proxies import (
    FURTHER_PROXIES,
    USUAL_PROXIES,
    ProxySettings,
    combined_ranks,
    score_architecture,
    score_space,
    single_scores,
)
from diffusionnag.proxies.az_nas import VIEWS, az_nas
from diffusionnag.tables import known_tables
from diffusionnag.tables.table import Table, read_table

EXAMPLES = Path(__file__).parents[2] / "examples"
DATA = "sklearn:breast_cancer"
PROXIES = ("proxies", "tabular_mlp.yaml", "--data", DATA, "--batch", 16)


@pytest.fixture(autouse=True)
def space_file(tmp_path: Path) -> Path:
    """The space of examples/ for tables, with its networks, where commands run."""
    for name in ("tabular_mlp.yaml", "tabular_mlp_networks.py"):
        shutil.copy(EXAMPLES / name, tmp_path)
    return tmp_path / "tabular_mlp.yaml"


def test_scores_teach_a_predictor_that_guides(
    run_main: RunCli, space_file: Path, tmp_path: Path
) -> None:
    result = run_main(*PROXIES, "-n", 8, "--out", "scores", "--proxy", "synflow", "--proxy", "nwot")
    assert result.returncode == 0, result.stderr
    table = read_table(tmp_path / "scores" / "scores.parquet")
    space = get_search_space(str(space_file))
    data = load_data(DATA, space)
    assert not isinstance(data, OwnFit)
    settings = ProxySettings(("synflow", "nwot"), batch=16)
    for row, text in enumerate(table.architectures[:3]):
        again = score_architecture(space, space.parse(text), data, settings)
        assert again == {name: table.column(name)[row] for name in settings.names}

    # More rows later: those that are there stay, and the predictor follows.
    grown = run_main(*PROXIES, "-n", 12, "--out", "scores", "--proxy", "synflow", "--proxy", "nwot")
    assert grown.returncode == 0, grown.stderr
    more = read_table(tmp_path / "scores" / "scores.parquet")
    assert more.architectures[:8] == table.architectures
    assert len(set(more.architectures)) == 12
    predictor = PropertyPredictor.from_pretrained(tmp_path / "scores", search_space=space)
    ranks = more.column("proxies")
    known = np.isfinite(ranks)  # nwot needs rectifiers, and some have none
    predicted = predictor.predict([space.parse(text) for text in more.architectures])[0]
    assert np.corrcoef(predicted[known], ranks[known])[0, 1] > 0.8
    guided = run_main("generate", "tabular_mlp.yaml", "-n", 2, "--guide", "./scores")
    assert guided.returncode == 0, guided.stderr


def test_ranks_of_four_views_are_joined(run_main: RunCli, tmp_path: Path) -> None:
    asked = ("-n", 12, "--out", "scores", "--proxy", "az_nas", "--proxy", "synflow")
    assert run_main(*PROXIES, *asked).returncode == 0
    table = read_table(tmp_path / "scores" / "scores.parquet")
    assert list(table.columns) == [*VIEWS, "synflow", "az_nas", "proxies"]
    joined = az_nas({name: table.column(name) for name in VIEWS})
    np.testing.assert_array_equal(table.column("az_nas"), joined)
    both = combined_ranks({name: table.column(name) for name in ("az_nas", "synflow")})
    np.testing.assert_array_equal(table.column("proxies"), both)


def test_workers_that_are_killed_lose_nothing(
    run_main: RunCli, tmp_path: Path, space_file: Path
) -> None:
    asked = ["--proxy", "synflow", "--workers", "2", "--out", "scores"]
    process = Command([*map(str, PROXIES), *asked, "-n", "200"], tmp_path)
    path = tmp_path / "scores" / "scores.parquet"
    try:
        wait_for(lambda: path.exists() and len(read_table(path).architectures) > 3, process)
    finally:
        process.kill()
        process.wait()
    before = read_table(path)
    count = len(before.architectures) + 4
    assert run_main(*PROXIES, *asked, "-n", count).returncode == 0
    after = read_table(path)
    scores = dict(zip(after.architectures, after.column("synflow"), strict=True))
    assert {name: scores[name] for name in before.architectures} == dict(
        zip(before.architectures, before.column("synflow"), strict=True)
    )
    # As many workers as there may be, and however often they are stopped: the same table.
    space = get_search_space(str(space_file))
    data = load_data(DATA, space)
    assert not isinstance(data, OwnFit)
    settings = ProxySettings(("synflow",), batch=16)
    whole = score_space(space, data, len(after.architectures), tmp_path / "whole", settings)
    assert whole.architectures == after.architectures
    np.testing.assert_array_equal(whole.column("proxies"), after.column("proxies"))


def test_other_settings_are_refused(run_main: RunCli) -> None:
    assert run_main(*PROXIES, "-n", 6, "--out", "scores").returncode == 0
    other = run_main(*PROXIES, "-n", 6, "--out", "scores", "--seed", 1)
    assert_fails(other, 2, "holds scores of other settings or data")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-n", 2), "needed to learn from"),
        (("--proxy", "magic"), "no proxy 'magic'; known: nwot"),
        (("--proxy", "snip", "--proxy", "snip"), "named twice"),
        (("--batch", 1), "compares nothing"),
        (("-n", 10**9), "ask for 1 to all"),
    ],
)
def test_wrong_requests_are_one_line(
    run_main: RunCli, tmp_path: Path, options: tuple, message: str
) -> None:
    assert_fails(run_main(*PROXIES, "--out", "scores", *options), 2, message)
    assert not (tmp_path / "scores").exists()


def test_what_fails_has_no_scores_and_stops_nothing(run_main: RunCli, tmp_path: Path) -> None:
    path = tmp_path / "tabular_mlp_networks.py"
    broken = "\n\n_build = build\n\n\ndef build(operations, task):\n"
    broken += '    assert operations["layer2"] != "gated128"\n    return _build(operations, task)\n'
    path.write_text(path.read_text() + broken)
    result = run_main(*PROXIES, "-n", 16, "--out", "scores")
    assert result.returncode == 0, result.stderr
    table = read_table(tmp_path / "scores" / "scores.parquet")
    lost = np.isnan(table.column("proxies"))
    assert lost.any()
    assert not lost.all()
    assert f"{lost.sum()} networks have no scores" in result.stderr
    predictor = PropertyPredictor.from_pretrained(
        tmp_path / "scores", search_space=get_search_space(str(tmp_path / "tabular_mlp.yaml"))
    )
    assert {"proxies", "snip", "l2_norm"} <= set(predictor.aspect_names)
    assert set(predictor.aspect_names) <= {"proxies", *FURTHER_PROXIES}
    assert set(table.columns) == {"proxies", *USUAL_PROXIES, *FURTHER_PROXIES}


def test_where_nothing_can_be_scored_it_says_what_to_do(run_main: RunCli, tmp_path: Path) -> None:
    (tmp_path / "tabular_mlp_networks.py").write_text("def build(operations, task):\n    1 / 0\n")
    result = run_main(*PROXIES, "-n", 6, "--out", "scores")
    assert_fails(
        result, 2, "only 0 of 6 networks have scores; `diffusionnag check tabular_mlp.yaml`"
    )


def test_ranks_are_combined() -> None:
    nan = np.nan
    scores = {
        "one": np.array([1.0, 5.0, 3.0, nan]),
        "other": np.array([2.0, 2.0, 9.0, 1.0]),
        "undefined": np.array([nan, nan, nan, 1.0]),
    }
    np.testing.assert_allclose(combined_ranks(scores), [0.25, 0.75, 0.75, nan])


def test_single_proxies_count_where_they_tell_networks_apart(space_file: Path) -> None:
    space = get_search_space(str(space_file))
    networks = list(dict.fromkeys(space.sample(30, 0)))[:6]
    names = tuple(map(space.format, networks))
    scores = {"synflow": np.arange(6.0), "nwot": np.array([np.nan, *range(5)])}
    columns = {**scores, "params": np.ones(6), "proxies": np.arange(6.0)}
    asked = ("synflow", "nwot", "params")
    single = single_scores(Table("scores", names, columns), space, networks[::-1], asked)
    assert list(single) == ["synflow"]
    np.testing.assert_array_equal(single["synflow"], np.arange(6.0)[::-1])
    later = single_scores(Table("scores", names, columns), space, networks[1:], asked)
    assert list(later) == ["synflow", "nwot"]


def test_the_shipped_predictor_ranks_accuracies_that_it_has_not_seen(data_folder: Path) -> None:
    predictor = PropertyPredictor.from_pretrained("nasbench201-proxies")
    table = known_tables("nasbench201")["nasbench201_accuracy"]()
    rows = np.random.default_rng(0).permutation(len(table.architectures))[:400]
    cells = [predictor.search_space.parse(table.architectures[row]) for row in rows]
    for dataset in ("cifar10", "cifar100", "imagenet16"):
        true = table.column(f"{dataset}_test_200ep")[rows]
        assert spearman(predictor.normal_score(cells), true) > 0.8


@pytest.mark.parametrize("name", ["mobilenetv3", "mnasnet"])
def test_proxies_of_the_mobile_spaces_start_a_search(run_main: RunCli, name: str) -> None:
    asked = ("--objective", "macs", "--trials", 2, "--start-from", "proxies")
    result = run_main("search", name, *asked, "--strategy", "random")
    assert result.returncode == 0, result.stderr
