"""One-shot searches: the best cell of NAS-Bench-201 by weights that all cells share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffusionnag._devices import seeded, torch_defaults
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks import (
    EpochResult,
    ImageData,
    Progress,
    TaskData,
    TrainingSettings,
    train_network,
)
from diffusionnag.networks.tasks.supervised import Examples
from diffusionnag.spaces import Architecture, SearchSpace, task_as_json
from diffusionnag.spaces.nasbench201 import EDGE_OPERATIONS
from diffusionnag.supernets.inherited_metrics import evaluate_inherited
from diffusionnag.supernets.mixed_cells import EDGES, SCORE_LEARNING, MixedNetwork
from diffusionnag.supernets.supernet import Supernet
from diffusionnag.supernets.supernet_training import train_supernet

RSPS = "rsps"
ALGORITHMS = (RSPS, *SCORE_LEARNING)
"""The names of one-shot searches."""
RANDOM_CELLS = 100
"""Cells that RSPS evaluates with shared weights, as in Dong & Yang, "NAS-Bench-201"."""


@dataclass(frozen=True)
class CellSearch:
    """What a one-shot search ends with; there are no shared weights where each was of few channels."""

    cell: Architecture
    supernet: Supernet | None
    history: list[EpochResult]


def check_algorithm(name: str) -> None:
    """Raise DiffusionNAGError for a name that is none of `ALGORITHMS`."""
    if name not in ALGORITHMS:
        raise DiffusionNAGError(f"no algorithm {name!r}; there are {', '.join(ALGORITHMS)}")


@torch_defaults()
def search_cell(
    space: SearchSpace,
    data: TaskData,
    algorithm: str,
    settings: TrainingSettings,
    folder: Path,
    *,
    device: str = "cpu",
    report: Callable[[Progress], None] = lambda progress: None,
    so_far: Callable[[int, Architecture], None] = lambda epoch, cell: None,
) -> CellSearch:
    """Return the cell that a one-shot search finds: rsps, darts, gdas, setn, pc-darts or drnas.

    Scores of operations are learnt on half of the examples to train on, weights on the other half;
    cells with shared weights are compared on what is held out. `folder` is that of `train_network`:
    a search that was killed is resumed. After each epoch `so_far` is told the cell of the highest
    scores, where there are scores. Raises DiffusionNAGError for another algorithm or space.
    """
    check_algorithm(algorithm)
    if space.name != "nasbench201" or not isinstance(data, ImageData):
        raise DiffusionNAGError(f"{algorithm} searches for cells of nasbench201, by images")
    if algorithm == RSPS:
        supernet, history = train_supernet(
            space, data, settings, folder, device=device, report=report
        )
        cells = space.sample(RANDOM_CELLS, settings.seed)
        return CellSearch(_best(supernet, cells, data), supernet, history)

    way = SCORE_LEARNING[algorithm]
    halves = _halves(data)
    with seeded(settings.seed):
        network = MixedNetwork(data.task, way)  # type: ignore[arg-type]
    batch = min(settings.batch_size, halves[1].count)

    def learn_scores(done: float) -> None:
        network.train()
        network.done = done
        if done < way.warm_up:
            return
        chosen = torch.randint(halves[1].count, (batch,))
        place = network.scores.device
        inputs, targets = halves[1].batch(chosen, settings.augmentation, place)
        network.learn_scores(lambda: halves[1].loss(network(inputs), targets, 0.0))

    def tell(progress: Progress) -> None:
        epoch, within = divmod(progress.step, progress.steps // settings.epochs)
        if within == 0:
            so_far(epoch, _highest(space, network.scores))
        report(progress)

    identity = {
        "search_space": space.name,
        "algorithm": algorithm,
        "task": task_as_json(data.task),
        "data": data.fingerprint(),
    }
    history = train_network(
        network,
        halves[0],
        settings,
        folder,
        identity=identity,
        device=device,
        before_step=learn_scores,
        report=tell,
    )
    network = network.cpu()
    supernet = None
    if way.channels == 1:
        supernet = Supernet(space, data.task).eval()
        supernet.tensors.load_state_dict(network.network.state_dict())
    if way.draws and supernet is not None:
        cells = _drawn(space, network.scores[:, :-1], way.draws, settings.seed)
        return CellSearch(_best(supernet, cells, data), supernet, history)
    return CellSearch(_highest(space, network.scores), supernet, history)


def _halves(data: ImageData) -> list[ImageData]:
    """Return data whose examples to train on are one half of them, and the other half."""
    examples = data.training
    return [
        replace(data, training=Examples(examples.inputs[start::2], examples.targets[start::2]))
        for start in (0, 1)
    ]


def _drawn(space: SearchSpace, scores: Tensor, count: int, seed: int) -> list[Architecture]:
    """Return cells whose operations are drawn by their scores."""
    rng = torch.Generator().manual_seed(seed)
    return [
        _cell(space, torch.multinomial(scores.softmax(1), 1, generator=rng)[:, 0])
        for _ in range(count)
    ]


def _highest(space: SearchSpace, scores: Tensor) -> Architecture:
    """Return the cell of the highest scores, `edges x (operations + 1)`, the last being the edge's own."""
    return _cell(space, scores[:, :-1].argmax(1))


def _cell(space: SearchSpace, chosen: Tensor) -> Architecture:
    assert chosen.shape == (EDGES,)
    names = [EDGE_OPERATIONS[number] for number in chosen.tolist()]
    return space.build(["input", *names, "output"])


def _best(supernet: Supernet, cells: list[Architecture], data: TaskData) -> Architecture:
    """Return the cell that is best on what is held out, the first of equal ones."""
    distinct = list(dict.fromkeys(cells))
    measured = [evaluate_inherited(supernet, cell, data)[data.metric] for cell in distinct]
    return distinct[int(np.argmax(measured))]
