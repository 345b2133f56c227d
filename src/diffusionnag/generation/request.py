"""What is asked for: properties to raise or lower, and limits to keep, read from texts."""

from __future__ import annotations

import difflib
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from diffusionnag.artifacts.checkpoints import own_names, predicted_property, shipped_names
from diffusionnag.artifacts.shipped_properties import properties_under, shipped_properties
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation.bounds import parse_quantile, parse_value, split_bound
from diffusionnag.guidance import (
    AnalyticProperty,
    Bound,
    Guidance,
    Property,
    analytic_names,
    limit,
    maximize,
)
from diffusionnag.guidance.terms import Sum
from diffusionnag.networks import counted_names
from diffusionnag.predictors import (
    CountedProperty,
    PredictorUnderNode,
    PropertyPredictor,
    checkpoint_name,
    predictor_under,
)
from diffusionnag.spaces import ConditionedSpace, SearchSpace, get_search_space
from diffusionnag.tables import RESOLUTION, Table, measured_table

SURVEYED = 1_000
"""Uniform draws, the same in every run, whose quantiles a limit may name."""
FEW = 6
"""Properties that an error message names."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """The properties to raise or lower, with their weights, and the limits to keep."""

    properties: tuple[Property, ...]
    weights: tuple[float, ...]
    limits: tuple[Bound, ...]

    def guidance(self) -> Guidance | None:
        """Return all that is asked for as one guidance, None if nothing is."""
        pairs = zip(self.properties, self.weights, strict=True)
        terms = (*(maximize(guide, weight) for guide, weight in pairs), *self.limits)
        return Sum(terms) if terms else None

    @cached_property
    def measured(self) -> dict[str, Table]:
        """The installed table of each predicted property that has one, by name, read once."""
        tables = {
            name: measured_table(judged.search_space.name, name)
            for name, judged in self.judged().items()
            if not isinstance(judged, AnalyticProperty | CountedProperty)
        }
        return {name: table for name, table in tables.items() if table is not None}

    def true_values(self, name: str, architectures: Sequence[str]) -> np.ndarray | None:
        """Return what was measured of a property, under its conditions, NaN where nothing was, `batch`.

        None where no installed table has it.
        """
        table = self.measured.get(name)
        if table is None:
            return None
        resolution = self.judged()[name].conditions.get(RESOLUTION)
        if resolution is None or not table.resolutions:
            return table.lookup(name, architectures)
        if resolution not in table.resolutions:
            return np.full(len(architectures), np.nan)
        return table.lookup(f"{name}@{resolution:g}", architectures)

    def judged(self) -> dict[str, Property]:
        """Return every property that is guided or limited, by name, guided ones first."""
        limited = (limit.property for limit in self.limits)
        return {judged.property_name: judged for judged in (*self.properties, *limited)}


def parse_request(
    guides: Sequence[str | Property],
    limits: Sequence[str | Bound],
    probability: float,
    space: SearchSpace,
) -> Request:
    """Return what `NAME[=WEIGHT]` guides and `NAME<=VALUE` or `NAME>=VALUE` limits ask for.

    A value may carry its unit or k, M, G (`params<=800k`, `latency:pixel3<=15ms`), or name a
    quantile of uniform random draws: `latency:pixel3<=30%`, `params<=median`. A property among the
    guides is raised, and can be limited by its name; a `Bound` is taken as it is. Raises
    DiffusionNAGError for an unknown property, a weight or value that is not a number, or a property
    guided twice.
    """
    known = {guide.property_name: guide for guide in guides if isinstance(guide, Property)}
    properties, weights = [], []
    for guide in guides:
        name, weight = (guide, 1.0) if isinstance(guide, Property) else _split_weight(guide)
        properties.append(name if isinstance(name, Property) else _property(name, space, known))
        weights.append(weight)
    names = [guide.property_name for guide in properties]
    for name in names:
        if names.count(name) > 1:
            raise DiffusionNAGError(f"the property {name} is guided twice; give it one weight")
    bounds = [
        text if isinstance(text, Bound) else _parse_limit(text, probability, space, known)
        for text in limits
    ]
    request = Request(tuple(properties), tuple(weights), tuple(bounds))
    _check_conditions(space, request.judged().values())
    return request


def space_under(search_space: str | SearchSpace, conditions: Sequence[str]) -> SearchSpace:
    """Return a space, by its name or as it is, under conditions that each read like `resolution=192`.

    Raises DiffusionNAGError for an unknown space, and for conditions that read otherwise or that
    the space cannot be under.
    """
    space = get_search_space(search_space) if isinstance(search_space, str) else search_space
    values = {}
    for text in conditions:
        name, separator, number = text.partition("=")
        try:
            values[name.strip()] = float(number)
        except ValueError:
            separator = ""
        if not (separator and name.strip() and math.isfinite(values[name.strip()])):
            raise DiffusionNAGError(f"the condition {text!r} should read like 'resolution=192'")
    return space.under(**values) if values else space


def _check_conditions(space: SearchSpace, judged: Iterable[Property]) -> None:
    """Raise DiffusionNAGError for a condition that nothing depends on."""
    known = dict.fromkeys(name for of in judged for name in of.conditions)
    for name in space.conditions:
        if name not in known and name not in space.analytic_conditions:
            depends = f"only on {', '.join(known)}" if known else "on no condition"
            raise DiffusionNAGError(
                f"what is asked for depends {depends}, not on {name}; leave that condition out"
            )


def _split_weight(text: str) -> tuple[str, float]:
    name, separator, number = text.rpartition("=")
    if not separator:
        return text, 1.0
    try:
        weight = float(number)
    except ValueError as error:
        raise DiffusionNAGError(f"the weight in the guide {text} is no number") from error
    if not math.isfinite(weight) or weight == 0:
        raise DiffusionNAGError(f"the weight in the guide {text} must be a number other than 0")
    return name, weight


def _parse_limit(
    text: str, probability: float, space: SearchSpace, known: dict[str, Property]
) -> Bound:
    name, sign, value = split_bound(text, "limit")
    judged = _property(name, space, known)
    quantile = parse_quantile(value)
    if quantile is None:
        bound = parse_value(name, value, f"limit {text!r}")
    else:
        bound = float(np.quantile(judged.predict(space.sample(SURVEYED, 0))[0], quantile))
        logger.info("%s: %.4g, of %s uniform random draws", text, bound, f"{SURVEYED:,}")
    if sign > 0:
        return limit(judged, at_most=bound, probability=probability)
    return limit(judged, at_least=bound, probability=probability)


def read_property(name: str, space: SearchSpace) -> Property:
    """Return an analytic property of the space, a shipped predictor, or one in a folder or hub.

    It is asked for under the space's conditions. Raises DiffusionNAGError for an unknown name.
    """
    analytic = analytic_names(space)
    shipped = checkpoint_name(space.name, name) in shipped_names("predictors")
    if name in analytic and not shipped:
        return AnalyticProperty(space, name)
    if name in counted_names(space) and not shipped:
        return CountedProperty(space, name)
    if isinstance(space, ConditionedSpace) and name in properties_under(space):
        predictor = PropertyPredictor.from_pretrained(name, search_space=space.inner)
        return PredictorUnderNode(space, predictor)
    if not shipped and "/" not in name and not Path(name).is_dir():
        _check_known(name, space, analytic)
    return predictor_under(name, space)


def _check_known(name: str, space: SearchSpace, analytic: list[str]) -> None:
    """Raise DiffusionNAGError, with what the space has, unless a predictor has that name."""
    every = shipped_names("predictors") + own_names("predictors", space.name)
    if name in every or checkpoint_name(space.name, name) in every:
        return
    own = map(predicted_property, own_names("predictors", space.name))
    known = [*analytic, *counted_names(space), *shipped_properties(space), *own]
    others = [model for model in every if model.endswith(checkpoint_name("", name))]
    if others:
        hint = f"; {others[0].split('-')[0]} has one of that name"
    elif name.startswith("latency:"):
        hint = "; `diffusionnag profile` measures this machine"
    elif not known:
        hint = "; a space of your own gives one by `network`, or by its method analytic_properties"
    else:
        hint = ""
    nearest = difflib.get_close_matches(name, known, n=FEW) or known[:FEW]
    rest = len(known) - len(nearest)
    has = ", ".join(nearest) + (f" and {rest} more" if rest else "") or "none yet"
    raise DiffusionNAGError(
        f"{space.name} has no property {name!r}; it has {has}{hint}. Or name the folder of "
        "`train-predictor`"
    )


def _property(name: str, space: SearchSpace, known: dict[str, Property]) -> Property:
    if name not in known:
        known[name] = read_property(name, space)
    return known[name]
