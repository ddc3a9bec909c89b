"""Layers that a param chooses: ``act: type[nn.Module] = nn.ReLU``, and ``act()`` where one is made.

A choice with settings of its own is a ``partial``. A block is no argument: which class it is of is
decided where it is used, so that a class is made for each. Non-goal: every other layer, which
``constructors`` makes."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from specc import ir
from specc.catalog.rows import LayerRow
from specc.emit.writing.expressions import Naming, dotted, of_operand, of_static

# The arguments of a call in order: by place, and by name.
Listed: TypeAlias = tuple[tuple[ir.Operand, ...], tuple[tuple[str, ir.Operand], ...]]


def is_hidden(values: Iterable[ir.Static]) -> bool:
    """Whether a param of these values is none of the constructor's: some of them is a block, or
    made of other layers."""
    return any(
        isinstance(value, ir.LayerChoice) and (value.row is None or bool(value.row.made))
        for value in values
    )


def annotation(values: Iterable[ir.Static]) -> str:
    """How a constructor's argument of these values is annotated."""
    plain = all(isinstance(value, ir.LayerChoice) and not value.arguments for value in values)
    return "type[nn.Module]" if plain else "Callable[..., nn.Module]"


def remaining(layer: ir.Layer) -> Listed:
    """What a layer that a param chose is given where it is made: what the shapes tell, and what the
    stage says; what the choice brings is in it."""
    assert layer.row is not None and layer.choice is not None
    own = {name for name, _ in layer.choice.arguments}
    given = {name: value for name, value in layer.arguments if name not in own}
    ahead = _ahead(layer.row, own)
    by_place: list[ir.Operand] = []
    by_name: list[tuple[str, ir.Operand]] = []
    in_order = True
    for argument in layer.row.arguments:
        if argument.name in ahead:
            continue
        if argument.name not in given:
            in_order = False
        elif in_order and (argument.required or argument.inferred) and not argument.keyword_only:
            by_place.append(given[argument.name])
        else:
            in_order = False
            by_name.append((argument.name, given[argument.name]))
    return tuple(by_place), tuple(by_name)


def _ahead(row: LayerRow, own: set[str | None]) -> set[str]:
    """The settings of a choice that a ``partial`` passes by place: those before all that a shape
    tells."""
    found: set[str] = set()
    for argument in row.arguments:
        if argument.name not in own or argument.keyword_only or not argument.required:
            break
        found.add(argument.name)
    return found


def with_remaining(layer: ir.Layer, listed: Listed) -> ir.Arguments:
    """The arguments of ``layer`` with ``listed`` in the place of what ``remaining`` gave."""
    assert layer.choice is not None
    by_place, by_name = remaining(layer)
    own = {name for name, _ in layer.choice.arguments}
    order = [name for name, _ in layer.arguments if name not in own]
    said = [name for name, _ in by_name]
    names = [name for name in order if name not in said]
    found = dict(zip(names, listed[0], strict=True)) | dict(listed[1])
    assert len(by_place) == len(names)
    return tuple((name, found.get(name, value)) for name, value in layer.arguments)


def made(layer: ir.Layer, naming: Naming) -> ast.expr:
    """``norm(channels)``, where ``norm`` is what the param is called."""
    assert layer.choice is not None
    by_place, by_name = remaining(layer)
    return ast.Call(
        naming.param(layer.choice.param),
        [of_operand(value, naming) for value in by_place],
        [ast.keyword(name, of_operand(value, naming)) for name, value in by_name],
    )


def written(choice: ir.LayerChoice, naming: Naming | None = None) -> ast.expr:
    """``nn.ReLU``, ``partial(nn.GroupNorm, 8)``; by its param's name where ``naming`` has it."""
    if choice.param and naming is not None:
        return naming.param(choice.param)
    assert choice.row is not None, "a block is no argument"
    layer = dotted(choice.row.torch)
    if not choice.arguments:
        return layer
    named = _named(choice.row, choice.arguments)
    ahead = _ahead(choice.row, set(named))
    say = naming or _LITERALS
    by_place = [of_static(named[name], say) for name in named if name in ahead]
    by_name = [ast.keyword(n, of_static(v, say)) for n, v in named.items() if n not in ahead]
    return ast.Call(ast.Name("partial"), [layer, *by_place], by_name)


def _named(
    row: LayerRow, arguments: Sequence[tuple[str | None, ir.Static]]
) -> Mapping[str, ir.Static]:
    """The settings in the row's order."""
    order = [a.name for a in row.arguments if not a.inferred and not a.keyword_only]
    places = next((p for p in row.positional if len(p) >= len(arguments)), tuple(order))
    names = iter(places)
    found = {name if name is not None else next(names): value for name, value in arguments}
    return {a.name: found[a.name] for a in row.arguments if a.name in found}


def _nothing(*_: object) -> ast.expr:
    raise AssertionError("a literal speaks of nothing")


_LITERALS = Naming(
    value=_nothing, param=_nothing, size=_nothing, device=_nothing, precision=_nothing,
    layer=_nothing, sequence=_nothing,
)  # fmt: skip
