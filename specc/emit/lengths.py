"""The lengths that a class is right for alone, because it has items of a list by their positions.

Non-goal: which lists those may be (``repeats``), how parameters are picked (``selections``)."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from specc import ir
from specc.emit.expressions import call, operation, path_expression
from specc.emit.penalties import learning, steps_all
from specc.emit.repeats import is_open, open_lists
from specc.emit.selections import of_what_learns, parameters
from specc.emit.statements import Assert, Statement


def lengths(
    module: ir.Module, selections: Sequence[ir.Selection], class_source: str
) -> list[Statement]:
    """Asserts the length of each such list of which ``class_source`` has items by their positions,
    for a selection that would have others if it were longer."""
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
        if ast.unparse(held) in indexed and any(is_open(on, path) for on in written_out):
            told = "1 round" if count == 1 else f"{count} rounds"
            test = operation("==", call(ast.Name("len"), held), ast.Constant(count))
            found.append(Assert(test, f"built for {told}: build the spec again with these params"))
    return found


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
