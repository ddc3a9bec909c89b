"""The members of training: the models that learn, and the copies and averages made of them.

Non-goal: calling them (``called_models``)."""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from specc import ir
from specc.errors import Span
from specc.semantics.blocks.expressions import elaborate
from specc.semantics.compile_time import static
from specc.semantics.compile_time.entities import Entity, is_poisoned, is_static, to_static
from specc.semantics.compile_time.free_names import check_twin, owner, training_methods
from specc.semantics.naming.graph import Graph
from specc.syntax.tree import ast

Models: TypeAlias = Mapping[str, tuple[ir.Module, Graph]]

_MOST_BATCHES: Final = 2**31


def named_members(
    block: ast.Train, names: list[str], models: Models, file_env: Mapping[str, Entity]
) -> tuple[ir.Member, ...]:
    """The models, and the copies and averages that ``train`` makes of them."""
    collector = next(iter(models.values()))[1].collector
    members = []
    weighed = any(isinstance(each, ast.Accumulate) and each.by for each in block.body)
    taken: set[str] = {"counted"} if weighed else set()
    methods = training_methods(block, collector)
    for name in names:
        attribute = name.lower().lstrip("_") or "model"
        while (
            attribute in taken
            or attribute in methods
            or owner(attribute) is not None
            or keyword.iskeyword(attribute)
        ):
            attribute += "_"
        taken.add(attribute)
        members.append(ir.Member(attribute, name, "model", span=models[name][0].span))
    attributes = {member.model: member.attribute for member in members}
    for statement in block.body:
        if not isinstance(statement, ast.Copy | ast.Ema):
            continue
        word = "copy" if isinstance(statement, ast.Copy) else "ema"
        what = "a copy" if word == "copy" else "an average"
        if not check_twin(statement.name, what, methods, statement.span, collector):
            continue
        if statement.name in taken or statement.name in models:
            collector.error(
                "E0409", f"there is already something called `{statement.name}`",
                statement.span, "give it another name",
            )  # fmt: skip
            continue
        if statement.of not in attributes:
            # What is called so follows from that.
            library = next(iter(models.values()))[1].library
            library.unknown.update((statement.name, statement.of))
            collector.error(
                "E0413",
                f"there is no model `{statement.of}` to {word}",
                statement.span,
                f"one of {', '.join(attributes)}",
            )
            continue
        taken.add(statement.name)
        members.append(_twin(statement, attributes[statement.of], models, file_env))
    return tuple(members)


def _twin(
    statement: ast.Copy | ast.Ema, of: str, models: Models, file_env: Mapping[str, Entity]
) -> ir.Member:
    home = next(iter(models.values()))[1]
    collector = home.collector
    scope = Graph(
        kind="train", collector=collector, params=dict(home.params), env=dict(file_env),
        library=home.library, unread=home.unread,
    )  # fmt: skip
    span = statement.span
    if isinstance(statement, ast.Copy):
        every = whole_number(scope, statement.every, "a copy is made every so many batches")
        return ir.Member(statement.name, statement.of, "copy", of, every or 1, span=span)
    entity = elaborate(scope, statement.decay)
    value = static.plain(to_static(entity), scope.params) if is_static(entity) else None
    if not isinstance(value, int | float) or not 0 <= value < 1:
        if not is_poisoned(entity):
            collector.error(
                "E0414", "the decay of an average is a number from 0 to 1, without 1",
                statement.decay.span, "write `decay 0.999`",
            )  # fmt: skip
        value = 0.0
    decay: ir.Static = to_static(entity) if isinstance(entity, ir.Scalar) else float(value)
    return ir.Member(statement.name, statement.of, "ema", of, decay=decay, span=span)


def training_module(members: Sequence[ir.Member], models: Models, span: Span) -> ir.Module:
    """Training as a module: it makes its members."""
    makes = []
    for member in members:
        model, graph = models[member.model]
        layer = ir.Layer(
            member.attribute, member.model, (), (), (), (), member.span or span, module=model,
            values=graph.params,
        )  # fmt: skip
        makes.append(ir.Make(layer, layer.span))
    frozen = tuple(
        ir.Selection(f"{member.attribute}.*", tuple(
            f"{member.attribute}.{name}"
            for name, _, _ in models[member.model][0].parameters()
        ))
        for member in members if member.kind != "model"
    )  # fmt: skip
    name = "Training"
    while name in next(iter(models.values()))[1].library.definitions:
        name += "_"
    return ir.Module(name, (), (), tuple(makes), (), (), span, frozen=frozen)


def whole_number(graph: Graph, written: ast.Expression, what: str) -> int | None:
    """A count of at least 1; None where it was reported."""
    entity = elaborate(graph, written)
    if is_poisoned(entity):
        return None
    try:
        value = static.plain(to_static(entity), graph.params) if is_static(entity) else None
    except static.Undecided:
        value = None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < _MOST_BATCHES:
        graph.collector.error(
            "E0414", f"{what}: a whole number of at least 1", written.span, "write 1 or more"
        )
        return None
    return value
