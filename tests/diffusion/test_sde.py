"""Forward processes: the published marginals, and their configs."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
import torch

from diffusionnag import DiffusionNAGError
from diffusionnag.diffusion.sde import SDE, VESDE, VPSDE, SubVPSDE, sde_from_config

each_process = pytest.mark.parametrize(
    "sde", [VESDE(), VPSDE(), SubVPSDE()], ids=lambda sde: sde.kind
)


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
