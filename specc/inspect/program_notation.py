"""A program's pieces in the spec's own words: arguments, shapes, indices, operators.

One line of text for each, as the spec would write it. Non-goals: layout; making text safe for a
terminal or a drawing, which is done where it is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from types import NoneType

from specc import ir
from specc.catalog import INITS, row_notation
from specc.catalog.rows import LayerRow, Row
from specc.catalog.signatures import Argument
from specc.ir.shorter import divided, tidy
from specc.sizes import (
    Poly,
    Size,
    evaluate,
)

HOLE = "·"  # where the tensor goes in ``0.5 * ·``


def shape(sizes: Iterable[Size], whole: Mapping[str, int] | None = None) -> str:
    """``[N, 3, H // 2, W // 2]``; ``whole`` are numbers that divide sizes, by name."""
    return f"[{', '.join(str(divided(size, whole or {})) for size in sizes)}]"


def block_sizes(layer: ir.Layer, node: ir.LayerCall, values: Mapping[str, Size]) -> dict[str, Size]:
    """What the params and shape names of a block stand for at a call, in the caller's symbols."""
    given = {
        name: evaluate(value, values)
        for name, value in layer.arguments
        if isinstance(value, (int, Poly)) and not isinstance(value, bool)
    }
    sizes = ir.input_sizes(layer.module, node.inputs, values) if layer.module else {}
    return {**given, **sizes}


def literal(value: object, sizes: Mapping[str, Size]) -> str:
    """A compile-time value, its sizes worked out as far as ``sizes`` tells; a tensor is a hole."""
    match value:
        case ir.Value():
            return HOLE
        case ir.Scalar():
            return literal(value.value, sizes)
        case ir.LayerChoice():
            said = [f"{f'{name}=' if name else ''}{literal(of, sizes)}"
                    for name, of in value.arguments]  # fmt: skip
            return f"{value.type}({', '.join(said)})" if said else value.type
        case Poly():
            return str(tidy(evaluate(value, sizes)))
        case float():
            return f"{value:g}" if float(f"{value:g}") == value else repr(value)
        case tuple():
            inner = ", ".join(literal(item, sizes) for item in value)
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        case _:
            return row_notation.literal(value)


def call(called: str, arguments: ir.Arguments, row: Row | None, sizes: Mapping[str, Size]) -> str:
    """``Conv2d(64, 3, stride=2)``: what the shapes tell and what is a tensor is left out, and what
    comes in the signature's order up to there has no name."""
    known = row.by_name if row else {}
    order = [name for name, argument in known.items() if not _told(argument)]
    written: list[str] = []
    positional = True
    for name, value in arguments:
        argument = known.get(name)
        if argument is not None and _told(argument):
            continue
        # What is first says what it is about: Dropout(0.5), though that is the default.
        if argument is not None and name != order[0] and _default(argument, value, sizes):
            continue
        # Python would take more without a name; a reader would not know what `64, 3, 2` says.
        positional = (
            positional
            and argument is not None
            and not argument.keyword_only
            and order[len(written)] == name
            and (argument.required or (not written and _may_stand_alone(row, name)))
            and (argument.required or not isinstance(value, (bool, str)))
        )
        if argument is not None and argument.variadic and isinstance(value, tuple):
            written += [literal(item, sizes) for item in value]
        else:
            text = literal(value, sizes)
            written.append(text if positional else f"{name}={text}")
    return f"{called}({', '.join(written)})" if written else called


def _may_stand_alone(row: Row | None, name: str) -> bool:
    """Whether the setting ``name`` of a layer has no name where a spec says it: `Dropout(0.1)`."""
    return isinstance(row, LayerRow) and name in row.unnamed[-1]


def _default(argument: Argument, value: ir.Operand, sizes: Mapping[str, Size]) -> bool:
    plain = isinstance(argument.default, (bool, int, float, str, tuple, NoneType))
    return plain and literal(argument.default, {}) == literal(value, sizes)


def _told(argument: Argument) -> bool:
    return argument.inferred or argument.is_tensor


def layer(made: ir.Layer, sizes: Mapping[str, Size]) -> str:
    """A layer's or block's type with its arguments, and what it is wrapped in."""
    if made.module is None:
        text = call(made.type, made.arguments, made.row, sizes)
    else:
        # All of them: two calls are told apart by what they come to, not by how they are written.
        given = dict(made.arguments)
        every = [(param.name, given.get(param.name, param.value)) for param in made.module.params]
        text = call(made.type, tuple(every), None, sizes)
    for wrapper in made.wrappers:
        text += f" with {call(wrapper.type, wrapper.arguments, None, sizes)}"
    return text


def state(kept: ir.State, sizes: Mapping[str, Size]) -> str:
    """A parameter or buffer of a module itself, and what fills it."""
    if kept.computed:
        value = kept.value
        filled = "..." if isinstance(value, ir.Value) else literal(value, sizes)
    else:
        filled = call(kept.initializer, kept.arguments, INITS[kept.initializer], sizes)
    text = f"{kept.kind} = {filled}"
    for wrapper in kept.wrappers:
        own = tuple(pair for pair in wrapper.arguments if pair[0] != "name")
        text += f" with {call(wrapper.type, own, None, sizes)}"
    return text if kept.persistent else f"{text}, persistent=false"


def function(node: ir.FunctionCall, sizes: Mapping[str, Size]) -> str:
    """A function, loss or metric with its arguments that are no tensors."""
    return call(node.function, node.arguments, node.row, sizes)


def operation(node: ir.Operation, sizes: Mapping[str, Size]) -> str:
    """``+``, or ``0.5 * ·`` where one side is no tensor."""
    if len(node.operands) == 1:
        return f"{node.operator}{' ' if node.operator.isalpha() else ''}{HOLE}"
    if all(isinstance(operand, ir.Value) for operand in node.operands):
        return node.operator
    return f" {node.operator} ".join(literal(operand, sizes) for operand in node.operands)


def subscript(node: ir.Subscript, sizes: Mapping[str, Size]) -> str:
    """``[:, -1]``."""
    return f"[{', '.join(_index(index, sizes) for index in node.indices)}]"


def _index(index: ir.Index, sizes: Mapping[str, Size]) -> str:
    match index:
        case ir.EllipsisIndex():
            return "..."
        case ir.SliceIndex():
            ends = [
                "" if end is None else literal(end, sizes)
                for end in (index.lower, index.upper, index.step)
            ]
            return ":".join(ends if index.step is not None else ends[:2])
        case _:
            return literal(index, sizes)


def node(computed: ir.Leaf, sizes: Mapping[str, Size]) -> str:
    """What a node that is no layer's call does."""
    match computed:
        case ir.FunctionCall():
            return function(computed, sizes)
        case ir.Operation():
            return operation(computed, sizes)
        case ir.Subscript():
            return subscript(computed, sizes)
        case ir.Transpose():
            return f".{computed.attribute}"
        case ir.ParameterRead():
            return f"{computed.layer}.{computed.parameter}"
        case ir.State():
            return computed.name
        case ir.Derivative():
            return f"grad by {computed.by.name}"
        case ir.LayerCall():
            return computed.layer


# ── what a loss is ──────────────────────────────────────────────────────────────────────────────

_DEEPEST = 10


def expression(
    value: ir.Value,
    makers: Mapping[int, ir.Leaf],
    named: Container[int],
    depth: int = 0,
) -> str:
    """The expression that gives ``value``: ``kind_loss + 0.5 * size_loss``.

    ``makers`` are the nodes that it may be made of, by the identity of what they give, for two
    calls of one block give values that are alike; what is none of theirs, or is ``named``, goes by
    its name, and what is too deep to be read is left out."""
    node = makers.get(id(value))
    if node is None or (depth and id(value) in named):
        return value.name
    if depth > _DEEPEST:
        return value.name if value.named else "..."

    def inner(operand: object) -> str:
        if isinstance(operand, ir.Value):
            return expression(operand, makers, named, depth + 1)
        if isinstance(operand, tuple) and _has_tensor(operand):
            return f"[{', '.join(inner(item) for item in operand)}]"
        if isinstance(operand, tuple):
            return f"({', '.join(inner(item) for item in operand)}{',' * (len(operand) == 1)})"
        if isinstance(operand, ir.Scalar) and isinstance(operand.form, ir.ParamForm):
            return operand.form.name
        return literal(operand, {})

    def side(operand: object, least: int) -> str:
        """In brackets where it binds less than ``least``."""
        text = inner(operand)
        if not isinstance(operand, ir.Value) or text == operand.name:
            return text
        made = makers.get(id(operand))
        loose = isinstance(made, ir.Operation) and _binding(made) < least
        return f"({text})" if loose else text

    match node:
        case ir.Operation(operands=(only,)):
            space = " " if node.operator.isalpha() else ""
            return f"{node.operator}{space}{side(only, _binding(node))}"
        case ir.Operation():
            left, right = node.operands
            power = node.operator == "**"  # which alone binds to the right
            first = side(left, _binding(node) + power)
            return f"{first} {node.operator} {side(right, _binding(node) + (not power))}"
        case ir.FunctionCall():
            return f"{node.function}({', '.join(_passed(node, inner))})"
        case ir.LayerCall():
            return f"{node.layer}({', '.join(inner(item) for item in node.inputs)})"
        case ir.Subscript():
            places = [
                inner(index) if isinstance(index, ir.Value) else _index(index, {})
                for index in node.indices
            ]
            return f"{side(node.value, _TIGHTEST)}[{', '.join(places)}]"
        case ir.Transpose():
            return f"{side(node.value, _TIGHTEST)}.{node.attribute}"
        case ir.ParameterRead():
            return f"{node.layer}.{node.parameter}"
        case ir.State():
            return node.name
        case ir.Derivative():
            return f"grad({inner(node.of)}, {inner(node.by)})"


def _passed(node: ir.FunctionCall, inner: Callable[[object], str]) -> Iterator[str]:
    """The arguments that a call was given, in torch's order: by place as long as none was left out,
    tensors and what torch asks for."""
    order = [*node.row.by_name]
    by_place = 0
    for name, value in node.arguments:
        argument = node.row.by_name[name]
        tensor = _has_tensor(value)
        if argument.variadic and isinstance(value, tuple):
            yield from map(inner, value)
        elif order[by_place : by_place + 1] == [name] and (tensor or argument.required):
            by_place += 1
            yield inner(value)
        else:
            by_place = len(order)
            yield f"{name}={inner(value)}"


def _binding(node: ir.Operation) -> int:
    """How tightly an operator holds what stands beside it; ``_TIGHTEST`` is a call's."""
    if len(node.operands) == 1:
        return 3 if node.operator == "-" else 0
    return {"+": 1, "-": 1, "**": 4}.get(node.operator, 2 if node.operator in _PRODUCTS else 0)


_PRODUCTS, _TIGHTEST = ("*", "/", "//", "%", "@"), 5


def _has_tensor(operand: ir.Operand) -> bool:
    if isinstance(operand, tuple):
        return any(_has_tensor(item) for item in operand)
    return isinstance(operand, ir.Value)
