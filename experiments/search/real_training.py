"""Searches of the example spaces whose every trial trains a network, against random search."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from sklearn.datasets import load_digits

from diffusionnag._files import write_atomically
from diffusionnag.generation.generator import Generator
from diffusionnag.networks import OwnFit, kept_metrics, load_data, usual_settings
from diffusionnag.search.objectives import optuna_objective
from diffusionnag.search.searchers import new_searcher
from diffusionnag.search.study import measured_trials, value_of
from diffusionnag.search.trials import recorded_architecture
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space
from experiments.generation.declared_spaces import FOLDER
from experiments.generation.kept_generator import kept_generator
from experiments.result_table import ResultTable
from experiments.statistics import p_not_zero

KEPT = Path("runs") / "real-training-search"
"""Data, generators, trainings and searches, so that the experiment can be stopped and go on."""
TRIALS, HALF = 20, 10
SEARCHERS = ("diffusionnag", "random")
GENERATOR_STEPS = 1_000


@dataclass(frozen=True)
class Example:
    """An example space, and how its networks are trained on digits."""

    space: str
    images: bool
    trained_on: int
    """Of the 1,797 digits; the others tell how good a network is."""
    seeds: int
    """More of them cost minutes each; finished searches are kept."""
    settings: dict[str, Any]


EXAMPLES = (
    Example("tabular_mlp", False, 600, 20, {"epochs": 2}),
    Example("staged_cnn", True, 300, 15, {"epochs": 2, "batch_size": 32, "learning_rate": 0.05}),
)


class Trainings:
    """The accuracy of an example's architectures by real training, each trained once for each seed."""

    def __init__(self, example: Example, space: SearchSpace) -> None:
        self.example, self.space = example, space
        training, test = _digits(example)
        resolution = 8 if example.images else None
        self.data = load_data(training, space, test=test, resolution=resolution)
        self.path = KEPT / f"{example.space}.jsonl"
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        self.known = {(arch, seed): value for arch, seed, value in map(json.loads, lines)}

    def accuracy(self, architecture: Architecture, seed: int = 0) -> float:
        """Return the accuracy in % on what was not trained on."""
        key = (self.space.format(architecture), seed)
        if key not in self.known:
            assert not isinstance(self.data, OwnFit)
            settings = usual_settings(self.data.task, seed=seed, **self.example.settings)
            with tempfile.TemporaryDirectory() as folder:
                metrics = kept_metrics(self.space, architecture, self.data, settings, Path(folder))
            self.known[key] = metrics["accuracy"]
            with self.path.open("a") as file:
                file.write(json.dumps([*key, metrics["accuracy"]]) + "\n")
        return self.known[key]


def real_training_search(report: Callable[[str], None]) -> ResultTable:
    """Return how good the best trained networks of two example spaces are, by who searched.

    To be run in the folder that holds `examples/`.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    KEPT.mkdir(parents=True, exist_ok=True)
    rows = []
    path = KEPT / "searches.json"
    kept: dict[str, list[float]] = json.loads(path.read_text()) if path.exists() else {}
    for example in EXAMPLES:
        space = get_search_space(str(FOLDER / f"{example.space}.yaml"))
        trainings = Trainings(example, space)
        folder = KEPT / f"generator-{example.space}"
        generator = kept_generator(space, folder, GENERATOR_STEPS, report)
        best: dict[str, list[list[float]]] = {searcher: [] for searcher in SEARCHERS}
        for seed in range(example.seeds):
            for searcher, outcomes in best.items():
                name = f"{example.space} {searcher} {seed}"
                if name not in kept:
                    report(name)
                    kept[name] = _best_of(searcher, seed, space, generator, trainings)
                    with write_atomically(path) as temporary:
                        temporary.write_text(json.dumps(kept))
                outcomes.append(kept[name])
        rows += paired_rows(example.space, {name: np.array(each) for name, each in best.items()})
    return ResultTable(
        title=f"Searches that train every network: best accuracy on held-out digits, {TRIALS} trials",
        columns=(
            *("space", "seeds", "trials", "searcher, %", "random search, %", "difference"),
            *("won, tied, lost", "p (Wilcoxon, two-sided)"),
        ),
        rows=tuple(rows),
        notes=(
            "Means over seeds; searches of one seed are a pair. Of scikit-learn's 1,797 "
            f"digits {', '.join(f'{each.trained_on} ({each.space})' for each in EXAMPLES)} are trained on "
            "for two epochs, the others are told. Each search trains with seed 0.",
            "Retrained: the best of each search, trained once more with another seed. What was chosen for "
            "its accuracy with seed 0 was lucky in part, and this says how good it is.",
            "The searcher is the library's own, with candidates guided by a generator trained for the "
            "space; its first five trials are random draws.",
        ),
    )


def paired_rows(space: str, best: dict[str, np.ndarray]) -> list[tuple[str, ...]]:
    """Return a row for half and all trials, and the best retrained, `seeds x 3` by searcher."""
    rows = []
    own, random = (best[searcher] for searcher in SEARCHERS)
    for column, label in enumerate((str(HALF), str(TRIALS), f"{TRIALS}, retrained")):
        gains = own[:, column] - random[:, column]
        outcome = ", ".join(str(int(count.sum())) for count in (gains > 0, gains == 0, gains < 0))
        rows.append(
            (
                *(
                    space,
                    str(len(own)),
                    label,
                    f"{own[:, column].mean():.2f}",
                    f"{random[:, column].mean():.2f}",
                ),
                *(f"{gains.mean():+.2f}", outcome, f"{p_not_zero(gains):.2g}"),
            )
        )
    return rows


def _best_of(
    name: str,
    seed: int,
    space: SearchSpace,
    generator: Generator,
    trainings: Trainings,
) -> list[float]:
    """Return the best accuracy after half and all trials of a search, and that of it retrained."""
    sampler = new_searcher(
        name, space, seed=seed, generator=generator if name == "diffusionnag" else None
    )
    study = optuna.create_study(sampler=sampler, direction="maximize")
    objective = optuna_objective(space, trainings.accuracy)
    study.optimize(objective, TRIALS)
    trials = measured_trials(study)
    values = np.array(list(map(value_of, trials)))
    chosen = recorded_architecture(space, trials[int(values.argmax())])
    assert chosen is not None
    return [values[:HALF].max(), values.max(), trainings.accuracy(chosen, seed=1)]


def _digits(example: Example) -> tuple[Path, Path]:
    """Return files of the digits to train on and of the others, pictures or rows of brightness."""
    digits: Any = load_digits()
    if example.images:
        columns = {"image": [_encoded(image) for image in digits.images]}
    else:
        columns = {f"pixel{number}": column for number, column in enumerate(digits.data.T)}
    table = pa.table(columns | {"label": digits.target})
    training, test = (KEPT / f"{example.space}-{part}.parquet" for part in ("training", "test"))
    pq.write_table(table[: example.trained_on], training)
    pq.write_table(table[example.trained_on :], test)
    return training, test


def _encoded(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray((image * 15).astype("uint8")).save(file, "PNG")
    return file.getvalue()
