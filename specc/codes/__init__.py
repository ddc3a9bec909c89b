"""The table of codes: what ``specc explain`` says of each message that specc can give.

A code is stable: it keeps its meaning, and is not used again when its message goes. The hundreds:
E01 text and syntax · E02 names and arguments · E03 shapes and types · E04 train · E05 test ·
E06 params and ``--set`` · E07 files and calls · E08 goldens · E09 targets · W0 warnings.
Non-goals: the messages themselves, which stand where they are raised. Imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.codes import (
    checkpoints,
    derivatives,
    extensions,
    likely,
    names,
    runs_and_goldens,
    shapes,
    structure,
    text,
    train_and_test,
)
from specc.codes.form import Code

CODES: Final[Mapping[str, Code]] = {
    **text.ROWS,
    **names.ROWS,
    **structure.ROWS,
    **checkpoints.ROWS,
    **derivatives.ROWS,
    **shapes.ROWS,
    **train_and_test.ROWS,
    **runs_and_goldens.ROWS,
    **extensions.ROWS,
    **likely.ROWS,
}
