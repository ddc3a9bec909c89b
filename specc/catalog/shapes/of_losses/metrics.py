"""Shape rules of metrics: what is compared must have the same shape, classes, dtype.

Most give one float; one for each class, label, row or output where the settings ask for it.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    Shape,
    bracketed,
    dimensions,
    integer,
    known,
    number,
    plain,
    promote,
    require_floating,
)
from specc.catalog.shapes.of_losses.losses import (
    require_classes,
    require_equal_shapes,
    require_labels,
    require_no_more_classes,
)
from specc.ir import TensorType
from specc.sizes import Size

# ── labels ───────────────────────────────────────────────────────────────────────────────────────


def of_classes(call: Call) -> TensorType:
    """Scores ``[N, C, ...]`` against labels ``[N, ...]`` to one float, or one a class."""
    tensor, target = call.tensor("preds"), call.tensor("target")
    require_floating(call, tensor)
    require_labels(call, target)
    if len(tensor.shape) < 2 or len(target.shape) != len(tensor.shape) - 1:
        raise RuleError(
            "E0301",
            f"{call.name} takes scores [N, C, ...] and labels [N, ...]; got {tensor} and {target}",
            argument="target",
        )
    for one, other in zip(target.shape, (tensor.shape[0], *tensor.shape[2:]), strict=True):
        error = RuleError("E0302", f"{call.name}: labels {target} do not fit scores {tensor}")
        call.require_equal(one, other, error)
    classes = tensor.shape[1]
    require_classes(call, target, classes, tensor)
    _require_settings(call, classes)
    return TensorType(tensor.dtype, (classes,) if _apart(call) else ())


def _require_settings(call: Call, classes: Size | None = None) -> None:
    """E0307 for a threshold, a beta, a number of bins or of guesses that means nothing."""
    if "top_k" in call.args and plain(call, "top_k") is not None:
        guesses = integer(call, "top_k")
        most = None if classes is None else known(call, classes)
        if guesses < 1 or (most is not None and guesses > most):
            up = "" if most is None else f" and at most the {most} classes"
            raise RuleError(
                "E0307",
                f"top_k of {call.name} is at least 1{up}, and is {guesses}",
                argument="top_k",
            )
    if "n_bins" in call.args and integer(call, "n_bins") < 1:
        raise RuleError("E0307", f"n_bins of {call.name} is at least 1", argument="n_bins")
    if "beta" in call.args and number(call, "beta") <= 0:
        raise RuleError("E0307", f"beta of {call.name} must be above 0", argument="beta")
    if "threshold" in call.args and not 0 <= number(call, "threshold") <= 1:
        raise RuleError("E0307", f"threshold of {call.name} is from 0 to 1", argument="threshold")


def _apart(call: Call) -> bool:
    return plain(call, "average") == "none"


def of_two(call: Call) -> TensorType:
    """One score for each label, 0 or 1, of any one shape, to one float."""
    tensor = _against_yes_and_no(call)
    return TensorType(tensor.dtype, ())


def _against_yes_and_no(call: Call) -> TensorType:
    tensor, target = call.tensor("preds"), call.tensor("target")
    require_floating(call, tensor)
    require_labels(call, target)
    require_equal_shapes(call, tensor, target)
    require_no_more_classes(call, target, 2, tensor)
    _require_settings(call)
    return tensor


def of_labels(call: Call) -> TensorType:
    """Scores ``[N, L, ...]`` against as many labels, 0 or 1, to one float, or one a label."""
    tensor = _of_ranks(call, _against_yes_and_no(call), 2, None, "[N, L, ...]")
    return TensorType(tensor.dtype, tensor.shape[1:2] if _apart(call) else ())


def _of_ranks(
    call: Call, tensor: TensorType, least: int, most: int | None, takes: str
) -> TensorType:
    rank = len(tensor.shape)
    if rank < least or (most is not None and rank > most):
        raise RuleError("E0301", f"{call.name} takes {takes}; got {tensor}, {dimensions(rank)}")
    return tensor


def hinge(call: Call) -> TensorType:
    """Scores ``[N, C]`` and labels ``[N]`` to one float; one a class of one against all."""
    result = of_classes(call)
    tensor = _of_ranks(call, call.tensor("preds"), 2, 2, "scores [N, C]")
    apart = plain(call, "multiclass_mode") == "one-vs-all"
    return TensorType(result.dtype, tensor.shape[1:] if apart else ())


def matrix_of_classes(call: Call) -> TensorType:
    """``[C, C]`` counts."""
    of_classes(call)
    classes = call.tensor("preds").shape[1]
    return TensorType("int64", (classes, classes))


def matrix_of_two(call: Call) -> TensorType:
    """``[2, 2]`` counts."""
    _against_yes_and_no(call)
    return TensorType("int64", (2, 2))


def matrix_of_labels(call: Call) -> TensorType:
    """``[L, 2, 2]`` counts."""
    of_labels(call)
    return TensorType("int64", (call.tensor("preds").shape[1], 2, 2))


def perplexity(call: Call) -> TensorType:
    """Scores ``[N, T, V]`` against words ``[N, T]`` to one float; E0302, E0309."""
    tensor, target = call.tensor("preds"), call.tensor("target")
    require_floating(call, tensor)
    require_labels(call, target)
    _of_ranks(call, tensor, 3, 3, "scores [N, T, V]")
    require_equal_shapes(call, tensor.with_shape(tensor.shape[:2]), target)
    require_classes(call, target, tensor.shape[2], tensor)
    return TensorType(tensor.dtype, ())


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────


def error(call: Call) -> TensorType:
    """Two of one shape to one float."""
    return TensorType(_pair(call).dtype, ())


def _pair(call: Call) -> TensorType:
    """The two tensors that are compared, as one type."""
    left, right = (call.tensor(name) for name in list(call.tensors)[:2])
    require_floating(call, left)
    if not right.floating:
        raise RuleError(
            "E0306",
            f"{call.name} compares numbers; got {right}",
            help="declare it as float[...]",
            argument=list(call.tensors)[1],
        )
    require_equal_shapes(call, left, right)
    if "p" in call.args and number(call, "p") < 1:
        raise RuleError("E0307", f"p of {call.name} must be at least 1", argument="p")
    return TensorType(promote(left.dtype, right.dtype), left.shape)


def row_of_errors(call: Call) -> TensorType:
    """Two rows ``[N]`` to one float."""
    return TensorType(_of_ranks(call, _pair(call), 1, 1, "two rows [N]").dtype, ())


def rows_of_errors(call: Call) -> TensorType:
    """Two of ``[N, D]`` to one float, or one a row."""
    pair = _of_ranks(call, _pair(call), 2, 2, "rows [N, D]")
    return TensorType(pair.dtype, _reduced(call, pair.shape[:1]))


def _reduced(call: Call, shape: Shape) -> Shape:
    return shape if plain(call, "reduction") == "none" else ()


def signals(call: Call) -> TensorType:
    """Two of ``[..., T]`` to one float."""
    return TensorType(_of_ranks(call, _pair(call), 1, None, "signals [..., T]").dtype, ())


def distributions(call: Call) -> TensorType:
    """``p`` and ``q`` of ``[N, D]``, as ``rows_of_errors``."""
    return rows_of_errors(call)


def matrix_of_errors(call: Call) -> TensorType:
    """Two of ``[N]`` or ``[N, D]`` to one float."""
    return TensorType(_of_ranks(call, _pair(call), 1, 2, "[N] or [N, D]").dtype, ())


def outputs(call: Call) -> TensorType:
    """As ``matrix_of_errors``, or one float for each of the D outputs."""
    pair = _of_ranks(call, _pair(call), 1, 2, "[N] or [N, D]")
    raw = plain(call, "multioutput") == "raw_values"
    return TensorType(pair.dtype, pair.shape[1:] if raw else ())


def tweedie(call: Call) -> TensorType:
    """As ``error``; E0307 for a power between 0 and 1, where there is no such distribution."""
    if 0 < number(call, "power") < 1:
        raise RuleError("E0307", f"power of {call.name} is not between 0 and 1", argument="power")
    return error(call)


# ── images, documents ────────────────────────────────────────────────────────────────────────────


def images(call: Call) -> TensorType:
    """Two of ``[N, C, H, W]`` to one float; E0302 where the window does not fit inside."""
    pair = _of_ranks(call, _pair(call), 4, 4, "images [N, C, H, W]")
    sigma = number(call, "sigma")
    if sigma <= 0:
        raise RuleError("E0307", f"sigma of {call.name} must be above 0", argument="sigma")
    reach = int(3.5 * sigma + 0.5)
    for size in pair.shape[2:]:
        call.require_at_least(
            size,
            reach + 1,
            RuleError(
                "E0302",
                f"{call.name} looks {reach} pixels around each, and {bracketed(pair.shape)} has "
                f"{size} in a row",
                help="take a smaller sigma",
            ),
        )
    return TensorType(pair.dtype, ())


def image(call: Call) -> TensorType:
    """``[N, C, H, W]`` to one float, or one an image."""
    tensor = call.tensor("img")
    require_floating(call, tensor)
    _of_ranks(call, tensor, 4, 4, "images [N, C, H, W]")
    return TensorType(tensor.dtype, _reduced(call, tensor.shape[:1]))


def retrieval(call: Call) -> TensorType:
    """Scores ``[M]``, whether each is relevant, and the queries they are of, to one float."""
    require_no_more_classes(call, call.tensor("target"), 2, call.tensor("preds"))
    return graded(call)


def graded(call: Call) -> TensorType:
    """Scores ``[M]``, how relevant each is, and the queries they are of, to one float."""
    tensor, target, indexes = (call.tensor(name) for name in ("preds", "target", "indexes"))
    require_floating(call, tensor)
    _of_ranks(call, tensor, 1, 1, "a row of scores [M]")
    for given in (target, indexes):
        require_labels(call, given)
        require_equal_shapes(call, tensor, given)
    _require_settings(call)
    return TensorType(tensor.dtype, ())
