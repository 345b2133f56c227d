"""Training every predictor that ships, and measuring each on a tenth that it did not see."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from diffusionnag._seeds import numpy_generator
from diffusionnag.artifacts.checkpoints import CONFIG_FILE, JOINT_FOLDER, SHIPPED_FOLDER
from diffusionnag.artifacts.model_cards import About, machine, today
from diffusionnag.predictors import (
    JointPredictor,
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
from experiments.shipped_models.sources import (
    JOINT_SOURCES,
    SHIPPED_RESOLUTION,
    SOURCES,
    JointSource,
    Source,
)
from experiments.shipped_models.within_widths import WithinWidths, lessons

FOLDER = SHIPPED_FOLDER / "predictors"
COMMAND = "python -m experiments shipped-predictors"
GOOD = 76.0
"""ImageNet accuracies, in %, among which a rank correlation is told by itself."""
MEASURES = {
    "mean absolute error": "mean absolute error",
    "Spearman": "Spearman",
    "Kendall": "Kendall",
    "share within one standard deviation": "within 1 std",
    "share within two standard deviations": "within 2 std",
}


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
        folder = FOLDER / JOINT_FOLDER / joint.table
        if not (folder / CONFIG_FILE).is_file():
            report(f"{joint.space}: all columns of {joint.table}")
            _train_jointly(joint).save(folder)
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        rows += [_row(joint.space, *measured) for measured in config["properties"].items()]
    return ResultTable(
        title="Shipped predictors on architectures they did not see",
        columns=("space", "property", *MEASURES.values()),
        rows=tuple(sorted(rows, key=lambda row: row[0])),
        notes=(
            "Held out: a random tenth of the measured architectures; the weights that are judged "
            "ship. Errors are in the property's unit: % for accuracies, ms for latencies, images/s "
            "for throughputs.",
            "`robustness:` was measured once for each of 6,466 classes of isomorphic cells, which share "
            "the value: whole classes are held out.",
            "Columns of a table share one model, but for the accuracies of mobilenetv3 and mnasnet. That of "
            "gpt2 was taught by a ridge regression within each width. Its devices were measured in runs of "
            "500 rows, which "
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
        for column in source.columns:
            yield source, column


def _train(source: Source, column: str) -> PropertyPredictor:
    space, table = get_search_space(source.space), required_table(source.space, source.table)
    values = table.column(column)
    architectures = [space.parse(text) for text in table.architectures]
    rows = numpy_generator(0).permutation(np.flatnonzero(np.isfinite(values)))
    held_out, seen = _split(space, architectures, rows, by_class=False)
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
    mean, std = _predicted(predictor, [architectures[row] for row in held_out], given[held_out])
    quality = {}
    if name:
        predictor.under(**{name: source.shipped_under})
    if source.taught:
        quality = _by_condition(mean, std, values[held_out], given[held_out, 0])
    quality = prediction_quality(mean, std, values[held_out]) | quality
    predictor.about = _about(f"{table.name}: {len(seen)} measurements, column {column}")
    predictor.about.quality = _as_in_card(quality)
    return predictor


def _train_jointly(source: JointSource) -> JointPredictor:
    space, table = get_search_space(source.space), required_table(source.space, source.table)
    name = source.condition
    columns = {each: table.column(each) for each in source.columns or tuple(table.columns)}
    columns = {each: columns[each] for each in columns if each not in (*source.without, name)}
    architectures = [space.parse(text) for text in table.architectures]
    whole = np.all([np.isfinite(values) for values in columns.values()], axis=0)
    rows = numpy_generator(0).permutation(np.flatnonzero(whole))
    held_out, seen = _split(space, architectures, rows, source.by_class)
    shown = [architectures[row] for row in seen]
    measured = {each: values[seen] for each, values in columns.items()}
    given = table.column(name)[:, None] if name else np.zeros((len(architectures), 0))
    asked, learnt = shown, measured
    if source.taught:
        asked = [*shown, *lessons(space, seed=0)]
        learnt = {
            each: WithinWidths(space).fit(shown, values).predict(asked)
            for each, values in measured.items()
        }
    joint = JointPredictor.fit(
        space,
        asked,
        learnt,
        width=source.size[0],
        steps=source.size[1],
        magnitude=source.magnitude,
        knots=source.knots,
        conditions={name: given[seen, 0]} if name else None,
    )
    if source.taught:
        joint.set_deviations(shown, measured)
    if name:
        joint.ensemble.predict_under({name: SHIPPED_RESOLUTION})
    joint.about = _about(f"{table.name}: {len(seen)} measurements, {len(columns)} columns")
    kept_back = [architectures[row] for row in held_out]
    for each, values in columns.items():
        mean, std = _predicted(joint.predictor(each), kept_back, given[held_out])
        joint.quality[each] = _as_in_card(prediction_quality(mean, std, values[held_out]))
    return joint


def _predicted(
    predictor: PropertyPredictor, architectures: Sequence[Architecture], given: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation of each, under its conditions, `batch x C`."""
    if not predictor.conditions:
        return predictor.predict(architectures)
    mean, std = np.full((2, len(architectures)), np.nan)
    for values in np.unique(given, axis=0):
        alike = np.flatnonzero((given == values).all(axis=1))
        predictor.under(**dict(zip(predictor.conditions, values.tolist(), strict=True)))
        mean[alike], std[alike] = predictor.predict([architectures[row] for row in alike.tolist()])
    return mean, std


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
