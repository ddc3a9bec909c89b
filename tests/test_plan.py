"""Readings merged into classes and loops: what one text says for all, and where it takes more."""

from __future__ import annotations

import re

import pytest
import torch
from ir_interpreter import interpret

from specc import ir
from specc.emit import emit
from specc.emit.forms import Different, Standpoint, agree
from specc.semantics import analyse
from specc.sizes import symbol
from specc.targets.live import module_class

ROUND, C, W = symbol("i"), symbol("C"), symbol("width")


def rounds(*forms: ir.Static) -> list[tuple[ir.Static, Standpoint]]:
    """``forms`` as they were read in the rounds 0, 1, ... of a loop over ``i``."""
    return [(form, Standpoint(0, {"i": i}, {"i": i})) for i, form in enumerate(forms)]


def emitted(blocks: str, body: str, **settings: object) -> str:
    """The source of a model, held against a reading of its graph to the bit."""
    text = f"spec 1\n{blocks}\nmodel Net(dim: int = 4) {{\n input x: float[N, dim]\n{body}\n}}\n"
    program = analyse(text, "m.spec", settings)
    source = emit(program)
    model = program.model()
    live = module_class(source, "Net", "m")()
    assert [name for name, _ in live.named_parameters()] == [n for n, _, _ in model.parameters()]
    batch = torch.randn(3, *(int(size) for size in live_shape(model)))
    with torch.no_grad():
        result = live(batch)
        (wanted,) = interpret(model, [batch], dict(live.named_parameters()))
    assert torch.equal(result, wanted)
    return source


def live_shape(model: ir.Module) -> list[object]:
    _, *sizes = model.inputs[0].type.shape
    return [ir.static_value(size, model.values) for size in sizes]


def classes(source: str) -> list[str]:
    return re.findall(r"^class (\w+)", source, re.MULTILINE)


# ── one form for several ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("forms", "said"),
    [
        ((4, 4, 4), "4"),
        ((ROUND, ROUND, ROUND), "i"),
        ((3, 5, 7), "2 * i + 3"),
        ((W, W + 2, W + 4), "2 * i + width"),
        ((W, W + C, W + 2 * C), "C * i + width"),
        (("relu", "relu"), "relu"),
        ((True, True), "True"),
        (((3, ROUND), (3, ROUND)), "(3, Poly(i))"),
    ],
)
def test_rounds_that_agree(forms: tuple[ir.Static, ...], said: str) -> None:
    assert str(agree(rounds(*forms))) == said


@pytest.mark.parametrize(
    "forms",
    [
        (3, 5),  # two numbers lie on a line whatever they are
        (1, 2, 4),
        (W, W + 2, W + 5),
        (W, C, W),
        ("relu", "tanh", "relu"),
        (0.1, 0.2, 0.3),
        (True, False, True),
        ((3, 4), (3, 4, 5)),
        (1, True, 1),
    ],
)
def test_rounds_that_do_not(forms: tuple[ir.Static, ...]) -> None:
    with pytest.raises(Different):
        agree(rounds(*forms))


def test_variants_agree_where_their_values_do() -> None:
    here, there = Standpoint(0, {"C": 8, "width": 8}), Standpoint(1, {"C": 3, "width": 8})
    assert agree([(W, here), (W, there)]) == W
    assert agree([(C, here), (3, there)]) == C
    assert agree([(8, here), (C, there)]) == C
    assert agree([(W, here), (C, there)]) == C
    with pytest.raises(Different):
        agree([(W, here), (5, there)])


# ── classes ──────────────────────────────────────────────────────────────────────────────────────

BOTTLE = (
    "block Bottle(inner: int, act: bool = true) {\n input x: float[N, D]\n"
    " h = x -> down: Linear(inner)\n if act { h = relu(h) }\n"
    " if inner < D { x = x -> proj: Linear(D) }\n output x + (h -> up: Linear(D))\n}"
)


def test_a_block_of_many_sizes_is_one_class() -> None:
    source = emitted(BOTTLE, "output x -> Bottle(2) -> Bottle(9) -> Linear(6) -> Bottle(3)")
    assert classes(source) == ["Bottle", "Net"]
    assert "def __init__(self, D: int, inner: int, act: bool = True) -> None:" in source
    assert "self.bottle_3 = Bottle(6, 3)" in source
    assert "if inner < D:" in source


def test_a_param_that_decides_is_a_flag_of_the_module() -> None:
    source = emitted(BOTTLE, "output x -> Bottle(2) -> Bottle(2, act=false)")
    assert classes(source) == ["Bottle", "Net"]
    assert "act: Final[bool]" in source and "if self.act:" in source


def test_a_block_inside_itself_is_one_class() -> None:
    tree = (
        "block Tree(n: int) {\n input x: float[N, D]\n x = x -> fc: Linear(D)\n"
        " if n > 0 { x = x -> Tree(n - 1) }\n output x\n}"
    )
    source = emitted(tree, "output x -> Tree(3) -> Tree(1)")
    assert classes(source) == ["Tree", "Net"]
    assert "self.tree_1 = Tree(D, n - 1)" in source


SPLIT = (
    "block Inner(w: int) {\n input x: float[N, D]\n"
    " for k in (1, 2, 7) { if k > w { x = x -> a: Linear(D) } else { x = tanh(x) } }\n"
    " output x\n}\n"
)


def test_where_no_text_says_all_there_are_as_many_classes_as_it_takes() -> None:
    source = emitted(SPLIT, "output x -> Inner(1) -> Inner(2) -> Inner(1) -> Inner(3)")
    assert classes(source) == ["Inner", "Inner2", "Net"]
    assert "only this case of `if` was built" in source


def test_what_holds_blocks_of_two_classes_is_two_classes() -> None:
    outer = "block Outer(w: int) {\n input x: float[N, D]\n output x -> i: Inner(w) -> Linear(D)\n}"
    source = emitted(SPLIT + outer, "output x -> Outer(1) -> Outer(2) -> Outer(1)")
    assert classes(source) == ["Inner", "Inner2", "Outer", "Outer2", "Net"]


def test_blocks_of_two_classes_inside_themselves_keep_their_way() -> None:
    ping = (
        "block Ping(w: int) {\n input x: float[N, D]\n"
        " for k in (1, 2, 7) { if k > w { x = x -> a: Linear(D) } else { x = tanh(x) } }\n"
        " if w > 0 { x = x -> Pong(w - 1) }\n output x\n}\n"
        "block Pong(w: int) {\n input x: float[N, D]\n output x -> Linear(D) -> Ping(w)\n}"
    )
    source = emitted(ping, "output x -> Ping(3) -> Ping(1)")
    assert classes(source)[-1] == "Net"
    assert len(set(classes(source))) == len(classes(source))


def test_a_loop_over_blocks_of_two_classes_is_written_out() -> None:
    source = emitted(SPLIT, "output x -> repeat(3) Inner(i)")
    assert "Inner(dim, 0), Inner2(dim, 1)" in re.sub(r"\s+", " ", source)


# ── loops ────────────────────────────────────────────────────────────────────────────────────────


def test_a_width_on_a_line_is_said_in_the_round_s_number() -> None:
    body = "b: for i in range(3) { x = x -> Linear(dim + 2 * i) -> Linear(dim) }\n output x"
    source = emitted("", body)
    assert "nn.Linear(dim, dim + 2 * i)" in source
    assert "for i in range(3)" in source


def test_a_width_that_grows_from_round_to_round_is_a_line() -> None:
    body = "b: for i in range(4) { x = x -> Linear(dim * (i + 2)) }\n output x"
    source = emitted("", body, dim=3)
    assert "for i in range(4)" in source
    assert len(re.findall(r"nn\.Linear\(", source)) == 1


def test_rounds_that_differ_are_written_out() -> None:
    body = "b: for i in range(3) { if i == 1 { x = x -> ReLU } else { x = x -> Tanh } }\n output x"
    source = emitted("", body)
    assert source.count("nn.Tanh()") == 2 and source.count("nn.ReLU()") == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        # Two names change places each round.
        ("a = x * 2\n for i in range(3) { a, x = (x, a) }\n output a - x", "a, x = (x, a)"),
        # What enters is read after the loop, too.
        ("a = x\n for i in range(2) { a = a -> Tanh }\n output a + x", "for tanh in self.tanh_1:"),
        # One name takes over what another was, and goes on.
        (
            "a = x\n for i in range(2) { b = a\n a = b + x\n x = b }\n output a * x",
            "for _ in range",
        ),
        # Nothing of the loop is read.
        ("for i in range(3) { a = x * i }\n output x", "return x"),
        # A value of before the loop is read in each round.
        ("a = relu(x)\n for i in range(3) { x = x + a * i }\n output x", "for i in range(3):"),
        # No rounds: what enters comes out.
        ("a = x * 2\n for i in range(0) { a = a * 3 }\n output a", "return"),
        # The rounds of the inner loop are counted by the outer.
        ("for i in range(3) { for j in range(i) { x = x -> Linear(dim) } }\n output x", "range(i)"),
        ("ys = [x * i for i in range(3)]\n output ys[0] - ys[2]", "[x * i for i in range(3)]"),
        ("ys = [x -> Tanh for i in (1, 2)]\n output mean(stack(ys, dim=0), dim=0)", "for tanh in"),
    ],
)
def test_what_loops_carry(body: str, said: str) -> None:
    source = emitted("", body)
    flat = re.sub(r"\s+", " ", source)
    assert said in flat or said.replace("(x, a)", "x, a") in flat, source


@pytest.mark.parametrize("dim", [2, 4, 5])
def test_what_branches_change(dim: int) -> None:
    block = (
        "block B(w: int) {\n input x: float[N, D]\n a = x\n b = tanh(x)\n"
        " if w > D { a = b\n x = a * 2 } else { b = x - 1 }\n"
        " if w % 2 == 0 { a, b = (b, a) }\n output a + b * x\n}"
    )
    source = emitted(block, "output x -> B(3) -> B(4) -> B(9) -> B(8)", dim=dim)
    assert classes(source) == ["B", "Net"]


@pytest.mark.parametrize("word", ["self", "torch", "nn", "zip", "len", "range", "super", "F"])
def test_names_that_the_source_wants_itself(word: str) -> None:
    name = f"{word}_x" if word in ("self", "super") else word
    body = f"{name} = x -> Linear(dim)\n for i in range(2) {{ {name} = {name} + x }}\n"
    emitted("", f"{body} output {name}")
