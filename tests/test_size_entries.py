"""Numbers that a tuple of a param says: they are what Python makes of them, and symbols until the
param is known."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc.emit.writing.expressions import of_size, static_naming
from specc.sizes import Cut, Entry, Poly, evaluate, is_known, opened, symbol, symbols

HELD = (3, 1, 4, 1, 5)
FUNCTIONS = ("", "len", "sum", "max", "min")
places = st.integers(-len(HELD), len(HELD) - 1)
bounds = st.none() | st.integers(0, len(HELD))


def sized(entry: Entry) -> Poly:
    return Poly({(entry,): 1})


@given(places, st.integers(0, 4))
def test_an_item_is_what_python_picks(place: int, more: int) -> None:
    entry = Entry("widths", (symbol("k") + place,), "", HELD)
    size = sized(entry) * 2 + more
    written = ast.unparse(of_size(size, static_naming(lambda name: ast.Name(name))))
    known = {"k": 0, "widths": len(HELD), is_known("widths"): len(HELD)}
    assert evaluate(size, known) == eval(written, {"widths": HELD, "k": 0})
    assert evaluate(size, {"k": 0}) == sized(Entry("widths", (place,), "", HELD)) * 2 + more


@given(st.sampled_from(FUNCTIONS[1:3]), bounds, bounds)
def test_what_is_said_of_a_part_is_what_python_says(
    function: str, lower: int | None, upper: int | None
) -> None:
    entry = Entry("widths", (Cut(lower, upper),), function, HELD)  # type: ignore[arg-type]  # sampled
    written = ast.unparse(of_size(sized(entry), static_naming(lambda name: ast.Name(name))))
    assert evaluate(sized(entry), {is_known("widths"): 5}) == eval(written, {"widths": HELD})


def test_an_entry_is_a_symbol_of_its_own_to_what_does_not_know_it() -> None:
    size = sized(Entry("widths", (symbol("k"),), "", HELD)) + symbol("n")
    assert symbols(size) == {"widths", "k", "n"}
    assert opened(size) == symbol("widths[k]") + symbol("n")
    assert opened(symbol("n")) == symbol("n")


@pytest.mark.parametrize("function", FUNCTIONS[1:])
def test_the_tuple_itself_is_none_of_what_makes_two_the_same(function: str) -> None:
    here, there = (Entry("widths", (), function, held) for held in (HELD, (1, 2)))  # type: ignore[arg-type]  # as above
    assert sized(here) == sized(there)
