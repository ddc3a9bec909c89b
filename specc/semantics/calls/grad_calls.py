"""``grad(number, value)`` of ``train``: a derivative that the loss is made of, and that is
differentiated again.

Non-goal: the gradients that optimizers step on, which no spec says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from specc import ir
from specc.errors import Collector, Span
from specc.semantics.calls.derivative_orders import MOST_DERIVATIVES, orders
from specc.semantics.compile_time.entities import POISON, Entity, describe, is_poisoned
from specc.semantics.naming.bind import Given
from specc.semantics.naming.graph import Graph, Hint

GRAD: Final = "grad"
# Each order doubles what is computed, and more.
MOST_ORDERS: Final = 8
_FORM: Final = "write `grad(sum(score), x)`: one number, and what it is differentiated by"


def is_derivative(graph: Graph, name: str) -> bool:
    """Whether a call of ``name`` is a derivative here."""
    return name == GRAD and name not in graph.env and name not in graph.members


def derivative(graph: Graph, given: Sequence[Given], span: Span, hint: Hint) -> Entity:
    """The derivative that ``grad`` with these arguments is: of the shape and precision of the
    second. Reports E0204 outside of ``train``, and E0430 for what has no derivative."""
    if any(is_poisoned(item.value) for item in given):
        return POISON
    if graph.kind != "train":
        return graph.error(
            "E0204", "`grad` stands in `train`: a model computes forward", span,
            "put out what it is computed from, and write `grad(sum(y), x)` in `train`",
        )  # fmt: skip
    named = next((item for item in given if item.name is not None), None)
    if named is not None and named.name == "create_graph":
        return graph.error(
            "E0430", "a derivative can always be differentiated again", named.span,
            "take `create_graph` away",
        )  # fmt: skip
    if named is not None or len(given) != 2:
        return graph.error("E0430", "`grad` takes two values, by place", span, _FORM)
    of, by = given[0].value, given[1].value
    if not isinstance(of, ir.Value) or not of.type.floating or of.type.shape != ():
        shown = str(of.type) if isinstance(of, ir.Value) else describe(of)
        tensor = isinstance(of, ir.Value) and of.type.floating
        return graph.error(
            "E0430", f"a derivative is of one number; this is {shown}", given[0].span,
            "take its sum(), whose derivative has that of each entry" if tensor else _FORM,
        )  # fmt: skip
    if not isinstance(by, ir.Value) or not by.type.floating:
        shown = str(by.type) if isinstance(by, ir.Value) else describe(by)
        return graph.error(
            "E0430", f"a derivative is by a tensor of floats; this is {shown}", given[1].span, _FORM
        )
    made = graph.value(ir.TensorType(by.type.dtype, by.type.shape), span, hint)
    graph.nodes.append(ir.Derivative(of, by, made, span))
    return made


def check_derivatives(
    nodes: Sequence[ir.Node], subject: ir.Module, collector: Collector, precision: str, within: str
) -> None:
    """Reports the derivatives among ``nodes`` by what their number is not computed from there
    (E0431), and those that float16 would lose (E0432)."""
    taken = [node for node in ir.flat_nodes(nodes) if isinstance(node, ir.Derivative)]
    if len(taken) > MOST_DERIVATIVES:
        collector.error(
            "E0250",
            f"this takes more than {MOST_DERIVATIVES} derivatives, and each is a pass backwards",
            taken[MOST_DERIVATIVES].span, "take one of the sum of what is differentiated",
        )  # fmt: skip
        return
    for node, order, linear in orders(nodes, subject):
        if precision == "float16":
            collector.error(
                "E0432",
                "a derivative under `precision float16` is not scaled, and most of it is lost",
                node.span, "write `precision bfloat16`",
            )  # fmt: skip
        if order > MOST_ORDERS:
            collector.error(
                "E0250",
                f"derivatives are taken of one another more than {MOST_ORDERS} times, and each "
                "doubles what is computed",
                node.span, "take fewer of one another",
            )  # fmt: skip
            return
        if order == 0:
            advice = "compute it from that very value, in the same step; `detach` ends a derivative"
            if linear:
                advice = (
                    f"the derivative of what is linear in `{node.by.name}` does not depend on it"
                )
            collector.error(
                "E0431",
                f"`{node.of.name}` is not computed from `{node.by.name}` {within}"
                if node.of.named
                else f"this number is not computed from `{node.by.name}` {within}",
                node.span,
                advice,
            )
