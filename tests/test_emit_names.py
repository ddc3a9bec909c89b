"""Names and strings of a spec in the emitted source: kept, told apart, and never code."""

from __future__ import annotations

import ast
import keyword

import pytest
import torch
from emit_support import class_of, emitted
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from specc.emit import emit
from specc.emitted_names import MODULE_ATTRIBUTES
from specc.errors import SpecError
from specc.semantics import analyse

# ── naming ───────────────────────────────────────────────────────────────────────────────────────


def test_a_value_read_later_keeps_its_name_when_another_takes_it() -> None:
    source = emitted(
        "spec 1\nmodel M {\n input x: float[N, 4]\n y = x\n x = relu(x)\n output x + y\n}\n"
    )
    model = class_of(source)()
    x = torch.randn(3, 4)
    assert torch.equal(model(x), torch.relu(x) + x)


def test_names_of_the_emitted_source_are_left_free() -> None:
    source = emitted(
        "spec 1\nmodel M {\n input torch: float[N, 4]\n input F: float[N, 4]\n self = torch + F\n"
        " nn = self -> Linear(4) -> relu\n Tensor = nn * 2\n sum = Tensor - self\n output sum\n}\n"
    )
    model = class_of(source)()
    a, b = torch.randn(3, 4), torch.randn(3, 4)
    wanted = 2 * torch.relu(model.linear_1(a + b)) - (a + b)
    assert torch.equal(model(a, b), wanted)


@pytest.mark.parametrize(
    ("param", "model", "label"),
    [
        ("f", "M", "t"),  # F is torch.nn.functional
        ("m", "M", "t"),  # M is the class
        ("t", "M", "T"),  # T comes with the batch
        ("n", "M", "t"),  # N is a size
        ("c", "M", "t"),  # C is another constant
        ("k", "M", "t"),  # K is the constructor's argument
    ],
)
def test_a_constant_shares_its_name_with_nothing(param: str, model: str, label: str) -> None:
    source = emitted(
        f"spec 1\nparam {param}: int = 3\nparam C: int = 5\n"
        f"model {model}(K: int = 7) {{\n input x: float[N, 4]\n"
        f" y = x -> wide: Linear({param}) -> Softplus\n z = softplus(y) * {param} + C + K\n"
        f" output z\n}}\n"
        f"train {{\n input {label}: float[N, {param}]\n loss = {param} * MSELoss(z, {label}) / N\n"
        " optimizer SGD(lr=0.1)\n}\n"
    )
    model_ = class_of(source)()
    x, wanted = torch.randn(2, 4), torch.randn(2, 3)
    softplus = nn.functional.softplus
    z = model_(x)
    assert torch.equal(z, softplus(softplus(model_.wide(x))) * 3 + 5 + 7)
    loss = model_.loss(z, wanted)["loss"]
    assert torch.allclose(loss, 3 * nn.functional.mse_loss(z, wanted) / 2)


@pytest.mark.parametrize(
    "name", ["forward", "training", "eval", "loss", "parameters", "_modules", "linear_1", "relu_1"]
)
def test_a_param_hides_no_attribute_of_the_module(name: str) -> None:
    source = emitted(
        f"spec 1\nmodel M({name}: int = 3) {{\n input x: float[N, 4]\n"
        f" y = x -> Linear({name}) -> ReLU\n z = y * {name}\n output z\n}}\n"
    )
    model = class_of(source)().eval()
    x = torch.randn(2, 4)
    assert torch.equal(model(x), torch.relu(model.linear_1(x)) * 3)


# ── nothing in a spec becomes code ───────────────────────────────────────────────────────────────

_WORDS = st.one_of(
    st.sampled_from(
        [
            *sorted(MODULE_ATTRIBUTES)[::6],
            *keyword.kwlist,
            *"self print __import__ exec torch nn F Tensor x_1 _ __class__ optimizer super".split(),
        ]
    ),
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True),
)
_HOSTILE = st.text(alphabet="ab\"'\\\n\r\t#;(){}\x00\u2028é", max_size=12)


@settings(max_examples=150, deadline=None)
@given(_WORDS, _WORDS, _WORDS, _WORDS, _HOSTILE, _HOSTILE)
def test_no_name_or_string_of_a_spec_becomes_code(
    model: str, value: str, label: str, param: str, text: str, file: str
) -> None:
    import json

    spec = (
        f"spec 1\nmodel {model}({param}: str = {json.dumps(text)}) {{\n"
        f" input {value}: float[N, 4]\n out = {value} -> {label}: Linear(4)\n output out\n}}\n"
    )
    try:
        source = emit(analyse(spec, f"dir/{file}.spec"))
    except SpecError as fault:
        assert all(item.code.startswith("E0") for item in fault.diagnostics())
        return
    tree = ast.parse(source)
    assert [type(node).__name__ for node in tree.body] == ["Expr", "ImportFrom", "ClassDef"]
    klass = tree.body[-1]
    assert isinstance(klass, ast.ClassDef) and klass.name == model
    calls = {ast.unparse(node.func) for node in ast.walk(klass) if isinstance(node, ast.Call)}
    assert calls == {"super", "super().__init__", "nn.Linear", f"self.{label}"}
    namespace: dict[str, object] = {}
    exec(compile(source, "emitted", "exec"), namespace)
    made = namespace[model]
    assert isinstance(made, type)
    module = made()
    assert module(torch.ones(2, 4)).shape == (2, 4)


def test_a_param_called_precision_keeps_its_name() -> None:
    source = emitted(
        "spec 1\nmodel M(precision: int = 2) {\n input t: index(7)[N, T]\n"
        " output t / precision + arange(T) / 2\n}\n"
    )
    model = class_of(source)().to(torch.float64)
    assert model(torch.ones(2, 3, dtype=torch.int64)).dtype == torch.float64
    assert model.precision == 2
