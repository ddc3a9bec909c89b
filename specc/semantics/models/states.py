"""``parameter`` and ``buffer``: state that a model or a block keeps itself.

What fills it is known when the module is made: an initialiser, or an expression of sizes, params
and the buffers above. Non-goals: state of layers (``calls``), what ``init`` fills again
(``inits``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from specc import ir
from specc.catalog import INITS
from specc.catalog.rows import InitRow, RuleError
from specc.errors import Fix, Span
from specc.semantics.blocks.expressions import elaborate
from specc.semantics.calls.parametrizations import read_wrappers, wrapped_tensors
from specc.semantics.compile_time.entities import (
    POISON,
    Entity,
    describe,
    is_poisoned,
    is_static,
    to_static,
)
from specc.semantics.compile_time.free_names import check_name, owner
from specc.semantics.compile_time.layers_made import expression_sites
from specc.semantics.models.inits import InitCall, initialiser_name, read_initializer
from specc.semantics.models.state_types import (
    agreed_type,
    constant_type,
    declared_type,
    report_open,
)
from specc.semantics.naming.graph import Graph
from specc.semantics.proposals.python_forms import root
from specc.semantics.proposals.python_habits import last_name, report_state
from specc.sizes import Poly, Size, symbols
from specc.syntax.tree import ast
from specc.syntax.tree.written import written

_WHOLE: Final = frozenset(["int64", "int32", "int16", "int8", "uint8"])


def declare_state(graph: Graph, statement: ast.State, *, top: bool) -> None:
    """A parameter or buffer put in scope, as the value that the module reads; ``top`` tells that
    it stands in no braces."""
    if not _may_stand(graph, statement, top=top):
        graph.env[statement.name] = POISON
        return
    state = _state(graph, statement)
    if state is None:
        graph.env[statement.name] = POISON
        return
    graph.take(statement.name)
    graph.nodes.append(state)
    graph.kept[id(state.result)] = state
    graph.env[statement.name] = state.result


def _may_stand(graph: Graph, statement: ast.State, *, top: bool) -> bool:
    """Whether it may stand here and be called so."""
    name, kind = statement.name, statement.kind
    if graph.namespace.form != "module":
        graph.error(
            "E0204", f"a {kind} stands outside of loops: a round has no state of its own",
            statement.span,
            f"say it in a block, and feed the block in the loop: each use has its own `{name}`",
        )  # fmt: skip
        return False
    if not check_name(name, statement.name_span, graph.collector, kind):
        return False
    reason = owner(name)
    if reason is not None:
        graph.error(
            "E0207", f"a {kind} cannot be called `{name}`: {reason}", statement.name_span,
            f"call it `{name.strip('_') or kind}_{kind}`",
        )  # fmt: skip
        return False
    if not graph.free(name) or name in graph.env:
        graph.error(
            "E0206", f"there is already something called `{name}`", statement.name_span,
            "give it another name",
        )  # fmt: skip
        return False
    if kind == "parameter" and statement.persistent is not None:
        graph.error(
            "E0251", "`persistent` is of buffers: a parameter is always in the state_dict",
            statement.span, f"take it away, or write `buffer {name}`",
        )  # fmt: skip
        return False
    if statement.wrappers and (kind == "buffer" or not top):
        graph.error(
            "E0251",
            "a parametrization is of a parameter"
            + ("" if kind == "buffer" else " that is there whatever an `if` decides"),
            statement.wrappers[0].span,
            f"write `parameter {name}`" if kind == "buffer" else "move it out of the braces",
        )  # fmt: skip
        return False
    return True


def _state(graph: Graph, statement: ast.State) -> ir.State | None:
    declared = None
    if statement.type is not None:
        declared = declared_type(graph, statement, statement.type)
        if declared is None:
            return None
    if report_state(graph, statement.name, statement.value, statement.span):
        return None
    if initialiser_name(graph, statement.value) is not None:
        return _filled(graph, statement, declared)
    meant = _meant_initialiser(graph, statement.value)
    if meant is not None:
        place = statement.value.span
        graph.error(
            "E0251", f"`{statement.name}` is filled by an initialiser, or by a value", place,
            f"write `{meant}`", (), Fix(place.start, place.end, meant),
        )  # fmt: skip
        return None
    return _computed(graph, statement, declared)


def _meant_initialiser(graph: Graph, value: ast.Expression) -> str | None:
    """``zeros_`` of `zeros`, `torch.nn.init.zeros_` or `xavier_uniform()`: a name alone that an
    initialiser has, less its underscore; None of a value."""
    callee = value.callee if isinstance(value, ast.CallExpression) else value
    name = last_name(callee)
    if name in graph.env or (isinstance(callee, ast.Attribute) and root(graph, callee) is None):
        return None
    found = name if name in INITS else f"{name}_"
    if found not in INITS or (
        found != name and isinstance(value, ast.CallExpression) and value.arguments
    ):
        return None
    if not isinstance(value, ast.CallExpression) or not value.arguments:
        return found
    made = ast.Name(span=value.span, name=found)
    return written(value.model_copy(update={"callee": made}))


# ── filled by an initialiser ─────────────────────────────────────────────────────────────────────


def _filled(graph: Graph, statement: ast.State, declared: ir.TensorType | None) -> ir.State | None:
    """``parameter gamma: float[C] = ones_``."""
    call = read_initializer(graph, statement.value)
    if call is None:
        return None
    name = statement.name
    if declared is None:
        graph.error(
            "E0251", f"how large is `{name}`? {call.row.name} fills what is there",
            statement.value.span, f"write `{statement.kind} {name}: float[...] = {call.row.name}`",
        )  # fmt: skip
        return None
    if declared.dtype != "float":
        graph.error(
            "E0251", f"{call.row.name} fills floats, and `{name}` is {declared}",
            statement.value.span, "give it a value: an expression of this type",
        )  # fmt: skip
        return None
    drawn = _distribution(graph, call, declared.shape, statement)
    if drawn is None:
        return None
    parameters: tuple[tuple[str, tuple[Size, ...]], ...] = ((name, declared.shape),)
    buffers: tuple[tuple[str, tuple[Size, ...]], ...] = ()
    initial: tuple[tuple[str, ir.Distribution], ...] = ((name, drawn),)
    if statement.kind == "buffer":
        parameters, buffers = (), parameters
    wrappers = _wrappers(graph, statement)
    if wrappers is None:
        return None
    for wrapper in wrappers:
        try:
            parameters, buffers, initial = wrapped_tensors(
                graph, "the module", wrapper, parameters, buffers, initial
            )
        except RuleError as fault:
            graph.rule_error(fault, wrapper.span, {})
            return None
    return ir.State(
        statement.kind, name, call.row.name, call.settings, (), None,
        statement.persistent is not False, wrappers, parameters, buffers, initial,
        _result(statement, declared), statement.span, graph.params,
    )  # fmt: skip


def _distribution(
    graph: Graph, call: InitCall, shape: tuple[Size, ...], statement: ast.State
) -> ir.Distribution | None:
    row: InitRow = call.row
    try:
        return row.distribution(call.plain, ir.numbers(shape, graph.params))
    except RuleError as fault:
        help_ = None if fault.code == "E0301" else fault.help
        graph.error(fault.code, f"`{statement.name}`: {fault.message}", statement.value.span, help_)
        return None


def _wrappers(graph: Graph, statement: ast.State) -> tuple[ir.Wrapper, ...] | None:
    """The parametrizations, each of the parameter itself: `name` need not be said."""
    found = read_wrappers(graph, statement.wrappers, elaborate)
    if found is None:
        return None
    own: list[ir.Wrapper] = []
    for wrapper in found:
        if "name" in dict(wrapper.arguments):
            graph.error(
                "E0251", f"`with` is of `{statement.name}` itself here", wrapper.span,
                "leave `name` out",
            )  # fmt: skip
            return None
        arguments = (("name", statement.name), *wrapper.arguments)
        own.append(ir.Wrapper(wrapper.type, arguments, wrapper.span))
    return tuple(own)


# ── given by an expression ───────────────────────────────────────────────────────────────────────


def _computed(
    graph: Graph, statement: ast.State, declared: ir.TensorType | None
) -> ir.State | None:
    """``buffer mask = tril(ones(T, T))``, ``buffer mean = (0.485, 0.456, 0.406)``."""
    name, place = statement.name, statement.value.span
    if any(True for _ in expression_sites(statement.value, graph.is_layer)):
        graph.error(
            "E0251", f"`{name}` is computed when the module is made, where no layer is fed", place,
            "compute it in a line of its own: `name = ...`",
        )  # fmt: skip
        return None
    if statement.wrappers:
        graph.error(
            "E0251", "a parametrization wants a parameter that an initialiser fills",
            statement.wrappers[0].span, f"write `parameter {name}: float[...] = normal_ with ...`",
        )  # fmt: skip
        return None
    faults = graph.faults
    with graph.inside() as nodes:
        value = elaborate(graph, statement.value)
    if graph.faults > faults or is_poisoned(value):
        return None
    if not _known_when_made(graph, nodes, value, statement):
        return None
    type_ = constant_type(graph, value, statement) if is_static(value) else None
    if type_ is None and not isinstance(value, ir.Value):
        if not is_static(value):
            graph.error(
                "E0251", f"`{name}` is one tensor, and this is {describe(value)}", place,
                "put the parts together: `cat([...])`, `stack([...])`",
            )  # fmt: skip
        return None
    if isinstance(value, ir.Value):
        type_ = value.type
    assert type_ is not None
    type_ = agreed_type(graph, statement, declared, type_)
    if type_ is None:
        return None
    tensors = ((name, type_.shape),)
    is_parameter = statement.kind == "parameter"
    return ir.State(
        statement.kind, name, "", (), tuple(nodes),
        value if isinstance(value, ir.Value) else to_static(value),
        statement.persistent is not False, (), tensors if is_parameter else (),
        () if is_parameter else tensors, (), _result(statement, type_), statement.span,
        graph.params,
    )  # fmt: skip


def _result(statement: ast.State, type_: ir.TensorType) -> ir.Value:
    return ir.Value(statement.name, type_, statement.name_span)


def _known_when_made(
    graph: Graph, nodes: Sequence[ir.Node], value: Entity, statement: ast.State
) -> bool:
    """Whether the expression says nothing that only a run knows, draws no noise, and reads no
    tensors but its own and buffers that are computed themselves."""
    name = statement.name
    own = {id(made) for made in _made(nodes)}
    for operand, span in _read(nodes, value, statement):
        if isinstance(operand, ir.Value) and id(operand) not in own:
            state = graph.kept.get(id(operand))
            if state is not None and state.kind == "buffer" and state.computed:
                continue
            what = "an initialiser fills it" if state is not None else "it comes of a run"
            graph.error(
                "E0251",
                f"`{name}` is computed when the module is made, and `{operand.name}` is not known"
                f" then: {what}",
                span,
                "compute it in a line of its own, where the module runs: `name = ...`",
            )
            return False
        open_ = symbols(operand) - set(graph.params) if isinstance(operand, Poly) else None
        if open_:
            report_open(graph, f"`{name}` would be made with {operand}", open_, span)
            return False
    for node in ir.flat_nodes(nodes):
        if isinstance(node, ir.FunctionCall) and (node.row.stochastic or node.row.training):
            graph.error(
                "E0251", f"{node.function} draws anew each time, and `{name}` is made once",
                node.span,
                f"write `{statement.kind} {name}: float[...] = normal_`, or `uniform_`, which draw"
                " when the module is made",
            )  # fmt: skip
            return False
        if isinstance(node, ir.LayerCall | ir.ParameterRead):
            graph.error(
                "E0251", f"`{name}` is computed when the module is made, and reads `{node.layer}`",
                node.span, "compute it in a line of its own: `name = ...`",
            )  # fmt: skip
            return False
    return True


def _made(nodes: Iterable[ir.Node]) -> Iterator[ir.Value]:
    for node in nodes:
        if isinstance(node, ir.Loop):
            yield from node.results
            for iteration in node.iterations:
                yield from (*iteration.entering, *iteration.leaving)
                yield from _made(iteration.nodes)
        elif not isinstance(node, ir.Make | ir.Chain | ir.Branch):
            yield from ir.result_values(node.result)


def _read(
    nodes: Iterable[ir.Node], value: Entity, statement: ast.State
) -> Iterator[tuple[ir.Operand, Span]]:
    """What the expression reads, and what it is, each with its place."""
    for node in ir.flat_nodes(nodes):
        for operand in ir.node_operands(node):
            yield operand, node.span
        for made in ir.result_values(node.result):
            yield from ((size, node.span) for size in made.type.shape)
    if isinstance(value, ir.Value):
        yield value, statement.value.span
    elif is_static(value):
        yield from ((item, statement.value.span) for item in _flat(to_static(value)))


def _flat(value: ir.Static) -> Iterator[ir.Static]:
    if isinstance(value, tuple):
        for item in value:
            yield from _flat(item)
    else:
        yield value
