"""Whether an extension's row is one: its form, its names, its helper; and what its rules give.

A row that passes comes back with its rules guarded: a rule that raises, or gives something else
than a rule must, becomes a message that names the extension. Non-goals: whether a rule is right,
which the extension's own tests show; names that several rows have (``clashes``)."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, Final

from specc.catalog.examples import example_of
from specc.catalog.rows import Call, FunctionRow, LayerRow, Row, RuleError
from specc.emitted_names import EMITTED_GLOBALS, IMPORTED, VARIABLES
from specc.errors import CallError
from specc.extensions.clashes import defined
from specc.ir import Distribution, TensorType
from specc.sizes import Poly

_TORCH: Final = frozenset(["torch", "nn", "F"])
_TYPE: Final = re.compile(
    r"(tensor|tensors|size|int|float|bool|str|none|dtype|ints|sizes|floats)( x(1/)?[1-9])?"
    r"|size\? x[1-9]"
)
_RULES: Final = ("shape", "parameters", "buffers", "initial")


def faulty(entry: str, reason: str, help: str | None = None) -> CallError:
    """E0722: the extension ``entry`` is at fault."""
    return CallError("E0722", f"the extension {entry} is faulty: {reason}", help=help)


def vetted(row: object, entry: str, place: str) -> LayerRow | FunctionRow:
    """``row``, which ``place`` of the extension ``entry`` gives, with its rules guarded. Raises
    CallError (E0722) where it is none."""
    if isinstance(row, Row) and not isinstance(row, LayerRow | FunctionRow):
        raise faulty(
            entry,
            f"{place} is {_article(type(row).__name__)}; extensions add layers, functions, losses"
            " and metrics",
        )
    if type(row) not in (LayerRow, FunctionRow):
        raise faulty(
            entry, f"{place} is {_article(type(row).__name__)}, and no row",
            "make it with LayerRow(...) or FunctionRow(...) of specc.catalog.rows",
        )  # fmt: skip
    assert isinstance(row, LayerRow | FunctionRow)
    try:
        fault = _fault(row)
        if fault is None:
            example_of(kind_of(row), row)
    except (ValueError, SyntaxError, TypeError, AttributeError) as error:
        fault = f"{type(error).__name__}: {error}"
    if fault is not None:
        raise faulty(entry, f"{place}, the row {row.name!r}: {fault}")
    return _guarded(row, entry)


def kind_of(row: LayerRow | FunctionRow) -> str:
    """The kind of a row: losses and metrics are functions of these families."""
    if isinstance(row, LayerRow):
        return "layer"
    return row.family if row.family in ("loss", "metric") else "function"


def _article(name: str) -> str:
    return f"{'an' if name[:1] in 'AEIOUaeio' else 'a'} {name}"


# ── the form ─────────────────────────────────────────────────────────────────────────────────────


def _fault(row: LayerRow | FunctionRow) -> str | None:
    """What is wrong with ``row``; None where nothing is."""
    for field in fields(row):
        value = getattr(row, field.name)
        if isinstance(field.default, str) and not isinstance(value, str):
            return f"`{field.name}` is {value!r}, and no text"
    for name in ("name", "torch", "signature", "summary"):
        if not isinstance(getattr(row, name), str):
            return f"`{name}` is {getattr(row, name)!r}, and no text"
    if not _is_name(row.name) or row.name.startswith("_"):
        return "no spec could write its name"
    if not row.summary.strip():
        return "it has no `summary`"
    for rule in _RULES:
        if not callable(getattr(row, rule, print)):
            return f"`{rule}` is no function"
    return _source_fault(row) or _signature_fault(row)


def _source_fault(row: Row) -> str | None:
    """What is wrong with how ``row`` is written in Python."""
    if not all(map(_is_name, row.torch.split("."))):
        return f"`torch` is {row.torch!r}, and no dotted name"
    head = row.torch.partition(".")[0]
    if row.module and row.helper:
        return "it has a `module` to import and a `helper` to carry along: one of them"
    if not row.module and not row.helper:
        if head in _TORCH:
            return None
        return f"nothing gives {row.torch}: name the `module` that it is in, or write a `helper`"
    if row.module and not row.torch.startswith(f"{row.module}."):
        return f"`torch`, {row.torch}, does not begin with its `module`, {row.module}"
    if head in EMITTED_GLOBALS | VARIABLES:
        return f"the emitted source has a `{head}` of its own"
    if not row.helper:
        return None
    names = defined(row.source)
    if row.torch not in names:
        return f"its `helper` does not define {row.torch}"
    taken = sorted(set(names) & (EMITTED_GLOBALS | VARIABLES))
    if taken:
        return f"its `helper` defines {taken[0]}, and the emitted source has one of its own"
    unknown = _undefined(row.source, names)
    if unknown:
        return f"its `helper` uses {', '.join(unknown)}, which an emitted file does not have"
    return None


def _undefined(helper: str, names: list[str]) -> list[str]:
    """The names that a helper reads, and that neither it nor the emitted file has."""
    known = {*names, *IMPORTED, *dir(builtins)}
    read: set[str] = set()
    for node in ast.walk(ast.parse(helper)):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                read.add(name)
            case ast.Name(id=name):
                known.add(name)
            case ast.arg(arg=name):
                known.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                known.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                known |= {(item.asname or item.name).partition(".")[0] for item in aliases}
            case ast.ExceptHandler(name=str(name)):
                known.add(name)
            case _:
                continue
    return sorted(read - known)


def _signature_fault(row: LayerRow | FunctionRow) -> str | None:
    arguments = list(row.arguments)
    inferred = {argument.name for argument in arguments if argument.inferred}
    if isinstance(row, LayerRow):
        if any(argument.is_tensor for argument in arguments):
            return "a layer is made of settings: what it is fed stands in `forward`"
        if not any(argument.is_tensor for argument in row.forward_arguments):
            return "its `forward` takes no tensor"
        arguments += row.forward_arguments
        if set(row.infer) != inferred:
            return "`infer` has a rule for each argument `= ?`, and for no other"
    elif inferred:
        return "a function has no layer's shape to infer an argument from"
    for argument in arguments:
        if not _is_name(argument.name):
            return f"{argument.name!r} cannot name an argument"
        for type_ in argument.types:
            if not _TYPE.fullmatch(type_):
                return f"`{argument.name}` has the type {type_!r}, which there is not"
    names = [argument.name for argument in arguments]
    if len(set(names)) < len(names):
        return "two of its arguments have one name"
    loose = {*row.choices, *(name for names in row.positional for name in names)} - set(names)
    if loose:
        return f"it speaks of `{min(loose)}`, which is no argument of it"
    return None


def _is_name(text: str) -> bool:
    return text.isidentifier() and text.isascii() and not keyword.iskeyword(text)


# ── the rules ────────────────────────────────────────────────────────────────────────────────────


def _guarded(row: LayerRow | FunctionRow, entry: str) -> LayerRow | FunctionRow:
    def guard(rule: Any, what: str, fits: Callable[[Any], bool], wanted: str) -> Any:
        return _guard(rule, f"the rule `{what}` of {row.name}, of the extension {entry},", fits,
                      wanted)  # fmt: skip

    shape = guard(row.shape, "shape", _is_result, "a TensorType, or a tuple of them")
    if isinstance(row, FunctionRow):
        return replace(row, shape=shape)
    named = "a tuple of (name, shape)"
    parameters = guard(row.parameters, "parameters", _are_shapes, named)
    drawn = guard(row.initial, "initial", _are_draws, "a tuple of (name, Distribution)")

    def initial(call: Call) -> Any:
        """Says how each parameter is filled, and of nothing else."""
        found = drawn(call)
        if [name for name, _ in found] != [name for name, _ in parameters(call)]:
            raise RuleError(
                "E0722",
                f"the rules of {row.name}, of the extension {entry}, disagree: `initial` does not"
                " say how each of `parameters` is filled, in that order",
            )
        return found

    infer: Mapping[str, Any] = {
        name: guard(rule, f"infer[{name!r}]", _is_told, "a size, or a tuple of them")
        for name, rule in row.infer.items()
    }
    return replace(
        row, shape=shape, parameters=parameters, initial=initial, infer=infer,
        buffers=guard(row.buffers, "buffers", _are_shapes, named),
    )  # fmt: skip


def _guard(
    rule: Callable[[Call], Any], what: str, fits: Callable[[Any], bool], wanted: str
) -> Callable[[Call], Any]:
    def guarded(call: Call) -> Any:
        try:
            found = rule(call)
        except RuleError as refusal:
            _check_refusal(refusal, what)
            raise
        except Exception as fault:
            raise RuleError("E0722", f"{what} failed: {type(fault).__name__}: {fault}") from None
        if not fits(found):
            raise RuleError("E0722", f"{what} gives {wanted}, and gave {repr(found)[:80]}")
        return found

    return guarded


def _check_refusal(refusal: RuleError, what: str) -> None:
    from specc.codes import CODES

    if refusal.code not in CODES:
        raise RuleError(
            "E0722",
            f"{what} refuses with the code {refusal.code!r}, which specc has not:"
            f" {refusal.message}",
        ) from None


def _is_size(item: object) -> bool:
    return isinstance(item, int | Poly) and not isinstance(item, bool)


def _is_shape(item: object) -> bool:
    return isinstance(item, tuple) and all(map(_is_size, item))


def _is_result(item: object) -> bool:
    if isinstance(item, TensorType):
        return isinstance(item.dtype, str) and _is_shape(item.shape)
    return isinstance(item, tuple) and len(item) > 0 and all(map(_is_result, item))


def _is_told(item: object) -> bool:
    return _is_size(item) or _is_shape(item)


def _are_pairs(items: object) -> bool:
    return isinstance(items, tuple) and all(
        isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) for item in items
    )


def _are_shapes(items: Any) -> bool:
    return _are_pairs(items) and all(_is_shape(shape) for _, shape in items)


def _are_draws(items: Any) -> bool:
    return _are_pairs(items) and all(isinstance(drawn, Distribution) for _, drawn in items)
