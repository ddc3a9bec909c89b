"""AST to IR: symbolic shapes, inferred arguments, names, params, every fault in one run.

Non-goal: training (``test_train``).
"""

from __future__ import annotations

import builtins
import inspect
import symtable

import pytest
from conftest import ROOT
from semantics_support import faults, model_of

from specc import front
from specc.emit import emit
from specc.emitted_names import (
    EMITTED_GLOBALS,
    EMITTED_METHODS,
    MODULE_ATTRIBUTES,
)
from specc.errors import SpecError
from specc.semantics import analyse
from specc.sizes import symbol


def shape_of(body: str) -> str:
    return str(model_of(body).outputs[0].value.type)


# ── shapes ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        ("input x: float[N, 3, H, W]\n output x -> Conv2d(8, 3, padding=1)", "float[N, 8, H, W]"),
        (
            "input x: float[N, 3, H, W]\n output x -> Conv2d(8, 3, stride=2)",
            "float[N, 8, (H + 1) // 2 - 1, (W + 1) // 2 - 1]",
        ),
        ("input x: float[N, T, 6]\n output x -> flatten(0, 1)", "float[N * T, 6]"),
        ("input x: float[N, T, 6]\n output x[:, -1]", "float[N, 6]"),
        ("input x: float[N, T, 6]\n output x[:, :-1]", "float[N, T - 1, 6]"),
        ("input x: float[N, T, 6]\n output x[..., 1:4]", "float[N, T, 3]"),
        ("input x: float[N, 4]\n output x @ x.T", "float[N, N]"),
        ("input x: float[N, 4]\n output cat([x, x], dim=0)", "float[2 * N, 4]"),
        ("input x: float[N, 4]\n output x > 0.5", "bool[N, 4]"),
        ("input x: int[N, 4]\n output x / 2", "float[N, 4]"),
        ("input x: index(7)[N, T]\n output x -> Embedding(5)", "float[N, T, 5]"),
        (
            "input x: float[N, 4]\n y = x -> Linear(6)\n output y -> reshape(N, 2, 3)",
            "float[N, 2, 3]",
        ),
    ],
)
def test_shapes_stay_symbolic(body: str, shape: str) -> None:
    assert shape_of(body) == shape


def test_what_the_shapes_say_is_inferred() -> None:
    model = model_of(
        "input x: float[N, 3, 32, 32]\n output x -> a: Conv2d(8, 3) -> b: BatchNorm2d"
        " -> c: MaxPool2d(2) -> Flatten -> d: Linear(10)"
    )
    assert model.layer("a").arguments[0] == ("in_channels", 3)
    assert model.layer("b").arguments == (("num_features", 8),)
    assert model.layer("d").arguments[0] == ("in_features", 8 * 15 * 15)


def test_an_inferred_argument_may_be_said_and_must_be_right() -> None:
    good = (
        "input x: float[N, 3, 32, 32]\n"
        " output x -> Flatten -> Linear(in_features=3072, out_features=5)"
    )
    assert shape_of(good) == "float[N, 5]"
    bad = good.replace("3072", "64*6*6")
    with pytest.raises(SpecError) as caught:
        model_of(bad)
    (item,) = caught.value.diagnostics()
    assert item.code == "E0213"
    assert "2304" in item.message and "3072" in item.message


def test_what_cannot_be_decided_becomes_a_condition() -> None:
    model = model_of("input x: float[N, T]\n output reshape(x, N, -1, 3)")
    assert [str(condition) for condition in model.conditions] == ["T % 3 == 0"]


def test_sizes_that_never_agree_are_an_error() -> None:
    assert faults("input x: float[N, 4]\n input y: float[N + 1, 4]\n output x + y") == [
        ("E0302", 5)
    ]


# ── names ────────────────────────────────────────────────────────────────────────────────────────


def test_unlabelled_layers_count_by_type_and_skip_labels() -> None:
    model = model_of(
        "input x: float[N, 4]\n output x -> Linear(4) -> relu_1: ReLU -> ReLU -> Linear(4) -> ReLU"
    )
    assert [layer.name for layer in model.layers] == [
        "linear_1",
        "relu_1",
        "relu_2",
        "linear_2",
        "relu_3",
    ]


def test_counters_go_on_after_loops_inside_each_other() -> None:
    model = model_of(
        "input x: float[N, 4]\n"
        " for i in range(1) { for j in range(2) { x = x -> Linear(4) } }\n"
        " output x -> Linear(4)"
    )
    assert [layer.name for layer in model.layers] == [
        "linear_1.0.0",
        "linear_1.0.1",
        "linear_2",
    ]


def test_the_position_in_a_repeat_is_no_param_to_build_for() -> None:
    model = model_of("input x: float[N, 4]\n output x -> repeat(2, i) Linear(2 ** i)")
    assert model.fixed == ()


def test_weights_that_nothing_would_load_are_refused() -> None:
    body = ' input x: float[N, 4]\n weights "a.safetensors"\n output x -> Linear(4)\n'
    held = "spec 1\n{} A {{\n" + body + "}}\n"
    user = "model B {\n input x: float[N, 4]\n output x -> A\n}\n"
    for kind, line in (("model", 9), ("block", 4)):
        with pytest.raises(SpecError) as caught:
            analyse(held.format(kind) + user, "m.spec")
        found = [(item.code, item.span.line) for item in caught.value.diagnostics() if item.span]
        assert found == [("E0204", line)]
    train = "train {\n input x: float[N, 4]\n loss = mean(A(x))\n}\n"
    assert analyse(held.format("model") + train, "m.spec").model("A").weights == "a.safetensors"


def test_a_declared_layer_is_shared() -> None:
    model = model_of(
        "input t: index(9)[N, T]\n layer emb = Embedding(4)\n h = emb(t)\n output h @ emb.weight.T"
    )
    assert [layer.name for layer in model.layers] == ["emb"]
    assert str(model.outputs[0].value.type) == "float[N, T, 9]"


def test_a_declared_layer_used_again_must_be_fed_alike() -> None:
    body = "input x: float[N, 4]\n input y: float[N, 5]\n layer f = Linear(3)\n output f(x) + f(y)"
    assert faults(body) == [("E0213", 6)]


def test_the_inputs_of_a_layer_may_be_named_in_torchs_order() -> None:
    made = "layer attend = MultiheadAttention(2, batch_first=true)\n"
    body = (
        "input q: float[N, T, 8] where T > 1\n input k: float[N, S, 8] where S > 1\n"
        f" input hidden: bool[N, S]\n {made} y, _ = {{}}\n output y, k, hidden"
    )
    by_place = model_of(body.format("attend(q, k, k, key_padding_mask=hidden)"))
    for call in (
        "attend(q, value=k, key=k, key_padding_mask=hidden)",
        "attend(query=q, key=k, value=k, key_padding_mask=hidden)",
        "MultiheadAttention(2, batch_first=true)(q, k, value=k, key_padding_mask=hidden)",
    ):
        named = model_of(body.replace(made if call.startswith("Multi") else "", "").format(call))
        types = [str(model.outputs[0].value.type) for model in (named, by_place)]
        assert types == ["float[N, T, 8]"] * 2
    line = "input x: float[N, 4]\n layer f = Linear(3)\n output {}"
    assert shape_of(line.format("f(input=x)")) == "float[N, 3]"
    assert shape_of(line.format("Linear(3)(input=f(x))")) == "float[N, 3]"
    assert faults(line.format("f(x, input=x)")) == [("E0209", 5)]
    assert [code for code, _ in faults(line.format("f(inputs=x)"))] == ["E0224"]


def test_module_attributes_are_torchs_own() -> None:
    from torch import nn

    # Other packages of the test environment hang attributes of their own on torch's class.
    public = {
        name
        for name in dir(nn.Module())
        if not name.startswith("_")
        and getattr(getattr(nn.Module, name, None), "__module__", "torch").startswith("torch")
    }
    assert public <= MODULE_ATTRIBUTES | EMITTED_METHODS


def test_words_that_the_emitted_source_calls_are_no_names_of_classes() -> None:
    """Of every spec of the zoo: what its source reads without having made it."""
    called: set[str] = set()
    for path in sorted((ROOT / "specs").glob("*.spec")):
        table = symtable.symtable(emit(front.read(path)), path.name, "exec")
        tables = [table]
        for inner in tables:
            tables += inner.get_children()
            called |= {item.get_name() for item in inner.get_symbols() if item.is_referenced()
                       and item.is_global()}  # fmt: skip
    assert {"torch", "nn", "super", "zip"} <= called
    assert {name for name in called if hasattr(builtins, name)} <= EMITTED_GLOBALS


@pytest.mark.parametrize("name", ["abs", "max", "min", "round", "math"])
def test_functions_of_numbers_that_the_emitted_source_calls_name_no_block(name: str) -> None:
    text = (
        f"spec 1\nblock {name}(k: int) {{\n  input x: float[N, D]\n  output x -> Linear(k)\n}}\n"
        f"model M {{\n  input x: float[N, 4]\n  output x -> {name}(3)\n}}\n"
    )
    _, found, _ = front.check_text(text)
    assert ("E0205", 2) in [(each.code, each.span.line) for each in found]


@pytest.mark.parametrize("name", ["class", "lambda", "__init__", "__class__", "None"])
def test_names_that_python_keeps_are_refused(name: str) -> None:
    assert ("E0205", 4) in faults(f"input x: float[N, 4]\n {name} = x -> Linear(4)\n output x")


@pytest.mark.parametrize(
    "name",
    [
        "forward",
        "training",
        "state_dict",
        "loss",
        "_private",
        "T_destination",
        "register_buffer",
        "half",
        "graph",
        "from_checkpoint",
    ],
)
def test_labels_that_would_hide_an_attribute_are_refused(name: str) -> None:
    assert faults(f"input x: float[N, 4]\n output x -> {name}: Linear(4)") == [("E0207", 4)]


# ── every fault in one run ───────────────────────────────────────────────────────────────────────


def test_every_fault_of_a_file_is_reported_in_one_run() -> None:
    found = faults(
        "input x: float[N, 3, 32, 32]\n"  # 3
        " a = x -> Conv2D(8, 3)\n"  # 4: unknown layer
        " b = x -> Conv2d(8, 3, strides=2)\n"  # 5: unknown argument
        " c = a -> Linear(4)\n"  # silent: a is faulty
        ' d = x -> Conv2d(8, 3, padding_mode="mirror")\n'  # 7: no such choice
        " e = y + 1\n"  # 8: unknown name
        " output x -> Flatten -> Linear(10)",
        "train {\n input label: index(11)[N]\n loss = CrossEntropyLoss(output, label)\n"
        " optimizer SDG(lr=0.1)\n regularize L2(1e-3) on *.wieght\n}\n"
        "test {\n targets eagre\n}\n",
    )
    assert found == [
        ("E0201", 4),
        ("E0203", 5),
        ("E0212", 7),
        ("E0201", 8),
        ("E0309", 13),
        ("E0405", 14),
        ("E0401", 15),
        ("E0505", 18),
    ]


def test_every_unknown_stage_of_a_pipe_is_reported() -> None:
    body = "input x: float[N, 4]\n output x\n -> Lniear(4)\n -> Relu2\n -> relu\n -> Flattn"
    assert faults(body) == [("E0201", 5), ("E0201", 6), ("E0201", 8)]


def test_a_suggestion_comes_with_an_unknown_name() -> None:
    with pytest.raises(SpecError) as caught:
        model_of("input x: float[N, 4]\n output x -> Liner(4)")
    assert "Linear" in str(caught.value)


# ── params ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "advised"),
    [
        ("x -> Linear(2, bias=False)", "write `false`"),
        ("x.relu()", "write `relu(x)`"),
        ("F.relu(x)", "write `relu(x)`"),
        ("(x + 1).relu()", "write `relu(x + 1)`"),
    ],
)
def test_what_python_would_say_is_translated(written: str, advised: str) -> None:
    with pytest.raises(SpecError) as caught:
        model_of(f"input x: float[N, 4]\n output {written}")
    assert caught.value.help == advised


def test_params_stay_symbolic_and_take_settings() -> None:
    model = model_of(
        "input x: float[N, 4]\n output x -> Linear(2 * width)", "(width: int = 8)", width="5"
    )
    assert str(model.outputs[0].value.type) == "float[N, 2 * width]"
    assert model.params[0].value == 5
    assert model.params[0].default == 8


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"widht": "5"}, "E0601"),
        ({"width": "five"}, "E0602"),
        ({"width": "1" * 40}, "E0602"),
        ({"width": 2.5}, "E0602"),
        ({"width": True}, "E0602"),
        ({"width": "__import__('os')"}, "E0602"),
        ({"a\x1b[31m\n": "1"}, "E0601"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, object], code: str) -> None:
    with pytest.raises(SpecError) as caught:
        model_of("input x: float[N, 4]\n output x -> Linear(width)", "(width: int = 8)", **settings)
    (item,) = caught.value.diagnostics()
    assert item.code == code
    assert "\x1b" not in item.message


def test_a_bias_before_a_batch_norm_is_a_warning() -> None:
    program = analyse(
        "spec 1\nmodel M {\n input x: float[N, 4]\n output x -> Linear(4) -> BatchNorm1d\n}\n",
        "m.spec",
    )
    (warning,) = program.warnings
    assert getattr(warning, "code", None) == "W0301"


def test_analysing_never_imports_torch() -> None:
    import subprocess
    import sys

    code = inspect.cleandoc(
        """
        import sys
        sys.modules["torch"] = None
        from specc.emit import emit
        from specc.semantics import analyse
        program = analyse(
            "spec 1\\nmodel M {\\n input x: float[N, 4]\\n output x -> Linear(4)\\n}\\n", "m.spec"
        )
        assert "class M(nn.Module)" in emit(program)
        """
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ── what torch would refuse when it runs ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        "input x: float[N, 4]\n output x -> Hardtanh(min_val=3.0)",
        "input x: float[N, 4]\n output x -> BatchNorm1d(eps=-1e-5)",
        "input x: float[N, T, 4]\n output x -> LSTM(-1)",
        "input x: float[N, 4, 4]\n output roll(x, (1, 2))",
        "input x: float[N, 4, 4]\n output roll(x, (1, 2), dims=0)",
    ],
)
def test_layers_and_functions_that_torch_refuses_are_refused(body: str) -> None:
    assert faults(body)[0][0] == "E0307"


def test_several_values_are_not_fed_to_a_layer_that_takes_one() -> None:
    assert faults("input x: float[N, 4]\n y = (x, x)\n output y -> LayerNorm")[0][0] == "E0224"


@pytest.mark.parametrize(
    ("index", "conditions"),
    [
        ("-1", []),
        (":-1", ["T >= 2"]),
        ("T - 1", []),
        ("6", ["T >= 7"]),
        ("-3", ["T >= 3"]),
        ("N", ["N + 1 <= T"]),
        (":5", ["T >= 5"]),
        ("2:", ["T >= 3"]),
        ("-3:", ["T >= 3"]),
    ],
)
def test_an_index_that_may_be_outside_states_a_condition(index: str, conditions: list[str]) -> None:
    model = model_of(f"input x: float[N, T, 6]\n output x[:, {index}]")
    stated = [str(condition) for condition in model.conditions]
    assert stated == conditions


def test_a_param_of_a_model_cannot_take_the_name_of_another() -> None:
    twice = "spec 1\nmodel M(a: int = 1, a: int = 2) {\n input x: float[N]\n output x\n}\n"
    hiding = "spec 1\nparam a: int = 1\nmodel M(a: int = 2) {\n input x: float[N]\n output x\n}\n"
    for text in (twice, hiding):
        with pytest.raises(SpecError) as caught:
            analyse(text, "m.spec")
        assert [item.code for item in caught.value.diagnostics()] == ["E0220"]


def test_a_size_that_no_tensor_can_have_is_refused() -> None:
    text = (
        "spec 1\nparam a: int = 4000000000\nmodel M {\n input x: float[N, 4]\n"
        " output x -> Linear(a * a * a)\n}\n"
    )
    with pytest.raises(SpecError, match="does not fit in 64 bits"):
        analyse(text, "m.spec")


def test_a_parameter_inside_a_block_is_not_read_from_outside() -> None:
    body = "input x: float[N, 4]\n layer b = B\n y = b(x)\n output y @ b.fc.weight"
    block = "block B {\n input x: float[N, 4]\n output x -> fc: Linear(4)\n}\n"
    with pytest.raises(SpecError) as caught:
        analyse(f"spec 1\n{block}model M {{\n{body}\n}}\n", "m.spec")
    (item,) = caught.value.diagnostics()
    assert (item.code, item.help) == (
        "E0201",
        "put the value out of the block, or share the layer itself",
    )


CARRIED = """
spec 1
param k: int = 5
block Pick(count: int) {
  input x: float[N, D]
  scores = x -> Linear(count)
  output argmax(scores, dim=-1), sigmoid(scores)
}
block Pass(count: int) {
  input tokens: index(count)[N]
  output tokens
}
model Net {
  input x: float[N, 8]
  picked, share = x -> pick: Pick(2 * k)
  same = picked -> Pass(2 * k)
  for i in range(1, 3) {
    picked = argmax(x -> Linear(3 * i), dim=-1)
  }
  output same, share, picked, same -> table: Embedding(4)
}
train {
  input wanted: unit[N, 10]
  loss = BCELoss(share, wanted)
  optimizer SGD(lr=0.1)
}
"""


def test_what_a_type_says_of_values_comes_out_of_blocks_and_rounds() -> None:
    program = analyse(CARRIED, "m.spec")
    model = program.model()
    said = {output.name: str(output.value.type) for output in model.outputs}
    assert said["same"] == "index(2 * k)[N]"
    assert said["share"] == "unit[N, 2 * k]"
    assert said["picked"] == "index(6)[N]"
    assert dict(model.layer("table").arguments)["num_embeddings"] == 2 * symbol("k")
    with pytest.raises(SpecError) as caught:
        analyse(CARRIED.replace("-> Pass(2 * k)", "-> Pass(k)"), "m.spec")
    assert caught.value.code == "E0242"


@pytest.mark.parametrize(
    ("given", "layer", "moved"),
    [
        ("float[N, T, 8]", "Conv1d(4, 3)", "transpose(x, 1, 2)"),
        ("float[N, T, 8]", "BatchNorm1d", "transpose(x, 1, 2)"),
        ("float[N, H, W, 3]", "Conv2d(4, 3)", "permute(x, 0, 3, 1, 2)"),
        ("float[N, H, W, D, 3]", "Conv3d(4, 3)", "permute(x, 0, 4, 1, 2, 3)"),
        ("float[N, H, W, 3]", "GroupNorm(1)", "permute(x, 0, 3, 1, 2)"),
        ("float[N, C, H, W]", "Conv2d(4, 3)", ""),
        ("float[N, T]", "Linear(4)", ""),
    ],
)
def test_channels_that_come_last_are_told_where_to_go(given: str, layer: str, moved: str) -> None:
    text = f"spec 1\nmodel M {{\n  input x: {given}\n  output x -> {layer}\n}}\n"
    with pytest.raises(SpecError) as caught:
        analyse(text, "m.spec")
    (fault,) = caught.value.diagnostics()
    said = f"if its channels come last, feed it `{moved}`; if not, " if moved else ""
    assert fault.code == "E0308" and (fault.help or "").startswith(f"{said}give the input")
    if moved:
        changed = text.replace("output x", f"output {moved}")
        assert analyse(changed, "m.spec") is not None
