"""Packages that can be called: `diffusionnag.search(...)` and `diffusionnag.transfer(...)`.

Python binds a package as an attribute of the one above it, so a function `diffusionnag.search`
would vanish as soon as anything imported the package of that name.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


def make_callable(module: str, function: str) -> None:
    """Let a module be called like a function, named as `package.module:function`, loaded then."""

    class CallableModule(ModuleType):
        def __call__(self, *arguments: Any, **options: Any) -> Any:
            home, _, name = function.partition(":")
            return getattr(importlib.import_module(home), name)(*arguments, **options)

    sys.modules[module].__class__ = CallableModule
