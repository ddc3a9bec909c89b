"""Judges a product by itself on whole numbers, which every order of summation adds up exactly.

Where a long sum of terms of both signs comes out small, honest kernels err by more than a wrong
factor of a few units changes: no floor tells them apart. On small whole numbers there is no
rounding at all: their products and every partial sum are whole and small enough for float32, and
TF32 and bfloat16 hold the factors, so that any machine gives the same bits. Non-goals: other layers
(a convolution may go by Winograd's transform, which has thirds), other precisions (sums of half
precision soon leave the whole numbers that it holds), gradients.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from specc.harness.running.layer_calls import RecordedCall
from specc.harness.running.ongoing_run import Setting

# The numbers of what a layer is given, and of its weight and bias: from minus these to these.
_GIVEN, _WEIGHT = 2, 1
# float32 holds every whole number up to here.
_MOST = 1 << 24


def off_on_whole_numbers(call: RecordedCall, setting: Setting) -> float:
    """How far the layer of ``call`` is off at most on whole numbers, relative to the
    root-mean-square of what is right: 0 for any honest machine, and for a layer that is not looked
    at."""
    layer = call.layer
    if type(layer) is not nn.Linear or not call.positional or call.autocast is not None:
        return 0.0
    given = call.tensors[0]
    held = all(each.dtype == torch.float32 for each in (given, layer.weight))
    if not held or (layer.in_features * _GIVEN + 1) * _WEIGHT > _MOST or not given.numel():
        return 0.0
    generator = torch.Generator().manual_seed(0)

    def whole(like: Tensor, most: int) -> Tensor:
        return torch.randint(-most, most + 1, like.shape, generator=generator, dtype=torch.int8)

    inputs, weight = whole(given, _GIVEN), whole(layer.weight, _WEIGHT)
    bias = None if layer.bias is None else whole(layer.bias, _WEIGHT)
    own = copy.deepcopy(layer)
    try:
        with torch.no_grad():
            own.weight.copy_(weight)
            if bias is not None:
                own.bias.copy_(bias)
            with setting.surroundings():
                found = own(torch.empty_like(given).copy_(inputs))
    except Exception:  # a layer that ran in the case, and by itself does not: not judged so
        return 0.0
    right = inputs.double() @ weight.double().T
    if bias is not None:
        right = right + bias
    if not isinstance(found, Tensor) or found.shape != right.shape:
        return 0.0  # what the layer does alone says so
    largest = float((found.detach().cpu().double() - right).abs().max())
    return largest / (float(right.square().mean().sqrt()) or 1.0)
