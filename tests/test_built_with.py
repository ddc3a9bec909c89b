"""A source that was built with other params than the spec is tested with: which, and what to
type."""

from __future__ import annotations

from pathlib import Path

import pytest

from specc import front
from specc.emit import emit
from specc.emit.read_back.built_with import Differing, differing
from specc.run_choice import RunChoice, settings

SPEC = """spec 1

param width: int = 64
param kernels: tuple = (3, 5)
param table: tuple = ((1, "relu"), (2, "tanh"))
param inner: int = 2 * width

model Side(classes: int = 2) {
  input x: float[N, 8]
  output x -> Linear(classes)
}

model Net(classes: int = 3, act: layer = ReLU, mode: str = "same", bias: bool = true) {
  input x: float[N, 8, T]
  h = x
  for k in kernels { h = h -> Conv1d(width, k, padding=mode, bias=bias) -> act }
  for n, kind in table { h = h -> Conv1d(inner * n, 1) -> Tanh }
  output mean(h, dim=-1) -> Linear(classes)
}
"""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, []),
        ({"width": "32"}, ["width=32 for 64", "inner=64 for 128"]),
        ({"kernels": "3,"}, ["kernels=3, for 3,5"]),
        ({"table": "(1,tanh),(3,relu)"}, ["table=(1,tanh),(3,relu) for (1,relu),(2,tanh)"]),
        ({"Net.classes": "4"}, ["Net.classes=4 for 3"]),
        ({"act": "GELU"}, ["act=GELU for ReLU"]),
        ({"mode": "valid", "bias": "false"}, ["mode=valid for same", "bias=false for true"]),
    ],
)
def test_what_differs_is_said_as_it_is_set(given: dict[str, str], said: list[str]) -> None:
    program, *_ = front.check_text(SPEC)
    built, diagnostics, _ = front.check_text(SPEC, params=given)
    assert program is not None and built is not None, diagnostics
    found = differing(program, emit(built))
    assert [f"{item.name}={item.built} for {item.wanted}" for item in found] == said
    assert all(item.settable for item in found)
    # What is told to be typed gives what was built.
    typed, *_ = front.check_text(SPEC, params={item.name: item.built for item in found})
    assert typed is not None and emit(typed) == emit(built)


@pytest.mark.parametrize("source", ["", "def broken(:\n", "WIDTH = other()\n", "\0", "x = 1\n" * 9])
def test_a_source_from_anywhere_is_only_read(source: str) -> None:
    program, *_ = front.check_text(SPEC)
    assert program is not None
    assert all(not item.settable for item in differing(program, source))


def test_a_source_that_says_the_same_with_other_numbers_in_it_differs_in_no_param() -> None:
    program, *_ = front.check_text(SPEC)
    assert program is not None
    assert differing(program, emit(program).replace("nn.Linear(", "nn.Linear(1 + ")) == ()


def test_what_to_type_is_told_for_the_place_of_the_call(tmp_path: Path) -> None:
    source = tmp_path / "out"
    source.mkdir()
    found = [Differing("width", "32", "16"), Differing("Net.mode", "a b", "same")]
    choice = RunChoice(settings=settings(["depth=2"]), source=source)
    first, build, test = choice.told_of_params(found, "net.spec", [("width", 16)], tmp_path)
    assert first == (
        "the source has width=32, Net.mode=a b, and the spec is tested with width=16,"
        " Net.mode=same, as `test` says"
    )
    assert build.endswith(
        "specc build net.spec --set depth=2 --set width=16 --set Net.mode=same -o out"
    )
    assert test.endswith(
        "specc test net.spec --set depth=2 --set width=32 --set 'Net.mode=a b' --source out"
    )
    layer = Differing("norm", "partial(nn.GroupNorm, 4)", "LayerNorm", settable=False)
    assert len(choice.told_of_params([layer], "net.spec", [], tmp_path)) == 1
    assert choice.told_of_params([], "net.spec", [], tmp_path) == ()
    assert RunChoice().told_of_params(found, "net.spec", [], tmp_path) == ()
