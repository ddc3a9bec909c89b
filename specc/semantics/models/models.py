"""Models: params, inputs, statements and outputs of one ``model`` to ``ir.Module``.

Statements run in order; each reports its own faults and the rest go on. Non-goal: what trains the
model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from math import lcm

from specc import ir
from specc.errors import Span
from specc.ir.relations import never_zero
from specc.ir.shorter import multiples
from specc.semantics.blocks.block_lists import declare_list
from specc.semantics.blocks.blocks import no_input
from specc.semantics.blocks.declared import declare
from specc.semantics.blocks.expressions import elaborate
from specc.semantics.blocks.loops import for_loop, if_statement
from specc.semantics.calls.operators import COMPARISONS
from specc.semantics.compile_time.entities import (
    POISON,
    Entity,
    Items,
    LayerHandle,
    Poison,
    describe,
    is_poisoned,
    is_static,
    is_tensors,
)
from specc.semantics.compile_time.free_names import check_name
from specc.semantics.compile_time.layer_paths import Namespace
from specc.semantics.compile_time.layers_made import (
    all_layers,
    is_pure_chain,
    keeps_something,
    leaves,
    site_names,
    site_order,
    sites,
)
from specc.semantics.models.inits import with_inits
from specc.semantics.models.once_more import fresh, read_again, to_be_written, tuples_of_the_file
from specc.semantics.models.params import Settings, declare_param
from specc.semantics.models.states import declare_state
from specc.semantics.models.written_types import tensor_type
from specc.semantics.naming.checkpoint_map import read_map
from specc.semantics.naming.graph import Graph, Hint
from specc.semantics.naming.positional import counted
from specc.semantics.proposals.python_habits import report_state
from specc.semantics.proposals.ties import equate, without_ties
from specc.sizes import Poly, Size
from specc.syntax.tree import ast


@dataclass(slots=True)
class _Body:
    """What stands at the top level of a model or block, and nowhere inside it."""

    inputs: list[ir.Value]
    kind: str = "model"
    lists: list[int | None] = field(default_factory=list)
    outputs: list[ir.Output] = field(default_factory=list)
    inits: list[ast.Init] = field(default_factory=list)
    freezes: list[ast.Freeze] = field(default_factory=list)
    weights: list[ast.Weights] = field(default_factory=list)


def build_model(
    tree: ast.Module, scope: Graph, file_params: tuple[ir.Param, ...], settings: Settings
) -> tuple[ir.Module, Graph]:
    """The model as far as it could be read, and its scope; faults are with the collector.

    ``scope`` is that of its file."""
    graph = Graph(
        kind="model",
        collector=scope.collector,
        params={
            param.name: param.value
            for param in file_params
            if isinstance(param.value, int) and not isinstance(param.value, bool)
        },
        env=dict(scope.env),
        library=scope.library,
        unread=scope.unread,
    )
    params = []
    for parameter in tree.parameters:
        param = declare_param(graph, parameter, settings, tree.name)
        if param is not None:
            params.append(param)
    scope.library.arguments[tree.name] = tuple(params)
    model = build_module(graph, tree, tuple(params), None)
    scope.library.ready.add(tree.name)
    return model, graph


def build_module(
    graph: Graph, tree: ast.Module, params: tuple[ir.Param, ...],
    inputs: tuple[ir.Value, ...] | None,
) -> ir.Module:  # fmt: skip
    """The body of a model or block, read in ``graph``, which has its params.

    ``inputs`` are a block's, bound already; a model's are declared where they stand."""
    once_more = fresh(graph)
    faults = graph.faults
    module, body = _read(graph, tree, params, inputs)
    if body.weights:
        module = replace(module, weight_map=read_map(graph, module, body.weights[0].mappings))
    module = with_inits(graph, module, body.inits, body.freezes)
    tuples = {param.name: param.value for param in params if isinstance(param.value, tuple)}
    tuples |= tuples_of_the_file(once_more)
    inside = any(layer.module is not None for layer in module.layers)
    if graph.faults > faults or not (graph.threads.wanted or tuples or inside):
        return module
    changing = graph.threads.changing

    @cache
    def threaded() -> ir.Module | None:
        found = read_again(
            once_more, changing, tuples, lambda again: _read(again, tree, params, inputs)[0]
        )
        if found is None:
            return None
        return to_be_written(module, found, used=inputs is not None)

    return replace(module, threaded=threaded)


def _read(
    graph: Graph, tree: ast.Module, params: tuple[ir.Param, ...],
    inputs: tuple[ir.Value, ...] | None,
) -> tuple[ir.Module, _Body]:  # fmt: skip
    """The statements of the module, all but what selects some of its parameters."""
    sequential = tree.kind == "block" and is_pure_chain(tree) and _is_row(tree, graph)
    made = tuple(sites(tree.body, graph.is_layer))
    graph.namespace = (
        Namespace("positions", splices=True) if sequential else Namespace(names=site_names(made))
    )
    body = _Body(list(inputs or ()), tree.kind)
    for statement in tree.body:
        if tree.kind == "block" and isinstance(statement, ast.Weights):
            graph.error(
                "E0204", "`weights` is of a model; a block has as many as it has uses",
                statement.span, "say it in the model, whose names the checkpoint has",
            )  # fmt: skip
        elif inputs is None or not isinstance(statement, ast.Input):
            _statement(graph, statement, body)
    _require(graph, tree)
    conditions = graph.conditions
    if inputs is None:
        declared = [item for item in tree.body if isinstance(item, ast.Input)]
        conditions = without_ties(graph, declared)
    module = ir.Module(
        name=tree.name,
        params=params,
        inputs=tuple(body.inputs),
        nodes=tuple(graph.nodes),
        outputs=tuple(body.outputs),
        conditions=ir.joined(conditions),
        span=tree.name_span,
        kind=tree.kind,
        dimensions=tuple(graph.dimensions),
        values=graph.params,
        # The items of a tuple are numbers where they are used: another tuple would say nothing.
        # Where the items of a tuple are numbers another would say nothing.
        fixed=tuple(
            {
                **dict(sorted(graph.fixed.items())),
                **{
                    param.name: param.value
                    for param in params
                    if param.type == "tuple" and not graph.threads.reading
                },
            }.items()
        ),
        sequential=sequential,
        order=tuple(dict.fromkeys(site_order(made))),
        weights=body.weights[0].path if body.weights else None,
        lists=tuple(body.lists),
    )
    return module, body


def _is_row(tree: ast.Module, graph: Graph) -> bool:
    output = next(item for item in tree.body if isinstance(item, ast.Output))
    value = output.values[0]
    return isinstance(value, ast.Pipeline) and all_layers(value.stages, graph.is_layer)


def _statement(graph: Graph, statement: ast.Statement, body: _Body) -> None:
    match statement:
        case ast.Input():
            body.inputs += declare_inputs(graph, statement)
        case ast.Output():
            _output(graph, statement, body)
        case ast.Init():
            body.inits.append(statement)
        case ast.Weights():
            if body.weights:
                graph.error(
                    "E0409", "there is already one `weights`", statement.span, "say it once"
                )
            body.weights.append(statement)
        case ast.Freeze():
            body.freezes.append(statement)
        case ast.State():
            declare_state(graph, statement, top=True)
        case _:
            run(graph, (statement,))


def run(graph: Graph, statements: tuple[ast.Statement, ...]) -> None:
    """The statements that may stand inside a loop or a branch, in order."""
    for statement in statements:
        match statement:
            case ast.Assign():
                assign(graph, statement)
            case ast.LayerDeclaration():
                declare(graph, statement, elaborate)
            case ast.State():
                declare_state(graph, statement, top=False)
            case ast.If():
                if_statement(graph, statement, elaborate)
            case ast.For():
                for_loop(graph, statement, elaborate)
            case _ if graph.kind == "train":
                word = type(statement).__name__.lower()
                graph.error(
                    "E0204",
                    f"`{word}` stands in `train` or in a step, not in a `for` there",
                    statement.span,
                    "in a `for` of `train` stand values: `loss = loss + ...`",
                )
            case _:
                word = type(statement).__name__.lower()
                graph.error(
                    "E0204",
                    f"`{word}` stands at the top level of a model or block",
                    statement.span,
                    "name the value inside, and put it out after the braces"
                    if isinstance(statement, ast.Output)
                    else "move it out of the braces",
                )


# ── inputs ───────────────────────────────────────────────────────────────────────────────────────


def declare_input(graph: Graph, statement: ast.Input) -> ir.Value | None:
    """An input put in scope, with the conditions it states; None where something was reported."""
    name = statement.name
    if not check_name(name, statement.span, graph.collector, "value"):
        return None
    if name in graph.env:
        graph.error(
            "E0230", f"there is already something called `{name}`", statement.span,
            "give the input another name",
        )  # fmt: skip
        return None
    type_ = tensor_type(graph, statement.type)
    if type_ is None:
        for size in statement.type.sizes or ():
            if isinstance(size, ast.Name):  # else what speaks of it would be reported too
                graph.env.setdefault(size.name, POISON)
        graph.env[name] = POISON
        return None
    value = ir.Value(name, type_, statement.span)
    graph.env[name] = value
    for condition in statement.conditions:
        _condition(graph, condition, name)
    return value


def declare_inputs(graph: Graph, statement: ast.Input) -> list[ir.Value]:
    """The input of a model or of ``train``, or the items of one that is a list; none of what was
    reported."""
    if statement.iterable is not None:
        return declare_list(graph, statement, elaborate)
    value = declare_input(graph, statement)
    return [] if value is None else [value]


def _condition(graph: Graph, written: ast.Expression, name: str) -> None:
    if not (isinstance(written, ast.Binary) and written.operator in COMPARISONS):
        graph.error(
            "E0231", "`where` states a comparison of sizes", written.span, "write `where T <= 64`"
        )
        return
    left, right = elaborate(graph, written.left), elaborate(graph, written.right)
    if is_poisoned(left) or is_poisoned(right):
        return
    for side in (left, right):
        if isinstance(side, bool) or not isinstance(side, int | Poly):
            graph.error("E0231", f"`where` compares sizes, not {describe(side)}", written.span)
            return
    assert isinstance(left, int | Poly) and isinstance(right, int | Poly)
    state_condition(graph, written.operator, left, right, f"`{name}` asks for it", written.span)


def state_condition(
    graph: Graph, relation: str, left: Size, right: Size, reason: str, span: Span
) -> None:
    """Keeps an open condition; reports one that can never hold."""
    known_left, known_right = graph.decided(left), graph.decided(right)
    condition = ir.Condition(left, relation, right, reason, span, stated=True)  # type: ignore[arg-type]  # parsed
    if isinstance(known_left, int) and isinstance(known_right, int):
        if not condition.holds(graph.deciding):
            graph.error("E0231", f"{known_left} {relation} {known_right} does not hold", span)
        return
    difference = known_left - known_right
    if relation == "==":
        if never_zero(difference):
            graph.error("E0231", f"no sizes hold {left} == {right}", span)
            return
        equate(graph, difference)
        for name, number in multiples([condition], graph.params).items():
            graph.whole[name] = lcm(graph.whole.get(name, 1), number)
    graph.conditions.append(condition)


# ── assignments ──────────────────────────────────────────────────────────────────────────────────


def assign(graph: Graph, statement: ast.Assign) -> None:
    """``a = ...`` or ``a, (b, c) = ...``."""
    names = list(_target_names(statement.targets))
    for target in leaves(statement.targets):
        assert target.name is not None
        if not check_name(target.name, target.span, graph.collector, "value"):
            graph.env[target.name] = POISON
            return
    for name in names:
        if hides(graph, name):
            graph.error(
                "E0230", f"`{name}` is {_role(graph, name)}, which a value of that name would hide",
                next(each.span for each in leaves(statement.targets) if each.name == name),
                "give the value another name",
            )  # fmt: skip
            graph.env[name] = POISON
            return
        if isinstance(graph.env.get(name), LayerHandle):
            graph.error(
                "E0230", f"`{name}` is a declared layer; a value cannot take its name",
                statement.span, "give the value another name",
            )  # fmt: skip
            return
        if names.count(name) > 1 and name != "_":
            graph.error("E0230", f"`{name}` stands twice on the left", statement.targets[0].span)
            return
    alone = statement.targets[0].name if len(statement.targets) == 1 else None
    if alone is not None and report_state(graph, alone, statement.value, statement.span):
        graph.env[names[0]] = POISON
        return
    hint = _hint(statement.targets)
    value = elaborate(graph, statement.value, hint)
    if len(statement.targets) == 1 and statement.targets[0].name is not None:
        _bind(graph, statement.targets[0], value)
        return
    _destructure(graph, statement.targets, value, statement.value.span)


def hides(graph: Graph, name: str) -> bool:
    """Whether a value called ``name`` would hide a param, a size or the variable of a loop, which
    are no statement's to bind."""
    if name in graph.variables:
        return name in graph.env
    known = graph.env.get(name)
    return name in graph.env and name not in graph.assigned and is_static(known)


def _role(graph: Graph, name: str) -> str:
    if name in graph.variables:
        return "the variable of a loop"
    return "a size" if name in graph.dimensions else "a param"


def _hint(targets: tuple[ast.Target, ...]) -> Hint:
    hints = tuple(target.name or _hint(target.items) for target in targets)
    return hints[0] if len(hints) == 1 else hints


def _destructure(graph: Graph, targets: tuple[ast.Target, ...], value: Entity, span: Span) -> None:
    if not isinstance(value, Items) or len(value.items) != len(targets):
        if not isinstance(value, Poison):
            found = (
                counted(len(value.items), "result")
                if isinstance(value, Items)
                else f"one value, {describe(value)}"
            )
            inner = targets[0].items if len(targets) == 1 else targets
            said = counted(len(inner) or 1, "name")
            graph.error("E0232", f"{said} for {found}", span, _names_for(value))
        for name in _target_names(targets):
            graph.env[name] = POISON
        return
    for target, item in zip(targets, value.items, strict=True):
        if target.name is not None:
            _bind(graph, target, item)
        else:
            _destructure(graph, target.items, item, span)


def _names_for(value: Entity) -> str:
    """The help of a message on names that are more or fewer than what ``value`` has."""
    if not isinstance(value, Items):
        return "its parts are taken by an index, `x[0]`, or as a list: `a, b = unbind(x, 0)`"
    nested = any(isinstance(item, Items) for item in value.items)
    letters = [chr(ord("a") + place) for place in range(min(len(value.items), 6))]
    shown = ", ".join("(h, c)" if isinstance(item, Items) else letter
                      for letter, item in zip(letters, value.items, strict=False))  # fmt: skip
    more = ", ..." if len(value.items) > len(letters) else ""
    what = "nest the names as the results are" if nested else "name each, or none by `_`"
    return f"{what}: `{shown}{more} = ...`"


def _bind(graph: Graph, target: ast.Target, value: Entity) -> None:
    assert target.name is not None
    graph.env[target.name] = value
    graph.assigned[target.name] = target.span
    graph.used.discard(target.name)


def _target_names(targets: tuple[ast.Target, ...]) -> Iterator[str]:
    for target in leaves(targets):
        if target.name is not None:
            yield target.name


# ── outputs ──────────────────────────────────────────────────────────────────────────────────────


def _output(graph: Graph, statement: ast.Output, body: _Body) -> None:
    outputs = body.outputs
    for index, written in enumerate(statement.values):
        if isinstance(written, ast.Name):
            name = written.name
        elif len(statement.values) == 1 and not outputs:
            name = "output"
        else:
            name = f"output_{len(outputs) + 1}"
        value = elaborate(graph, written, name if isinstance(written, ast.Name) else None)
        if isinstance(value, Poison):
            # What it is for was reported, here or where it is bound: no use of this gives a value.
            graph.library.reported.again += 1
            if isinstance(written, ast.Name) and written.name in graph.unknown:
                graph.library.misnamed_output = True
            graph.env.setdefault(name, POISON)
            outputs.append(
                ir.Output(name, ir.Value(name, ir.TensorType("float", ()), written.span))
            )
            body.lists.append(None)
            continue
        if isinstance(value, Items) and is_tensors(value):
            # A list goes out item by item, and is one result where the block or model is used.
            if any(output.name == f"{name}_0" for output in outputs):
                graph.error("E0233", f"`{name}` is put out twice", statement.values[index].span)
                continue
            outputs += [
                ir.Output(f"{name}_{k}", item)
                for k, item in enumerate(value.items)
                if isinstance(item, ir.Value)
            ]
            body.lists.append(len(value.items))
            continue
        if not isinstance(value, ir.Value):
            graph.error(
                "E0233",
                f"an output is a tensor; this is {describe(value)}",
                written.span,
                "name its parts and put those out" if isinstance(value, Items) else None,
            )
            continue
        if any(output.name == name for output in outputs):
            graph.error("E0233", f"`{name}` is put out twice", statement.values[index].span)
            continue
        outputs.append(ir.Output(name, value))
        body.lists.append(None)


def _require(graph: Graph, module: ast.Module) -> None:
    # What could not be read may be what is missing, if it has its word; and a param with the sizes
    # of a tensor, which is reported, was meant to be an input.
    unread = "input" in graph.unread or any(
        parameter.type.sizes is not None for parameter in module.parameters
    )
    if not unread and not any(isinstance(statement, ast.Input) for statement in module.body):
        if not keeps_something(module, graph.is_layer):
            no_input(graph, module)
    if "output" not in graph.unread and not any(
        isinstance(statement, ast.Output) for statement in module.body
    ):
        graph.error(
            "E0221", f"{module.name} has no output", module.name_span, "end it with `output ...`"
        )
    for path, declaration in graph.declared.items():
        # A call of what is not there may have been meant for it.
        if path not in graph.layers and not graph.unread and not graph.unknown:
            graph.error(
                "E0227",
                f"the layer `{path}` is never fed",
                declaration.stage.span,
                f"use it: `{path}(x)`",
            )
