"""What is asked for and is not there: a name that nothing has.

Non-goal: words of the language that stand in the wrong place, which their readers report."""

from __future__ import annotations

from specc.errors import Span
from specc.semantics.entities import POISON, Entity
from specc.semantics.foreign_names import ELSEWHERE, TRUTH, near, other_name
from specc.semantics.graph import Graph
from specc.syntax import ast
from specc.syntax.written import written


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


def unknown(graph: Graph, name: str, span: Span, translation: str | None = None) -> Entity:
    """An E0201 for a name that nothing has, with the closest that something has.

    ``translation`` is what stands at ``span`` under names of this language, if another has it."""
    known = graph.catalogue
    if any(name in table for table in (known.layers, known.functions, known.losses, graph.modules)):
        return graph.error(
            "E0202",
            f"`{name}` is not a value: it wants something to work on",
            span,
            f"feed it with a pipe: `x -> {name}`",
        )
    if not graph.library.complete and name[:1].isupper():
        return POISON  # the file that has it may be the one that was reported
    offer = known.offered(name)
    if offer is not None:
        return graph.error("E0724", not_named(name), span, offer)
    close = near(name, [*graph.env, *known.names(), *graph.modules])
    if name in TRUTH:
        advice = f"write `{TRUTH[name]}`"
    elif translation is not None:
        advice = f"write `{translation}`"
    elif name in ELSEWHERE:
        advice = ELSEWHERE[name]
    elif (position := _position(graph, name)) is not None:
        advice = position
    elif (other := other_name(name)) is not None:
        advice = f"did you mean `{other}`?"
    elif close is not None:
        advice = f"did you mean `{close}`?"
    elif name[:1].isupper():
        advice = "specc knows torch's layers by torch's names"
    else:
        advice = "names are made by `input`, `name = ...` and `layer name = ...`"
    return graph.error("E0201", f"there is nothing called `{name}` here", span, advice)
