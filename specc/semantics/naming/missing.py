"""What is asked for and is not there: a name that nothing has.

Non-goal: words of the language that stand in the wrong place, which their readers report."""

from __future__ import annotations

from specc.catalog.advice.elsewhere import ELSEWHERE, EXTEND, FORMULA, TRUTH, left_out, other_form
from specc.catalog.std import BLOCKS, using
from specc.errors import Fix, Span
from specc.semantics.compile_time.entities import POISON, Entity
from specc.semantics.naming.foreign_names import (
    Place,
    is_choice,
    near,
    of_another_kind,
    other_name,
)
from specc.semantics.naming.graph import Graph
from specc.suggestions import meant, nearest
from specc.syntax.tree import ast
from specc.syntax.tree.written import written


def not_named(name: str) -> str:
    """The message on a name of an extension that is installed and not this project's."""
    return f"`{name}` is of an extension that this project does not name"


def is_elsewhere(graph: Graph, name: str) -> bool:
    """Whether ``name`` is of Python or torch and has another form here, arguments and all."""
    return (
        name in ELSEWHERE
        and name not in graph.env
        and name not in graph.modules
        and name not in graph.catalogue
        and name not in graph.unread
    )


def _position(graph: Graph, name: str) -> str | None:
    """What to write where ``name`` was meant to be the position in a `repeat` around."""
    if not graph.repeats or (len(name) > 1 and name not in ("idx", "index", "position")):
        return None
    variable = ast.Name(span=graph.repeats[-1].span, name=name)
    named = graph.repeats[-1].model_copy(update={"variable": variable})
    return f"name the position where it comes from: `{written(named)}`"


def unknown(
    graph: Graph, name: str, span: Span, translation: str | None = None, place: Place = "value"
) -> Entity:
    """An E0201 for a name that nothing has, with what it was probably meant to be.

    ``translation`` is what stands at ``span`` under names of this language, if another has it;
    ``place`` is where the name stands."""
    known = graph.catalogue
    library = graph.library
    quoted = f'"{name}"' if place == "value" and is_choice(name) else None
    if quoted is not None:
        message = f"`{name}` is no value here: an argument takes it as a string"
        said = Fix(span.start, span.end, quoted, "write it in double quotes")
        return graph.error("E0201", message, span, f"write `{quoted}`", (), said)
    of_output = library.misnamed_output and graph.kind == "train"
    if of_output and library.value_of(name):
        return POISON  # an output that is called otherwise was reported, and may be this one
    if any(name in table for table in (known.layers, known.functions, known.losses, graph.modules)):
        if name in graph.unknown:
            library.reported.again += 1
            return POISON
        library.unknown.add(name)
        graph.unknown.add(name)
        return graph.error(
            "E0202",
            f"`{name}` is not a value: it wants something to work on",
            span,
            f"feed it with a pipe: `x -> {name}`",
        )
    if not library.complete and name[:1].isupper():
        return POISON  # the file that has it may be the one that was reported
    offer = known.offered(name)
    if offer is not None:
        return graph.error("E0724", not_named(name), span, offer)
    advice, fix = _advice(graph, name, span, translation, place)
    before = library.unknown if graph.kind == "train" else graph.unknown
    if fix is None and name in before:
        library.reported.again += 1
        return POISON
    library.unknown.add(name)
    graph.unknown.add(name)
    return graph.error("E0201", f"there is nothing called `{name}` here", span, advice, (), fix)


def unquoted(graph: Graph, value: ast.Expression) -> bool:
    """Whether ``value`` of an argument is a function's name where its text was meant:
    ``approximate=tanh``; an E0202 that says so."""
    if not isinstance(value, ast.Name) or value.name in graph.env or value.name in graph.unread:
        return False
    name = value.name
    if name not in graph.catalogue.functions or not is_choice(name, alone=False):
        return False
    said = Fix(value.span.start, value.span.end, f'"{name}"', f"feed it: `x -> {name}`")
    message = f"`{name}` is a function, and no value; an argument takes its name as a string"
    graph.error("E0202", message, value.span, f'write `"{name}"`', (), said)
    return True


def _advice(
    graph: Graph, name: str, span: Span, translation: str | None, place: Place
) -> tuple[str, Fix | None]:
    """What to do instead of ``name``: by the tables of what others call it, then by its spelling.
    A suggestion comes with the fix that it is."""
    if name in TRUTH:
        return f"write `{TRUTH[name]}`", Fix(span.start, span.end, TRUTH[name])
    form = other_form(name, method=place != "value")
    if form == EXTEND and graph.kind == "train":
        form = FORMULA
    if form is not None:
        return form, None
    other_kind = of_another_kind(name)
    if other_kind is not None:
        return other_kind, None
    position = _position(graph, name)
    if position is not None and translation is None:
        return position, None
    otherwise = left_out(name) or _what_there_is(graph, name, place)
    other = other_name(name) if place != "value" else None
    found = translation.partition("(")[0] if translation is not None else other
    if found is None and not left_out(name):
        found = near(graph, name, place)
    if place != "value" and name[:1].isupper():
        nearer = nearest(name, (*([found] if found else []), *BLOCKS))
        if nearer is not None and nearer in BLOCKS:
            return using(nearer), None
    if translation is not None:
        return f"write `{translation}`", Fix(span.start, span.end, translation, otherwise)
    if found is None:
        return otherwise, None
    return meant(found), Fix(span.start, span.start + len(name), found, otherwise)


def _label(graph: Graph, name: str) -> str | None:
    """What to do where ``name`` is the label of a layer, which is no name of a value."""
    layer = graph.layers.get(name) or next(
        (each for path, each in graph.layers.items() if path.partition(".")[0] == name), None
    )
    if layer is None or graph.kind == "train":
        return None
    return (
        f"it is the label of a layer; to use that again, declare it: `layer {name} ="
        f" {layer.type}(...)`, then `{name}(x)`"
    )


def _what_there_is(graph: Graph, name: str, place: Place) -> str:
    """What is told of a name that is no other's."""
    owner = graph.library.value_of(name) if graph.kind == "train" else None
    label = _label(graph, name)
    if label is not None:
        return label
    if owner is not None:
        return f"it is a value inside {owner}, and what that puts out is seen here: `output {name}`"
    if place != "value" and graph.kind == "train":
        return f"losses and functions are torch's, by torch's names; {FORMULA}"
    if place != "value" and name[:1].isupper():
        return f"specc knows torch's layers by torch's names; {EXTEND}"
    if place != "value":
        return f"a function is torch's, by torch's name; {EXTEND}"
    return "names are made by `input`, `name = ...` and `layer name = ...`"
