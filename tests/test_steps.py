"""Blocks, several models, several steps, accumulation: what is shown, and that honest runs pass and
faults do not. Non-goal: autocast (``test_precision``)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from harness_programs import (
    ACCUMULATING_SOURCE,
    BLOCKS_SOURCE,
    DQN_SOURCE,
    GAN_SOURCE,
    SEVERAL,
    accumulating,
    blocks,
    dqn,
    gan,
)

from specc.harness.blessing.bless import bless
from specc.harness.cases import subject
from specc.harness.cases.case import close
from specc.harness.cases.matrix import cases, cells
from specc.harness.cases.verdict import Verdict
from specc.harness.judging.judge import judge
from specc.harness.running.observe import Setting, observe
from specc.harness.running.observed_lines import Lines
from specc.harness.running.recorder import Observation
from specc.ir import Program, Train
from specc.policy import K

EAGER = Setting("eager", "cpu", "float32", layers=True)


def run(
    program: Program, source: str, mode: str = "train", setting: Setting = EAGER
) -> dict[str, Observation]:
    case = next(case for case in cases(program) if case.mode == mode)
    found = observe(program, close(program, case), source, setting)
    names = [item.name for item in found.observations]
    assert len(names) == len(set(names))
    return {item.name: item for item in found.observations}


def values(item: Observation) -> torch.Tensor:
    assert item.values is not None
    return item.values


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for name, (make_program, source) in SEVERAL.items():
        bless(make_program(folder / name), folder, source)
    return folder


def verdict(
    name: str, root: Path, source: str, target: str = "eager", mode: str = "train"
) -> Verdict:
    program = SEVERAL[name][0](root / name)
    cell = next(c for c in cells(program, [target], ["cpu"]) if c.mode == mode)
    return judge(program, cell, root, source)


# ── blocks ───────────────────────────────────────────────────────────────────────────────────────


def test_layers_and_blocks_are_seen_by_their_full_path() -> None:
    names = [name for name in run(blocks(), BLOCKS_SOURCE) if name.startswith("step0/layer/")]
    inside = [f"blocks.{k}{end}" for k in (0, 1) for end in (".fc", ".norm", "")]
    assert names == [f"step0/layer/{path}" for path in ("stem", *inside, "head")]


def test_what_a_block_computes_is_a_line_of_its_own_file() -> None:
    lines = Lines(blocks())
    assert lines.of("step0/layer/blocks.1.norm") == lines.of("step0/grad/blocks.0.norm.weight")
    spot = lines.of("setting/blocks.1.norm.eps")
    assert (spot.file, spot.line) == ("parts.spec", 4)
    assert lines.of("step0/layer/blocks.1").line == 6
    assert lines.of("step0/layer/blocks.1").file == "net.spec"


def test_a_golden_names_the_other_file(root: Path) -> None:
    text = (root / "golden" / "net" / "net" / "train" / "golden.json").read_text()
    rows = {row["name"]: row for row in json.loads(text)["tensors"]}
    there = rows["step0/layer/blocks.0.fc"]
    assert there["line"] == 3
    # From the folder of the spec, so that a project may be moved.
    assert not Path(there["file"]).is_absolute()
    folder = Path(SEVERAL["net"][0](root / "net").file).parent
    assert (folder / there["file"]).resolve() == Path("parts.spec").resolve()
    assert "file" not in rows["step0/layer/stem"]


def test_instances_of_a_block_have_weights_and_noise_of_their_own() -> None:
    program = blocks()
    closed = close(program, cases(program)[0])
    one, two = (closed.parameters[f"blocks.{k}.fc.weight"] for k in (0, 1))
    assert not torch.equal(one, two)
    same = BLOCKS_SOURCE.replace("x + h * (1", "0 * x + torch.ones_like(h) * (1")
    found = run(program, same)
    first, second = (values(found[f"step0/layer/blocks.{k}"]) for k in (0, 1))
    assert not torch.equal(first, second)


def test_sizes_are_checked_inside_blocks() -> None:
    assert {dict(case.sizes)["N"] for case in cases(blocks(sizes=()))} == {4, 1, 7}
    # One row has no batch statistics, so that training on it is left out.
    assert [c.mode for c in cases(blocks(sizes=())) if dict(c.sizes)["N"] == 1] == ["eval"]
    with pytest.raises(Exception, match="N=5 break") as caught:
        cases(blocks(sizes=((("N", 5),),)))
    assert getattr(caught.value, "code", "") == "E0501"


# ── several models, several steps ────────────────────────────────────────────────────────────────


def test_each_step_shows_its_own_terms_gradients_and_optimizer() -> None:
    found = run(gan(), GAN_SOURCE)
    names = list(found)
    for name in (
        "option/discriminator/group0/lr",
        "step0/layer/discriminator.fc1#3",
        "step0/output/generator.image",
        "step0/output/discriminator.score#3",
        "step0/output/fake",
        "step0/loss/discriminator/on_fake",
        "step0/loss/generator/loss",
        "step0/grad/discriminator/discriminator.fc1.weight",
        "step0/grad/generator/generator.fc1.weight",
        "step0/clipped_grad/discriminator/discriminator.fc1.weight",
        "step0/input_grad/z",
        "step0/lr/generator/group0",
        "step0/delta/generator.norm.weight",
        "step0/state/generator/exp_avg/generator.fc2.bias",
        "step0/buffer/generator.norm.running_mean",
        "end/clipped_grad/discriminator/discriminator.fc2.bias",
        "end/schedule/generator/group0",
    ):
        assert name in names, name
    # The discriminator's step stands behind a detach: nothing of it reaches the generator.
    assert "step0/grad/discriminator/generator.fc1.weight" not in names
    assert "step0/state/generator/exp_avg/discriminator.fc1.weight" not in names
    assert "step0/clipped_grad/generator/generator.fc1.weight" not in names
    order = [names.index(f"step0/loss/{step}/loss") for step in ("discriminator", "generator")]
    between = names.index("step0/grad/discriminator/discriminator.fc1.weight")
    assert names.index("step0/output/fake") < order[0] < between < order[1]


def test_evaluation_shows_each_step_s_terms_and_the_metrics() -> None:
    names = set(run(gan(), GAN_SOURCE, "eval"))
    assert {
        "eval/output/fake",
        "eval/output/generator.image",
        "eval/output/discriminator.score#2",
        "eval/loss/discriminator/on_real",
        "eval/loss/generator/loss",
    } <= names
    assert not any("grad" in name for name in names)


def test_lines_are_those_of_the_step() -> None:
    lines = Lines(gan())
    spots = {
        "step0/loss/discriminator/on_fake": 21,
        "step0/loss/generator/loss": 26,
        "step0/grad/discriminator/discriminator.fc2.bias": 12,
        "step0/clipped_grad/discriminator/discriminator.fc2.bias": 24,
        "step0/delta/discriminator.fc1.weight": 23,
        "step0/delta/generator.fc1.weight": 27,
        "step0/state/generator/exp_avg/generator.fc1.weight": 27,
        "step1/lr/generator/group0": 29,
        "end/schedule/generator/group0": 29,
        "step0/output/discriminator.score#2": 12,
        "step0/output/fake": 17,
        "option/generator/group0/lr": 27,
    }
    assert {name: lines.of(name).line for name in spots} == spots
    averaged = Lines(dqn())
    assert averaged.of("step0/delta/average.fc1.weight").line == 10


def test_a_copy_has_weights_of_its_own_and_is_loaded_among_the_few_steps() -> None:
    found = run(dqn(), DQN_SOURCE)
    change = [values(found[f"step{k}/delta/target.fc1.weight"]).abs().max() for k in range(3)]
    assert change[0] == change[2] == 0 and change[1] > 0.1
    assert all(values(found[f"step{k}/delta/average.fc1.weight"]).any() for k in range(3))
    assert "step0/grad/target.fc1.weight" in found
    assert found["step0/grad/target.fc1.weight"].values is None


@pytest.mark.parametrize(
    ("accumulate", "every", "count", "first"),
    [(1, 100, 3, 98), (4, 1, 3, 2), (2, 3, 3, 4), (1, 1, 3, 0), (2, 1, 3, 0), (1, 100, 1, 99),
     (1, 100, 2, 99), (3, 100, 5, 296)],
)  # fmt: skip
def test_what_happens_now_and_then_happens_among_the_batches(
    accumulate: int, every: int, count: int, first: int
) -> None:
    train = dqn().train
    assert isinstance(train, Train)
    members = tuple(replace(member, every=every) for member in train.members)
    changed = replace(train, members=members, accumulate=accumulate)
    assert subject.first_batch(changed, count) == first
    numbers = range(first, first + count)
    assert any((number + 1) % subject.period(changed) == 0 for number in numbers)


def test_an_accumulating_step_moves_only_at_its_end() -> None:
    found = run(accumulating(), ACCUMULATING_SOURCE)
    moved = [bool(values(found[f"step{k}/delta/fc1.weight"]).any()) for k in range(3)]
    assert moved == [False, True, False]
    whole = run(accumulating(), ACCUMULATING_SOURCE.replace(") / 2)", "))"))
    ratio = values(whole["step0/grad/fc2.bias"]) / values(found["step0/grad/fc2.bias"])
    assert torch.allclose(ratio, torch.full_like(ratio, 2.0))
    rates = [float(values(found[f"step{k}/lr/group0"])) for k in range(3)]
    assert rates[0] == rates[1] == 2 * rates[2]  # the schedule follows the optimizer


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("target", ["eager", "torchscript", "export"])
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_honest_targets_pass(name: str, target: str, mode: str, root: Path) -> None:
    result = verdict(name, root, SEVERAL[name][1], target, mode)
    assert result.passed, result.report()
    assert result.compared > 2 and result.worst is not None and result.worst < K / 2


@pytest.mark.parametrize("name", ["net", "gan"])
def test_compiled_they_pass(name: str, root: Path) -> None:
    result = verdict(name, root, SEVERAL[name][1], "compile")
    assert result.passed, result.report()


FAULTS = [
    ("net", "x + h * (1", "x + (1 + 2e-6) * h * (1", "step0/layer/blocks.0"),
    ("net", "0.1 * torch.randn_like(h)", "0.1001 * torch.randn_like(h)", "step0/layer/blocks.0"),
    ("net", "F.dropout(h, 0.25", "F.dropout(h, 0.26", "step0/layer/blocks.0"),
    ("net", "nn.BatchNorm1d(width)", "nn.BatchNorm1d(width, eps=1.1e-5)", None),
    ("gan", "fake.detach()", "fake.clone()", "step0"),
    ("gan", "on_real + on_fake", "on_real - on_fake", "step0/loss/discriminator/loss"),
    ("gan", "self.discriminator.parameters(), 0.1", "self.discriminator.parameters(), 0.1001",
     "step0/clipped_grad/discriminator/discriminator.fc2.bias"),
    ("gan", "lr=2e-4, betas", "lr=2.002e-4, betas", "option/generator/group0/lr"),
    ("gan", "score = self.discriminator(fake)\n", "score = -self.discriminator(fake)\n",
     "step0/loss/generator/loss"),
    ("gan", '        optimizers["generator"].zero_grad()\n', "",
     "step1/grad/generator/generator.fc2.bias"),
    ("dqn", "% 100", "% 101", "step1/delta/target.fc1.weight"),
    ("dqn", "        self.update_average()\n", "", "step0/delta/average.fc1.weight"),
    ("dqn", "1 - 0.9", "1 - 0.9001", "step0/delta/average.fc1.weight"),
    ("dqn", "self.target(after)", "self.qnet(after)", None),
    ("accumulating", ") / 2)", "))", "step0/grad/fc2.bias"),
    ("accumulating", "(batch + 1) % 2", "batch % 2", "step0/clipped_grad/fc2.bias"),
    ("accumulating", "            optimizer.zero_grad()\n", "", "step2/grad/fc2.bias"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "first"), FAULTS)
def test_a_fault_is_found_and_named(
    name: str, old: str, new: str, first: str | None, root: Path
) -> None:
    source = SEVERAL[name][1]
    assert old in source
    result = verdict(name, root, source.replace(old, new))
    assert result.outcome == "regressed"
    if first is not None:
        assert first in [finding.name for finding in result.findings[:4]], result.report()


def test_a_step_without_an_optimizer_is_run_and_seen() -> None:
    program = gan()
    assert program.train is not None
    idle = replace(program.train.steps[0], optimizer=None, clip=None)
    program = replace(program, train=replace(program.train, steps=(idle, program.train.steps[1])))
    source = GAN_SOURCE.replace(
        '        nn.utils.clip_grad_norm_(self.discriminator.parameters(), 0.1)\n'
        '        optimizers["discriminator"].step()\n', "",
    ).replace('        optimizers["discriminator"].zero_grad()\n', "").replace(
        '            "discriminator": {"optimizer": discriminator},\n', "")  # fmt: skip
    found = run(program, source)
    assert "step0/grad/discriminator/discriminator.fc1.weight" in found
    assert "step0/lr/discriminator/group0" not in found
    assert not values(found["step0/delta/discriminator.fc1.weight"]).any()


def test_without_any_optimizer_the_losses_are_probed() -> None:
    program = gan()
    assert program.train is not None
    steps = tuple(replace(step, optimizer=None, clip=None) for step in program.train.steps)
    found = run(replace(program, train=replace(program.train, steps=steps)), GAN_SOURCE)
    assert "step0/grad/generator.fc1.weight" in found and "step0/input_grad/z" in found
