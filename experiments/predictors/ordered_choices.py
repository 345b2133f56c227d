"""Whether the order of choices that are numbers helps where few architectures are labelled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from diffusionnag._seeds import numpy_generator
from diffusionnag.predictors import (
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
from experiments.statistics import mean_and_std

COLUMNS = (
    ("gpt2", "hwgpt_s", ("perplexity", "latency:a100")),
    ("mnasnet", "mnasnet_imagenet", ("imagenet_top1", "a100_images_per_s", "zcu102_latency_ms")),
)
LABELS = (20, 50, 100)
SEEDS = 30
JUDGED = 800
FEATURES = (PathFeatures, PathsAndOrder)


def ordered_choices(report: Callable[[str], None]) -> ResultTable:
    """Return rank correlations on architectures that were not learnt from, with the order and without."""
    rows = []
    for name, table_name, columns in COLUMNS:
        space, table = get_search_space(name), required_table(name, table_name)
        x = torch.from_numpy(space.encode([space.parse(text) for text in table.architectures]))
        for column in columns:
            values = table.column(column)
            measured = np.flatnonzero(np.isfinite(values))
            for labels in LABELS:
                report(f"{name}: {column} from {labels}")
                ranked = np.zeros((SEEDS, len(FEATURES)))
                for seed in range(SEEDS):
                    drawn = numpy_generator(seed).permutation(measured)
                    learnt, judged = drawn[:labels], drawn[labels : labels + JUDGED]
                    target = RankGaussian.fit(values[learnt]).to_normal(values[learnt])
                    for which, features in enumerate(FEATURES):
                        config = GaussianProcessConfig(labels)
                        process = GaussianProcess(space, config, features(space))
                        process.fit(x[learnt].double(), torch.from_numpy(target), seed=seed)
                        with torch.no_grad():
                            mean = process.standardised(x[judged].double()).numpy()
                        ranked[seed, which] = spearman(mean, values[judged])
                without, ordered = ranked.T
                rows.append(
                    (
                        *(name, column, str(labels)),
                        *(mean_and_std(each.tolist(), 3) for each in (without, ordered)),
                        f"{(ordered > without).sum()} of {SEEDS}",
                    )
                )
    return ResultTable(
        title="The order of choices that are numbers, for a predictor from few labels",
        columns=("space", "property", "labels", "without", "with the order", "better with it"),
        rows=tuple(rows),
        notes=(
            f"Spearman on {JUDGED} measured architectures that were not learnt from: mean and deviation over "
            f"{SEEDS} seeds, which draw the labels and are the same for both. Numbers are the width of "
            "`gpt2`, and every choice of `mnasnet`; `mobilenetv3` and the layers of `gpt2` choose pairs of "
            "numbers, whose order is not used.",
        ),
    )
