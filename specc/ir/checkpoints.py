"""What a model that starts from a checkpoint makes of the names in it.

Non-goals: reading a checkpoint, and which names match
(``specc.semantics.naming.checkpoint_map``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from specc.errors import Span


@dataclass(frozen=True, slots=True)
class MapLine:
    """One line of a map, in the order of the text.

    ``rename``, ``drop`` and ``transpose`` are about the names in the file, as the lines above left
    them; ``copy`` and ``fresh`` about those in the model; ``cat`` makes of the first one of the
    second, ``split`` several. ``targets`` are what they are called then: one of a ``rename``, a
    ``copy`` and a ``cat``, none of what picks."""

    verb: Literal["rename", "copy", "cat", "split", "drop", "transpose", "fresh"]
    paths: tuple[str, ...]
    targets: tuple[str, ...]
    span: Span
