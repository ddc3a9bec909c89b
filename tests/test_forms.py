"""Forms of computed values: a tree that is gone through and made again by its parts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from specc import ir
from specc.ir.forms import (
    BinaryForm,
    CallForm,
    EntryForm,
    Form,
    FormPart,
    LiteralForm,
    ParamForm,
    UnaryForm,
)
from specc.semantics.compile_time import static, static_functions
from specc.semantics.compile_time.substitution import static_outside
from specc.sizes import Entry, symbol

P, Q, N = ParamForm("p"), ParamForm("q"), symbol("n")
RATE = ir.Scalar(0.5, P)
EVERY: tuple[Form, ...] = (
    P,
    EntryForm(Entry("widths", (0,))),
    LiteralForm("relu"),
    UnaryForm("-", P),
    BinaryForm("*", P, N),
    CallForm("max", (P, Q, 2.0)),
)


def named(part: FormPart) -> list[str]:
    if isinstance(part, ParamForm):
        return [part.name]
    return [name for each in part.parts for name in named(each)] if isinstance(part, Form) else []


@pytest.mark.parametrize("form", EVERY, ids=lambda form: type(form).__name__)
def test_a_form_is_made_again_of_its_own_parts(form: Form) -> None:
    assert form.of(form.parts) == form
    if form.parts and not isinstance(form, EntryForm):
        other: tuple[FormPart, ...] = tuple("other" for _ in form.parts)
        assert form.of(other) != form and form.of(other).parts == other


def test_its_params_are_found_wherever_they_stand() -> None:
    assert named(BinaryForm("or", UnaryForm("not", P), CallForm("f", (LiteralForm(1), Q)))) == [
        "p",
        "q",
    ]


@pytest.mark.parametrize(
    ("compute", "value", "form"),
    [
        (lambda: static.unary("-", RATE, {}), -0.5, UnaryForm("-", P)),
        (lambda: static.binary("*", RATE, 3, {}), 1.5, BinaryForm("*", P, 3)),
        (lambda: static.binary("<", RATE, N, {"n": 4}), True, BinaryForm("<", P, N)),
        (lambda: static_functions.call("max", (RATE, 2.0), {}), 2.0, CallForm("max", (P, 2.0))),
        (lambda: static_functions.call("sqrt", (N,), {"n": 9}), 3.0, CallForm("sqrt", (N,))),
    ],
)
def test_what_is_computed_of_params_keeps_its_form(
    compute: Callable[[], ir.Static], value: float, form: Form
) -> None:
    assert compute() == ir.Scalar(value, form)


def test_a_name_outside_stands_for_what_it_means_there() -> None:
    inside = ir.Scalar(1.5, BinaryForm("*", P, symbol("n")))
    found = static_outside(inside, {"n": symbol("m")}, {"p": ir.Scalar(0.5, Q)})
    assert found == ir.Scalar(1.5, BinaryForm("*", Q, symbol("m")))
    assert static_outside(inside, {"n": 3}, {"p": 0.5}) == 1.5  # nothing is left to speak of


def test_a_text_that_is_an_operand_is_no_node() -> None:
    """A tuple of texts was once taken for a node of that name."""
    words = BinaryForm("==", P, ("param", "p"))
    scalar = ir.Scalar(False, words)
    assert static_outside(scalar, {"p": symbol("m")}) == ir.Scalar(
        False, BinaryForm("==", symbol("m"), ("param", "p"))
    )
