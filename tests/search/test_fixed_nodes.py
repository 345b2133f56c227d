"""Parameters that are fixed in part: what is fixed stays, and the rest is proposed given it."""

from __future__ import annotations

from collections.abc import Mapping

import optuna
import pytest
from conftest import RunCli, assert_fails
from optuna.samplers import PartialFixedSampler

from diffusionnag import Architecture, DiffusionNAGError, SearchSpace, get_search_space
from diffusionnag.errors import SpaceExhaustedError
from diffusionnag.search import (
    SEARCHERS,
    DiffusionNAGSampler,
    new_searcher,
    optuna_objective,
    parameters_of,
)
from diffusionnag.spaces import fix_nodes

SPACE, PHONE = get_search_space("nasbench201"), get_search_space("mobilenetv3")
FIXED = {"0>1": "skip_connect", "1>3": "nor_conv_3x3"}
pytestmark = pytest.mark.usefixtures("few_candidates")
optuna.logging.set_verbosity(optuna.logging.ERROR)


def measure(
    study: optuna.Study, trials: int, space: SearchSpace = SPACE, expected: Mapping[str, str] = {}
) -> list[Architecture]:
    """Return what a study measures, making sure that it has what is fixed and is never twice."""
    seen: list[Architecture] = []

    def size(architecture: Architecture) -> float:
        seen.append(architecture)
        return space.analytic_properties(architecture)["params"]

    study.optimize(optuna_objective(space, size), trials)
    for architecture in seen:
        assert parameters_of(space, architecture).items() >= expected.items()
    assert len(set(seen)) == len(seen) == trials
    return seen


@pytest.mark.parametrize("name", SEARCHERS)
def test_every_searcher_completes_what_an_outer_sampler_fixes(name: str) -> None:
    sampler = PartialFixedSampler(FIXED, new_searcher(name, SPACE))
    measure(optuna.create_study(sampler=sampler), 13, expected=FIXED)


def test_what_was_measured_before_is_learnt_from() -> None:
    study = optuna.create_study(sampler=DiffusionNAGSampler(SPACE), direction="minimize")
    measure(study, 12)
    study.sampler = PartialFixedSampler(FIXED, DiffusionNAGSampler(SPACE))
    sizes = [
        SPACE.analytic_properties(architecture)["params"]
        for architecture in measure(study, 3, expected=FIXED)
    ]
    drawn = [
        SPACE.analytic_properties(architecture)["params"]
        for architecture in fix_nodes(SPACE, FIXED).sample(99)
    ]
    assert max(sizes) < sum(drawn) / len(drawn)


def test_queued_parameters_are_completed_and_none_is_measured_twice() -> None:
    few = {"0>1": "none", "0>2": "none", "1>2": "none", "0>3": "none"}
    study = optuna.create_study(sampler=DiffusionNAGSampler(SPACE))
    for _ in range(26):
        study.enqueue_trial(few)
    measure(study, 25, expected=few)
    with pytest.raises(SpaceExhaustedError, match=r"0>1 = none and .* has been proposed"):
        study.optimize(optuna_objective(SPACE, lambda _: 0.0), 1)


def test_queued_parameters_of_a_space_with_a_rule_are_completed_validly() -> None:
    absent = {"stage1.layer3": "none"}
    study = optuna.create_study(sampler=DiffusionNAGSampler(PHONE))
    for _ in range(7):
        study.enqueue_trial(absent)
    measure(study, 7, PHONE, absent)


def test_an_architecture_that_is_fixed_as_a_whole_is_measured_once() -> None:
    (cell,) = SPACE.sample(1)
    sampler = PartialFixedSampler(parameters_of(SPACE, cell), DiffusionNAGSampler(SPACE))
    study = optuna.create_study(sampler=sampler)
    assert measure(study, 1) == [cell]
    with pytest.raises(SpaceExhaustedError):
        study.optimize(optuna_objective(SPACE, lambda _: 0.0), 1)


def test_an_unknown_node_or_operation_is_refused() -> None:
    with pytest.raises(DiffusionNAGError, match="no node '0>9'"):
        new_searcher("random", SPACE, fixed={"0>9": "none"})
    with pytest.raises(DiffusionNAGError, match="cannot be 'conv'"):
        DiffusionNAGSampler(SPACE, fixed={"0>1": "conv"})


def test_the_command_fixes_operations(run_main: RunCli) -> None:
    options = ("--evaluate", "echo 1", "--trials", 3, "--searcher", "random")
    result = run_main("search", "nasbench201", *options, "--fix", "0>1=none", "--fix", "0>2=none")
    assert result.returncode == 0, result.stderr
    listed = [line for line in result.stdout.splitlines() if "~0|+|" in line]
    assert len(listed) == 3
    assert all("|none~0|+|none~0|" in line for line in listed)
    result = run_main("search", "nasbench201", *options, "--fix", "0>1")
    assert_fails(result, 2, "should read like NODE=OPERATION")
