"""Text to AST: structure, precedence, spans, newlines, every syntax error in one run."""

from __future__ import annotations

import gc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.errors import Collector
from specc.syntax.parsing.parse import MOST_SYNTAX_ERRORS, Parsed, parse
from specc.syntax.tree import ast


def read(text: str) -> tuple[Parsed, Collector]:
    collector = Collector()
    return parse(text, "test.spec", collector), collector


def expression(text: str) -> ast.Expression:
    parsed, collector = read(f"spec 1\nmodel M {{\n  y = {text}\n}}\n")
    assert not collector.items, collector.items
    model = parsed.tree.items[0]
    assert isinstance(model, ast.Module)
    statement = model.body[0]
    assert isinstance(statement, ast.Assign)
    return statement.value


def shown(node: ast.Expression) -> str:
    match node:
        case ast.Name():
            return node.name
        case ast.Number():
            return str(node.value)
        case ast.Unary():
            return f"({node.operator} {shown(node.operand)})"
        case ast.Binary():
            return f"({shown(node.left)} {node.operator} {shown(node.right)})"
        case ast.CallExpression():
            return f"{shown(node.callee)}({', '.join(shown(a.value) for a in node.arguments)})"
    raise AssertionError(node)


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("-x ** 2", "(- (x ** 2))"),
        ("a + b * c - d", "((a + (b * c)) - d)"),
        ("not a == b and c", "((not (a == b)) and c)"),
        ("2 ** 3 ** 2", "(2 ** (3 ** 2))"),
        ("2 ** -1", "(2 ** (- 1))"),
        ("a - b - c", "((a - b) - c)"),
        ("a or b and not c < 1", "(a or (b and (not (c < 1))))"),
        ("a @ b @ c // 2 % d", "((((a @ b) @ c) // 2) % d)"),
        ("f(x)(y) * 2", "(f(x)(y) * 2)"),
        ("(a + b) * c", "((a + b) * c)"),
    ],
)
def test_operators_bind_as_the_grammar_says(text: str, grouped: str) -> None:
    assert shown(expression(text)) == grouped


_LEAVES = st.sampled_from(["a", "b", "c", "2", "3"])
_ARITHMETIC = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), inner).map(
            lambda parts: f"({parts[0]}) {parts[1]} {parts[2]}"
        ),
        inner.map(lambda operand: f"-{operand}"),
        inner.map(lambda operand: f"({operand})"),
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(_ARITHMETIC)
def test_arithmetic_groups_as_pythons(text: str) -> None:
    import ast as python

    def grouped(node: python.expr) -> str:
        match node:
            case python.Name():
                return node.id
            case python.Constant():
                return str(node.value)
            case python.UnaryOp():
                return f"(- {grouped(node.operand)})"
            case python.BinOp():
                symbol = {
                    "Add": "+",
                    "Sub": "-",
                    "Mult": "*",
                    "Div": "/",
                    "FloorDiv": "//",
                    "Mod": "%",
                    "Pow": "**",
                }[type(node.op).__name__]
                return f"({grouped(node.left)} {symbol} {grouped(node.right)})"
        raise AssertionError(node)

    assert shown(expression(text)) == grouped(python.parse(text, mode="eval").body)


def test_a_line_goes_on_with_an_arrow_after_comments_and_blank_lines() -> None:
    parsed, collector = read(
        "spec 1\nmodel M {\n  y = x  # first\n    # a remark\n\n    -> relu\n"
        "    -> tanh\n  z = y\n}\n"
    )
    assert not collector.items
    model = parsed.tree.items[0]
    assert isinstance(model, ast.Module)
    first = model.body[0]
    assert isinstance(first, ast.Assign)
    assert isinstance(first.value, ast.Pipeline)
    assert len(first.value.stages) == 2
    assert len(model.body) == 2


def test_a_newline_ends_nothing_inside_brackets_or_after_an_operator() -> None:
    call = expression("f(\n  a,\n  b\n  + c,\n) *\n  2")
    assert shown(call) == "(f(a, (b + c)) * 2)"


def test_spans_point_at_the_text() -> None:
    text = "spec 1\nmodel M {\n  y = x -> first: Linear(10, bias=false)\n}\n"
    parsed, _ = read(text)
    model = parsed.tree.items[0]
    assert isinstance(model, ast.Module)
    statement = model.body[0]
    assert isinstance(statement, ast.Assign)
    assert isinstance(statement.value, ast.Pipeline)
    stage = statement.value.stages[0]
    assert text[stage.span.start : stage.span.end] == "first: Linear(10, bias=false)"
    assert (stage.span.line, stage.span.column) == (3, 12)
    assert isinstance(stage.target, ast.CallExpression)
    keyword = stage.target.arguments[1]
    assert text[keyword.span.start : keyword.span.end] == "bias=false"


def test_nodes_are_frozen() -> None:
    node = expression("x")
    with pytest.raises(Exception, match="frozen"):
        node.name = "y"  # type: ignore[attr-defined]  # the point of the test


def test_every_syntax_error_of_a_file_is_reported_in_one_run() -> None:
    parsed, collector = read(
        "spec 1\nmodel M {\n  a = = 1\n  input x: float[N]\n  b = 'x\n  c = x -> relu relu\n}\n"
    )
    assert [(item.code, item.span and item.span.line) for item in collector.items] == [
        ("E0102", 3),
        ("E0101", 5),
        ("E0102", 6),
    ]
    # What the broken lines would have named is remembered, and the rest was read.
    assert {"a", "b", "c"} <= parsed.unread
    model = parsed.tree.items[0]
    assert isinstance(model, ast.Module)
    assert [type(statement).__name__ for statement in model.body] == ["Input"]


def test_a_file_of_nothing_but_errors_ends() -> None:
    _, collector = read("\n".join("= 1" for _ in range(500)))
    assert len(collector.items) == MOST_SYNTAX_ERRORS


def test_an_unclosed_bracket_is_shown_where_it_opens() -> None:
    _, collector = read("spec 1\nmodel M {\n  x = foo(1,\n  y = 3\n}\n")
    (item,) = collector.items
    assert item.code == "E0103"
    assert item.span is not None and item.span.line == 3


def test_nesting_ends_in_an_error_not_in_a_crash() -> None:
    for text in ("(" * 5000, "-" * 50_000 + "x", "x" + "(1)" * 20_000, "1 + " * 50_000 + "1"):
        _, collector = read(f"spec 1\nmodel M {{\n  y = {text}\n}}\n")
        assert all(item.code.startswith("E01") for item in collector.items)


def test_collecting_garbage_goes_on_after_a_parse() -> None:
    assert gc.isenabled()
    read("spec 1\n")
    read("=")
    assert gc.isenabled()


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="spec 1model{}()[]\n\"'\\->=:,.#*/x0é\t\x00", max_size=80))
def test_no_text_breaks_the_parser(text: str) -> None:
    parsed, collector = read(text)
    assert parsed.tree is not None
    for item in collector.items:
        assert item.span is not None
        assert 0 <= item.span.start <= len(text) + 1


@pytest.mark.parametrize(
    ("statement", "advice"),
    [
        ("x, y = y, x", "several values on the right want parentheses: `a, b = (b, a)`"),
        ("y = x -> a = 3", None),
    ],
)
def test_what_the_parser_meets_is_answered_with_what_was_meant(
    statement: str, advice: str | None
) -> None:
    collector = Collector()
    text = f"spec 1\nmodel M {{\n  input x: float[N, 4]\n  {statement}\n  output x\n}}\n"
    parse(text, "m.spec", collector)
    assert [item.help for item in collector.items] == [advice]


def test_an_output_is_named_before_it_is_put_out() -> None:
    collector = Collector()
    text = "spec 1\nmodel M {\n  input x: float[N, 4]\n  output y = x -> Linear(2)\n}\n"
    parse(text, "m.spec", collector)
    advice = "name it on a line of its own, `y = ...`, then say `output y`"
    assert collector.items[0].help == advice


def test_a_param_without_its_type_is_told_the_form() -> None:
    collector = Collector()
    parse("spec 1\nmodel M(k=3) {\n  output x\n}\n", "m.spec", collector)
    assert collector.items[0].help == "a param has a type: `k: int = 3`"
