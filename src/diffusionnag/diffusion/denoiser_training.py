"""Training a generator: resumable, repeatable, with progress."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffusionnag._devices import seeded, torch_defaults
from diffusionnag._seeds import check_seed
from diffusionnag.artifacts.training_state import (
    STATE_FILE,
    optimiser_tensors,
    read_state,
    restore_optimiser,
    under,
    write_state,
)
from diffusionnag.diffusion._broken import Broken
from diffusionnag.diffusion.denoiser import Denoiser
from diffusionnag.diffusion.losses import denoising_loss, score_matching_loss
from diffusionnag.diffusion.recipes import Recipe
from diffusionnag.diffusion.solvers import get_solver, time_grid
from diffusionnag.diffusion.training_set import TrainingSet
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import SearchSpace

logger = logging.getLogger(__name__)

WARM_UP_STEPS = 100
TIMED_STEPS = 50
"""Steps after which `minutes` is turned into a number of steps; fewer than the warm-up's."""
CHECKPOINT_SECONDS = 20.0
PREVIEW_SAMPLES = 64


@dataclass(frozen=True)
class Progress:
    """What a training run reports: the step reached of how many, the loss, and a small sample."""

    step: int
    steps: int | None
    loss: float
    validity: float
    """Validity in % of a small sample, drawn now and then; NaN before the first."""


@dataclass
class TrainingRun:
    """The state of one training run; every step's randomness follows from the seed and its number."""

    space: SearchSpace
    recipe: Recipe
    seed: int
    denoiser: Denoiser
    average: dict[str, Tensor]
    """Exponential moving average of the weights: what is kept in the end."""
    optimiser: torch.optim.Adam
    step: int = 0
    steps: int | None = None
    """The step at which training ends; None until `minutes` has been turned into steps."""
    seconds: float = 0.0

    @classmethod
    def start(
        cls, space: SearchSpace, recipe: Recipe, seed: int, device: str = "cpu"
    ) -> TrainingRun:
        """Return a run at step 0 with freshly drawn weights."""
        with seeded(check_seed(seed)):
            denoiser = Denoiser(space, recipe.sde, recipe.network, recipe.parameterisation)
        denoiser.to(device)
        average = {name: value.clone() for name, value in denoiser.state_dict().items()}
        betas = (0.9, 0.99) if recipe.decay_learning_rate else (0.9, 0.999)
        optimiser = torch.optim.Adam(denoiser.parameters(), lr=recipe.learning_rate, betas=betas)
        return cls(space, recipe, seed, denoiser, average, optimiser)

    def train_step(self, data: Tensor, broken: Broken) -> float:
        """Take one optimiser step on a batch drawn from `data` (`count x N` indices); return the loss.

        What is `broken` is shown besides, as the recipe has it.
        """
        recipe, device = self.recipe, data.device
        torch.manual_seed(self.seed * 1_000_003 + self.step)
        with torch.device(device):
            batch = data[torch.randint(len(data), (recipe.batch_size,))]
            if recipe.parameterisation == "score":
                loss = score_matching_loss(self.denoiser, self.space, batch)
            else:
                share = recipe.broken_share
                loss = denoising_loss(self.denoiser, self.space, batch, broken, share)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.learning_rate * self._learning_rate_factor()
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.denoiser.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        self._update_average()
        return float(loss.detach())

    def _learning_rate_factor(self) -> float:
        warm_up = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        if not self.recipe.decay_learning_rate or self.steps is None:
            return warm_up
        return warm_up * 0.5 * (1 + math.cos(math.pi * self.step / self.steps))

    @torch.no_grad()
    def _update_average(self) -> None:
        # A short memory at first, or the random initial weights would linger in the average.
        decay = min(self.recipe.ema_decay, (1 + self.step) / (10 + self.step))
        for name, weight in self.denoiser.state_dict().items():
            self.average[name].lerp_(weight, 1 - decay)

    def averaged_denoiser(self) -> Denoiser:
        """Return a denoiser with the averaged weights, for use."""
        recipe = self.recipe
        denoiser = Denoiser(self.space, recipe.sde, recipe.network, recipe.parameterisation)
        denoiser.load_state_dict(self.average)
        return denoiser.eval()

    @torch.inference_mode()
    def preview_validity(self) -> float:
        """Return the validity in % of a small sample from the averaged weights."""
        denoiser = self.averaged_denoiser()
        rng = torch.Generator().manual_seed(self.seed)
        sde, solver = self.recipe.sde, get_solver("ancestral")
        shape = (PREVIEW_SAMPLES, len(self.space.nodes), len(self.space.operations))
        x = torch.randn(shape, generator=rng) * sde.prior_std()
        times = time_grid(sde, solver.steps, solver.spacing)
        ends = solver.solve(
            denoiser, x, sde, times, lambda like: torch.randn(like.shape, generator=rng)
        )
        decoded = self.space.decode(ends.numpy())
        valid = sum(bool(self.space.is_valid(architecture)) for architecture in decoded)
        return 100.0 * valid / PREVIEW_SAMPLES

    # -- stopping and resuming --------------------------------------------------------------------

    def save_state(self, path: Path) -> None:
        """Write everything that later steps depend on into one file, atomically."""
        tensors = {f"weights.{n}": t for n, t in self.denoiser.state_dict().items()}
        tensors |= {f"average.{n}": t for n, t in self.average.items()}
        tensors |= optimiser_tensors(self.optimiser)
        counters = {"step": self.step, "steps": self.steps, "seconds": self.seconds}
        write_state(path, tensors, self.identity(), counters)

    def load_state(self, path: Path) -> None:
        """Resume from a state that `save_state` wrote.

        Raises DiffusionNAGError when the file is damaged or belongs to a run of other settings.
        """
        tensors, counters = read_state(path, self.identity())
        self.denoiser.load_state_dict(under(tensors, "weights."))
        with torch.no_grad():
            for name, value in under(tensors, "average.").items():
                self.average[name].copy_(value)
        restore_optimiser(self.optimiser, tensors)
        self.step, self.seconds = counters["step"], counters["seconds"]
        self.steps = counters["steps"]

    def identity(self) -> dict[str, Any]:
        """Return the settings that two runs must share to be the same training."""
        recipe = asdict(replace(self.recipe, steps=0)) | {"sde": self.recipe.sde.to_config()}
        return {
            "search_space": self.space.name,
            "nodes": self.space.nodes,
            "operations": self.space.operations,
            "seed": self.seed,
            "recipe": recipe,
        }


@torch_defaults()
def train(
    run: TrainingRun,
    folder: Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Denoiser:
    """Train until `steps`, or for about `minutes`, or for the recipe's steps; return the denoiser.

    The state is kept in `folder` every 20 seconds and on Ctrl-C; a later call resumes from it and
    ends with the very weights of an uninterrupted one. `minutes` becomes a number of steps,
    measured on the first 50, which is then kept, whatever a later call asks for. Raises
    DiffusionNAGError for a state of other settings.
    """
    state = folder / STATE_FILE
    if state.exists():
        run.load_state(state)
        if steps is not None and run.steps not in (None, steps):
            raise DiffusionNAGError(
                f"{folder} holds an unfinished training of {run.steps} steps, not {steps}; "
                "ask for that number, or use another folder"
            )
        logger.info("resuming from step %d, found in %s", run.step, state)
    if run.steps is None and minutes is None:
        run.steps = steps if steps is not None else run.recipe.steps
    device = next(run.denoiser.parameters()).device
    operations = TrainingSet(run.seed).operations(run.space)
    mends = run.recipe.broken_share > 0
    broken = Broken.of(run.space, operations, run.seed) if mends else Broken.none(run.space)
    broken, data = broken.to(device), torch.from_numpy(operations).to(device)
    started, saved, validity = time.monotonic() - run.seconds, time.monotonic(), float("nan")
    between_steps = True
    with torch.random.fork_rng():
        try:
            while run.steps is None or run.step < run.steps:
                between_steps = False
                loss = run.train_step(data, broken)
                between_steps = True
                run.seconds = time.monotonic() - started
                if run.steps is None and minutes is not None and run.step == TIMED_STEPS:
                    run.steps = max(TIMED_STEPS, round(minutes * 60 / run.seconds * TIMED_STEPS))
                    logger.info("%g minutes are about %d steps here", minutes, run.steps)
                due = time.monotonic() - saved > CHECKPOINT_SECONDS
                if due or run.step == run.steps:
                    validity = run.preview_validity()
                    run.save_state(state)
                    saved = time.monotonic()
                report(Progress(run.step, run.steps, loss, validity))
        except KeyboardInterrupt:
            # In the middle of a step the weights may be half updated; the last state then stands.
            if between_steps and run.step > 0:
                run.save_state(state)
            raise
    return run.averaged_denoiser()
