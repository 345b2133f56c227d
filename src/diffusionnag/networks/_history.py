"""What each epoch of a training brought, as CSV and for TensorBoard."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from diffusionnag._files import write_atomically

HISTORY_FILE = "history.csv"
"""What each epoch brought, in the folder of a training."""
TENSORBOARD_FOLDER = "tensorboard"


@dataclass(frozen=True)
class EpochResult:
    """An epoch, counted from 1: mean training loss, and metrics on held-out examples by name."""

    epoch: int
    loss: float
    metrics: dict[str, float] = field(default_factory=dict)


def write_history(folder: Path, history: Sequence[EpochResult]) -> None:
    """Write all epochs into `history.csv`, and the last one for TensorBoard."""
    from torch.utils.tensorboard import SummaryWriter

    with (
        write_atomically(folder / HISTORY_FILE) as temporary,
        temporary.open("w", newline="") as file,
    ):
        rows = [{"epoch": each.epoch, "loss": each.loss, **each.metrics} for each in history]
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    last = history[-1]
    # What a killed run wrote of this epoch or of later ones is no longer shown.
    with SummaryWriter(str(folder / TENSORBOARD_FOLDER), purge_step=last.epoch) as board:
        board.add_scalar("loss/training", last.loss, last.epoch)
        for name, value in last.metrics.items():
            board.add_scalar(f"{name}/held out", value, last.epoch)
