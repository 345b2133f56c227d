"""Nodes that are fixed: the rest is generated to go with them, however it is asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCli, assert_fails

from diffusionnag import (
    AnalyticProperty,
    Architecture,
    DiffusionNAGError,
    Generator,
    PropertyPredictor,
    Sampling,
    generate,
    get_search_space,
    maximize,
)
from diffusionnag.generation import (
    Stream,
    sample_derivative_free,
    sample_resampled,
    stream_samples,
)
from diffusionnag.search import parameters_of
from diffusionnag.spaces import fix_nodes

FIXED = {"0>1": "skip_connect", "2>3": "none"}
CODED = "|skip_connect~0|+", "|none~2|"


@pytest.mark.parametrize("method", ["best", "sample", "pareto"])
def test_every_way_of_generating_keeps_what_is_fixed(method: str) -> None:
    result = generate(
        "nasbench201",
        8,
        guides=["cifar10", "params=-1"],
        limits=["macs<=120"],
        fixed=FIXED,
        method=method,
    )
    space = get_search_space("nasbench201")
    assert len(result.samples) == 8
    compared = () if result.fronts is None else result.fronts.random
    for architecture in (*result.samples, *result.uniform.architectures, *compared):
        assert parameters_of(space, architecture).items() >= FIXED.items()
    assert result.generated.within_limits.all()
    if result.quality is not None:
        assert result.quality.validity > 95
        assert 0 < result.quality.novelty < 100  # the network saw a half of the whole space


def test_the_best_are_those_of_all_that_have_what_is_fixed() -> None:
    space = get_search_space("nasbench201")
    result = generate(space, 3, guides=["params"], fixed=FIXED)
    left = [
        space.analytic_properties(architecture)["params"]
        for architecture in space.enumerate()
        if parameters_of(space, architecture).items() >= FIXED.items()
    ]
    assert len(left) == 5**4
    assert result.generated.analytic["params"].tolist() == sorted(left)[:-4:-1]


def test_slots_that_depend_on_each_other_go_with_what_is_fixed() -> None:
    fixed = {"stage1.layer3": "none", "stage2.layer4": "7-6"}
    space = get_search_space("mobilenetv3")
    generator = Generator.from_pretrained("mobilenetv3").within(fix_nodes(space, fixed))
    drawn = generator.draw(200)
    assert sum(map(bool, map(space.is_valid, drawn))) > 195
    for architecture in drawn:
        assert parameters_of(space, architecture).items() >= fixed.items()
    best = generate(space, 5, guides=["params=-1"], fixed=fixed)
    assert all(map(best.generated.space.is_valid, best.samples))


def test_guidance_made_exact_and_without_gradients_keeps_what_is_fixed() -> None:
    space = get_search_space("nasbench201")
    generator = Generator.from_pretrained("nasbench201").within(fix_nodes(space, FIXED))
    guide = maximize(AnalyticProperty(space, "params"))

    def kinds(architectures: Sequence[Architecture]) -> list[float]:
        return [float(len(set(each.operations))) for each in architectures]

    sampling = Sampling(steps=16)
    drawn = [
        *sample_resampled(generator, 4, guide=guide, particles=32, sampling=sampling),
        *sample_derivative_free(generator, 4, fitness=kinds, population=32),
    ]
    for architecture in drawn:
        assert parameters_of(space, architecture).items() >= FIXED.items()


@pytest.mark.parametrize("name", ["nasbench101", "darts"])
def test_wirings_that_vary_go_with_what_is_fixed(name: str) -> None:
    space = get_search_space(name)
    (example,) = space.sample(1, 3)
    fixed = dict(list(parameters_of(space, example).items())[1:3])
    known = space.sample(30, 0)
    predictor = PropertyPredictor(space, "kinds")
    predictor.fit(known, np.array([float(len(set(each.operations))) for each in known]))
    result = generate(space, 4, guides=[predictor], fixed=fixed, seconds=0.5)
    for architecture in result.samples:
        assert space.is_valid(architecture)
        assert parameters_of(space, architecture).items() >= fixed.items()


def test_streams_keep_what_is_fixed(tmp_path: Path) -> None:
    stream_samples(Stream("nasbench201", fixed=FIXED), 20, tmp_path / "many.jsonl")
    lines = (tmp_path / "many.jsonl").read_text().splitlines()
    assert len(lines) == 20
    for line in lines:
        assert all(part in json.loads(line)["architecture"] for part in CODED)


def test_what_nothing_has_is_refused() -> None:
    space = get_search_space("nasbench201")
    with pytest.raises(DiffusionNAGError, match="hardly any mobilenetv3 architecture has"):
        generate("mobilenetv3", 2, fixed={"stage1.layer3": "none", "stage1.layer4": "7-6"})
    cell = parameters_of(space, space.sample(1)[0])
    with pytest.raises(DiffusionNAGError, match="5 distinct ones do not exist"):
        generate(space, 5, guides=["params"], fixed=cell)
    generator = Generator.from_pretrained("nasbench201")
    others = fix_nodes(get_search_space("darts"), {})
    with pytest.raises(DiffusionNAGError, match="the generator is of nasbench201, not of darts"):
        generator.within(others)


def test_the_command_fixes_operations(run_main: RunCli) -> None:
    options = ("generate", "nasbench201", "-n", 4, "--fix", "0>1=skip_connect", "--fix", "2>3=none")
    for more in (("--guide", "cifar10"), ("--sample", "--limit", "params<=0.5")):
        result = run_main(*options, *more)
        assert result.returncode == 0, result.stderr
        listed = [line for line in result.stdout.splitlines() if "~0|+|" in line]
        assert listed
        assert all(part in line for line in listed for part in CODED)
    assert_fails(run_main(*options, "--fix", "0>1"), 2, "should read like NODE=OPERATION")
    assert_fails(run_main(*options, "--fix", "0>1=none"), 2, "0>1 is fixed to two operations")
    assert_fails(run_main(*options, "--fix", "0>9=none"), 2, "has no node '0>9'")
