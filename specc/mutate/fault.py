"""What a fault is: a name, what it patches, and where it applies.

A fault finds its own sites in a case and says for each what to change: the module before it runs,
what torch does meanwhile, the emitted source, or the case's numbers. It says as well which value a
good report names first. Non-goals: running (``run``), the faults themselves (``faults``).
"""

from __future__ import annotations

import importlib
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from types import MethodType
from typing import Any, ClassVar
from unittest.mock import patch

from torch import Tensor, nn

from specc.errors import CallError
from specc.harness.cases.case import ClosedCase
from specc.harness.cases.matrix import Case
from specc.harness.goldens.golden_reader import Leaf
from specc.harness.running.observed_lines import with_hooks
from specc.harness.running.ongoing_run import untouched
from specc.ir import Program

# Sites of one kind in one case: the first, the last and what is spread between them.
SITES = 3


@dataclass(frozen=True)
class Subject:
    """A case into which faults are put. ``module`` is its emitted module in float32 with the case's
    weights, to look at; ``layers`` are the paths whose outputs the golden holds, in data-flow
    order, and ``leaves`` the golden's observations by name; ``dtype`` is the precision that it is
    run in, ``targets`` what is measured beside eager."""

    program: Program
    case: Case
    closed: ClosedCase
    source: str
    module: nn.Module
    layers: tuple[str, ...]
    leaves: dict[str, Leaf] = field(default_factory=dict)
    dtype: str = "float32"
    targets: tuple[str, ...] = ()

    @property
    def autocast(self) -> bool:
        """Whether products are computed in a precision below the run's."""
        train = self.program.train
        return self.case.mode == "train" and train is not None and bool(train.precision)

    def of_type(self, *types: type[nn.Module]) -> list[tuple[str, Any]]:
        """The observed layers of these types, first the one that runs first."""
        found = [(path, self.module.get_submodule(path)) for path in self.layers]
        return [(path, layer) for path, layer in found if type(layer) in types]


@dataclass(frozen=True)
class Injection:
    """One fault at one site.

    ``right`` are patterns of the names of which one must come first in a report that names the
    fault rightly. ``around`` is open during the whole run, ``inside`` during each step and
    evaluation; ``prepare`` is given the built module; ``source`` and ``closed`` stand in for the
    subject's where they are given. ``native`` says that the fault is in what a case replaces by
    portable numbers: initial weights and torch's own dropout are then checked as well, in
    ``target``.

    ``optimizer`` is the implementation of the optimizers' steps that has the fault, as in
    ``Setting``. ``everywhere`` says that the fault is in what is computed, so that a float64 run
    has it too. Any other is one of the precision's own arithmetic; a ``source`` is one for every
    run.
    """

    where: str
    right: tuple[str, ...]
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    inside: Callable[[], AbstractContextManager[Any]] = nullcontext
    prepare: Callable[[nn.Module], None] = untouched
    source: str | None = None
    closed: ClosedCase | None = None
    layout: str = "contiguous"
    optimizer: str = ""
    native: bool = False
    target: str = "eager"
    everywhere: bool = False

    def names(self, first: str) -> bool:
        """Whether ``first`` is a name that points at the fault; a value of a layer by itself, or of
        a run without hooks, points where the value of the run does."""
        plain = first.replace("/alone_", "/", 1).replace("/alone/", "/layer/", 1)
        plain = with_hooks(plain) or plain
        return any(fnmatchcase(plain, pattern) for pattern in self.right)


class Fault(ABC):
    """A fault of a known kind; the first line of a class's docstring says what goes wrong.

    ``incident`` names where it was met, such as ``pytorch 22628``."""

    name: ClassVar[str]
    incident: ClassVar[str] = ""

    @property
    def summary(self) -> str:
        """What goes wrong, in a line."""
        return (type(self).__doc__ or self.name).strip().splitlines()[0].rstrip(".")

    @abstractmethod
    def injections(self, subject: Subject) -> Iterable[Injection]:
        """Every place of ``subject`` where the fault can be; none where it does not apply."""


def not_put_in(fault: Fault, injection: Injection, why: str) -> CallError:
    """That ``fault`` itself failed, which is no fault caught."""
    return CallError(
        "E0719",
        f"the fault {fault.name!r} cannot be put in at {injection.where}: {why}",
        help="prepare, around and inside change something and raise nothing; source and closed"
        " make a module that can be built",
    )


def guarded(fault: Fault, injection: Injection) -> Injection:
    """``injection`` whose ``prepare``, ``around`` and ``inside`` end in ``not_put_in`` where they
    raise. What a hook raises that they put in is the run's own stop."""

    def failed(error: Exception) -> CallError:
        return not_put_in(fault, injection, f"{type(error).__name__}: {error}")

    def prepare(module: nn.Module) -> None:
        try:
            injection.prepare(module)
        except Exception as error:  # whatever a user's fault raises
            raise failed(error) from error

    @contextmanager
    def entered(enter: Callable[[], AbstractContextManager[Any]]) -> Iterator[None]:
        try:
            manager = enter()
            manager.__enter__()
        except Exception as error:  # as above
            raise failed(error) from error
        raised: tuple[Any, Any, Any] = (None, None, None)
        try:
            yield
        except BaseException:
            raised = sys.exc_info()
            raise
        finally:
            try:
                manager.__exit__(*raised)
            except Exception as error:  # as above
                raise failed(error) from error

    return replace(
        injection,
        prepare=prepare,
        around=lambda: entered(injection.around),
        inside=lambda: entered(injection.inside),
    )


def spread(found: Sequence[Any], most: int = SITES) -> list[Any]:
    """At most ``most`` of ``found``: the first, the last, and what lies evenly between."""
    if len(found) <= most:
        return list(found)
    steps = [round(k * (len(found) - 1) / (most - 1)) for k in range(most)]
    return [found[step] for step in steps]


def layer_names(path: str) -> tuple[str, ...]:
    """Patterns for the output of the layer ``path``, in training and evaluation."""
    return f"*/layer/{path}", f"*/layer/{path}#*", f"*/layer/{path}/[0-9]*"


def is_padded(layer: Any) -> bool:
    """Whether a convolution or a pool adds anything around what it is given."""
    padding = layer.padding if isinstance(layer.padding, tuple) else (layer.padding,)
    return any(isinstance(amount, int) and amount > 0 for amount in padding)


def with_hook(path: str, hook: Callable[..., Any]) -> Callable[[nn.Module], None]:
    """What prepares a module by hanging ``hook(layer, arguments, output)`` on the layer ``path``;
    what it returns is the layer's output."""

    def prepare(module: nn.Module) -> None:
        module.get_submodule(path).register_forward_hook(hook)

    return prepare


def with_forward(path: str, forward: Callable[..., Any]) -> Callable[[nn.Module], None]:
    """What prepares a module by giving the layer ``path`` another ``forward(self, ...)``: a method,
    so that a copy of the layer has it for itself."""

    def prepare(module: nn.Module) -> None:
        layer: Any = module.get_submodule(path)
        layer.forward = MethodType(forward, layer)

    return prepare


def in_place_of(
    owner: Any, name: str, stand_in: Callable[..., Any]
) -> Callable[[], AbstractContextManager[Any]]:
    """What has ``stand_in`` for ``owner.name`` while it is open."""
    return lambda: patch.object(owner, name, stand_in)


def from_module(name: str) -> tuple[Fault, ...]:
    """The ``FAULTS`` of an importable module: a user's own, which may lie in the current folder. It
    is imported, so it is named on the command line alone. Raises CallError (E0719)."""
    here = os.getcwd()
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:  # whatever a user's module does while it is imported
        missing = isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]
        raise CallError(
            "E0719",
            f"the faults of {name!r} cannot be imported: {type(error).__name__}: {error}",
            help="name a module, without .py, that can be imported from here"
            if missing
            else f"mend {name}: it is found, and fails while it is imported",
        ) from error
    finally:
        if added:
            sys.path.remove(here)
    found = getattr(module, "FAULTS", None)
    if not isinstance(found, (tuple, list)) or not all(isinstance(f, Fault) for f in found):
        raise CallError(
            "E0719",
            f"{name!r} has no FAULTS, a tuple of specc.mutate.fault.Fault",
            help="write FAULTS = (MyFault(),) in it",
        )
    for fault in found:
        if not isinstance(getattr(fault, "name", None), str) or not fault.name:
            raise CallError(
                "E0719",
                f"{type(fault).__name__} of {name!r} has no name",
                help='write name = "my-fault" in the class',
            )
    return tuple(found)


def scaled(tensor: Tensor, factor: float) -> Tensor:
    """``tensor`` times ``factor``, computed in float64: the fault, and no rounding beside it."""
    return (tensor.double() * factor).to(tensor.dtype)
