"""No name hides another: the fault is told at the name itself, and nothing follows from it."""

from __future__ import annotations

import pytest

from specc.front import check_text

MODEL = (
    "spec 1\nparam depth: int = 3\nmodel Net {{\n  input x: float[N, T, 8]\n  {}\n  output x\n}}\n"
)


def places(body: str) -> list[tuple[str, int, int]]:
    """Each fault of a model of ``body``: its code, its line, counted in the body, and its column,
    from 1 where the body is indented by two."""
    text = MODEL.format(body.replace("\n", "\n  "))
    return [
        (item.code, item.span.line - 4, item.span.column - 2)
        for item in check_text(text)[1]
        if item.span is not None
    ]


@pytest.mark.parametrize(
    ("body", "column"),
    [
        ("for depth in range(2) { x = x -> Linear(8) }", 5),
        ("for T in range(2) { x = x -> Linear(8) }", 5),
        ("for x in range(2) { y = x }", 5),
        ("for c, depth in ((1, 2), (3, 4)) { x = x -> Linear(c) }", 8),
        ("for c, c in ((1, 2), (3, 4)) { x = x -> Linear(c) }", 8),
        ("for Net in range(2) { x = x -> Linear(8) }", 5),
        ("for Linear in range(2) { x = x -> Tanh }", 5),
        ("x = cat([x -> Linear(3) for depth in range(2)], dim=2)", 29),
        ("x = cat([x -> Linear(3) for x in [x, x]], dim=2)", 29),
        ("x = x -> repeat(2, depth) Linear(depth)", 20),
        ("for i in range(2) { for i in range(2) { x = x -> Linear(i) } }", 25),
        ("for i in range(2) { x = x -> repeat(2, i) Linear(i) }", 40),
        ("layer ReLU = Linear(8)", 7),
    ],
)
def test_it_is_told_at_the_name(body: str, column: int) -> None:
    assert places(body) == [("E0230", 1, column)]


def test_what_is_hidden_is_not_called_unused_as_well() -> None:
    assert places("h = x -> Linear(8)\nfor h in range(2) { x = x -> Linear(8) }") == [
        ("E0230", 2, 5)
    ]
    assert places("layer f = Linear(8)\nfor f in range(2) { x = f(x) }") == [("E0230", 2, 5)]


def test_a_param_that_makes_layers_hides_none() -> None:
    block = "block B(GELU: layer = ReLU) {{\n input x: float[N, D]\n output x -> {}\n}}\n"
    model = "model Net {\n input x: float[N, 8]\n output x -> B\n}\n"
    (fault,) = check_text("spec 1\n" + block.format("GELU") + model)[1]
    assert fault.code == "E0230" and fault.span is not None and fault.span.line == 2


def test_names_that_come_one_after_the_other_hide_nothing() -> None:
    body = "for k in range(2) { x = x -> Linear(8) }\nfor k in range(2) { x = x -> Linear(8 + k) }"
    assert places(body) == []


def test_an_index_that_nothing_is_called_is_told_once() -> None:
    assert places("x = x -> repeat(2) Linear((8, 4)[i])") == [("E0201", 1, 34)]
