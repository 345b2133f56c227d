"""Bounds as people write them: `params<=800k`, `latency:pixel3<=15ms`, `cifar10>=median`."""

from __future__ import annotations

import re

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces.units import unit

BOUND = re.compile(r"\s*(?P<name>.+?)\s*(?P<relation><=|>=)\s*(?P<value>[^<>=]+?)\s*")
NUMBER = re.compile(r"(?P<number>[-+.\d]+(?:[eE][-+]?\d+)?)\s*(?P<suffix>\D*)", re.ASCII)
FACTORS = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
MEDIAN = "median"


def split_bound(text: str, kind: str) -> tuple[str, int, str]:
    """Return the name, the sign (1 if the bound is an upper one) and the value's text.

    Raises DiffusionNAGError, naming the kind, for anything but `NAME<=VALUE` and `NAME>=VALUE`.
    """
    match = BOUND.fullmatch(text)
    if match is None:
        raise DiffusionNAGError(
            f"the {kind} {text!r} should read like 'params<=1.0M' or 'cifar10>=90'"
        )
    return match["name"], 1 if match["relation"] == "<=" else -1, match["value"]


def parse_bound(text: str, kind: str) -> tuple[str, int, float]:
    """Return the name, the sign (1 if the bound is an upper one) and the value of a bound.

    Raises DiffusionNAGError, naming the kind, where it does not read like that.
    """
    name, sign, value = split_bound(text, kind)
    return name, sign, parse_value(name, value, f"{kind} {text!r}")


def parse_value(name: str, text: str, where: str) -> float:
    """Return the value of a property, in its own unit, of a number with k, M, G or that unit.

    Parameters and MACs are counted in millions, with or without the M. Raises DiffusionNAGError,
    naming where it stands and what may stand behind the number, for anything else.
    """
    factors = dict(FACTORS)
    if unit(name) == " M":
        factors = {suffix: factor / 1e6 for suffix, factor in FACTORS.items()} | {"": 1.0}
    elif unit(name) == " MiB":
        factors |= {"MiB": 1.0, "GiB": 1024.0}
    elif "latency" in name or name.endswith("_ms"):
        factors |= {"ms": 1.0, "s": 1e3}
    match = NUMBER.fullmatch(text)
    try:
        return factors[match["suffix"].strip()] * float(match["number"])  # type: ignore[index]
    except (TypeError, ValueError):
        raise DiffusionNAGError(f"the value in the {where} is no number") from None
    except KeyError as error:
        allowed = ", ".join(suffix for suffix in factors if suffix)
        raise DiffusionNAGError(
            f"the value in the {where} ends in {error}; a number may end in {allowed}, and 'median' or "
            "a share such as 30% is taken of uniform random draws"
        ) from None


def parse_quantile(text: str) -> float | None:
    """Return the share that `median` or a number with % names, None for any other text."""
    if text == MEDIAN:
        return 0.5
    number = text.removesuffix("%").strip()
    try:
        share = float(number) / 100
    except ValueError:
        return None
    return share if text.endswith("%") and 0 <= share <= 1 else None
