"""The live class: emitted source executed as a real Python module.

The module is registered in ``sys.modules`` with a loader that gives its source back, so that
``inspect.getsource``, TorchScript's scripting, ``torch.compile``, tracebacks and ``deepcopy`` work
as for a file on disk. Non-goal: sandboxing; only source that specc emitted, or a file that the user
named on the command line, is executed.
"""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.util
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from specc.errors import CallError, TargetError

if TYPE_CHECKING:
    from torch import nn


class _TextLoader(importlib.abc.ExecutionLoader):
    """Loads one module from a text held in memory."""

    def __init__(self, filename: str, source: str) -> None:
        self._filename = filename
        self._source = source

    def get_filename(self, fullname: str) -> str:
        return self._filename

    def get_source(self, fullname: str) -> str:
        return self._source


def is_live(names: Mapping[str, object]) -> str | None:
    """The text that a live module of these global ``names`` was made of; None of another's."""
    loader = names.get("__loader__")
    return loader.get_source("") if isinstance(loader, _TextLoader) else None


def class_name(module: nn.Module) -> str:
    """What the class of ``module`` is called in its source; a parametrization of the module's own
    parameters puts it into a class of its own."""
    from torch.nn.utils.parametrize import type_before_parametrizations

    return type_before_parametrizations(module).__name__


def live_module(source: str, stem: str) -> ModuleType:
    """The module that ``source`` defines, executed once: the same source gives the same module.

    ``stem`` names it in tracebacks. Raises TargetError (E0903) when the source does not execute.
    """
    digest = hashlib.blake2b(f"{stem}\0{source}".encode(), digest_size=12).hexdigest()
    name = f"_specc_live_{re.sub(r'[^0-9A-Za-z_]', '_', stem)}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    # No file of this name exists; the loader answers for it, as for a module inside a zip.
    loader = _TextLoader(f"specc-live/{digest}/{stem}.py", source)
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None  # a spec is always made where the loader is given
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise TargetError(
            "E0903", f"the source of {stem} does not execute: {type(error).__name__}: {error}"
        ) from error
    return module


def module_class(source: str, class_name: str, stem: str) -> type[nn.Module]:
    """The class called ``class_name`` of the emitted ``source``.

    Raises TargetError (E0903) when the source does not execute or defines no such module class.
    """
    return _class_in(live_module(source, stem), class_name, stem)


def module_from_file(path: Path, class_name: str | None = None) -> type[nn.Module]:
    """The class called ``class_name``, or the last module class, of a file that the user named.

    Executes the file. Raises CallError (E0701) when it cannot be read, TargetError (E0903) when it
    does not execute or has no such class.
    """
    return _class_in(live_module(read_source(path), path.stem), class_name, path.name)


def read_source(path: Path) -> str:
    """The text of a Python file; CallError (E0701) when it cannot be read as UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CallError("E0701", f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise CallError("E0701", f"cannot read {path}: it is not UTF-8 text") from None


def _class_in(module: ModuleType, class_name: str | None, place: str) -> type[nn.Module]:
    from torch import nn

    classes = {
        name: found
        for name, found in vars(module).items()
        if isinstance(found, type)
        and issubclass(found, nn.Module)
        and found.__module__ == module.__name__
    }
    if class_name is None and classes:
        class_name = list(classes)[-1]
    if class_name is None or class_name not in classes:
        wanted = f"no module class called {class_name}" if class_name else "no module class"
        raise TargetError(
            "E0903",
            f"{place} defines {wanted}",
            help=f"it defines {', '.join(classes)}" if classes else None,
        )
    return classes[class_name]
