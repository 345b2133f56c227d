"""What a predictor sees of an architecture, and how well it ranks from few labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from diffusionnag._seeds import numpy_generator
from diffusionnag.predictors import (
    ArchitectureFeatures,
    GaussianProcess,
    GaussianProcessConfig,
    PathFeatures,
    PathsAndOrder,
    RankGaussian,
    spearman,
)
from diffusionnag.spaces import get_search_space
from experiments.measured_data import required_table
from experiments.result_table import ResultTable
from experiments.statistics import mean_and_std, p_not_zero

COLUMNS = (
    ("nasbench201", "nasbench201_accuracy", ("cifar10_test_200ep",)),
    ("nasbench201", "nasbench201_robustness_cifar10", ("robustness:square_2",)),
    ("transnas", "transnas_micro", ("jigsaw", "normal")),
    ("nasbench_macro", "nasbench_macro", ("cifar10_test",)),
    ("mobilenetv3", "mobilenetv3_ofa_imagenet", ("imagenet_top1@192",)),
    ("mobilenetv3", "mobilenetv3_ofa_latency_ms", ("latency:2080ti_1@224",)),
    ("mnasnet", "mnasnet_imagenet", ("imagenet_top1", "3090_images_per_s", "vck190_latency_ms")),
    ("gpt2", "hwgpt_s", ("perplexity", "memory:a100")),
)
"""None of which the features were chosen by."""
LABELS = (20, 50, 100)
SEEDS = 30
JUDGED = 400
FEATURES = {
    "paths": PathFeatures,
    "paths and order": PathsAndOrder,
    "paths, pairs and numbers": ArchitectureFeatures,
}


def features(report: Callable[[str], None]) -> ResultTable:
    """Return rank correlations on architectures that were not learnt from, by what the kernel sees.

    Raises DiffusionNAGError where a table is not installed.
    """
    rows = []
    for name, table_name, columns in COLUMNS:
        space, table = get_search_space(name), required_table(name, table_name)
        x = torch.from_numpy(space.encode([space.parse(text) for text in table.architectures]))
        for column in columns:
            values = table.column(column)
            measured = np.flatnonzero(np.isfinite(values))
            for labels in LABELS:
                report(f"{name}: {column} from {labels}")
                ranked = np.zeros((len(FEATURES), SEEDS))
                for seed in range(SEEDS):
                    drawn = numpy_generator(seed).permutation(measured)
                    learnt, judged = drawn[:labels], drawn[labels : labels + JUDGED]
                    target = RankGaussian.fit(values[learnt]).to_normal(values[learnt])
                    for which, kind in enumerate(FEATURES.values()):
                        config = GaussianProcessConfig(labels)
                        process = GaussianProcess(space, config, kind(space))
                        process.fit(x[learnt].double(), torch.from_numpy(target), seed=seed)
                        with torch.no_grad():
                            mean = process.standardised(x[judged].double()).numpy()
                        ranked[which, seed] = spearman(mean, values[judged])
                *_, before, now = ranked
                rows.append(
                    (
                        *(name, column, str(labels)),
                        *(mean_and_std(each.tolist(), 3) for each in ranked),
                        f"{(now > before).sum()} of {SEEDS} (p = {p_not_zero(now - before):.2g})",
                    )
                )
    return ResultTable(
        title="What a predictor sees of architectures, and how well it ranks from few labels",
        columns=("space", "property", "labels", *FEATURES, "the last above the one before"),
        rows=tuple(rows),
        notes=(
            f"Spearman on {JUDGED} measured architectures at most that were not learnt from: mean and "
            f"deviation over {SEEDS} seeds, which draw the labels and are the same for all; p: Wilcoxon's "
            "signed-rank test, two-sided. A Gaussian process, of which each group of features has a kernel.",
            "Order: where each choice at a node is one number, its rank. Numbers: also of choices of several "
            "numbers, such as kernel and width, or of none, and their sums. Pairs: which operation follows "
            "which along the paths. Before they were the default they were compared on the choosing half of "
            "`suite`, and on latencies, energies and throughputs of other devices, with 4 seeds.",
        ),
    )
