"""What an unknown name was probably meant to be: by the tables of other frameworks first, then by
its spelling, among the names that can stand where it does.

Non-goals: the tables (``catalog.advice.elsewhere``), the rule of nearness
(``specc.suggestions``)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Final, Literal, Protocol, TypeAlias

from specc.catalog import (
    CLIPS,
    CONSTRAINTS,
    FUNCTIONS,
    INITS,
    LAYERS,
    LOSSES,
    METRICS,
    OPTIMIZERS,
    REGULARIZERS,
    SCHEDULERS,
    WRAPPERS,
)
from specc.catalog.advice.elsewhere import (
    ARGUMENT_NAMES,
    FUNCTION_NAMES,
    LAYER_NAMES,
    LOSS_NAMES,
    NEEDLESS_ARGUMENTS,
    OF_BETAS,
    OPERATORS,
    WORD_NAMES,
)
from specc.catalog.catalogue import Catalogue
from specc.catalog.rows import LayerRow, Row
from specc.semantics.compile_time.entities import Entity, LayerHandle
from specc.suggestions import did_you_mean, listed, meant, nearest

# Where a name stands: as a value, as what is called with values, as what is made and then fed, as
# a stage of a pipe.
Place: TypeAlias = Literal["value", "call", "made", "stage"]


# What is no layer, function or value, and the statement that it stands in.
_STATEMENTS: Final[Mapping[str, tuple[Mapping[str, Row], str]]] = {
    "loss": (LOSSES, "`loss = {}(...)` in `train`"),
    "metric": (METRICS, "`metric {}(...)` in `train`"),
    "optimizer": (OPTIMIZERS, "`optimizer {}(...)` in `train`"),
    "scheduler": (SCHEDULERS, "`scheduler {}(...) per epoch` in `train`"),
    "regularizer": (REGULARIZERS, "`regularize {}(...) on *.weight` in `train`"),
    "constraint": (CONSTRAINTS, "`constrain {}(...) on *.weight` in `train`"),
    "clip": (CLIPS, "`clip {}(...)` in `train`"),
    "initialiser": (INITS, "`init {} on *.weight` in a model"),
    "parametrization": (WRAPPERS, "`Linear(8) with {}` where the layer stands"),
}  # fmt: skip
# Of a file with more unknown names, the others' messages say what there is.
_MOST_SOUGHT: Final = 300


def in_catalogue(name: str) -> bool:
    """Whether some table of the catalogue has ``name``."""
    tables = (FUNCTIONS, LAYERS, LOSSES, METRICS, OPTIMIZERS, SCHEDULERS, INITS)
    return any(name in table for table in tables)


def other_name(name: str, rank: int | None = None) -> str | None:
    """What the catalogue calls the ``name`` of another framework; ``rank`` is of what is fed."""
    for table in (LAYER_NAMES, FUNCTION_NAMES, LOSS_NAMES):
        found = table.get(name)
        if found is None:
            continue
        # [N, C] and [N, C, T] are both of one spatial dimension to torch's norms.
        found = found.format(max(rank - 2, 1) if rank is not None else 2)
        if in_catalogue(found) or found in OPERATORS:
            return found
    return None


class Sought(Protocol):
    """Where it is counted how many names were looked for."""

    sought: int


class NamesInScope(Protocol):
    """The names that can be said at a place (``graph.Graph``)."""

    @property
    def kind(self) -> str: ...
    @property
    def env(self) -> Mapping[str, Entity]: ...
    @property
    def modules(self) -> Iterable[str]: ...
    @property
    def catalogue(self) -> Catalogue: ...
    @property
    def library(self) -> Sought: ...


def candidates(graph: NamesInScope, place: Place) -> Iterator[str]:
    """The names that can stand at ``place``: a function is no value, a value calls nothing."""
    catalogue, training = graph.catalogue, graph.kind == "train"
    for name, entity in graph.env.items():
        if isinstance(entity, LayerHandle) == (place != "value"):
            yield name
    if place == "value":
        return
    if place in ("made", "stage") and not training:
        yield from catalogue.layers
    if place in ("made", "stage") or training:
        yield from graph.modules
    if place in ("call", "stage"):
        yield from catalogue.functions
        if training:
            yield from catalogue.losses


def near(graph: NamesInScope, name: str, place: Place) -> str | None:
    """The name that ``name`` is a slip of, among those that can stand at ``place``; of a layer and
    a function of one name, the one that is written as ``name`` is."""
    graph.library.sought += 1
    if graph.library.sought > _MOST_SOUGHT:
        return None
    capital = name[:1].isupper()
    known = sorted(candidates(graph, place), key=lambda each: each[:1].isupper() != capital)
    return nearest(name, known)


def meant_argument(row: Row, name: str) -> str | None:
    """The argument of ``row`` that ``name`` was probably meant to be."""
    for candidate in ARGUMENT_NAMES.get(name, ()):
        if candidate in row.by_name:
            return candidate
    close = nearest(name, (argument.name for argument in row.arguments))
    other = nearest(name, ARGUMENT_NAMES) if close is None else None
    for candidate in ARGUMENT_NAMES[other] if other is not None else ():
        if candidate in row.by_name:
            return candidate
    return close


def meant_param(name: str, params: Collection[str]) -> str | None:
    """The one of a block's ``params`` that an argument called ``name`` was probably meant for: a
    slip of it, or another word for the same."""
    close = nearest(name, params)
    if close is not None:
        return close
    own = {name, *ARGUMENT_NAMES.get(name, ())}
    alike = [each for each in params if not own.isdisjoint((each, *ARGUMENT_NAMES.get(each, ())))]
    return alike[0] if len(alike) == 1 else None


def meant_word(word: str, choices: Sequence[str]) -> str:
    """The help of a message on ``word``, which is none of ``choices``."""
    known = WORD_NAMES.get(word)
    if word in choices or known in choices:
        return meant(word if word in choices else known or word)
    return did_you_mean(word, choices, listed(choices)) or ""


def is_choice(name: str, *, alone: bool = True) -> bool:
    """Whether ``name`` is a string that some argument takes; ``alone``, and nothing of the
    catalogue."""
    return name in _choices() and not (alone and in_catalogue(name))


@cache
def _choices() -> frozenset[str]:
    tables = (LAYERS, FUNCTIONS, LOSSES, INITS, OPTIMIZERS, SCHEDULERS)
    rows = (row for table in tables for row in table.values())
    return frozenset(text for row in rows for texts in row.choices.values() for text in texts)


def of_another_kind(name: str, what: str = "") -> str | None:
    """What ``name`` is, where it is in the catalogue and no ``what``, and how it is said."""
    for kind, (table, form) in _STATEMENTS.items():
        if kind != what and name in table:
            an = "an" if kind[0] in "aeio" else "a"
            return f"it is {an} {kind}: write {form.format(name)}"
    return None


def argument_advice(row: Row, name: str, form: str) -> str:
    """What to write instead of the argument ``name``, which ``row`` does not have."""
    if name in OF_BETAS and "betas" in row.by_name:
        return "give both in one: `betas=(0.9, 0.999)`"
    close = meant_argument(row, name)
    if close is not None:
        return meant(close)
    advice = NEEDLESS_ARGUMENTS.get(name)
    if advice is not None:
        return advice
    if isinstance(row, LayerRow) and any(each.name == name for each in row.forward_arguments):
        fed = ", ".join(each.rstrip("?") for each in row.inputs if not each.endswith("?"))
        return (
            f"it is given where the layer is called: `layer made = {row.name}(...)`, then"
            f" `made({fed}, {name}=...)`"
        )
    if name == "activation":
        return f"it is a stage of its own: `x -> {row.name}(...) -> ReLU`"
    if name in ("input_shape", "input_dim", "input_size", "in_dim"):
        return "leave it out: the incoming value tells it"
    if name == "name":
        return f"a label names a layer: `x -> name: {row.name}(...)`"
    if name in ("device", "inplace", "dtype"):
        return "leave it out: the run chooses it" if name != "inplace" else "leave it out"
    if name == "params":
        return "leave it out: `on` selects parameters, as in `on Net`"
    return f"its form is {form}"
