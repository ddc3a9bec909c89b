"""Shape rules of metrics: what is compared must have the same shape, classes, dtype."""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import promote, require_floating
from specc.catalog.shapes.losses import require_classes, require_equal_shapes, require_labels
from specc.ir import TensorType


def class_metric(call: Call) -> TensorType:
    """Scores ``[N, C, ...]`` against labels ``[N, ...]`` to one float."""
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
    require_classes(call, target, tensor.shape[1], tensor)
    return TensorType(tensor.dtype, ())


def error_metric(call: Call) -> TensorType:
    """``(preds, target)`` of one shape to one float."""
    tensor, target = call.tensor("preds"), call.tensor("target")
    require_floating(call, tensor)
    require_equal_shapes(call, tensor, target)
    return TensorType(promote(tensor.dtype, target.dtype), ())
