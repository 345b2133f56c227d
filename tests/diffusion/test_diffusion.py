"""The diffusion core against what is known exactly: processes, solvers, attention, guidance."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor
from torch.autograd.functional import jacobian

from diffusionnag import DiffusionNAGError, SearchSpace, get_search_space
from diffusionnag.diffusion._restart import restart_undecided
from diffusionnag.diffusion.denoiser import Denoiser
from diffusionnag.diffusion.score_network import PAPER_NETWORK, ScoreNetwork, ScoreNetworkConfig
from diffusionnag.diffusion.sde import SDE, VESDE, VPSDE, SubVPSDE, sde_from_config
from diffusionnag.diffusion.solvers import SOLVERS, score_at, time_grid

NASBENCH201 = get_search_space("nasbench201")
MOBILENETV3 = get_search_space("mobilenetv3")
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


# -- forward processes ----------------------------------------------------------------------------


@each_process
def test_time_is_the_inverse_of_the_noise_level(sde: SDE) -> None:
    t = torch.linspace(sde.final_time, 1, 101, dtype=torch.float64)
    torch.testing.assert_close(sde.time(sde.sigma(t)), t)
    assert (sde.sigma(t).diff() > 0).all()


def test_marginals_are_the_published_ones() -> None:
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    torch.testing.assert_close(VESDE(0.1, 5.0).std(t), 0.1 * 50**t)
    vp, subvp = VPSDE(), SubVPSDE()
    integral = 0.1 * t + 0.5 * 19.9 * t**2
    for sde in (vp, subvp):
        torch.testing.assert_close(sde.scale(t), torch.exp(-integral / 2))
    torch.testing.assert_close(vp.std(t) ** 2, 1 - torch.exp(-integral))
    torch.testing.assert_close(subvp.std(t), 1 - torch.exp(-integral))


@each_process
@pytest.mark.parametrize("step", ["drift and diffusion", "discrete"])
def test_marginals_are_those_of_the_simulated_process(sde: SDE, step: str) -> None:
    rng = torch.Generator().manual_seed(0)
    times, start = torch.linspace(0, 1, 1001), 2.0
    x = sde.scale(times[0]) * start + sde.std(times[0]) * torch.randn(20_000, generator=rng)
    for number, (s, t) in enumerate(pairwise(times), start=1):
        if step == "discrete":
            change, noise = sde.discretise(x, t, t - s)
        else:
            change, noise = sde.drift(x, s) * (t - s), sde.diffusion(s) * (t - s).sqrt()
        x = x + change + noise * torch.randn(len(x), generator=rng)
        if number % 250 == 0:
            # The standard error is 0.5 % of the deviation; the rest is room for 1,000 Euler steps.
            assert float(x.std() / sde.std(t)) == pytest.approx(1, abs=0.025)
            error = abs(float(x.mean() - sde.scale(t) * start))
            assert error < 0.03 * float(sde.std(t)) + 0.01


@each_process
def test_a_process_survives_its_config(sde: SDE) -> None:
    assert sde_from_config(json.loads(json.dumps(sde.to_config()))) == sde


@pytest.mark.parametrize("config", [{}, {"kind": "vq"}, {"kind": "ve", "sigma": 1.0}])
def test_a_wrong_config_of_a_process_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(DiffusionNAGError):
        sde_from_config(config)


# -- solvers --------------------------------------------------------------------------------------


@each_solver
@each_wide_process
def test_solvers_draw_from_a_known_distribution_of_operations(solver: str, sde: SDE) -> None:
    found = solve(solver, sde, exact_operations, (1000, 4, 4), steps=400)
    chosen = found > 0.5
    assert (chosen.sum(-1) == 1).all()
    counts = chosen.sum((0, 1))
    assert chisquare(counts, PROBABILITIES * counts.sum()).pvalue > 1e-4


@each_solver
@each_wide_process
def test_solvers_draw_from_a_known_gaussian(solver: str, sde: SDE) -> None:
    found = solve(solver, sde, exact_gaussian, (2000, 5, 2), steps=400)
    assert float(found.mean()) == pytest.approx(CENTRE, abs=0.02)
    assert float(found.std()) == pytest.approx(SPREAD, rel=0.05)


@each_solver
@each_process
@pytest.mark.parametrize("steps", [1, 2, 3000])
def test_any_number_of_steps_ends_at_operations(solver: str, sde: SDE, steps: int) -> None:
    found = solve(solver, sde, exact_operations, (8, 5, 4), steps)
    torch.testing.assert_close(found.sum(-1), torch.ones(8, 5))
    if steps > 2:
        assert ((found > 0.5).sum(-1) == 1).all()


@each_process
@pytest.mark.parametrize("spacing", ["uniform", "karras"])
def test_times_descend_from_one_to_the_end(sde: SDE, spacing: str) -> None:
    times = time_grid(sde, 50, spacing)
    assert len(times) == 51
    assert (times.diff() < 0).all()
    torch.testing.assert_close(times[[0, -1]], torch.tensor([1.0, sde.final_time]))


# -- restarting -----------------------------------------------------------------------------------


@each_process
def test_what_ends_between_operations_is_decided_by_a_restart(sde: SDE) -> None:
    rng = torch.Generator().manual_seed(0)
    decided = torch.eye(4)[torch.randint(4, (2000, 3), generator=rng)]
    tied = decided[:1000].clone()
    tied[:, 1] = torch.tensor([0.5, 0.5, 0.0, 0.0])
    randn = partial(torch.randn, generator=rng)
    found = restart_undecided(
        lambda rows: exact_operations,
        torch.cat([tied, decided[1000:]]),
        sde,
        lambda like: randn(like.shape),
    )
    assert ((found > 0.5).sum(-1) == 1).float().mean() > 0.995
    torch.testing.assert_close(found[1000:], decided[1000:])
    # The neighbours stand where noise of 0.6 leaves them the likelier choice, which it mostly does.
    stays = (found[:1000, [0, 2]].argmax(-1) == decided[:1000, [0, 2]].argmax(-1)).float().mean()
    assert stays > 0.6
    first, second, *rest = (found[:1000, 1] > 0.5).float().mean(0).tolist()
    assert first + second > 0.8
    assert first > second > max(rest)


# -- the score network ----------------------------------------------------------------------------


def network(space: SearchSpace, config: ScoreNetworkConfig) -> ScoreNetwork:
    torch.manual_seed(0)
    return ScoreNetwork(space, config).double().eval()


def influences(space: SearchSpace, config: ScoreNetworkConfig) -> Tensor:
    """Which node's input (column) changes which node's output (row), `N x N` bool."""
    score, time = network(space, config), torch.tensor([0.5], dtype=torch.float64)
    x = torch.randn(1, len(space.nodes), len(space.operations), dtype=torch.float64)
    gradient = jacobian(lambda x: score(x, time)[0], x)
    assert isinstance(gradient, Tensor)
    return gradient[:, :, 0].abs().amax((1, 3)) > 0


def ancestors(space: SearchSpace) -> Tensor:
    """Which node (column) lies upstream of which (row) or is it, `N x N` bool."""
    feeds = torch.from_numpy(space.sample(1)[0].adjacency()).double()
    return (torch.linalg.inv(torch.eye(len(feeds)).double() - feeds) > 0.5).T


def test_the_published_network_has_its_published_size() -> None:
    denoiser = Denoiser(NASBENCH201, VESDE(), PAPER_NETWORK, "score")
    assert round(sum(p.numel() for p in denoiser.parameters()) / 1e6, 2) == 3.99


def test_one_published_block_looks_one_edge_upstream() -> None:
    config = replace(PAPER_NETWORK, blocks=1, readout_width=16)
    feeds = torch.from_numpy(NASBENCH201.sample(1)[0].adjacency()) > 0
    expected = feeds.T | torch.eye(len(feeds), dtype=torch.bool)
    assert torch.equal(influences(NASBENCH201, config), expected)


def test_published_blocks_look_upstream_only() -> None:
    config = replace(PAPER_NETWORK, blocks=4, readout_width=16)
    assert torch.equal(influences(NASBENCH201, config), ancestors(NASBENCH201))


def test_the_fast_network_looks_along_the_flow_both_ways() -> None:
    upstream = ancestors(NASBENCH201)
    one_block = influences(NASBENCH201, ScoreNetworkConfig(blocks=1))
    assert torch.equal(one_block, upstream | upstream.T)
    assert influences(NASBENCH201, ScoreNetworkConfig(blocks=2)).all()


@pytest.mark.parametrize(
    ("embedding", "period"), [("none", 1), ("sinusoidal", 4), ("learned", None)]
)
def test_positions_tell_nodes_apart(embedding, period: int | None) -> None:
    """One upstream block sees a slot and the one before; with equal operations only positions differ.

    Positions restart every four slots, the length of a stage of MobileNetV3.
    """
    config = replace(PAPER_NETWORK, blocks=1, position_embedding=embedding, readout_width=16)
    x = torch.ones(1, 20, 10, dtype=torch.float64)
    (out,) = network(MOBILENETV3, config)(x, torch.tensor([0.5], dtype=torch.float64))
    inner = range(1, 20)
    for i in inner:
        for j in inner:
            same = i == j or (period is not None and (i - j) % period == 0)
            assert torch.allclose(out[i], out[j], atol=1e-9) == same


def test_a_denoiser_of_probabilities_gives_probabilities() -> None:
    denoiser = Denoiser(NASBENCH201, VESDE(), ScoreNetworkConfig())
    found = denoiser(torch.randn(6, 8, 7), torch.tensor(0.3))
    torch.testing.assert_close(found.sum(-1), torch.ones(6, 8))
    assert (found >= 0).all()


@each_process
def test_a_denoiser_of_scores_gives_the_networks_score_back(sde: SDE) -> None:
    denoiser = Denoiser(NASBENCH201, sde, ScoreNetworkConfig(), "score").double()
    x, t = torch.randn(6, 8, 7, dtype=torch.float64), torch.tensor(0.6, dtype=torch.float64)
    noise = denoiser.network(x, t.expand(6))
    torch.testing.assert_close(score_at(denoiser, x, sde, t), -noise / sde.std(t))
