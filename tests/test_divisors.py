"""Whole numbers divided by what may be 0: told before torch stops, and where it stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from specc import front
from specc.emit import emit
from specc.errors import TargetError
from specc.harness.blessing.bless import bless
from specc.harness.cases import matrix
from specc.harness.cases.case import close
from specc.harness.judging.judge import judge
from specc.targets.live import module_class

TEXT = """spec 1

block Share() {
  input of: int[N]
  for i in range(2) { of = flip(of, dims=0) }
  output 12 // of
}

block Level() {
  input of: index(5)[N]
  output 12 % of
}

model Net {
  input k: index(5)[N]
  input j: int[N]
  input x: float[N, 3]
  buffer places = arange(5)
  buffer counts = arange(5) + 1
  y = x -> Linear(3)
  d = DIVIDED
  output y, d
}
"""
HOLDS = [
    "12 // k", "12 % k", "fmod(j, k)", "remainder(12, k)", 'div(j, k, rounding_mode="trunc")',
    "12 // places", "12 // k[1:]", "12 // cat([k, k])", "12 // gather(k, 0, k)", "N % k",
    "Level()(k)", "floor_divide(j, flip(k, dims=0))",
]  # fmt: skip
MAY_HOLD = [
    "12 // j", "remainder(7, j)", "12 // (k - 1)", "12 // (k * k)", "12 // argmax(x, dim=1)",
    "12 // (k % 3)", "12 // -k", "Share()(j)", "12 % unsqueeze(j, 1)",
]  # fmt: skip
NEVER = [
    "12 // (k + 1)", "12 // clamp(k, min=1)", "12 // clamp(j, min=1)", "12 // counts",
    "12 // where(k == 0, 1, k)", "12.0 // k", "float(k) % j", "k // 2", "k % N",
    "12 // (k % 3 + 1)", "12 // (2 * k + 1)", "Level()(clamp(k, min=1))", "div(j, k)",
]  # fmt: skip


def codes(divided: str) -> set[str]:
    _, found, _ = front.check_text(TEXT.replace("DIVIDED", divided), "m.spec")
    return {each.code for each in found} - {"W0201", "W0202"}


@pytest.mark.parametrize("divided", HOLDS)
def test_what_is_declared_to_hold_zero_is_no_divisor(divided: str) -> None:
    assert codes(divided) == {"E0313"}


@pytest.mark.parametrize("divided", MAY_HOLD)
def test_what_may_hold_zero_is_told(divided: str) -> None:
    assert codes(divided) == {"W0322"}


@pytest.mark.parametrize("divided", NEVER)
def test_what_holds_no_zero_is_a_divisor(divided: str) -> None:
    assert codes(divided) == set()
    run(TEXT.replace("DIVIDED", divided))


def run(text: str) -> None:
    program, _, _ = front.check_text(text, "m.spec")
    assert program is not None
    module = module_class(emit(program), "Net", "m")()
    for batch in close(program, matrix.cases(program)[0]).batches:
        given = [tensor for _, tensor in batch.inputs]
        module(*(t.float() if t.is_floating_point() else t for t in given))


@pytest.mark.parametrize("divided", ["12 // j", "remainder(7, j)", "Share()(j)", "5 % j[1:]"])
def test_samples_hold_no_zero_where_they_divide(divided: str) -> None:
    text = TEXT.replace("DIVIDED", divided)
    program, _, _ = front.check_text(text, "m.spec")
    assert program is not None
    drawn = [
        dict(batch.inputs)["j"]
        for case in matrix.cases(program)
        for batch in close(program, case).batches
    ]
    assert all(bool((tensor != 0).all()) for tensor in drawn)
    assert any(len(tensor.unique()) > 1 for tensor in drawn)
    run(text)


@pytest.mark.parametrize("noise", ["y", "dropout(y)"])
def test_a_golden_that_cannot_be_made_says_the_line(tmp_path: Path, noise: str) -> None:
    """Also where the noise's draws are rewritten, which loses the comments of the source."""
    (tmp_path / "pyproject.toml").touch()
    path = tmp_path / "m.spec"
    path.write_text(TEXT.replace("DIVIDED", "12 // (j - j)").replace("output y", f"output {noise}"))
    program = front.read(path, {})
    with pytest.raises(TargetError) as caught:
        bless(program, tmp_path)
    (told,) = caught.value.diagnostics()
    assert told.code == "E0903" and told.span is not None
    assert path.read_text()[told.span.start : told.span.end] == "12 // (j - j)"


def test_a_cell_that_stops_says_the_line(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    path = tmp_path / "m.spec"
    path.write_text(TEXT.replace("DIVIDED", "12 // clamp(j, min=1)"))
    program = front.read(path, {})
    bless(program, tmp_path)
    broken = emit(program).replace("clamp(min=1)", "clamp(max=0)")
    assert broken != emit(program)
    verdict = judge(program, matrix.cells(program)[0], tmp_path, broken)
    assert verdict.outcome == "regressed"
    assert {finding.line for finding in verdict.findings} == {
        1 + path.read_text()[: path.read_text().index("12 // clamp")].count("\n")
    }
