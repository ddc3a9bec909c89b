"""``from_checkpoint``: the constructor that starts from the checkpoint which a spec names.

What a map says is a loop over the tensors of the file, a line of it a line here. Non-goal: loading
a checkpoint with an account of it, which is ``specc.targets.weights``."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import Final

from specc import ir
from specc.emit.writing.expressions import call, dotted
from specc.emit.writing.layout import literal
from specc.emit.writing.marks import mark
from specc.emit.writing.statements import (
    Assert,
    Assign,
    Continue,
    Evaluate,
    For,
    Function,
    If,
    Parameter,
    Return,
    Statement,
)
from specc.semantics.naming.checkpoint_map import expression

_NAME, _TENSOR, _STATE = ast.Name("name"), ast.Name("tensor"), ast.Name("state")
_OWN: Final = ast.Name("own")
_TWICE: Final = "two tensors have one name"
_PAIR = ast.Tuple([_NAME, _TENSOR], ast.Store())


def from_checkpoint(module: ir.Module) -> Function:
    """The class method of ``module`` that makes it and loads its checkpoint."""
    assert module.weights is not None
    path, model = ast.Name("path"), ast.Name("model")
    loaded = (
        call(ast.Name("load_file"), path)
        if module.weights.endswith(".safetensors")
        else call(
            dotted("torch.load"), path, map_location=ast.Constant("cpu"),
            weights_only=ast.Constant(True),
        )
    )  # fmt: skip
    body: list[Statement] = [Assign(model, call(ast.Name("cls")))]
    if module.weight_map:
        body += _mapped(module.weight_map, loaded)
    else:
        body.append(Evaluate(call(dotted("model.load_state_dict"), loaded)))
    return Function(
        "from_checkpoint",
        [Parameter("path", "str", literal(module.weights))],
        f'"{module.name}"',
        "The model with the weights that its spec starts from.",
        [*body, Return(model)],
        decorators=["classmethod"],
        receiver="cls",
    )


def _mapped(lines: Sequence[ir.MapLine], loaded: ast.expr) -> list[Statement]:
    inner = [_in_file(line) for line in lines if line.verb in ("rename", "drop", "transpose")]
    if any(line.verb == "rename" for line in lines):
        new = ast.Compare(_NAME, [ast.NotIn()], [_STATE])
        equal = call(dotted("torch.equal"), _at(_NAME), _TENSOR)
        inner.append(Assert(ast.BoolOp(ast.Or(), [new, equal]), _TWICE))
    inner.append(Assign(_at(_NAME), _TENSOR))
    items = call(ast.Attribute(loaded, "items", ast.Load()))
    statements: list[Statement] = [Assign(_STATE, ast.Dict([], [])), For(_PAIR, items, inner)]
    if any(line.verb == "split" for line in lines):
        statements.append(Assign(_OWN, call(dotted("model.state_dict"))))
    made = {"copy": _copied, "cat": _joined, "split": _divided}
    statements += [made[line.verb](line) for line in lines if line.verb in made]
    fresh = [line for line in lines if line.verb == "fresh"]
    if fresh:
        tests = [_matches(path) for line in fresh for path in line.paths]
        own = call(ast.Attribute(call(dotted("model.state_dict")), "items", ast.Load()))
        apart = ast.Compare(_NAME, [ast.NotIn()], [_STATE])
        kept: list[Statement] = [
            Assert(apart, "the checkpoint has what the spec says is fresh"),
            Assign(_at(_NAME), _TENSOR),
        ]
        statements.append(For(_PAIR, own, [If(_any(tests), kept, mark=mark(fresh[0].span))]))
    return [*statements, Evaluate(call(dotted("model.load_state_dict"), _STATE))]


def _in_file(line: ir.MapLine) -> Statement:
    where = mark(line.span)
    if line.verb == "rename":
        return Assign(_NAME, _renamed(line.paths[0], line.targets[0]), where)
    test = _any([_matches(path) for path in line.paths])
    if line.verb == "drop":
        return If(test, [Continue()], mark=where)
    return If(test, [Assign(_TENSOR, dotted("tensor.T"))], mark=where)


def _copied(line: ir.MapLine) -> Statement:
    path = line.paths[0]
    items = call(ast.Name("list"), call(dotted("state.items")))
    copied = Assign(_at(_renamed(path, line.targets[0])), _TENSOR)
    return For(_PAIR, items, [If(_matches(path), [copied], mark=mark(line.span))])


def _joined(line: ir.MapLine) -> Statement:
    """``state[whole] = torch.cat(...)`` for each name that the first of the parts stands for."""
    whole, parts = ast.Name("whole"), ast.Name("parts")
    return _of_each(
        line,
        [
            Assign(parts, _of_parts(line.paths, _popped)),
            Assign(whole, _renamed(line.paths[0], line.targets[0])),
            Assert(ast.Compare(whole, [ast.NotIn()], [_STATE]), _TWICE),
            Assign(_at(whole), call(dotted("torch.cat"), parts)),
        ],
    )


def _divided(line: ir.MapLine) -> Statement:
    """The stretches that the model's own tensors have, one after the other."""
    whole, parts = ast.Name("whole"), ast.Name("parts")
    own = ast.Subscript(_OWN, ast.Name("part"), ast.Load())
    lengths = ast.ListComp(call(ast.Name("len"), own), [_each("part", parts)])
    pieces = call(ast.Attribute(whole, "split", ast.Load()), lengths)
    keys = call(dotted("state.keys"))
    apart = call(ast.Attribute(keys, "isdisjoint", ast.Load()), parts)
    return _of_each(
        line,
        [
            Assign(parts, _of_parts((line.paths[0], *line.targets), lambda name: name, first=1)),
            Assign(whole, _popped(_NAME)),
            Assert(apart, _TWICE),
            Evaluate(call(dotted("state.update"), call(ast.Name("zip"), parts, pieces))),
        ],
    )


def _of_each(line: ir.MapLine, made: list[Statement]) -> Statement:
    """``made`` for each name that the first path of ``line`` stands for."""
    names = call(ast.Name("list"), _STATE)
    return For(_NAME, names, [If(_matches(line.paths[0]), made, mark=mark(line.span))])


def _of_parts(
    paths: Sequence[str], of: Callable[[ast.expr], ast.expr], *, first: int = 0
) -> ast.expr:  # fmt: skip
    """``of`` each name that ``name``, for which the first path stands, gives for the paths from
    place ``first`` on."""
    written: list[ast.expr] = [_written(path) for path in paths[first:]]
    renamed = call(dotted("re.sub"), _raw(f"^{expression(paths[0])}"), ast.Name("part"), _NAME)
    return ast.ListComp(of(renamed), [_each("part", ast.Tuple(written, ast.Load()))])


def _popped(name: ast.expr) -> ast.expr:
    return call(dotted("state.pop"), name)


def _each(variable: str, through: ast.expr) -> ast.comprehension:
    return ast.comprehension(ast.Name(variable, ast.Store()), through, [], 0)


def _at(key: ast.expr) -> ast.expr:
    return ast.Subscript(_STATE, key, ast.Load())


def _any(tests: list[ast.expr]) -> ast.expr:
    return tests[0] if len(tests) == 1 else ast.BoolOp(ast.Or(), tests)


def _matches(path: str) -> ast.expr:
    """Whether ``name`` is what ``path`` stands for."""
    prefix = _prefix(path)
    if prefix is not None:
        return call(dotted("name.startswith"), ast.Constant(prefix)) if prefix else _NAME
    return call(dotted("re.match"), _raw(expression(path).replace("(?=", "(")), _NAME)


def _renamed(path: str, target: str) -> ast.expr:
    """What ``name`` is called in the model."""
    old, new = _prefix(path), _prefix(target)
    if old == "" and new is not None:
        return ast.BinOp(ast.Constant(new), ast.Add(), _NAME)
    if old is not None and new == "":
        return call(dotted("name.removeprefix"), ast.Constant(old))
    if old is not None and new is not None:
        return call(dotted("re.sub"), _raw(f"^{re.escape(old)}"), ast.Constant(new), _NAME)
    return call(dotted("re.sub"), _raw(f"^{expression(path)}"), _written(target), _NAME)


def _written(target: str) -> ast.expr:
    """What ``re.sub`` puts for a name: ``target``, the groups of the path in its wildcards."""
    numbers = iter(range(1, len(target) + 1))
    # A digit behind a group's number would be read as a part of it.
    written = re.sub(
        r"([*?])(?=(\d)?)",
        lambda found: f"\\g<{next(numbers)}>" if found[2] else f"\\{next(numbers)}",
        target.replace("\\", r"\\"),
    )
    return _raw(written)


def _prefix(path: str) -> str | None:
    """``head.`` of ``head.*``: how the names begin that it stands for, where that tells them."""
    begin = path.removesuffix("*")
    plain = path.endswith("*") and "*" not in begin and "?" not in begin
    return begin if plain and (not begin or begin.endswith(".")) else None


def _raw(text: str) -> ast.expr:
    """A string that is written ``r"..."`` where it has backslashes."""
    return ast.Constant(text, kind="r" if "\\" in text else None)
