"""Functions and losses of whole numbers, bools, complex numbers and floats together: what a row's
rule takes, torch computes, and differentiates by each argument that it is not said to have no
derivative by.

In eager, against torch itself. Non-goals: values, and operators (``test_breaking``).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import test_catalog_losses
from autocast_oracle import Refused, called
from catalog_function_cases import GENERATORS
from catalog_oracle import call_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specc.catalog import FUNCTIONS, LOSSES
from specc.catalog.facts.derivatives import without_derivative
from specc.catalog.rows import FunctionRow, RuleError
from specc.ir import TensorType

DTYPES = ("float", "int64", "bool", "complex", "float64")
# What the numbers decide, not their dtypes.
BY_VALUE = (
    "in the complex case are specified up to",  # a loss that depends on a vector's phase
)
# Rows whose derivative is there in some calls alone, and is not relied on.
STRICTER = {
    ("dist", "input"): "the difference of complex numbers has one where p is even",
    ("dist", "other"): "the difference of complex numbers has one where p is even",
}
ROWS = [
    row
    for row in (*FUNCTIONS.values(), *LOSSES.values())
    if row.family != "creation" and not row.training and not row.stochastic
]


def bases(row: FunctionRow, count: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Sound calls of the row, the last that were drawn."""
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    generate = GENERATORS.get(row.family, test_catalog_losses._loss)

    @settings(max_examples=14, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.data())
    def draw(data: st.DataObject) -> None:
        args, tensors = generate(data.draw, row)
        try:
            row.shape(call_of(row, args, tensors))
        except RuleError:
            return
        found.append((args, tensors))

    draw()
    return found[-count:]


def retyped(tensors: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same tensors with other dtypes, in every combination of the first three."""
    places = [
        (name, place)
        for name, value in tensors.items()
        for place in (range(len(value)) if isinstance(value, tuple) else (None,))
    ][:3]
    for dtypes in itertools.product(DTYPES, repeat=len(places)):
        if len(places) == 3 and len(set(dtypes)) == 3 and "float" not in dtypes:
            continue
        new = dict(tensors)
        for (name, place), dtype in zip(places, dtypes, strict=True):
            value = new[name]
            if place is None:
                new[name] = TensorType(dtype, value.shape)
            else:
                of = TensorType(dtype, value[place].shape)
                new[name] = (*value[:place], of, *value[place + 1 :])
        yield new


def faults(row: FunctionRow, count: int) -> list[str]:
    """Where the row and torch differ."""
    found: dict[str, str] = {}
    for args, tensors in bases(row, count):
        for new in retyped(tensors):
            try:
                call = call_of(row, args, new)
                row.shape(call)
            except RuleError:
                continue
            for what, shown in _differences(row, call.args, args, new):
                found.setdefault(f"{row.name}: {what}", shown)
    return [f"{what} | {shown}" for what, shown in found.items()]


def _differences(
    row: FunctionRow, filled: Any, args: dict[str, Any], tensors: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    types = {name: each for name, each in tensors.items() if not isinstance(each, tuple)}
    without = without_derivative(row.torch, filled, types)
    shown = f"{args} { ({name: str(each) for name, each in types.items()}) }"
    try:
        called(row, args, tensors, ())
    except Refused as fault:
        yield f"does not compute: {fault}", shown
        return
    for name, value in tensors.items():
        inside = value if isinstance(value, tuple) else (value,)
        if not any(each.differentiable for each in inside):
            continue
        try:
            called(row, args, tensors, (name,))
        except Refused as fault:
            if name not in without and not any(part in str(fault) for part in BY_VALUE):
                yield f"has no derivative by {name}: {fault}", shown
        else:
            if name in without and (row.name, name) not in STRICTER:
                yield f"has a derivative by {name}", shown


@pytest.mark.parametrize("part", range(8))
def test_a_mixture_that_is_taken_is_computed_and_differentiated(part: int) -> None:
    families = ("pairwise", "matrix", "loss", "elementwise", "activation", "indexing")
    chosen = [row for row in ROWS if row.family in families]
    assert [fault for row in chosen[part::8] for fault in faults(row, 1)] == []


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_mixture_that_is_taken_is_computed_and_differentiated(row: FunctionRow) -> None:
    assert faults(row, 4) == []
