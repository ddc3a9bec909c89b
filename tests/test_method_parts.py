"""Readings merged into classes and loops: what one text says for all, and where it takes more."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest
import torch
from ir_interpreter import interpret

from specc import ir
from specc.emit import emit
from specc.emit.merging import grouping
from specc.emit.merging.common_forms import Different, Standpoint, agree
from specc.emit.merging.merge import merge
from specc.emit.merging.views import View
from specc.emit.writing.method_parts import Part
from specc.errors import SpecError
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
    agrees(model, live)
    return source


def agrees(model: ir.Module, live: torch.nn.Module) -> None:
    """Holds ``live`` in training, its outputs and its state afterwards, against the graph."""
    batch = torch.randn(3, *(int(size) for size in live_shape(model)))
    state = {name: tensor.clone() for name, tensor in live.state_dict().items()}
    with torch.no_grad():
        torch.manual_seed(1)
        result = live(batch)
        torch.manual_seed(1)
        wanted = interpret(model, [batch], state)
    results = result if isinstance(result, tuple) else (result,)
    for ours, theirs in zip(results, wanted, strict=True):
        assert torch.equal(ours, theirs)
    assert all(torch.equal(tensor, state[name]) for name, tensor in live.state_dict().items())


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


def test_variants_agree_where_what_they_took_says_so() -> None:
    here = Standpoint(0)
    there = Standpoint(1, {"C": W})  # as where `if C != width` was not taken
    assert agree([(W, here), (C, there)]) == W
    assert agree([(C, here), (W, there)]) == C
    assert agree([(2 * C + 1, there), (2 * W + 1, here)]) == 2 * W + 1
    assert agree([(8, here), (C, Standpoint(1, {"C": 8}))]) == 8
    for one, other in ((W, C), (8, C), (C, 3)):
        with pytest.raises(Different):
            agree([(one, here), (other, Standpoint(1))])
    with pytest.raises(Different):
        agree([(8 // C, here), (W, Standpoint(1, {"C": 0}))])


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


def test_rounds_that_choose_are_one_class() -> None:
    source = emitted(SPLIT, "output x -> Inner(1) -> Inner(2) -> Inner(1) -> Inner(3)")
    assert classes(source) == ["Inner", "Net"]
    assert "if k > w:" in source and "build the spec again" not in source


# A list that grows has no form but its rounds, which are others by the param.
GROWING = (
    "block Inner(w: int) {\n input x: float[N, D]\n found = [x]\n"
    " for k in (1, 2, 7) { if k > w { found = found + [x -> a: Linear(D)] } }\n"
    " output cat(found, dim=1) -> b: Linear(D)\n}\n"
)


def test_where_no_text_says_all_there_are_as_many_classes_as_it_takes() -> None:
    source = emitted(GROWING, "output x -> Inner(1) -> Inner(2) -> Inner(1) -> Inner(3)")
    assert classes(source) == ["Inner", "Inner2", "Net"]
    assert "only this case of `if` was built" in source


def test_what_holds_blocks_of_two_classes_is_two_classes() -> None:
    outer = "block Outer(w: int) {\n input x: float[N, D]\n output x -> i: Inner(w) -> Linear(D)\n}"
    source = emitted(GROWING + outer, "output x -> Outer(1) -> Outer(2) -> Outer(1)")
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
    source = emitted(GROWING, "output x -> repeat(3, i) Inner(i)")
    assert "Inner(dim, 0), Inner2(dim, 1)" in re.sub(r"\s+", " ", source)


def merged_readings(uses: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """How many readings were held together to emit a model of these uses, and its source."""
    block = (
        "block B(a: int, k: int) {\n input x: float[N, D]\n x = x -> Linear(a ** k) -> Linear(D)\n"
        " for j in (1, 2) { if k > j { x = x + 1 } }\n output x\n}\n"
    )
    chain = "\n".join(f" x = x -> {use}" for use in uses)
    model = f"model Net {{\n input x: float[N, 4]\n{chain}\n output x\n}}\n"
    program = analyse(f"spec 1\n{block}{model}", "m.spec")
    counts = []

    def counted(views: Sequence[View]) -> tuple[Part, ...]:
        counts.append(len(views))
        return merge(views)

    with monkeypatch.context() as patched:
        patched.setattr(grouping, "merge", counted)
        return sum(counts), emit(program)


@pytest.mark.parametrize(
    ("use", "made"),
    [
        (lambda k: f"B(2, {k % 4})", 4),  # a few classes of many
        (lambda k: f"B({k + 2}, 1)", None),  # a class for each
    ],
)
def test_the_work_of_sorting_readings_grows_with_their_number(
    use: Callable[[int], str], made: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = {}
    for count in (20, 80):
        readings = [use(k) for k in range(count)]
        work[count], source = merged_readings(readings, monkeypatch)
        assert len(classes(source)) - 1 == min(made or count, len(set(readings)))
    assert work[80] <= 4 * work[20]


# ── made with other arguments ────────────────────────────────────────────────────────────────────


def remade(text: str, **settings: object) -> str:
    """The source of ``text`` as it stands. Its class, made with ``settings``, is held against the
    graph that they give."""
    source = emit(analyse(f"spec 1\n{text}", "m.spec"))
    model = analyse(f"spec 1\n{text}", "m.spec", settings).model()
    live = module_class(source, model.name, "m")(**settings)
    found = [(name, tuple(parameter.shape)) for name, parameter in live.named_parameters()]
    assert found == [(name, shape) for name, _, shape in model.parameters()]
    agrees(model, live)
    return source


def test_sizes_that_are_equal_by_chance_are_two_classes() -> None:
    text = (
        "block B(channels: int, wide: bool) {\n input x: float[N, C]\n"
        " if wide { x = x -> Linear(channels) }\n output x -> Linear(4)\n}\n"
        "model Net(width: int = 8, dim: int = 8) {\n input x: float[N, 4]\n"
        " output x -> B(width, true) -> Linear(dim) -> B(width, false)\n}\n"
    )
    assert classes(remade(text, width=16)) == ["B", "B2", "Net"]
    remade(text, width=3, dim=5)


SKIP = (
    "block Skip(channels: int, stride: int = 1) {\n input x: float[N, C]\n"
    " h = x -> Linear(channels)\n skip = x\n"
    " if stride != 1 or C != channels { skip = x -> down: Linear(channels) }\n"
    " output relu(h + skip)\n}\n"
    "block Stage(channels: int, depth: int) {\n input x: float[N, C]\n"
    " output x -> Skip(channels) -> repeat(depth - 1) Skip(channels)\n}\n"
)


def test_sizes_that_are_equal_where_a_branch_says_so_are_one() -> None:
    text = (
        f"{SKIP}model Net(width: int = 4) {{\n input x: float[N, 4]\n"
        " output x -> Stage(width, 2) -> Stage(2 * width, 3)\n}\n"
    )
    source = remade(text)
    assert classes(source) == ["Skip", "Stage", "Net"]
    # What the first stage gives was read where its first block takes x as it is.
    assert "Stage(self.stage_1.out_features, 2 * width, 3)" in source
    remade(text, width=6)
    head, _, tail = text.rpartition("output x ->")
    wide = f"{head}output x -> Linear(width) ->{tail}"
    assert "assert" not in remade(wide, width=6)
    assert classes(remade(wide, width=1)) == ["Skip", "Stage", "Net"]


def test_sides_that_were_not_taken_together_are_not_built() -> None:
    text = (
        "block B(a: bool, b: bool) {\n input x: float[N, C]\n"
        " if a { w = 5 } else { w = 4 }\n if a { x = x + 1 } else { x = x + 2 }\n"
        " if b { x = x -> Linear(w) } else { x = x * 2 }\n output x -> Linear(C)\n}\n"
        "model Net(a: bool = true) {\n input x: float[N, 4]\n"
        " output x -> B(a, true) -> B(false, false)\n}\n"
    )
    source = remade(text)
    with pytest.raises(AssertionError, match="build the spec again"):
        module_class(source, "Net", "m")(a=False)


def test_a_branch_inside_a_branch_counts_where_it_is_reached() -> None:
    block = (
        "block B(a: bool, b: bool) {\n input x: float[N, C]\n"
        " if a { x = x + 1\n if b { x = x * 2 } else { x = x * 3 } } else { x = x - 1 }\n"
        " if b { x = tanh(x) } else { x = relu(x) }\n output x\n}\n"
    )
    uses = "B(true, true) -> B(true, false) -> B(false, false)"
    text = f"{block}model Net(a: bool = true) {{\n input x: float[N, 4]\n output x -> {uses}\n}}\n"
    source = re.sub(r"\s+", " ", remade(text))
    assert "sides = (a, a and b, b)" in source
    assert "built = ((True, True, True), (True, False, False), (False, False, False))" in source
    every = text.replace(" -> B(true, false)", " -> B(true, false) -> B(false, true)")
    assert "assert" not in remade(every)


def test_a_name_of_one_side_is_read_where_that_side_was_taken() -> None:
    block = (
        "block B(a: bool, b: bool) {\n input x: float[N, C]\n if a { h = relu(x) }\n"
        " if b { x = h + 1 }\n output x\n}\n"
    )
    source = emitted(block, "output x -> B(true, true) -> B(false, false)")
    assert classes(source) == ["B", "B2", "Net"]


def test_a_number_made_of_a_param_on_one_side_binds_the_other_to_its_own() -> None:
    text = (
        "block B(w: int, wide: bool) {\n input x: float[N, C]\n"
        " if wide { x = x -> Linear(w ** w) -> Linear(C) }\n output x\n}\n"
        "model Net {\n input x: float[N, 4]\n output x -> B(2, true) -> B(7, false)\n}\n"
    )
    remade(text)


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


@pytest.mark.parametrize(
    ("statements", "settings"),
    [
        # A number of rounds went into a size.
        ("ys = [x -> Linear(3) for i in range(2 * depth)]\n output cat(ys, dim=1) -> Linear(2)",
         {"depth": 2}),
        ("ys = [x -> Linear(3) for i in range(depth)]\n output cat(ys, dim=1) -> Linear(2)",
         {"depth": 2}),
        ("x = x -> { Tanh -> repeat(depth) Linear(8) }\n output x", {"depth": 2}),
    ],
)  # fmt: skip
def test_loops_whose_rounds_went_into_a_size_are_built_for_so_many(
    statements: str, settings: dict[str, int]
) -> None:
    text = (
        f"model Net(dim: int = 4, depth: int = 1) {{\n input x: float[N, dim]\n {statements}\n}}\n"
    )
    source = emit(analyse(f"spec 1\n{text}", "m.spec"))
    module_class(source, "Net", "m")()
    with pytest.raises(AssertionError, match=r"built for \d rounds?: build the spec again"):
        module_class(source, "Net", "m")(**settings)


@pytest.mark.parametrize(
    "statements",
    [
        "output x -> repeat(depth) Linear(dim)",
        "x = x -> Linear(6)\n b: for i in range(depth) { x = x + (x -> Linear(6)) }\n output x",
        "ys = [x -> Linear(3) for i in range(depth)]\n"
        " output mean(stack(ys, dim=1), dim=1) -> Linear(2)",
        "b: for i in range(depth) { x = x -> Linear(dim * (i + 2)) -> Linear(dim) }\n output x",
        # What enters a second round is not what entered the first.
        "output x -> repeat(depth) Linear(8)",
        "b: for i in range(depth) { x = x -> Linear(dim + 2 * i) }\n output x",
        "x = x -> repeat(depth + 1) { ConstantPad1d((1, 1), 0.0) }\n output x -> Linear(2)",
    ],
)
def test_loops_that_are_right_for_any_number_of_rounds(statements: str) -> None:
    text = (
        f"model Net(dim: int = 4, depth: int = 2) {{\n input x: float[N, dim]\n {statements}\n}}\n"
    )
    for depth in (1, 2, 3, 5):
        assert "assert" not in remade(text, depth=depth)


def test_rounds_that_differ_choose() -> None:
    body = "b: for i in range(3) { if i == 1 { x = x -> ReLU } else { x = x -> Tanh } }\n output x"
    source = emitted("", body)
    assert source.count("nn.Tanh()") == source.count("nn.ReLU()") == 1
    assert source.count("if i == 1:") == 2


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


# ── declared outside, fed inside ─────────────────────────────────────────────────────────────────

TWICE = "block Twice {\n input x: float[N, D]\n output x -> Linear(2 * D) -> Linear(4)\n}\n"


@pytest.mark.parametrize("declared", ["Linear(4)", "Twice"])
@pytest.mark.parametrize(
    ("loop", "made"),
    [
        ("for i in (6, 6) { x = shared(x -> Linear(i)) }", "6"),
        ("b: for i in range(k, k + 1) { x = shared(x -> Linear(2 * i)) }", "2 * k"),
        ("for i in range(2) { for j in (i + k, k + i) { y = shared(x -> Linear(j - i)) } }", "k"),
        (
            "for i in range(3) { for j in (k + i, k + i) { y = shared(x -> Linear(5 + 0 * j)) } }",
            "5",
        ),
        ("ys = [shared(x -> Linear(i)) for i in (k, k, k)]\n x = ys[0] + ys[1]", "k"),
    ],
)
def test_a_layer_declared_outside_a_loop_is_made_in_the_terms_of_outside(
    declared: str, loop: str, made: str
) -> None:
    text = (
        f"{TWICE}model Net(k: int = 3) {{\n input x: float[N, 4]\n layer shared = {declared}\n"
        f" {loop}\n output x\n}}\n"
    )
    source = remade(text)
    head = "nn.Linear" if declared == "Linear(4)" else "Twice"
    assert f"self.shared = {head}({made}" in source


def test_a_layer_that_later_rounds_feed_another_size_is_refused() -> None:
    text = (
        "model Net {\n input x: float[N, 4]\n layer shared = Linear(4)\n"
        " for i in (8, 16) { x = shared(x -> Linear(i)) }\n output x\n}\n"
    )
    with pytest.raises(SpecError) as caught:
        remade(text)
    assert {item.code for item in caught.value.diagnostics()} == {"E0213"}


# ── the order of what draws noise or changes a state ─────────────────────────────────────────────

LONG = (
    "Linear(16, bias=false) -> LayerNorm(eps=0.0001, elementwise_affine=false) -> Linear(dim)"
    " -> Softplus(beta=2.0, threshold=30.0)"
)


@pytest.mark.parametrize(
    "output",
    [
        f"drop(x) + (x -> {LONG} -> Dropout(0.3))",
        f"norm(x) - norm(x -> {LONG})",
        f"norm(drop(x)) + norm(drop(x) -> {LONG})",
        f"mean(stack([norm(x), x -> {LONG} -> Dropout(0.1), drop(x), drop(x * 2)], dim=0), dim=0)",
        f"drop(x), (x -> {LONG} -> Dropout(0.3))",
        f"(x -> {LONG} -> Dropout(0.3)), drop(x), norm(drop(x))",
        # A list, on the line of what comes before it.
        "drop(x) + mean(stack([x -> Dropout(0.3) for i in range(2)], dim=0), dim=0)",
        "drop(x) * mean(stack([drop(x) -> Noisy for i in range(2)], dim=0), dim=0) + norm(x)",
        f"drop(x) + (x -> Noisy -> {LONG} -> Noisy)",
        "drop(x) @ (drop(x -> Linear(dim)) -> Linear(dim)).T",
        f"(drop(x) + norm(drop(x))) * ((x -> {LONG}) + norm(x))",
    ],
)
def test_noise_is_drawn_and_states_change_in_the_order_of_the_spec(output: str) -> None:
    noisy = "block Noisy {\n input x: float[N, D]\n y = x -> Dropout(0.5)\n output y + x\n}"
    layers = "layer drop = Dropout(0.5)\n layer norm = BatchNorm1d\n"
    body = f"{layers} x = norm(drop(x))\n output {output}"
    emitted(noisy, body)


def test_what_has_no_effect_stays_nested() -> None:
    source = emitted("", f"output (x -> Linear(dim)) + (x -> {LONG} -> BatchNorm1d)")
    assert "return self.linear_1(x) + self.batchnorm1d_1(" in source
