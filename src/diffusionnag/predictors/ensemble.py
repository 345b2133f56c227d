"""An ensemble of small networks on the one-hot matrix, all members computed at once."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusionnag.artifacts.schema import from_json
from diffusionnag.guidance.together import computed_once
from diffusionnag.predictors.model import Model
from diffusionnag.spaces import SearchSpace

NOISE_FEATURES = 16
SMALLEST_SIGMA = 0.02
SEEN_SHARE = 0.8
BATCH_SIZE = 256
LEARNING_RATE = 3e-3
SMALLEST_BLUR, LARGEST_BLUR = 0.2, 2.0
MOST_REMEMBERED = 10_000
"""What is said of more architectures at once is not remembered, for it takes memory."""


@dataclass(frozen=True)
class EnsembleConfig:
    """The size of an ensemble and the length of its training."""

    members: int = 5
    width: int = 256
    noise_aware: bool = False
    largest_sigma: float = 10.0
    """A noise-aware ensemble is trained on noise up to this level."""
    conditions: tuple[str, ...] = ()
    """Names of what else a value was measured under, such as the resolution."""
    outputs: int = 1
    """How many properties it predicts from the same hidden layers."""


class Ensemble(Model):
    """Residual multilayer perceptrons that see every node's operation at its own place.

    A noise-aware ensemble also sees the noise level, and is trained on noised architectures.
    """

    kind = "ensemble"
    held_out_error: Tensor
    conditions: Tensor
    condition_mean: Tensor
    condition_spread: Tensor

    def __init__(self, space: SearchSpace, config: EnsembleConfig) -> None:
        super().__init__()
        self.config = config
        self.noise_aware = config.noise_aware
        nodes, operations = len(space.nodes), len(space.operations)
        extra = len(config.conditions)
        several = (config.outputs,) if config.outputs > 1 else ()
        self.register_buffer("held_out_error", torch.zeros(several))
        self.register_buffer("conditions", torch.zeros(extra))
        self.register_buffer("condition_mean", torch.zeros(extra))
        self.register_buffer("condition_spread", torch.ones(extra))
        self.data_variance = (operations - 1) / operations**2
        inputs = nodes * operations + extra + (NOISE_FEATURES if config.noise_aware else 0)
        members, width = config.members, config.width
        self.first = MemberLinear(members, inputs, width)
        self.hidden = MemberLinear(members, width, width)
        self.last = MemberLinear(members, width, config.outputs)
        self._whole: _Whole | None = None
        self._output = 0

    def forward(
        self, x: Tensor, sigma: Tensor | None = None, conditions: Tensor | None = None
    ) -> Tensor:
        """Return each member's output, `members x batch`, or `members x batch x outputs` of several.

        `x` is `batch x N x F`, or `members x batch x N x F` to give each member its own; `sigma`
        is shaped like x without its last two axes, and 0 if absent; `conditions` (`... x C`) are
        those set by `conditions` if absent.
        """
        features = x.flatten(-2)
        if self.config.noise_aware:
            level = torch.zeros(x.shape[:-2], device=x.device) if sigma is None else sigma
            scaled = features * torch.rsqrt(self.data_variance + level**2)[..., None]
            features = torch.cat([scaled, noise_features(level)], dim=-1)
        if self.config.conditions:
            given = self.conditions if conditions is None else conditions
            given = (given - self.condition_mean) / self.condition_spread
            features = torch.cat([features, given.expand(*features.shape[:-1], -1)], dim=-1)
        if self._whole is None or self.config.outputs > 1:
            hidden = self._hidden_layers(features)
        elif features.requires_grad:
            # A tensor is told from others by its identity, and lives on as part of the key.
            known_by = self._whole, x, tuple(self.conditions.tolist())
            hidden = computed_once(known_by, lambda: self._hidden_layers(features))
        else:
            return self._whole(features, self._hidden_layers)[..., self._output]
        return self.last(hidden).squeeze(-1)

    def _hidden_layers(self, features: Tensor) -> Tensor:
        hidden = functional.gelu(self.first(features.expand(self.config.members, -1, -1)))
        return hidden + functional.gelu(self.hidden(hidden))

    def distribution(
        self, x: Tensor, sigma: Tensor | None = None, conditions: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, each `batch`, for `batch x N x F`.

        The deviation joins the disagreement of the members and their error on held-out data.
        """
        members = self(x, sigma, conditions)
        variance = members.var(0, correction=0) + self.held_out_error**2
        return members.mean(0), variance.sqrt()

    def standardised(
        self, x: Tensor, sigma: Tensor | None = None, conditions: Tensor | None = None
    ) -> Tensor:
        """Return the members' mean, `batch`."""
        return self(x, sigma, conditions).mean(0)

    def only(self, output: int) -> Ensemble:
        """Return the ensemble of one of its outputs, which shares the hidden layers with the others.

        What one of them was asked of last is known to all others, where nothing is differentiated.
        """
        if self._whole is None:
            self._whole = _Whole(self.last)
        single = copy.copy(self)
        single.config = replace(self.config, outputs=1)
        single._output = output
        single._modules, single._buffers = dict(self._modules), dict(self._buffers)
        single.last = self.last.only(output)
        single.held_out_error = self.held_out_error[output]
        single.conditions = self.conditions.clone()
        return single

    @property
    def predicts_under(self) -> Mapping[str, float]:
        """The conditions it predicts for, by name."""
        return dict(zip(self.config.conditions, self.conditions.tolist(), strict=True))

    def predict_under(self, conditions: Mapping[str, float]) -> None:
        """Predict for other conditions from now on."""
        self.conditions.copy_(torch.tensor([conditions[name] for name in self.config.conditions]))

    @classmethod
    def from_config(cls, space: SearchSpace, config: Mapping[str, Any]) -> Self:
        """Return an unfitted ensemble of the settings that `config` was saved as."""
        return cls(space, from_json(EnsembleConfig, config, "model"))

    def fit(
        self,
        x: Tensor,
        target: Tensor,
        conditions: np.ndarray | None,
        *,
        steps: int | None,
        seed: int,
        report: Callable[[int, int], None],
    ) -> None:
        """Fit for so many `steps`, by default a number that suits the amount of data."""
        steps = int(np.clip(2 * len(x), 400, 6000)) if steps is None else steps
        given = x[:, 0, :0] if conditions is None else torch.from_numpy(conditions).float()
        fit_ensemble(self, x, target, given, steps=steps, seed=seed, report=report)


class _Whole:
    """What an ensemble of many outputs last said of all of them, for those that each have one."""

    def __init__(self, last: MemberLinear) -> None:
        self._last = last
        self._said: tuple[Tensor, Tensor] | None = None

    def __call__(self, features: Tensor, hidden_layers: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the members' outputs, `members x batch x outputs`, of features `batch x inputs`."""
        said = self._said  # another thread may ask something else meanwhile
        if said is not None and _same(said[0], features):
            return said[1]
        # What is kept must serve gradients later, even where none are asked for now.
        with torch.inference_mode(False), torch.no_grad():
            outputs = self._last.to(features.device)(hidden_layers(features))
            if features.shape[-2] <= MOST_REMEMBERED:
                self._said = features.clone(), outputs
        return outputs


def _same(first: Tensor, second: Tensor) -> bool:
    alike = first.device == second.device and first.dtype == second.dtype
    return alike and torch.equal(first, second)


class MemberLinear(nn.Module):
    """One linear layer per member of an ensemble."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def only(self, output: int) -> MemberLinear:
        """Return the layer of one of its outputs."""
        members, inputs, _ = self.weight.shape
        single = MemberLinear(members, inputs, 1)
        kept = slice(output, output + 1)
        single.weight.data.copy_(self.weight.data[..., kept])
        single.bias.data.copy_(self.bias.data[..., kept])
        return single

    def forward(self, x: Tensor) -> Tensor:
        """Map `members x batch x inputs` to `members x batch x outputs`."""
        return torch.baddbmm(self.bias, x, self.weight)


def noise_features(sigma: Tensor) -> Tensor:
    """Return smooth functions of log sigma, `... x 16`."""
    frequencies = torch.arange(NOISE_FEATURES // 2, device=sigma.device) * 0.5 + 0.25
    angles = torch.log(sigma.clamp(min=SMALLEST_SIGMA))[..., None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def fit_ensemble(
    ensemble: Ensemble,
    x: Tensor,
    target: Tensor,
    conditions: Tensor,
    *,
    steps: int,
    seed: int,
    report: Callable[[int, int], None],
) -> None:
    """Train in place on x `count x N x F`, target `count` (`x outputs`) and conditions `count x C`.

    Each member sees its own random 80 % of the data and is judged, without noise, on the rest.
    The loss is the squared error, on noised architectures when noise-aware (paper, section 2.2).
    """
    members, count = ensemble.config.members, len(x)
    if ensemble.config.conditions:
        ensemble.conditions.copy_(conditions.mean(0))
        ensemble.condition_mean.copy_(conditions.mean(0))
        ensemble.condition_spread.copy_(conditions.std(0).clamp(min=1e-6))
    rng = torch.Generator().manual_seed(seed)
    order = torch.stack([torch.randperm(count, generator=rng) for _ in range(members)])
    seen = math.ceil(SEEN_SHARE * count)
    optimiser = torch.optim.AdamW(ensemble.parameters(), lr=LEARNING_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    batch = min(BATCH_SIZE, seen)
    for step in range(steps):
        rows = torch.gather(order, 1, torch.randint(seen, (members, batch), generator=rng))
        shown, sigma = x[rows], None
        if ensemble.config.noise_aware:
            low, high = math.log(SMALLEST_SIGMA), math.log(ensemble.config.largest_sigma)
            sigma = torch.exp(low + (high - low) * torch.rand(rows.shape, generator=rng))
            shown = shown + sigma[..., None, None] * torch.randn(shown.shape, generator=rng)
        else:
            shown = relax(shown, rng)
        loss = functional.mse_loss(ensemble(shown, sigma, conditions[rows]), target[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        report(step + 1, steps)
    rows = order[:, seen:] if seen < count else order
    with torch.no_grad():
        error = ensemble(x[rows], None, conditions[rows]) - target[rows]
        ensemble.held_out_error.copy_(error.square().flatten(0, 1).mean(0).sqrt())


def relax(x: Tensor, rng: torch.Generator) -> Tensor:
    """Return one-hot rows `... x N x F`, in half of the cases blurred into probabilities.

    The blur is the posterior of each row given the row plus noise, operations being equally likely.
    Fitted to the unblurred architecture's value, a predictor learns the expected property under
    a denoiser's probabilities, which is what guidance shows it.
    """
    low, high = math.log(SMALLEST_BLUR), math.log(LARGEST_BLUR)
    sigma = torch.exp(low + (high - low) * torch.rand((*x.shape[:-2], 1, 1), generator=rng))
    blurred = ((x + sigma * torch.randn(x.shape, generator=rng)) / sigma**2).softmax(-1)
    return torch.where(torch.rand(sigma.shape, generator=rng) < 0.5, x, blurred)
