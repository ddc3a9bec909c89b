"""``specc show``: its counts against torch, its table, its data.

Non-goals: graphs (``test_computation_graph``); the rules of multiply-adds row by row,
which ``test_multiply`` holds against torch.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT, Run
from hypothesis import given
from hypothesis import strategies as st
from show_programs import GAN, GPT, INLINE, RESNET, UNET, seen, table
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import specc
from specc import front
from specc.errors import CallError, SpecError
from specc.inspect.fold import folded
from specc.inspect.tree import TreeLine
from specc.inspect.view import ModelView, view
from specc.ir import shorter
from specc.report.structure import show, show_json
from specc.report.terminal.style import plain
from specc.sizes import Size, evaluate, floor_divide, symbol

SPECS = sorted((ROOT / "specs").glob("*.spec"))


def lines(model: ModelView, **options: Any) -> dict[str, str]:
    """The table's lines by their first word, as often as it is met the last."""
    rows = table(model, **options).splitlines()
    return {row.split()[0]: row for row in rows if row.split()}


def entries(entry: TreeLine) -> Iterator[TreeLine]:
    yield entry
    for child in entry.children:
        yield from entries(child)


def at(entry: TreeLine, path: str) -> TreeLine:
    (found,) = [one for one in entries(entry) if one.path == path and one.kind != "operation"]
    return found


# ── counts, against torch ───────────────────────────────────────────────────────────────────────


@pytest.fixture(params=[*INLINE, *SPECS], ids=lambda one: one if isinstance(one, str) else one.stem)
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if isinstance(request.param, Path):
        return request.param
    path = tmp_path / f"{request.param}.spec"
    path.write_text(INLINE[request.param], encoding="utf-8")
    return path


def batch(model: ModelView) -> list[torch.Tensor]:
    tensors = []
    for value in model.model.inputs:
        shape = [evaluate(size, model.values) for size in value.type.shape]
        integer = value.type.dtype.startswith("int")
        tensors.append(torch.zeros(shape, dtype=torch.int64 if integer else torch.float32))  # type: ignore[arg-type]  # numbers by now
    return tensors


def test_counts_are_those_of_the_live_module(spec: Path) -> None:
    model = view(spec).models[-1]
    module = specc.load(spec, model=model.model.name).eval()
    costs = model.tree.costs
    assert costs.parameters == sum(tensor.numel() for tensor in module.parameters())
    assert costs.buffers == sum(tensor.numel() for tensor in module.buffers())
    assert costs.parameter_bytes == sum(p.numel() * p.element_size() for p in module.parameters())
    assert costs.buffer_bytes == sum(b.numel() * b.element_size() for b in module.buffers())
    with (
        warnings.catch_warnings(),
        sdpa_kernel(SDPBackend.MATH),
        torch.backends.mkldnn.flags(enabled=False),
        FlopCounterMode(display=False) as counter,
    ):
        warnings.simplefilter("ignore")
        module(*batch(model))
    assert counter.get_total_flops() == 2 * costs.multiply_adds
    # A factorisation multiplies elements alone, which torch counts as nothing.
    assert costs.multiply_adds > 0 or spec.stem == "matrix_factorization"


def test_shapes_are_those_of_the_live_module(spec: Path) -> None:
    model = view(spec).models[-1]
    module = specc.load(spec, model=model.model.name).eval()
    shapes: dict[str, list[tuple[int, ...]]] = {}

    def keep(path: str) -> Any:
        def hook(module: torch.nn.Module, given: Any, result: Any) -> None:
            # Attention may give None in the place of its weights.
            flat = [t for t in torch.utils._pytree.tree_leaves(result) if t is not None]
            shapes.setdefault(path, [tuple(tensor.shape) for tensor in flat])

        return hook

    for path, inner in module.named_modules():
        inner.register_forward_hook(keep(path))
    module(*batch(model))
    found = {one.path: one for one in entries(model.tree) if one.kind in ("layer", "block")}
    compared = 0
    for path, entry in found.items():
        if path in shapes:  # a row of layers may be called one by one
            assert [result.numbers for result in entry.results] == shapes[path], path
            compared += 1
    assert compared == len(found)


def test_activations_are_what_is_put_out_and_no_view(tmp_path: Path) -> None:
    text = """spec 1

model M {
  input x: float[N, 4, 6]
  y = x -> Flatten -> fc: Linear(8) -> ReLU
  z = 2 * y[:, :5]
  output z
}
"""
    tree = seen(text, tmp_path, asked={"N": 3}).models[0].tree
    # Linear and ReLU put out 3 x 8 floats each, the product 3 x 5; flattening and slicing nothing.
    assert tree.costs.activation_bytes == 4 * (3 * 8 + 3 * 8 + 3 * 5)
    assert at(tree, "flatten_1").costs.activation_bytes == 0
    half = seen(text, tmp_path, asked={"N": 3}, dtype="bfloat16").models[0].tree
    assert 2 * half.costs.activation_bytes == tree.costs.activation_bytes
    assert 2 * half.costs.parameter_bytes == tree.costs.parameter_bytes


def test_a_layer_called_twice_is_one_with_twice_the_work(tmp_path: Path) -> None:
    text = """spec 1

model M {
  input x: float[N, 4]
  layer fc = Linear(4)
  y = fc(relu(fc(x)))
  output y
}
"""
    model = seen(text, tmp_path, asked={"N": 2}).models[0]
    assert at(model.tree, "fc").calls == 2
    assert at(model.tree, "fc").costs.parameters == 20
    assert at(model.tree, "fc").costs.multiply_adds == 2 * (2 * 4 * 4)
    assert "(called 2 times)" in lines(model)["fc"]


# ── the table ───────────────────────────────────────────────────────────────────────────────────


def test_shapes_stand_in_the_models_own_symbols_and_in_numbers(tmp_path: Path) -> None:
    (model,) = seen(GPT, tmp_path, asked={"N": 2, "T": 5}).models
    assert "[N, T, 3 * dim]" in lines(model)["c_attn"]
    assert "[2, 5, 48]" in lines(model)["c_attn"]
    assert model.tree.results[0].numbers == (2, 5, 50)
    (model,) = seen(RESNET, tmp_path).models
    assert "[N, 16, (H + 3) // 4, (W + 3) // 4]" in lines(model)["layer2"]


def test_alike_levels_are_folded_and_all_unfolds_them(tmp_path: Path) -> None:
    (model,) = seen(GPT, tmp_path).models
    (level,) = [row for row in table(model).splitlines() if "Level(" in row]
    assert level.split()[:4] == ["0", "…", "2", "×3"]
    apart = table(model, apart=True)
    assert "×" not in apart and apart.count("Level(heads=4)") == 3
    levels = at(model.tree, "h")
    assert levels.costs.multiply_adds == 3 * levels.children[0].costs.multiply_adds


def test_levels_that_differ_are_not_folded(tmp_path: Path) -> None:
    text = """spec 1

block Dense(p: float) {
  input x: float[N, D]
  output x -> Linear(D) -> Dropout(p)
}

model M {
  input x: float[N, 4]
  y = x -> h: repeat(3, k) Dense(0.1 * k)
  output y
}
"""
    (model,) = seen(text, tmp_path).models
    assert "×" not in table(model)
    assert [group.count for group in folded(at(model.tree, "h").children)] == [1, 1, 1]


def test_depth_closes_blocks_and_keeps_their_totals(tmp_path: Path) -> None:
    (model,) = seen(RESNET, tmp_path).models
    shallow = lines(model, depth=1)
    assert "conv1" not in shallow and "fc" in shallow
    assert shallow["layer2"].split() == lines(model)["layer2"].split()
    # A list of layers is no level of its own.
    assert "Level(" in table(seen(GPT, tmp_path).models[0], depth=1)


def test_a_narrow_terminal_cuts_the_types_alone(tmp_path: Path) -> None:
    (model,) = seen(RESNET, tmp_path).models
    wide, narrow = table(model), table(model, columns=60)
    assert "Conv2d(16, 3, padding=1, bias=false)" in wide
    assert "Conv2d(16, 3, paddi…" in narrow
    assert [row[-30:] for row in wide.splitlines()] == [row[-30:] for row in narrow.splitlines()]


def test_what_is_frozen_and_what_is_set_is_said(tmp_path: Path) -> None:
    text = GPT.replace("  output logits\n", "  freeze on wpe.*, h.0.*\n  output logits\n")
    (model,) = seen(text, tmp_path, params={"dim": "8"}).models
    assert model.tree.costs.frozen == 20 * 8 + at(model.tree, "h.0").costs.parameters
    assert "160 (frozen)" in lines(model)["wpe"]
    assert "dim=8 (--set; 16)" in table(model)
    # One level has other costs than the two that learn.
    assert "1 … 2 ×2" in table(model)


def test_conditions_are_stated_with_their_numbers(tmp_path: Path) -> None:
    (model,) = seen(GPT, tmp_path, asked={"T": 5}).models
    assert "T <= context  (5 <= 20)" in table(model)
    (model,) = seen(UNET, tmp_path).models
    stated = [str(condition) for condition in model.conditions]
    assert any("H" in text for text in stated) and any("W" in text for text in stated)
    assert all(condition.holds(model.values) for condition in model.conditions)
    # What holds on all sizes is no condition worth a line.
    (model,) = seen(RESNET, tmp_path).models
    assert model.conditions == () and "conditions on" not in table(model)


def test_training_says_what_trains_what(tmp_path: Path) -> None:
    seen_gpt = seen(GPT, tmp_path)
    facts = seen_gpt.training
    assert facts is not None
    (step,) = facts.steps
    held = [(share.tensors, share.elements) for share in step.shares]
    module = specc.load(tmp_path / "net.spec")
    plain_names = [
        name for name, _ in module.named_parameters() if name.endswith("bias") or ".ln_" in name
        or name.startswith("ln_f")
    ]  # fmt: skip
    assert held[0][0] == len(plain_names)
    assert sum(elements for _, elements in held) == seen_gpt.models[0].tree.costs.parameters
    text = plain(show.training(facts))
    assert "CrossEntropyLoss(flatten(logits, start_dim=0, end_dim=1), " in text
    assert "group(weight_decay=0) on *.bias, LayerNorm.*" in text and "every other" in text


def test_several_models_and_steps(tmp_path: Path) -> None:
    both = seen(GAN, tmp_path)
    assert [model.model.name for model in both.models] == ["Generator", "Critic"]
    assert both.training is not None
    text = plain(show.training(both.training))
    assert "step critic" in text and "step generator" in text
    assert "fake           generator(z)" in text
    assert "on Critic: 2 tensors, 17 parameters" in text
    one = seen(GAN, tmp_path, model="Critic", asked={"N": 6})
    assert [model.sizes for model in one.models] == [{"N": 6}]
    assert one.models[0].tree.results[0].numbers == (6, 1)


def test_what_nothing_trains_is_said(tmp_path: Path) -> None:
    text = GAN.replace("RMSprop(lr=1e-3) on Generator", "RMSprop(lr=1e-3) on generator.*.weight")
    facts = seen(text, tmp_path).training
    assert facts is not None and facts.untrained is not None
    assert facts.untrained.tensors == 1


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"asked": {"T": 21}}, "E0501"),
        ({"asked": {"S": 3}}, "E0712"),
        ({"dtype": "int8"}, "E0712"),
        ({"model": "Gtp"}, "E0706"),
    ],
)
def test_a_wrong_call_is_refused(tmp_path: Path, options: dict[str, Any], code: str) -> None:
    with pytest.raises((SpecError, CallError)) as caught:
        seen(GPT, tmp_path, **options)
    assert caught.value.code == code


def test_nested_quotients_are_shown_as_one() -> None:
    size: Size = symbol("H")
    for stride in (2, 3, 2):
        size = floor_divide(size - 1, stride) + 1
    tidy = shorter.tidy(size)
    assert str(tidy) == "(H + 11) // 12"
    for height in range(1, 60):
        assert evaluate(tidy, {"H": height}) == evaluate(size, {"H": height})


@pytest.mark.parametrize(
    ("count", "number", "memory"),
    [
        (0, "0", "0 B"),
        (1023, "1,023", "1,023 B"),
        (1536, "1,536", "1.50 KiB"),
        (99_999, "99,999", "97.7 KiB"),
        (100_000, "100 k", "97.7 KiB"),
        (999_499, "999 k", "976 KiB"),
        (999_500, "1.00 M", "976 KiB"),
        (1_814_073_344, "1.81 G", "1.69 GiB"),
        (10**24, "1,000,000 E", "867,362 EiB"),
    ],
)
def test_large_numbers_have_three_digits(count: int, number: str, memory: str) -> None:
    assert (show.number(count), show.memory(count)) == (number, memory)


def test_json_holds_every_layer(tmp_path: Path) -> None:
    found = seen(GPT, tmp_path)
    (program,) = json.loads(show_json.text([found]))
    (model,) = program["models"]
    assert model["sizes"] == dict(found.models[0].sizes)
    assert [child["name"] for child in model["tree"]["children"]][:3] == ["wte", "wpe", "h"]
    assert len(model["tree"]["children"][2]["children"]) == 3
    assert model["tree"]["multiply_adds"] == found.models[0].tree.costs.multiply_adds
    assert program["training"]["steps"][0]["optimizer"].startswith("AdamW")


# ── the verb ────────────────────────────────────────────────────────────────────────────────────


def test_the_verb_needs_no_torch(specc_without_torch: Run, tmp_path: Path) -> None:
    (tmp_path / "net.spec").write_text(GPT, encoding="utf-8")
    ended = specc_without_torch("show", "net.spec", "--size", "N=3", "--plot", "net.dot")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("Gpt  net.spec:20 · on N=3, T=")
    assert (tmp_path / "net.dot").read_text(encoding="utf-8").startswith("digraph {")
    data = specc_without_torch("show", "net.spec", "--json")
    assert json.loads(data.stdout)[0]["models"][0]["name"] == "Gpt"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--plot", "net.jpeg"), "E0712"),
        (("--plot", "nowhere/net.dot"), "E0703"),
        (("--size", "N"), "E0712"),
        (("--set", "width=3"), "E0601"),
    ],
)
def test_the_verb_refuses_without_a_traceback(
    specc: Run, tmp_path: Path, arguments: tuple[str, ...], code: str
) -> None:
    (tmp_path / "net.spec").write_text(GPT, encoding="utf-8")
    ended = specc("show", "net.spec", *arguments)
    assert ended.returncode == 2 and code in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_reference_shows_what_is_printed(specc: Run, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    block = text.split("$ specc show specs/mlp.spec\n")[1].split("```")[0]
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    ended: subprocess.CompletedProcess[str] = specc("show", "specs/mlp.spec")
    assert ended.stdout == block


def test_programs_of_the_tests_are_sound(tmp_path: Path) -> None:
    for name, text in {**INLINE, "gan": GAN}.items():
        program, diagnostics, _ = front.check_text(text, name)
        assert program is not None, diagnostics


def test_metrics_are_shown_and_params_are_numbers(tmp_path: Path) -> None:
    text = """spec 1
param width: int = 8
model Net(classes: int = width // 2) {
  input x: float[N, width]
  logits = x -> Linear(2 * width) -> Linear(classes)
  output logits
}
train {
  input label: index(4)[N]
  loss = CrossEntropyLoss(logits, label)
  metric Accuracy(logits, label)
  metric MulticlassF1Score(logits, label, average="none")
}
"""
    view = seen(text, tmp_path)
    assert view.training is not None
    assert [name for name, _ in view.training.metrics] == ["Accuracy", "MulticlassF1Score"]
    shown = table(view.models[0])
    assert "Linear(16)" in shown and "Linear(4)" in shown and "Linear(classes)" not in shown


# ── what a loss is, as its author wrote it ───────────────────────────────────────────────────────

WRITTEN = """spec 1

model Critic {{
  input x: float[N, 4]
  output x -> Linear(8) -> Tanh -> Linear(1)
}}

train {{
  input real: float[N, 4]
  input fake: float[N, 4]
  input share: unit[N, 1]
  input place: index(4)[N]
  {lines}
  optimizer Adam(lr=1e-4) on Critic
}}
"""


@pytest.mark.parametrize(
    "lines",
    [
        # Two products of one shape, and a name for what is differentiated.
        ["mixed = real * share + fake * (1 - share)", "slope = grad(sum(critic(mixed)), mixed)",
         "loss = mean((vector_norm(slope, dim=1) - 1) ** 2)"],
        ["loss = mean(critic(real * share + fake * (1 - share)))"],
        # An index, bounds, torch's order.
        ["taken = real[:, 1:] + fake[place, 1:]", "loss = mean(critic(real)) + mean(taken)"],
        ["chosen = gather(real, 1, unsqueeze(place, 1))",
         "loss = mean(clamp(chosen, min=0.8, max=1.2) * critic(fake))"],
        ["scores = critic(real)", "loss = mean(where(share > 0.5, scores, -scores))"],
        ["both = cat([critic(real), critic(fake)], dim=1)",
         'loss = CrossEntropyLoss(both, long(place > 1), reduction="mean")'],
        ["near = transpose(critic(real), 0, 1)", "loss = mean(near @ critic(fake))"],
        ["loss = mean(exp(log(exp(critic(real) ** 2) + 1)) + 1)"],
    ],
)  # fmt: skip
def test_a_loss_is_told_as_it_is_written(lines: list[str], tmp_path: Path) -> None:
    text = WRITTEN.format(lines="\n  ".join(lines).replace("critic(", "Critic("))
    facts = seen(text, tmp_path).training
    assert facts is not None
    shown = [*facts.shared, *facts.steps[0].values, *facts.steps[0].terms]
    assert [f"{name} = {said}" for name, said in shown] == lines


def test_what_is_too_deep_is_left_out_and_is_no_other_value(tmp_path: Path) -> None:
    deep = "critic(real)"
    for _ in range(12):
        deep = f"tanh({deep})"
    text = WRITTEN.format(lines=f"loss = mean({deep})".replace("critic(", "Critic("))
    facts = seen(text, tmp_path).training
    assert facts is not None
    ((_, said),) = facts.steps[0].terms
    assert said.startswith("mean(tanh(tanh(") and "tanh(...)" in said and "x" not in said


def test_two_calls_of_one_block_are_told_apart(tmp_path: Path) -> None:
    text = """spec 1

block Gap {
  input a: float[N, D]
  input b: float[N, D]
  output mean((a - b) ** 2)
}

model Net {
  input x: float[N, 4]
  y = x -> Linear(4)
  output y
}

train {
  input near: float[N, 4]
  input far: float[N, 4]
  loss = Gap(y, near) - 0.1 * Gap(y, far)
  optimizer SGD(lr=0.1)
}
"""
    facts = seen(text, tmp_path).training
    assert facts is not None
    ((_, said),) = facts.steps[0].terms
    assert said == "mean((y - near) ** 2) - 0.1 * mean((y - far) ** 2)"


# ── sizes under what divides them ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("size", "whole", "said"),
    [
        (8 * floor_divide(symbol("H") + 7, 8), {"H": 8}, "H"),
        (floor_divide(symbol("H") + 1, 2), {"H": 8}, "H // 2"),
        (2 * floor_divide(symbol("H"), 4), {"H": 8}, "H // 2"),
        (3 * floor_divide(symbol("H"), 2), {"H": 2}, "3 * (H // 2)"),
        (floor_divide(symbol("H"), 2) * floor_divide(symbol("W"), 2), {"H": 2, "W": 2},
         "(H // 2) * (W // 2)"),
        (4 * floor_divide(symbol("H"), 2) * floor_divide(symbol("W"), 2), {"H": 2, "W": 2},
         "H * W"),
        (floor_divide(symbol("H"), 3), {"H": 8}, "H // 3"),
        (floor_divide(symbol("H") - 1, 2) + 1, {"H": 2}, "H // 2"),
        (floor_divide(symbol("T") + 1, 2), {"H": 2}, "(T + 1) // 2"),
    ],
)  # fmt: skip
def test_a_size_is_told_under_what_divides_it(size: Size, whole: dict[str, int], said: str) -> None:
    assert str(shorter.divided(size, whole)) == said


@given(
    st.lists(
        st.tuples(st.sampled_from([2, 3, 4]), st.integers(0, 3), st.integers(1, 4)), max_size=4
    ),
    st.sampled_from([2, 4, 8, 12, 24]),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_a_size_told_under_what_divides_it_is_the_same_size(
    steps: list[tuple[int, int, int]], whole: int, times: int, others: int
) -> None:
    size: Size = symbol("H")
    for divisor, offset, factor in steps:
        size = floor_divide(size + offset, divisor) * factor * symbol("W")
    told = shorter.divided(size, {"H": whole})
    numbers: dict[str, Size] = {"H": whole * times, "W": others}
    assert evaluate(told, numbers) == evaluate(size, numbers)


def test_show_says_sizes_under_where_and_settings_by_name(tmp_path: Path) -> None:
    text = """spec 1

model Net {
  input x: float[N, 3, H, W] where H % 8 == 0, W % 8 == 0
  y = x -> a: Conv2d(4, 3, stride=2, padding=1) -> b: Conv2d(8, 3, stride=2, padding=1)
  y = y -> c: Upsample(scale_factor=4) -> permute(0, 2, 3, 1) -> d: LayerNorm(eps=1e-6)
  output y -> e: Dropout(0.2)
}
"""
    (model,) = seen(text, tmp_path).models
    shown = lines(model)
    assert "[N, 4, H // 2, W // 2]" in shown["a"] and "[N, 8, H // 4, W // 4]" in shown["b"]
    assert "[N, 8, H, W]" in shown["c"]
    assert "LayerNorm(eps=1e-06)" in shown["d"] and "Dropout(0.2)" in shown["e"]
