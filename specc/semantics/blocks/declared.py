"""Layers declared by ``layer name = ...`` and used by name, as often as the spec likes.

A declaration is noted where it stands; the layer is made when it is first fed, because what it is
fed tells its sizes. Non-goal: layers made inside a pipe, which are ``pipes``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from specc import ir
from specc.errors import Span
from specc.semantics.blocks.blocks import call_block, instantiate, make_block
from specc.semantics.calls.calls import apply_layer, fed_with, given_arguments, head, make_layer
from specc.semantics.calls.layer_choices import chosen
from specc.semantics.calls.masks import unnamed_mask
from specc.semantics.calls.parametrizations import read_wrappers
from specc.semantics.compile_time.entities import (
    POISON,
    Entity,
    Items,
    LayerHandle,
    Poison,
    is_poisoned,
)
from specc.semantics.compile_time.free_names import check_label
from specc.semantics.compile_time.substitution import type_outside
from specc.semantics.naming.bind import Given
from specc.semantics.naming.graph import Declaration, Elaborate, Graph, Hint
from specc.semantics.naming.missing import unknown
from specc.semantics.naming.positional import late_fault, misplaced
from specc.semantics.proposals.python_habits import is_habit, report_stage, translated_stage
from specc.syntax.tree import ast


def declare(graph: Graph, statement: ast.LayerDeclaration, elaborate: Elaborate) -> None:
    """``layer name = Type(...)``: noted now, sized and made when it is first fed."""
    name = statement.name
    place = statement.span._replace(
        start=statement.span.start + len("layer "), column=statement.span.column + len("layer ")
    )
    if not check_label(name, statement.span, graph.collector, graph.namespace.attributes):
        graph.env[name] = POISON
        return
    if not graph.free(name) or name in graph.env:
        graph.error(
            "E0206", f"there is already something called `{name}`", place, "give it another name"
        )
        return
    if graph.is_layer(name):
        graph.error(
            "E0230", f"there is a layer called `{name}`, which this would hide", place,
            "give it another name",
        )  # fmt: skip
        graph.env[name] = POISON
        return
    stage = statement.stage
    type_, arguments = head(stage.target)
    if is_habit(graph, stage.target):
        graph.env[name] = report_stage(graph, stage.target, POISON, elaborate)
        return
    if type_ is None:
        graph.env[name] = graph.error(
            "E0226",
            "`layer` declares one layer or block",
            stage.span,
            "make a row of layers a block: `block Row { input x: ... output x -> A -> B }`",
        )
        return
    if isinstance(graph.env.get(type_), Poison):
        graph.env[name] = POISON
        return
    by_param = isinstance(graph.env.get(type_), ir.LayerChoice)
    if not by_param and type_ not in graph.catalogue.layers and type_ not in graph.modules:
        graph.env[name] = (
            unknown(
                graph, type_, stage.target.span, translated_stage(graph, stage.target, None), "made"
            )
            if type_ not in graph.catalogue.functions
            else graph.error("E0202", f"`{type_}` is a function, not a layer", stage.span)
        )
        return
    path = graph.take(name)
    graph.env[name] = LayerHandle(name, path)
    given = given_arguments(graph, arguments, elaborate, type_)
    choice, type_, given = chosen(graph, type_, given, stage.span)
    graph.declared[path] = Declaration(
        type_, given, stage, graph.nodes, len(graph.nodes), path, len(graph.variables), choice
    )


def apply_handle(
    graph: Graph, handle: LayerHandle, given: list[Given], span: Span, hint: Hint,
    elaborate: Elaborate,
) -> Entity:  # fmt: skip
    """``emb(tokens)``: a declared layer applied; its first use tells its sizes."""
    declaration = graph.declared.get(handle.path)
    if declaration is None:
        return POISON
    late = misplaced(given)
    if late is not None:
        if handle.path not in graph.layers:
            del graph.declared[handle.path]  # fed, but wrongly
        return graph.error(
            "E0208", late_fault(late), late.span, "what has no name stands before what has one"
        )
    row = graph.catalogue.layers.get(declaration.target)
    named = [item for item in given if item.name is not None]
    if named and row is None:
        return graph.error(
            "E0208",
            f"`{handle.name}` was given its settings where it was declared; here it takes tensors",
            named[0].span,
        )
    if row is not None and unnamed_mask(graph, row, given):
        if handle.path not in graph.layers:
            del graph.declared[handle.path]
        return POISON
    inputs, by_name = fed_with(row, given) if row else ([item.value for item in given], [])
    if any(is_poisoned(item) for item in inputs):
        if handle.path not in graph.layers:
            del graph.declared[handle.path]  # fed, but nobody knows with what
        return POISON
    if row is not None:
        if not _made(graph, handle, declaration, inputs, elaborate):
            return POISON
        return apply_layer(graph, handle.path, inputs, span, hint, by_name)
    return _apply_block(graph, handle, declaration, inputs, span, hint, elaborate)


def _made(
    graph: Graph, handle: LayerHandle, declaration: Declaration, inputs: list[Entity],
    elaborate: Elaborate,
) -> bool:  # fmt: skip
    """Makes the declared layer when it is fed for the first time; whether it is there."""
    if handle.path in graph.layers:
        return True
    wrappers = read_wrappers(graph, declaration.stage.wrappers, elaborate)
    # All but the sizes came with the declaration; they come with this first use.
    made = wrappers is not None and make_layer(
        graph, graph.catalogue.layers[declaration.target], declaration.given,
        _outside(graph, declaration, inputs), handle.path, declaration.stage.target.span,
        wrappers=wrappers, nodes=declaration.nodes, choice=declaration.choice,
    )  # fmt: skip
    if not made:
        del graph.declared[handle.path]
        graph.env[handle.name] = POISON
        return False
    _moved(graph, declaration)
    return True


def _outside(graph: Graph, declaration: Declaration, inputs: list[Entity]) -> list[Entity]:
    """What the layer is fed first, in the terms of where it was declared: the variables of the
    loops since then mean nothing there."""
    found: list[Entity] = []
    for item in inputs:
        if isinstance(item, Items):
            item = Items(tuple(_outside(graph, declaration, [*item.items])))
        elif isinstance(item, ir.Value):
            type_ = item.type
            for meaning in reversed(graph.meanings[declaration.depth :]):
                type_ = type_outside(type_, meaning)
            item = replace(item, type=type_)
        found.append(item)
    return found


def _moved(graph: Graph, declaration: Declaration) -> None:
    """Puts what was just made, the last of the declaration's nodes, where it was declared."""
    nodes, position = declaration.nodes, declaration.position
    nodes.insert(position, nodes.pop())
    listed = list(graph.declared.values())
    for later in listed[listed.index(declaration) + 1 :]:
        if later.nodes is nodes and later.position >= position:
            later.position += 1


def _apply_block(
    graph: Graph, handle: LayerHandle, declaration: Declaration, inputs: list[Entity], span: Span,
    hint: Hint, elaborate: Elaborate,
) -> Entity:  # fmt: skip
    """A declared block fed: made the first time, and the same sizes of weights asked for after."""
    place = declaration.stage.span
    use = instantiate(graph, declaration.target, declaration.given, inputs, place, elaborate, span)
    if use is None:
        if handle.path not in graph.layers:
            del graph.declared[handle.path]  # fed, but wrongly
            graph.env[handle.name] = POISON
        return POISON
    known = graph.layers.get(handle.path)
    if known is None:
        fed = _outside(graph, declaration, inputs)
        made = instantiate(
            graph, declaration.target, declaration.given, fed, place, elaborate, span
        )
        assert made is not None, "the same sizes in other words"
        here, graph.nodes = graph.nodes, declaration.nodes
        make_block(graph, handle.path, declaration.target, made, place)
        graph.nodes = here
        _moved(graph, declaration)
    elif known.module is not use.module:
        assert known.module is not None
        if _shape_of(known.module.nodes) != _shape_of(use.module.nodes):
            return graph.error(
                "E0213",
                f"`{handle.name}` was made for what it was fed first, and what is fed here would"
                " take another side of an `if`, or another number of rounds",
                span,
                "declare a layer of its own",
            )
        first = [(name, shape) for name, _, shape in known.module.parameters()]
        second = [(name, shape) for name, _, shape in use.module.parameters()]
        if first != second:
            name, wanted, told = next(
                ((a[0], a[1], b[1]) for a, b in zip(first, second, strict=False) if a != b),
                ("its layers", "", ""),
            )
            return graph.error(
                "E0213",
                f"`{handle.name}` was made for what it was fed first: {name} is {wanted} there,"
                f" and would be {told} here",
                span,
                "declare a layer of its own",
            )
    return call_block(graph, handle.path, use, inputs, span, hint)


def _shape_of(nodes: Iterable[ir.Node]) -> list[object]:
    """What was decided when the nodes were read: sides of branches, rounds of loops, blocks
    inside."""
    found: list[object] = []
    for node in nodes:
        match node:
            case ir.Branch():
                found += [node.taken, _shape_of(node.nodes)]
            case ir.Loop():
                found += [len(node.iterations), *(_shape_of(i.nodes) for i in node.iterations)]
            case ir.Chain():
                found.append(_shape_of(node.nodes))
            case ir.Make() if node.layer.module is not None:
                found.append(_shape_of(node.layer.module.nodes))
            case _:
                continue
    return found
