"""What each epoch of a training brought, as CSV and for TensorBoard."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from diffusionnag._files import write_atomically

HISTORY_FILE = "history.csv"
"""What each epoch brought, in the folder of a training."""
TENSORBOARD_FOLDER = "tensorboard"


@dataclass(frozen=True)
class EpochResult:
    """An epoch, counted from 1: mean training loss, and accuracy in % on held-out images."""

    epoch: int
    loss: float
    accuracy: float


def write_history(folder: Path, history: Sequence[EpochResult]) -> None:
    """Write all epochs into `history.csv`, and the last one for TensorBoard."""
    from torch.utils.tensorboard import SummaryWriter

    with (
        write_atomically(folder / HISTORY_FILE) as temporary,
        temporary.open("w", newline="") as file,
    ):
        rows = list(map(asdict, history))
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    last = history[-1]
    # What a killed run wrote of this epoch or of later ones is no longer shown.
    with SummaryWriter(str(folder / TENSORBOARD_FOLDER), purge_step=last.epoch) as board:
        board.add_scalar("loss/training", last.loss, last.epoch)
        board.add_scalar("accuracy/held out", last.accuracy, last.epoch)
