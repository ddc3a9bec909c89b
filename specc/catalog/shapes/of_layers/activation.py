"""Shape rules of activations that have weights, draw, or are about channels: PReLU, RReLU,
Softmax2d, FeatureAlphaDropout.

Non-goal: what treats each element alone, which is ``elementwise``'s.
"""

from __future__ import annotations

from dataclasses import replace

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    as_size,
    known,
    layout,
    number,
    positive,
    require_floating,
    require_rank,
)
from specc.catalog.shapes.of_functions.elementwise import dropped
from specc.catalog.shapes.of_layers.linear import Initial, Tensors, require_weighable
from specc.ir import Distribution, TensorType
from specc.sizes import Size


def softmaxed_channels(call: Call) -> TensorType:
    """``[N, C, H, W]`` to the same, in [0, 1], summing to 1 over C; E0301, E0306."""
    tensor = call.tensor()
    require_rank(call, tensor, (4,), layout(2), "write Softmax(dim=1) for another rank")
    require_floating(call, tensor)
    return replace(tensor.with_shape(tensor.shape), meaning="unit")


def randomly_leaky(call: Call) -> TensorType:
    """Shape kept; E0307 where ``lower`` is above ``upper``."""
    lower, upper = number(call, "lower"), number(call, "upper")
    if lower > upper:
        raise RuleError(
            "E0307",
            f"lower of {call.name} must not be above upper, and {lower:g} is above {upper:g}",
            argument="lower" if call.args["lower"] != 0.125 else "upper",
        )
    tensor = call.tensor()
    require_floating(call, tensor)
    return tensor.with_shape(tensor.shape)


def dropped_features(call: Call) -> TensorType:
    """``[N, C, ...]`` kept: whole channels are dropped; E0301 for a flattened value, E0307."""
    tensor = call.tensor()
    if len(tensor.shape) < 3:
        raise RuleError(
            "E0301",
            f"{call.name} takes [N, C, ...] and drops whole channels; got {tensor}",
            help="a flattened value has no channels left: use AlphaDropout",
        )
    return dropped(call)


def prelu(call: Call) -> TensorType:
    """``PReLU(num_parameters)``: one slope, or one a channel (dimension 1)."""
    tensor = call.tensor()
    require_weighable(call, tensor)
    count = as_size(call, "num_parameters", call.args["num_parameters"])
    if known(call, count) != 1:
        channels: Size = tensor.shape[1] if len(tensor.shape) > 1 else 1
        call.require_equal(
            count,
            channels,
            RuleError(
                "E0302",
                f"PReLU has {count} slopes, and {tensor} has {channels} channels",
                help=f"write PReLU({channels}), or PReLU for one slope",
                argument="num_parameters",
            ),
        )
    return tensor.with_shape(tensor.shape)


def prelu_parameters(call: Call) -> Tensors:
    """``weight``: one slope, or one a channel."""
    positive(call, "num_parameters")
    return (("weight", (as_size(call, "num_parameters", call.args["num_parameters"]),)),)


def prelu_initial(call: Call) -> Initial:
    """Every slope starts at ``init``."""
    return (("weight", Distribution("constant", number(call, "init"))),)
