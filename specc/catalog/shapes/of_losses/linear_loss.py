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
from specc.catalog.shapes.of_layers.linear import (
    Initial,
    Tensors,
    require_weighable,
    size_of,
    uniform_within,
)
from specc.catalog.shapes.of_losses.losses import cross_entropy, of_probabilities
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
    """``(input [N, D], linear_weight [C, ..., D], target)``: further sizes of the weight are those
    of labels ``[N, ...]``, and beside them ``[D]`` is refused (E0301). E0302 where they do not
    multiply."""
    tensor, weight = _vectors(call), call.tensor("linear_weight")
    if len(weight.shape) < 2:
        raise RuleError(
            "E0301",
            f"{call.name} takes a weight [C, D] or [C, ..., D]; got {weight}",
            argument="linear_weight",
        )
    classes, further, features = weight.shape[0], weight.shape[1:-1], weight.shape[-1]
    if len(tensor.shape) == 1 and further:
        raise RuleError("E0301", f"{call.name} with a weight {weight} takes [N, D]; got {tensor}")
    require_same_dtype(call, tensor, weight)
    call.require_equal(
        tensor.shape[-1],
        features,
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
        if len(bias.shape) != 1 + len(further):
            raise error
        for size, wanted in zip(bias.shape, (classes, *further), strict=True):
            call.require_equal(size, wanted, error)
        require_same_dtype(call, tensor, bias)
    return _of_scores(call, tensor.with_shape((*tensor.shape[:-1], classes, *further)))


def _of_scores(call: Call, scores: TensorType) -> TensorType:
    target = call.tensor("target")
    if target.floating and plain(call, "ignore_index") is not None:
        raise of_probabilities(call, target)
    return cross_entropy(replace(call, tensors={**call.tensors, "input": scores}))
