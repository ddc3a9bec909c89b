"""Layers that sizes of the run are given to: the function that is proposed takes them."""

from __future__ import annotations

import re

import pytest
import torch

from specc import catalog, front
from specc.emit import emit
from specc.errors import Diagnostic
from specc.sizes import Size, evaluate
from specc.targets.live import module_class

TEXT = """spec 1

block Pool() {
  input x: float[N, C, A, B]
  output x -> AdaptiveAvgPool2d((A, 3))
}

model Net {
  input x: float[N, 3, H, W]
  input z: float[N, 3, K, L]
  y = POOLED
  output y
}
"""
PROPOSED = [
    "x -> AdaptiveAvgPool2d((H, 7))", "x -> AdaptiveMaxPool2d((K, L))", "x -> Pool",
    "x -> AdaptiveAvgPool2d(K) -> ReLU", "flatten(x, 2) -> AdaptiveMaxPool1d(K)",
    "unsqueeze(x, 1) -> AdaptiveAvgPool3d((none, 2 * H, 7))",
    'x -> Upsample(size=(K, L), mode="nearest")', "x -> Unflatten(3, (W, 1))",
    "x -> AdaptiveMaxPool2d(output_size=(K // 2, 7))",
]  # fmt: skip
OTHERWISE = [
    "x -> pool: AdaptiveAvgPool2d(K)", "x -> repeat(2) AdaptiveAvgPool2d((K, 7))",
    "AdaptiveAvgPool2d((K, L))(x)", "x -> MaxPool2d(K)", "x -> ZeroPad2d(H)",
    "x -> Fold((K, L), 2)", "x -> ChannelShuffle(N)",
]  # fmt: skip


def told(text: str) -> Diagnostic:
    _, found, _ = front.check_text(text, "m.spec")
    (fault,) = [each for each in found if each.severity == "error"]
    assert fault.code in ("E0308", "E0211")
    return fault


@pytest.mark.parametrize("pooled", PROPOSED)
def test_the_function_in_its_place_takes_the_sizes_of_the_run(pooled: str) -> None:
    text = TEXT.replace("POOLED", pooled)
    fault = told(text)
    assert fault.fix is not None and "write the function" in (fault.help or "")
    mended = text[: fault.fix.start] + fault.fix.text + text[fault.fix.end :]
    program, found, _ = front.check_text(mended, "m.spec")
    assert program is not None, found
    made = module_class(emit(program), "Net", "m")()
    x, z = torch.rand(2, 3, 8, 6), torch.rand(2, 3, 4, 5)
    layer = re.search(r"[A-Z]\w+Pool\dd", pooled)
    result = made(*({"x": x, "z": z}[value.name] for value in program.subject().inputs))
    sizes: dict[str, Size] = {"N": 2, "H": 8, "W": 6, "K": 4, "L": 5}
    shape = program.subject().outputs[0].value.type.shape
    assert list(result.shape) == [evaluate(size, sizes) for size in shape]
    if layer is not None and "flatten" not in pooled and "unsqueeze" not in pooled:
        assert torch.equal(result, getattr(torch.nn, layer[0])(tuple(result.shape[2:]))(x))


@pytest.mark.parametrize("pooled", OTHERWISE)
def test_no_function_is_proposed_that_does_not_take_its_place(pooled: str) -> None:
    fault = told(TEXT.replace("POOLED", pooled))
    assert fault.fix is None and "write the function" not in (fault.help or "")


def test_adaptive_pools_have_such_a_function() -> None:
    fed = {"1": "flatten(x, 2)", "2": "x", "3": "unsqueeze(x, 2)"}
    names = [name for name in catalog.LAYERS if re.fullmatch(r"Adaptive\w+Pool\dd", name)]
    assert len(names) == 6
    for name in names:
        text = TEXT.replace("POOLED", f"{fed[name[-2]]} -> {name}(K)")
        assert told(text).fix is not None, name
