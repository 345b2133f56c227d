"""Limits on the latency of this machine in a declared space: the transformers of examples/."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from diffusionnag.guidance import limit
from diffusionnag.networks import LatencySettings, ProfileSettings, latency_name, profile_space
from diffusionnag.networks.profiling import MEASURED, REFERENCE, measure_beside_reference
from diffusionnag.predictors import fit_judged, held_out_parts
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space
from diffusionnag.tables import clean_measurements
from experiments.generation.declared_spaces import FOLDER
from experiments.generation.kept_generator import kept_generator
from experiments.guidance.latency_here import (
    FOLDS,
    GENERATED,
    PROBABILITIES,
    QUANTILE,
    TOLERANCE,
)
from experiments.result_table import ResultTable

KEPT = Path("runs") / "latency-here-transformer"
"""The generator and the profile, so that the experiment can be stopped and resumed."""
PROFILED, REPEATS, ROUNDS = 120, 15, 3
GENERATOR_STEPS = 1_000


def latency_here_transformer(report: Callable[[str], None]) -> ResultTable:
    """Return which share of transformers keeps a limit, measured, when they were generated to keep it.

    To be run in the folder that holds `examples/`.
    """
    space = get_search_space(str(FOLDER / "transformer.yaml"))
    generator = kept_generator(space, KEPT / "generator", GENERATOR_STEPS, report)
    column = latency_name("here")
    settings = ProfileSettings(LatencySettings(repeats=REPEATS), space.networks.task)
    table = profile_space(
        space,
        column,
        PROFILED,
        KEPT / "profile",
        settings,
        report=lambda done, total: report(f"random transformer {done} of {total}"),
    )
    measured = clean_measurements(table, space, column)
    latency, _ = fit_judged(space, column, measured, held_out_parts(len(measured.values), FOLDS, 0))
    at_most = float(np.quantile(measured.values, QUANTILE))
    usual = float(np.median(table.column(REFERENCE)))
    groups = {
        f"generated, probability {probability:g}": generator.sample(
            GENERATED,
            guide=limit(latency, at_most=at_most, probability=probability),
            distinct=True,
        ).architectures
        for probability in PROBABILITIES
    }
    steady, raw, beside = _measured(space, groups, settings, usual, report)
    steady = {"random": measured.values} | steady
    raw = {"random": table.column(MEASURED)} | raw
    rows = [
        (
            *(label, str(len(values))),
            *(f"{value:.2f}" for value in (np.median(values), values.max())),
            *(
                f"{100 * np.mean(shown <= bound):.0f}"
                for shown, bound in (
                    (values, at_most),
                    (values, TOLERANCE * at_most),
                    (raw[label], TOLERANCE * at_most),
                )
            ),
        )
        for label, values in steady.items()
    ]
    slowest, fastest = beside.max(), beside.min()
    quality = ", ".join(f"{name} {value:.3g}" for name, value in latency.about.quality.items())
    return ResultTable(
        title="Latency limits of this machine on the transformers of examples/, measured",
        columns=(
            *("transformers", "number", "median, ms", "largest, ms"),
            *("keep it, %", "within 10 %, %", "within 10 % as measured, %"),
        ),
        rows=tuple(rows),
        notes=(
            f"The limit is {at_most:.2f} ms, which a third of {PROFILED} random transformers keeps that "
            f"the predictor learnt from. 128 tokens, PyTorch, one thread; medians of {REPEATS} runs.",
            f"Each generated one is measured at {ROUNDS} moments, in turn with a reference network: its "
            "latency is the median ratio to the reference, times the reference's usual latency; `as "
            "measured` is the median without that. The random ones, measured once, are those that were "
            "learnt from.",
            f"The machine was shared: the reference, usually {usual:.2f} ms, took {fastest:.2f} to "
            f"{slowest:.2f} ms.",
            f"The predictor: {quality}.",
        ),
    )


def _measured(
    space: SearchSpace,
    groups: Mapping[str, Sequence[Architecture]],
    settings: ProfileSettings,
    usual: float,
    report: Callable[[str], None],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Return latencies at the usual speed and as measured by group, and all of the reference, in ms."""
    pairs = {label: np.zeros((ROUNDS, len(group), 2)) for label, group in groups.items()}
    for moment in range(ROUNDS):
        for label, group in groups.items():
            for number, each in enumerate(group):
                report(f"round {moment + 1} of {ROUNDS}, {label}: {number} of {len(group)}")
                pairs[label][moment, number] = measure_beside_reference(space, each, settings)
    steady = {
        label: usual * np.median(pair[..., 0] / pair[..., 1], axis=0)
        for label, pair in pairs.items()
    }
    raw = {label: np.median(pair[..., 0], axis=0) for label, pair in pairs.items()}
    return steady, raw, np.concatenate([pair[..., 1].ravel() for pair in pairs.values()])
