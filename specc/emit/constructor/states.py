"""Parameters and buffers that a class keeps itself: the statements of ``__init__`` that make them.

Non-goal: what ``forward`` does with them."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from specc import ir
from specc.catalog import INITS, WRAPPERS
from specc.emit.forward.body import Body
from specc.emit.merging.reads import sizes_read
from specc.emit.writing.expressions import Naming, call, dotted, of_arguments, of_static
from specc.emit.writing.layout import identifier
from specc.emit.writing.marks import mark
from specc.emit.writing.method_parts import Choice, Kept, Part
from specc.emit.writing.statements import Assert, Assign, Evaluate, Statement

# What fills a tensor as it is made.
_MADE_FULL: Final = {"ones_": "torch.ones", "zeros_": "torch.zeros"}


def kept_in(parts: Collection[Part]) -> Iterator[Kept]:
    """The parameters and buffers that ``parts`` make, in any braces."""
    for part in parts:
        if isinstance(part, Kept):
            yield part
        elif isinstance(part, Choice):
            yield from kept_in(part.yes or ())
            yield from kept_in(part.no or ())


def state_statements(
    kept: Kept, naming: Naming, above: Mapping[int, ast.expr], taken: Collection[str]
) -> list[Statement]:
    """What makes one. ``above`` are the buffers that it may read, by the identity of their values;
    ``taken`` the names that mean something in the constructor."""
    where = mark(kept.state.span)
    if kept.state.computed:
        return _computed(kept, naming, above, taken, where)
    row = INITS[kept.state.initializer]
    found: list[Statement] = []
    make = _MADE_FULL.get(row.name, "torch.empty")
    sizes = [of_static(size, naming) for size in kept.shape]
    tensor = call(dotted(make), *(sizes or [ast.Tuple([], ast.Load())]))
    found.append(_register(kept, tensor, where))
    if row.name not in _MADE_FULL:
        positional, keywords = of_arguments(row, kept.arguments, naming)
        found.append(
            Evaluate(ast.Call(dotted(row.torch), [_self(kept.name), *positional], keywords), where)
        )
    for wrapper in kept.wrappers:
        of = WRAPPERS[wrapper.type]
        positional, keywords = of_arguments(of, wrapper.arguments, naming)
        assert not positional, f"{of.name} takes an argument by place"
        found.append(Evaluate(ast.Call(dotted(of.torch), [ast.Name("self")], keywords), where))
    return found


def _computed(
    kept: Kept, naming: Naming, above: Mapping[int, ast.expr], taken: Collection[str], where: str
) -> list[Statement]:
    if not isinstance(kept.value, ir.Value):
        return [_register(kept, call(dotted("torch.tensor"), _numbers(kept.value, naming)), where)]
    symbols = {name: ast.unparse(naming.param(name)) for name in sizes_read(kept.parts)}
    body = Body(
        (), kept.parts, [kept.value], symbols, taken=taken, making=True, kept=above,
        precision=lambda: call(dotted("torch.empty"), ast.Constant(0)),
    )  # fmt: skip
    body.build()
    (tensor_,) = body.take(kept.value)
    return [*body.statements, _register(kept, tensor_, where), *_bounds(kept, naming, where)]


def _numbers(value: ir.Operand, naming: Naming) -> ast.expr:
    """Numbers in rows, as lists."""
    if isinstance(value, tuple):
        return ast.List([_numbers(item, naming) for item in value], ast.Load())
    return of_static(value, naming)  # type: ignore[arg-type]  # compile-time


def _register(kept: Kept, tensor: ast.expr, where: str) -> Statement:
    if kept.state.kind == "parameter":
        return Assign(_self(kept.name, store=True), call(dotted("nn.Parameter"), tensor), where)
    told = {} if kept.state.persistent else {"persistent": ast.Constant(False)}
    name = ast.Constant(identifier(kept.name))
    return Evaluate(call(dotted("self.register_buffer"), name, tensor, **told), where)


def _bounds(kept: Kept, naming: Naming, where: str) -> list[Statement]:
    """What is declared an ``index(k)`` is below k, which nothing but its numbers tell."""
    if kept.classes is None or _told(kept):
        return []
    tensor = _self(kept.name)

    def end(of: str) -> ast.expr:
        return call(ast.Attribute(tensor, of, ast.Load()))

    classes = of_static(kept.classes, naming)
    test = ast.BoolOp(
        ast.And(),
        [
            ast.Compare(end("min"), [ast.GtE()], [ast.Constant(0)]),
            ast.Compare(end("max"), [ast.Lt()], [classes]),
        ],
    )
    return [Assert(test, f"{kept.name} goes beyond 0 to {kept.classes} - 1", where)]


def _told(kept: Kept) -> bool:
    """Whether the value's own type says that it is below the classes, whatever the params are."""
    known = kept.value.type.classes if isinstance(kept.value, ir.Value) else None
    if known is None or kept.classes is None:
        return False
    excess = known - kept.classes
    return isinstance(excess, int) and excess <= 0


def _self(name: str, *, store: bool = False) -> ast.expr:
    context = ast.Store() if store else ast.Load()
    return ast.Attribute(ast.Name("self"), identifier(name), context)
