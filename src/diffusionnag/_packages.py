"""Packages that only some parts of the library need."""

from __future__ import annotations

import importlib.util

from diffusionnag.errors import DiffusionNAGError


def require_packages(extra: str, *packages: str) -> None:
    """Raise DiffusionNAGError, naming the extra to install, unless all packages are there."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise DiffusionNAGError(f"this needs {package}: pip install 'diffusionnag[{extra}]'")
