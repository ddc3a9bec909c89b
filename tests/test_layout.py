"""Expression trees to text: it parses back, is formatted, and cannot be escaped from."""

from __future__ import annotations

import ast
import subprocess
import sys
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.emit.writing.layout import flat, identifier, literal
from specc.emit.writing.line_breaking import WIDTH, lay_out, lay_out_value
from specc.emit.writing.statements import comment

_NAMES = st.sampled_from(["a", "weight", "image", "self", "long_name_of_a_value"])
_LEAVES = st.one_of(
    _NAMES.map(lambda name: ast.Name(name, ast.Load())),
    st.integers(0, 99).map(ast.Constant),
    st.floats(0.001, 1e6, allow_nan=False).map(ast.Constant),
    st.text(max_size=6).map(ast.Constant),
    st.booleans().map(ast.Constant),
)
_OPERATORS = st.sampled_from(
    [ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.MatMult, ast.Pow]
)


def _grow(inner: st.SearchStrategy[ast.expr]) -> st.SearchStrategy[ast.expr]:
    return st.one_of(
        st.tuples(inner, _OPERATORS, inner).map(lambda t: ast.BinOp(t[0], t[1](), t[2])),
        inner.map(lambda node: ast.UnaryOp(ast.USub(), node)),
        inner.map(lambda node: ast.UnaryOp(ast.Not(), node)),
        st.tuples(inner, inner).map(lambda t: ast.Compare(t[0], [ast.Lt()], [t[1]])),
        st.tuples(inner, inner).map(lambda t: ast.BoolOp(ast.And(), [t[0], t[1]])),
        st.lists(inner, max_size=4).map(lambda items: ast.List(items, ast.Load())),
        st.lists(inner, max_size=4).map(lambda items: ast.Tuple(items, ast.Load())),
        st.tuples(_NAMES, st.lists(inner, max_size=4), inner).map(
            lambda t: ast.Call(ast.Name(t[0], ast.Load()), t[1], [ast.keyword("key", t[2])])
        ),
        st.tuples(_NAMES, inner).map(
            lambda t: ast.Subscript(ast.Name(t[0], ast.Load()), t[1], ast.Load())
        ),
    )


EXPRESSIONS = st.recursive(_LEAVES, _grow, max_leaves=14)


@settings(max_examples=400, deadline=None)
@given(EXPRESSIONS)
def test_what_is_printed_parses_back_to_the_tree(node: ast.expr) -> None:
    assert ast.dump(ast.parse(flat(node), mode="eval").body) == ast.dump(node)
    laid_out = "\n".join(lay_out(node, "", "value = "))
    statement = ast.parse(laid_out).body[0]
    assert isinstance(statement, ast.Assign)
    assert ast.dump(statement.value) == ast.dump(node)


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_a_string_is_a_string_whatever_is_in_it(text: str) -> None:
    shown = literal(text)
    assert ast.literal_eval(shown) == text
    assert shown.isascii() and shown.isprintable()


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_only_an_identifier_becomes_one(name: str) -> None:
    if name.isascii() and name.isidentifier() and name not in __import__("keyword").kwlist:
        assert identifier(name) == name
    else:
        with pytest.raises(ValueError, match="not an identifier"):
            identifier(name)


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_a_comment_stays_a_comment(text: str) -> None:
    source = f"a = 1  # {comment(text)}\n"
    assert ast.dump(ast.parse(source)) == ast.dump(ast.parse("a = 1\n"))
    documented = ast.parse(f'def f():\n    """{comment(text)}"""\n')
    assert len(documented.body) == 1


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_numbers_that_are_none_are_still_expressions(value: float) -> None:
    assert repr(eval(literal(value))) == repr(value)


def test_long_operations_are_laid_out_as_the_formatter_leaves_them() -> None:
    written = [
        "torch.mean(self.critic(torch.detach(fake_picture))) - torch.mean(self.critic(real))",
        "(-torch.arange(self.dim // 2, device=t.device)).to(next(self.parameters()).dtype)"
        " / (self.dim // 2)",
        "-torch.arange(self.dim // 2, dtype=next(self.parameters()).dtype, device=t.device)"
        " / (self.dim // 2)",
        "torch.mean(self.critic(torch.detach(fake_picture))) - self.average_of_the_critic * 2",
        "self.average_of_the_critic_so_far - torch.mean(self.critic(torch.detach(fake_pictures)))",
        "self.average_of_the_critic_so_far * self.another_factor - torch.mean(self.critic(fake))",
        "argument_number_1 + argument_number_2 * argument_number_3 + argument_number_4 * number_5",
        "name == 'bias' or isinstance(module, (nn.LayerNorm, nn.Embedding)) and name == 'weight'",
        "first_of_all(argument_number_1, argument_number_2) @ [argument_number_3, argument_number]",
        "first_of_all(argument_number_1, argument_number_2) @ other.mean(argument_number_4).sum()",
        "first_of_all(argument_number_1, argument_number_2, argument_number_3, argument_number_4)"
        " / second_of_all(argument_number_1, argument_number_2, argument_number_3, argument_4)",
        "argument_number_1 * (argument_number_2 + argument_number_3 - argument_number_4 + 12345)",
        "argument_number_1 + function(argument_number_2 * argument_number_3, key=argument_number_4)"
        " + argument_number_5",
        "torch.arange(H, device=x.device) >= 1 // (H // self.window) * self.shift + H - self.shift",
        "argument_number_1 + argument_number_2 < function(argument_number_3, argument_number_4, 5)",
        "argument_number_1 < argument_number_2 + argument_number_3 <= argument_number_4 * number_5",
        "not (name.endswith('.lora_A') or name.endswith('.lora_B') or name.startswith('a_head.'))",
    ]
    nodes = [ast.parse(text, mode="eval").body for text in written]
    source = "".join("\n".join(lay_out_value(node, "", "value = ")) + "\n" for node in nodes)
    formatted = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", str(WIDTH), "-"],
        input=source,
        capture_output=True,
        text=True,
        check=True,
    )
    assert formatted.stdout == source
    for node, statement in zip(nodes, ast.parse(source).body, strict=True):
        assert isinstance(statement, ast.Assign)
        assert ast.dump(statement.value) == ast.dump(node)


def test_long_expressions_are_laid_out_as_the_formatter_leaves_them() -> None:
    name = ast.Name
    long = [name(f"argument_number_{index}", ast.Load()) for index in range(8)]
    call = ast.Call(name("function", ast.Load()), long[:3], [ast.keyword("key", long[3])])
    chain: ast.expr = long[0]
    for operand in long[1:]:
        chain = ast.BinOp(chain, ast.Add(), operand)
    nodes: list[ast.expr] = [
        call,
        ast.Call(name("function", ast.Load()), [*long], []),
        ast.List([*long], ast.Load()),
        ast.Dict([ast.Constant(f"key_{i}") for i in range(8)], [*long]),
        chain,
        ast.Call(name("outer", ast.Load()), [call, call], []),
        ast.Call(ast.Attribute(ast.Call(name("f", ast.Load()), [*long], []), "sum"), [], []),
    ]
    source = "".join("\n".join(lay_out(node, "", "value = ")) + "\n" for node in nodes)
    formatted = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", str(WIDTH), "-"],
        input=source,
        capture_output=True,
        text=True,
        check=True,
    )
    assert formatted.stdout == source


class _Chains:
    """Draws expressions of chained methods, as the emitter nests them."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def expression(self, depth: int) -> str:
        kind = self._random.random()
        if depth <= 0 or kind < 0.2:
            return self._one_of("x", "self.row", "windows", "self.relative_position_bias_table")
        inner = self.expression(depth - 1)
        if kind < 0.75:
            items = ", ".join(self._argument(depth - 1) for _ in range(self._random.randint(0, 4)))
            method = self._one_of("reshape", "transpose", "flatten", "mean", "unflatten")
            return f"{self._wrapped(inner)}.{method}({items})"
        if kind < 0.85:
            return f"self.{self._one_of('proj', 'qkv', 'fc')}({inner})"
        if kind < 0.9:
            return f"{self._wrapped(inner)}.mT"
        if kind < 0.95:
            return f"torch.cat([{inner}, {self.expression(depth - 1)}], dim=-1)"
        return f"({inner} @ {self._wrapped(self.expression(depth - 1))})"

    def _argument(self, depth: int) -> str:
        size = self._one_of("x", "self.window", "windows", "N", "hidden_states", "3", "-1")
        whole = self.expression(depth) if depth > 0 else size
        return self._one_of(size, f"{size} // 2", f"({size}, 3, {size})", whole)

    def _wrapped(self, text: str) -> str:
        node = ast.parse(text, mode="eval").body
        return f"({text})" if isinstance(node, ast.BinOp | ast.UnaryOp) else text

    def _one_of(self, *texts: str) -> str:
        return self._random.choice(texts)


def test_chains_of_methods_are_laid_out_as_the_formatter_leaves_them() -> None:
    heads = ("y = ", "windows = ", "return ")
    statements = []
    for seed in range(400):
        chains = _Chains(seed)
        node = ast.parse(chains.expression(seed % 3 + 1), mode="eval").body
        lines = lay_out_value(node, "        ", heads[seed % 3])
        assert ast.dump(ast.parse("\n".join(lines).strip().removeprefix(heads[seed % 3]),
                                  mode="eval").body) == ast.dump(node)  # fmt: skip
        statements += lines
    source = "class Model:\n    def forward(self, x):\n" + "\n".join(statements) + "\n"
    formatted = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", str(WIDTH), "-"],
        input=source,
        capture_output=True,
        text=True,
        check=True,
    )
    assert formatted.stdout == source
