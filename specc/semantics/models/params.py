"""Params: compile-time values with a default in the spec, overridden by ``--set name=value``.

A setting is text from a command line or a value from Python; either must be of the param's type,
and must name a param that the spec has. Non-goal: arithmetic on params, which is ``static``."""

from __future__ import annotations

from collections.abc import Mapping

from specc import ir
from specc.errors import Collector
from specc.semantics.blocks.expressions import elaborate
from specc.semantics.calls.layer_choices import named_choice, read_choice
from specc.semantics.compile_time import static
from specc.semantics.compile_time.entities import (
    POISON,
    describe,
    is_poisoned,
    is_static,
    to_static,
)
from specc.semantics.compile_time.free_names import check_name
from specc.semantics.compile_time.param_values import TYPES, article, in_scope, is_of
from specc.semantics.compile_time.setting_tuples import (
    INTEGER,
    NUMBER,
    as_tuple,
    is_table,
    read_tuple,
)
from specc.semantics.naming.graph import Graph
from specc.suggestions import did_you_mean, listed
from specc.syntax.tree import ast
from specc.syntax.tree.written import written


class Settings:
    """What ``--set`` gave: each must be taken by a param of the spec."""

    def __init__(self, given: Mapping[str, object]) -> None:
        self.given = dict(given)
        self.taken: set[str] = set()

    def take(self, name: str, owner: str | None) -> tuple[bool, object]:
        """The value given to ``name``, or to ``Model.name``; whether there is one."""
        for key in (f"{owner}.{name}" if owner else name, name):
            if key in self.given:
                self.taken.add(key)
                return True, self.given[key]
        return False, None

    def check_all_taken(self, known: list[str], collector: Collector) -> None:
        """An E0601 for each setting that no param took."""
        for key in self.given:
            if key in self.taken:
                continue
            shown = _printable(key)
            collector.error(
                "E0601",
                f"this spec has no param `{shown}` to set",
                None,
                did_you_mean(key, known, listed(known, "it has ", "it has no params at all")),
            )


def declare_param(
    graph: Graph, statement: ast.Parameter, settings: Settings, owner: str | None
) -> ir.Param | None:
    """The param of a declaration, put in scope; None where something was reported."""
    name, span = statement.name, statement.span
    if not check_name(name, span, graph.collector, "param", graph.catalogue.globals):
        return None
    if graph.is_foreign(name, span):
        return None
    check_hides_no_layer(graph, statement)
    if name in graph.env:
        graph.error("E0220", f"`{name}` is declared twice", span, "give one another name")
        return None
    type_ = statement.type
    if type_.name not in TYPES or type_.sizes is not None or type_.argument is not None:
        graph.error(
            "E0603",
            f"a param is one of {', '.join(TYPES)}, not `{written(type_)}`",
            type_.span,
            type_advice(statement),
        )
        graph.env[name] = POISON
        return None
    given, override = settings.take(name, owner)
    default = _default(graph, statement, given)
    value = default
    if given:
        if type_.name == "layer" and isinstance(override, str):
            override = named_choice(graph, override) or override
        value, problem = converted(override, type_.name)
        if problem is not None:
            graph.error("E0602", f"`{name}` is {article(type_.name)}; {problem}", span)
            value = None
    if value is None:
        graph.env[name] = POISON
        return None
    graph.env[name] = in_scope(name, value)
    if isinstance(value, int) and not isinstance(value, bool):
        graph.params[name] = value
    return ir.Param(name, type_.name, default if default is not None else value, value, span)


def check_hides_no_layer(graph: Graph, statement: ast.Parameter) -> None:
    """An E0230 for a param that makes layers under a name that makes others already."""
    if statement.type.name == "layer" and graph.is_layer(statement.name):
        graph.error(
            "E0230", f"there is a layer called `{statement.name}`, which this would hide",
            statement.span, "give the param another name",
        )  # fmt: skip


def _default(graph: Graph, statement: ast.Parameter, given: bool) -> ir.Static:
    if statement.default is None:
        if not given:
            graph.error(
                "E0604",
                f"`{statement.name}` has no default and was not set",
                statement.span,
                f"write `{statement.name}: {statement.type.name} = ...`,"
                f" or --set {statement.name}=...",
            )
        return None
    kind = statement.type.name
    read = read_choice if kind == "layer" else None
    entity = (
        elaborate(graph, statement.default)
        if read is None
        else read(graph, statement.default, elaborate)
    )
    if is_poisoned(entity):
        return None
    if is_static(entity):
        try:
            value = static.plain(to_static(entity), graph.params)
        except static.Undecided:
            value = None
        if is_of(value, kind):
            return float(value) if kind == "float" else value
    graph.error(
        "E0603",
        f"`{statement.name}` is {article(kind)}, its default is {describe(entity)}",
        statement.default.span,
    )
    return None


def type_advice(statement: ast.Parameter) -> str | None:
    """What to write for the type of a param that has none of a param's."""
    if statement.type.sizes is not None:
        return f"write `input {statement.name}: {written(statement.type)}` inside the braces"
    return did_you_mean(statement.type.name, TYPES)


def converted(given: object, kind: str) -> tuple[ir.Static, str | None]:
    """A setting as a value of its param's type, or what is wrong with it."""
    if isinstance(given, str) and kind == "layer":
        return None, f"there is none called {_printable(repr(given))}"
    if isinstance(given, str) and kind != "str":
        return _read(given, kind)
    if isinstance(given, list | tuple):
        given = as_tuple(given)
    if not is_of(given, kind):
        return None, f"{_printable(repr(given))} is not"
    if kind == "float":
        return float(given), None  # type: ignore[arg-type]  # a number, as just checked
    if kind == "int" and abs(given) >= 2**63:  # type: ignore[arg-type]  # likewise
        return None, "it must fit in 64 bits"
    if kind == "tuple" and not is_table(given):
        return None, "its items must be numbers, strings or tuples of them"
    return given, None  # type: ignore[return-value]  # likewise


def _read(text: str, kind: str) -> tuple[ir.Static, str | None]:
    stripped = text.strip()
    match kind:
        case "bool" if stripped.lower() in ("true", "false"):
            return stripped.lower() == "true", None
        case "int" if INTEGER.fullmatch(stripped):
            return int(stripped), None
        case "float" if NUMBER.fullmatch(stripped):
            value = float(stripped)
            return (value, None) if abs(value) != float("inf") else (None, "it is out of range")
        case "tuple":
            found = read_tuple(stripped)
            if found is not None:
                return found, None
    return None, f'"{_printable(text)}" is not'


def _printable(text: str) -> str:
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown if len(shown) <= 60 else shown[:57] + "..."
