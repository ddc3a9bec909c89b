"""Shape rules of losses: what is compared must have the same shape, classes, dtype.

torch broadcasts where shapes differ and only warns; here a difference is E0310, for [N, 1] against
[N] compares every output with every target.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    Shape,
    bracketed,
    broadcast,
    dimensions,
    number,
    plain,
    promote,
    require_floating,
    require_kind,
    require_same_dtype,
)
from specc.ir import TensorType
from specc.sizes import Size


def reduced(call: Call, tensor: TensorType, shape: Shape) -> TensorType:
    """A scalar, or ``shape`` with ``reduction="none"``."""
    dtype = tensor.dtype
    return TensorType(dtype, shape if plain(call, "reduction") == "none" else ())


def require_equal_shapes(call: Call, left: TensorType, right: TensorType) -> None:
    """E0310 unless two tensors have one shape; the message says what torch would stretch."""
    one, other = left.shape, right.shape
    help = None
    if len(one) == len(other) + 1 and one[-1] == 1:
        help = (
            f"write squeeze({{}}, dim=-1) on the first, or declare the second as {bracketed(one)}"
        )
    elif len(other) == len(one) + 1 and other[-1] == 1:
        help = f"write squeeze({{}}, dim=-1) on the second, or declare it as {bracketed(one)}"
    if help is not None:
        help = help.replace("{}", "x")
    message = f"{call.name} compares values of one shape; got {left} and {right}"
    if len(one) != len(other):
        wide = _stretched(one, other)
        raise RuleError(
            "E0310",
            message + (f": torch would stretch both to {bracketed(wide)}" if wide else ""),
            help=help,
        )
    for place, (size, wanted) in enumerate(zip(one, other, strict=True)):
        call.require_equal(
            size,
            wanted,
            RuleError("E0310", f"{message}: dimension {place} is {size} and {wanted}", help=help),
        )


def _stretched(one: Shape, other: Shape) -> Shape | None:
    """What torch would make of the two shapes, or none where it refuses as well."""

    def equal(left: Size, right: Size, error: RuleError) -> None:
        if left != right:
            raise error

    try:
        return broadcast(equal, one, other)
    except RuleError:
        return None


def _require_float_target(call: Call, target: TensorType, name: str = "target") -> None:
    if not target.floating:
        raise RuleError(
            "E0306",
            f"{call.name} takes a float {name}; got {target}",
            help="CrossEntropyLoss takes class labels"
            if target.meaning == "index"
            else f"declare the {name} as float[...]",
            argument=name,
        )


def equal_shapes(call: Call) -> TensorType:
    """``(input, target)`` of one shape: MSELoss, L1Loss, SmoothL1Loss, HuberLoss, KLDivLoss."""
    tensor, target = call.tensor("input"), call.tensor("target")
    require_floating(call, tensor)
    _require_float_target(call, target)
    require_equal_shapes(call, tensor, target)
    _require_positive(call, "beta", strict=False)
    _require_positive(call, "delta", strict=True)
    if "delta" in call.args:
        # torch's derivative of it does not promote.
        require_same_dtype(call, tensor, target)
    joint = TensorType(promote(tensor.dtype, target.dtype), tensor.shape)
    return reduced(call, joint, tensor.shape)


def _require_positive(call: Call, name: str, *, strict: bool) -> None:
    if name not in call.args:
        return
    value = number(call, name)
    if value < 0 or (strict and value == 0):
        raise RuleError(
            "E0307",
            f"{name} of {call.name} must be {'positive' if strict else 'at least 0'}, "
            f"and is {value:g}",
            argument=name,
        )


def binary(call: Call) -> TensorType:
    """BCELoss, BCEWithLogitsLoss: float probabilities for a target, weights that stretch."""
    result = equal_shapes(call)
    shape = call.tensor("input").shape
    if call.name in ("BCELoss", "binary_cross_entropy"):
        require_same_dtype(call, call.tensor("input"), call.tensor("target"))
    for name in ("weight", "pos_weight"):
        if call.has(name):
            require_kind(call, call.tensor(name), "bif", name)
            broadcast(call.require_equal, shape, call.tensor(name).shape, call.value)
    return result


# ── classes ──────────────────────────────────────────────────────────────────────────────────────


def _class_place(call: Call, tensor: TensorType) -> int:
    if not tensor.shape:
        raise RuleError("E0301", f"{call.name} takes [N, C] or [N, C, ...]; got {tensor}")
    return 0 if len(tensor.shape) == 1 else 1


def class_indices(call: Call) -> TensorType:
    """``[N, C, ...]`` scores and ``[N, ...]`` labels: NLLLoss and CrossEntropyLoss.

    E0306 unless labels are int64, E0309 where ``index(k)`` is not the class dimension's size.
    """
    tensor, target = call.tensor("input"), call.tensor("target")
    require_floating(call, tensor)
    place = _class_place(call, tensor)
    require_labels(call, target)
    classes = tensor.shape[place]
    expected = (*tensor.shape[:place], *tensor.shape[place + 1 :])
    if len(target.shape) != len(expected):
        raise RuleError(
            "E0301",
            f"{call.name} takes scores [N, C, ...] and labels [N, ...]: for {tensor} the labels "
            f"have {dimensions(len(expected))}; got {target}",
            help=_label_help(tensor, target, expected),
            argument="target",
        )
    for size, wanted in zip(target.shape, expected, strict=True):
        call.require_equal(
            size,
            wanted,
            RuleError(
                "E0302",
                f"{call.name}: labels {target} do not fit scores {tensor}, {size} and {wanted}: "
                f"the classes are dimension {place}",
                help="for scores [N, T, C] write flatten(x, 0, 1), or transpose the classes to "
                "dimension 1",
                argument="target",
            ),
        )
    require_classes(call, target, classes, tensor)
    _require_class_weight(call, classes)
    return reduced(call, tensor, expected)


def _label_help(tensor: TensorType, target: TensorType, expected: Shape) -> str | None:
    if len(target.shape) == len(expected) + 1 and target.shape[-1] == 1:
        return f"declare the labels as index(k){bracketed(expected)}, without the last 1"
    if len(tensor.shape) == len(target.shape):
        return "labels are class numbers, not one-hot rows: rows of probabilities are float"
    return None


def require_labels(call: Call, target: TensorType) -> None:
    """E0306 unless the labels are int64."""
    if target.dtype != "int64":
        raise RuleError(
            "E0306",
            f"{call.name} takes int64 labels; got {target}",
            help="declare the target as index(k)[N]",
            argument="target",
        )


def require_classes(call: Call, target: TensorType, classes: Size, tensor: TensorType) -> None:
    """E0309 unless labels ``index(k)`` have as many classes as there are scores; where k was
    computed, no more."""
    if target.classes is None:
        return
    if target.at_most:
        require_no_more_classes(call, target, classes, tensor)
        return
    call.require_equal(
        target.classes,
        classes,
        RuleError(
            "E0309",
            f"{call.name}: the labels have {target.classes} classes, and {tensor} scores {classes}",
            help=f"give the last layer {target.classes} outputs, or declare the labels as "
            f"index({classes})",
            argument="target",
        ),
    )


def _require_class_weight(call: Call, classes: Size) -> None:
    if not call.has("weight"):
        return
    weight = call.tensor("weight")
    if not call.tensor("target").floating:
        require_same_dtype(call, call.tensor("input"), weight)
    error = RuleError(
        "E0302",
        f"weight of {call.name} has one number a class, [{classes}]; got {weight}",
        argument="weight",
    )
    if len(weight.shape) != 1:
        raise error
    call.require_equal(weight.shape[0], classes, error)


def of_probabilities(call: Call, target: TensorType) -> RuleError:
    """The E0307 of an ``ignore_index`` beside class probabilities."""
    return RuleError(
        "E0307",
        f"ignore_index of {call.name} is of labels, and {target} are the probabilities of classes",
        help="leave it out; or declare the target as index(k)[N]",
        argument="ignore_index",
    )


def cross_entropy(call: Call) -> TensorType:
    """Labels ``[N, ...]`` of int64, or class probabilities of the scores' own shape."""
    smoothing = number(call, "label_smoothing")
    if not 0.0 <= smoothing <= 1.0:
        raise RuleError(
            "E0307",
            f"label_smoothing is from 0 to 1, and is {smoothing:g}",
            argument="label_smoothing",
        )
    tensor, target = call.tensor("input"), call.tensor("target")
    if not target.floating:
        return class_indices(call)
    if plain(call, "ignore_index") not in (None, -100):
        raise RuleError(
            "E0307",
            f"ignore_index of {call.name} leaves out a label, and {target} are probabilities",
            help="leave ignore_index out, or give labels: index(k)",
            argument="ignore_index",
        )
    require_floating(call, tensor)
    ignored = plain(call, "ignore_index")
    if isinstance(ignored, int) and ignored >= 0:
        raise of_probabilities(call, target)
    place = _class_place(call, tensor)
    require_equal_shapes(call, tensor, target)
    _require_class_weight(call, tensor.shape[place])
    joint = TensorType(promote(tensor.dtype, target.dtype), tensor.shape)
    return reduced(call, joint, (*tensor.shape[:place], *tensor.shape[place + 1 :]))


def multi_margin(call: Call) -> TensorType:
    """MultiMarginLoss: ``[N, C]`` scores and ``[N]`` labels; E0301, E0307 for a p but 1 and 2."""
    tensor = call.tensor("input")
    if len(tensor.shape) not in (1, 2):
        raise RuleError("E0301", f"{call.name} takes [N, C] or [C]; got {tensor}")
    power = plain(call, "p")
    if power not in (1, 2):
        raise RuleError("E0307", f"p of {call.name} is 1 or 2, and is {power}", argument="p")
    return class_indices(call)


def multi_label(call: Call) -> TensorType:
    """MultiLabelSoftMarginLoss: ``[..., C]`` scores and targets, a number for each ``[...]``."""
    result = equal_shapes(call)
    shape = call.tensor("input").shape
    if not shape:
        raise RuleError("E0301", f"{call.name} takes [N, C]; got {call.tensor('input')}")
    if call.has("weight") and len(call.tensor("weight").shape) != 1:
        wide = broadcast(call.require_equal, shape, call.tensor("weight").shape, call.value)
        if len(wide) == len(shape):
            return reduced(call, result, shape[:-1])
    _require_class_weight(call, shape[-1])
    return reduced(call, result, shape[:-1])


def multi_label_margin(call: Call) -> TensorType:
    """MultiLabelMarginLoss: ``[N, C]`` scores, and as many int64 labels, of which those before the
    first -1 count; a number for each example."""
    tensor, target = call.tensor("input"), call.tensor("target")
    require_floating(call, tensor)
    if len(tensor.shape) not in (1, 2):
        raise RuleError("E0301", f"{call.name} takes [N, C] or [C]; got {tensor}")
    if target.dtype != "int64":
        raise RuleError(
            "E0306",
            f"{call.name} takes int64 labels, -1 after the last; got {target}",
            help="declare the target as int[N, C], or as index(C)[N, C] where every row is full",
            argument="target",
        )
    require_equal_shapes(call, tensor, target)
    require_no_more_classes(call, target, tensor.shape[-1], tensor)
    return reduced(call, tensor, tensor.shape[:-1])


def require_no_more_classes(
    call: Call, target: TensorType, classes: Size, tensor: TensorType, name: str = "target"
) -> None:
    """E0309 where labels ``index(k)`` of the argument ``name`` go beyond the classes."""
    if target.classes is None:
        return
    call.require_at_least(
        classes,
        target.classes,
        RuleError(
            "E0309",
            f"{call.name}: {target} has labels up to {target.classes} classes, and {tensor} "
            f"scores {classes}",
            argument=name,
        ),
    )
