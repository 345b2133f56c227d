"""The user's own Python code: a module, or a file.

A file becomes a submodule of this module, and its path is that module's name: so what it defines can
be pickled, and is found again by any process that unpickles it and sees the file.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from diffusionnag.errors import DiffusionNAGError

__path__: list[str] = []
"""Makes this module a package, so that it can have submodules; it has no folder."""

_PREFIX = f"{__name__}.file_"
_stamps: dict[str, tuple[int, int]] = {}
"""By module: the time and size of its file when it was loaded."""


def import_user_code(module_name: str, reference: str) -> ModuleType:
    """Return the module of that name, or of that `FILE.py`; `reference` is all that was asked for.

    Code may import modules beside its file and in the current folder. A file that has changed since
    it was loaded is loaded anew. Raises DiffusionNAGError for an empty name, a missing file, and
    code that cannot be loaded.
    """
    if not module_name:
        raise DiffusionNAGError(f"no file before {reference!r}; write FILE.py:NAME")
    if not module_name.endswith(".py"):
        _append_to_path(Path.cwd())
        try:
            return importlib.import_module(module_name)
        except (Exception, SystemExit) as error:  # whatever the user's own code raises
            raise DiffusionNAGError(f"cannot import {module_name!r}: {error}") from error
    path = Path(module_name)
    if not path.is_file():
        raise DiffusionNAGError(f"no file {module_name}")
    name = _PREFIX + str(path.resolve()).encode().hex()
    status = path.stat()
    stamp = (status.st_mtime_ns, status.st_size)
    if _stamps.get(name) != stamp:
        sys.modules.pop(name, None)
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:  # whatever the user's own code raises
        raise DiffusionNAGError(
            f"{path} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    _stamps[name] = stamp
    return module


def _append_to_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


class _FileLoader(SourceFileLoader):
    """Loads a file that may import modules beside it, as `python FILE.py` lets it."""

    def get_code(self, fullname: str) -> CodeType:
        """Return the code that the file holds now."""
        # Python knows old bytecode by whole seconds and size: too coarse for what is just edited.
        return self.source_to_code(self.get_data(self.path), self.path)

    def exec_module(self, module: ModuleType) -> None:
        folder = Path(self.path).parent
        sys.path.insert(0, str(folder))
        try:
            super().exec_module(module)
        finally:
            # What it imports later, it still finds; but it no longer hides installed modules.
            sys.path.remove(str(folder))
            _append_to_path(folder)


class _FileFinder(MetaPathFinder):
    """Finds the file whose path a module's name holds."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(_PREFIX):
            return None
        file = bytes.fromhex(fullname.removeprefix(_PREFIX)).decode()
        return spec_from_file_location(fullname, file, loader=_FileLoader(fullname, file))


sys.meta_path.append(_FileFinder())
