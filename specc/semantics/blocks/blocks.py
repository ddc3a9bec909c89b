"""Blocks put to use: arguments and sizes bound, the body read, its results in the caller's terms.

A block is read in its own terms: its params and its inputs' shape names are symbols, whose values
are known as far as the caller knows them. The same values give the same instance, read once.
Non-goal: what a body says, which ``models`` reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from specc import ir
from specc.errors import Span
from specc.ir.relations import never_zero
from specc.semantics.blocks.block_lists import bind_list, flat_hint, listed
from specc.semantics.blocks.block_params import BoundParams, bind_params
from specc.semantics.blocks.kept_sizes import with_kept
from specc.semantics.compile_time.entities import (
    POISON,
    Entity,
    describe,
    flat,
    from_result,
    is_poisoned,
    is_tensors,
    to_operand,
)
from specc.semantics.compile_time.layers_made import keeps_something
from specc.semantics.compile_time.library import (
    DEEPEST,
    MOST_LAYERS,
    MOST_WORK,
    WORK_OF_A_BLOCK,
    Definition,
    Instance,
    Key,
    too_much_work,
)
from specc.semantics.compile_time.param_values import in_scope
from specc.semantics.compile_time.reports import BlockCollector
from specc.semantics.compile_time.substitution import condition_outside, type_outside
from specc.semantics.naming.bind import Given
from specc.semantics.naming.graph import Elaborate, Graph, Hint, Library
from specc.sizes import Poly, Size, evaluate
from specc.syntax.tree import ast
from specc.syntax.tree.written import written


@dataclass(slots=True)
class BlockUse:
    """One use of a block: what it was made into, and what its names stand for in the caller."""

    module: ir.Module
    count: int
    arguments: ir.Arguments
    sizes: tuple[tuple[str, Size], ...]
    meaning: dict[str, Size]


def apply_block(
    graph: Graph, name: str, given: list[Given], inputs: list[Entity], label: str | None,
    span: Span, hint: Hint, elaborate: Elaborate,
) -> Entity:  # fmt: skip
    """A new instance of the block called ``name``, fed with ``inputs``."""
    graph.library.work += WORK_OF_A_BLOCK
    if graph.library.work > MOST_WORK:
        raise too_much_work(span)
    path = graph.place(label, span.start)
    use = instantiate(graph, name, given, inputs, span, elaborate)
    if use is None:
        return POISON
    make_block(graph, path, name, use, span)
    return call_block(graph, path, use, inputs, span, hint)


def make_block(graph: Graph, path: str, name: str, use: BlockUse, span: Span) -> None:
    """The layer that a use of a block is."""
    layer = ir.Layer(
        name=path, type=name, arguments=use.arguments, parameters=(), buffers=(), initial=(),
        span=span, module=use.module, sizes=use.sizes, values=graph.params,
    )  # fmt: skip
    graph.layers[path] = layer
    graph.size += use.count - 1
    graph.nodes.append(ir.Make(layer, span))


def call_block(
    graph: Graph, path: str, use: BlockUse, inputs: list[Entity], span: Span, hint: Hint
) -> Entity:
    """The block at ``path`` called with ``inputs``: its results and conditions, said here."""
    for condition in use.module.conditions:
        state_inner(graph, condition, use.meaning, span)
    types = tuple(type_outside(output.value.type, use.meaning) for output in use.module.outputs)
    if not types:
        return POISON
    kept: tuple[ir.Thread, ...] = ()
    if graph.threads.reading:
        types, kept = with_kept(graph, use.module, types, span)
    lists = use.module.lists
    said = flat_hint(lists, hint) if any(lists) else hint
    result = graph.result(types[0] if len(types) == 1 else types, span, said)
    operands = tuple(to_operand(item) for item in flat(inputs))
    graph.nodes.append(ir.LayerCall(path, operands, result, span, kept=kept))
    return listed(result, lists) if any(lists) else from_result(result)


def state_inner(
    graph: Graph, condition: ir.Condition, meaning: dict[str, Size], span: Span
) -> None:
    """A condition of a block on the caller's sizes: kept, or decided."""
    try:
        inner = condition_outside(condition, meaning)
    except ZeroDivisionError:
        graph.error("E0303", f"{condition} divides by zero here", span)
        return
    inner = replace(inner, stated=False, uses=(*inner.uses, span))
    holds = inner.holds(graph.deciding)
    if holds is None:
        open_ = graph.decided(inner.left) - graph.decided(inner.right)
        if inner.relation == "==" and never_zero(open_):
            holds = False
        elif open_ != 0 or inner.relation in ("!=", "<", ">"):
            graph.conditions.append(inner)
    if holds is False:
        graph.error(
            "E0242",
            f"the block needs {condition}, and here that would be {inner}",
            span,
            "feed it another size, or change what asks for it",
            (f"{condition.reason} ({condition.span.file}:{condition.span.line})",),
        )


def instantiate(
    graph: Graph, name: str, given: list[Given], inputs: list[Entity], span: Span,
    elaborate: Elaborate, fed: Span | None = None,
) -> BlockUse | None:  # fmt: skip
    """What the block called ``name`` is with these arguments, on these inputs; None where something
    was reported. ``fed`` is where the inputs come, if that is not where the arguments stand."""
    fed = fed or span
    library = graph.library
    definition = library.definitions[name]
    library.used.add(name)
    if definition.kind == "model" and name not in library.ready:
        graph.error(
            "E0241",
            f"`{name}` is used before it is declared",
            span,
            f"move `model {name}` above its first use",
        )
        return None
    header = bind_params(graph, definition, given, span, elaborate)
    if header is None or any(is_poisoned(item) for item in inputs):
        return None
    local = block_scope(graph, definition, header, fed)
    values = bind_inputs(graph, local, definition, inputs, header, fed, elaborate)
    if values is None:
        return None
    dimensions = tuple(local.dimensions)
    assert isinstance(local.collector, BlockCollector)
    local.collector.trail = (told_use(definition, header, fed), *graph.trail)
    key: Key = (
        name,
        tuple(param.value for param in header.params),
        tuple(local.params.get(dimension) for dimension in dimensions),
        # 1, 1.0 and True are equal, and are not the same param.
        tuple(repr(param.value) for param in header.params),
    )
    instance = library.instances.get(key)
    if instance is None:
        instance = _read(local, definition, key, header, values, span)
        if instance is None:
            return None
        library.instances[key] = instance
    if instance.module is None:
        library.reported.again += 1
        return None
    if instance.module.weights is not None and graph.kind == "model":
        graph.error(
            "E0204",
            f"`{name}` starts from a checkpoint, and inside another model it would not",
            span,
            "say `weights` in the model that holds it, of a checkpoint with its names",
        )
        return None
    if graph.size + instance.count > MOST_LAYERS:
        too_many(graph, span)
        return None
    return BlockUse(
        instance.module,
        instance.count,
        tuple((name, to_operand(value)) for name, value in header.given),
        tuple((dimension, header.meaning[dimension]) for dimension in dimensions),
        header.meaning,
    )


def too_many(graph: Graph, span: Span) -> Entity:
    """An E0245 at what makes the layers of this model or block more than there may be."""
    return graph.error(
        "E0245",
        f"with this there are more than {MOST_LAYERS:,} layers",
        span,
        "make the counts of `repeat` and `for` smaller, or nest less",
    )


# ── inputs ───────────────────────────────────────────────────────────────────────────────────────


def block_scope(graph: Graph, definition: Definition, header: BoundParams, span: Span) -> Graph:
    """The block's own scope, with its params in it."""
    env = dict(definition.env)
    params = dict(definition.params)
    for param in header.params:
        env[param.name] = in_scope(param.name, param.value)
        if isinstance(param.value, int) and not isinstance(param.value, bool):
            params[param.name] = param.value
    trail = (told_use(definition, header, span), *graph.trail)
    return Graph(
        kind="model", collector=collector_of(graph, trail), params=params, env=env,
        library=graph.library, unread=definition.unread,
    )  # fmt: skip


def collector_of(graph: Graph, trail: tuple[str, ...]) -> BlockCollector:
    """Where the reading of a block that ``graph`` uses reports to."""
    return BlockCollector(outer=graph.collector, reported=graph.library.reported, trail=trail)


def bind_inputs(
    graph: Graph, local: Graph, definition: Definition, inputs: list[Entity], header: BoundParams,
    span: Span, elaborate: Elaborate,
) -> tuple[ir.Value, ...] | None:  # fmt: skip
    """The block's inputs in its own terms, their names bound to the sizes of what is fed; None
    where something was reported."""
    tree = definition.tree
    declared = [statement for statement in tree.body if isinstance(statement, ast.Input)]
    if not declared and not definition.unread and not keeps_something(tree, local.is_layer):
        no_input(local, tree)
        return None
    if len(declared) != len(inputs):
        wanted = " and ".join(f"`{statement.name}`" for statement in declared) or "nothing"
        graph.error("E0224", f"{tree.name} takes {wanted}; {len(inputs)} values are given", span)
        return None
    values: list[ir.Value] = []
    for statement, given in zip(declared, inputs, strict=True):
        if statement.iterable is not None:
            items = bind_list(
                graph, local, tree.name, statement, given, header, span, elaborate, _fits
            )
            if items is None:
                return None
            values += items
            continue
        if not isinstance(given, ir.Value):
            graph.error(
                "E0224", f"{tree.name} takes a tensor, not {describe(given)}", span,
                "an input that is a list says so:"
                f" `input {statement.name}: [{written(statement.type)} for k in range(2)]`"
                if is_tensors(given) else None,
            )  # fmt: skip
            return None
        value = graph.library.declare_input(local, statement)
        if value is None:
            return None
        if not _fits(graph, local, tree.name, value, given, header, span):
            return None
        values.append(value)
    return tuple(values)


def no_input(graph: Graph, tree: ast.Module) -> None:
    """An E0222 for a model or block that is fed nothing and keeps nothing."""
    graph.error(
        "E0222", f"{tree.name} has no input, and no parameter or buffer: it would give a constant",
        tree.name_span, "write `input x: float[N, 3]`",
    )  # fmt: skip


def _fits(
    graph: Graph, local: Graph, name: str, declared: ir.Value, given: ir.Value, header: BoundParams,
    span: Span,
) -> bool:  # fmt: skip
    """Binds the names of ``declared``'s shape to the sizes of ``given``; whether the rest
    agrees."""
    wanted, came = declared.type, given.type
    said = f"`{declared.name}` of {name} is {wanted}, and {came} comes in"
    same_kind = (
        wanted.dtype == came.dtype
        or (wanted.dtype == "float" and came.floating)
        or (wanted.dtype == "complex" and came.is_complex)
    )
    if not same_kind or (wanted.meaning == "index" and came.meaning != "index"):
        graph.error("E0242", said, span, "feed it a value of the type that it says")
        return False
    if len(wanted.shape) != len(came.shape):
        graph.error(
            "E0242", f"{said}: {len(wanted.shape)} dimensions are wanted", span,
            "reshape the value, or change what the block's input says",
        )  # fmt: skip
        return False
    pairs = list(zip(wanted.shape, came.shape, strict=True))
    if wanted.classes is not None and came.classes is not None:
        fewer = came.at_most and _no_more(graph, wanted.classes, came.classes, local, header)
        if not fewer:
            pairs.append((wanted.classes, came.classes))
    for size, actual in pairs:
        symbol = str(size)
        if isinstance(size, Poly) and symbol in local.dimensions and symbol not in header.meaning:
            header.meaning[symbol] = actual
            known = evaluate(actual, graph.params)
            if isinstance(known, int):
                local.params[symbol] = known
            continue
        expected = evaluate(size, header.meaning)
        difference = graph.decided(expected) - graph.decided(actual)
        if never_zero(difference):
            graph.error(
                "E0242", f"{said}: {actual} where {expected} is wanted", span,
                "reshape the value, or change what the block's input says",
            )  # fmt: skip
            return False
        if difference != 0:
            reason = f"{name} wants `{declared.name}` to be {wanted}"
            graph.conditions.append(ir.Condition(expected, "==", actual, reason, span))
    return True


def _no_more(graph: Graph, wanted: Size, came: Size, local: Graph, header: BoundParams) -> bool:
    """Whether a computed bound is known to stay within what an input wants: no name of the block
    that it would bind."""
    if isinstance(wanted, Poly) and str(wanted) in local.dimensions:
        if str(wanted) not in header.meaning:
            return False
    room = evaluate(evaluate(wanted, header.meaning) - came, graph.params)
    return isinstance(room, int) and room >= 0


# ── the body ─────────────────────────────────────────────────────────────────────────────────────


def _read(
    local: Graph, definition: Definition, key: Key, header: BoundParams,
    values: tuple[ir.Value, ...], span: Span,
) -> Instance | None:  # fmt: skip
    library = local.library
    name = definition.tree.name
    if key in library.active or (len(library.active) >= DEEPEST and _goes_on(library, key)):
        local.error(
            "E0236",
            f"`{name}` uses itself without end",
            span,
            "let a param decrease from use to use, and end with `if depth > 0 { ... }`",
        )
        return None
    if len(library.active) >= DEEPEST:
        local.error(
            "E0237",
            f"blocks are nested more than {DEEPEST} deep here",
            span,
            "nest less; what comes one after the other is `repeat` or `for`",
        )
        return None
    library.active.append(key)
    library.read.add(name)
    errors = local.faults
    try:
        module = library.build(local, definition.tree, tuple(header.params), values)
    finally:
        library.active.pop()
    faulty = local.faults > errors
    count = 1 + sum(
        1 if layer.module is None else library.counts[id(layer.module)] for layer in module.layers
    )
    library.counts[id(module)] = count
    return Instance(None if faulty or local.unread else module, count)


def read_unfed(scope: Graph) -> None:
    """Reports what can still be told of the blocks that no use was right enough to read: every
    name, stage and setting in them, where nothing is known of their params and inputs."""
    library = scope.library
    while pending := [
        name
        for name, definition in library.definitions.items()
        if definition.kind == "block" and name in library.used and name not in library.read
    ]:
        for name in pending:
            definition = library.definitions[name]
            local = Graph(
                kind="model", collector=collector_of(scope, ()), params=dict(definition.params),
                env={**definition.env, **dict.fromkeys(told_by_use(definition.tree), POISON)},
                library=library, unread=definition.unread,
            )  # fmt: skip
            library.read.add(name)
            library.build(local, definition.tree, (), ())


def told_by_use(tree: ast.Module) -> Iterator[str]:
    """The names whose meaning comes from outside: params, inputs, the sizes of those."""
    yield from (parameter.name for parameter in tree.parameters)
    for statement in tree.body:
        if isinstance(statement, ast.Input):
            yield statement.name
            sizes = statement.type.sizes or ()
            yield from (size.name for size in sizes if isinstance(size, ast.Name))


def _shown(value: ir.Static) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def told_use(definition: Definition, header: BoundParams, span: Span) -> str:
    """``Stage(depth=2) is used at resnet.spec:30, where C is 64``."""
    params = ", ".join(f"{param.name}={_shown(param.value)}" for param in header.params)
    name = f"{definition.tree.name}({params})" if params else definition.tree.name
    own = {param.name for param in header.params}
    sizes = ", ".join(f"{size} is {of}" for size, of in header.meaning.items()
                      if size not in own and size != str(of))  # fmt: skip
    return f"{name} is used at {span.file}:{span.line}" + (f", where {sizes}" if sizes else "")


def _goes_on(library: Library, key: Key) -> bool:
    """Whether a block that is inside itself comes no closer to an end: none of its params is a
    number that sinks towards zero from use to use."""
    uses = [(*active[1], *active[2]) for active in library.active if active[0] == key[0]]
    if not uses:
        return False
    pairs = zip(uses[-1], (*key[1], *key[2]), strict=True)
    return not any(
        isinstance(before, int) and isinstance(now, int) and before > now >= 0
        for before, now in pairs
    )
