"""Which functions have no derivative, and by which of their arguments.

What torch raises at in ``backward`` (or already when the function is called with a value that
gradients are asked of), by torch's name: a loss and the function of it are one. Found by asking
torch (``tests/test_catalog_derivatives.py``). Non-goals: derivatives that are 0 everywhere, as that
of ``floor``, and results that carry no gradient at all (comparisons, indices).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from specc.catalog.shapes.common import promote
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
    return ("other",) if settings.get("p") == 0 else _mixed(settings, types)


def _mixed(settings: Settings, types: Types) -> tuple[str, ...]:
    """A real argument beside a complex one: torch hands it a complex gradient."""
    if not any(each.is_complex for each in types.values()):
        return ()
    return tuple(name for name, each in types.items() if not each.is_complex)


def _beside_a_bool(settings: Settings, types: Types) -> tuple[str, ...]:
    # The derivative subtracts the two, and torch subtracts no bools.
    if all(each.dtype != "bool" for each in types.values()):
        return ()
    return tuple(name for name, each in types.items() if each.differentiable)


def _after_a_bool(settings: Settings, types: Types) -> tuple[str, ...]:
    given = types.get("input")
    return ("other",) if given is not None and given.dtype == "bool" else ()


def _incomplete(settings: Settings, types: Types) -> tuple[str, ...]:
    return ("input", *_after_a_bool(settings, types))


def _power(settings: Settings, types: Types) -> tuple[str, ...]:
    exponent = types.get("exponent")
    return ("input",) if exponent is not None and exponent.dtype == "bool" else ()


def _together(settings: Settings, types: Types) -> tuple[str, ...]:
    return (*_mixed(settings, types), *_beside_a_bool(settings, types))


def _of_reals(settings: Settings, types: Types) -> tuple[str, ...]:
    return tuple(name for name, each in types.items() if each.is_complex)


def _filled(settings: Settings, types: Types) -> tuple[str, ...]:
    value = types.get("value")
    real = value is not None and not value.is_complex
    return ("value",) if real and types["input"].is_complex else ()


def _quotient(settings: Settings, types: Types) -> tuple[str, ...]:
    # The quotient that the derivative multiplies with is made in the dtype of the divisor.
    return () if types["tensor2"].differentiable else ("tensor1",)


def _scattered(settings: Settings, types: Types) -> tuple[str, ...]:
    # The gradient has the index's shape; what is put in may be larger.
    source = types.get("src")
    return ("src",) if source is not None and source.shape != types["index"].shape else ()


def _outer(settings: Settings, types: Types) -> tuple[str, ...]:
    # The gradient, of the result's dtype, is multiplied with the other vector, unpromoted.
    given, one, other = types["input"], types["vec1"], types["vec2"]
    joint = promote(one.dtype, other.dtype)
    if given.shape or (given.is_complex and not joint.startswith("complex")):
        joint = promote(joint, given.dtype)
    whole = joint.startswith("complex")
    return tuple(
        name
        for name, each, beside in (
            ("input", given, None), ("vec1", one, other), ("vec2", other, one),
        )
        if (whole and not each.is_complex) or (beside is not None and beside.dtype != joint)
    )  # fmt: skip


def _class_weight(settings: Settings, types: Types) -> tuple[str, ...]:
    # Beside probabilities for labels it is a factor, beside labels an index into it.
    target = types.get("target")
    return () if target is not None and target.floating else ("weight",)


_WITHOUT: Final[Mapping[str, Without]] = {
    "torch.floor_divide": _by("input", "other"),
    "torch.remainder": _remainder,
    "torch.heaviside": _by("input", "values"),
    "torch.special.zeta": _incomplete,
    "torch.special.gammainc": _incomplete,
    "torch.special.gammaincc": _incomplete,
    "torch.atan2": _after_a_bool,
    "torch.logaddexp": _together,
    "torch.logaddexp2": _beside_a_bool,
    "torch.ldexp": _mixed,
    "torch.index_fill": _filled,
    "torch.masked_fill": _filled,
    "torch.pow": _power,
    "torch.addcdiv": _quotient,
    "torch.addr": _outer,
    "torch.nan_to_num": _of_reals,
    "torch.scatter_reduce": lambda settings, types: (
        *_of_reals(settings, types),
        *_scattered(settings, types),
    ),
    "torch.select_scatter": _of_reals,
    "torch.scatter": _scattered,
    "torch.scatter_add": _scattered,
    "torch.slice_scatter": _of_reals,
    "F.silu": _of_reals,
    "torch.dist": _distance,
    "torch.linalg.cond": _condition,
    "torch.linalg.qr": _orthogonal,
    "torch.linspace": _by("start", "end"),
    "torch.logspace": _by("start", "end"),
    "F.soft_margin_loss": _by("target"),
    "F.binary_cross_entropy": _by("weight"),
    "F.binary_cross_entropy_with_logits": _by("weight"),
    "F.cross_entropy": _class_weight,
    "F.nll_loss": _by("weight"),
    "F.multi_margin_loss": _by("weight"),
    "F.batch_norm": _by("running_mean", "running_var"),
    "F.instance_norm": _by("running_mean", "running_var"),
}

# What an operator is to torch, and how its operands are called there.
OPERATORS: Final[Mapping[str, tuple[str, tuple[str, str]]]] = {
    "//": ("torch.floor_divide", ("input", "other")),
    "%": ("torch.remainder", ("input", "other")),
    "**": ("torch.pow", ("input", "exponent")),
}


def without_derivative(torch: str, settings: Settings, types: Types) -> tuple[str, ...]:
    """The arguments by which torch has no derivative of the function that it calls ``torch``."""
    rule = _WITHOUT.get(torch)
    return () if rule is None else rule(settings, types)


# What is linear in each of its tensors (or in pieces constant in its slope): the derivative by one
# does not depend on that one. So is all that moves or joins elements. Found by asking torch.
_SUMS: Final = frozenset(
    "rad2deg deg2rad neg positive sign sgn floor ceil trunc frac round nan_to_num clone clamp"
    " masked_fill where add sub maximum minimum fmax fmin nextafter clamp_min clamp_max sum nansum"
    " mean nanmean amax amin aminmax max min median nanmedian quantile nanquantile sort msort topk"
    " kthvalue cumsum cummax cummin diff tril triu diagonal diag diagflat diag_embed gather"
    " take_along_dim take scatter scatter_add index_select index_add index_copy index_fill trace"
    " rfft rfft2 rfftn ihfft2 ihfftn fftshift ifftshift pad pixel_shuffle pixel_unshuffle"
    " channel_shuffle unfold fold dropout dropout1d dropout2d dropout3d alpha_dropout"
    " feature_alpha_dropout Linear Dropout Dropout1d Dropout2d Dropout3d AlphaDropout"
    " FeatureAlphaDropout Identity Flatten Unflatten ZeroPad1d ZeroPad2d ZeroPad3d ConstantPad1d"
    " ConstantPad2d ConstantPad3d CircularPad1d CircularPad2d CircularPad3d PixelShuffle"
    " PixelUnshuffle ChannelShuffle Unfold Fold".split()
)
# Likewise; it depends on the others.
_PRODUCTS: Final = frozenset(
    "mul lerp matmul mm mv bmm addmm addmv baddbmm addbmm addr dot vdot vecdot inner outer kron"
    " tensordot multi_dot cross einsum linear bilinear addcmul Bilinear".split()
)
_LINEAR_FAMILIES: Final = frozenset(["arrangement", "joining"])


def curvature(name: str, family: str) -> Literal["none", "others", "all"]:
    """What the derivative of a function or layer by one of its tensors depends on, of these:
    nothing, the other tensors, or that one as well (which is said of what is not known)."""
    if name in _SUMS or family in _LINEAR_FAMILIES:
        return "none"
    return "others" if name in _PRODUCTS else "all"


# Of several results each is computed from the tensor in its own place.
_EACH_ITS_OWN: Final = frozenset(["meshgrid", "broadcast_tensors"])
# The result (any, where it is None) and the argument, or the place of what is fed, that a gradient
# does not go between: signs, permutations, labels that are compared. Found by asking torch.
_BETWEEN: Final[Mapping[str, tuple[int | None, str | int]]] = {
    "slogdet": (0, "A"),
    "lu": (0, "A"),
    "hinge_embedding_loss": (None, "target"),
    "cosine_embedding_loss": (None, "target"),
    "MultiheadAttention": (1, 2),
}


def followed(name: str, result: int, given: Sequence[tuple[str | int, TensorType]]) -> list[int]:
    """The places among the tensors ``given`` to a function or layer, each with the argument or the
    place that it is fed at, that a gradient of the result at the place ``result`` goes back to."""
    places: Iterable[int] = range(len(given))
    if name in _EACH_ITS_OWN:
        return [place for place in places if place == result]
    of, argument = _BETWEEN.get(name, (None, ""))
    if name == "slogdet" and any(each.is_complex for _, each in given):
        return list(places)
    return [place for place in places if of not in (None, result) or given[place][0] != argument]


__all__ = ["OPERATORS", "curvature", "followed", "without_derivative"]
