"""IR to source: formatted, standalone, equal to the live module and to one written by hand.

Non-goal: names (``test_emit_names``).
"""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from emit_support import class_of, emitted
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import specc
from specc import front
from specc.api import example_inputs
from specc.emit import emit
from specc.semantics import analyse
from specc.targets.live import module_class

SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.spec"))


def imported(source: str, path: Path) -> ModuleType:
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The emitted file of every spec, written once."""
    folder = tmp_path_factory.mktemp("emitted")
    written = {}
    for path in SPECS:
        written[path.stem] = folder / f"{path.stem}.py"
        written[path.stem].write_text(emit(front.read(path)))
    return written


def test_emitted_files_are_formatted_and_clean(sources: dict[str, Path]) -> None:
    folder = str(next(iter(sources.values())).parent)
    # TorchScript has a `zip` that knows no `strict`, which B905 would have.
    rules = ["--select", "E4,E7,E9,F,I,B", "--ignore", "B905"]
    for arguments in (["format", "--check"], ["check", *rules, "-q"]):
        run = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--isolated", folder],
            capture_output=True,
            text=True,
        )
        # Values that the spec names and does not read (an LSTM's hidden state) keep their names.
        assert run.returncode == 0, run.stdout + run.stderr


def test_emitted_files_import_torch_alone(sources: dict[str, Path]) -> None:
    for path in sources.values():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert all(
                    name.name.split(".")[0] in ("torch", "copy", "math") for name in node.names
                )
            if isinstance(node, ast.ImportFrom):
                assert node.module in ("torch", "typing", "collections")


def test_the_file_equals_the_live_module_to_the_bit(sources: dict[str, Path]) -> None:
    for path in SPECS:
        program = front.read(path)
        module = imported(sources[path.stem].read_text(), sources[path.stem])
        for model in program.models:
            live = specc.load(path, model=model.name)
            alone = getattr(module, model.name)()
            assert list(alone.state_dict()) == list(live.state_dict())
            alone.load_state_dict(live.state_dict())
            inputs = example_inputs(program, model, "cpu")
            results = []
            for each in (live.eval(), alone.eval()):
                torch.manual_seed(0)  # a model may draw noise of its own
                results.append(_flat(each(*inputs)))
            for ours, theirs in zip(*results, strict=True):
                assert torch.equal(ours, theirs), path


def _flat(result: object) -> list[Tensor]:
    if isinstance(result, Tensor):
        return [result]
    assert isinstance(result, tuple)
    return [tensor for item in result for tensor in _flat(item)]


def test_names_and_shapes_are_what_the_ir_says() -> None:
    for path in SPECS:
        for model in front.read(path).models:
            said = [(name, shape) for name, _, shape in model.parameters()]
            live = specc.load(path, model=model.name)
            assert said == [(name, tuple(p.shape)) for name, p in live.named_parameters()]


# ── the same model, written by hand ──────────────────────────────────────────────────────────────


class Cifar10CnnByHand(nn.Module):
    """specs/cifar10_cnn.spec as a person would write it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(64)
        self.fc1 = nn.Linear(64 * 8 * 8, 128)
        self.fc2 = nn.Linear(128, 10)
        self.pool = nn.MaxPool2d(2)

    def forward(self, image: Tensor) -> Tensor:
        x = self.pool(torch.relu(self.conv1(image)))
        x = self.pool(torch.relu(self.norm(self.conv2(x))))
        x = torch.relu(self.fc1(x.flatten(1)))
        logits: Tensor = self.fc2(x)
        return logits


def test_a_training_step_equals_the_one_written_by_hand() -> None:
    ours = specc.load(SPECS[[path.stem for path in SPECS].index("cifar10_cnn")])
    theirs = Cifar10CnnByHand()
    theirs.load_state_dict(ours.state_dict())
    decayed = [p for n, p in theirs.named_parameters() if n.endswith("weight") and "norm" not in n]
    rest = [p for n, p in theirs.named_parameters() if n.endswith("bias") or "norm" in n]
    optimizer = torch.optim.AdamW(
        [{"params": decayed}, {"params": rest, "weight_decay": 0.0}], lr=1e-3, weight_decay=0.05
    )
    configured = ours.configure_optimizers()
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        image = torch.randn(4, 3, 32, 32, generator=generator)
        label = torch.randint(10, (4,), generator=generator)
        terms = ours.training_step(configured["optimizer"], image, label)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(theirs(image), label)
        loss.backward()
        optimizer.step()
        assert torch.equal(terms["loss"], loss.detach())
    for (name, ours_), (_, theirs_) in zip(
        ours.named_parameters(), theirs.named_parameters(), strict=True
    ):
        assert torch.equal(ours_, theirs_), name


def test_l2_and_weight_decay_give_the_same_trajectory() -> None:
    base = (
        "spec 1\nmodel M {\n input x: float[N, 4]\n"
        " output x -> a: Linear(8) -> Tanh -> b: Linear(1)\n}\n"
        "train {\n input y: float[N, 1]\n loss = MSELoss(output, y)\n"
    )
    penalised = specc.loads(base + " regularize L2(1e-2) on M\n optimizer SGD(lr=0.1)\n}\n")
    decayed = specc.loads(base + " optimizer SGD(lr=0.1, weight_decay=1e-2)\n}\n")
    decayed.load_state_dict(penalised.state_dict())
    optimizers = [module.configure_optimizers()["optimizer"] for module in (penalised, decayed)]
    x, y = torch.randn(16, 4), torch.randn(16, 1)
    for module in (penalised.double(), decayed.double()):
        module.train()
    optimizers = [module.configure_optimizers()["optimizer"] for module in (penalised, decayed)]
    for _ in range(20):
        for module, optimizer in zip((penalised, decayed), optimizers, strict=True):
            module.training_step(optimizer, x.double(), y.double())
    for one, other in zip(penalised.parameters(), decayed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def test_sizes_and_params_are_spoken_of_by_name() -> None:
    source = emitted(
        "spec 1\nparam scale: float = 0.5\nmodel M(heads: int = 2) {\n input x: float[N, T, 8]\n"
        " q = x -> Linear(3 * 4 * heads) -> reshape(N, T, heads, 12)\n"
        " output q * (scale / heads) + T\n}\n"
    )
    model = class_of(source)(heads=4)
    assert model(torch.zeros(2, 3, 8)).shape == (2, 3, 4, 12)
    assert "SCALE / self.heads" in source.replace("self.scale", "SCALE")


def test_a_condition_is_asserted() -> None:
    source = emitted(
        "spec 1\nmodel M(context: int = 4) {\n input t: index(9)[N, T] where T <= context\n"
        " output t -> Embedding(3)\n}\n"
    )
    model = class_of(source)()
    model(torch.zeros(1, 4, dtype=torch.long))
    with pytest.raises(AssertionError, match="T <= context"):
        model(torch.zeros(1, 5, dtype=torch.long))


# ── as a person would write it ───────────────────────────────────────────────────────────────────


def test_a_penalty_is_written_for_what_it_is_on() -> None:
    source = emitted(
        "spec 1\nmodel M {\n input x: float[N, 4]\n output x -> a: Linear(3) -> b: Linear(2)\n}\n"
        "train {\n input y: float[N, 2]\n loss = MSELoss(output, y)\n"
        " regularize L1(1e-5) on a.weight\n regularize Orthogonal(0.5) on *.weight\n"
        " clip GradNorm(1.0)\n optimizer SGD(lr=0.1)\n}\n"
    )
    assert "penalty = 1e-5 * self.a.weight.abs().sum()" in source
    assert "0.5 * orthogonality(weight) for weight in weights" in source
    assert "nn.utils.clip_grad_norm_(self.parameters(), 1.0)  #" in source
    model = class_of(source)()
    a, b = model.a.weight, model.b.weight
    wanted = 1e-5 * a.abs().sum()
    for weight in (a, b):
        rows = len(weight)
        wanted = wanted + 0.5 * (weight @ weight.T - torch.eye(rows)).square().sum()
    torch.testing.assert_close(model.penalty(), wanted)


def test_a_norm_type_that_the_spec_gives_is_passed_on() -> None:
    source = emitted(
        "spec 1\nmodel M {\n input x: float[N, 4]\n output x -> Linear(2)\n}\n"
        "train {\n input y: float[N, 2]\n loss = MSELoss(output, y)\n"
        " clip GradNorm(1.0, norm_type=1.0)\n optimizer SGD(lr=0.1)\n}\n"
    )
    assert "clip_grad_norm_(self.parameters(), 1.0, norm_type=1.0)" in source


def test_the_shapes_of_many_tensors_stand_a_line_each() -> None:
    names = [f"measurement_{index}" for index in range(6)]
    inputs = "".join(f" input {name}: float[N, 4]\n" for name in names)
    source = emitted(f"spec 1\nmodel M {{\n{inputs} output {' + '.join(names)}\n}}\n")
    forward = class_of(source).forward
    assert forward.__doc__ is not None
    lines = [line.strip() for line in forward.__doc__.splitlines()]
    assert lines[:2] == ["measurement_0: float[N, 4],", "measurement_1: float[N, 4],"]
    assert "-> output: float[N, 4]." in lines
    assert max(len(line) for line in source.splitlines()) <= 88


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from("relu tanh Linear(4) LayerNorm Dropout(0.5)".split()), max_size=12),
    st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_any_chain_is_emitted_formatted_and_runs(stages: list[str], breaks: list[bool]) -> None:
    assume(stages)
    text = "x"
    for stage, broken in zip(stages, breaks, strict=False):
        text += f"{chr(10) + '   ' if broken else ''} -> {stage}"
    source = emitted(f"spec 1\nmodel M {{\n input x: float[N, 4]\n y = {text}\n output y * 2\n}}\n")
    model = class_of(source)().eval()
    x = torch.randn(3, 4)
    wanted = x
    counts: dict[str, int] = {}
    for stage in stages:
        if stage in ("relu", "tanh"):
            wanted = getattr(torch, stage)(wanted)
            continue
        kind = stage.partition("(")[0].lower()
        counts[kind] = counts.get(kind, 0) + 1
        wanted = getattr(model, f"{kind}_{counts[kind]}")(wanted)
    assert torch.equal(model(x), wanted * 2)
    assert max(len(line) for line in source.splitlines()) <= 88


def test_what_the_loss_asks_of_the_sizes_is_asserted() -> None:
    source = emitted(
        "spec 1\nmodel M {\n input x: float[N, 4]\n y = tile(x, 2, 1) -> Linear(4)\n output y\n}\n"
        "train {\n input label: index(4)[B] where B == 2 * N\n loss = CrossEntropyLoss(y, label)\n"
        " optimizer SGD(lr=0.1)\n}\n"
    )
    model = class_of(source)()
    x = torch.randn(3, 4)
    outputs = model(x)
    model.loss(outputs, x, torch.zeros(6, dtype=torch.int64))
    with pytest.raises(AssertionError, match=r"B == 2 \* N"):
        model.loss(outputs, x, torch.zeros(5, dtype=torch.int64))


def test_a_value_that_is_returned_at_once_is_not_named_first() -> None:
    source = emitted(
        "spec 1\nblock Long {\n  input x: float[N, T, D]\n  output x -> cos -> sin -> tanh -> exp"
        " -> sigmoid -> Linear(D)\n}\nmodel M {\n  input x: float[N, T, 8]\n  y = x -> Long\n"
        "  output y\n}\n"
    )
    assert "return self.linear_1(" in source


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    ("made", "lines"),
    [
        ("arange(D) / 2", "torch.arange(D, dtype=x.dtype, device=x.device) / 2"),
        ("0.5 * arange(1, D + 1)", "0.5 * torch.arange(1, D + 1, dtype=x.dtype, device=x.device)"),
        ("sin(arange(D))", "torch.sin(torch.arange(D, dtype=x.dtype, device=x.device))"),
        ("argmax(x, dim=0) / 2", "x.argmax(dim=0).to(x.dtype) / 2"),
        ("where(x[0] > 0.0, 1.0, 0.5)", ".to(x.dtype)"),
    ],
)
def test_floats_made_of_whole_numbers_have_the_precision_of_the_run(
    made: str, lines: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    source = emitted(
        f"spec 1\nmodel M {{\n  input x: float[N, D]\n  y = {made}\n  output y, x * y\n}}\n"
    )
    assert lines in source
    y, product = imported(source, tmp_path / "m.py").M()(torch.ones(2, 6, dtype=dtype))
    assert y.dtype == product.dtype == dtype


def test_a_power_of_a_size_keeps_its_params() -> None:
    source = emitted(
        "spec 1\nmodel M(side: int = 8, patch: int = 2) {\n  input x: index(3)[N]\n"
        "  y = x -> Embedding((side // patch) ** 2 + 1)\n  output y\n}\n"
    )
    assert "nn.Embedding(3, (side // patch) ** 2 + 1)" in source


def test_a_comparison_of_two_numbers_is_what_it_says() -> None:
    source = emitted(
        "spec 1\nblock Stage(width: int, last: bool) {\n  input x: float[N, D]\n"
        "  x = x -> Linear(width)\n  if not last { x = x -> ReLU }\n  output x\n}\n"
        "model M {\n  input x: float[N, 3]\n  found = [x]\n"
        "  for k in range(2) {\n    x = x -> Stage(4 + k, k == 1)\n    found = found + [x]\n  }\n"
        "  output cat(found, dim=1)\n}\n"
    )
    assert "Stage(3, 4, False), Stage(4, 5, True)" in " ".join(source.split())


def test_a_power_of_a_loops_position_stays_a_loop() -> None:
    source = emitted(
        "spec 1\nmodel M(depth: int = 3) {\n  input x: float[N, 4, T]\n"
        "  levels: for i in range(depth) {\n"
        '    x = x -> Conv1d(4, 3, padding="same", dilation=2 ** (i + 1))\n  }\n'
        "  y = x -> transpose(1, 2) -> Linear(2 ** depth)\n  output y\n}\n"
    )
    assert "dilation=2 * 2**i) for i in range(depth)" in " ".join(source.split())
    assert "nn.Linear(4, 2**depth)" in source


@pytest.mark.parametrize(
    ("selector", "test"),
    [
        ("*bias, *norm*", 'if name.endswith("bias") or "norm" in name'),
        ("layers.* except *bias", 'if name.startswith("layers.") and not name.endswith("bias")'),
    ],
)
def test_what_a_glob_over_names_matches_is_asked_of_the_names(selector: str, test: str) -> None:
    source = emitted(
        "spec 1\nmodel M {\n  input x: float[N, T, 8]\n"
        "  y = x\n"
        "    -> layers: repeat(3) TransformerEncoderLayer(2, dim_feedforward=9, batch_first=true)\n"
        "    -> norm: LayerNorm\n  output y\n}\ntrain {\n  loss = mean(y)\n"
        f"  optimizer AdamW(lr=0.1) {{\n    group(weight_decay=0.0) on {selector}\n  }}\n}}\n"
    )
    assert f"for name, parameter in self.named_parameters() {test}" in " ".join(source.split())


@pytest.mark.parametrize(
    ("selector", "test"),
    [
        ("*bias, LayerNorm.*", 'name.endswith("bias") or isinstance(module, nn.LayerNorm)'),
        ("*.bias, LayerNorm.*", 'module is not self and "bias" in name or'),
        ("bias, Linear.bias, LayerNorm.bias", 'module is self and name == "bias" or'),
        ("scale, *.bias", 'name == "scale" or module is not self and "bias" in name'),
    ],
)
def test_names_and_types_together_are_asked_of_the_modules(selector: str, test: str) -> None:
    """What the model keeps itself has its name alone: ``*.bias`` means none of it."""
    program = analyse(
        "spec 1\nmodel M {\n  input x: float[N, T, 8]\n  parameter bias: float[8] = zeros_\n"
        "  parameter scale: float[8] = ones_\n  y = x\n"
        "    -> layers: repeat(3) TransformerEncoderLayer(2, dim_feedforward=9, batch_first=true)\n"
        "    -> norm: LayerNorm\n  z = scale * y + bias\n  output z\n}\ntrain {\n  loss = mean(z)\n"
        f"  optimizer AdamW(lr=0.1) {{\n    group(weight_decay=0.0) on {selector}\n  }}\n}}\n",
        "m.spec",
    )
    source = emit(program)
    assert test in " ".join(source.split())
    made: Any = module_class(source, "M", "m")()
    stepped = made.configure_optimizers()["optimizer"].param_groups[1]["params"]
    names = {id(parameter): name for name, parameter in made.named_parameters()}
    assert program.train is not None and program.train.steps[0].optimizer is not None
    wanted = program.train.steps[0].optimizer.groups[0].on.names
    assert sorted(names[id(parameter)] for parameter in stepped) == sorted(wanted)


def test_a_step_clips_what_its_optimizer_steps() -> None:
    source = emitted(
        "spec 1\nmodel A {\n  input x: float[N, 4]\n  y = x -> Linear(4)\n  output y\n}\n"
        "model B {\n  input x: float[N, 4]\n  y = x -> Linear(4)\n  output y\n}\n"
        "train {\n  input x: float[N, 4]\n"
        "  step first {\n    loss = mean(A(x))\n    optimizer SGD(lr=0.1) on A\n  }\n"
        "  step second {\n    loss = mean(B(A(x)))\n    clip GradNorm(0.5)\n"
        "    optimizer SGD(lr=0.1) on B\n  }\n}\n"
    )
    assert "nn.utils.clip_grad_norm_(self.b.parameters(), 0.5)" in source


def test_many_selected_parameters_are_none_of_a_copys() -> None:
    program = analyse(
        "spec 1\nmodel A {\n  input x: float[N, 4]\n  y = x -> deep: repeat(9) Linear(4)\n"
        "  output y\n}\ntrain {\n  input x: float[N, 4]\n  ema slow of A decay 0.5\n"
        "  loss = mean((A(x) - slow(x)) ** 2)\n  constrain NonNegative on Linear.weight\n"
        "  optimizer SGD(lr=0.1)\n}\n",
        "m.spec",
    )
    training: Any = module_class(emit(program), "Training", "m")()
    before = [parameter.clone() for parameter in training.slow.parameters()]
    training.constrain()
    assert all(float(layer.weight.min()) >= 0 for layer in training.a.deep)
    after = training.slow.parameters()
    assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("block", "layers"),
    [
        ("block P {\n input t: index(7)[N, T]\n output t / 2 + arange(T) / 2\n}\n", []),
        (
            "block P {\n input t: index(7)[N, T]\n y = t -> e: Embedding(4)\n"
            " output sum(y, dim=-1) * ones(N, T)\n}\n",
            ["e.weight"],
        ),
        (
            "block P(deep: bool = false) {\n input t: index(7)[N, T]\n y = zeros(N, T)\n"
            " if deep { y = sum(t -> e: Embedding(4), dim=-1) }\n output y + rsqrt(t + 1)\n}\n",
            [],
        ),
    ],
)
def test_floats_made_without_floats_have_the_precision_of_the_run(
    block: str, layers: list[str]
) -> None:
    text = (
        f"spec 1\n{block}model M {{\n input t: index(7)[N, 5]\n"
        " y = t -> p: P\n output y -> Linear(3)\n}\n"
    )
    source = emitted(text)
    assert "next(" not in source
    tokens = torch.arange(10).reshape(2, 5) % 7
    for dtype in (torch.float32, torch.float64):
        model = class_of(source)().to(dtype)
        assert [name for name, _ in model.p.named_parameters()] == layers
        assert list(model.state_dict()) == [n for n, _ in model.named_parameters()]
        result = model(tokens)
        assert result.dtype == model.p(tokens).dtype == dtype
        assert torch.equal(torch.jit.script(model)(tokens), result)
        exported = torch.export.export(model, (tokens,)).module()
        assert torch.equal(exported(tokens), result)


def test_a_tuple_among_the_params_is_written_as_a_person_would() -> None:
    source = emitted(
        "spec 1\nparam widths: tuple = (8, 16)\nparam one: tuple = (4,)\n"
        "model M {\n input x: float[N, 4]\n for w in widths { x = x -> Linear(w) }\n"
        " for w in one { x = x -> Linear(w) }\n output x\n}\n"
    )
    assert "WIDTHS = (8, 16)  #" in source
    assert "ONE = (4,)  #" in source


def test_files_of_one_name_are_told_apart_in_marks(tmp_path: Path) -> None:
    for folder, width in (("wide", 8), ("deep", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "parts.spec").write_text(
            f"spec 1\nblock {folder.title()} {{\n input x: float[N, D]\n"
            f" output x -> Linear({width}) -> Linear(D)\n}}\n"
        )
    (tmp_path / "net.spec").write_text(
        'spec 1\nuse "wide/parts.spec"\nuse "deep/parts.spec"\n'
        "model M {\n input x: float[N, 4]\n output x -> Wide -> Deep\n}\n"
    )
    source = emit(front.read(tmp_path / "net.spec"))
    assert "Wide of wide/parts.spec:2." in source
    assert "Deep of deep/parts.spec:2." in source
    assert "# net.spec:6" in source
    assert str(tmp_path) not in source
    assert "parts.spec" not in re.sub(r"(wide|deep)/parts\.spec", "", source)
