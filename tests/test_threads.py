"""Sizes that loops hand on are variables of the constructor: a class made with other params has the
layers, in number, order and arguments, that its spec read with those says."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from other_params import AGAIN, compared
from threaded_programs import PARAMS, texts

from specc.emit import emit
from specc.emit.constructor.classes import classes_of
from specc.emit.merging.asked import asked, threads_asked
from specc.emit.merging.threads import is_spelled
from specc.emit.writing.method_parts import Cycle
from specc.errors import SpecError
from specc.semantics import analyse
from specc.semantics.compile_time.threads import dimension_of

TRAIN = """
train {
  input t: float[N, 3]
  loss = MSELoss(y, t)
  optimizer SGD(lr=0.1)
}
"""
IMAGES = "  input x: float[N, 3, 8, 8]"
MEAN = "  y = mean(x, dim=(2, 3)) -> head: Linear(3)\n  output y"
ROWS = "  input x: float[N, 5]"
HEAD = "  y = x -> head: Linear(3)\n  output y"
DOWN = """block Down(width: int) {
  input x: float[N, C, H, W]
  output x -> conv: Conv2d(width, 3, padding=1) -> ReLU
}
"""
# Blocks, params, statements, the params' other values.
LOOPS: dict[str, tuple[str, str, list[str], dict[str, list[object]]]] = {
    "grows by an addition": (
        "", "growth: int = 4, depth: int = 3",
        [IMAGES, "  for i in range(depth) {",
         "    h = x -> conv: Conv2d(growth, 3, padding=1) -> ReLU",
         "    x = cat([x, h], dim=1)", "  }", MEAN],
        {"depth": [1, 2, 5], "growth": [1, 6]}),
    "grows in one round of them": (
        "", "width: int = 6, depth: int = 4, skip: int = 2",
        [ROWS, "  h = x", "  for i in range(depth) {", "    h = h -> fc: Linear(width) -> ReLU",
         "    if i == skip { h = cat([x, h], dim=-1) }", "  }",
         "  y = h -> head: Linear(3)", "  output y"],
        {"depth": [1, 3, 6], "skip": [0, 1, 3, 9], "width": [5, 7]}),
    "doubles": (
        DOWN, "width: int = 4, depth: int = 3",
        [IMAGES, "  x = x -> stem: Conv2d(width, 1)", "  for i in range(depth) {",
         "    x = x -> down: Down(width * 2 ** (i + 1))", "  }", MEAN],
        {"depth": [1, 2, 4], "width": [3]}),
    "is what the table says": (
        "", "widths: tuple = (8, 6, 4)",
        [ROWS, "  for width in widths {", "    x = x -> fc: Linear(width) -> ReLU", "  }", HEAD],
        {"widths": [(8,), (4, 9), (3, 3, 3, 3)]}),
    "is what the table says at the position": (
        "", "widths: tuple = (8, 6, 4)",
        [ROWS, "  for i in range(len(widths)) {", "    x = x -> fc: Linear(widths[i]) -> ReLU",
         "    if i < len(widths) - 1 { x = x -> norm: LayerNorm }", "  }", HEAD],
        {"widths": [(8,), (4, 9), (3, 3, 3, 3)]}),
    "stages of several blocks": (
        DOWN, "stages: tuple = ((4, 1), (6, 2))",
        [IMAGES, "  for width, depth in stages {", "    x = x -> first: Down(width)",
         "    x = x -> rest: repeat(depth - 1) Down(width)", "  }", MEAN],
        {"stages": [((4, 1),), ((2, 3), (5, 1), (4, 2))]}),
    "loops in a loop": (
        DOWN, "widths: tuple = (4, 6), depth: int = 2",
        [IMAGES, "  for width in widths {", "    for k in range(depth) {",
         "      x = x -> conv: Conv2d(width, 3, padding=1) -> ReLU", "    }",
         "    x = cat([x, x], dim=1)", "  }", MEAN],
        {"widths": [(4,), (3, 5, 2)], "depth": [1, 3]}),
    "chooses a layer": (
        "", "depth: int = 3, width: int = 4, last: int = 2",
        [ROWS, "  for i in range(depth) {", "    if i == last {",
         "      x = x -> wide: Linear(2 * width) -> ReLU", "    } else {",
         "      x = x -> narrow: Linear(width)", "    }", "  }", HEAD],
        {"depth": [2, 4], "width": [3], "last": [0, 1, 7]}),
    "two values": (
        "", "width: int = 4, depth: int = 3",
        [ROWS, "  h = x", "  for i in range(depth) {", "    h = h -> fc: Linear(width * (i + 1))",
         "    x = cat([x, h], dim=-1)", "  }",
         "  y = cat([x, h], dim=-1) -> head: Linear(3)", "  output y"],
        {"depth": [1, 2, 4], "width": [3]}),
    "a block that says what it makes": (
        "block Grow(growth: int) {\n  input x: float[N, D]\n  h = x -> fc: Linear(growth)\n"
        "  output cat([x, h], dim=-1)\n}\n", "growth: int = 4, depth: int = 3",
        [ROWS, "  x = x -> body: repeat(depth) Grow(growth)", HEAD],
        {"depth": [1, 2, 5], "growth": [1, 6]}),
    "down and up again": (
        "", "width: int = 4, depth: int = 2",
        [IMAGES, "  x = x -> stem: Conv2d(width, 1)", "  for i in range(depth) {",
         "    x = x -> down: Conv2d(width * 2 ** (i + 1), 3, padding=1) -> ReLU", "  }",
         "  for i in range(depth) {",
         "    x = x -> up: Conv2d(width * 2 ** (depth - 1 - i), 3, padding=1) -> ReLU", "  }",
         MEAN],
        {"depth": [1, 3], "width": [3]}),
    "a block whose loop doubles": (
        "block Twice {\n  input x: float[N, D]\n  output x -> fc: Linear(2 * D) -> ReLU\n}\n"
        "block Tower(depth: int) {\n  input x: float[N, D]\n"
        "  output x -> body: repeat(depth) Twice -> norm: LayerNorm\n}\n",
        "width: int = 4, depth: int = 2",
        [ROWS, "  x = x -> stem: Linear(width) -> first: Tower(depth) -> second: Tower(1)", HEAD],
        {"depth": [0, 1, 3], "width": [3]}),
    "a block of a tuple": (
        "block Mlp(sizes: tuple) {\n  input x: float[N, D]\n  for k in range(len(sizes)) {\n"
        "    x = x -> fc: Linear(sizes[k])\n    if k < len(sizes) - 1 { x = x -> act: ReLU }\n"
        "  }\n  output x\n}\n", "left: tuple = (8, 4), right: tuple = (6,)",
        [ROWS, "  a = x -> left: Mlp(left)", "  b = x -> right: Mlp(right)",
         "  y = cat([a, b], dim=-1) -> head: Linear(3)", "  output y"],
        {"left": [(2,), (5, 5, 3)], "right": [(6, 2), (4,)]}),
    "a block that another side makes larger": (
        "block Stage(depth: int, merge: bool) {\n  input x: float[N, D]\n"
        "  x = x -> body: repeat(depth) Linear(D)\n"
        "  if merge { x = x -> merged: Linear(2 * D) }\n  output x\n}\n",
        "depths: tuple = (1, 2)",
        [ROWS, "  layers: for k in range(len(depths)) {",
         "    x = x -> Stage(depths[k], merge=k < len(depths) - 1)", "  }", HEAD],
        {"depths": [(2,), (1, 1, 2), (2, 2)]}),
    "some rounds of a labelled loop have more": (
        "", "growth: int = 4, depth: int = 3, width: int = 8",
        [ROWS, "  h = x -> proj: Linear(width)", "  layers: for i in range(depth) {",
         "    y = h -> norm: LayerNorm -> fc: Linear(growth) -> GELU",
         "    h = cat([h, y], dim=-1)",
         "    if i % 2 == 1 { h = h -> squeeze: Linear(width) }", "  }",
         "  y = h -> head: Linear(3)", "  output y"],
        {"depth": [1, 2, 4], "growth": [3], "width": [5]}),
    "what all the tuple holds": (
        "", "widths: tuple = (8, 6)",
        [ROWS, "  a = x -> fc: Linear(max(widths))", "  b = x -> wide: Linear(sum(widths))",
         "  parts = cat([a, b], dim=-1)",
         "  for width in widths[1:] { parts = parts -> more: Linear(width) }",
         "  y = parts -> head: Linear(3)", "  output y"],
        {"widths": [(8,), (3, 9, 2)]}),
}  # fmt: skip
WITH_PARAMS = [
    (name, {param: value})
    for name, (*_, values) in LOOPS.items()
    for param, listed in values.items()
    for value in listed
]


def spec(name: str) -> str:
    blocks, params, statements, _ = LOOPS[name]
    body = "\n".join(statements)
    return f"spec 1\n{blocks}model M({params}) {{\n{body}\n}}\n{TRAIN}test {{\n  sizes N=2\n}}\n"


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_stays_a_loop(name: str) -> None:
    source = emit(analyse(spec(name), "m.spec"))
    assert AGAIN not in source
    loops = sum(line.strip().startswith("for ") for line in LOOPS[name][2])
    constructor, _, forward = source.partition("class M(")[2].partition("def forward")
    assert constructor.count("for ") >= loops
    assert forward.count("for ") >= loops


@pytest.mark.parametrize(("name", "given"), WITH_PARAMS)
def test_a_class_is_what_the_spec_says_with_other_params(
    name: str, given: dict[str, object]
) -> None:
    program = analyse(spec(name), "m.spec")
    other = analyse(spec(name), "m.spec", params=given)
    assert compared(program, emit(program), given, other) is None


def constructor_of(name: str) -> str:
    source = emit(analyse(spec(name), "m.spec"))
    return source.partition("class M(")[2].partition("def forward")[0]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("grows by an addition", "channels += growth"),
        ("grows in one round of them", "features = width + 5 if i == skip else width"),
        ("is what the table says", "for width in widths:"),
        ("is what the table says at the position", "for i in range(len(widths)):"),
        ("stages of several blocks", "for width, depth in stages:"),
        ("a block that says what it makes", "features += growth"),
    ],
)
def test_it_reads_as_a_person_writes_it(name: str, written: str) -> None:
    assert written in constructor_of(name)


def test_what_a_layer_takes_of_a_round_is_asked_of_the_loop() -> None:
    made = classes_of(analyse(spec("grows by an addition"), "m.spec").models).listed[-1]
    (cycle,) = [part for part in made.parts if isinstance(part, Cycle)]
    wanted = threads_asked(made.parts, lambda layer: ())
    assert set(cycle.threads) == wanted
    assert is_spelled(cycle, wanted)
    assert not is_spelled(cycle, set())
    assert [dimension_of(name) for name in cycle.threads] == [("x", 1)]
    assert {"growth"} <= asked(made.parts, lambda layer: ())


def test_a_module_without_loops_or_tuples_is_read_once() -> None:
    text = "spec 1\nmodel M(width: int = 4) {\n  input x: float[N, 3]\n  y = x -> Linear(width)\n"
    (module,) = analyse(f"{text}  output y\n}}\n", "m.spec").models
    assert module.threaded() is None


def test_reading_once_more_leaves_what_was_read_as_it_was() -> None:
    program = analyse(spec("two values"), "m.spec")
    (module,) = program.models
    before = repr(program)
    again = module.threaded()
    assert again is not None and again is module.threaded()
    assert repr(program) == before
    assert [layer.name for layer in again.layers] == [layer.name for layer in module.layers]


def test_two_sizes_of_one_name_are_told_apart_by_what_has_them() -> None:
    body = constructor_of("two values")
    assert "x_features" in body or "h_features" in body


@given(texts(), st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_class_is_what_the_spec_says_or_refuses(text: str, data: st.DataObject) -> None:
    param = data.draw(st.sampled_from(sorted(PARAMS)))
    given = {param: data.draw(st.sampled_from(PARAMS[param]))}
    try:
        program, other = analyse(text, "m.spec"), analyse(text, "m.spec", params=given)
    except SpecError:
        reject()
    compared(program, emit(program), given, other)
