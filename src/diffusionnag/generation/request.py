"""What is asked for: properties to raise or lower, and limits to keep, read from texts."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from diffusionnag.artifacts.checkpoints import shipped_names
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.guidance import AnalyticProperty, Bound, Guidance, Property, limit, maximize
from diffusionnag.guidance.terms import Sum
from diffusionnag.predictors.property_predictor import PropertyPredictor, checkpoint_name
from diffusionnag.spaces import SearchSpace
from diffusionnag.spaces.cost import unit

BOUND = re.compile(r"\s*(?P<name>.+?)\s*(?P<relation><=|>=)\s*(?P<value>[^<>=]+?)\s*")
MILLIONS = {"k": 1e-3, "M": 1.0, "G": 1e3}


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

    A property among the guides is raised, and can be limited by its name; a `Bound` is taken as it
    is. Raises DiffusionNAGError for an unknown property, a weight or value that is not a number, or
    a property guided twice.
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
    return Request(tuple(properties), tuple(weights), tuple(bounds))


def _split_weight(text: str) -> tuple[str, float]:
    name, separator, number = text.rpartition("=")
    if not separator:
        return text, 1.0
    try:
        weight = float(number)
    except ValueError as error:
        raise DiffusionNAGError(f"the weight in --guide {text} is no number") from error
    if not math.isfinite(weight) or weight == 0:
        raise DiffusionNAGError(f"the weight in --guide {text} must be a number other than 0")
    return name, weight


def _parse_limit(
    text: str, probability: float, space: SearchSpace, known: dict[str, Property]
) -> Bound:
    name, sign, value = parse_bound(text, "--limit")
    judged = _property(name, space, known)
    if sign > 0:
        return limit(judged, at_most=value, probability=probability)
    return limit(judged, at_least=value, probability=probability)


def parse_bound(text: str, option: str) -> tuple[str, int, float]:
    """Return the name, the sign (1 if the bound is an upper one) and the value of `NAME<=VALUE`.

    Raises DiffusionNAGError, naming the option, where it does not read like that.
    """
    match = BOUND.fullmatch(text)
    if match is None:
        raise DiffusionNAGError(
            f"{option} {text!r} should read like 'params<=1.0M' or 'cifar10>=90'"
        )
    name, number = match["name"], match["value"]
    factor = 1.0
    if unit(name) and number[-1] in MILLIONS:
        factor, number = MILLIONS[number[-1]], number[:-1]
    try:
        value = factor * float(number)
    except ValueError as error:
        raise DiffusionNAGError(f"the value in {option} {text!r} is no number") from error
    return name, 1 if match["relation"] == "<=" else -1, value


def read_property(name: str, space: SearchSpace) -> Property:
    """Return an analytic property of the space, a shipped predictor, or one in a folder or hub.

    Raises DiffusionNAGError for an unknown name.
    """
    analytic = space.analytic_properties(space.sample(1, 0)[0])
    shipped = checkpoint_name(space.name, name) in shipped_names("predictors")
    if name in analytic and not shipped:
        return AnalyticProperty(space, name)
    return PropertyPredictor.from_pretrained(name, search_space=space)


def _property(name: str, space: SearchSpace, known: dict[str, Property]) -> Property:
    if name not in known:
        known[name] = read_property(name, space)
    return known[name]
