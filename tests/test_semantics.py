"""AST to IR: symbolic shapes, inferred arguments, params, training, every fault in one run."""

from __future__ import annotations

import builtins
import inspect
import symtable

import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from specc import front, ir
from specc.emit import emit
from specc.errors import SpecError
from specc.semantics import analyse
from specc.semantics.names import EMITTED_GLOBALS, EMITTED_METHODS, MODULE_ATTRIBUTES
from specc.semantics.selectors import matches
from specc.sizes import symbol


def model_of(body: str, params: str = "", **settings: object) -> ir.Module:
    program = analyse(f"spec 1\nmodel M{params} {{\n{body}\n}}\n", "m.spec", settings)
    return program.model()


def faults(body: str, rest: str = "") -> list[tuple[str, int]]:
    with pytest.raises(SpecError) as caught:
        analyse(f"spec 1\nmodel M {{\n{body}\n}}\n{rest}", "m.spec")
    return [(item.code, item.span.line if item.span else 0) for item in caught.value.diagnostics()]


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
    model = model_of("input x: float[N, 4]\n input y: float[M, 4]\n output x + y")
    assert [str(condition) for condition in model.conditions] == ["N == M"]


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
    model = model_of("input x: float[N, 4]\n output x -> repeat(2) Linear(2 ** i)")
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


# ── train ────────────────────────────────────────────────────────────────────────────────────────

_NET = "input x: float[N, 4]\n output x -> a: Linear(8) -> n: LayerNorm -> b: Linear(3)"


def trained(block: str) -> ir.Train:
    program = analyse(f"spec 1\nmodel M {{\n{_NET}\n}}\ntrain {{\n{block}\n}}\n", "m.spec")
    assert program.train is not None
    return program.train


def test_groups_split_the_parameters() -> None:
    train = trained(
        "input y: index(3)[N]\n loss = CrossEntropyLoss(output, y)\n"
        " optimizer AdamW(lr=1e-3) {\n group(weight_decay=0.0) on *.bias, LayerNorm.*\n }"
    )
    assert train.optimizer is not None
    assert train.optimizer.rest.names == ("a.weight", "b.weight")
    assert train.optimizer.groups[0].on.names == ("a.bias", "n.weight", "n.bias", "b.bias")


def test_the_terms_of_a_loss_are_the_named_numbers_and_end_with_it() -> None:
    train = trained(
        "input y: float[N, 3]\n fit = MSELoss(output, y)\n error = output - y\n"
        " size = mean(square(output))\n loss = fit + 0.1 * size"
    )
    assert [name for name, _ in train.terms] == ["fit", "size", "loss"]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="*?.abnweightLNorm", min_size=1, max_size=12))
def test_globs_match_as_fnmatch_does(pattern: str) -> None:
    import fnmatch

    model = model_of(_NET)
    names = [name for name, _, _ in model.parameters()]
    if pattern.partition(".")[0] not in ("M", "LayerNorm", "Linear"):
        wanted = {name for name in names if fnmatch.fnmatchcase(name, pattern)}
        assert matches(pattern, model) == wanted


# ── what is right alone and wrong together ───────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("layer", "loss", "label", "code"),
    [
        ("LogSoftmax(dim=-1)", "CrossEntropyLoss", "index(4)[N]", "E0410"),
        ("Softmax(dim=-1)", "CrossEntropyLoss", "index(4)[N]", "E0410"),
        ("Softmax(dim=-1)", "NLLLoss", "index(4)[N]", "E0410"),
        ("Sigmoid", "BCEWithLogitsLoss", "unit[N, 4]", "E0410"),
        ("Linear(4, bias=false)", "BCELoss", "unit[N, 4]", "E0410"),
        ("Identity", "MSELoss", "float[N]", "E0310"),
    ],
)
def test_pairs_that_are_wrong_together(layer: str, loss: str, label: str, code: str) -> None:
    body = f"input x: float[N, 4]\n y = x -> Linear(4) -> {layer}\n output y"
    train = f"train {{\n input t: {label}\n loss = {loss}(y, t)\n}}\n"
    if code == "E0310":
        body = body.replace("Linear(4)", "Linear(1)")
    assert [found for found, _ in faults(body, train)] == [code]


@pytest.mark.parametrize("loss", ["BCELoss(y, {})", "BCEWithLogitsLoss(x, {})"])
@pytest.mark.parametrize(
    ("target", "type_", "codes"),
    [
        ("t", "float[N, 4]", ["W0302"]),
        ("t", "normal[N, 4]", ["W0302"]),
        ("t", "unit[N, 4]", []),
        # Of what is computed nothing can be told.
        ("t / 2", "float[N, 4]", []),
        ("1 - t", "unit[N, 4]", []),
        ("where(t > 0, 1.0, 0.0)", "float[N, 4]", []),
    ],
)
def test_a_target_that_is_no_probability_is_a_warning(
    loss: str, target: str, type_: str, codes: list[str]
) -> None:
    program = analyse(
        "spec 1\nmodel M {\n input z: float[N, 4]\n x = z -> Linear(4)\n y = x -> Sigmoid\n"
        f" output x, y\n}}\ntrain {{\n input t: {type_}\n loss = {loss.format(target)}\n"
        " optimizer SGD(lr=0.1)\n}\n",
        "m.spec",
    )
    found = [getattr(item, "code", "") for item in program.warnings]
    assert found == codes


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

_IMAGE = " input x: float[N, 4]\n y = x -> a: Linear(3)\n output y"


def train_of(statements: str) -> str:
    return f"train {{\n input t: float[N, 3]\n loss = MSELoss(y, t)\n {statements}\n}}\n"


@pytest.mark.parametrize(
    "statements",
    [
        "optimizer SGD(lr=-0.1)",
        "optimizer Adam(lr=1e53)",
        "optimizer Adam(betas=(0.9, 1.5))",
        "optimizer Adam(betas=(0.9, 0.99, 0.999))",
        "optimizer Rprop(etas=(1.2, 0.5))",
        "optimizer SGD(nesterov=true)",
        "optimizer Adam(foreach=true, fused=true)",
        "optimizer Adam(capturable=true)",
        "optimizer SGD(differentiable=true)",
        "optimizer SGD(lr=0.1) {\n group(lr=-1.0) on a.bias\n }",
        "optimizer SGD(lr=0.1)\n scheduler StepLR(step_size=0)",
        "optimizer SGD(lr=0.1)\n scheduler CosineAnnealingLR(T_max=0)",
        "optimizer SGD(lr=0.1)\n scheduler ReduceLROnPlateau(factor=1.5)",
        "optimizer SGD(lr=0.1)\n scheduler OneCycleLR(max_lr=0.1)",
        "optimizer Adagrad(lr=0.1)\n scheduler OneCycleLR(max_lr=0.1, total_steps=9)",
        "optimizer SGD(lr=0.1)\n scheduler CyclicLR((0.1, 0.2), (0.3, 0.4))",
        "optimizer SGD(lr=0.1)\n constrain MaxNorm(-2.0) on a.weight",
        "optimizer SGD(lr=0.1)\n clip GradNorm(0.0)",
    ],
)
def test_settings_that_torch_refuses_are_refused(statements: str) -> None:
    assert [code for code, _ in faults(_IMAGE, train_of(statements))] == ["E0307"]


@pytest.mark.parametrize(
    "statements",
    [
        "optimizer SGD(lr=0.1, momentum=0.9, nesterov=true)",
        "optimizer Rprop(etas=(0.5, 1.2))",
        "optimizer Adadelta(rho=1.0)",
        "optimizer Adagrad(lr=0.1)\n"
        " scheduler OneCycleLR(max_lr=0.1, total_steps=9, cycle_momentum=false)",
        "optimizer SGD(lr=0.1) {\n group(lr=0.0) on a.bias\n }\n"
        " scheduler CyclicLR((0.1, 0.2), (0.3, 0.4))",
    ],
)
def test_settings_that_torch_takes_are_taken(statements: str) -> None:
    analyse(f"spec 1\nmodel M {{\n{_IMAGE}\n}}\n{train_of(statements)}", "m.spec")


@pytest.mark.parametrize(
    "body",
    [
        "input x: float[N, 4]\n output x -> Hardtanh(3.0)",
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
    ("loss", "code"),
    [
        ("loss = (y, t)", "E0404"),
        ('loss = "mean"', "E0404"),
        ("loss = mean(t)", "E0404"),
        ("loss = MSELoss(detach(y), t)", "E0404"),
        ("loss = MSELoss((y > 0) * 1.0, t)", "E0404"),
        ("loss = mean(zeros_like(y))", "E0404"),
    ],
)
def test_a_loss_that_no_step_can_lower_is_refused(loss: str, code: str) -> None:
    rest = f"train {{\n input t: float[N, 3]\n {loss}\n optimizer SGD(lr=0.1)\n}}\n"
    assert [found for found, _ in faults(_IMAGE, rest)] == [code]


@pytest.mark.parametrize(
    ("index", "conditions"),
    [
        ("-1", []),
        (":-1", []),
        ("T - 1", []),
        ("6", ["7 <= T"]),
        ("-3", ["3 <= T"]),
        ("N", ["N + 1 <= T"]),
        (":5", ["5 <= T"]),
        ("2:", ["2 <= T"]),
        ("-3:", ["0 <= T - 3"]),
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


def test_what_the_loss_asks_of_the_sizes_is_kept() -> None:
    text = (
        "spec 1\nmodel M {\n input x: float[N, 4]\n output tile(x, 2, 1)\n}\n"
        "train {\n input label: index(4)[M]\n loss = CrossEntropyLoss(output, label)\n}\n"
    )
    train = analyse(text, "m.spec").train
    assert train is not None
    assert [str(condition) for condition in train.conditions] == ["M == 2 * N"]


def test_a_size_that_no_tensor_can_have_is_refused() -> None:
    text = (
        "spec 1\nparam a: int = 4000000000\nmodel M {\n input x: float[N, 4]\n"
        " output x -> Linear(a * a * a)\n}\n"
    )
    with pytest.raises(SpecError, match="no tensor can have"):
        analyse(text, "m.spec")


def test_two_steps_on_the_same_parameters_do_not_accumulate() -> None:
    step = " step {} {{\n  loss = mean(M(x))\n  optimizer SGD(lr=0.1) on M\n }}\n"
    train = "train {\n input x: float[N, 4]\n accumulate 2\n" + step.format("a") + step.format("b")
    assert faults("input x: float[N, 4]\n output x -> Linear(4)", train + "}\n") == [
        ("E0418", 9),
        ("E0418", 13),
    ]


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


def test_a_model_called_in_train_gives_what_its_type_says() -> None:
    text = """
spec 1
model Choose(count: int = 7) {
  input x: float[N, 3]
  output argmax(x -> Linear(count), dim=-1)
}
model Embed {
  input t: index(7)[N]
  output t -> Embedding(3)
}
train {
  input x: float[N, 3]
  loss = mean(Embed(Choose(x)))
  optimizer SGD(lr=0.1) on Embed
}
"""
    assert analyse(text, "m.spec").train is not None
    with pytest.raises(SpecError) as caught:
        analyse(text, "m.spec", {"count": 8})
    assert caught.value.code == "E0242"
