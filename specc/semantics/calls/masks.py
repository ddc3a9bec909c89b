"""Masks of attention layers: given by name, for by place they are taken for one another.

torch has the mask of padding fourth in `MultiheadAttention`, and the mask of steps second in
`TransformerEncoderLayer`. Non-goal: what shape each has (the rows' rules)."""

from __future__ import annotations

from collections.abc import Sequence

from specc import ir
from specc.catalog.rows import LayerRow
from specc.errors import Fix
from specc.semantics.naming.bind import Given
from specc.semantics.naming.graph import Graph
from specc.syntax.tree.written import written


def unnamed_mask(graph: Graph, row: LayerRow, given: Sequence[Given]) -> bool:
    """Whether a mask of ``row`` stands among ``given`` without a name, where no `none` before it
    shows that torch's order is meant; an E0208 that says so."""
    by_place = [item for item in given if item.name is None]
    for name, item in zip(row.inputs, by_place, strict=False):
        if item.value is None:
            return False
        if not name.endswith("mask?"):
            continue
        name = name.rstrip("?")
        shown = written(item.node) if item.node is not None else "mask"
        ways = [name, *other_masks(row, name)]
        if _is_padding(by_place, item) != ("padding" in name):
            ways = [*ways[1:], name]
        first, *others = (f"{way}={shown}" for way in ways)
        also = f", or {' or '.join(f'`{way}`' for way in others)} if that is what it masks"
        help_ = f"write `{first}`{also if others else ''}"
        graph.error(
            "E0208",
            f"a mask is given by name, and by its place this is `{name}` of {row.name}",
            item.span,
            help_,
            (),
            Fix(item.span.start, item.span.end, first, help_),
        )
        return True
    return False


def _is_padding(given: Sequence[Given], mask: Given) -> bool:
    """Whether ``mask`` has the shape of a batch of sequences that one of ``given`` is."""
    if not isinstance(mask.value, ir.Value):
        return False
    own = mask.value.type.shape
    return any(
        isinstance(item.value, ir.Value)
        and len(item.value.type.shape) == 3
        and len(own) == 2
        and own in (item.value.type.shape[:2], item.value.type.shape[1::-1])
        for item in given
        if item is not mask
    )


def other_masks(row: LayerRow, name: str) -> list[str]:
    """The masks of ``row`` that ``name`` may be taken for: of padding for of steps."""
    known = [argument.name for argument in row.forward_arguments if "mask" in argument.name]
    return [
        other
        for other in known
        if ("padding" in other) != ("padding" in name) and _masked(other) == _masked(name)
    ]


def _masked(name: str) -> str:
    """Which of a layer's sequences a mask is about: `src`, `tgt`, `memory`, or its only one."""
    if name == "mask":
        return "src"
    first = name.partition("_")[0]
    return first if first in ("src", "tgt", "memory") else ""
