"""Models called in ``train``: ``Generator(z)``, ``target(next_state)``.

Training holds each model as a member; a call of one is a call of its attribute. Non-goal: what is
done with the results (``train``)."""

from __future__ import annotations

from specc.errors import Span
from specc.semantics.bind import Given
from specc.semantics.blocks import call_block, instantiate
from specc.semantics.entities import POISON, Entity, is_poisoned
from specc.semantics.graph import Graph, Hint


def call_member(
    graph: Graph, name: str, inputs: list[Entity], given: list[Given], label: str | None,
    span: Span, hint: Hint,
) -> Entity:  # fmt: skip
    """The member called ``name`` fed with ``inputs``; ``given`` are further arguments of a pipe."""
    inputs = [*inputs, *(item.value for item in given)]
    if any(is_poisoned(item) for item in inputs):
        return POISON
    if label is not None:
        return graph.error(
            "E0229", f"the label `{label}` names nothing: models are named where they are declared",
            span, "take the label away",
        )  # fmt: skip
    named = next((item for item in given if item.name is not None), None)
    if named is not None:
        return graph.error("E0208", f"`{name}` takes tensors here", named.span)
    member = graph.members.get(name)
    if member is None:
        kind = graph.modules[name].kind
        return graph.error(
            "E0204", f"`{name}` is a {kind}; `train` calls models", span,
            "call it in a model, and put the model's result out",
        )  # fmt: skip
    use = instantiate(graph, member.model, [], inputs, span, no_expressions)
    if use is None:
        return POISON
    graph.called.add(name)
    return call_block(graph, member.attribute, use, inputs, span, hint)


def no_expressions(graph: Graph, expression: object, hint: Hint = None) -> Entity:
    """Params of a model are known before ``train`` begins: there is nothing to read."""
    raise AssertionError("a model's params have values")
