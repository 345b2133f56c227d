"""Parameters and MACs of whatever a builder makes: exact when asked for, and kept exactly as limits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RunCli, assert_fails
from torch.nn import functional as F

from diffusionnag import DiffusionNAGError, get_search_space, maximize
from diffusionnag.generation import find_best
from diffusionnag.networks import build_network, count_properties, counted_names
from diffusionnag.predictors import CountedProperty
from diffusionnag.spaces import SearchSpace

EXAMPLES = Path(__file__).parents[2] / "examples"
SPACE = """
name: convolutions-of-the-tests
network: networks.py:build
task: {kind: own, input_shape: [2, 12], output_shape: [3]}
nodes:
  body:
    depths: [1, 2, 3]
    layer: {width: [4, 8, 16], kernel: [1, 3]}
  head: [pool, flat, broken, wide]
"""
NETWORKS = """
import torch
from torch import nn

def build(operations, task):
    channels, length = task.input_shape
    layers = []
    for layer in (1, 2, 3):
        width, kernel = operations[f"body{layer}.width"], operations[f"body{layer}.kernel"]
        if width != "none":
            layers += [nn.Conv1d(channels, int(width), int(kernel), padding=int(kernel) // 2), nn.ReLU()]
            channels = int(width)
    if operations["head"] == "broken":
        raise ValueError("no such head")
    if operations["head"] == "pool":
        layers.append(nn.AdaptiveAvgPool1d(1))
        length = 1
    outputs = task.outputs + (operations["head"] == "wide")
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * length, outputs))
"""


@pytest.fixture
def space(tmp_path: Path) -> SearchSpace:
    (tmp_path / "space.yaml").write_text(SPACE)
    (tmp_path / "networks.py").write_text(NETWORKS)
    return get_search_space(str(tmp_path / "space.yaml"))


def test_they_are_counted_on_the_module(space: SearchSpace) -> None:
    architecture = space.parse("8|3|16|1|none|none|flat")
    counted = count_properties(space, architecture)
    network = build_network(space, architecture)
    assert round(counted["params"] * 1e6) == sum(map(torch.numel, network.parameters())) == 779
    assert round(counted["macs"] * 1e6) == 12 * 2 * 8 * 3 + 12 * 8 * 16 + 12 * 16 * 3
    # The second convolution's output and that of its ReLU, besides the input.
    assert counted["activation_memory"] * 2**20 == 4 * 12 * (16 + 16 + 2)
    assert counted_names(get_search_space("nasbench201")) == ["activation_memory"]
    with pytest.raises(
        DiffusionNAGError, match=r"4\|1.* cannot be built: ValueError: no such head"
    ):
        count_properties(space, space.parse("4|1|none|none|none|none|broken"))
    with pytest.raises(DiffusionNAGError, match=r"returns \[1, 4\] for 1 inputs"):
        count_properties(space, space.parse("4|1|none|none|none|none|wide"))


def test_a_transformer_is_counted_with_its_attention() -> None:
    space = get_search_space(str(EXAMPLES / "transformer.yaml"))
    text = "learned|full|4|256|linear|8|512" + "|none" * 12 + "|mean"
    counted = count_properties(space, space.parse(text))
    layers = 2 * 128 * 4 * 256**2 + 128 * 2 * 256 * (256 + 512)
    full, linear = 2 * 128**2 * 256, 2 * 128 * 256 * 32
    assert round(counted["macs"] * 1e6) == layers + full + linear + 256 * 2
    network = build_network(space, space.parse(text))
    assert round(counted["params"] * 1e6) == sum(map(torch.numel, network.parameters()))


def test_a_limit_is_kept_exactly_by_what_is_handed_out(space: SearchSpace) -> None:
    params, macs = CountedProperty(space, "params"), CountedProperty(space, "macs")
    values, spread = params.predict(space.sample(64, 3))
    assert not spread.any()
    bound = float(np.nanmedian(values))
    samples = find_best(space, 12, guide=maximize(macs) + (params <= bound), seconds=0.01)
    for architecture in samples.architectures:
        network = build_network(space, architecture)
        assert sum(map(torch.numel, network.parameters())) <= bound * 1e6
    drawn = space.sample(200, 5)
    exact, _ = params.predict(drawn)
    kept = (params <= bound).keeps(drawn)
    assert not kept[~(exact <= bound)].any(), "NaN, of what cannot be built, keeps no limit"
    assert kept[exact <= bound].mean() > 0.95
    predicted = params.normal_score(drawn)
    valid = np.isfinite(exact)
    assert np.corrcoef(np.argsort(np.argsort(exact[valid])), predicted[valid])[0, 1] > 0.9


def test_check_says_what_fails_and_how_large_the_others_are(
    space: SearchSpace, tmp_path: Path, run_main: RunCli
) -> None:
    result = run_main("check", "space.yaml", "-n", 40)
    assert result.returncode == 0, result.stderr
    first, *rest = result.stdout.splitlines()
    assert "random architectures of convolutions-of-the-tests: " in first
    assert any("cannot be built: ValueError: no such head" in line for line in rest)
    assert any(line.startswith("params: ") and " M, median " in line for line in rest)
    networks = tmp_path / "networks.py"
    networks.write_text(
        networks.read_text().replace("channels, length =", "channels, length, more =")
    )
    assert_fails(run_main("check", "space.yaml", "-n", 9), 2, "none of 9 networks can be built")


def test_info_shows_them_and_every_proposal_of_a_search_keeps_a_limit(
    space: SearchSpace, tmp_path: Path, run_main: RunCli
) -> None:
    shown = run_main("info", "space.yaml", "8|3|16|1|none|none|flat")
    assert "params: 0.000779 M" in shown.stdout
    chosen = ("--trials", 6, "--strategy", "random", "--limit", "params<=0.4k")
    searched = run_main(
        "search", "space.yaml", "--objective", "macs", *chosen, "--out", "proposed.jsonl"
    )
    assert searched.returncode == 0, searched.stderr
    lines = (tmp_path / "proposed.jsonl").read_text().splitlines()
    proposed = [space.parse(json.loads(line)["architecture"]) for line in lines]
    assert 3 <= len(proposed) <= 6, "what returns another shape has no MACs, and the search goes on"
    assert max(count_properties(space, each)["params"] for each in proposed) <= 0.0004


def test_gradients_lead_to_more(space: SearchSpace) -> None:
    params = CountedProperty(space, "params")
    x = torch.from_numpy(space.encode(space.sample(8, 1))).requires_grad_()
    params.standardised(x).sum().backward()
    assert x.grad is not None
    widths = x.grad[:, 0].mean(0)
    small, large = (space.operations.index(width) for width in ("4", "16"))
    assert widths[large] > widths[small]
    assert F.relu(widths).sum() > 0
