"""What names stand for at compile time: a value of the IR and its entity say the same, and what a
param's tuple holds is said by the param at every depth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc import ir
from specc.errors import TooLarge
from specc.semantics.compile_time.entities import (
    MOST_ITEMS,
    POISON,
    Items,
    from_static,
    is_poisoned,
    is_static,
    of_entry,
    to_static,
)
from specc.semantics.compile_time.static import plain
from specc.sizes import Entry, is_known

numbers = st.integers(-9, 9) | st.floats(-1, 1) | st.booleans() | st.sampled_from(["a", "b"])
tables = st.lists(numbers | st.lists(numbers, max_size=3).map(tuple), max_size=4).map(tuple)


@given(tables)
def test_a_value_is_what_it_was_after_both_ways(held: tuple[ir.Static, ...]) -> None:
    assert to_static(from_static(held)) == held
    assert is_static(from_static(held))


@given(tables)
def test_what_a_param_holds_is_its_value_where_the_param_is_known(
    held: tuple[ir.Static, ...],
) -> None:
    said = to_static(of_entry(Entry("table", (), "", held), held))
    assert isinstance(said, ir.TupleParam)
    assert plain(said, {is_known("table"): len(held)}) == held
    again = to_static(from_static(said))
    assert isinstance(again, ir.TupleParam) and again == said and again.entry == said.entry


def test_one_faulty_item_is_enough() -> None:
    assert is_poisoned(Items((1, Items((2, POISON)))))
    assert not is_static(Items((1, Items((2, POISON)))))
    assert not is_poisoned(Items((1, Items((2,)))))


def test_a_list_is_counted_at_all_its_depths() -> None:
    inner = Items((0,) * (MOST_ITEMS // 2))
    with pytest.raises(TooLarge):
        Items((inner, inner))
