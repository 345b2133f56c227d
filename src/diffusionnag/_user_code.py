"""The user's own Python code: a module, or a file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from diffusionnag.errors import DiffusionNAGError


def import_user_code(module_name: str, reference: str) -> ModuleType:
    """Return the module of that name, or of that `FILE.py`; `reference` is all that was asked for.

    Raises DiffusionNAGError for an empty name, a missing file, and code that cannot be loaded.
    """
    if not module_name:
        raise DiffusionNAGError(f"no file before {reference!r}; write FILE.py:NAME")
    if not module_name.endswith(".py"):
        try:
            return importlib.import_module(module_name)
        except (Exception, SystemExit) as error:  # whatever the user's own code raises
            raise DiffusionNAGError(f"cannot import {module_name!r}: {error}") from error
    path = Path(module_name)
    if not path.is_file():
        raise DiffusionNAGError(f"no file {module_name}")
    name = f"diffusionnag_user_code_{path.stem}"
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever the user's own code raises
        raise DiffusionNAGError(
            f"{path} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    return module
