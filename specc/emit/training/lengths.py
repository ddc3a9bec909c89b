"""The lengths that a class is right for alone, because it has items of a list by their positions.

Non-goal: which lists those may be (``open_lists``), how parameters are picked (``selections``)."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from specc import ir
from specc.emit.constructor.open_lists import (
    chosen_lists,
    is_open,
    is_open_inside,
    may_select_in,
    open_layers,
    open_lists,
)
from specc.emit.constructor.selections import of_what_learns, parameters
from specc.emit.merging.param_names import argument_names, distinct
from specc.emit.training.penalties import learning, steps_all
from specc.emit.writing.expressions import call, operation, path_expression
from specc.emit.writing.statements import Assert, Assign, Statement


def lengths(
    module: ir.Module, selections: Sequence[ir.Selection], class_source: str, *, threaded: bool
) -> list[Statement]:
    """Asserts the length of each such list of which ``class_source`` has items by their positions,
    for a selection that would have others if it were longer; where rounds choose (``threaded``),
    how many parameters each item has."""
    indexed = {
        ast.unparse(node.value)
        for node in ast.walk(ast.parse(class_source))
        if isinstance(node, ast.Subscript)
    }
    found: list[Statement] = []
    written_out = [
        on for on in selections if isinstance(parameters(module, on, listed=True), ast.List)
    ]
    for path, count in dict(open_lists(module)).items():
        held = path_expression(ast.Name("self"), path)
        # Of a list of which nothing is selected now nothing is indexed.
        if any(
            is_open(on, path)
            and (
                ast.unparse(held) in indexed
                or not any(name.startswith(f"{path}.") for name in on.names)
            )
            for on in written_out
        ):
            told = "1 round" if count == 1 else f"{count} rounds"
            test = operation("==", call(ast.Name("len"), held), ast.Constant(count))
            found.append(Assert(test, f"built for {told}: build the spec again with these params"))
    names = [name for name, _, _ in module.parameters()]
    # With other params other rounds have a layer.
    for path, count in dict(chosen_lists(module)).items() if threaded else ():
        if any(may_select_in(on, path) for on in written_out):
            each = [f"{path}.{place}." for place in range(count)]
            found += _has_in_each(
                module, path, [sum(name.startswith(item) for name in names) for item in each]
            )
    open_paths = [
        path for path in open_layers(module) if any(is_open_inside(on, path) for on in written_out)
    ]
    for top in dict.fromkeys(path.partition(".")[0] for path in open_paths):
        many = sum(name.startswith(f"{top}.") for name in names)
        held = call(ast.Attribute(path_expression(ast.Name("self"), top), "parameters", ast.Load()))
        test = operation(
            "==", call(ast.Name("len"), call(ast.Name("list"), held)), ast.Constant(many)
        )
        told = f"built for {many} parameters in {top}: build the spec again with these params"
        found.append(Assert(test, told))
    return found


def _has_in_each(module: ir.Module, path: str, counts: Sequence[int]) -> list[Statement]:
    """That the items of a list have so many parameters."""
    item = ast.Name("item", ast.Load())
    listed = call(ast.Name("list"), call(ast.Attribute(item, "parameters", ast.Load())))
    loop = ast.comprehension(
        ast.Name("item", ast.Store()), path_expression(ast.Name("self"), path), [], 0
    )
    taken = {*argument_names(module).values(), *module.dimensions}
    made, built = distinct("made", taken), distinct("built", taken)
    wanted = ast.List([ast.Constant(count) for count in counts], ast.Load())
    message = f"built for these layers in {path}: build the spec again with these params"
    return [
        Assign(ast.Name(made, ast.Store()), ast.ListComp(call(ast.Name("len"), listed), [loop])),
        Assign(ast.Name(built, ast.Store()), wanted),
        Assert(operation("==", ast.Name(made), ast.Name(built)), message),
    ]


def selected_in(train: ir.Train, module: ir.Module) -> Iterator[ir.Selection]:
    """What the steps of a training select of ``module``, the model that it trains."""
    for step in train.steps:
        yield from (of_what_learns(module, selection) for selection in step.frozen)
        yield from (regularizer.on for regularizer in step.regularizers)
        yield from (constraint.on for constraint in step.constraints)
        if step.clip is not None and (step.clip.on is not None or not steps_all(module, step)):
            yield step.clip.on or learning(module, step)
        for stepped in step.stepped:
            groups = stepped.optimizer.groups
            yield from (group.on for group in groups)
            rest = stepped.optimizer.rest
            names = {*rest.names, *(name for group in groups for name in group.on.names)}
            ordered = tuple(name for name, _, _ in module.parameters() if name in names)
            yield ir.Selection(rest.text, ordered)
