"""Lists into and out of models and `train`, and what a loop may make of a list, form by form:
against the same by hand. Non-goal: whole architectures whose lists grow (``test_growing``)."""

from __future__ import annotations

import pytest
import torch
from breaking import RAN, tried
from emit_support import class_of, emitted
from semantics_support import faults
from torch import Tensor

from specc.front import check_text
from specc.semantics import analyse

DENSE = """spec 1
block Dense(depth: int, growth: int) {
  input x: float[N, C]
  features = [x]
  for k in range(depth) {
    features = features + [cat(features, dim=1) -> norm: LayerNorm -> fc: Linear(growth) -> relu]
  }
  output cat(features, dim=1)
}
model M {
  input x: float[N, 4]
  output x -> a: Dense(2, 3) -> b: Dense(3, 5) -> c: Dense(2, 4)
}
"""


def made_of(text: str) -> torch.nn.Module:
    """The emitted model, whose parameters are called as the spec says."""
    made = class_of(emitted(text))().eval()
    names = [name for name, _, _ in analyse(text, "m.spec").model().parameters()]
    assert names == [name for name, _ in made.named_parameters()]
    return made


def held(made: torch.nn.Module, inputs: list[Tensor], wanted: list[Tensor]) -> None:
    """``made`` computes ``wanted``, scripted too."""
    for module in (made, torch.jit.script(made)):
        found = module(*inputs)
        found = [found] if isinstance(found, Tensor) else list(found)
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, other)


def test_a_block_whose_layers_read_all_before_them() -> None:
    made, x = made_of(DENSE), torch.randn(3, 4)
    value = x
    for block in (made.a, made.b, made.c):
        features = [value]
        for norm, layer in zip(block.norm, block.fc, strict=True):
            features.append(torch.relu(layer(norm(torch.cat(features, dim=1)))))
        value = torch.cat(features, dim=1)
    assert value.shape == (3, 4 + 6 + 15 + 8)
    held(made, [x], [value])


@pytest.mark.parametrize(
    ("body", "by_hand"),
    [
        (
            "a = [x, 2 * x, 3 * x]\nb = []\nfor k in range(2) { b = [a[-1] + k] + b\na = a[:-1] }\n"
            "output stack(a + b, dim=0)",
            lambda x: torch.stack([x, 2 * x + 1, 3 * x]),
        ),
        (
            "outs = []\nfor k in range(4) {\n x = x + 1\n if k % 2 == 1 { outs = outs + [x] }\n}\n"
            "output stack(outs, dim=0)",
            lambda x: torch.stack([x + 2, x + 4]),
        ),
        (
            "outs = [x]\nfor k in range(2) {\n"
            " for j in range(k + 1) { outs = outs + [outs[-1] * 2] }\n}\n"
            "output stack(outs, dim=0)",
            lambda x: torch.stack([x, 2 * x, 4 * x, 8 * x]),
        ),
        (
            "outs = [x]\nfor k in range(1) { outs = outs + [x * 2] }\noutput stack(outs, dim=0)",
            lambda x: torch.stack([x, 2 * x]),
        ),
        (
            "outs = [x]\nfor k in range(0) { outs = outs + [x * 2] }\noutput stack(outs, dim=0)",
            lambda x: torch.stack([x]),
        ),
        (
            "outs = []\nfor k in range(3) { outs = outs + [x * k / len(outs + [x])] }\n"
            "for y in outs { x = x + y\n outs = outs[1:] }\noutput x",
            lambda x: x + x / 2 + 2 * x / 3,
        ),
        (
            "y = x\nouts = []\nfor k in range(3) { y = y + x\n z = y * 2\n outs = outs + [y, z] }\n"
            "output stack(outs, dim=0), y",
            lambda x: (torch.stack([2 * x, 4 * x, 3 * x, 6 * x, 4 * x, 8 * x]), 4 * x),
        ),
    ],
)  # fmt: skip
def test_a_list_of_ever_other_lengths(body: str, by_hand) -> None:  # type: ignore[no-untyped-def]
    body = body.replace("\n", "\n  ")
    text = f"spec 1\nmodel M {{\n  input x: float[N, 4]\n  {body}\n}}\n"
    x = torch.randn(3, 4)
    wanted = by_hand(x)
    made = class_of(emitted(text))()
    held(made, [x], [wanted] if isinstance(wanted, Tensor) else list(wanted))


def test_a_tuple_of_numbers_may_grow_from_nothing_too() -> None:
    text = """spec 1
model M {
  input x: float[N, 4]
  widths = ()
  for k in range(3) { widths = widths + (4 + k,) }
  output x -> Linear(widths[2])
}
"""
    assert made_of(text)(torch.randn(2, 4)).shape == (2, 6)


@pytest.mark.parametrize(
    ("before", "after"),
    [("[x]", "x"), ("x", "[x]"), ("[x]", "(1, 2)"), ("[]", "x"), ("(1, 2)", "[x]")],
)
def test_what_is_a_list_stays_one(before: str, after: str) -> None:
    body = (
        f"  input x: float[N, 4]\n  y = {before}\n  for k in range(2) {{ y = {after} }}\n  output x"
    )
    assert {code for code, _ in faults(body)} >= {"E0238"}


LISTS = """spec 1
model M(n: int = 2) {
  input maps: [float[N, 3, H // 2 ** k, W // 2 ** k] for k in range(n)] where H % 2 == 0, W % 2 == 0
  input bias: float[N, 2]
  heads = [mean(x -> head: Conv2d(2, 1), dim=(2, 3)) + bias for x in maps]
  output heads, bias
}
"""


def test_lists_go_into_a_model_and_out_of_it_item_by_item() -> None:
    made = made_of(LISTS)
    fine, coarse, bias = torch.randn(2, 3, 4, 6), torch.randn(2, 3, 2, 3), torch.randn(2, 2)
    wanted = [
        layer(x).mean(dim=(2, 3)) + bias for layer, x in zip(made.head, (fine, coarse), strict=True)
    ]
    held(made, [fine, coarse, bias], [*wanted, bias])
    model = analyse(LISTS, "m.spec").model()
    assert [value.name for value in model.inputs] == ["maps_0", "maps_1", "bias"]
    assert [output.name for output in model.outputs] == ["heads_0", "heads_1", "bias"]


@pytest.mark.parametrize(
    "train",
    [
        "  input wanted: [float[N, 2] for k in range(2)]\n"
        "  loss = MSELoss(heads[0], wanted[0]) + MSELoss(heads[1], wanted[1])\n"
        "  optimizer SGD(lr=0.1)\n",
        "  input weight: unit[N]\n  count = sum(weight)\n  accumulate 2 by count\n"
        "  loss = sum(weight * mean(heads[0] + heads[1], dim=1)) / count\n"
        "  optimizer SGD(lr=0.1)\n",
        "  input fine: float[N, 3, 4, 4]\n  input bias: float[N, 2]\n"
        "  heads, _ = M([fine, avg_pool2d(fine, 2)], bias)\n"
        "  loss = mean(heads[0] * heads[1])\n  optimizer SGD(lr=0.1) on M\n",
    ],
)
def test_a_training_names_them_as_lists(train: str) -> None:
    assert tried(LISTS + "train {\n" + train + "}\n") == RAN


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("  input x: float[N, 4]\n  xs = [x, x]\n  output xs, xs", "E0233"),
        ("  input xs: [float[N, 4] for k in range(0)]\n  output xs", "E0223"),
        ("  input xs: [float[N, 2 * D] for k in range(2)]\n  output xs", "E0223"),
        ("  input xs: [float[N, 4] for k in range(N)]\n  output xs", "E0201"),
        (
            "  input xs_1: float[N]\n  input xs: [float[N, 4] for k in range(2)]\n  output xs",
            "E0230",
        ),
        ("  input N: float[2]\n  input xs: [float[2] for N in range(2)]\n  output xs", "E0230"),
    ],
)
def test_lists_of_a_model_that_are_none(body: str, code: str) -> None:
    assert [each for each, _ in faults(body)] == [code]


def test_append_is_told_as_it_is_written_here() -> None:
    text = """spec 1
model M {
  input x: float[N, 4]
  xs = []
  for k in range(2) { 
    x = x * 2
    xs.append(x)
  }
  output xs[0] + xs[1]
}
"""
    (fault,) = check_text(text)[1]
    assert fault.code == "E0102" and fault.help == "bind what it gives: `xs = xs + [x]`"
    assert check_text(text.replace("xs.append(x)", "xs = xs + [x]"))[1] == []
