"""Variables that may be one: a constructor with fewer of them computes what it computed."""

from __future__ import annotations

import ast

from hypothesis import given, settings
from hypothesis import strategies as st

from specc.emit.constructor.coalesced import coalesced, renamed
from specc.emit.writing.statements import Assign, Evaluate, For, If, Statement, print_body

NAMES = ("a", "b", "c", "d")


def expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def setting(target: str, value: str) -> Assign:
    return Assign(ast.Name(target, ast.Store()), expression(value))


def reading(value: str) -> Evaluate:
    return Evaluate(expression(f"found.append({value})"))


values = st.one_of(
    st.sampled_from(NAMES),
    st.builds("{} + {}".format, st.sampled_from(NAMES), st.integers(1, 3)),
    st.builds("{} * {}".format, st.sampled_from(NAMES), st.sampled_from(NAMES)),
)
leaves = st.one_of(st.builds(setting, st.sampled_from(NAMES), values), st.builds(reading, values))


def compound(inner: st.SearchStrategy[Statement]) -> st.SearchStrategy[Statement]:
    bodies = st.lists(inner, min_size=1, max_size=4)
    return st.one_of(
        st.builds(
            lambda body: For(ast.Name("i", ast.Store()), expression("range(n)"), body), bodies
        ),
        st.builds(lambda yes, no: If(expression("len(found) % 2 == 0"), yes, no), bodies, bodies),
    )


programs = st.lists(
    st.recursive(leaves, compound, max_leaves=6), min_size=1, max_size=8
)  # fmt: skip


def run(statements: list[Statement], times: int) -> list[int]:
    """What the statements read, where all variables are set before."""
    found: list[int] = []
    text = "\n".join(print_body(statements, ""))
    held = {"found": found, "n": times, "i": 0, **dict.fromkeys(NAMES)}
    exec(text, held)
    return found


def set_first(statements: list[Statement]) -> list[Statement]:
    return [setting(name, str(place + 2)) for place, name in enumerate(NAMES)] + statements


@given(programs, st.integers(0, 3))
@settings(max_examples=400, deadline=None)
def test_fewer_variables_read_what_more_did(program: list[Statement], times: int) -> None:
    program = set_first(program)
    names = coalesced(program, NAMES)
    assert run(renamed(program, names), times) == run(program, times)


def test_a_variable_that_goes_on_under_another_name_is_one() -> None:
    rounds = [reading("a"), setting("b", "a * 3"), setting("a", "b")]
    loop = For(ast.Name("i", ast.Store()), expression("range(n)"), rounds)
    program = [setting("a", "2"), loop, setting("c", "a"), reading("c")]
    names = coalesced(program, NAMES)
    assert names["a"] == names["b"] == names["c"] != names["d"]
    it = names["a"]
    assert "\n".join(print_body(renamed(program, names), "")) == (
        f"{it} = 2\nfor _ in range(n):\n    found.append({it})\n    {it} *= 3\nfound.append({it})"
    )


def test_two_values_that_live_at_once_stay_apart() -> None:
    program = [setting("a", "2"), setting("b", "a"), setting("b", "b + 1"), reading("a + b")]
    names = coalesced(program, ("a", "b"))
    assert names["a"] != names["b"]


def test_a_choice_of_one_variable_is_an_expression() -> None:
    program: list[Statement] = [If(expression("n > 1"), [setting("a", "1")], [setting("a", "2")])]
    assert print_body(renamed(program, coalesced(program, ("a",))), "") == ["a = 1 if n > 1 else 2"]
