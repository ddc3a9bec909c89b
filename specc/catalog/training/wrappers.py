"""What a layer's tensors are wrapped in, ``Conv2d(64, 3) with spectral_norm``, as torch has it.

Each row is one of torch's parametrizations. It acts on the tensor that its ``name`` says, which
then is computed from ``parametrizations.weight.original``: after the layer's own tensors and those
of its parts. Where no distribution says torch's initial values, others stand for them.
Non-goal: wrapping a tensor twice.
"""

from __future__ import annotations

from math import sqrt

from specc.catalog.rows import Draws, RuleError, Shapes, Wrapped, WrapperRow
from specc.ir import Distribution, Static
from specc.sizes import Size

Shape = tuple[Size, ...]
_NAME = "name: str = 'weight'"

# An orthogonal matrix is kept as a small skew-symmetric one, or as reflections whose diagonal
# torch reads as whole numbers: -1 for all that lies between -2 and -1.
_SMALL = Distribution("constant", 0.0)
_REFLECTIONS = Distribution("uniform", -1.5, -1.0)


# ── what is wrapped ──────────────────────────────────────────────────────────────────────────────


def _chosen(call: Wrapped) -> tuple[str, Shape, Distribution]:
    """The wrapped tensor's name, shape and initial values; E0307 where the layer has it not."""
    name = call.args["name"]
    found = dict(call.parameters)
    if not isinstance(name, str) or name not in found or "." in name:
        own = [known for known in found if "." not in known]
        again = f"parametrizations.{name}." in "".join(found)
        raise RuleError(
            "E0307",
            f"the `{name}` of {call.layer} is wrapped already"
            if again
            else f"{call.layer} has no parameter `{name}` of its own to wrap",
            help=f"its parameters are {', '.join(own)}" if own else f"{call.layer} has none",
            argument="name",
        )
    return name, found[name], dict(call.initial)[name]


def _replaced(call: Wrapped, name: str, shapes: Shapes, initial: Draws) -> tuple[Shapes, Draws]:
    """The parameters without ``name``, and what it is computed from after the others."""
    kept = tuple(pair for pair in call.parameters if pair[0] != name)
    drawn = tuple(pair for pair in call.initial if pair[0] != name)
    path = f"parametrizations.{name}."
    return (
        (*kept, *((path + tail, shape) for tail, shape in shapes)),
        (*drawn, *((path + tail, values) for tail, values in initial)),
    )


def _place(dim: Static, rank: int, row: str, *, low: int) -> int:
    """``dim`` counted from 0; E0304 where the tensor has no such dimension."""
    if not isinstance(dim, int) or isinstance(dim, bool) or not low <= dim < rank:
        raise RuleError(
            "E0304",
            f"dim={dim} of {row} is out of range for a parameter of rank {rank}",
            help=f"write a dimension from {low} to {rank - 1}",
            argument="dim",
        )
    return dim % rank


# ── the rules ────────────────────────────────────────────────────────────────────────────────────


def _spectral(call: Wrapped) -> tuple[Shapes, Shapes, Draws]:
    """``original``, and the singular vectors ``_u`` and ``_v`` of a weight of two dimensions or
    more; E0304, E0307."""
    name, shape, values = _chosen(call)
    steps, dim = call.args["n_power_iterations"], call.args["dim"]
    if not isinstance(steps, int) or steps < 1:
        raise RuleError(
            "E0307",
            f"n_power_iterations of spectral_norm must be at least 1, and is {steps}",
            argument="n_power_iterations",
        )
    if dim is None:  # torch takes the outputs: of a transposed convolution they are dimension 1
        dim = 1 if call.layer.startswith("ConvTranspose") else 0
    place = _place(dim, len(shape), "spectral_norm", low=-len(shape))
    parameters, initial = _replaced(call, name, (("original", shape),), (("original", values),))
    if len(shape) == 1:
        return parameters, call.buffers, initial
    rest: Size = 1
    for other, size in enumerate(shape):
        rest = rest if other == place else rest * size
    path = f"parametrizations.{name}.0."
    vectors = ((f"{path}_u", (shape[place],)), (f"{path}_v", (rest,)))
    return parameters, (*call.buffers, *vectors), initial


def _weight_norm(call: Wrapped) -> tuple[Shapes, Shapes, Draws]:
    """``original0``, the norms along ``dim`` (or the one norm, for none), and ``original1``, the
    direction; E0304, E0307."""
    name, shape, values = _chosen(call)
    dim = call.args["dim"]
    norms: Shape = ()
    count = 1
    place = None if dim is None else _place(dim, len(shape), "weight_norm", low=0)
    if place is not None:
        norms = tuple(size if here == place else 1 for here, size in enumerate(shape))
    for here, size in enumerate(shape):
        count *= 1 if here == place else call.number(size)
    parameters, initial = _replaced(
        call,
        name,
        (("original0", norms), ("original1", shape)),
        (("original0", _norm_of(values, count)), ("original1", values)),
    )
    return parameters, call.buffers, initial


def _norm_of(values: Distribution, count: int) -> Distribution:
    """The 2-norm of ``count`` numbers: near the root of their mean square sum, to first order."""
    low, high = values.low, values.high
    if values.kind == "constant":
        return Distribution("constant", abs(low) * sqrt(count))
    if values.kind == "normal":
        square = low**2 + high**2
        spread = 2 * high**4 + 4 * (low * high) ** 2
    else:
        square = (high**2 + high * low + low**2) / 3
        spread = (high**4 + high**3 * low + (high * low) ** 2 + high * low**3 + low**4) / 5
        spread -= square**2
    if square == 0.0:
        return Distribution("constant", 0.0)
    return Distribution("normal", sqrt(count * square), sqrt(spread / (4 * square)))


def _orthogonal(call: Wrapped) -> tuple[Shapes, Shapes, Draws]:
    """``original``, and with ``use_trivialization`` the square matrix ``base``; E0301, E0307."""
    name, shape, values = _chosen(call)
    if len(shape) < 2:
        raise RuleError(
            "E0301",
            f"orthogonal takes a matrix, and `{name}` of {call.layer} has rank {len(shape)}",
            argument="name",
        )
    rows, columns = (call.number(size) for size in shape[-2:])
    mapping = call.args["orthogonal_map"]
    if mapping is None:
        mapping = "matrix_exp" if rows == columns else "householder"
    if mapping == "householder":
        values = _REFLECTIONS
    elif call.args["use_trivialization"]:
        values = _SMALL
    parameters, initial = _replaced(call, name, (("original", shape),), (("original", values),))
    if not call.args["use_trivialization"]:
        return parameters, call.buffers, initial
    side = shape[-2] if rows >= columns else shape[-1]
    base = (f"parametrizations.{name}.0.base", (*shape[:-2], side, side))
    return parameters, (*call.buffers, base), initial


# ── the rows ─────────────────────────────────────────────────────────────────────────────────────

_PATH = "nn.utils.parametrizations"

ROWS = (
    WrapperRow(
        "spectral_norm",
        f"{_PATH}.spectral_norm",
        f"{_NAME}, n_power_iterations: int = 1, eps: float = 1e-12, dim: int | none = None",
        "the weight over its largest singular value",
        tensors=_spectral,
        buffers={"_u": "unit", "_v": "unit"},
        refuses={
            "torchscript": "a trace forgets that the power iteration of training has no gradient"
        },
    ),
    WrapperRow(
        "weight_norm",
        f"{_PATH}.weight_norm",
        f"{_NAME}, dim: int | none = 0",
        "the weight as a norm, one for each output, times a direction",
        tensors=_weight_norm,
    ),
    WrapperRow(
        "orthogonal",
        f"{_PATH}.orthogonal",
        f"{_NAME}, orthogonal_map: str | none = None, *, use_trivialization: bool = True",
        "the weight kept orthogonal",
        choices={"orthogonal_map": ("matrix_exp", "cayley", "householder")},
        tensors=_orthogonal,
        buffers={"base": "identity"},
    ),
)
