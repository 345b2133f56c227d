"""Profiles of this machine: interrupted, resumed, learnt from, and used as limits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import Command
from conftest import RunCli, assert_fails, wait_for
from test_own_networks import write_space

from diffusionnag import get_search_space
from diffusionnag.networks import Cache, LatencySettings, ProfileSettings, profile_space
from diffusionnag.spaces import ImageClassification
from diffusionnag.spaces.gpt2_networks import LanguageModel
from diffusionnag.tables import Table, read_table

SPACE = get_search_space("nasbench201")
SETTINGS = ProfileSettings(LatencySettings(repeats=1), ImageClassification(10, 4))
QUICK = ("--repeats", 1, "--resolution", 4)
NAME = "nasbench201-latency_here"


@pytest.fixture
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this machine's own models are kept during a test."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "diffusionnag" / "predictors"


def profile(folder: Path, count: int, **options: object) -> Table:
    return profile_space(SPACE, "latency:here", count, folder, SETTINGS, **options)  # type: ignore


def test_a_profile_grows_by_other_architectures(tmp_path: Path) -> None:
    once = profile(tmp_path / "once", 6)
    assert len(set(once.architectures)) == 6

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        profile(tmp_path / "stopped", 6, report=stop)
    before = read_table(tmp_path / "stopped" / "latencies.parquet")
    assert before.architectures == once.architectures[:4]
    after = profile(tmp_path / "stopped", 6)
    assert after.architectures == once.architectures
    assert after.column("measured_ms")[:4].tolist() == before.column("measured_ms").tolist()
    assert len(profile(tmp_path / "stopped", 2).architectures) == 6


def test_a_latency_is_that_at_the_usual_speed(tmp_path: Path) -> None:
    table = profile(tmp_path, 5)
    measured, reference = table.column("measured_ms"), table.column("reference_ms")
    relative = table.column("latency:here") / np.median(reference)
    np.testing.assert_allclose(relative, measured / reference)
    assert (measured > 0).all()


def test_a_limit_on_the_own_latency_is_kept(run_main: RunCli, own_models: Path) -> None:
    result = run_main("profile", "nasbench201", "-n", 12, *QUICK)
    assert result.returncode == 0, result.stderr
    assert "Spearman, cross-validated" in result.stdout
    table = read_table(own_models / NAME / "latencies.parquet")
    most = float(np.median(table.column("latency:here")))
    assert "latency:here" in run_main("info", "nasbench201").stdout
    request = ("--limit", f"latency:here<={most}", "--out", "cells.jsonl")
    result = run_main("generate", "nasbench201", "-n", 10, *request)
    assert result.returncode == 0, result.stderr
    lines = Path("cells.jsonl").read_text().splitlines()
    latencies = [json.loads(line)["properties"]["latency:here"] for line in lines]
    assert len(latencies) == 10
    assert max(latencies) <= most


def test_a_killed_profile_goes_on(run_main: RunCli, own_models: Path, tmp_path: Path) -> None:
    process = Command(["profile", "nasbench201", "-n", "1000", *map(str, QUICK)], tmp_path)
    path = own_models / NAME / "latencies.parquet"
    try:
        wait_for(lambda: path.exists() and len(read_table(path).architectures) > 1, process)
    finally:
        process.kill()
        process.wait()
    before = read_table(path)
    result = run_main("profile", "nasbench201", "-n", len(before.architectures) + 5, *QUICK)
    assert result.returncode == 0, result.stderr
    after = read_table(path)
    assert len(after.architectures) == len(before.architectures) + 5
    kept = after.column("measured_ms")[: len(before.architectures)]
    assert kept.tolist() == before.column("measured_ms").tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-n", 4), "at least 5 are needed"),
        (("-n", 20_000), "15625 of nasbench201"),
        (("--name", "a/b"), "letters, digits"),
        (("--name", "pixel3"), "shipped predictor"),
        (("--backend", "tvm"), "no backend 'tvm'"),
        (("--width", 2), "of width 2"),
        (("--generation",), "nasbench201 write no text with a cache by torch"),
        (("--generation", "--plan", "there"), "leave out --plan and --measured"),
    ],
)
def test_wrong_requests_are_one_line(
    run_main: RunCli, own_models: Path, options: tuple[str, ...], message: str
) -> None:
    assert_fails(run_main("profile", "nasbench201", *options), 2, message)
    assert not own_models.exists()


TINY = """
from diffusionnag.spaces import GPT2Scale, GPT2Shapes

class Tiny(GPT2Shapes, scale=GPT2Scale((16, 32), (1, 2), (1, 3))):
    name = "tiny-profiled"
"""


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens stand before each that is decoded, on a clock that only tokens move on.

    Each takes a millisecond in a network of width 16, and two in one of width 32.
    """
    now, before = [0.0], list[int]()
    usual, usual_step = LanguageModel.forward, LanguageModel.decode

    def pass_time(network: LanguageModel, tokens: torch.Tensor) -> None:
        now[0] += 1e-3 * tokens.shape[1] * network.embedding.embedding_dim / 16

    def forward(self: LanguageModel, tokens: torch.Tensor) -> torch.Tensor:
        pass_time(self, tokens)
        return usual(self, tokens)

    def decode(
        self: LanguageModel, tokens: torch.Tensor, cache: Cache
    ) -> tuple[torch.Tensor, Cache]:
        pass_time(self, tokens)
        before.append(cache[0][0].shape[2])
        return usual_step(self, tokens, cache)

    monkeypatch.setattr(LanguageModel, "forward", forward)
    monkeypatch.setattr(LanguageModel, "decode", decode)
    monkeypatch.setattr("diffusionnag.networks.latency.time.perf_counter", lambda: now[0])
    return before


def test_a_generated_token_is_a_latency_of_its_own(
    run_main: RunCli, own_models: Path, tmp_path: Path, remembered: list[int]
) -> None:
    (tmp_path / "tiny.py").write_text(TINY)
    request = ("profile", "tiny.py:Tiny", "-n", 5, "--repeats", 2, "--context", 16, "--name")
    for name, options, tokens in (("prompt", (), 16), ("generation", ("--generation",), 1)):
        result = run_main(*request, name, *options)
        assert result.returncode == 0, result.stderr
        table = read_table(own_models / f"tiny-profiled-latency_{name}" / "latencies.parquet")
        widths = np.array([int(text.split("|")[0]) for text in table.architectures])
        np.testing.assert_allclose(table.column("measured_ms"), tokens * widths / 16)
        assert set(widths) == {16, 32}
        rates = 16e3 / np.quantile(widths, (0.75, 0.5, 0.25))
        speeds = " / ".join(f"{rate:,.0f}" for rate in rates)
        assert f"{name}: {speeds} tokens/s, the quartiles" in result.stdout
        assert set(remembered) == (set() if name == "prompt" else {0, 15})


def test_what_cannot_be_built_is_passed_over(
    run_main: RunCli, own_models: Path, tmp_path: Path
) -> None:
    write_space(tmp_path)
    declared = tmp_path / "space.yaml"
    declared.write_text(declared.read_text().replace("[4, 8]", "[4, 8, 12]"))
    request = ("profile", "space.yaml", "-n", 9, *QUICK)
    result = run_main(*request)
    assert result.returncode == 0, result.stderr
    assert "left out 3 rows" in result.stderr
    path = own_models / "columns-of-the-tests-latency_here" / "latencies.parquet"
    table = read_table(path)
    assert len(set(table.architectures)) == 9
    for name in ("latency:here", "measured_ms"):
        left_out = np.isnan(table.column(name))
        assert [text.endswith("|5") for text in table.architectures] == left_out.tolist()
    assert run_main(*request).returncode == 0
    np.testing.assert_equal(read_table(path).columns, table.columns)
    # What no network can do is told, not kept as what these cannot.
    request = (*request, "--name", "other", "--batch", 10**12)
    assert_fails(run_main(*request), 2, "this machine has")
    assert not list(own_models.glob("*other/*.parquet"))


def test_a_profile_of_other_settings_is_left_alone(
    run_main: RunCli, own_models: Path, tmp_path: Path
) -> None:
    folder = own_models / NAME
    profile(folder, 5)
    result = run_main("profile", "nasbench201", "-n", 5, *QUICK, "--threads", 2)
    assert_fails(result, 2, "holds a profile of other settings or another machine")
    (folder / "latencies.parquet").write_bytes(b"PAR1")
    assert_fails(run_main("profile", "nasbench201", "-n", 5, *QUICK), 2, "damaged")
    (folder / "profile.json").write_text("{")
    assert_fails(run_main("profile", "nasbench201", "-n", 5, *QUICK), 2, "is damaged; delete")


@pytest.mark.usefixtures("own_models")
def test_a_latency_that_was_not_measured_is_told(run_main: RunCli) -> None:
    result = run_main("generate", "nasbench201", "--limit", "latency:here<=5")
    assert_fails(result, 2, "`diffusionnag profile` measures this machine")
