"""The form of a row of the table of codes. Non-goal: the rows."""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """A row: ``title`` in a line, ``why`` it is a fault, an ``example`` of it, the ``fix``."""

    title: str
    why: str
    example: str
    fix: str
