"""What the terms of a guidance need in common, computed once while they are added."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor

_known: ContextVar[dict[Hashable, Tensor] | None] = ContextVar("known", default=None)


@contextmanager
def evaluated_together() -> Iterator[None]:
    """Within it, `computed_once` remembers: what is returned there is differentiated together.

    Two gradients, one after the other, would each need what the first one has used up.
    """
    if _known.get() is not None:
        yield
        return
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def computed_once(key: Hashable, compute: Callable[[], Tensor]) -> Tensor:
    """Return what `compute` does, or did for another term that is evaluated together with this one."""
    known = _known.get()
    if known is None:
        return compute()
    if key not in known:
        known[key] = compute()
    return known[key]
