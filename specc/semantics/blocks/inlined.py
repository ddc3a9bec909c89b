"""Blocks in ``train``: ``FocalLoss(logits, label, gamma=2.0)``, read where it is called.

A block that computes without layers and states of its own is a function of what it is fed. Its
statements stand in the loss that calls it, on the caller's values and in the caller's sizes, as its
author would have written them there; so whatever is known of those values is known inside.
Non-goal: blocks of a model, which are layers (``blocks``)."""

from __future__ import annotations

from dataclasses import replace

from specc import ir
from specc.catalog.std import SHOWN
from specc.errors import Span
from specc.semantics.blocks.block_params import BoundParams, bind_params
from specc.semantics.blocks.blocks import (
    bind_inputs,
    block_scope,
    collector_of,
    state_inner,
    told_use,
)
from specc.semantics.compile_time.entities import (
    POISON,
    Entity,
    Items,
    from_static,
    is_poisoned,
    is_static,
)
from specc.semantics.compile_time.library import (
    DEEPEST,
    MOST_WORK,
    WORK_OF_A_BLOCK,
    Definition,
    Key,
    too_much_work,
)
from specc.semantics.naming.bind import Given
from specc.semantics.naming.graph import Elaborate, Graph, Hint
from specc.syntax.tree import ast
from specc.syntax.tree.written import written


def is_inlined(graph: Graph, name: str) -> bool:
    """Whether a call of ``name`` here is that of a block in ``train``."""
    definition = graph.modules.get(name)
    return graph.kind == "train" and definition is not None and definition.kind == "block"


def inline(
    graph: Graph, name: str, inputs: list[Entity], given: list[Given], span: Span, hint: Hint,
    elaborate: Elaborate,
) -> Entity:  # fmt: skip
    """What the block called ``name`` computes of ``inputs``, and of those tensors among ``given``
    that have no name; the rest of ``given`` are its params. Reports E0204 where it would have
    something of its own."""
    library = graph.library
    library.work += WORK_OF_A_BLOCK
    if library.work > MOST_WORK:
        raise too_much_work(span)
    library.used.add(name)
    library.read.add(name)
    if any(is_poisoned(item) for item in (*inputs, *(item.value for item in given))):
        return POISON
    fed = [item for item in given if item.name is None and not is_static(item.value)]
    inputs = [*inputs, *(item.value for item in fed)]
    settings = [item for item in given if item not in fed]
    named = next((item for item in settings if not is_static(item.value)), None)
    definition = library.definitions[name]
    declared = {item.name for item in definition.tree.body if isinstance(item, ast.Input)}
    if named is not None and named.name in declared:
        return graph.error(
            "E0208", f"`{name}` takes what it is fed by place", named.span,
            f"leave `{named.name}=` out, in the order of its inputs",
        )  # fmt: skip
    # `Loss(2.0)(y, t)` has them ahead, as a layer that is made and fed has.
    behind = [item for item in settings if fed and item.span.start > fed[0].span.start]
    bare = next((item for item in behind if item.name is None), None)
    if bare is not None:
        params = [parameter.name for parameter in definition.tree.parameters]
        given_names = {item.name for item in settings}
        free = [param for param in params if param not in given_names]
        shown = written(bare.node) if bare.node is not None else "..."
        return graph.error(
            "E0208", f"`{name}` is fed tensors by place here, and its params are said by name",
            bare.span, f"write `{free[0]}={shown}`" if free else None,
        )  # fmt: skip
    header = bind_params(graph, definition, settings, span, elaborate)
    if header is None:
        return POISON
    outer = block_scope(graph, definition, header, span)
    if bind_inputs(graph, outer, definition, inputs, header, span, elaborate) is None:
        return POISON
    trail = (told_use(definition, header, span), *graph.trail)
    for condition in outer.conditions:
        state_inner(graph, condition, header.meaning, span)
    key: Key = (
        name,
        tuple(param.value for param in header.params),
        tuple(header.meaning.get(dimension) for dimension in outer.dimensions),
        tuple(repr(param.value) for param in header.params),
    )
    if key in library.active or len(library.active) >= DEEPEST:
        return graph.error(
            "E0236", f"`{name}` uses itself without end", span,
            "let a param decrease from use to use, and end with `if depth > 0 { ... }`",
        )  # fmt: skip
    library.active.append(key)
    try:
        return _read(graph, outer, definition, header, inputs, trail, span, hint, elaborate)
    finally:
        library.active.pop()


def _read(
    graph: Graph, outer: Graph, definition: Definition, header: BoundParams, inputs: list[Entity],
    trail: tuple[str, ...], span: Span, hint: Hint, elaborate: Elaborate,
) -> Entity:  # fmt: skip
    """The body on the caller's values; ``outer`` is the block's scope in its own terms."""
    tree = definition.tree
    given = dict(header.given)
    env: dict[str, Entity] = dict(definition.env)
    for param in header.params:
        env[param.name] = given.get(param.name, from_static(param.value))
    env.update({name: header.meaning[name] for name in outer.dimensions})
    declared = [statement for statement in tree.body if isinstance(statement, ast.Input)]
    env.update({item.name: value for item, value in zip(declared, inputs, strict=True)})
    inner = Graph(
        kind="train", collector=collector_of(graph, trail),
        params={**graph.params, **definition.params}, env=env, library=graph.library,
        unread=definition.unread, nodes=graph.nodes, equal=graph.equal, filled=graph.filled,
        variables=graph.variables, meanings=graph.meanings,
    )  # fmt: skip
    results: list[Entity] = []
    count = len(graph.nodes)
    for statement in tree.body:
        match statement:
            case ast.Input():
                continue
            case ast.Output():
                alone = len(statement.values) == 1 and not results
                results += [
                    elaborate(inner, value, hint if alone else None) for value in statement.values
                ]
            case ast.Assign() | ast.For() | ast.If():
                graph.library.run(inner, (statement,))
            case _:
                word = type(statement).__name__.lower()
                if isinstance(statement, ast.LayerDeclaration | ast.State):
                    inner.env[statement.name] = POISON
                    word = statement.kind if isinstance(statement, ast.State) else "layer"
                inner.error(
                    "E0204",
                    f"`{tree.name}` has its own {word}, and in `train` a block computes alone",
                    statement.span,
                    f"use `{tree.name}` in a model, and put out what it gives",
                )
    for node in ir.flat_nodes(graph.nodes[count:]):
        graph.library.trails.setdefault(id(node), trail)
        if tree.name_span.file.startswith(SHOWN) and not span.file.startswith(SHOWN):
            graph.library.calls.setdefault(id(node), span)
    graph.conditions += [
        replace(condition, uses=(*condition.uses, span)) for condition in inner.conditions
    ]
    graph.fixed.update(inner.fixed)
    if not results and not definition.unread:
        inner.error(
            "E0221", f"{tree.name} has no output", tree.name_span, "end it with `output ...`"
        )
    if not results or definition.unread:
        return POISON
    missing = next((item for item in results if is_static(item)), results[0])
    if is_static(missing):
        return inner.error("E0233", "an output is a tensor; this is a number", tree.name_span)
    return results[0] if len(results) == 1 else Items(tuple(results))


__all__ = ["inline", "is_inlined"]
