"""Which data a text names, for networks of a space: the kind of its task says how they are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.building import task_of
from diffusionnag.networks.tasks.corpus_data import read_corpus_data
from diffusionnag.networks.tasks.image_data import read_image_data
from diffusionnag.networks.tasks.node_data import read_node_data
from diffusionnag.networks.tasks.own_fit import (
    PREFIX,
    PREFIXES,
    OwnFit,
    read_own_fit,
    split_own_fit,
)
from diffusionnag.networks.tasks.table_data import read_table_data
from diffusionnag.networks.tasks.task_data import TaskData
from diffusionnag.networks.tasks.text_data import read_text_data
from diffusionnag.spaces import (
    LanguageModelling,
    NodeClassification,
    OwnTask,
    SearchSpace,
    Task,
    TextClassification,
)
from diffusionnag.text import CORPUS_SUFFIXES


def load_data(
    data: str | Path,
    space: SearchSpace,
    *,
    test: str | Path | None = None,
    target: str | None = None,
    tokens: str = "bytes",
    resolution: int | None = None,
    width: float = 1.0,
    cells: int | None = None,
    context: int | None = None,
    subset: int | None = None,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> TaskData | OwnFit:
    """Return the data for networks of a space, read as the kind of its task says.

    Images are read as by `read_images`, to the task's resolution or another one; texts and rows come
    from CSV or Parquet files, `target` naming the column to be told, rows from `sklearn:NAME` too. A
    `.txt` file is a text to be modelled, by spaces of texts. `tokens` are `bytes`, or byte pairs
    `bpe:SIZE`, at most `context` of them at a time. A graph is a folder of its nodes and edges, or
    `sbm:NODES` (see `read_graph`). `fit:FILE.py:FUNCTION[:METRIC]` is the user's own training, for any
    space, and `lightning:FILE.py:DATA[:METRIC]` that of modules which train themselves
    (`LightningFit`). Metrics are measured on `test`, or else on a tenth that is held out. `subset`
    limits how many examples, drawn at random, are used of either. Raises DiffusionNAGError
    for what is no such data, one class only, and a test set of other classes.
    """
    task = _kind_of(
        data, task_of(space, resolution=resolution, width=width, cells=cells, context=context)
    )
    if str(data).startswith(PREFIXES):
        return read_own_fit(str(data), task)
    if isinstance(task, OwnTask):
        raise DiffusionNAGError(
            f"the task of {space.name} is your own: train with {PREFIX}FILE.py:FUNCTION, not {data}"
        )
    if isinstance(task, LanguageModelling):
        return read_corpus_data(data, task, test=test, tokens=tokens, subset=subset)
    if isinstance(task, TextClassification):
        return read_text_data(
            data, task, test=test, target=target, tokens=tokens, subset=subset, seed=seed
        )
    if isinstance(task, NodeClassification):
        return read_node_data(data, task, test=test, target=target, subset=subset, seed=seed)
    if task.inputs == "images":
        return read_image_data(data, task, test=test, subset=subset, seed=seed, report=report)
    return read_table_data(data, task, test=test, target=target, subset=subset, seed=seed)


def metric_of(data: str | Path, space: SearchSpace) -> str:
    """Return the name of the value that networks of a space are compared by on some data."""
    if str(data).startswith(PREFIXES):
        return split_own_fit(str(data))[2]
    return _kind_of(data, space.networks.task).metric


def _kind_of(data: str | Path, task: Task) -> Task:
    """Return the task on some data: a whole text is modelled, a table of texts is told apart."""
    is_corpus = Path(data).suffix.lower() in CORPUS_SUFFIXES
    if isinstance(task, TextClassification) and is_corpus:
        return LanguageModelling(context=task.context)
    if isinstance(task, LanguageModelling) and not is_corpus and Path(data).suffix:
        return TextClassification(context=task.context)
    return task
