"""Guidance by resampling against the distribution that it must follow exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import RunCli, assert_fails
from torch import Tensor

from diffusionnag import Architecture, DiffusionNAGError, Generator, SearchSpace, get_search_space
from diffusionnag.diffusion.guided import Strength, guided
from diffusionnag.diffusion.particles import (
    Particles,
    effective_share,
    systematic,
    walk_particles,
)
from diffusionnag.diffusion.sde import SDE, VESDE, VPSDE
from diffusionnag.diffusion.solvers import ancestral, time_grid
from diffusionnag.generation.resampled import sample_resampled
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance import AnalyticProperty, Guidance, limit, maximize

SAMPLES = 12_000
STEPS = 48
NEAR = 0.05
"""Total variation; 12,000 independent draws from the exact distribution come to about 0.03."""


class Chain(SearchSpace):
    """Three nodes of four operations: 64 architectures."""

    name = "chain"
    nodes = ("first", "second", "third")
    operations = ("conv3", "conv5", "pool", "skip")
    edges = ((0, 1), (1, 2))


class Alternating(Chain):
    """The same, without an operation twice in a row: 36 architectures."""

    name = "alternating"

    def rule(self, operations: Sequence[str]) -> str | None:
        twice = any(operation == other for operation, other in pairwise(operations))
        return "an operation stands twice in a row" if twice else None


CHAIN = Chain()
EVERYTHING = list(CHAIN.enumerate())
ONE_HOT = torch.from_numpy(CHAIN.encode(EVERYTHING))
RNG = np.random.default_rng(0)
# One number for each architecture, so that neither is a sum over nodes.
LOG_PRIOR = torch.from_numpy(RNG.normal(size=64)).float().log_softmax(0)
REWARD = torch.from_numpy(1.5 * RNG.normal(size=64)).float()


def exact(x: Tensor, sigma: Tensor) -> Tensor:
    """D of architectures that are drawn by `LOG_PRIOR`."""
    log_likelihood = x.flatten(1) @ ONE_HOT.flatten(1).T / sigma**2
    return ((log_likelihood + LOG_PRIOR).softmax(1) @ ONE_HOT.flatten(1)).view_as(x)


@dataclass(frozen=True)
class Reward(Guidance):
    """The expected `REWARD` of independent nodes; exact, and multilinear, at one-hot input."""

    weight: float = 1.0

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        together = torch.einsum("bi,bj,bk->bijk", *clean.unbind(1)).flatten(1)
        return self.weight * (together @ REWARD)


@cache
def walked(
    sde: SDE,
    seed: int = 0,
    space: SearchSpace = CHAIN,
    strength: Strength | None = None,
    count: int = SAMPLES,
) -> Particles:
    return walk_particles(
        exact,
        Reward(),
        space,
        sde,
        time_grid(sde, STEPS, "karras"),
        count,
        torch.Generator().manual_seed(seed),
        strength=strength,
    )


def resampled(*arguments: object, **settings: object) -> list[Architecture]:
    particles = walked(*arguments, **settings)  # pyright: ignore[reportArgumentType]
    return particles.draw(SAMPLES, torch.Generator().manual_seed(1))


def plainly_guided(sde: SDE) -> list[Architecture]:
    randn = partial(torch.randn, generator=torch.Generator().manual_seed(0))
    x = sde.prior_std() * randn((SAMPLES, 3, 4))
    times = time_grid(sde, STEPS, "karras")
    drawn = ancestral(guided(exact, Reward()), x, sde, times, lambda like: randn(like.shape))
    return CHAIN.decode(drawn.numpy())


def total_variation(drawn: list[Architecture], space: SearchSpace = CHAIN) -> float:
    """Half the sum of absolute differences to prior times exp(reward), within the space."""
    valid = torch.tensor([bool(space.is_valid(architecture)) for architecture in EVERYTHING])
    tilted = (LOG_PRIOR + REWARD).masked_fill(~valid, -torch.inf).softmax(0)
    counts = Counter(drawn)
    share = torch.tensor([counts[architecture] / len(drawn) for architecture in EVERYTHING])
    return 0.5 * float((share - tilted).abs().sum())


# -- the exact distribution -----------------------------------------------------------------------


@pytest.mark.parametrize("sde", [VESDE(), VPSDE()], ids=lambda sde: sde.kind)
def test_resampling_draws_from_the_tilted_distribution_and_plain_guidance_does_not(
    sde: SDE,
) -> None:
    drawn = resampled(sde)
    assert len(drawn) == SAMPLES
    assert total_variation(drawn) < NEAR
    assert total_variation(plainly_guided(sde)) > 2 * NEAR


@pytest.mark.parametrize("strength", [Strength(lambda sigma: 0.25 + 0 * sigma), Strength(clip=0.3)])
def test_strength_does_not_move_the_distribution(strength: Strength) -> None:
    assert total_variation(resampled(VESDE(), strength=strength)) < NEAR


def test_what_is_invalid_has_no_weight() -> None:
    alternating = Alternating()
    particles = walked(VESDE(), space=alternating)
    valid = torch.tensor(
        [bool(alternating.is_valid(architecture)) for architecture in particles.architectures]
    )
    assert 0 < int(valid.sum()) < SAMPLES
    assert torch.equal(particles.log_weights.isneginf(), ~valid)
    drawn = particles.draw(SAMPLES, torch.Generator().manual_seed(1))
    assert all(map(alternating.is_valid, drawn))
    assert total_variation(drawn, alternating) < NEAR


def test_a_seed_decides_the_particles() -> None:
    walk = partial(walked.__wrapped__, VESDE(), count=1_000)
    first, again, other = walk(), walk(), walk(seed=1)
    assert first.architectures == again.architectures != other.architectures
    assert torch.equal(first.log_weights, again.log_weights)
    assert first.effective_sample_size == again.effective_sample_size


def test_the_effective_sample_size_is_a_share_of_the_particles() -> None:
    shares = walked(VESDE()).effective_sample_size
    assert len(shares) == STEPS + 1
    assert all(0 < share <= 1 for share in shares)
    assert min(shares) < 0.5 < shares[0]


# -- weights --------------------------------------------------------------------------------------


def test_effective_shares_are_the_known_ones() -> None:
    weights = torch.tensor([3.0, 3.0, -torch.inf, -torch.inf], dtype=torch.float64)
    assert effective_share(weights) == pytest.approx(0.5)
    assert effective_share(weights.clone().fill_(-800.0)) == 1
    assert effective_share(torch.tensor([0.0, -900.0]).double()) == pytest.approx(0.5)


def test_systematic_draws_differ_from_their_expectation_by_less_than_one() -> None:
    weights = torch.tensor([0.0, 0.5, 0.0, 0.13, 0.37, 0.0], dtype=torch.float64)
    for seed in range(200):
        rows = systematic(weights.log(), 10, torch.Generator().manual_seed(seed))
        counts = torch.bincount(rows, minlength=6)
        assert ((counts - 10 * weights).abs() < 1).all()
        assert (counts[weights == 0] == 0).all()


# -- a generator ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator.from_pretrained("nasbench201")


@pytest.fixture(scope="module")
def params(generator: Generator) -> AnalyticProperty:
    return AnalyticProperty(generator.search_space, "params")


def test_a_shipped_generator_follows_the_tilted_distribution(
    generator: Generator, params: AnalyticProperty
) -> None:
    everything = params.normal_score(list(generator.search_space.enumerate()))
    tilt = np.exp(everything - everything.max())  # over a generator that draws nearly uniformly
    expected = float((tilt * everything).sum() / tilt.sum())
    samples = sample_resampled(
        generator, 512, guide=maximize(params, 0.25), particles=512, sampling=Sampling(steps=16)
    )
    assert len(samples.architectures) == 512
    assert len(samples.details.effective_sample_size) == 17
    assert min(samples.details.effective_sample_size) > 0.2
    # The standard error is about 0.08.
    assert params.normal_score(samples.architectures).mean() == pytest.approx(expected, abs=0.35)
    again = sample_resampled(
        generator, 512, guide=maximize(params, 0.25), particles=512, sampling=Sampling(steps=16)
    )
    assert again == samples


def test_limits_are_kept(generator: Generator, params: AnalyticProperty) -> None:
    up = maximize(params, 0.25)
    free = sample_resampled(generator, 300, guide=up, particles=128, sampling=Sampling(steps=16))
    assert (params.predict(free.architectures)[0] > 0.6).mean() > 0.1
    guide = up + limit(params, at_most=0.6)
    samples = sample_resampled(
        generator, 300, guide=guide, particles=128, sampling=Sampling(steps=16)
    )
    assert len(samples.architectures) == 300
    assert params.predict(samples.architectures)[0].max() <= 0.6


class Broken(Guidance):
    """Guidance that is not a number."""

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        return x.sum((1, 2)) * torch.nan


def test_wrong_requests_are_refused(generator: Generator, params: AnalyticProperty) -> None:
    refused = partial(sample_resampled, generator, guide=params, sampling=Sampling(steps=2))
    with pytest.raises(DiffusionNAGError, match="count is 0"):
        refused(0)
    with pytest.raises(DiffusionNAGError, match="particles is 0"):
        refused(1, particles=0)
    with pytest.raises(DiffusionNAGError, match="steps is 0"):
        refused(1, sampling=Sampling(steps=0))
    with pytest.raises(DiffusionNAGError, match="seed"):
        refused(1, sampling=Sampling(steps=2, seed=-1))
    with pytest.raises(DiffusionNAGError, match="leave out the solver heun"):
        refused(1, sampling=Sampling("heun"))
    with pytest.raises(DiffusionNAGError, match="not a finite number"):
        refused(1, guide=Broken())
    with pytest.raises(DiffusionNAGError, match="no nasbench201 architecture was found"):
        refused(1, guide=limit(params, at_most=0.001))
    with pytest.raises(DiffusionNAGError, match="predicts mnasnet architectures"):
        refused(1, guide=AnalyticProperty(get_search_space("mnasnet"), "params"))


def test_nothing_allowed_is_said() -> None:
    def nothing(architectures: Sequence[Architecture]) -> np.ndarray:
        return np.zeros(len(architectures), dtype=bool)

    times, rng = time_grid(VESDE(), 4, "karras"), torch.Generator().manual_seed(0)
    with pytest.raises(DiffusionNAGError, match="no particle ended as an architecture"):
        walk_particles(exact, Reward(), CHAIN, VESDE(), times, 100, rng, allowed=nothing)


def test_the_command_resamples_and_shows_the_effective_sample_size(run_main: RunCli) -> None:
    arguments = ("generate", "nasbench201", "-n", "20", "--guide", "params=0.5", "--resample")
    result = run_main(*arguments, "--steps", "8")
    assert result.returncode == 0, result.stderr
    assert "effective sample size: at least" in result.stderr
    assert_fails(run_main(*arguments, "--distinct"), 2, "do not ask for distinct ones")
    assert_fails(
        run_main("generate", "nasbench201", "--resample"), 2, "resampling corrects a guide"
    )
