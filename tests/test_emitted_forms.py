"""The source of the zoo has none of the forms that no person writes: no loop stands round by round,
no class is right for one value of a param, no block is several classes, no branch lacks a side."""

from __future__ import annotations

import pytest
from emitted_forms import Forms, forms, zoo

from specc import front
from specc.semantics import analyse


@pytest.mark.parametrize("path", zoo(), ids=lambda path: path.stem)
def test_a_spec_of_the_zoo_has_none_of_them(path: object) -> None:
    found = forms(front.read(path))  # type: ignore[arg-type]  # a path
    assert found == Forms(lines=found.lines)


def test_what_is_counted_is_seen() -> None:
    """A list that grows has no other form than its rounds; nor has a depth that it depends on."""
    grows = """spec 1
model M(depth: int = 2) {
  input x: float[N, 3]
  found = [x]
  for k in range(depth) {
    x = x -> fc: Linear(4)
    found = found + [x]
  }
  output cat(found, dim=1) -> head: Linear(2)
}
"""
    found = forms(analyse(grows, "m.spec"))
    assert found.unrolled and found.asserts
