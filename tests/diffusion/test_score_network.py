"""The score network: its size, which nodes it looks at, and denoisers of both kinds."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.autograd.functional import jacobian

from diffusionnag import SearchSpace, get_search_space
from diffusionnag._devices import threads_for_rows, torch_threads
from diffusionnag.diffusion.denoiser import Denoiser
from diffusionnag.diffusion.score_network import PAPER_NETWORK, ScoreNetwork, ScoreNetworkConfig
from diffusionnag.diffusion.sde import SDE, VESDE, VPSDE, SubVPSDE
from diffusionnag.diffusion.solvers import score_at

NASBENCH201 = get_search_space("nasbench201")
MOBILENETV3 = get_search_space("mobilenetv3")
each_process = pytest.mark.parametrize(
    "sde", [VESDE(), VPSDE(), SubVPSDE()], ids=lambda sde: sde.kind
)


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
    probabilities = denoiser(torch.randn(6, 8, 7), torch.tensor(0.3))
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(6, 8))
    assert (probabilities >= 0).all()


@each_process
def test_a_denoiser_of_scores_gives_the_networks_score_back(sde: SDE) -> None:
    denoiser = Denoiser(NASBENCH201, sde, ScoreNetworkConfig(), "score").double()
    x, t = torch.randn(6, 8, 7, dtype=torch.float64), torch.tensor(0.6, dtype=torch.float64)
    noise = denoiser.network(x, t.expand(6))
    torch.testing.assert_close(score_at(denoiser, x, sde, t), -noise / sde.std(t))


@pytest.mark.parametrize("levels", [1, 300], ids=["one level", "a level each"])
def test_a_denoiser_says_the_same_on_any_number_of_threads(levels: int) -> None:
    torch.manual_seed(0)
    denoiser = Denoiser(MOBILENETV3, VESDE(), ScoreNetworkConfig()).requires_grad_(False)
    x, sigma = torch.randn(300, 20, 10, requires_grad=True), torch.rand(levels).squeeze()
    answers = []
    for threads in (1, 2, 3):
        with torch_threads(threads), threads_for_rows():
            with torch.inference_mode():
                free = denoiser(x, sigma)
            assert free.is_inference()
            answers.append(
                (free.clone(), *torch.autograd.grad(denoiser(x, sigma)[..., 0].sum(), x))
            )
    for estimate, gradient in answers[1:]:
        torch.testing.assert_close(estimate, answers[0][0])
        torch.testing.assert_close(gradient, answers[0][1])
