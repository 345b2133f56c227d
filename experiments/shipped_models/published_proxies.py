"""Training-free proxies beside the values that NAS-Bench-Suite-Zero published of the same cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from diffusionnag.networks import OwnFit, load_data
from diffusionnag.predictors import spearman
from diffusionnag.proxies import ProxySettings, score_architectures
from diffusionnag.spaces import get_search_space
from experiments.measured_data import (
    CIFAR10_TRAINING,
    NASBENCH201_DATASETS,
    data_file,
    published_proxies,
    required_table,
)
from experiments.result_table import ResultTable
from experiments.shipped_models.shipped_proxies import SCORES

SPACE = "nasbench201"
COUNT = 20
DEPENDS_ON = {
    "params": "nothing",
    "flops": "nothing; theirs count norms and pools",
    "synflow": "initial weights",
    "l2_norm": "initial weights",
    "nwot": "initial weights, inputs",
    "jacov": "initial weights, inputs",
    "grad_norm": "initial weights, inputs, labels",
    "snip": "initial weights, inputs, labels",
    "grasp": "initial weights, inputs, labels",
    "fisher": "initial weights, inputs, labels",
    "plain": "initial weights, inputs, labels",
}
"""What the value of a proxy depends on besides the architecture."""
AGAIN = 1
"""Seed of other weights and another batch, which tells how far chance lets a proxy agree with itself."""


def published(report: Callable[[str], None]) -> ResultTable:
    """Return how far proxies agree with the published ones, with themselves, and with accuracy.

    Raises DiffusionNAGError where images, accuracies or published values are not installed.
    """
    space, theirs = get_search_space(SPACE), published_proxies(COUNT)
    report("reading CIFAR-10's images")
    data = load_data(data_file(CIFAR10_TRAINING), space)
    assert not isinstance(data, OwnFit)
    cells = [space.parse(cell) for cell in theirs["arch"]]

    def tell(done: int, total: int) -> None:
        report(f"{done} of {total} cells")

    ours, again = (
        score_architectures(
            space,
            data,
            cells,
            SCORES / f"published-{seed}",
            ProxySettings(tuple(DEPENDS_ON), batch=32, seed=seed),
            report=tell,
        )
        for seed in (0, AGAIN)
    )
    accuracy = required_table(SPACE, "nasbench201_accuracy").lookup(
        NASBENCH201_DATASETS["CIFAR-10"], theirs["arch"]
    )
    rows = []
    for name, reason in DEPENDS_ON.items():
        values, others = ours.column(name), np.asarray(theirs[name], dtype=np.float64)
        repeated = again.column(name)
        known = np.isfinite(values) & np.isfinite(others) & np.isfinite(repeated)
        pairs = [
            (values, others),
            (values, repeated),
            (values, accuracy),
            (others, accuracy),
        ]
        correlations = [spearman(first[known], second[known]) for first, second in pairs]
        rows.append((name, reason, *(f"{value:.3f}" for value in correlations)))
    return ResultTable(
        title="Training-free proxies beside published values (NAS-Bench-Suite-Zero)",
        columns=(
            *("proxy", "depends besides on", "Spearman with the published"),
            *("with itself, another seed", "with accuracy", "published with accuracy"),
        ),
        rows=tuple(rows),
        notes=(
            f"{COUNT} cells of NAS-Bench-201 drawn from those published for CIFAR-10, batches of 32 "
            "training images; accuracy: test accuracy after 200 epochs. Another seed: other initial "
            "weights and another batch, as the published ones are.",
        ),
    )
