"""What a loss or a metric that is refused would be right as: with its first two values swapped, or
under the name for other tasks (`BinaryAUROC` for `AUROC`).

Each reading is held against the row's own rule before it is proposed. Non-goal: calls that fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from specc import ir
from specc.catalog.rows import Call, FunctionRow, RuleError
from specc.errors import Fix, Span
from specc.semantics.checks.feeding import swapped_advice
from specc.semantics.naming.bind import BoundArguments
from specc.sizes import Size

_TASKS: Final = ("Binary", "Multiclass", "Multilabel")


def proposed(
    row: FunctionRow, call: Call, bound: BoundArguments, span: Span,
    table: Mapping[str, FunctionRow], fault: RuleError,
) -> tuple[str, str | None, Fix | None]:  # fmt: skip
    """The message on ``call``, which ``row`` refuses with ``fault``, its help, and the fix that it
    is; ``table`` has what of its kind there is."""
    names = [argument.name for argument in row.arguments if argument.is_tensor][:2]
    if len(names) == 2 and all(isinstance(call.tensors.get(name), ir.TensorType) for name in names):
        first, second = names
        message = f"{fault.message}: the prediction comes first, then its target"
        if _takes(row, _swapped(call, first, second)):
            return message, *_turned(row, bound, first, second, fault.help)
        if not call.tensor(first).floating and call.tensor(second).floating:
            return message, f"`{row.name}` takes `{first}` and then `{second}`", None
    for name in _tasks(row.name, table):
        other = table[name]
        needed = {each.name for each in other.arguments if each.required}
        fits = needed <= set(bound.values) <= set(other.by_name)
        if fits and _takes(other, _as(other, call, bound)):
            text = f"`{name}` takes what is given here"
            fix = Fix(span.start, span.start + len(row.name), name, fault.help)
            return fault.message, text, fix
        if fits and _takes(other, _of_two_classes(_as(other, call, bound))):
            text = f"`{name}` takes it, of labels that are declared as `index(2)`"
            return fault.message, text, None
    return fault.message, fault.help, None


def _turned(
    row: FunctionRow, bound: BoundArguments, first: str, second: str, otherwise: str | None
) -> tuple[str, Fix | None]:
    """The call with its first two values exchanged, written where they are all that it has."""
    values = (bound.values[first], bound.values[second])
    spans = (bound.spans[first], bound.spans[second])
    said = [value.name for value in values if isinstance(value, ir.Value) and value.named]
    if len(said) < 2 or len(bound.values) > 2 or spans[0].start >= spans[1].start:
        return "exchange the two", None
    fix = Fix(spans[0].start, spans[1].end, f"{said[1]}, {said[0]}", otherwise)
    return swapped_advice(row.name, *values), fix


def _tasks(name: str, table: Mapping[str, FunctionRow]) -> Iterator[str]:
    """The names that ``name`` has for other tasks."""
    task = next((each for each in _TASKS if name.startswith(each)), "")
    bare = name.removeprefix(task)
    for each in _TASKS:
        if each != task and f"{each}{bare}" in table:
            yield f"{each}{bare}"


def _swapped(call: Call, first: str, second: str) -> Call:
    turned = {first: call.tensors[second], second: call.tensors[first]}
    return replace(call, tensors={**call.tensors, **turned})


def _as(row: FunctionRow, call: Call, bound: BoundArguments) -> Call:
    """``call`` with the settings that ``row`` has of those that were given."""
    given = {
        name: call.args[name] for name in bound.values if name in row.by_name and name in call.args
    }
    known: dict[str, ir.Static] = {
        each.name: each.default  # type: ignore[misc]  # a literal of the row
        for each in row.arguments
        if not each.required and not each.inferred
    }
    return replace(call, name=row.name, args={**known, **given})


def _of_two_classes(call: Call) -> Call:
    """``call`` with its masks as labels of two classes."""
    turned = {
        name: ir.TensorType("int64", given.shape, "index", 2)
        if isinstance(given, ir.TensorType) and given.dtype == "bool"
        else given
        for name, given in call.tensors.items()
    }
    return replace(call, tensors=turned)


def _takes(row: FunctionRow, call: Call) -> bool:
    """Whether ``row`` takes ``call``, whatever sizes it leaves open."""
    quiet = replace(call, require_equal=_equal, require_at_least=_at_least)
    try:
        row.shape(quiet)
    except RuleError:
        return False
    return True


def _equal(left: Size, right: Size, refusal: RuleError) -> None:
    if isinstance(left, int) and isinstance(right, int) and left != right:
        raise refusal


def _at_least(left: Size, right: Size, refusal: RuleError) -> None:
    if isinstance(left, int) and isinstance(right, int) and left < right:
        raise refusal
