"""Parameters and buffers that a model or a block keeps itself: what is read, made, drawn, shown."""

from __future__ import annotations

import math

import pytest
import torch
from emit_support import class_of, emitted
from hypothesis import given, settings
from hypothesis import strategies as st
from semantics_support import faults, model_of
from torch import Tensor, nn

from specc import catalog, ir
from specc.emit.forward.effects import Effects
from specc.emit.merging.merge import as_parts
from specc.harness.cases import computed
from specc.harness.cases.case import close
from specc.harness.cases.matrix import cases
from specc.harness.native.initial_weights import initial_faults
from specc.harness.running.observe import Setting, observe
from specc.inspect.tree import tree
from specc.semantics import analyse
from specc.targets import TARGETS
from specc.targets.live import class_name

KEPT = """
spec 1

block Scaled(start: float = 0.1) {
  input x: float[N, D]
  parameter gamma: float[D] = constant_(start)
  output x * gamma
}

block Table(rows: int, width: int) {
  parameter weight: float[rows, width] = normal_(std=0.02)
  output weight
}

model M(dim: int = 6) {
  input x: float[N, dim]
  h = x -> fc: Linear(dim)
  parameter token: float[dim] = trunc_normal_(std=0.02)
  parameter a_log = log(arange(1, dim + 1))
  buffer mean: float[2] = (0.485, 0.456)
  buffer seen: bool[dim, dim] = tril(ones(dim, dim)) > 0, persistent=false
  buffer steps = arange(dim)
  buffer angles = outer(steps, 1.0 / (steps + 1.0))
  buffer noise: float[dim, dim] = normal_(std=0.5)
  h = h -> Scaled -> last: Scaled(0.5)
  h = h + token * exp(a_log) + h @ where(seen, angles, noise) + mean[0]
  init ones_ on token
  freeze on last.gamma
  output h @ Table(dim, 3)()
}

train {
  input t: float[N, 3]
  loss = MSELoss(output, t)
  optimizer SGD(lr=0.1, weight_decay=0.1) { group(weight_decay=0.0) on token, *.gamma, a_log }
}

test { sizes N=2 }
"""


def test_names_come_in_torchs_order_and_are_those_of_the_text() -> None:
    program = analyse(KEPT, "m.spec")
    module = class_of(emitted(KEPT))()
    model = program.model()
    assert list(module.state_dict()) == [
        "token", "a_log", "mean", "steps", "angles", "noise", "fc.weight", "fc.bias",
        "scaled_1.gamma", "last.gamma", "table_1.weight",
    ]  # fmt: skip
    assert [name for name, _ in module.named_parameters()] == [n for n, _, _ in model.parameters()]
    assert [name for name, _ in module.named_buffers()] == [n for n, _, _ in model.buffers()]
    shapes = {name: tuple(value.shape) for name, value in module.named_parameters()}
    assert shapes == {name: shape for name, _, shape in model.parameters()}


def test_what_is_made_is_what_torch_makes() -> None:
    module = class_of(emitted(KEPT))(dim=6)
    assert torch.equal(module.token, torch.ones(6))
    assert torch.equal(module.a_log, torch.log(torch.arange(1, 7)))
    assert torch.equal(module.mean, torch.tensor([0.485, 0.456]))
    assert torch.equal(module.seen, torch.ones(6, 6, dtype=torch.bool).tril())
    assert module.steps.dtype == torch.int64
    assert torch.equal(module.angles, torch.outer(module.steps, 1.0 / (module.steps + 1.0)))
    assert 0.2 < module.noise.std() < 1.0
    assert module.get_parameter("last.gamma").requires_grad is False
    assert torch.equal(module.get_parameter("last.gamma"), torch.full((6,), 0.5))
    groups = module.configure_optimizers()["optimizer"].param_groups
    free = {id(module.token), id(module.a_log), id(module.get_parameter("scaled_1.gamma"))}
    free.add(id(module.get_parameter("last.gamma")))
    assert {id(parameter) for parameter in groups[1]["params"]} == free


def test_the_source_is_what_a_person_writes() -> None:
    source = emitted(KEPT)
    for line in (
        "        self.gamma = nn.Parameter(torch.empty(D))  # m.spec:6",
        "        nn.init.constant_(self.gamma, start)",
        "        self.a_log = nn.Parameter(torch.log(torch.arange(1, dim + 1)))  # m.spec:19",
        '        self.register_buffer("mean", torch.tensor([0.485, 0.456]))  # m.spec:20',
        '            "seen", torch.ones((dim, dim)).tril() > 0, persistent=False',
        "        return x * self.gamma  # m.spec:7",
        "    angles: Tensor",
    ):
        assert f"\n{line}\n" in source
    assert "self.start" not in source


@pytest.mark.parametrize("target", ["eager", "torchscript", "export"])
def test_targets_compute_what_the_module_does(target: str) -> None:
    module = class_of(emitted(KEPT))()
    x = torch.randn(3, 6)
    made = TARGETS[target].runnable(module, (x,))
    assert torch.allclose(made(x), module(x), atol=1e-6)


def test_a_case_runs_and_its_computed_values_are_those_of_float64() -> None:
    program = analyse(KEPT, "m.spec")
    case = next(case for case in cases(program) if case.mode == "train")
    closed = close(program, case)
    found = computed.values_of(program)
    assert list(found) == ["a_log", "mean", "seen", "steps", "angles"]
    exact = torch.tensor([math.log(k) for k in range(1, 7)], dtype=torch.float64)
    assert torch.equal(found["a_log"], exact)
    # Moved off its values, as a constant is; a buffer is what it is, and drawn where it is drawn.
    assert 0 < (closed.parameters["a_log"] - exact).abs().max() <= 0.1
    assert list(closed.buffers) == ["noise"]
    run = observe(
        program, closed, emitted(KEPT), Setting("eager", "cpu", "float32", statistics=True)
    )
    names = {item.name for item in run.observations}
    assert {"step0/grad/token", "step0/buffer/angles", "step0/delta/scaled_1.gamma"} <= names
    kept = next(item for item in run.observations if item.name == "step0/buffer/angles")
    assert kept.rms == pytest.approx(float(found["angles"].square().mean().sqrt()), rel=1e-6)


def test_another_expression_in_the_source_gives_other_numbers() -> None:
    program = analyse(KEPT, "m.spec")
    edited = emitted(KEPT).replace("torch.outer(self.steps", "torch.outer(1 + self.steps")
    assert edited != emitted(KEPT)
    right, wrong = computed.values_of(program), computed.values_of(program, edited)
    assert not torch.equal(right["angles"], wrong["angles"])
    assert torch.equal(right["a_log"], wrong["a_log"])


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("nn.init.normal_(self.noise, std=0.5)", "nn.init.normal_(self.noise, std=0.6)", "noise"),
        ("torch.arange(1, dim + 1)", "torch.arange(2, dim + 2)", "a_log"),
        ("constant_(self.gamma, start)", "constant_(self.gamma, 0.25)", "scaled_1.gamma"),
    ],
)
def test_a_wrong_initial_value_is_told(old: str, new: str, name: str) -> None:
    text = KEPT.replace("dim: int = 6", "dim: int = 40")
    program, source = analyse(text, "m.spec"), emitted(text)
    assert initial_faults(program, class_of(source)) == {}
    assert old in source
    assert name in initial_faults(program, class_of(source.replace(old, new)))


def test_a_parametrization_of_the_module_itself() -> None:
    text = """
spec 1
model M {
  input x: float[N, 4]
  parameter w: float[4, 4] = kaiming_uniform_(a=0.5) with orthogonal
  parameter v: float[2, 4] = normal_ with weight_norm(dim=1)
  parameter g: float[4] = ones_
  output x @ w * g, v
}
"""
    module = class_of(emitted(text))()
    assert class_name(module) == "M"
    program = analyse(text, "m.spec")
    assert [n for n, _ in module.named_parameters()] == [
        n for n, _, _ in program.model().parameters()
    ]
    product = module.w @ module.w.T
    assert torch.allclose(product, torch.eye(4), atol=1e-5)
    assert torch.equal(module(torch.eye(4))[0], module.w * module.g)


def test_a_block_whose_parameter_is_computed_anew_has_an_effect() -> None:
    text = """
spec 1
block B {
  input x: float[N, 4]
  parameter w: float[4, 4] = normal_ with spectral_norm
  output x @ w
}
model M {
  input x: float[N, 4]
  y = x -> B
  output y
}
"""
    module = analyse(text, "m.spec").model()
    parts, _ = as_parts(module.nodes, [output.value for output in module.outputs])
    effects = Effects(parts)
    calls = [part for part in parts if isinstance(part, ir.LayerCall)]
    assert [effects.of(part) for part in calls] == [True]


def test_a_model_of_parameters_alone() -> None:
    text = """
spec 1
model M(length: int = 4) {
  parameter table: float[length, 2] = normal_
  output table
}
train {
  loss = mean(table ** 2)
  optimizer SGD(lr=0.1)
}
"""
    module = class_of(emitted(text))()
    assert module().shape == (4, 2)
    for target in ("torchscript", "export"):
        assert torch.equal(TARGETS[target].runnable(module, ())(), module.table)
    optimizer = module.configure_optimizers()["optimizer"]
    before = module.table.detach().clone()
    module.training_step(optimizer)
    assert torch.allclose(module.table, before * (1 - 0.1 * 2 / 8), atol=1e-2)


def test_a_branch_has_its_own_and_one_class_stands_for_both_sides() -> None:
    text = """
spec 1
block Unit(scale: float = 0.0) {
  input x: float[N, C]
  if scale > 0.0 {
    parameter gamma: float[C] = constant_(scale)
    x = x * gamma
  } else {
    buffer share = 0.5
    x = x * share
  }
  output x
}
model M {
  input x: float[N, 4]
  output x -> a: Unit(0.1) -> b: Unit
}
"""
    source = emitted(text)
    assert source.count("class Unit") == 1
    module = class_of(source)()
    assert list(module.state_dict()) == ["a.gamma", "b.share"]
    x = torch.randn(2, 4)
    assert torch.allclose(module(x), x * 0.05)
    scripted = TARGETS["torchscript"].runnable(module, (x,))
    assert torch.allclose(scripted(x), module(x))


def test_an_index_that_is_said_is_asserted() -> None:
    text = """
spec 1
model M(k: int = 3) {
  input x: float[N, 4]
  buffer places: index(k)[4] = arange(4) * 1
  output x + (places -> Embedding(4))[0]
}
"""
    source = emitted(text)
    with pytest.raises(AssertionError, match="places goes beyond"):
        class_of(source)()
    assert class_of(source)(k=4) is not None


def test_state_is_shown_with_its_costs() -> None:
    found = tree(analyse(KEPT, "m.spec").model(), {"N": 2}, "float32")
    entries = {entry.name: entry for entry in found.children}
    assert entries["token"].text == "parameter = trunc_normal_(std=0.02)"
    assert entries["seen"].text == "buffer = ..., persistent=false"
    assert entries["steps"].costs.buffer_bytes == 48
    assert entries["last"].costs.frozen == 6
    assert found.costs.trainable == 6 + 6 + 42 + 6 + 18


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("parameter g: float[K] = ones_", "E0201"),
        ("parameter g: float[N] = ones_", "E0308"),
        ("parameter g = ones(N)", "E0308"),
        ("buffer g = bernoulli(full([4], 0.5))", "E0251"),
        ("buffer g = x * 2", "E0251"),
        ("buffer g: float[4] = dropout(ones(4))", "E0251"),
        ("parameter g: float[4] = eye_", "E0301"),
        ("parameter g: float[4] = normal_(std=-1.0)", "E0307"),
        ("parameter g: float[4] = kaming_normal_", "E0405"),
        ("parameter g: unit[4] = ones_", "E0251"),
        ("parameter x: float[4] = ones_", "E0206"),
        ("parameter train: float[4] = ones_", "E0207"),
        ("buffer g: int[4] = 1.0 * arange(4)", "E0251"),
        ("for i in range(2) { buffer g = arange(4) }", "E0204"),
        ("if 1 < 2 { parameter g: float[4, 4] = normal_ with orthogonal }", "E0251"),
    ],
)
def test_faults(line: str, code: str) -> None:
    found = faults(f"input x: float[N, 4]\n{line}\noutput x")
    assert [item for item, _ in found] == [code]


def test_a_parameter_that_nothing_reads_is_a_warning() -> None:
    text = "spec 1\nmodel M {\ninput x: float[N, 4]\nparameter g: float[4] = ones_\noutput x\n}\n"
    assert [item.code for item in analyse(text, "m.spec").warnings] == ["W0201"]  # type: ignore[attr-defined]
    read = text.replace(
        "output x", "buffer b = 2.0 * ones(4)\nbuffer c = b + 1.0\noutput x * g * c"
    )
    assert analyse(read, "m.spec").warnings == ()


@given(
    name=st.sampled_from(sorted(set(catalog.INITS) - {"sparse_", "constant_", "dirac_", "eye_"})),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 3)),
)
@settings(max_examples=25, deadline=None)
def test_every_initialiser_fills_as_torch_does(name: str, shape: tuple[int, ...]) -> None:
    sizes = ", ".join(map(str, shape))
    text = f"spec 1\nmodel M {{\nparameter g: float[{sizes}] = {name}\noutput g\n}}\n"
    made = class_of(emitted(text))
    torch.manual_seed(3)
    ours: Tensor = made().g.detach()
    torch.manual_seed(3)
    wanted = torch.empty(shape)
    getattr(nn.init, name)(wanted)
    assert torch.equal(ours, wanted)


def test_sizes_of_what_is_fed_are_numbers_by_then() -> None:
    body = "input x: float[N, 3, D]\nparameter g: float[3, D] = ones_\noutput x * g"
    assert faults(body)[0][0] == "E0308"
    model = "model M {\ninput x: float[N, 3, 5]\noutput x -> B\n}"
    program = analyse(f"spec 1\nblock B {{\n{body}\n}}\n{model}\n", "m.spec")
    assert [shape for _, _, shape in program.model().parameters()] == [(3, 5)]
    kept = "input x: float[N, 5]\nparameter g: float[n] = ones_\noutput sum(g) * x"
    assert [shape for _, _, shape in model_of(kept, "(n: int = 7)").parameters()] == [(7,)]


def test_an_index_that_holds_too_much_is_refused() -> None:
    body = "input x: float[N, 4]\nbuffer places: index(3)[4] = arange(4)\n"
    assert faults(body + "output x + (places -> Embedding(4))[0]") == [("E0251", 4)]
