"""What torch takes besides a number, a tuple or a value with dimensions, a spec takes as well, and
computes what torch computes: shape, dtype, value and gradient, eagerly and scripted.

Which arguments those are was found by saying torch's own samples in the language. Non-goal: what
is refused, which ``tests/invalid`` and ``test_catalog_functions`` hold.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from specc import front
from specc.emit import emit
from specc.sizes import evaluate
from specc.targets.live import module_class

SIZES = {"N": 3, "T": 5, "S": 4, "H": 8, "W": 6}

# inputs | what the spec computes | what torch computes of the same names.
PROGRAMS = (
    # tensors for numbers
    "x: float[N, T], a: float[T], b: float[N, 1] | clamp(x, min=a, max=b) | torch.clamp(x, a, b)",
    "x: float[N, T], b: float[N, 1] | clamp(x, max=b) | torch.clamp(x, max=b)",
    "x: float[1, T], a: float[N, 1] | clamp(x, a) | torch.clamp(x, a)",
    "x: int[N, T], a: float[T] | clamp(x, a) | torch.clamp(x, a)",
    "x: float[N, T], m: bool[N, T], v: float[] | masked_fill(x, m, v) | torch.masked_fill(x, m, v)",
    "x: float[N, T], m: bool[T], v: int[] | masked_fill(x, m, v) | torch.masked_fill(x, m, v)",
    "x: int[N, T], m: bool[N, T], v: int[] | masked_fill(x, m, v) | torch.masked_fill(x, m, v)",
    "x: bool[N, T], m: bool[N, T] | masked_fill(x, m, true) | torch.masked_fill(x, m, True)",
    "x: float[N, T], i: index(2)[2], v: float[] | index_fill(x, 1, i, v)"
    " | torch.index_fill(x, 1, i, v)",
    "x: float[N, 3], c: index(3)[3] | repeat_interleave(x, c * 0 + 2, dim=1, output_size=6)"
    " | torch.repeat_interleave(x, c * 0 + 2, dim=1)",
    "x: float[N, T], c: index(3)[] | repeat_interleave(x, c * 0 + 2, dim=1, output_size=2 * T)"
    " | torch.repeat_interleave(x, c * 0 + 2, dim=1)",
    "x: float[N, T], c: index(3)[1] | repeat_interleave(x, c * 0 + 2, output_size=2 * N * T)"
    " | torch.repeat_interleave(x, c * 0 + 2)",
    "x: float[N, T] | repeat_interleave(x, 2, dim=1, output_size=2 * T)"
    " | torch.repeat_interleave(x, 2, dim=1)",
    "x: float[N, 6], s: index(3)[] | narrow(x, 1, s, 3) | torch.narrow(x, 1, s, 3)",
    "x: float[N, T] | narrow(x, 1, -2, 2) | torch.narrow(x, 1, -2, 2)",
    "x: float[N, 5], a: float[], b: float[] | x * linspace(detach(a), detach(b), 5)"
    " | x * torch.linspace(a.detach(), b.detach(), 5)",
    "x: float[N, 5], a: float[] | x * logspace(0.0, detach(a), 5)"
    " | x * torch.logspace(0.0, a.detach(), 5)",
    "x: float[N, 4, 4], t: float[N] | pinv(x + 3 * eye(4), atol=detach(t))"
    " | torch.linalg.pinv(x + 3 * torch.eye(4), atol=t.detach())",
    "x: float[N, 4, 4], t: float[N] | matrix_rank(x, rtol=t) | torch.linalg.matrix_rank(x, rtol=t)",
    "x: float[N, T], y: float[N, T], w: float[] | lerp(x, y, w) | torch.lerp(x, y, w)",
    "x: float[N, T], m: bool[N, T], v: float[] | where(m, x, v) | torch.where(m, x, v)",
    "x: float[N, T], y: float[] | pow(2.0, x) + pow(x, y) | torch.pow(2.0, x) + torch.pow(x, y)",
    # numbers for tensors
    "x: float[N, T] | zeta(2.5, x + 1.0) | torch.special.zeta(2.5, x + 1.0)",
    "x: int[N, T] | bitwise_and(3, x) | torch.bitwise_and(3, x)",
    "x: int[N, T] | bitwise_left_shift(3, x) | torch.bitwise_left_shift(3, x)",
    "x: float[N, T] | isin(x, 0.5) | torch.isin(x, 0.5)",
    "x: int[N, T] | isin(2, x) | torch.isin(2, x)",
    "x: float[T] | searchsorted(cumsum(x, 0), 0.5) | torch.searchsorted(torch.cumsum(x, 0), 0.5)",
    "x: float[T] | bucketize(0.5, cumsum(x, 0)) | torch.bucketize(0.5, torch.cumsum(x, 0))",
    # an int for a tuple, a tuple of one for an int, none
    "x: float[N, H, W] | abs(fft2(x, dim=1)) | torch.fft.fft2(x, dim=1).abs()",
    "x: float[N, H, W] | abs(rfftn(x, s=4, dim=1)) | torch.fft.rfftn(x, s=4, dim=1).abs()",
    "x: float[N, T] | var(x, dim=(1,), correction=none) | torch.var(x, dim=(1,), correction=None)",
    "x: float[N, T] | std(x, correction=0.5) | torch.std(x, correction=0.5)",
    "x: float[N, 2, H, W] | max_pool2d(x, (2,), (1,)) | F.max_pool2d(x, (2,), (1,))",
    "x: float[N, 2, H, W], w: float[4, 2, 3, 3] | conv2d(x, w, stride=(2,), padding=(1,))"
    " | F.conv2d(x, w, stride=(2,), padding=(1,))",
    "x: float[N, 2, H, W] | x -> AvgPool2d((2,), stride=(1,)) | F.avg_pool2d(x, (2,), (1,))",
    "x: float[N, 2, H, W] | adaptive_avg_pool2d(x, (none, 4)) | F.adaptive_avg_pool2d(x, (8, 4))",
    "x: float[N, 2, H, W] | adaptive_max_pool2d(x, (H // 2, 4)) | F.adaptive_max_pool2d(x, (4, 4))",
    "x: float[N, 2, H, W] | x -> AdaptiveAvgPool2d((4, none)) | F.adaptive_avg_pool2d(x, (4, 6))",
    "x: float[N, 2, H, W, 4] | x -> AdaptiveMaxPool3d((none, 4, 2))"
    " | F.adaptive_max_pool3d(x, (8, 4, 2))",
    "x: float[N, T], y: float[N, T] | cdist(x, y, inf) | torch.cdist(x, y, float('inf'))",
    # scalars
    "x: float[] | topk(x, 1)[0] | torch.topk(x, 1)[0]",
    "x: float[], i: index(1)[3] | gather(x, 0, i) | torch.gather(x, 0, i)",
    "x: float[T], i: index(2)[] | gather(x, 0, i) | torch.gather(x, 0, i)",
    "x: float[], i: index(1)[1] | index_select(x, 0, i) | torch.index_select(x, 0, i)",
    "x: float[N, T], i: index(2)[] | index_select(x, 1, i) | torch.index_select(x, 1, i)",
    "x: float[], i: index(1)[] | index_add(x, 0, i, x) | torch.index_add(x, 0, i, x)",
    "x: float[T], i: index(2)[1], y: float[] | index_copy(x, 0, i, y)"
    " | torch.index_copy(x, 0, i, y)",
    "x: float[], i: index(1)[] | scatter(x, 0, i, 0.5) | torch.scatter(x, 0, i, 0.5)",
    "x: float[T], i: index(2)[], y: float[] | scatter_add(x, 0, i, y)"
    " | torch.scatter_add(x, 0, i, y)",
    "x: float[] | flip(x, 0) + cumsum(x, 0) | torch.flip(x, (0,)) + torch.cumsum(x, 0)",
    "x: float[] | vander(x, N=3) | torch.linalg.vander(x, N=3)",
    "x: float[], y: float[] | pairwise_distance(x, y) | F.pairwise_distance(x, y)",
    "x: float[] | softmax(x, dim=0) + sort(x)[0] | torch.softmax(x, 0) + torch.sort(x)[0]",
    # no dimension
    "x: bool[N, T] | any(x, dim=()) | torch.any(x, dim=())",
    "x: float[N, T] | all(x - 1.0 > 0, dim=(), keepdim=true)"
    " | torch.all(x - 1.0 > 0, dim=(), keepdim=True)",
    "x: float[N, T] | any(x, dim=()) | torch.any(x, dim=())",
    "x: float[N, T] | sum(x, dim=()) | torch.sum(x, dim=())",
    "x: float[N, T] | amax(x, dim=(), keepdim=true) | torch.amax(x, dim=(), keepdim=True)",
    # ranks that differ
    "q: float[N, 2, T, 4], k: float[2, S, 4], v: float[S, 4]"
    " | scaled_dot_product_attention(q, k, v)"
    " | F.scaled_dot_product_attention(q, k, v)",
    "q: float[T, 4], k: float[N, S, 4] | scaled_dot_product_attention(q, k, k)"
    " | F.scaled_dot_product_attention(q, k, k)",
    "a: float[1, T], b: float[N, T], c: float[N, T] | triplet_margin_loss(a, b, c)"
    " | F.triplet_margin_loss(a, b, c)",
    "a: float[N, T], b: float[1, T] | cosine_embedding_loss(a, b, ones(1))"
    " | F.cosine_embedding_loss(a, b, torch.ones(1))",
    "a: float[N], b: float[N] | margin_ranking_loss(a, b, ones(1), margin=2.0)"
    " | F.margin_ranking_loss(a, b, torch.ones(1), margin=2.0)",
    "a: float[N, T], b: float[N, T], v: unit[1, T] | gaussian_nll_loss(a, b, v + 0.5)"
    " | F.gaussian_nll_loss(a, b, v + 0.5)",
    "x: float[T, 2, 3], y: index(2)[2, 2]"
    " | ctc_loss(log_softmax(x, dim=-1), y, (5, 4), (2, 1), blank=2)"
    " | F.ctc_loss(torch.log_softmax(x, -1), y, (5, 4), (2, 1), blank=2)",
)
# Where torch itself cannot be scripted.
_UNSCRIPTED = ("none, 4", "(4, none)", "gaussian_nll_loss", "ctc_loss")


def _text_of(inputs: str, value: str) -> str:
    lines = [f"  input {each}" for each in inputs.replace("], ", "]\n").split("\n")]
    return "\n".join(["spec 1", "model M {", *lines, f"  y = {value}", "  output y", "}"])


def _tensor(type_: Any, generator: torch.Generator) -> Tensor:
    shape = [int(str(evaluate(size, SIZES))) for size in type_.shape]
    if type_.differentiable:
        return torch.rand(shape, generator=generator).requires_grad_()
    if type_.dtype == "bool":
        return torch.rand(shape, generator=generator) > 0.5
    most = type_.classes if isinstance(type_.classes, int) else 3
    return torch.randint(0, most, shape, generator=generator)


def _gradients(result: Tensor, given: dict[str, Tensor]) -> list[Tensor | None]:
    for tensor in given.values():
        tensor.grad = None
    if result.requires_grad:
        (result * torch.arange(1.0, result.numel() + 1).reshape(result.shape)).sum().backward()
    return [None if tensor.grad is None else tensor.grad.clone() for tensor in given.values()]


def _named(program: str) -> str:
    return re.sub(r"[^\w]+", "-", program.split("|")[1]).strip("-")


@pytest.mark.parametrize("program", PROGRAMS, ids=_named)
def test_what_torch_takes_is_computed_as_torch_computes_it(program: str) -> None:
    inputs, value, wanted = (part.strip() for part in program.split("|"))
    checked, faults, _ = front.check_text(_text_of(inputs, value))
    assert checked is not None, faults
    model = checked.models[0]
    generator = torch.Generator().manual_seed(3)
    given = {each.name: _tensor(each.type, generator) for each in model.inputs}
    module: nn.Module = module_class(emit(checked), "M", "m")()
    oracle: Tensor = eval(wanted, {"torch": torch, "F": F}, dict(given))  # this file's own text
    gradients = _gradients(oracle, given)

    runs = [module]
    if not any(part in value for part in _UNSCRIPTED):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            runs.append(torch.jit.script(module))
    for run in runs:
        result = run(*given.values())
        assert result.dtype == oracle.dtype
        torch.testing.assert_close(result, oracle, rtol=0, atol=0)
        for one, other in zip(_gradients(result, given), gradients, strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)
    type_ = model.outputs[0].value.type
    assert [evaluate(size, SIZES) for size in type_.shape] == [*oracle.shape]
    assert type_.dtype in str(oracle.dtype)
