"""What float64 and each layer by itself add to a verdict, and where it is put."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from specc import front
from specc.emit import emit
from specc.harness.blessing.bless import bless
from specc.harness.cases.matrix import Case, Cell, cells
from specc.harness.cases.verdict import Verdict
from specc.harness.floors.per_layer import LOST, Error
from specc.harness.floors.per_layer_floor import AloneFloor
from specc.harness.goldens import golden as goldens
from specc.harness.goldens import golden_reader
from specc.harness.judging.compare import Comparison
from specc.harness.judging.judge import judge
from specc.harness.judging.refine import _Places, refined
from specc.harness.running.observed_lines import Spot, with_hooks
from specc.harness.running.recorder import Observation
from specc.ir import Program

SPEC = """spec 1

model Net {
  input x: float[N, 6]
  h = x -> fc1: Linear(8) -> norm: LayerNorm -> act: Tanh
  output h -> fc2: Linear(3)
}

train {
  input y: float[N, 3]
  loss = MSELoss(output, y)
  optimizer SGD(lr=0.1)
}

test {
  sizes N=5
  modes train, eval
  targets eager, torchscript
}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, Path]:
    root = tmp_path_factory.mktemp("project")
    (root / "golden").mkdir()
    (root / "net.spec").write_text(SPEC)
    program = front.read(root / "net.spec")
    bless(program, root)
    return program, root


def cell_of(program: Program, mode: str, target: str = "eager") -> Cell:
    return next(c for c in cells(program, [target], ["cpu"]) if c.mode == mode)


def judged(
    project: tuple[Program, Path], mode: str = "train", source: str | None = None
) -> Verdict:
    program, root = project
    return judge(program, cell_of(program, mode), root, source)


@contextmanager
def wrong(owner: object, name: str, factor: float, dtype: torch.dtype) -> Iterator[None]:
    """A function of torch's that is wrong in one precision."""
    honest = getattr(owner, name)

    def function(*given: object, **named: object) -> torch.Tensor:
        result: torch.Tensor = honest(*given, **named)
        return result * factor if result.dtype == dtype else result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, function)
        yield


def test_an_honest_run_is_judged_by_more_than_its_leaves(project: tuple[Program, Path]) -> None:
    program, root = project
    for mode in ("train", "eval"):
        verdict = judged(project, mode)
        assert verdict.passed and verdict.worst is not None and verdict.worst < 2.0
        golden = goldens.read(program, cell_of(program, mode).case, root)
        assert golden.alone and verdict.compared > len(golden.alone)
        stage = "step0" if mode == "train" else "eval"
        assert {name.split("/")[0] for name in golden.alone} == {stage}
        outputs = {name for name in golden.alone if "/alone/" in name}
        assert outputs == {f"{stage}/alone/{path}" for path in ("fc1", "norm", "act", "fc2")}


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize(
    ("owner", "name", "layer", "line"),
    [(nn.functional, "linear", "fc1", 5), (torch, "tanh", "act", 5)],
)
def test_a_kernel_that_is_off_by_two_in_a_million_is_caught(
    project: tuple[Program, Path], mode: str, owner: object, name: str, layer: str, line: int
) -> None:
    with wrong(owner, name, 1 + 2e-6, torch.float32):
        verdict = judged(project, mode)
    assert verdict.outcome == "regressed"
    first = verdict.findings[0]
    stage = "step0" if mode == "train" else "eval"
    assert first.name in (f"{stage}/layer/{layer}", f"{stage}/alone/{layer}")
    assert first.line == line
    by_itself = next(f for f in verdict.findings if f.name == f"{stage}/alone/{layer}")
    assert "by itself, on exact inputs, off by" in by_itself.message


def test_a_source_that_computes_otherwise_is_caught_in_float64(
    project: tuple[Program, Path],
) -> None:
    source = emit(project[0])
    edited = source.replace("self.act(", "(1 + 1e-7) * self.act(")
    assert edited != source
    verdict = judged(project, "eval", edited)
    assert verdict.outcome == "regressed"
    first = verdict.findings[0]
    assert first.name == "eval/layer/fc2" and first.line == 6
    assert first.message.startswith("in float64, off by ")
    assert "another computation" in first.message
    report = verdict.report()
    assert "in float64 it is off as well" in report


def test_a_source_that_cannot_run_in_float64_is_a_finding(project: tuple[Program, Path]) -> None:
    source = emit(project[0])
    lines = source.splitlines()
    at = next(k for k, line in enumerate(lines) if "self.act(" in line)
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    lines.insert(at, f"{indent}assert x.dtype == torch.float32, 'no'")
    verdict = judged(project, "eval", "\n".join(lines))
    assert verdict.findings[0].what == "run" and "in float64" in verdict.findings[0].message


def test_a_layer_that_cannot_be_run_by_itself_is_told_of(
    project: tuple[Program, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: nn.Module, memo: object) -> nn.Module:
        raise TypeError("cannot be copied")

    monkeypatch.setattr(nn.LayerNorm, "__deepcopy__", refuse, raising=False)
    # Another spelling, so that the float64 run of an earlier test is not taken.
    verdict = judged(project, "eval", emit(project[0]) + "\n")
    assert verdict.passed
    assert any("not judged by themselves" in n and n.endswith(": norm") for n in verdict.notes)


def test_other_targets_are_judged_by_their_leaves(project: tuple[Program, Path]) -> None:
    program, root = project
    verdict = judge(program, cell_of(program, "train", "torchscript"), root)
    golden = goldens.read(program, cell_of(program, "train").case, root)
    assert verdict.passed and verdict.compared < len(golden.leaves)


def test_the_order_is_that_of_the_data(project: tuple[Program, Path]) -> None:
    program, root = project
    golden = goldens.read(program, cell_of(program, "train").case, root)
    names = [leaf.reference.name for leaf in golden.leaves]
    place = _Places(golden)
    ordered = sorted((*names, *golden.alone, "unknown"), key=place.of)
    assert ordered[-1] == "unknown"

    def at(name: str) -> int:
        return ordered.index(name)

    assert at("step0/layer/fc1") < at("step0/alone/fc1") < at("step0/layer/norm")
    assert at("step0/loss/loss") < at("step0/alone_grad/fc2.weight") < at("step0/grad/fc2.weight")
    assert at("step0/alone_grad/fc2.weight") < at("step0/alone_grad/fc1.weight")


def test_a_golden_with_an_impossible_floor_is_refused(
    project: tuple[Program, Path], tmp_path: Path
) -> None:
    program, root = project
    folder = goldens.golden_folder(program, cell_of(program, "eval").case, root)
    path = folder / "golden.json"
    text = path.read_text()
    for numbers in ([0.0, 1.0, 1.0], [-1.0, 1.0, 1.0], [1.0, 1.0], "none", ["a", 1.0, 1.0]):
        raw = json.loads(text)
        raw["alone"]["eval/alone/fc1"] = {"float32": numbers}
        path.write_text(json.dumps(raw | {"digest": golden_reader.seal(raw)}))
        try:
            with pytest.raises(goldens.GoldenMissing.__base__, match="E0802"):
                judged(project, "eval")
        finally:
            path.write_text(text)


def test_a_later_steps_layers_come_after_an_earlier_steps_gradients() -> None:
    names = (
        "step0/layer/critic.fc step0/loss/critic/loss step0/grad/critic/critic.fc.weight"
        " step0/layer/actor.fc step0/loss/actor/loss step0/grad/actor/actor.fc.weight"
    ).split()
    leaves = tuple(goldens.Leaf(Observation(name, 1), {}) for name in names)
    alone = [
        f"step0/{kind}/{model}.fc{rest}"
        for model in ("critic", "actor")
        for kind, rest in (("alone", ""), ("alone_grad", ".weight"))
    ]
    case = Case((), 0, 1, "train")
    golden = goldens.Golden(
        case, 0, "float32", 0, ("float32",), {}, (), leaves, {name: {} for name in alone}
    )
    ordered = sorted((*names, *alone), key=_Places(golden).of)
    assert ordered == [
        "step0/layer/critic.fc",
        "step0/alone/critic.fc",
        "step0/loss/critic/loss",
        "step0/alone_grad/critic.fc.weight",
        "step0/grad/critic/critic.fc.weight",
        "step0/layer/actor.fc",
        "step0/alone/actor.fc",
        "step0/loss/actor/loss",
        "step0/alone_grad/actor.fc.weight",
        "step0/grad/actor/actor.fc.weight",
    ]


def test_a_value_that_is_lost_is_found_though_its_floor_is_wide(
    project: tuple[Program, Path],
) -> None:
    program, root = project
    golden = goldens.read(program, cell_of(program, "eval").case, root)
    name = "eval/alone/fc1"

    def found(floor: AloneFloor, error: Error) -> Comparison:
        wide = replace(golden, alone={name: {"float32": floor}})
        plain = Comparison((), (), 0.0, 0)
        return refined(plain, wide, (), {name: error}, "float32", lambda name: Spot("x", 1))

    off, nothing = Error(0.5, 0.5, 0.5), AloneFloor(1e300, 1e300, 1e300)
    assert found(AloneFloor(1.0, 1.0, 1.0), off).not_observable == (name,)
    assert found(AloneFloor(1.0, 1.0, 1.0), LOST).findings[0].name == name
    assert found(nothing, LOST).not_observable == (name,)


def test_what_floors_hide_whole_numbers_show(project: tuple[Program, Path]) -> None:
    """A long sum that comes out small errs by more than a wrong factor changes."""
    program, root = project
    golden = goldens.read(program, cell_of(program, "eval").case, root)
    name = "eval/alone/fc1"
    wide = replace(golden, alone={name: {"float32": AloneFloor(1e-6, 1e-6, 1e-6)}})
    plain = Comparison((), (), 0.0, 0)

    def found(error: Error) -> Comparison:
        return refined(plain, wide, (), {name: error}, "float32", lambda name: Spot("x", 1))

    assert found(Error(2e-6, 2e-6, 2e-6)).findings == ()
    (first,) = found(Error(2e-6, 2e-6, 2e-6, whole=2.1e-6)).findings
    assert first.name == name and "on small whole numbers" in first.message
    assert "off by 2.10e-06 at the largest element" in first.message
    (only,) = found(Error(2e-5, 2e-5, 2e-5, whole=2.1e-5)).findings
    assert only.floors == pytest.approx(20.0)


def test_a_golden_that_lacks_a_precision_of_a_layer_is_refused(
    project: tuple[Program, Path],
) -> None:
    program, root = project
    path = goldens.golden_folder(program, cell_of(program, "eval").case, root) / "golden.json"
    text = path.read_text()
    raw = json.loads(text)
    raw["alone"]["eval/alone/fc1"] = {}
    path.write_text(json.dumps(raw | {"digest": golden_reader.seal(raw)}))
    try:
        with pytest.raises(goldens.GoldenMissing.__base__, match="has no floor for 'float32'"):
            judged(project, "eval")
    finally:
        path.write_text(text)


def test_a_layer_that_is_wrong_by_itself_gets_a_script_of_its_own(
    project: tuple[Program, Path], tmp_path: Path
) -> None:
    program, root = project
    with wrong(torch, "tanh", 1 + 4e-7, torch.float32):
        verdict = judge(program, cell_of(program, "eval"), root, repro=tmp_path)
    assert verdict.findings[0].name == "eval/alone/act"
    assert any(line.startswith("how it looks: ") for line in verdict.located)
    script = Path(verdict.located[-1].partition(": ")[2])
    assert "model = nn.Tanh()" in script.read_text()
    runpy.run_path(str(script))


MASKED = """spec 1

model Net {
  input x: float[N, T, 4]
  hidden = x[:, :, 0] > -100.0
  layer encode = TransformerEncoderLayer(2, dim_feedforward=8, batch_first=true)
  h = encode(x, src_key_padding_mask=hidden)
  output h -> fc: Linear(3)
}

test {
  sizes N=2, T=3
  modes eval
  targets eager
}
"""


def in_eager(program: Program, root: Path) -> Verdict:
    return judge(program, cells(program, ["eager"], ["cpu"])[0], root)


def test_the_path_that_users_run_is_judged(tmp_path: Path) -> None:
    path = tmp_path / "net.spec"
    path.write_text(MASKED)
    masked = front.read(path)
    bless(masked, tmp_path)
    verdict = in_eager(masked, tmp_path)
    # torch's fast path of attention, off where it sees a hook, has no number for such a row.
    assert [finding.name for finding in verdict.findings] == ["eval/no_hooks/output/output"]
    first = verdict.findings[0]
    assert (first.what, first.line) == ("nonfinite", 8)
    assert first.message.startswith("without hooks, as users run it: holds NaN or infinity")
    assert "torch's fast path of attention" in verdict.report()
    path.write_text(MASKED.replace("> -100.0", "< -100.0"))
    free = front.read(path)
    bless(free, tmp_path)
    verdict = in_eager(free, tmp_path)
    assert verdict.passed, verdict.report()


def test_other_bits_without_hooks_are_looked_at_in_float64(
    project: tuple[Program, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    program, root = project
    honest = nn.Tanh.forward

    def forked(self: nn.Tanh, value: torch.Tensor) -> torch.Tensor:
        made = honest(self, value)
        # Far below any floor of float32.
        return made if self._forward_hooks else made * (1 + 1e-7)

    monkeypatch.setattr(nn.Tanh, "forward", forked)
    monkeypatch.setattr("specc.harness.judging.judge.errors", lambda *given: {})
    cell = next(c for c in cells(program, ["eager"], ["cpu"]) if c.case.mode == "eval")
    findings = judge(program, cell, root).findings
    assert findings and all(with_hooks(each.name) for each in findings)
    assert "in float64, off by" in findings[0].message


def test_a_step_that_changes_a_gradient_is_told_on_its_line(
    project: tuple[Program, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    program, root = project
    honest = getattr(torch.optim.SGD.step, "__wrapped__", torch.optim.SGD.step)

    def step(self: torch.optim.SGD, *given: object) -> object:
        result = honest(self, *given)
        for parameter in self.param_groups[0]["params"]:
            parameter.grad.mul_(0.5)
        return result

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    for target in ("eager", "torchscript"):
        verdict = judge(program, cells(program, [target], ["cpu"])[0], root)
        first = verdict.findings[0]
        assert (first.name, first.line) == ("step0/changed_grad/fc1.weight", 12)
        assert "changed this one by 5.00e-01 of its root-mean-square" in first.message
        assert {each.name.split("/")[1] for each in verdict.findings} == {"changed_grad"}


def test_what_is_wrong_without_hooks_in_float32_alone_is_right_in_float64(
    project: tuple[Program, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = nn.Tanh.forward

    def worse(self: nn.Tanh, value: torch.Tensor) -> torch.Tensor:
        made = honest(self, value)
        wide = self._forward_hooks or value.dtype == torch.float64
        return made if wide else made * 1.01

    monkeypatch.setattr(nn.Tanh, "forward", worse)
    monkeypatch.setattr("specc.harness.judging.judge.errors", lambda *given: {})
    verdict = judged(project, "eval", emit(project[0]) + "\n# once more\n")
    assert all(with_hooks(each.name) for each in verdict.findings)
    report = verdict.report()
    assert "in float64, without hooks, it is right" in report and "fast path" not in report
