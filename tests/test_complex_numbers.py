"""Complex numbers all the way: types, drawn inputs, observation part by part, floors, faults."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from torch import Tensor

import specc
from specc.catalog.rows import RuleError
from specc.catalog.shapes import promote
from specc.emit import emit
from specc.errors import SpecError
from specc.harness.blessing.bless import bless
from specc.harness.cases.case import close
from specc.harness.cases.matrix import cases, cells
from specc.harness.floors.regroup import REGROUPED
from specc.harness.floors.rounding import RandomRounding
from specc.harness.floors.summation import SummationOrder
from specc.harness.judging.judge import judge
from specc.harness.running.observe import Setting, observe
from specc.ir import Program
from specc.semantics import analyse

SPEC = """spec 1

model Net {
  input z: complex[N, 6]
  input x: float[N, 6]
  w = x -> fc: Linear(6)
  y = fft(z * w)
  output y, abs(y)
}

test {
  sizes N=3
  modes train
  targets eager
  devices cpu
}
"""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    path = tmp_path / "net.spec"
    (tmp_path / "pyproject.toml").write_text("")
    path.write_text(SPEC)
    return analyse(SPEC, str(path), {})


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("dtype", "part"), [("float32", "complex64"), ("float64", "complex128")])
def test_a_complex_value_is_of_the_runs_precision(program: Program, dtype: str, part: str) -> None:
    closed = close(program, cases(program)[0])
    (name, drawn), *_ = closed.batches[0].inputs
    assert name == "z" and drawn.dtype == torch.complex128
    assert float(drawn.imag.abs().max()) > 0.1
    source = emit(program).replace(
        "y = torch.fft", f"assert z.dtype == torch.{part}\n        y = torch.fft"
    )
    assert part in source
    run = observe(program, closed, source, Setting("eager", "cpu", dtype))
    found = {each.name: each for each in run.observations}
    result = found["step0/output/y"]
    assert result.dtype == "complex" and result.shape == (3, 6, 2) and not result.exact
    assert result.values is not None and result.values.numel() == 36
    assert found["step0/input_grad/z"].shape == (3, 6, 2)


@pytest.mark.parametrize(
    ("fault", "wrong"),
    [
        ("", 0),
        ("y = torch.conj(y) if False else torch.complex(y.real, y.imag * (1 + 2e-5))", 1),
        ("y = torch.complex(y.real * (1 + 2e-5), y.imag)", 1),
        ("y = torch.conj(y)", 1),
    ],
)
def test_a_fault_in_one_part_is_found(program: Program, fault: str, wrong: int) -> None:
    root = Path(program.file).parent
    bless(program, root)
    source = emit(program)
    if fault:
        assert "return y" in source
        source = source.replace("        return y", f"        {fault}\n        return y")
    (cell,) = [each for each in cells(program) if each.dtype == "float32"]
    verdict = judge(program, cell, root, source=source)
    names = [finding.name for finding in verdict.findings]
    assert ("step0/output/y" in names) == bool(wrong), verdict


def test_random_rounding_moves_both_parts_by_the_numbers_size() -> None:
    z = torch.complex(torch.full((2000,), 1e3), torch.full((2000,), 1e-3))
    with RandomRounding(1, torch.float32):
        moved = z * 1
    error = moved.to(torch.complex128) - z
    unit = torch.finfo(torch.float32).eps * 1e3
    for part in (error.real, error.imag):
        assert 0.2 * unit < float(part.std()) < unit
        assert float(part.abs().max()) <= 1.5 * unit  # the sum is rounded as well


def test_a_transform_is_repeated_on_an_argument_moved_within_its_rounding() -> None:
    z = torch.complex(torch.randn(64), torch.randn(64))
    operation = torch.ops.aten._fft_c2c.default
    moved = REGROUPED["_fft_c2c"](
        SummationOrder(random.Random(0)), operation, (z, [0], 0, True), {}
    )
    assert isinstance(moved, Tensor)
    exact = operation(z, [0], 0, True)
    error = float((moved - exact).abs().max() / exact.abs().max())
    assert 1e-9 < error < 1e-6
    assert (
        REGROUPED["_fft_c2c"](
            SummationOrder(random.Random(0)), operation, (z.conj(), [0], 0, True), {}
        )
        is None
    )


@pytest.mark.parametrize(
    ("left", "right", "wanted"),
    [
        ("complex", "float", "complex"),
        ("complex", "int64", "complex"),
        ("complex", "float64", "complex128"),
        ("complex64", "float64", "complex128"),
        ("complex64", "bfloat16", "complex64"),
        ("bool", "complex128", "complex128"),
    ],
)
def test_dtypes_are_promoted_as_by_torch(left: str, right: str, wanted: str) -> None:
    assert promote(left, right) == promote(right, left) == wanted
    names = {"complex": "complex64", "float": "float32"}
    one, other, result = (getattr(torch, names.get(d, d)) for d in (left, right, wanted))
    assert torch.promote_types(one, other) == result


def test_the_runs_precision_does_not_mix_with_single_precision() -> None:
    with pytest.raises(RuleError, match="do not mix"):
        promote("complex", "float32")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("z < z", "E0306"),
        ("z // 2", "E0306"),
        ("z -> ReLU", "E0306"),
        ("z -> Linear(3)", "E0306"),
        ("amax(z)", "E0306"),
        ("rfft(z)", "E0306"),
        ("imag(abs(z))", "E0306"),
        ("view_as_complex(abs(z))", "E0302"),
    ],
)
def test_what_complex_numbers_cannot_do_is_said(line: str, code: str) -> None:
    with pytest.raises(SpecError) as found:
        specc.loads(f"spec 1\n\nmodel Net {{\n  input z: complex[N, 6]\n  output {line}\n}}\n")
    assert [diagnostic.code for diagnostic in found.value.diagnostics()] == [code]


def test_a_made_tensor_has_the_precision_of_the_parts() -> None:
    text = "spec 1\n\nmodel Net {\n  input z: complex[N, 6]\n  output z * hann_window(6)\n}\n"
    assert "dtype=z.real.dtype" in emit(analyse(text, "net.spec", {}))
