"""The modules that emitted source imports, imported before it runs.

Project modules are found from the project's root, which is on Python's path only while they are
imported; the emitted source then finds them loaded. Non-goal: running the source (``targets``)."""

from __future__ import annotations

import importlib
import os
import sys
from functools import reduce
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from specc import ir
from specc.catalog.used import rows_of
from specc.errors import TargetError
from specc.extensions.project import project_at
from specc.extensions.sources import on_path


def import_modules(program: ir.Program) -> None:
    """Imports what the emitted source of ``program`` imports besides torch. Runs that code.

    Raises TargetError (E0725) where a module cannot be imported, has not what its row names, or is
    already there from somewhere else."""
    wanted = {row.torch: row.module for row in rows_of(program) if row.module}
    if not wanted:
        return
    root = project_at(Path(program.file).resolve().parent).root
    with on_path(root):
        for path, module in sorted(wanted.items()):
            _check_place(module)
            try:
                found = importlib.import_module(module)
            except (Exception, SystemExit) as fault:
                raise TargetError(
                    "E0725", f"cannot import {module}, for {path}: {type(fault).__name__}: {fault}"
                ) from None
            rest = path.removeprefix(f"{module}.").split(".")
            try:
                reduce(getattr, rest, found)
            except AttributeError:
                raise TargetError(
                    "E0725", f"the module {module} has no `{'.'.join(rest)}`, which a row names"
                ) from None


def _check_place(module: str) -> None:
    """E0725 where ``module``, or a package that it is in, was imported from elsewhere than this
    project would: another project of this process has one of the same name."""
    path: list[str] | None = None
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        name = ".".join(parts[:count])
        found = PathFinder.find_spec(name, path)
        if found is None:
            return  # another finder's, such as that of an editable install
        loaded = sys.modules.get(name)
        if loaded is not None and _origin(loaded.__spec__) not in (None, _origin(found)):
            raise TargetError(
                "E0725",
                f"the module {name} is already imported from {_shown(loaded)}: this project's is"
                f" {_origin(found)}",
                help="run the two projects in processes of their own",
            )
        path = list(found.submodule_search_locations or ())


def _origin(spec: ModuleSpec | None) -> str | None:
    """The file of a module; None for what has none, such as a folder of modules."""
    if spec is None or spec.origin is None or not spec.has_location:
        return None
    return os.path.realpath(spec.origin)


def _shown(module: ModuleType) -> str:
    return str(_origin(module.__spec__) or module.__name__)
