"""Shape rules of AdaptiveLogSoftmaxWithLoss: classes in clusters, each with its own projection.

The layout is that of torch's class, after Grave et al., "Efficient softmax approximation for GPUs"
(2017). Non-goal: values.
"""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    Shape,
    as_size,
    as_sizes,
    bracketed,
    known,
    number,
    plain,
    require_rank,
    told,
)
from specc.catalog.shapes.of_layers.linear import Initial, Tensors, require_weighable, size_of
from specc.ir import Distribution, ResultType, TensorType
from specc.sizes import Size


def _require_labels(call: Call) -> tuple[TensorType, TensorType]:
    tensor, target = call.tensor("input_"), call.tensor("target_")
    require_rank(call, tensor, (2,), "[N, D], a vector for each label")
    require_weighable(call, tensor)
    if target.dtype != "int64" or len(target.shape) != 1:
        raise RuleError(
            "E0306" if target.dtype != "int64" else "E0301",
            f"{call.name} takes a label for each row of {tensor}; got {target}",
            help="declare the labels as index(k)[N]",
        )
    return tensor, target


def features(call: Call) -> Size:
    """The last size of the values."""
    tensor, _ = _require_labels(call)
    return told(call, "in_features", tensor.shape[-1], tensor)


def classes(call: Call) -> Size:
    """k of the labels' ``index(k)``; more are taken as written. E0308, E0309."""
    _, target = _require_labels(call)
    written = call.args.get("n_classes")
    if written is None and target.classes is None:
        raise RuleError(
            "E0308",
            f"n_classes of {call.name} cannot be told from {target}",
            help="declare the labels as index(k)[N], or write n_classes=",
            argument="n_classes",
        )
    if written is None:
        return told(call, "n_classes", target.classes or 0, target)
    count = as_size(call, "n_classes", written)
    have, wanted = known(call, count), known(call, target.classes or 0)
    if have is not None and wanted is not None and have < wanted:
        raise RuleError(
            "E0309",
            f"{call.name} has {count} classes, and {target} goes up to {wanted - 1}",
            help="leave n_classes out",
            argument="n_classes",
        )
    return count


def log_softmax_with_loss(call: Call) -> ResultType:
    """``(output [N], loss [])``: each label's log-probability, and minus their mean; E0301, E0302,
    E0306, E0307."""
    tensor, target = _require_labels(call)
    message = f"{call.name}: {tensor} and {target} differ in their batch"
    call.require_equal(tensor.shape[0], target.shape[0], RuleError("E0302", message))
    _clusters(call)
    return tensor.with_shape((tensor.shape[0],)), tensor.with_shape(())


def _clusters(call: Call) -> tuple[int, list[tuple[int, int]]]:
    """The size of the head, and of each cluster the size of its projection and its classes."""
    cutoffs = as_sizes(call, "cutoffs")
    total = known(call, size_of(call, "n_classes"))
    ends = [known(call, size) for size in (*cutoffs, size_of(call, "n_classes"))]
    numbers = [end for end in ends if end is not None]
    rising = all(one < other for one, other in pairwise(numbers))
    if len(numbers) < len(ends) or not cutoffs or numbers[0] < 1 or not rising:
        raise RuleError(
            "E0307",
            f"cutoffs of {call.name} rise from at least 1 to below the {total} classes; got "
            f"{bracketed(cutoffs)}",
            argument="cutoffs",
        )
    width, divisor = known(call, size_of(call, "in_features")) or 0, number(call, "div_value")
    found = []
    for place, (start, end) in enumerate(pairwise(numbers)):
        projected = int(width // divisor ** (place + 1)) if divisor > 0 else 0
        if projected < 1:
            raise RuleError(
                "E0307",
                f"div_value {divisor:g} of {call.name} leaves nothing of {width} features for "
                f"cluster {place}",
                help="use a smaller div_value, or fewer cutoffs",
                argument="div_value",
            )
        found.append((projected, end - start))
    return numbers[0] + len(found), found


def _tensors(call: Call) -> list[tuple[str, Shape, Size]]:
    """Name, shape and fan-in, in the order of torch's ``state_dict``."""
    width = size_of(call, "in_features")
    head, clusters = _clusters(call)
    found: list[tuple[str, Shape, Size]] = [("head.weight", (head, width), width)]
    if plain(call, "head_bias"):
        found.append(("head.bias", (head,), width))
    for place, (projected, count) in enumerate(clusters):
        found.append((f"tail.{place}.0.weight", (projected, width), width))
        found.append((f"tail.{place}.1.weight", (count, projected), projected))
    return found


def parameters(call: Call) -> Tensors:
    """``head`` over the first classes and the clusters, ``tail.i`` of two dense layers each."""
    return tuple((name, shape) for name, shape, _ in _tensors(call))


def initial(call: Call) -> Initial:
    """Uniform within ``1 / sqrt(fan_in)``, as dense layers are."""
    bounds = {name: 1.0 / sqrt(known(call, fan) or 1) for name, _, fan in _tensors(call)}
    return tuple((name, Distribution("uniform", -each, each)) for name, each in bounds.items())
