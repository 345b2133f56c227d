"""Rows of a table as examples: numbers standardised, categories one-hot."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.tasks.splitting import split_rows
from diffusionnag.networks.tasks.supervised import Examples, SupervisedData, standardised
from diffusionnag.spaces import TabularClassification, TabularRegression, Task
from diffusionnag.tabular import FeatureEncoding, Rows, class_numbers, read_rows


def read_table_data(
    data: str | Path,
    task: Task,
    *,
    test: str | Path | None = None,
    target: str | None = None,
    subset: int | None = None,
    seed: int = 0,
) -> SupervisedData:
    """Read the rows of a file, or of `sklearn:NAME`, for a tabular task; see `load_data`."""
    rows = read_rows(data, target)
    others = None if test is None else read_rows(test, target)
    seen, held_out = split_rows(len(rows), None if others is None else len(others), subset, seed)
    encoding = FeatureEncoding.fit(rows.features, seen)
    judged = rows if others is None else others
    preparation = asdict(encoding)
    scale = (0.0, 1.0)
    if isinstance(task, TabularRegression):
        for name, of in ((data, rows), (test, judged)):
            if of.target.dtype == object:
                raise DiffusionNAGError(f"the column to be told in {name} holds texts, no numbers")
        _, scale = standardised(rows.target, seen)
        targets, others_targets = (
            ((of.target - scale[0]) / scale[1]).astype(np.float32) for of in (rows, judged)
        )
        preparation |= {"target_mean": scale[0], "target_std": scale[1]}
        task = TabularRegression(encoding.width)
    else:
        classes, targets = class_numbers(rows.target)
        others_targets = _same_classes(judged, classes, test)
        if len(classes) < 2:
            raise DiffusionNAGError(f"{data} holds one class only; there is nothing to tell apart")
        if len(classes) > max(2, len(rows) // 2):
            raise DiffusionNAGError(
                f"{data} has {len(classes):,} classes in {len(rows):,} rows; is the task regression?"
            )
        preparation |= {"classes": classes}
        task = TabularClassification(encoding.width, len(classes))
    return SupervisedData(
        task,
        Examples(encoding.apply(rows.features)[seen], targets[seen]),
        Examples(encoding.apply(judged.features)[held_out], others_targets[held_out]),
        preparation,
        scale,
    )


def _same_classes(rows: Rows, classes: tuple[str, ...], path: str | Path | None) -> np.ndarray:
    names, numbers = class_numbers(rows.target)
    unknown = set(names) - set(classes)
    if unknown:
        raise DiffusionNAGError(f"{path} has a class {min(unknown)!r} that is not trained on")
    return np.array([classes.index(name) for name in names], dtype=np.int64)[numbers]
