"""Which functions have no derivative, and by which of their arguments.

What torch raises at in ``backward`` (or already when the function is called with a value that
gradients are asked of), by torch's name: a loss and the function of it are one. Found by asking
torch (``tests/test_catalog_derivatives.py``). Non-goals: derivatives that are 0 everywhere, as that
of ``floor``, and results that carry no gradient at all (comparisons, indices).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from specc.ir import TensorType

# The settings, defaults filled in and params put in, and the types of the tensors that are given.
Settings: TypeAlias = Mapping[str, object]
Types: TypeAlias = Mapping[str, TensorType]
Without: TypeAlias = Callable[[Settings, Types], tuple[str, ...]]


def _by(*arguments: str) -> Without:
    return lambda settings, types: arguments


def _remainder(settings: Settings, types: Types) -> tuple[str, ...]:
    return () if "input" in types else ("other",)


def _condition(settings: Settings, types: Types) -> tuple[str, ...]:
    # The others go through an inverse that torch changes in its place.
    return () if settings.get("p") in (None, 2, -2, "nuc") else ("input",)


def _orthogonal(settings: Settings, types: Types) -> tuple[str, ...]:
    *_, rows, columns = types["A"].shape
    fits = isinstance(rows, int) and isinstance(columns, int) and rows <= columns
    return ("A",) if settings.get("mode") == "complete" and not fits else ()


def _distance(settings: Settings, types: Types) -> tuple[str, ...]:
    mixed = _mixed(settings, types)
    return ("other", *mixed) if settings.get("p") == 0 else mixed


def _mixed(settings: Settings, types: Types) -> tuple[str, ...]:
    """A real argument beside a complex one: torch hands it a complex gradient."""
    if not any(each.is_complex for each in types.values()):
        return ()
    return tuple(name for name, each in types.items() if not each.is_complex)


_WITHOUT: Final[Mapping[str, Without]] = {
    "torch.floor_divide": _by("input", "other"),
    "torch.remainder": _remainder,
    "torch.heaviside": _by("input", "values"),
    "torch.special.zeta": _by("input"),
    "torch.special.gammainc": _by("input"),
    "torch.special.gammaincc": _by("input"),
    "torch.logaddexp": _mixed,
    "torch.dist": _distance,
    "torch.linalg.cond": _condition,
    "torch.linalg.qr": _orthogonal,
    "torch.linspace": _by("start", "end"),
    "torch.logspace": _by("start", "end"),
    "F.soft_margin_loss": _by("target"),
    "F.binary_cross_entropy": _by("weight"),
    "F.binary_cross_entropy_with_logits": _by("weight"),
    "F.cross_entropy": _by("weight"),
    "F.nll_loss": _by("weight"),
    "F.multi_margin_loss": _by("weight"),
    "F.batch_norm": _by("running_mean", "running_var"),
    "F.instance_norm": _by("running_mean", "running_var"),
}

# What an operator is to torch, and how its operands are called there.
OPERATORS: Final[Mapping[str, tuple[str, tuple[str, str]]]] = {
    "//": ("torch.floor_divide", ("input", "other")),
    "%": ("torch.remainder", ("input", "other")),
}


def without_derivative(torch: str, settings: Settings, types: Types) -> tuple[str, ...]:
    """The arguments by which torch has no derivative of the function that it calls ``torch``."""
    rule = _WITHOUT.get(torch)
    return () if rule is None else rule(settings, types)


__all__ = ["OPERATORS", "without_derivative"]
