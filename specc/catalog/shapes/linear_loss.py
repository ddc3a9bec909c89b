"""Shape rules of linear_cross_entropy: scores that a weight makes, and their cross entropy.

Non-goal: how torch computes it in chunks.
"""

from __future__ import annotations

from dataclasses import replace

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    Shape,
    as_size,
    as_sizes,
    at_least,
    plain,
    product,
    require_floating,
    require_rank,
    require_same_dtype,
    told,
)
from specc.catalog.shapes.linear import Initial, Tensors, require_weighable, size_of, uniform_within
from specc.catalog.shapes.losses import cross_entropy
from specc.ir import TensorType
from specc.sizes import Size

# ── the layer ────────────────────────────────────────────────────────────────────────────────────


def _vectors(call: Call) -> TensorType:
    """The values: ``[N, D]``, or ``[D]`` of one label."""
    tensor = call.tensor("input")
    require_rank(call, tensor, (1, 2), "[N, D] or [D]")
    require_floating(call, tensor)
    return tensor


def features(call: Call) -> Size:
    """The last size of the values."""
    tensor = _vectors(call)
    return told(call, "in_features", tensor.shape[-1], tensor)


def classes(call: Call) -> Size:
    """k of the labels' ``index(k)``, or how many probabilities there are; E0308."""
    if call.args.get("num_classes") is not None:
        return as_size(call, "num_classes", call.args["num_classes"])
    target, place = call.tensor("target"), len(_vectors(call).shape) - 1
    if target.classes is not None:
        return told(call, "num_classes", target.classes, target)
    if target.floating and len(target.shape) > place:
        return told(call, "num_classes", target.shape[place], target)
    raise RuleError(
        "E0308",
        f"num_classes of {call.name} cannot be told from {target}",
        help="declare the labels as index(k)[N], or write num_classes=",
        argument="num_classes",
    )


def _further(call: Call) -> Shape:
    """``out_features``: the sizes after the classes."""
    sizes = as_sizes(call, "out_features")
    at_least(call, "out_features", 1, sizes)
    return sizes


def parameters(call: Call) -> Tensors:
    """``linear.weight [C · out, D]`` and, where asked for, ``linear.bias [C · out]``."""
    rows = product((size_of(call, "num_classes"), *_further(call)))
    weight = ("linear.weight", (rows, size_of(call, "in_features")))
    return (weight, ("linear.bias", (rows,))) if plain(call, "bias") else (weight,)


def initial(call: Call) -> Initial:
    """That of the Linear inside."""
    names = ("linear.weight", "linear.bias") if plain(call, "bias") else ("linear.weight",)
    return uniform_within(call, size_of(call, "in_features"), names)


def layer(call: Call) -> TensorType:
    """The cross entropy of scores ``[N, C, *out_features]``; as ``losses.cross_entropy``."""
    tensor, further = _vectors(call), _further(call)
    require_weighable(call, tensor)
    if len(tensor.shape) == 1 and further:
        raise RuleError("E0301", f"{call.name} with out_features takes [N, D]; got {tensor}")
    shape = (*tensor.shape[:-1], size_of(call, "num_classes"), *further)
    return _of_scores(call, tensor.with_shape(shape))


# ── the function ─────────────────────────────────────────────────────────────────────────────────


def function(call: Call) -> TensorType:
    """``(input [N, D], linear_weight [C, D], target)``; E0302 where they do not multiply."""
    tensor, weight = _vectors(call), call.tensor("linear_weight")
    require_rank(call, weight, (2,), "a weight [C, D]")
    require_same_dtype(call, tensor, weight)
    call.require_equal(
        tensor.shape[-1],
        weight.shape[1],
        RuleError(
            "E0302",
            f"{call.name}: {tensor} and the weight {weight} do not fit together",
            argument="linear_weight",
        ),
    )
    if call.has("linear_bias"):
        bias = call.tensor("linear_bias")
        error = RuleError(
            "E0302", f"{call.name}: {bias} is no bias of {weight}", argument="linear_bias"
        )
        if len(bias.shape) != 1:
            raise error
        call.require_equal(bias.shape[0], weight.shape[0], error)
        require_same_dtype(call, tensor, bias)
    return _of_scores(call, tensor.with_shape((*tensor.shape[:-1], weight.shape[0])))


def _of_scores(call: Call, scores: TensorType) -> TensorType:
    return cross_entropy(replace(call, tensors={**call.tensors, "input": scores}))
