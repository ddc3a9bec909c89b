"""What a cell came to: the worst of several, and results of which one is enough to show."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import pytest

from specc.harness.cases.cell_result import CellResult, Outcome, alike, outcome_of, worst_of

ROOT = Path(__file__).resolve().parent.parent


def cell(outcome: Outcome, worst: float | None = None, reason: str = "") -> CellResult:
    return CellResult("a.spec", "eager", outcome, worst, reason=reason)


def test_nothing_is_the_worst_of_what_was_not_compared_and_nan_of_any() -> None:
    assert worst_of([cell("skipped")]) is None
    assert worst_of([cell("passed", 0.5), cell("skipped"), cell("passed", 2.0)]) == 2.0
    for order in ((math.nan, 3.0), (3.0, math.nan)):
        found = worst_of([cell("passed", each) for each in order])
        assert found is not None and math.isnan(found)


@pytest.mark.parametrize(
    ("outcomes", "whole"),
    [
        (("passed", "skipped"), "passed"),
        (("passed", "golden"), "golden"),
        (("golden", "fault"), "fault"),
        (("fault", "regressed", "passed"), "regressed"),
        (("skipped",), "skipped"),
    ],
)
def test_the_outcome_of_a_spec_is_its_worst_cells(
    outcomes: tuple[Outcome, ...], whole: Outcome
) -> None:
    assert outcome_of([cell(each) for each in outcomes]) == whole


def test_goldens_that_are_missing_for_one_reason_are_alike_and_no_other_result_is() -> None:
    one, other = (cell("golden", reason=f"no golden, case {name}") for name in ("cpu", "cpu-bf16"))
    assert alike(one) == alike(other)
    assert alike(one) != alike(cell("golden", reason="stale, case cpu"))
    one, other = (cell("fault", reason=f"failed, case {name}") for name in ("cpu", "cpu-bf16"))
    assert alike(one) != alike(other)


def test_the_report_owns_no_data() -> None:
    """Its records are made where they are measured or judged: it imports them."""
    for path in (ROOT / "specc" / "report").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                assert not node.decorator_list, f"{path.name}: {node.name}"
