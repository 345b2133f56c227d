"""Pickles of other people, read without running any code of theirs.

A pickle can name any function and have it called. The unpickler here looks up nothing by import:
each name that a pickle may use is given an inert stand-in, and every other name is an error.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from diffusionnag.errors import DiffusionNAGError

StandIns = Mapping[tuple[str, str], Callable[..., Any]]
"""What stands in for each (module, name) that a pickle may use."""


class _NumberType:
    """Stands in for numpy.dtype: keeps the code of a number, such as `<f8`, and does nothing."""

    def __init__(self, code: str, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.code = state[1] + self.code


def _number(kind: _NumberType, data: bytes) -> float:
    if kind.code not in ("<f8", "<f4", "<i8", "<i4"):
        raise ValueError(f"a number of type {kind.code}")
    return np.frombuffer(data, kind.code).item()


NUMPY_NUMBERS: StandIns = {
    ("numpy", "dtype"): _NumberType,
    ("numpy.core.multiarray", "scalar"): _number,
}
"""What stands in for the numbers of NumPy."""


class _NameRefusedError(Exception):
    """The pickle named something that has no stand-in."""


class _RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that knows the names of its stand-ins and no others."""

    def __init__(self, data: bytes, stand_ins: StandIns) -> None:
        super().__init__(io.BytesIO(data))
        self.stand_ins = stand_ins

    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return self.stand_ins[module_name, global_name]
        except KeyError:
            raise _NameRefusedError(f"{module_name}.{global_name}") from None


def restricted_unpickle(data: bytes, stand_ins: StandIns, source: str, remedy: str) -> Any:
    """Unpickle data with the stand-ins alone, so that no code of its author's runs.

    `source` says in messages what the data is, `remedy` what to do about it. Raises
    DiffusionNAGError for a pickle that names anything else, or is damaged.
    """
    try:
        return _RestrictedUnpickler(data, stand_ins).load()
    except _NameRefusedError as error:
        raise DiffusionNAGError(
            f"{source} asks for {error}, which it does not need and could do harm; {remedy}"
        ) from None
    except Exception as error:  # a damaged pickle is free to fail in any way
        raise damaged(source, str(error), remedy) from error


def damaged(source: str, reason: str, remedy: str) -> DiffusionNAGError:
    """Return the error of data that cannot be made sense of."""
    return DiffusionNAGError(f"{source} is damaged, or of an unknown version ({reason}); {remedy}")
