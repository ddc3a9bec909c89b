"""The function that computes what a layer does: it takes sizes that only a run knows.

Non-goal: layers with parameters, whose sizes are fixed when they are made."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from specc.catalog import FUNCTIONS
from specc.catalog.rows import LayerRow, Row
from specc.errors import Fix, Span

_CAPITAL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_OTHERWISE_CALLED: Final = {"Upsample": "interpolate"}
_OTHERWISE_SAID: Final = {"unflattened_size": "sizes"}


def as_function(
    row: Row, given: Iterable[str], argument: str, span: Span, otherwise: str
) -> tuple[str, Fix] | None:
    """The help that proposes the function in place of the layer of ``row`` that is called at
    ``span``, and its fix: where it takes all that is ``given``, and for ``argument`` such a
    size."""
    name = _OTHERWISE_CALLED.get(row.name) or _CAPITAL.sub("_", row.name).lower()
    function = FUNCTIONS.get(name)
    if not isinstance(row, LayerRow) or function is None:
        return None
    known = {_OTHERWISE_SAID.get(each, each) for each in (*given, argument)}
    if not known.issubset(function.by_name):
        return None
    types = function.by_name[_OTHERWISE_SAID.get(argument, argument)].types
    if not any(kind.startswith("size") for kind in types):
        return None
    text = f"write the function, `{name}(...)`, which takes sizes of the run"
    return text, Fix(span.start, span.start + len(row.name), name, otherwise)
