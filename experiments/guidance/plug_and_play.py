"""One generator, every shipped predictor: does swapping the predictor give what it predicts?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from diffusionnag.artifacts.checkpoints import shipped_names
from diffusionnag.generation.generator import Generator
from diffusionnag.guidance import maximize
from diffusionnag.predictors import PropertyPredictor
from diffusionnag.spaces import Architecture, SearchSpace, search_space_names
from diffusionnag.tables import measured_table
from experiments.result_table import ResultTable

SAMPLES = 256
TOP = 10


def plug_and_play(report: Callable[[str], None]) -> ResultTable:
    """Return each shipped property's mean and top-10 mean, guided and random."""
    rows = []
    for space_name in search_space_names():
        shipped = shipped_names("predictors", space_name)
        if not shipped:
            continue
        generator = Generator.from_pretrained(space_name)
        space = generator.search_space
        random = space.sample(SAMPLES, 0)
        for checkpoint in shipped:
            predictor = PropertyPredictor.from_pretrained(checkpoint)
            name = predictor.property_name
            report(f"{space_name}: {name}")
            sign = -1.0 if "latency" in name else 1.0
            samples = generator.sample(SAMPLES, guide=maximize(predictor, sign))
            figures = []
            known = True
            for group in (samples.architectures, random):
                values, measured = _values(space, predictor, group)
                known = known and measured
                best = np.sort(sign * values)[::-1] * sign
                figures += [f"{values.mean():.4g}", f"{best[:TOP].mean():.4g}"]
            rows.append((space_name, name, "true" if known else "predicted", *figures))
    return ResultTable(
        title="One generator for each space, every shipped predictor plugged in",
        columns=(
            *("space", "property", "values"),
            *("guided: mean", f"top {TOP}", "random: mean", f"top {TOP}"),
        ),
        rows=tuple(rows),
        notes=(
            f"{SAMPLES} architectures each; latencies are lowered, everything else raised. No "
            "generator was trained again.",
            "`true`: all of the architectures are in a measured table; else the predictor's own "
            "values, which are no evidence beyond it.",
        ),
    )


def _values(
    space: SearchSpace, predictor: PropertyPredictor, architectures: Sequence[Architecture]
) -> tuple[np.ndarray, bool]:
    table = measured_table(space.name, predictor.property_name)
    if table is not None:
        texts = [space.format(architecture) for architecture in architectures]
        true = table.lookup(predictor.property_name, texts)
        if np.isfinite(true).all():
            return true, True
    return predictor.predict(architectures)[0], False
