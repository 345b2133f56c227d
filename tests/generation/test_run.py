"""One call that generates and evaluates: what it returns, and that the figures are true."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCli, assert_fails

from diffusionnag import DiffusionNAGError, Generator, Sampling, generate, limit
from diffusionnag.artifacts.json_lines import read_records
from diffusionnag.artifacts.model_cards import About
from diffusionnag.guidance import AnalyticProperty
from diffusionnag.tables import read_table

GUIDES = {"sample": ["params=0.5"], "resample": ["params=0.5"]}
SHORT = Sampling(steps=8)


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator.from_pretrained("nasbench201")


@pytest.mark.parametrize("method", GUIDES)
def test_whatever_the_method_the_figures_are_of_what_was_drawn(
    generator: Generator, method: str
) -> None:
    result = generate(
        "nasbench201",
        12,
        guides=GUIDES[method],
        limits=["macs<=60M"],
        method=method,
        sampling=SHORT,
        generator=generator,
    )
    space, samples = generator.search_space, result.samples
    assert len(samples) == len(result.generated) == len(result.uniform) == 12
    assert all(space.is_valid(architecture) for architecture in samples)
    assert result.generated.within_limits.all()
    assert result.generated.analytic["macs"].max() <= 60
    assert set(samples) <= set(samples.drawn)
    valid = [architecture for architecture in samples.drawn if space.is_valid(architecture)]
    assert result.quality is not None
    assert result.quality.validity == pytest.approx(100 * len(valid) / len(samples.drawn))
    broken = sum(space.analytic_properties(architecture)["macs"] > 60 for architecture in valid)
    assert samples.rejected == broken
    assert len(samples.drawn) >= len(samples) or method == "resample"


def test_a_front_needs_no_generator() -> None:
    guides, limits = ["params", "macs=-1"], ["macs<=60M"]
    result = generate("nasbench201", 12, guides=guides, limits=limits, method="pareto")
    assert len(result.samples) == len(result.generated) == len(result.uniform) == 12
    assert result.generated.analytic["macs"].max() <= 60
    assert result.quality is None
    assert result.samples.drawn == []
    assert result.fronts is not None
    assert result.fronts.generated >= result.fronts.uniform
    assert result.to_pandas()["front"].tolist() == result.samples.details.on_front.tolist()


def test_a_guide_asks_for_the_best_and_needs_no_generator(tmp_path: Path) -> None:
    result = generate("nasbench201", 5, guides=["params"], limits=["macs<=60M"])
    space = result.generated.space
    values = [space.analytic_properties(each) for each in space.enumerate()]
    best = sorted((each["params"] for each in values if each["macs"] <= 60), reverse=True)
    assert result.generated.analytic["params"] == pytest.approx(best[:5])
    assert result.quality is None
    with pytest.raises(DiffusionNAGError, match="the best by a guide"):
        generate("nasbench201", 5, method="best")


def test_properties_and_limits_may_be_objects(generator: Generator) -> None:
    space = generator.search_space
    params, macs = AnalyticProperty(space, "params"), AnalyticProperty(space, "macs")
    given = generate(
        space, 16, guides=[params], limits=[limit(macs, at_most=60.0)], generator=generator
    )
    named = generate("nasbench201", 16, guides=["params"], limits=["macs<=60M"], method="best")
    assert given.samples.architectures == named.samples.architectures
    merit = given.generated.merit
    assert (np.diff(merit) <= 0).all()
    with pytest.raises(DiffusionNAGError, match="no method 'exactly'"):
        generate(space, 1, method="exactly")


def test_the_result_is_a_table_a_page_and_a_file(generator: Generator, tmp_path: Path) -> None:
    result = generate(
        "nasbench201", 9, guides=["cifar10"], method="sample", sampling=SHORT, generator=generator
    )
    frame = result.to_pandas()
    assert list(frame["architecture"]) == list(
        map(generator.search_space.format, result.generated.architectures)
    )
    assert frame["cifar10"].is_monotonic_decreasing
    page = result._repr_html_()
    assert page.count("<tr>") == 1 + len(set(result.samples))
    about = About("a command")
    result.save(tmp_path / "cells.jsonl", about)
    assert about == About("a command")
    assert json.loads((tmp_path / "cells.run.json").read_text())["about"]["quality"]
    strings = [record.architecture for record in read_records(tmp_path / "cells.jsonl")]
    assert strings == list(frame["architecture"])
    for suffix in (".csv", ".parquet"):
        result.save(tmp_path / f"cells{suffix}")
        table = read_table(tmp_path / f"cells{suffix}")
        assert list(table.architectures) == list(frame["architecture"])
        np.testing.assert_allclose(table.column("cifar10"), frame["cifar10"])
    records = sorted(path.name for path in tmp_path.glob("*.run.json"))
    assert records == ["cells.csv.run.json", "cells.parquet.run.json", "cells.run.json"]
    goals = json.loads((tmp_path / "cells.csv.run.json").read_text())["goals"]
    assert goals == {"cifar10": 1}
    with pytest.raises(DiffusionNAGError, match=r"should end in \.jsonl, \.csv or \.parquet"):
        result.save(tmp_path / "cells.txt")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("params<=800k", 0.8),
        ("params<=0.8M", 0.8),
        ("params <= 0.8", 0.8),
        ("macs<=0.06G", 60.0),
        ("latency:pixel3<=9ms", 9.0),
        ("latency:pixel3<=0.009s", 9.0),
        ("latency:pixel3<=9", 9.0),
    ],
)
def test_values_carry_their_units(generator: Generator, text: str, value: float) -> None:
    result = generate("nasbench201", 1, limits=[text], sampling=SHORT, generator=generator)
    assert result.request.limits[0].bound == pytest.approx(value)


def test_limits_are_quantiles_of_random_draws(generator: Generator) -> None:
    space = generator.search_space
    values = AnalyticProperty(space, "params").predict(list(space.enumerate()))[0]
    for text, share in (("median", 0.5), ("30%", 0.3)):
        result = generate(space, 1, limits=[f"params<={text}"], generator=generator)
        assert (values <= result.request.limits[0].bound).mean() == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--limit latency:pixel3<=15kg", "a number may end in k, K, M, G, ms, s"),
        ("--limit params<=120%", "ends in '%'"),
        ("--guide imagenet_top1", "mnasnet has one of that name"),
        ("--guide cifar11", "it has cifar10"),
        ("--out cells.txt", "should end in .jsonl, .csv or .parquet"),
        ("--guide params --guide macs --pareto --resample", "exclude each other"),
    ],
)
def test_wrong_requests_say_what_is_right(
    run_main: RunCli, tmp_path: Path, options: str, message: str
) -> None:
    assert_fails(run_main("generate", "nasbench201", "-n", 2, *options.split()), 2, message)
    assert list(tmp_path.iterdir()) == []


def test_a_narrow_terminal_breaks_no_string(
    run_main: RunCli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from diffusionnag.cli import console

    monkeypatch.setattr(console.results, "_width", 80)
    result = run_main("generate", "nasbench201", "-n", 3, "--guide", "cifar10", "--out", "a.csv")
    assert result.returncode == 0, result.stderr
    with (tmp_path / "a.csv").open() as file:
        strings = [row["architecture"] for row in csv.DictReader(file)]
    assert all(string in result.stdout for string in strings)


def test_what_does_not_fit_is_refused_or_streamed(
    run_main: RunCli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    huge = ("generate", "nasbench201", "-n", 10**14)
    assert_fails(run_main(*huge), 2, "more than the 100,000 that are held in memory")
    assert_fails(run_main(*huge, "--guide", "params"), 2, "are streamed into a file")
    assert_fails(run_main(*huge, "--out", "all.jsonl"), 1, "ask for fewer")
    assert list(tmp_path.iterdir()) == []

    wanted = ("generate", "nasbench201", "--limit", "macs<=60M", "--out", "cells.jsonl")
    monkeypatch.setattr("diffusionnag.generation.generator.BATCH", 64)
    monkeypatch.setattr("diffusionnag.generation.streamed.MOST_AT_ONCE", 80)
    result = run_main(*wanted, "-n", 100)
    assert result.returncode == 0, result.stderr
    streamed = read_records(tmp_path / "cells.jsonl")
    assert len(streamed) == 100
    assert max(record.properties["macs"] for record in streamed) <= 60
    monkeypatch.setattr("diffusionnag.artifacts.record_files.TOGETHER", 40)
    for name in ("cells.csv", "cells.parquet"):
        assert run_main(*wanted[:-1], name, "-n", 100).returncode == 0
        table = read_table(tmp_path / name)
        assert list(table.architectures) == [record.architecture for record in streamed]
        assert table.columns["macs"].tolist() == [record.properties["macs"] for record in streamed]
    monkeypatch.setattr("diffusionnag.generation.streamed.MOST_AT_ONCE", 100)
    assert run_main(*wanted, "-n", 100, "--sample").returncode == 0
    assert {record.architecture for record in read_records(tmp_path / "cells.jsonl")} == {
        record.architecture for record in streamed
    }
