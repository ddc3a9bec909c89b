"""Layers that a param chooses: read, made, named, merged into one class, set from outside."""

from __future__ import annotations

import pytest
import torch
from emit_support import class_of, emitted
from semantics_support import faults
from torch import nn

from specc.errors import SpecError
from specc.semantics import analyse

UNIT = """spec 1
block Unit(width: int, act: layer = ReLU, norm: layer = LayerNorm) {
  input x: float[N, D]
  h = x -> fc: Linear(width) -> norm -> act
  output h -> out: Linear(D) -> act()
}
"""
MODEL = """model M(act: layer = GELU, norm: layer = GroupNorm(4, eps=1e-3)) {
  input x: float[N, 16]
  layer again = act
  x = x -> Unit(16) -> Unit(32, act=act, norm=norm) -> a: Unit(8, LeakyReLU(0.2), LayerNorm)
  x = again(again(x)) + act()(x)
  output x -> { Linear(16) -> act } -> repeat(2) act
}
"""


def test_a_chosen_layer_is_an_argument_of_one_class() -> None:
    source = emitted(UNIT + MODEL)
    assert source.count("class Unit") == 1
    assert "act: Callable[..., nn.Module] = nn.ReLU" in source
    assert "norm: Callable[..., nn.Module] = partial(nn.GroupNorm, 4, eps=0.001)" in source
    assert "self.norm_1 = norm(width)" in source and "self.act_1 = act()" in source


def test_the_layers_are_those_that_were_chosen() -> None:
    program = analyse(UNIT + MODEL, "m.spec")
    made = class_of(emitted(UNIT + MODEL))()
    said = {path: layer.type for path, layer in program.model().all_layers}
    real = {name: type(item).__name__ for name, item in made.named_modules() if name in said}
    assert real == said
    assert said["unit_1.act_1"] == "ReLU" and said["unit_2.norm_1"] == "GroupNorm"
    assert made.unit_2.norm_1.eps == 1e-3 and made.a.act_2.negative_slope == 0.2
    assert [n for n, _, _ in program.model().parameters()] == [
        n for n, _ in made.named_parameters()
    ]
    scripted = torch.jit.script(made.eval())
    x = torch.randn(3, 16)
    assert torch.equal(scripted(x), made(x))


def test_a_class_takes_another_layer() -> None:
    made = class_of(emitted(UNIT + MODEL))(act=nn.Tanh, norm=nn.LayerNorm)
    assert isinstance(made.unit_2.act_1, nn.Tanh) and isinstance(made.unit_2.norm_1, nn.LayerNorm)


def test_a_layer_without_settings_is_a_type() -> None:
    source = emitted(
        "spec 1\nparam last: layer = Tanh\nmodel M(act: layer = ReLU) {\n  input x: float[N, 4]\n"
        "  output x -> Linear(3) -> act -> last\n}\n"
    )
    assert "act: type[nn.Module] = nn.ReLU" in source and "LAST = nn.Tanh" in source
    assert "Callable" not in source and "partial" not in source


def test_a_stages_own_setting_wins() -> None:
    source = emitted(
        "spec 1\nmodel M(norm: layer = LayerNorm(eps=1e-3)) {\n  input x: float[N, 4]\n"
        "  output x -> norm -> norm(eps=0.5)\n}\n"
    )
    made = class_of(source)()
    assert (made.norm_1.eps, made.norm_2.eps) == (1e-3, 0.5)


def test_a_block_is_chosen() -> None:
    text = """spec 1
block Plain(width: int) {
  input x: float[N, D]
  output x -> Linear(width)
}
block Deep(width: int, act: layer = ReLU) {
  input x: float[N, D]
  output x -> Linear(width) -> act -> Linear(width)
}
block Stage(unit: layer = Plain, act: layer = ReLU) {
  input x: float[N, D]
  output x -> repeat(2) unit(16) -> act
}
model M(unit: layer = Deep(act=Tanh)) {
  input x: float[N, 16]
  output x -> Stage -> Stage(Deep, GELU) -> Stage(Deep) -> last: Stage(unit)
}
"""
    program = analyse(text, "m.spec")
    source = emitted(text)
    # One with Plain, one with Deep, and one with a Deep that is given a layer itself.
    assert source.count("class Stage") == 3 and "unit=" not in source
    made = class_of(source)()
    said = {path: layer.type for path, layer in program.model().all_layers}
    real = {name: type(item).__name__ for name, item in made.named_modules() if name in said}
    assert real == said and said["last.0.1"] == "Tanh"


def test_a_setting_names_a_layer() -> None:
    program = analyse(UNIT + MODEL, "m.spec", {"act": "Tanh", "M.norm": "LayerNorm"})
    types = {layer.type for _, layer in program.model().all_layers}
    assert "Tanh" in types and "GELU" not in types and "GroupNorm" not in types
    with pytest.raises(SpecError) as caught:
        analyse(UNIT + MODEL, "m.spec", {"act": "Tahn"})
    assert [item.code for item in caught.value.diagnostics()] == ["E0602"]


@pytest.mark.parametrize("given", ["Tanh", "LeakyReLU(0.3)"])
def test_a_test_says_a_layer(given: str) -> None:
    text = f"{UNIT}{MODEL}test {{\n  params act={given}\n  sizes N=4\n}}\n"
    program = analyse(text, "m.spec")
    assert str(dict(program.test.params)["act"]) == given


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ("act: layer = Relu", "E0201"),
        ("act: layer = relu", "E0202"),
        ("act: layer = 3", "E0603"),
        ("act: layer = none", "E0603"),
        ("act: layer", "E0604"),
        ("act: int = ReLU", "E0202"),
        ("act: layer[3] = ReLU", "E0603"),
    ],
)
def test_what_is_no_layer_is_said(head: str, code: str) -> None:
    text = f"spec 1\nmodel M({head}) {{\n  input x: float[N]\n  output x -> act\n}}\n"
    with pytest.raises(SpecError) as caught:
        analyse(text, "m.spec")
    assert [item.code for item in caught.value.diagnostics()] == [code]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("Unit(8, relu)", "E0202"),
        ("Unit(8, Gelu)", "E0201"),
        ("Unit(8, 3)", "E0211"),
        ("Unit(8, LeakyReLU(x))", "E0211"),
        ("Unit(8, ReLU(nope=1))", "E0203"),
        ("Unit(ReLU)", "E0202"),
    ],
)
def test_what_a_block_is_given_is_checked(call: str, code: str) -> None:
    rest = UNIT.removeprefix("spec 1\n")
    found = faults(f"  input x: float[N, 4]\n  output x -> {call}", rest)
    assert {each for each, _ in found} == {code}
