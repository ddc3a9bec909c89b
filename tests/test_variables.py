"""The names of a function's values: none is taken from a value that is still read."""

from __future__ import annotations

from collections import Counter

import pytest

from specc import ir
from specc.emit.forward.variables import Variables
from specc.errors import Span


def value(name: str = "") -> ir.Value:
    return ir.Value(name, ir.TensorType("float", ()), Span("m.spec", 0, 1, 1, 1))


def test_what_has_no_name_gets_the_next_short_one() -> None:
    reads: Counter[int] = Counter()
    names = Variables(reads, (), ("y",))
    held, found = [], []
    for _ in range(5):
        found.append(names.temporary())
        held.append(value())
        reads[id(held[-1])] = 1
        names.hold(held[-1], found[-1])
    assert found == ["x", "h", "z", "u", "v"]
    # Where all are held it is the first, which a claim makes another of.
    assert names.temporary() == "x"
    last = value()
    assert names.claim(last, names.temporary()) == "x_2" == names.name_of(last)
    reads[id(held[2])] = 0
    assert names.temporary() == "z"


def test_a_name_is_free_when_nothing_reads_what_it_holds() -> None:
    reads: Counter[int] = Counter()
    names = Variables(reads, ("self",), ())
    first, second, third = value(), value(), value()
    reads[id(first)] = reads[id(second)] = 1
    assert names.name_of(first) is None and not names.held("h")
    assert names.claim(first, "h") == "h" and names.held("h")
    assert names.claim(second, "h") == "h_2"
    reads[id(first)] = 0
    assert not names.held("h") and names.claim(third, "h") == "h"


@pytest.mark.parametrize("wanted", ["self", "class", "torch"])
def test_no_value_takes_a_name_that_means_something(wanted: str) -> None:
    names = Variables(Counter(), ("self",), ())
    assert names.free(wanted) == f"{wanted}_2" == names.reserve(wanted)


def test_what_is_reserved_is_no_value_s() -> None:
    names = Variables(Counter(), (), ("places",))
    assert names.free("places") == "places"
    assert names.reserve("places") == "places_2" and names.reserve("places") == "places_3"
    assert names.reserve("other") == "other" and names.free("other") == "other_2"
