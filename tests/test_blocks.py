"""Blocks, loops, branches and lists as they are read: binding, sizes, sharing, names.

Non-goal: their faults (``test_reports``).
"""

from __future__ import annotations

import pytest
from block_programs import DENSE, NET, codes, faults, model_of, program_of

from specc import ir
from specc.errors import Diagnostic, SpecError
from specc.semantics import analyse
from specc.sizes import symbols


def names(module: ir.Module) -> list[str]:
    """The names of the weights, biases left out."""
    found = [name for name, _, _ in module.parameters()]
    return [name.removesuffix(".weight") for name in found if not name.endswith("bias")]


def shapes(module: ir.Module) -> dict[str, tuple[int, ...]]:
    return {name: shape for name, _, shape in module.parameters()}


HALF = "block Half {\n input x: float[N, D]\n y = x -> a: Linear(D // 2)\n output y\n}"


# ── binding ──────────────────────────────────────────────────────────────────────────────────────


def test_shape_names_are_the_caller_s_sizes() -> None:
    model = model_of(HALF, "output x -> Half -> Half")
    assert shapes(model)["half_1.a.weight"] == (4, 8)
    assert shapes(model)["half_2.a.weight"] == (2, 4)
    assert (
        str(model.outputs[0].value.type) == "float[N, dim // 2 // 2]"
        or str(model.outputs[0].value.type) == "float[N, dim // 4]"
    )


def test_open_sizes_stay_open_through_a_block() -> None:
    block = (
        "block Pool {\n input x: float[N, C, H, W]\n"
        " output x -> Conv2d(2 * C, 3, padding=1) -> MaxPool2d(2)\n}"
    )
    net = "model M {\n input x: float[N, 3, H, W]\n output x -> Pool -> Pool\n}\n"
    model = analyse(f"spec 1\n{block}\n{net}", "m.spec").model()
    assert str(model.outputs[0].value.type) == "float[N, 12, H // 4, W // 4]"


def test_one_set_of_params_and_sizes_is_read_once() -> None:
    model = model_of(DENSE, "output x -> repeat(3) Dense(4) -> Dense(4) -> Dense(5)")
    blocks = [layer.module for _, layer in model.all_blocks]
    assert len(blocks) == 5
    assert len({id(block) for block in blocks}) == 2


def test_defaults_may_speak_of_earlier_params() -> None:
    block = (
        "block B(width: int, inner: int = 2 * width) {\n input x: float[N, D]\n"
        " output x -> Linear(inner) -> Linear(width)\n}"
    )
    assert shapes(model_of(block, "output x -> B(3)"))["b_1.0.weight"] == (6, 8)
    assert shapes(model_of(block, "output x -> B(3, inner=5)"))["b_1.0.weight"] == (5, 8)


def test_several_inputs_and_outputs() -> None:
    block = (
        "block Mix {\n input a: float[N, D]\n input b: float[N, E]\n"
        " s = cat([a, b], dim=1) -> Linear(D)\n output s, b -> Linear(D + E)\n}"
    )
    model = model_of(block, "y = x -> Linear(3)\n s, t = Mix()(x, y)\n output s, t")
    assert [str(output.value.type) for output in model.outputs] == [
        "float[N, dim]", "float[N, dim + 3]",
    ]  # fmt: skip


def test_recursion_ends_where_the_branch_says() -> None:
    block = (
        "block Tree(depth: int) {\n input x: float[N, D]\n x = x -> fc: Linear(D)\n"
        " if depth > 0 { x = x -> inner: Tree(depth - 1) }\n output x\n}"
    )
    model = model_of(block, "output x -> tree: Tree(3)")
    assert names(model) == [f"tree.{'inner.' * depth}fc" for depth in range(4)]


def test_a_block_declared_is_one_block_for_all_its_uses() -> None:
    model = model_of(DENSE, "layer both = Dense(4)\n output both(x) + both(2 * x)")
    assert names(model) == ["both.0", "both.1"]
    calls = [node for node in ir.flat_nodes(model.nodes) if isinstance(node, ir.LayerCall)]
    assert [call.layer for call in calls] == ["both", "both"]


def test_a_block_declared_keeps_its_sizes() -> None:
    assert codes(DENSE, "layer both = Dense(4)\n output both(x) + both(x -> Linear(3))") == [
        "E0213"
    ]


def test_a_layer_declared_in_a_branch_may_be_fed_after_it() -> None:
    model = model_of("", "if depth == 2 { layer a = Linear(dim) }\n output a(x -> fc: Linear(dim))")
    assert names(model) == ["a", "fc"]


def test_a_weight_is_tied_inside_a_loop() -> None:
    model = model_of(
        "", "layer emb = Linear(dim, bias=false)\n"
        "for i in range(depth) { x = emb(x) @ emb.weight.T }\n output x",
    )  # fmt: skip
    assert names(model) == ["emb"]
    reads = [node for node in ir.flat_nodes(model.nodes) if isinstance(node, ir.ParameterRead)]
    assert [read.layer for read in reads] == ["emb", "emb"]


# ── conditions ───────────────────────────────────────────────────────────────────────────────────

EVEN = "block Even {\n input x: float[N, D] where D % 3 == 0\n output x -> Linear(D // 3)\n}"


def test_a_condition_is_decided_where_the_caller_knows_the_size() -> None:
    model = model_of(EVEN, "output x -> Even", dim=9)
    assert model.conditions == ()
    (fault,) = faults(EVEN, "output x -> Even")
    assert fault.code == "E0242" and fault.span is not None and fault.span.line == 8


def test_a_condition_on_an_open_size_is_the_caller_s() -> None:
    block = "block Even {\n input x: float[N, D] where N % 2 == 0\n output x -> Linear(D)\n}"
    (condition,) = model_of(block, "output x -> Even -> Even").conditions
    assert condition.holds({"N": 4}) and not condition.holds({"N": 3})


def test_a_condition_in_a_round_is_said_without_the_round() -> None:
    body = "for i in range(2, 4) { y = x -> reshape(N // i, i * dim) }\n output x"
    conditions = model_of("", body).conditions
    assert "i" not in {name for each in conditions for name in symbols(each.left - each.right)}
    assert all(condition.holds({"N": 6, "dim": 8}) for condition in conditions)
    assert any(condition.holds({"N": 4, "dim": 8}) is False for condition in conditions)


# ── names ────────────────────────────────────────────────────────────────────────────────────────


def test_a_pure_chain_names_by_position_and_others_by_type() -> None:
    row = "block Row {\n input x: float[N, D]\n output x -> Linear(D) -> ReLU -> Linear(D)\n}"
    model = model_of(row, "y = x -> Row -> Linear(dim)\n output y -> Linear(dim) -> Row")
    assert names(model) == ["row_1.0", "row_1.2", "linear_1", "linear_2", "row_2.0", "row_2.2"]


def test_inserting_a_layer_elsewhere_renames_no_labelled_one() -> None:
    before = model_of("", "y = x -> fc: Linear(dim)\n output y -> out: Linear(dim)")
    after = model_of("", "y = x -> Linear(dim) -> fc: Linear(dim)\n output y -> out: Linear(dim)")
    assert names(before) == ["fc", "out"]
    assert names(after) == ["linear_1", "fc", "out"]


def test_a_made_up_name_keeps_clear_of_labels() -> None:
    model = model_of("", "y = x -> Linear(dim)\n output y -> linear_1: Linear(dim)")
    assert names(model) == ["linear_2", "linear_1"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("blocks: for i in range(2) { x = x -> Linear(dim) }", ["blocks.0", "blocks.1"]),
        (
            "blocks: for i in range(2) { x = x -> a: Linear(dim) -> Linear(dim) }",
            ["blocks.0.a", "blocks.0.linear_1", "blocks.1.a", "blocks.1.linear_1"],
        ),
        ("for i in range(2) { x = x -> fc: Linear(dim) }", ["fc.0", "fc.1"]),
        ("for i in range(2) { x = x -> Linear(dim) }", ["linear_1.0", "linear_1.1"]),
        (
            "b: for i in range(2) { for j in range(2) { x = x -> Linear(dim) } }",
            ["b.0.linear_1.0", "b.0.linear_1.1", "b.1.linear_1.0", "b.1.linear_1.1"],
        ),
        (
            "for i in range(2) { b: for j in range(2) { x = x -> Linear(dim) } }",
            ["b.0.0", "b.0.1", "b.1.0", "b.1.1"],
        ),
        ("x = x -> rows: repeat(2) Linear(dim)", ["rows.0", "rows.1"]),
        ("x = x -> repeat(2) { Linear(dim) -> ReLU }", ["sequential_1.0.0", "sequential_1.1.0"]),
        ("x = x -> r: { Linear(dim) -> repeat(2) Linear(dim) }", ["r.0", "r.1", "r.2"]),
        ("ys = [x -> e: Linear(dim) for i in range(2)]\n x = ys[0] + ys[1]", ["e.0", "e.1"]),
        ("x = x -> r: { Linear(dim) -> out: Linear(dim) }", ["r.0", "r.out"]),
    ],
)
def test_names_in_loops_rows_and_lists(body: str, said: list[str]) -> None:
    assert names(model_of("", body + "\n output x")) == said


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_nothing_that_is_decided_renames_a_layer(depth: int) -> None:
    body = (
        "for i in range(depth) { y = x -> Linear(dim) }\n"
        "if depth > 1 { z = x -> Linear(dim) }\n output x -> Linear(dim)"
    )
    assert names(model_of("", body, depth=depth))[-1] == "linear_3"


def test_layers_are_in_the_order_of_the_text() -> None:
    body = (
        "for i in range(2) {\n for j in range(i) { y = x -> Linear(dim) }\n"
        " z = x -> Linear(dim)\n}\n output x"
    )
    assert names(model_of("", body)) == ["linear_1.1.0", "linear_2.0", "linear_2.1"]
    declared = "layer late = Linear(dim)\n y = x -> fc: Linear(dim)\n output late(y)"
    assert names(model_of("", declared)) == ["late", "fc"]


@pytest.mark.parametrize(
    "body",
    [
        "y = x -> fc: Linear(dim) -> fc: Linear(dim)",
        "y = x -> fc: { Linear(dim) } -> fc: Linear(dim)",
        "fc: for i in range(2) { x = x -> Linear(dim) }\n y = x -> fc: Linear(dim)",
        "for i in range(2) { x = x -> fc: Linear(dim) }\n y = x -> fc: Linear(dim)",
        "y = x -> fc: Linear(dim)\n for i in range(2) { x = x -> fc: Linear(dim) }",
        "for i in range(2) { x = x -> fc: Linear(dim) }\n"
        "for i in range(2) { x = x -> fc: Linear(dim) }",
        "b: for i in range(2) { x = x -> fc: Linear(dim) -> fc: Linear(dim) }",
        "y = x -> r: { fc: Linear(dim) -> fc: Linear(dim) }",
        "layer fc = Linear(dim)\n y = fc(x) -> fc: Linear(dim)",
        "y = x -> fc: repeat(2) Linear(dim)\n layer fc = Linear(dim)",
        "y = [x -> fc: Linear(dim) for i in range(2)]\n z = x -> fc: Linear(dim)",
    ],
)
def test_two_layers_of_one_label_are_refused_wherever_they_are(body: str) -> None:
    assert "E0206" in codes("", body + "\n output x")


def test_both_sides_of_a_branch_may_give_one_label() -> None:
    body = "if depth > 2 { x = x -> fc: Linear(dim) } else { x = x -> fc: ReLU }\n output x"
    assert names(model_of("", body, depth=3)) == ["fc"]
    assert names(model_of("", body, depth=1)) == []


@pytest.mark.parametrize("label", ["items", "keys", "values", "pop", "clear", "update"])
def test_a_label_in_a_loop_hides_nothing_of_its_container(label: str) -> None:
    body = f"b: for i in range(2) {{ x = x -> {label}: Linear(dim) -> Linear(dim) }}\n output x"
    assert codes("", body) == ["E0207"]
    assert names(model_of("", f"output x -> {label}: Linear(dim)")) == [label]


def test_a_selector_sees_into_blocks_and_misses_nothing_silently() -> None:
    block = (
        "block B {\n input x: float[N, D]\n y = x -> fc: Linear(D)\n"
        " init zeros_ on {selector}\n output y\n}"
    )
    model = model_of(block.replace("{selector}", "fc.bias"), "output x -> B -> b: B")
    assert model.initial["b.fc.bias"] == ir.Distribution("constant", 0.0)
    (fault,) = faults(block.replace("{selector}", "fz.bias"), "output x -> B -> b: B")
    assert fault.code == "E0401" and fault.span is not None and fault.span.line == 5


# ── lint ─────────────────────────────────────────────────────────────────────────────────────────


def warnings(blocks: str, body: str) -> list[str]:
    return [
        item.message for item in program_of(blocks, body).warnings if isinstance(item, Diagnostic)
    ]


def test_a_bias_before_a_norm_is_found_in_blocks_rows_and_loops_once() -> None:
    block = "block B {\n input x: float[N, D]\n output x -> fc: Linear(D) -> BatchNorm1d\n}"
    (found,) = warnings(block, "output x -> B -> Linear(4) -> B")
    assert "`fc`" in found
    assert len(warnings("", "output x -> { Linear(dim) -> BatchNorm1d }")) == 1
    assert len(
        warnings("", "for i in range(3) { x = x -> fc: Linear(dim) -> BatchNorm1d }\n output x")
    )


@pytest.mark.parametrize(
    "body",
    [
        "y = x -> Linear(dim)\n z = y -> BatchNorm1d\n output y, z",
        "y = x -> Linear(dim)\n z = y -> BatchNorm1d\n"
        " for i in range(2) { y = relu(y) }\n output y, z",
        "y = x -> Linear(dim)\n z = y -> BatchNorm1d\n if depth > 1 { z = z + y }\n output z",
        "output x -> Linear(dim, bias=false) -> BatchNorm1d",
    ],
)
def test_a_bias_that_something_else_reads_is_left_alone(body: str) -> None:
    assert warnings("", body) == []


def test_a_softmax_at_the_end_of_a_block_is_applied_twice_too() -> None:
    block = "block Head {\n input x: float[N, D]\n output x -> Linear(5) -> Softmax(dim=1)\n}"
    text = (
        f"spec 1\n{block}\n{NET} logits = x -> Linear(6) -> Head\n output logits\n}}\n"
        "train {\n input label: index(5)[N]\n loss = CrossEntropyLoss(logits, label)\n}\n"
    )
    with pytest.raises(SpecError) as caught:
        analyse(text, "m.spec")
    assert caught.value.code == "E0410"
