"""Whole numbers in the arithmetic of sizes: what is computed is what Python computes."""

from __future__ import annotations

import ast

from hypothesis import given
from hypothesis import strategies as st

from specc import front
from specc.emit import emit
from specc.emit.writing.folding import combined, extreme, number, written

numbers = st.integers(-6, 6)
OPERATORS = (ast.Add(), ast.Sub(), ast.Mult(), ast.FloorDiv(), ast.Mod())


def evaluated(node: ast.expr, **names: int) -> int:
    source = ast.unparse(ast.fix_missing_locations(ast.Expression(node)))
    found = eval(source, {}, names)
    assert isinstance(found, int)
    return found


@given(left=numbers, right=numbers, x=numbers, op=st.sampled_from(OPERATORS))
def test_folding_changes_no_value(left: int, right: int, x: int, op: ast.operator) -> None:
    name = ast.Name("x")
    sides = ((written(left), written(right), right), (name, written(right), right),
             (written(left), name, x))  # fmt: skip
    for one, other, divisor in sides:
        if divisor == 0 and isinstance(op, ast.FloorDiv | ast.Mod):
            continue
        plain = ast.BinOp(one, op, other)
        assert evaluated(combined(one, op, other), x=x) == evaluated(plain, x=x)


def test_a_division_by_zero_is_left_to_the_run() -> None:
    for op in (ast.FloorDiv(), ast.Mod()):
        assert ast.unparse(combined(written(5), op, written(0))) in ("5 // 0", "5 % 0")
        assert number(combined(written(5), op, written(1))) == (
            5 if op.__class__ is ast.FloorDiv else 0
        )


@given(values=st.lists(numbers, min_size=1, max_size=3))
def test_extremes(values: list[int]) -> None:
    sizes = [written(value) for value in values]
    assert number(extreme("max", sizes)) == max(values)
    assert evaluated(extreme("min", [*sizes, ast.Name("x")]), x=2) == min(*values, 2)


ROUNDS = """spec 1
model Net(width: int = 4) {
  input x: float[N, 3, H, W] where H % 4 == 0, W % 4 == 0
  a = x -> Conv2d(width, 1)
  b = x -> Conv2d(8, 1)
  c = x -> Conv2d(9, 1)
  xs = [a, b, c]
  ys = [avg_pool2d(xs[k], 2 ** (2 - k)) -> pad((k, 2 * k)) for k in range(3)]
  output [y -> Conv2d(2, 1) -> mean(dim=(2, 3)) for y in ys][0], ys[1], ys[2]
}
"""


def test_a_round_by_itself_says_numbers() -> None:
    program, diagnostics, _ = front.check_text(ROUNDS)
    assert program is not None, diagnostics
    source = emit(program)
    assert "F.avg_pool2d(a, 4)" in source and "F.avg_pool2d(b, 2), (1, 2))" in source
    assert "2 **" not in source and "-0" not in source
