"""What is emitted for layers that torch makes of other layers: settings in place of a layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from specc import semantics
from specc.emit import emit
from specc.errors import SpecError
from specc.targets.live import module_class


def _spec(call: str, more: str = "", inputs: str = "input x: float[N, T, 8]") -> str:
    return f"spec 1\n\nmodel Stack{more} {{\n  {inputs}\n  output {call}\n}}\n"


def _source(text: str) -> str:
    return emit(semantics.analyse(text, "stack.spec", {}))


def _expression(source: str) -> str:
    """What the one layer is made by, its line breaks taken out."""
    lines = [line.split("#")[0].strip() for line in source.splitlines()]
    start = next(i for i, line in enumerate(lines) if "= nn.Transformer" in line
                 or line.startswith(("nn.Transformer", "super().__init__(nn.Tr")))  # fmt: skip
    return "".join(lines[start:]).replace(",", ", ").replace("  ", " ").replace(", )", ")")


def _made(source: str) -> Any:
    return module_class(source, "Stack", "stack")


def test_a_stack_is_made_of_a_layer_of_its_settings() -> None:
    source = _source(_spec("x -> TransformerEncoder(nhead=2, num_layers=3, batch_first=true)"))
    said = _expression(source)
    assert "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True), 3," in said
    assert "norm" not in said and "dropout" not in said
    stack = next(iter(_made(source)().children()))
    assert isinstance(stack, torch.nn.TransformerEncoder)
    assert (len(stack.layers), stack.norm, stack.use_nested_tensor) == (3, None, False)


def test_a_last_norm_is_asked_for_and_has_the_layers_settings() -> None:
    call = (
        "x -> TransformerEncoder(nhead=2, num_layers=1, layer_norm_eps=0.001, bias=false,"
        " norm=true)"
    )
    said = _expression(_source(_spec(call)))
    assert "norm=nn.LayerNorm(8, eps=0.001, bias=False)" in said
    assert "nn.TransformerEncoderLayer(8, 2, layer_norm_eps=0.001, bias=False)" in said


def test_a_norm_that_is_false_is_none() -> None:
    said = _expression(_source(_spec("x -> TransformerEncoder(nhead=2, num_layers=1, norm=false)")))
    assert "norm=None" in said


@pytest.mark.parametrize("last", [True, False])
def test_a_param_decides_when_the_model_is_made(last: bool) -> None:
    call = (
        "x -> TransformerEncoder(nhead=heads, num_layers=depth, norm=last, dim_feedforward=16,"
        " batch_first=true)"
    )
    more = "(heads: int = 2, depth: int = 2, last: bool = true)"
    made = _made(_source(_spec(call, more)))(heads=4, depth=3, last=last)
    stack = next(iter(made.children()))
    assert (len(stack.layers), stack.layers[0].self_attn.num_heads) == (3, 4)
    assert (stack.norm is not None) is last
    assert made(torch.zeros(2, 5, 8)).shape == (2, 5, 8)


def test_a_decoder_attends_to_its_memory() -> None:
    inputs = "input x: float[N, T, 8]\n  input memory: float[N, S, 8]"
    call = "TransformerDecoder(nhead=2, num_layers=2, batch_first=true, norm=true)(x, memory)"
    made = _made(_source(_spec(call, inputs=inputs)))()
    assert made(torch.zeros(2, 5, 8), torch.zeros(2, 3, 8)).shape == (2, 5, 8)


def test_what_does_not_fit_is_said_in_the_specs_terms() -> None:
    with pytest.raises(SpecError) as caught:
        semantics.analyse(_spec("x -> TransformerEncoder(nhead=3, num_layers=2)"), "s.spec", {})
    (fault,) = caught.value.diagnostics()
    assert (fault.code, fault.message) == ("E0303", "d_model 8 is not divisible by nhead 3")
