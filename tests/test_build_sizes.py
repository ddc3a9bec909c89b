"""The sizes to build with: none that a compiler would take for a fact of the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from specc import front, ir
from specc.harness.cases import build_sizes

SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.spec"))


def program(inputs: str, body: str, sizes: str = "", params: str = "") -> ir.Program:
    test = f"test {{\n{sizes}\n}}\n" if sizes else ""
    text = f"spec 1\n{params}\nmodel Net {{\n{inputs}\n{body}\n}}\n{test}"
    found, diagnostics, _ = front.check_text(text)
    assert found is not None, diagnostics
    return found


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_every_spec_has_two_sets_of_sizes_that_specialise_nothing(spec: Path) -> None:
    found = front.read(spec)
    for model in found.models:
        first = build_sizes.first(found, model)
        assert all(size > 1 for _, size in first.sizes)
        assert len({size for _, size in first.sizes}) == len(first.sizes)
        other = build_sizes.other(found, model, first, {})
        if first.sizes:
            assert other is not None
            assert all(a != b for (_, a), (_, b) in zip(first.sizes, other.sizes, strict=True))
            name, size = first.sizes[-1]
            pinned = build_sizes.other(found, model, first, {name: size})
            # A model of one size has no other where that is bound.
            assert (pinned is None) == (len(first.sizes) == 1)
            assert pinned is None or dict(pinned.sizes)[name] == size


@pytest.mark.parametrize(
    ("sizes", "taken"),
    [
        ("sizes N=6, T=9", {"N": 6, "T": 9}),
        ("sizes N=1, T=9", None),
        ("sizes N=7, T=7", None),
        ("sizes N=1, T=9\nsizes N=5, T=11", {"N": 5, "T": 11}),
    ],
)
def test_a_row_of_the_test_is_taken_where_it_specialises_nothing(
    sizes: str, taken: dict[str, int] | None
) -> None:
    found = program("input x: float[N, T, 4]", "output x -> Linear(2)", sizes)
    first = dict(build_sizes.first(found, found.model()).sizes)
    assert first == taken if taken else len({1, *first.values()}) == 3


def test_conditions_hold_and_nothing_inside_is_one() -> None:
    found = program(
        "input x: float[N, 3, H, W]", "output x -> MaxPool2d(4) -> MaxPool2d(4) -> Conv2d(2, 1)"
    )
    first = dict(build_sizes.first(found, found.model()).sizes)
    assert min(first["H"], first["W"]) >= 32


def test_a_model_that_takes_one_size_alone_is_built_with_it() -> None:
    found = program("input x: float[1, 4]", "output x -> Linear(2)")
    first = build_sizes.first(found, found.model())
    assert first.sizes == () and build_sizes.other(found, found.model(), first, {}) is None
