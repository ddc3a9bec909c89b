"""Blocks in blocks, loops and branches as source: one class, one loop, in terms of the params."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from specc import ir
from specc.emit import emit
from specc.errors import SpecError
from specc.semantics import analyse
from specc.targets.live import module_class


def emitted(text: str) -> str:
    return emit(analyse(f"spec 1\n{text}", "m.spec"))


def built(text: str, **params: int) -> nn.Module:
    torch.manual_seed(0)
    made = module_class(emitted(text), "M", "m")(**params)
    assert isinstance(made, nn.Module)
    return made.eval()


def model_of(body: str, params: str = "") -> str:
    return f"model M{params} {{\n input x: float[N, 8]\n {body}\n output x\n}}\n"


# ── a block inside itself ────────────────────────────────────────────────────────────────────────

LEVELS = """
block Level(channels: int, depth: int) {
  input x: float[N, C, H, W]
  x = x -> encode: Conv2d(channels, 3, padding=1)
  if depth > 0 {
    below = x -> MaxPool2d(2) -> inner: Level(2 * channels, depth - 1)
      -> up: ConvTranspose2d(channels, 2, stride=2)
    x = cat([x, below], dim=1) -> decode: Conv2d(channels, 3, padding=1)
  }
  output x
}
model M(width: int = 2, depth: int = 3) {
  input x: float[N, 3, H, W]
  output x -> levels: Level(width, depth)
}
"""


def test_a_block_inside_itself_is_one_class() -> None:
    source = emitted(LEVELS)
    assert source.count("class ") == 2
    assert "self.inner = Level(channels, 2 * channels, depth - 1)" in source
    assert "if self.inner is not None:" in source
    assert built(LEVELS)(torch.rand(2, 3, 16, 8)).shape == (2, 2, 16, 8)
    deeper = built(LEVELS, depth=4).state_dict()
    assert "levels.inner.inner.inner.inner.encode.weight" in deeper


def test_a_size_halved_often_and_doubled_again_is_one_condition() -> None:
    model = analyse(f"spec 1\n{LEVELS}", "m.spec").model()
    equal = [str(condition) for condition in model.conditions if condition.relation == "=="]
    assert equal == ["H % 8 == 0", "W % 8 == 0"]
    with pytest.raises(AssertionError, match="H must be a multiple of 8"):
        built(LEVELS)(torch.rand(2, 3, 12, 8))


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (["H % 4 == 0", "H % 6 == 0"], ["H % 12 == 0"]),
        (["H // 2 % 2 == 0", "H % 2 == 0"], ["H % 4 == 0"]),
        # H = 5: its half is even, and it is not.
        (["H // 2 % 2 == 0"], ["(H // 2) % 2 == 0"]),
        (["H // 3 % 2 == 0", "H % 2 == 0"], ["(H // 3) % 2 == 0", "H % 2 == 0"]),
        (["H % 2 == 1", "H % 4 == 1"], ["H % 2 == 1", "H % 4 == 1"]),
        (["H == 2 * ((H + 1) // 2)"], ["H % 2 == 0"]),
        (["(H + 1) // 2 == 2 * ((H + 3) // 4)", "H == 2 * ((H + 1) // 2)"], ["H % 4 == 0"]),
        (["H % 3 == 0", "W % 3 == 0"], ["H % 3 == 0", "W % 3 == 0"]),
    ],
)
def test_conditions_are_joined_where_they_say_the_same(asked: list[str], left: list[str]) -> None:
    text = f"spec 1\nmodel M {{\n input x: float[H, W] where {', '.join(asked)}\n output x\n}}\n"
    joined = analyse(text, "m.spec").model().conditions
    assert [str(condition) for condition in joined] == left
    separate = [_condition(text, one) for one in asked]
    for height in range(1, 40):
        sizes = {"H": height, "W": 7}
        assert all(one.holds(sizes) for one in joined) == all(one.holds(sizes) for one in separate)


def _condition(text: str, asked: str) -> ir.Condition:
    start = text.index(" where ")
    alone = text[:start] + f" where {asked}\n output x\n}}\n"
    (condition,) = analyse(alone, "m.spec").model().conditions
    return condition


def test_a_class_that_stands_for_several_readings_says_shapes_true_of_all() -> None:
    source = emitted(
        "block B(channels: int, stride: int = 1) {\n input x: float[N, C, H, W]\n"
        " output x -> a: Conv2d(channels, 3, stride=stride, padding=1)\n}\n"
        "model M {\n input x: float[N, 3, H, W]\n output x -> b: B(3) -> c: B(6, stride=2)\n}\n"
    )
    assert "output: float[N, channels, (H - 1) // stride + 1, (W - 1) // stride + 1]" in source


# ── loops ────────────────────────────────────────────────────────────────────────────────────────


def _scaled(factors: list[float], layers: nn.ModuleList, x: Tensor) -> Tensor:
    for factor, layer in zip(factors, layers, strict=True):
        x = x + factor * layer(x)
    return x


@pytest.mark.parametrize(
    ("through", "factors", "line"),
    [
        ("range(3)", [0, 1, 2], "for i, linear in enumerate(self.linear_1):"),
        ("range(1, 4)", [1, 2, 3], "for i, linear in enumerate(self.linear_1, start=1):"),
        ("range(k, k + 2)", [2, 3], "for i, linear in enumerate(self.linear_1, start=self.k):"),
        ("range(1, 8, 3)", [1, 4, 7], "x = x + (1 + i * 3) * linear(x)"),
        ("(k, 2 * k, 9)", [2, 4, 9], "in zip((self.k, 2 * self.k, 9), self.linear_1):"),
        ("(0.5, 0.25)", [0.5, 0.25], "for i, linear in zip((0.5, 0.25), self.linear_1):"),
    ],
)
def test_a_loop_that_counts(through: str, factors: list[float], line: str) -> None:
    text = model_of(f"for i in {through} {{ x = x + i * (x -> Linear(8)) }}", "(k: int = 2)")
    assert line in emitted(text)
    model, x = built(text), torch.rand(3, 8)
    assert isinstance(model.linear_1, nn.ModuleList)
    wanted = _scaled(factors, model.linear_1, x)
    assert torch.equal(model(x), wanted)
    assert torch.equal(torch.jit.script(model)(x), wanted)


@pytest.mark.parametrize(
    ("through", "factors"), [("range(k)", [0, 1]), ("(3, k)", [3, 2]), ("(0.5, 2.5)", [0.5, 2.5])]
)
def test_a_loop_without_layers(through: str, factors: list[float]) -> None:
    text = model_of(f"for i in {through} {{ x = x * 2 + i }}", "(k: int = 2)")
    x = wanted = torch.rand(3, 8)
    for factor in factors:
        wanted = wanted * 2 + factor
    assert torch.equal(built(text)(x), wanted)


def test_a_loop_speaks_of_params_not_of_their_values() -> None:
    text = model_of(
        "for w in (width, 2 * width) { x = x -> Linear(w) }\n x = x -> last: Linear(8)",
        "(width: int = 4)",
    )
    wide = built(text, width=10)
    assert [tuple(weight.shape) for weight in wide.parameters() if weight.dim() == 2] == [
        (10, 8),
        (20, 10),
        (8, 20),
    ]


BRANCHES = model_of(
    """for w in (width, 0, 2 * width) {
    if w > 0 { x = x -> Linear(w) -> ReLU } else { x = x * 2 }
  }
  mix: for i in range(3) {
    if i < k { x = x -> a: Linear(8) } else { x = x -> b: Linear(8, bias=false) }
  }""",
    "(width: int = 4, k: int = 2)",
)


def test_rounds_that_make_other_layers_choose() -> None:
    model = built(BRANCHES)
    assert list(model.state_dict()) == [
        "linear_1.0.weight", "linear_1.0.bias", "linear_1.2.weight", "linear_1.2.bias",
        "mix.0.a.weight", "mix.0.a.bias", "mix.1.a.weight", "mix.1.a.bias", "mix.2.b.weight",
    ]  # fmt: skip
    x = torch.rand(3, 8)
    of = model.get_submodule
    wanted = of("linear_1.2")(2 * of("linear_1.0")(x).relu()).relu()
    for path in ("mix.0.a", "mix.1.a", "mix.2.b"):
        wanted = of(path)(wanted)
    assert torch.equal(model(x), wanted)
    assert torch.equal(torch.jit.script(model)(x), wanted)


@pytest.mark.parametrize(("params", "made"), [({"k": 1}, "abb"), ({"k": 3}, "aaa")])
def test_rounds_that_choose_hold_for_any_params(params: dict[str, int], made: str) -> None:
    mixed = [name for name in built(BRANCHES, **params).state_dict() if name.endswith("weight")]
    assert mixed[-3:] == [f"mix.{place}.{layer}.weight" for place, layer in enumerate(made)]


def test_two_rounds_tell_doubling_from_adding() -> None:
    text = (
        "block Double { input x: float[N, C]\n output x -> Linear(2 * C) }\n"
        "model M(depth: int = 2, width: int = 4) {\n input x: float[N, width]\n"
        " output x -> repeat(depth) Double\n}\n"
    )
    assert built(text)(torch.rand(3, 4)).shape == (3, 16)
    assert built(text, depth=3)(torch.rand(3, 4)).shape == (3, 32)


def test_names_of_a_loop_are_spoken_for_in_every_round() -> None:
    text = model_of(
        "for i in range(2) { if i < 1 { x = x -> Linear(8) } else { x = x -> Tanh } }\n"
        " for i in range(2) { x = x -> Linear(8) }"
    )
    names = [name for name in built(text).state_dict() if name.endswith("weight")]
    assert names == ["linear_1.0.weight", "linear_2.0.weight", "linear_2.1.weight"]
    labelled = text.replace("-> Linear", "-> f: Linear")
    with pytest.raises(SpecError) as caught:
        emitted(labelled)
    assert [item.code for item in caught.value.diagnostics()] == ["E0206"]
