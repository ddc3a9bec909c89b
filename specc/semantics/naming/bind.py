"""Binds the arguments of a call to a catalogue row: names, order, types, choices.

Arguments are torch's, in torch's order, less those that the shapes tell. Everything that does not
fit is reported at its own place with what would; what is left out keeps the row's default.
Non-goal: what the values mean together, which is the row's shape rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from specc import ir
from specc.catalog.rows import Row
from specc.catalog.signatures import Argument
from specc.errors import Collector, Fix, Span
from specc.semantics.compile_time.entities import Entity, Items, describe, is_poisoned
from specc.semantics.compile_time.setting_tuples import NUMBER
from specc.semantics.naming.foreign_names import argument_advice, meant_argument
from specc.semantics.naming.function_forms import as_function
from specc.sizes import Poly, Size, evaluate
from specc.suggestions import did_you_mean
from specc.syntax.tree import ast

_KINDS = {
    "int": "an int",
    "size": "a size",
    "float": "a number",
    "float?": "a number or none",
    "bool": "true or false",
    "str": "a string",
    "none": "none",
    "ints": "a tuple of ints",
    "sizes": "a tuple of sizes",
    "floats": "a tuple of numbers",
    "schedulers": "a list of schedulers",
    "tensor": "a tensor",
    "tensors": "a list of tensors",
    "dtype": "a dtype's name",
}


# torch's name of a reduction, and the catalogue's of what torch calls so of two tensors.
_OF_TWO = {"max": "maximum", "min": "minimum"}
# What a tensor where a setting stands is written as.
_INSTEAD = {
    "fill_value": "write `x * ones(...)`: it hands on the gradient of x",
    "alpha": "write the product: `x + a * y`",
    "beta": "write the product: `b * x + y @ z`",
    "value": "write the product: `x + a * y * z`",
    "indices_or_sections": "its values would tell how large the pieces are: write numbers",
}
# An eps is less.
_SMALL: Final = 0.01
# What one alone of may stand for several.
_SINGLE = ("int", "size", "size?")


@dataclass(slots=True)
class Given:
    """One argument as written: its value, where it stands, the value's text as a tree."""

    name: str | None
    value: Entity
    span: Span
    node: ast.Expression | None = None


@dataclass(slots=True)
class BoundArguments:
    """The arguments that were given, by name, each with its place; ``failed`` if any did not
    fit."""

    values: dict[str, Entity] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    failed: bool = False
    # What the names that were given and do not exist were probably meant to be.
    meant: set[str | None] = field(default_factory=set)


def bind(
    row: Row,
    given: list[Given],
    span: Span,
    collector: Collector,
    params: Mapping[str, Size],
    *,
    first: Entity | None = None,
    keyword_only: bool = False,
) -> BoundArguments:
    """``given`` as the row's arguments. ``first`` is what the pipe feeds in as the first of
    them. Where there are more values without a name than the row takes so, it fails without a
    word: ``unnamed.bind_call`` has one."""
    bound = BoundArguments()
    positional = [] if first is None else [Given(None, first, span)]
    positional += [item for item in given if item.name is None]
    if keyword_only and positional:
        names = [f"`{argument.name}`" for argument in row.arguments if not argument.inferred]
        collector.error(
            "E0208", f"{row.name} takes its settings by name here", positional[0].span,
            f"they are {', '.join(names)}",
        )  # fmt: skip
        bound.failed = True
        return bound
    _bind_positional(row, positional, bound)
    for item in given:
        if item.name is not None:
            bind_keyword(row, item, bound, collector)
    if keyword_only:
        return _checked(row, bound, span, collector, params)
    missing = [
        argument.name
        for argument in row.arguments
        if argument.required and argument.name not in bound.values
    ]
    # What an unknown name was probably meant to be is not missing as well.
    if missing and bound.meant.isdisjoint((*missing, None)):
        listed = " and ".join(f"`{name}`" for name in missing)
        collector.error(
            "E0210",
            f"{row.name} is missing {listed}",
            span,
            f"its form is {signature(row)}",
        )
        bound.failed = True
    return _checked(row, bound, span, collector, params)


def signature(row: Row) -> str:
    """The row's arguments as a user writes them: ``Conv2d(out_channels, kernel_size, stride=1,
    ...)``."""
    shown = []
    for argument in row.arguments:
        if argument.inferred:
            continue
        if argument.required:
            shown.append(f"*{argument.name}" if argument.variadic else argument.name)
        else:
            shown.append(f"{argument.name}={_literal(argument.default)}")
    if len(shown) > 6:
        shown = [*shown[:6], "..."]
    return f"{row.name}({', '.join(shown)})"


def _bind_positional(row: Row, given: list[Given], bound: BoundArguments) -> None:
    order = [row.by_name[name] for name in positional_order(row, len(given))]
    for index, item in enumerate(given):
        if index < len(order) and order[index].variadic:
            _bind_variadic(order[index], given[index:], bound)
            return
        if index >= len(order):
            bound.failed = True
            return
        bound.values[order[index].name] = item.value
        bound.spans[order[index].name] = item.span


def positional_order(row: Row, count: int) -> tuple[str, ...]:
    """The names of the arguments that so many values by place are given to, in order."""
    longest = row.unnamed[-1]
    return next((names for names in row.unnamed if len(names) == count), longest)


def _bind_variadic(argument: Argument, rest: list[Given], bound: BoundArguments) -> None:
    """``reshape(x, N, T)`` and ``reshape(x, (N, T))`` are one and the same."""
    values = tuple(item.value for item in rest)
    if len(values) == 1 and isinstance(values[0], Items):
        bound.values[argument.name] = values[0]
    else:
        bound.values[argument.name] = Items(values)
    bound.spans[argument.name] = rest[0].span.to(rest[-1].span)


def bind_keyword(row: Row, item: Given, bound: BoundArguments, collector: Collector) -> None:
    """Adds one argument that is given by name to ``bound``; E0203, E0209."""
    assert item.name is not None
    if item.name not in row.by_name:
        collector.error(
            "E0203",
            f"{row.name} has no argument `{item.name}`",
            item.span,
            argument_advice(row, item.name, signature(row)),
            (),
            _renamed(row, item),
        )
        bound.failed = True
        bound.meant.add(meant_argument(row, item.name))
        return
    if item.name in bound.values:
        collector.error(
            "E0209", f"`{item.name}` of {row.name} is given twice", item.span, "say it once"
        )
        bound.failed = True
        return
    bound.values[item.name] = item.value
    bound.spans[item.name] = item.span


def _renamed(row: Row, item: Given) -> Fix | None:
    """The argument under the name that it was probably meant to have."""
    assert item.name is not None
    close = meant_argument(row, item.name)
    start = item.span.start
    if close is None:
        return None
    return Fix(start, start + len(item.name), close, f"its form is {signature(row)}")


def _checked(
    row: Row, bound: BoundArguments, span: Span, collector: Collector, params: Mapping[str, Size]
) -> BoundArguments:
    for name, value in bound.values.items():
        argument = row.by_name[name]
        if is_poisoned(value):
            bound.failed = True
            continue
        # Each of a variadic argument's values is of its type.
        items = value.items if argument.variadic and isinstance(value, Items) else (value,)
        if not all(any(fits(item, kind, params) for kind in argument.types) for item in items):
            wanted = " or ".join(_describe_kind(kind) for kind in argument.types)
            told = [other.name for other in row.arguments if other.inferred]
            form = f"its form is {signature(row)}" + (
                f"; {', '.join(told)} is told by the incoming value" if told else ""
            )
            place = bound.spans[name]
            help = _advice(row, argument, value) or form
            fix: Fix | None = None
            other = _meant_value(row, argument, value, bound)
            if other:
                help, fix = f"write `{other}`", Fix(place.start, place.end, other, form)
            elif _of_a_run(value, params):
                help, fix = as_function(row, bound.values, name, span, help) or (help, None)
            collector.error(
                "E0211",
                f"`{name}` of {row.name} is {wanted}, not {describe(value)}",
                place,
                help,
                fix=fix,
            )
            bound.failed = True
            continue
        choices = row.choices.get(name)
        text = value.value if isinstance(value, ir.Scalar) else value
        if choices and isinstance(text, str) and text not in choices:
            known = ", ".join(f'"{choice}"' for choice in choices)
            collector.error(
                "E0212",
                f'`{name}` of {row.name} cannot be "{text}"',
                bound.spans[name],
                did_you_mean(text, choices, f"it is one of {known}", '"{}"'),
            )
            bound.failed = True
    return bound


def _meant_value(row: Row, argument: Argument, value: Entity, bound: BoundArguments) -> str | None:
    """What was meant by a fraction where no argument of such a kind stands, ``LayerNorm(1e-12)``,
    and by a number in quotes."""
    if isinstance(value, str):
        number = value.strip()
        return number if NUMBER.fullmatch(number) and "float" in argument.types else None
    if not isinstance(value, float) or argument.required:
        return None
    known = [
        other
        for other in row.arguments
        if "float" in other.types and isinstance(other.default, float | None)
        and not (other.inferred or other.required or other.name in bound.values)
    ]  # fmt: skip
    # torch's `eps` is the one that is far below 1; anything else may be what is meant.
    found = known if len(known) == 1 else [other for other in known if other.name == "eps"]
    small = all(other.name != "eps" or 0 < value < _SMALL for other in found)
    return f"{found[0].name}={value!r}" if found and small else None


def _advice(row: Row, argument: Argument, value: Entity) -> str | None:
    """What is told of a number, or of one number, where there are to be several; and of what torch
    calls by one name and the catalogue by two."""
    if isinstance(value, ir.Value):
        if argument.name == "dim" and row.name in _OF_TWO:
            return f"of two tensors it is `{_OF_TWO[row.name]}(x, y)`"
        return _INSTEAD.get(argument.name)
    several = any(kind.endswith("s") or " x" in kind for kind in argument.types)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not several or not (number or (isinstance(value, Items) and len(value.items) == 1)):
        return None
    if isinstance(argument.default, tuple):
        return (
            f"parentheses around one number are that number; there are {len(argument.default)}:"
            f" `{argument.name}={_literal(argument.default)}`"
        )
    shown = value if number else describe(value)
    return (
        f"parentheses around one number are that number; a tuple of one is written `({shown},)`"
        if number
        else None
    )


def _of_a_run(value: Entity, params: Mapping[str, Size]) -> bool:
    """Whether a size is in it that only a run knows."""
    if isinstance(value, Items):
        return any(_of_a_run(item, params) for item in value.items)
    return isinstance(value, Poly) and not isinstance(evaluate(value, params), int)


def fits(value: Entity, kind: str, params: Mapping[str, Size]) -> bool:
    """Whether ``value`` is of the catalogue's type ``kind``."""
    if " x" in kind:
        base, counts = kind.split(" x")
        if isinstance(value, Items):
            return str(len(value.items)) in counts.split("/") and all(
                fits(item, base, params) for item in value.items
            )
        return base in _SINGLE and fits(value, base.rstrip("?"), params)
    scalar = value.value if isinstance(value, ir.Scalar) else value
    match kind:
        case "tensor":
            return isinstance(value, ir.Value)
        case "tensors":
            return isinstance(value, Items) and all(
                isinstance(item, ir.Value) for item in value.items
            )
        case "size":
            return isinstance(value, Poly) or _is_int(value)
        case "int":
            if isinstance(value, Poly):
                return isinstance(evaluate(value, params), int)
            return _is_int(value)
        case "float":
            return isinstance(scalar, float) or fits(value, "int", params)
        case "float?" | "size?":
            return value is None or fits(value, kind.rstrip("?"), params)
        case "bool":
            return isinstance(scalar, bool)
        case "str" | "dtype":
            return isinstance(scalar, str)
        case "none":
            return value is None
        case "schedulers":
            return isinstance(value, Items)  # what is in it, ``schedules`` reads
        case "ints" | "sizes" | "floats":
            return isinstance(value, Items) and all(
                fits(item, kind[:-1], params) for item in value.items
            )
    raise ValueError(f"the catalogue has a type that binding does not know: {kind}")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _describe_kind(kind: str) -> str:
    if " x" in kind:
        base, counts = kind.split(" x")
        count = counts.rpartition("/")[2]
        if base == "ints":
            return f"{count} tuples of ints"
        if base not in _SINGLE:
            return f"{count} numbers"
        several = f"{_KINDS[base.rstrip('?')]} or {count} of them"
        return f"{several}, any of which may be none" if base.endswith("?") else several
    return _KINDS[kind]


def _literal(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
        case _:
            return str(value)
