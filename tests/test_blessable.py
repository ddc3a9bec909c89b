"""What is not blessed: references that are not finite, cases of which nothing can be judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from specc import front
from specc.emit import emit
from specc.errors import GoldenStale, SpecError, TargetError
from specc.harness.blessing.bless import bless, make
from specc.harness.blessing.blessable import check_observable
from specc.harness.cases.matrix import cases, cells
from specc.harness.cases.verdict import Verdict
from specc.harness.floors.floor_statistics import Floor
from specc.harness.goldens.golden import read
from specc.harness.goldens.golden_reader import Leaf
from specc.harness.judging.judge import judge
from specc.harness.running.recorder import Observation
from specc.ir import Program
from specc.semantics import analyse


def spec(body: str, *, blocks: str = "", test: str = "", mode: str = "eval") -> str:
    return f"""spec 1
{blocks}
model Net {{
  input x: float[N, 6]
{body}
}}

test {{
  sizes N=4
  targets eager, torchscript
  devices cpu
  modes {mode}
  {test}
}}
"""


@dataclass(frozen=True)
class Project:
    root: Path
    program: Program

    @classmethod
    def of(cls, root: Path, text: str) -> Project:
        (root / "pyproject.toml").touch()
        (root / "net.spec").write_text(text)
        return cls(root, front.read(root / "net.spec"))

    def bless(self) -> None:
        bless(self.program, self.root)

    def verdicts(self, source: str | None = None) -> Mapping[str, Verdict]:
        return {
            cell.target: judge(self.program, cell, self.root, source)
            for cell in cells(self.program)
        }

    def refusal(self) -> TargetError:
        with pytest.raises(TargetError) as caught:
            self.bless()
        assert not (self.root / "golden").exists()
        assert caught.value.help
        return caught.value


REFUSED = {
    "a root of negative numbers": ("  output sqrt(x)", "eval", "eval/output/output", "NaN"),
    "a division by zero": ("  output 1.0 / (x - x)", "eval", "eval/output/output", "24 inf of 24"),
    "a logarithm of zero": ("  output log(x - x)", "eval", "eval/output/output", "24 -inf of 24"),
    "a large tensor": (
        "  h = x -> Linear(300)\n  output h, 1.0 / (h - h)",
        "eval",
        "eval/output/output_2",
        "1200 inf of 1200",
    ),
    "a gradient": ("  output where(x < 0.0, sqrt(x - x), x)", "train", "step0/input_grad/x", "NaN"),
    "NaN in a layer": (
        "  h = sqrt(x - 100.0) -> Tanh\n  output where(x < 100.0, x, h)",
        "eval",
        "eval/layer/tanh_1",
        "24 NaN of 24",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_finite_is_refused(name: str, tmp_path: Path) -> None:
    body, mode, leaf, told = REFUSED[name]
    project = Project.of(tmp_path, spec(body, mode=mode))
    error = project.refusal()
    assert error.code == "E0810"
    assert f"{leaf} is not finite (" in error.message and told in error.message
    line = project.program.file + ":"
    assert error.message.startswith(line) and error.message[len(line)].isdecimal()
    assert "test { nonfinite allowed }" in str(error.help)


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_spec_allows_is_blessed_and_judged(name: str, tmp_path: Path) -> None:
    body, mode, leaf, _ = REFUSED[name]
    project = Project.of(tmp_path, spec(body, mode=mode, test="nonfinite allowed"))
    project.bless()
    for verdict in project.verdicts().values():
        assert verdict.passed, verdict.report()
        assert any("not finite in the reference" in note for note in verdict.notes)
    found = read(project.program, cases(project.program)[0], project.root)
    (reference,) = (each.reference for each in found.leaves if each.reference.name == leaf)
    assert reference.nonfinite and reference.not_finite > 0
    assert reference.values is not None and bool(torch.isfinite(reference.values).all())


def test_a_golden_that_the_spec_no_longer_allows_is_stale(tmp_path: Path) -> None:
    text = spec("  output sqrt(x)", test="nonfinite allowed")
    Project.of(tmp_path, text).bless()
    project = Project.of(tmp_path, text.replace("nonfinite allowed", ""))
    with pytest.raises(GoldenStale, match="which the spec does not allow"):
        project.verdicts()


def test_a_finite_place_beside_others_is_judged(tmp_path: Path) -> None:
    project = Project.of(tmp_path, spec("  output sqrt(x) * 2.0", test="nonfinite allowed"))
    project.bless()
    wrong = emit(project.program).replace("2.0", "2.00001")
    for verdict in project.verdicts(wrong).values():
        assert [finding.what for finding in verdict.findings] == ["values"]
    elsewhere = emit(project.program).replace("torch.sqrt(x)", "torch.sqrt(x + 100.0)")
    assert elsewhere != emit(project.program)
    for verdict in project.verdicts(elsewhere).values():
        assert [finding.what for finding in verdict.findings] == ["nonfinite"]


MASK = """
block Mask {
  input s: float[N, 6]
  output where(s < 0.0, s, log(s - s))
}
"""


def test_a_mask_of_minus_infinity_is_told_and_blessed(tmp_path: Path) -> None:
    body = "  h = x -> mask: Mask\n  output softmax(h, dim=1)"
    project = Project.of(tmp_path, spec(body, blocks=MASK))
    project.bless()
    for verdict in project.verdicts().values():
        assert verdict.passed, verdict.report()
        (note,) = (note for note in verdict.notes if "not finite" in note)
        assert "eval/layer/mask (" in note and "-inf of 24" in note


def test_nothing_is_left_of_a_layer_that_gives_nan_by_itself(tmp_path: Path) -> None:
    body = "  output log(x - x) -> soft: Softmax(dim=1)"
    project = Project.of(tmp_path, spec(body, test="nonfinite allowed"))
    project.bless()
    source = emit(project.program)
    assert all(verdict.passed for verdict in project.verdicts().values())
    zeros = source.replace("self.soft(", "torch.nan_to_num(self.soft(").replace(
        "x - x))", "x - x)))"
    )
    assert zeros != source
    assert {found.what for found in project.verdicts(zeros)["eager"].findings} >= {"nonfinite"}


@pytest.mark.parametrize(
    ("said", "value"),
    [("", "refused"), ("nonfinite allowed", "allowed"), ("nonfinite refused", "refused")],
)
def test_the_words_of_a_spec(said: str, value: str) -> None:
    assert analyse(spec("  output x", test=said), "net.spec").test.nonfinite == value


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("nonfinite alowed", "did you mean `allowed`?"),
        ("nonfinite allowed, refused", "keep one of the two"),
        ("nonfinite 1", "one of allowed, refused"),
        ("nonfinite true", "`true` is no word for nonfinite"),
    ],
)
def test_other_words_are_refused(said: str, told: str) -> None:
    with pytest.raises(SpecError) as caught:
        analyse(spec("  output x", test=said), "net.spec")
    assert [item.code for item in caught.value.diagnostics()] == ["E0505"]
    assert told in str(caught.value)


@pytest.mark.parametrize("said", ["nonfinit allowed", "non_finite allowed"])
def test_a_misspelt_setting_is_told_with_its_word(said: str) -> None:
    with pytest.raises(SpecError, match="did you mean `nonfinite`"):
        analyse(spec("  output x", test=said), "net.spec")


# ── nothing to judge ─────────────────────────────────────────────────────────────────────────────


def leaf(name: str, rms: float, *, exact: bool = False, dtype: str = "float") -> Leaf:
    value = torch.ones(3, dtype=torch.float64)
    reference = Observation(name, 3, value, (3,), dtype, exact=exact, rms=1.0, largest=1.0)
    return Leaf(reference, {} if exact else {"float32": Floor(rms, rms)})


LOST = leaf("eval/output/y", 0.3)
SHOWN_IN_EAGER = leaf("eval/layer/fc", 1e-7)
A_SETTING = leaf("option/group0/lr", 0.0, exact=True, dtype="number")


def test_a_case_of_which_nothing_can_be_judged_is_refused(tmp_path: Path) -> None:
    program = Project.of(tmp_path, spec("  output x")).program
    (case,) = cases(program)
    with pytest.raises(TargetError, match="determines none of its 1 values") as caught:
        check_observable(program, case, (LOST, SHOWN_IN_EAGER, A_SETTING), ("float32",))
    assert caught.value.code == "E0811"
    for judged in (
        leaf("eval/output/z", 1e-7),
        leaf("eval/output/k", 0.0, exact=True, dtype="int64"),
    ):
        check_observable(program, case, (LOST, judged), ("float32",))


def test_bless_asks_whether_anything_can_be_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.of(tmp_path, spec("  output x -> Linear(2)"))
    monkeypatch.setattr("specc.harness.blessing.blessable.observable", lambda floor: False)
    assert project.refusal().code == "E0811"


def test_a_cell_in_which_nothing_is_judged_does_not_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.of(tmp_path, spec("  output x -> Linear(2)"))
    project.bless()
    monkeypatch.setattr("specc.harness.judging.compare.observable", lambda floor: False)
    # The eager cell judges its layer by itself.
    found = project.verdicts()
    assert found["eager"].passed
    (finding,) = found["torchscript"].findings
    assert finding.what == "nothing" and finding.line == 3
    assert "nothing was judged: of the 2 values" in found["torchscript"].report()


def test_a_made_golden_tells_its_notes(tmp_path: Path) -> None:
    program = Project.of(tmp_path, spec("  output sqrt(x)", test="nonfinite allowed")).program
    (case,) = cases(program)
    found = make(program, case, emit(program), ("float32",))
    assert any(note.startswith("not finite in the reference: eval/output") for note in found.notes)
