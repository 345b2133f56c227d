"""Guided generation against the measured table: the paper's Table 3 and Figure 2 for CIFAR-10."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from diffusionnag.generation.generator import Generator
from diffusionnag.generation.sampling import Sampling
from diffusionnag.predictors import PropertyPredictor
from diffusionnag.spaces import Architecture
from diffusionnag.tables import read_analog_nasbench
from experiments.result_table import ResultTable

SAMPLES = 1_000
CANDIDATES = 10_000
PROPERTY = "cifar10"


def guided_quality(report: Callable[[str], None]) -> ResultTable:
    """Return true accuracies of random, unguided, sorted and guided NAS-Bench-201 cells."""
    generator = Generator.from_pretrained("nasbench201")
    space = generator.search_space
    predictor = PropertyPredictor.from_pretrained(PROPERTY, search_space=space)
    table = read_analog_nasbench()
    rows = []

    def add(name: str, architectures: Iterable[Architecture], drawn: int) -> None:
        texts = [space.format(architecture) for architecture in architectures]
        accuracy = table.lookup(PROPERTY, texts)
        figures = (accuracy.max(), accuracy.mean(), accuracy.min())
        shown = (f"{figure:.2f}" for figure in figures)
        rows.append((name, *shown, str(len(set(texts))), str(drawn)))

    best = np.sort(table.column(PROPERTY))[-SAMPLES:]
    oracle = (f"{figure:.2f}" for figure in (best.max(), best.mean(), best.min()))
    rows.append((f"true top {SAMPLES:,}", *oracle, str(SAMPLES), "-"))
    report("random and unguided")
    add("uniform random", space.sample(SAMPLES, 0), SAMPLES)
    add("unguided", generator.sample(SAMPLES), SAMPLES)
    report(f"sorting {CANDIDATES} unguided")
    candidates = generator.sample(CANDIDATES)
    merit = predictor.normal_score(candidates.architectures)
    chosen = np.argsort(-merit, kind="stable")[:SAMPLES]
    add(
        f"unguided {CANDIDATES:,}, best {SAMPLES:,} by the predictor",
        [candidates[int(row)] for row in chosen],
        CANDIDATES,
    )
    report("guided")
    add("guided", generator.sample(SAMPLES, guide=predictor), SAMPLES)
    for seed in (0, 1, 2):
        report(f"guided, distinct, seed {seed}")
        samples = generator.sample(
            SAMPLES, guide=predictor, distinct=True, sampling=Sampling(seed=seed)
        )
        add(f"guided, distinct, seed {seed}", samples, len(samples.drawn))
    return ResultTable(
        title=f"True CIFAR-10 accuracy of {SAMPLES:,} NAS-Bench-201 cells",
        columns=("cells", "max", "mean", "min", "distinct", "drawn"),
        rows=tuple(rows),
        notes=(
            "Accuracy in %: analog-nasbench, `baseline_accuracy`. `drawn`: samples it took.",
            "Paper, Table 3, with a dataset-aware predictor and the official accuracies: oracle "
            "mean 93.50, random 87.12, unguided and sorted 90.77, guided 93.13 (min 86.44).",
        ),
    )
