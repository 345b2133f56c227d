"""Limits and shipped predictors from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCli, assert_fails

from diffusionnag import PropertyPredictor, get_search_space
from diffusionnag.artifacts.checkpoints import shipped_folder, shipped_names
from diffusionnag.predictors import spearman
from diffusionnag.tables import known_tables

SPACE = get_search_space("nasbench201")


def test_what_is_handed_out_keeps_the_limits(run_main: RunCli, tmp_path: Path) -> None:
    asked = ("--guide", "cifar10", "--guide", "analog_drift_1month=2")
    limits = ("--limit", "latency:fpga<=5", "--limit", "params<=800k", "--limit", "macs>=20")
    result = run_main(
        "generate", "nasbench201", "-n", 60, "--distinct", *asked, *limits, "--out", "cells.jsonl"
    )
    assert result.returncode == 0, result.stderr
    assert "the best of the whole space" in result.stderr
    assert "keeps params <= 0.8 (exact)" in result.stdout
    records = [json.loads(line) for line in (tmp_path / "cells.jsonl").read_text().splitlines()]
    assert len(records) == 60
    for record in records:
        cost = SPACE.analytic_properties(SPACE.parse(record["architecture"]))
        assert cost["params"] <= 0.8
        assert cost["macs"] >= 20
        assert record["properties"]["latency:fpga"] <= 5
    accuracy = [record["true"]["cifar10"] for record in records]
    assert np.mean(accuracy) > 91


def test_a_limit_alone_needs_no_guide(run_main: RunCli, tmp_path: Path) -> None:
    limit = ("--limit", "params<=4M")
    result = run_main("generate", "mobilenetv3", "-n", 20, *limit, "--out", "nets.jsonl")
    assert result.returncode == 0, result.stderr
    lines = (tmp_path / "nets.jsonl").read_text().splitlines()
    assert all(json.loads(line)["properties"]["params"] <= 4 for line in lines)


def test_a_more_certain_limit_leaves_more_room(run_main: RunCli, tmp_path: Path) -> None:
    means = []
    for probability in (0.5, 0.99):
        result = run_main(
            *("generate", "nasbench201", "-n", 50, "--guide", "latency:pixel2=0.3"),
            *("--limit", "latency:pixel2<=12", "--limit-probability", probability),
            *("--out", "cells.jsonl"),
        )
        assert result.returncode == 0, result.stderr
        lines = (tmp_path / "cells.jsonl").read_text().splitlines()
        values = [json.loads(line)["properties"]["latency:pixel2"] for line in lines]
        assert max(values) <= 12
        means.append(np.mean(values))
    assert means[1] < means[0]


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("params<=0.01M", "the nearest has params = 0.0733"),
        ("latency:fpga<=0.1", "no nasbench201 architecture was found that keeps latency:fpga"),
        ("params<1", "should read like"),
        ("params<=one", "is no number"),
        ("params<=nan", "is no number"),
        ("latency:pixl3<=10", "it has latency:pixel3"),
    ],
)
def test_a_limit_that_cannot_be_kept_or_read_is_told_in_one_line(
    run_main: RunCli, limit: str, message: str
) -> None:
    assert_fails(run_main("generate", "nasbench201", "--limit", limit), 2, message)


def test_info_lists_the_shipped_predictors(run_main: RunCli) -> None:
    shown = run_main("info", "nasbench201").stdout
    for name in ("cifar10", "quantised_8bit", "analog_drift_1month", "latency:pixel3"):
        assert name in shown
    assert "more (diffusionnag info" in run_main("spaces").stdout


def test_every_shipped_predictor_has_a_card_and_ranks_what_was_measured(data_folder: Path) -> None:
    # Those of proxies learnt from no measurements (tests/proxies).
    names = [name for name in shipped_names("predictors") if not name.endswith("-proxies")]
    assert len(names) == 92
    rows = {
        space: np.random.default_rng(0).permutation(count)[:400]
        for space, count in (
            ("nasbench201", 15_625),
            ("mnasnet", 5_138),
            ("gpt2", 10_000),
        )
    }
    tables = {space: [read() for read in known_tables(space).values()] for space in rows}
    for name in names:
        predictor = PropertyPredictor.from_pretrained(name)
        folder = shipped_folder("predictors", name)
        assert folder is not None
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert "shipped-predictors" in card
        assert "Kendall, on a held-out tenth" in card
        space = predictor.search_space
        if space.name == "mobilenetv3":
            continue  # measured at resolutions other than the one the predictor ships set to
        table = next(
            table for table in tables[space.name] if predictor.property_name in table.columns
        )
        texts = [table.architectures[row] for row in rows[space.name]]
        true = table.column(predictor.property_name)[rows[space.name]]
        predicted, _ = predictor.predict([space.parse(text) for text in texts])
        measured = np.isfinite(true)
        # Accuracy under attack was measured once, with deviations of 1 to 2 points: of cells that
        # were not seen, 0.56 to 0.68 is reached (results/shipped-predictors.md).
        least = 0.5 if name.startswith("nasbench201-robustness") else 0.88
        assert spearman(predicted[measured], true[measured]) > least, name
