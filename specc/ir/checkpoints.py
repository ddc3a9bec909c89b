"""What a model that starts from a checkpoint makes of the names in it.

Non-goals: reading a checkpoint, and which names match (``specc.semantics.checkpoints``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from specc.errors import Span


@dataclass(frozen=True, slots=True)
class MapLine:
    """One line of a map, in the order of the text.

    ``rename``, ``drop`` and ``transpose`` are about the names in the file, as the lines above left
    them; ``copy`` and ``fresh`` about those in the model. ``target`` is what a ``rename`` or a
    ``copy`` makes of its one path, and empty otherwise."""

    verb: Literal["rename", "copy", "drop", "transpose", "fresh"]
    paths: tuple[str, ...]
    target: str
    span: Span
