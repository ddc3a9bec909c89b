"""Every row of the catalogue in a model of its own: its gradients, and each target's numbers.

One generated spec a row (``conformance_cases``), with a golden that ``specc bless`` wrote.
Gradients are held against finite differences in float64; eager, TorchScript, export and compile
against the golden. compile runs with ``aot_eager``, which traces as inductor does and generates no
code, and with inductor for one row of each family. Non-goal: shapes, which ``test_catalog_*`` ask
torch for.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from conformance_cases import CASES, GOLDEN, IDS, ROOT, SPECS, one_a_family, program_at, spec_path
from conformance_limits import EVALUATED, FLAT, LIMITS
from gradient_check import gradients_are_right

from specc.catalog import examples
from specc.catalog.rows import Row
from specc.drift.coverage import is_later
from specc.harness.cases.matrix import cells
from specc.harness.judging.judge import judge
from specc.ir import Program
from specc.targets import compile as compile_target

REGENERATE = "write it anew: python tests/conformance/conformance_cases.py"


def test_every_row_has_its_spec_and_no_other_is_there() -> None:
    wanted = {spec_path(kind, row): examples.program_of(kind, row) for kind, row in CASES}
    assert {*SPECS.rglob("*.spec")} == wanted.keys(), REGENERATE
    for path, text in wanted.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is not current; {REGENERATE}"


def test_goldens_are_small_and_no_other_is_there() -> None:
    sizes: dict[Path, int] = {}
    for file in GOLDEN.rglob("*"):
        if file.is_file():
            sizes[file.parent] = sizes.get(file.parent, 0) + file.stat().st_size
    for folder, size in sizes.items():
        steps = json.loads((folder / "golden.json").read_text(encoding="utf-8"))["case"]["steps"]
        # RAdam has to be followed for six steps.
        assert size < max(16_384, 5_120 * steps), f"{folder.relative_to(ROOT)}: {size} bytes"
    assert sum(sizes.values()) < 20 * 2**20
    specs = {path.relative_to(ROOT).with_suffix("") for path in SPECS.rglob("*.spec")}
    assert {folder.parent.relative_to(GOLDEN) for folder in sizes} == specs


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _program(request: pytest.FixtureRequest, kind: str, row: Row, check: str) -> Program:
    """The case's program. Skips where torch is older than the row, and expects the failures that
    are torch's own: one that is mended is to be taken from the table."""
    if is_later(row):
        pytest.skip(f"torch has it since {row.since}")
    reason = row.refuses.get(_TARGETS.get(check, check)) or LIMITS.get((row.name, check))
    if reason is not None:
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    return program_at(spec_path(kind, row))


# inductor and aot_eager trace alike: what the row says of compile is true of both.
_TARGETS = {"inductor": "compile"}


def _judge(program: Program, target: str) -> None:
    for cell in cells(program, targets=(target,), devices=("cpu",)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            verdict = judge(program, cell, ROOT)
        assert verdict.outcome == "passed", "\n".join(map(str, verdict.findings))


@pytest.mark.parametrize(("kind", "row"), CASES, ids=IDS)
class TestRow:
    def test_gradients(self, request: pytest.FixtureRequest, kind: str, row: Row) -> None:
        program = _program(request, kind, row, "gradients")
        results = [output.value.type for output in program.subject().outputs]
        smooth = any(each.floating or each.dtype.startswith("complex") for each in results)
        flat = (kind, row.name) in FLAT or not smooth
        checked = gradients_are_right(program, training=(kind, row.name) not in EVALUATED)
        assert (checked == 0) == flat

    @pytest.mark.parametrize("target", ["eager", "torchscript", "export"])
    def test_target(self, request: pytest.FixtureRequest, kind: str, row: Row, target: str) -> None:
        _judge(_program(request, kind, row, target), target)

    def test_compile(
        self,
        request: pytest.FixtureRequest,
        monkeypatch: pytest.MonkeyPatch,
        kind: str,
        row: Row,
    ) -> None:
        monkeypatch.setattr(compile_target, "BACKEND", "aot_eager")
        _judge(_program(request, kind, row, "compile"), "compile")
        torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "row"), one_a_family(), ids=lambda value: getattr(value, "name", value)
)
def test_compile_with_inductor(request: pytest.FixtureRequest, kind: str, row: Row) -> None:
    _judge(_program(request, kind, row, "inductor"), "compile")
    torch._dynamo.reset()
