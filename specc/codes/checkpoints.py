"""E026: the map of ``weights``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.codes.form import Code

ROWS: Final[Mapping[str, Code]] = {
    "E0260": Code(
        "a line of a map of weights that cannot be followed",
        (
            "A path is the name of a tensor or of a module in the checkpoint, with `*` for any "
            "characters and `?` for one. What they stand for goes to the other side of `->`, so "
            "that both sides have the same ones, in the same order. `cat` has several paths on the "
            "left, `split` on the right; both stand below what is about names in the file."
        ),
        '"layers.*.fc" -> "blocks.fc"',
        'Write the wildcards on both sides: `"layers.*.fc" -> "blocks.*.fc"`.',
    ),
    "E0261": Code(
        "a map of weights that speaks of tensors which the model does not have",
        (
            "`fresh` and `copy` are about the names in the model's state_dict, and so is the right "
            "of `cat` and `split`; what they name must be there."
        ),
        'fresh "haed"',
        "Take the name that the message proposes, or one that `specc show` lists.",
    ),
}
