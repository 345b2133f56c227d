"""Training a set encoder: from a data set's images to how high accuracies on it are. Resumable."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from diffusionnag._devices import seeded
from diffusionnag.artifacts.training_state import (
    optimiser_tensors,
    read_state,
    restore_optimiser,
    under,
    write_state,
)
from diffusionnag.transfer.set_encoder import SetEncoder

logger = logging.getLogger(__name__)

BATCH_SIZE = 128
LEARNING_RATE = 2e-3
CODE_NOISE = 0.3
"""Standard deviation of what is added to image codes, in units of their spread."""
MOST_DROPPED = 0.3
"""Up to this share of a data set's classes is left out at random."""
CHECKPOINT_SECONDS = 20.0


@dataclass(frozen=True, eq=False)
class Levels:
    """Data sets, each by the numbers of its classes, and the `level` of accuracies on each, `count`.

    `codes` (`classes x images x dimensions`) are those of the images of every class, `present`
    (`classes x images` bool) tells them from padding.
    """

    codes: Tensor
    present: Tensor
    classes: Sequence[tuple[int, ...]]
    level: Tensor

    def digest(self) -> str:
        """Return a text that differs where any of it does."""
        total = hashlib.sha256(repr(self.classes).encode())
        for tensor in (self.codes, self.present, self.level):
            total.update(tensor.contiguous().numpy().tobytes())
        return total.hexdigest()


def train_set_encoder(
    data: Levels,
    *,
    steps: int,
    seed: int,
    state: Path | None,
    report: Callable[[int, int], None],
) -> SetEncoder:
    """Return an encoder that tells the levels of data sets by the squared error, trained so long.

    Where a file for the `state` is given, it is kept there every 20 seconds and on Ctrl-C; a later
    call goes on from it and ends with the very weights of an uninterrupted one. Raises
    DiffusionNAGError for a state of other settings or data.
    """
    members, real = _padded(data.classes)
    with seeded(seed):
        encoder = SetEncoder(data.codes.shape[-1])
    shown = data.codes[data.present]
    encoder.centre.copy_(shown.mean(0))
    encoder.spread.copy_(shown.std(0).clamp(min=1e-6))
    rng = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=LEARNING_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    identity = {"set encoder": data.digest(), "steps": steps, "seed": seed}
    step, saved = 0, time.monotonic()

    def save() -> None:
        if state is None or step == 0:
            return
        tensors = {f"weights.{name}": tensor for name, tensor in encoder.state_dict().items()}
        tensors |= optimiser_tensors(optimiser) | {"rng": rng.get_state()}
        (group,) = optimiser.param_groups
        counters = {"step": step, "lr": group["lr"], "betas": group["betas"]}
        write_state(state, tensors, identity, counters)

    if state is not None and state.exists():
        tensors, counters = read_state(state, identity)
        encoder.load_state_dict(under(tensors, "weights."))
        restore_optimiser(optimiser, tensors)
        rng.set_state(tensors["rng"])
        step = schedule.last_epoch = counters["step"]
        optimiser.param_groups[0].update(lr=counters["lr"], betas=tuple(counters["betas"]))
        logger.info("resuming from step %d of %d, found in %s", step, steps, state)

    between_steps = True
    try:
        while step < steps:
            between_steps = False
            batch = torch.randint(len(data.level), (BATCH_SIZE,), generator=rng)
            codes = data.codes[members[batch]]
            noise = torch.randn(codes.shape, generator=rng)
            share = MOST_DROPPED * torch.rand((BATCH_SIZE, 1), generator=rng)
            kept = torch.rand(real[batch].shape, generator=rng) >= share
            kept[:, 0] = True
            there = data.present[members[batch]] & (real[batch] & kept)[..., None]
            predicted = encoder(codes + CODE_NOISE * encoder.spread * noise, there)
            loss = functional.mse_loss(predicted, data.level[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            step, between_steps = step + 1, True
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                save()
                saved = time.monotonic()
            report(step, steps)
    except KeyboardInterrupt:
        # In the middle of a step the weights may be half updated; the last state then stands.
        if between_steps:
            save()
        raise
    return encoder.eval().requires_grad_(False)


def _padded(classes: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
    """Return the classes of each data set, `count x most`, and which of them are real."""
    most = max(map(len, classes))
    members = torch.zeros(len(classes), most, dtype=torch.long)
    real = torch.zeros(len(classes), most, dtype=torch.bool)
    for row, task in enumerate(classes):
        members[row, : len(task)] = torch.tensor(task)
        real[row, : len(task)] = True
    return members, real
