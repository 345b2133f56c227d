"""Training every predictor that ships, and measuring each on a tenth that it did not see."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag._seeds import numpy_generator
from diffusionnag.artifacts.checkpoints import CONFIG_FILE, JOINT_FOLDER, SHIPPED_FOLDER
from diffusionnag.artifacts.model_cards import About, machine, today
from diffusionnag.predictors import (
    JointPredictor,
    ModelKind,
    PropertyPredictor,
    checkpoint_name,
    prediction_quality,
    spearman,
)
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space
from diffusionnag.spaces.nasbench201 import isomorphism_class
from experiments.measured_data import required_table
from experiments.result_table import ResultTable
from experiments.shipped_models.distilled import HELD_OUT_SHARE, distilled, split
from experiments.shipped_models.within_widths import WithinWidths, lessons

FOLDER = SHIPPED_FOLDER / "predictors"
COMMAND = "python -m experiments shipped-predictors"
SMALL, LONG, TAUGHT, LARGE = (48, 3_000), (48, 6_000), (64, 8_000), (128, 6_000)
"""Widths and steps; most are small, so that some sixty predictors fit into the package."""
SHIPPED_RESOLUTION = 224.0
GOOD = 76.0
"""ImageNet accuracies, in %, among which a rank correlation is told by itself."""
MEASURES = {
    "mean absolute error": "mean absolute error",
    "Spearman": "Spearman",
    "Kendall": "Kendall",
    "share within one standard deviation": "within 1 std",
    "share within two standard deviations": "within 2 std",
}


@dataclass(frozen=True)
class Source:
    """A table with the columns that are learnt from it, all of them if none are named."""

    space: str
    table: str
    columns: tuple[str, ...] = ()
    condition: str | None = None
    """A column that says under which condition the others were measured."""
    model: ModelKind = "ensemble"
    """A Gaussian process where there are few labels."""
    size: tuple[int, int] = SMALL
    """Width and steps of its predictors."""
    shipped_under: float = SHIPPED_RESOLUTION
    """The condition that its predictors ship set to."""
    taught: bool = False
    """Whether they learn from what Gaussian processes say (see `distilled`)."""
    by_class: bool = False
    """Whether isomorphic cells share values, so that whole classes of them are held out."""


@dataclass(frozen=True)
class JointSource:
    """A table whose columns, but for some, one model learns together (see `within_widths`)."""

    space: str
    table: str
    without: tuple[str, ...]
    size: tuple[int, int]


SOURCES = (
    Source(
        "nasbench201",
        "analog-nasbench",
        ("cifar10", "quantised_8bit", "analog_noise", "analog_drift_1month"),
        size=LARGE,
    ),
    Source("nasbench201", "nasbench201_latency_ms"),
    Source(
        "nasbench201",
        "nasbench201_robustness_cifar10",
        tuple(
            f"robustness:{name}"
            for name in ("fgsm_1", "pgd_1", "square_1", "square_2", "corruptions_mean")
        ),
        by_class=True,
        size=LONG,
    ),
    Source("mobilenetv3", "mobilenetv3_ofa_latency_ms", condition="resolution"),
    Source(
        "mobilenetv3",
        "mobilenetv3_ofa_imagenet",
        ("imagenet_top1",),
        condition="resolution",
        size=TAUGHT,
        taught=True,
    ),
    Source(
        "mobilenetv3",
        "mobilenetv3_ofa_datasets",
        ("cifar10",),
        condition="resolution",
        shipped_under=192.0,
    ),
    Source(
        "mobilenetv3",
        "mobilenetv3_ofa_datasets",
        ("cifar100", "svhn"),
        model="gaussian_process",
    ),
    Source(
        "mnasnet",
        "mnasnet_imagenet",
        (
            "imagenet_top1",
            *(f"{device}_latency_ms" for device in ("zcu102", "vck190")),
            *(
                f"{device}_images_per_s"
                for device in ("a100", "3090", "tpuv2", "tpuv3", "zcu102", "vck190")
            ),
        ),
    ),
)

JOINT_SOURCES = (JointSource("gpt2", "hwgpt_s", ("params", "macs"), (128, 12_000)),)
"""What follows from an architecture alone is not learnt."""


def shipped_predictors(report: Callable[[str], None]) -> ResultTable:
    """Train the predictors that are missing from the package; return the quality of them all.

    One that is there already is left as it is, so an interrupted run goes on where it was. Raises
    DiffusionNAGError where a table is not installed.
    """
    rows = []
    for source, column in _all_columns():
        folder = FOLDER / checkpoint_name(source.space, column)
        if not (folder / CONFIG_FILE).is_file():
            report(f"{source.space}: {column}")
            _train(source, column).save_pretrained(folder)
        about = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))["about"]
        rows.append(_row(source.space, column, about["quality"]))
    for joint in JOINT_SOURCES:
        folder = FOLDER / JOINT_FOLDER / joint.space
        if not (folder / CONFIG_FILE).is_file():
            report(f"{joint.space}: all columns of {joint.table}")
            _train_jointly(joint).save(folder)
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        rows += [_row(joint.space, *measured) for measured in config["properties"].items()]
    return ResultTable(
        title="Shipped predictors on architectures they did not see",
        columns=("space", "property", *MEASURES.values()),
        rows=tuple(rows),
        notes=(
            "Held out: a random tenth of the measured architectures; the weights that are judged "
            "ship. Errors are in the property's unit: % for accuracies, ms for latencies, images/s "
            "for throughputs.",
            "`robustness:` was measured once for each of 6,466 classes of isomorphic cells, which share "
            "the value: whole classes are held out.",
            "One model predicts all properties of gpt2, taught by a ridge regression within each width. Its "
            "devices were measured in runs of 500 rows, which "
            "differ by up to 13 % (latency:cpu_a6000), and energies vary from row to row: no model knows "
            "what run a row was of.",
            "`latency:` of MobileNetV3 was measured at 25 input resolutions, of which the predictor is "
            f"told; it ships set to {SHIPPED_RESOLUTION} (`predictor.under(resolution=...)`).",
        ),
    )


def _row(space: str, column: str, quality: Mapping[str, float]) -> tuple[str, ...]:
    return (space, column, *(f"{quality[_in_card(measure)]:.3f}" for measure in MEASURES))


def _all_columns() -> Iterator[tuple[Source, str]]:
    for source in SOURCES:
        table = required_table(source.space, source.table)
        for column in source.columns or tuple(table.columns):
            if column != source.condition:
                yield source, column


def _train(source: Source, column: str) -> PropertyPredictor:
    space, table = get_search_space(source.space), required_table(source.space, source.table)
    values = table.column(column)
    architectures = [space.parse(text) for text in table.architectures]
    rows = numpy_generator(0).permutation(np.flatnonzero(np.isfinite(values)))
    held_out, seen = _split(space, architectures, rows, source.by_class)
    if source.taught:
        held_out, seen = split(table.architectures)
    width, steps = source.size
    name = source.condition
    predictor = PropertyPredictor(
        space, column, model=source.model, width=width, conditions=(name,) if name else ()
    )
    given = table.column(name)[:, None] if name else np.zeros((len(values), 0))
    shown = [architectures[row] for row in seen]
    if source.taught:
        distilled(predictor, shown, values[seen], conditions=given[seen], steps=steps)
    else:
        conditions = given[seen] if name else None
        predictor.fit(shown, values[seen], conditions=conditions, steps=steps)
    quality = {}
    if name is None:
        mean, std = predictor.predict([architectures[row] for row in held_out])
    else:
        mean, std = np.full((2, len(held_out)), np.nan)
        for value in np.unique(given[held_out]):
            alike = np.flatnonzero(given[held_out, 0] == value)
            predictor.under(**{name: float(value)})
            predicted = predictor.predict([architectures[row] for row in held_out[alike]])
            mean[alike], std[alike] = predicted
        predictor.under(**{name: source.shipped_under})
        if source.taught:
            quality = _by_condition(mean, std, values[held_out], given[held_out, 0])
    quality = prediction_quality(mean, std, values[held_out]) | quality
    predictor.about = _about(f"{table.name}: {len(seen)} measurements, column {column}")
    predictor.about.quality = _as_in_card(quality)
    return predictor


def _train_jointly(source: JointSource) -> JointPredictor:
    space, table = get_search_space(source.space), required_table(source.space, source.table)
    columns = {name: table.columns[name] for name in table.columns if name not in source.without}
    architectures = [space.parse(text) for text in table.architectures]
    rows = numpy_generator(0).permutation(len(architectures))
    held_out, seen = _split(space, architectures, rows, by_class=False)
    width, steps = source.size
    shown = [architectures[row] for row in seen]
    measured = {name: values[seen] for name, values in columns.items()}
    asked = [*shown, *lessons(space, seed=0)]
    taught = {
        name: WithinWidths(space).fit(shown, values).predict(asked)
        for name, values in measured.items()
    }
    joint = JointPredictor.fit(space, asked, taught, width=width, steps=steps)
    joint.set_deviations(shown, measured)
    joint.about = _about(f"{table.name}: {len(seen)} architectures, {len(columns)} columns")
    kept_back = [architectures[row] for row in held_out]
    for name, values in columns.items():
        mean, std = joint.predictor(name).predict(kept_back)
        joint.quality[name] = _as_in_card(prediction_quality(mean, std, values[held_out]))
    return joint


def _about(data: str) -> About:
    return About(command=COMMAND, data=data, date=today(), machine=machine())


def _as_in_card(quality: Mapping[str, float]) -> dict[str, float]:
    return {_in_card(name): value for name, value in quality.items()}


def _split(
    space: SearchSpace, architectures: Sequence[Architecture], rows: np.ndarray, by_class: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a tenth of all distinct architectures, or classes, and those of the others."""
    names = [
        isomorphism_class(space.operation_names(architectures[row])[1:-1])
        if by_class
        else space.format(architectures[row])
        for row in rows
    ]
    distinct = list(dict.fromkeys(names))
    kept_back = set(distinct[: round(HELD_OUT_SHARE * len(distinct))])
    is_held_out = np.array([name in kept_back for name in names])
    return rows[is_held_out], rows[~is_held_out]


def _by_condition(
    mean: np.ndarray, std: np.ndarray, true: np.ndarray, given: np.ndarray
) -> dict[str, float]:
    """Return the errors and rank correlations at each resolution, and among the good at the last."""
    quality = {}
    for value in np.unique(given):
        alike = given == value
        measured = prediction_quality(mean[alike], std[alike], true[alike])
        for name in ("mean absolute error", "Spearman"):
            quality[f"{name} at {value:g}"] = measured[name]
    good = (given == SHIPPED_RESOLUTION) & (true > GOOD)
    quality[f"Spearman at {SHIPPED_RESOLUTION:g} above {GOOD:g} %"] = spearman(
        mean[good], true[good]
    )
    return quality


def _in_card(measure: str) -> str:
    return f"{measure}, on a held-out tenth"
