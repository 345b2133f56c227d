"""Solvers against distributions that are known exactly, and what is decided by a restart."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor

from diffusionnag.diffusion._restart import restart_undecided
from diffusionnag.diffusion.sde import SDE, VESDE, VPSDE, SubVPSDE
from diffusionnag.diffusion.solvers import SOLVERS, time_grid

each_process = pytest.mark.parametrize(
    "sde", [VESDE(), VPSDE(), SubVPSDE()], ids=lambda sde: sde.kind
)
# Noise enough for the prior to forget x_0 entirely, so that solvers face their own error alone.
each_wide_process = pytest.mark.parametrize(
    "sde", [VESDE(0.02, 50.0), VPSDE(), SubVPSDE()], ids=lambda sde: sde.kind
)
each_solver = pytest.mark.parametrize("solver", SOLVERS)

PROBABILITIES = torch.tensor([0.5, 0.3, 0.15, 0.05])
CENTRE, SPREAD = 0.7, 0.4


def exact_operations(x: Tensor, sigma: Tensor) -> Tensor:
    """D of nodes that draw their operations independently, by `PROBABILITIES`."""
    return (x / sigma**2 + PROBABILITIES.log()).softmax(-1)


def exact_gaussian(x: Tensor, sigma: Tensor) -> Tensor:
    """D of entries that are normal with mean `CENTRE` and deviation `SPREAD`."""
    return (SPREAD**2 * x + sigma**2 * CENTRE) / (SPREAD**2 + sigma**2)


def solve(solver: str, sde: SDE, denoise, shape: tuple[int, ...], steps: int) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    times = time_grid(sde, steps, SOLVERS[solver].spacing)
    x = sde.prior_std() * torch.randn(shape, generator=rng)
    randn = partial(torch.randn, generator=rng)
    return SOLVERS[solver].solve(denoise, x, sde, times, lambda like: randn(like.shape))


# -- solvers --------------------------------------------------------------------------------------


@each_solver
@each_wide_process
def test_solvers_draw_from_a_known_distribution_of_operations(solver: str, sde: SDE) -> None:
    drawn = solve(solver, sde, exact_operations, (1000, 4, 4), steps=200)
    chosen = drawn > 0.5
    assert (chosen.sum(-1) == 1).all()
    counts = chosen.sum((0, 1))
    assert chisquare(counts, PROBABILITIES * counts.sum()).pvalue > 1e-4


def test_eight_categorical_steps_favour_no_operation() -> None:
    sde = VESDE(0.02, 5.0)
    shares = {}
    for solver in ("categorical", "ancestral"):
        drawn = solve(solver, sde, exact_operations, (4000, 4, 4), steps=8)
        shares[solver] = (drawn > 0.5).float().mean((0, 1))
    torch.testing.assert_close(shares["categorical"], PROBABILITIES, atol=0.015, rtol=0)
    assert shares["ancestral"][0] > PROBABILITIES[0] + 0.03


@pytest.mark.parametrize("solver", sorted(set(SOLVERS) - {"categorical"}))
@each_wide_process
def test_solvers_draw_from_a_known_gaussian(solver: str, sde: SDE) -> None:
    drawn = solve(solver, sde, exact_gaussian, (2000, 5, 2), steps=400)
    assert float(drawn.mean()) == pytest.approx(CENTRE, abs=0.02)
    assert float(drawn.std()) == pytest.approx(SPREAD, rel=0.05)


@each_solver
@each_process
@pytest.mark.parametrize("steps", [1, 2, 500])
def test_any_number_of_steps_ends_at_operations(solver: str, sde: SDE, steps: int) -> None:
    drawn = solve(solver, sde, exact_operations, (8, 5, 4), steps)
    torch.testing.assert_close(drawn.sum(-1), torch.ones(8, 5))
    if steps > 2:
        assert ((drawn > 0.5).sum(-1) == 1).all()


@each_process
@pytest.mark.parametrize("spacing", ["uniform", "karras", "undecided", "decisions"])
def test_times_descend_from_one_to_the_end(sde: SDE, spacing: str) -> None:
    times = time_grid(sde, 50, spacing)
    assert len(times) == 51
    assert (times.diff() < 0).all()
    torch.testing.assert_close(times[[0, -1]], torch.tensor([1.0, sde.final_time]))


@each_process
def test_all_that_is_decided_takes_one_step(sde: SDE) -> None:
    sigmas = sde.sigma(time_grid(sde, 10, "undecided")).tolist()
    assert sum(sigma < 0.11 for sigma in sigmas) <= 1
    assert sigmas[-2] == pytest.approx(0.12, rel=0.01)


# -- restarting -----------------------------------------------------------------------------------


@each_process
def test_what_ends_between_operations_is_decided_by_a_restart(sde: SDE) -> None:
    rng = torch.Generator().manual_seed(0)
    decided = torch.eye(4)[torch.randint(4, (2000, 3), generator=rng)]
    tied = decided[:1000].clone()
    tied[:, 1] = torch.tensor([0.5, 0.5, 0.0, 0.0])
    randn = partial(torch.randn, generator=rng)
    restarted = restart_undecided(
        lambda rows: exact_operations,
        torch.cat([tied, decided[1000:]]),
        sde,
        lambda like: randn(like.shape),
    )
    assert ((restarted > 0.5).sum(-1) == 1).float().mean() > 0.995
    torch.testing.assert_close(restarted[1000:], decided[1000:])
    # The neighbours stand where noise of 0.6 leaves them the likelier choice, which it mostly does.
    stays = (
        (restarted[:1000, [0, 2]].argmax(-1) == decided[:1000, [0, 2]].argmax(-1)).float().mean()
    )
    assert stays > 0.6
    first, second, *rest = (restarted[:1000, 1] > 0.5).float().mean(0).tolist()
    assert first + second > 0.8
    assert first > second > max(rest)
