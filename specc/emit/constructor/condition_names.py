"""What the answer to a condition is called: ``self.has_shift`` for ``shift > 0``.

Non-goal: which attribute ``forward`` asks (``classes``)."""

from __future__ import annotations

from typing import Final

from specc import ir
from specc.sizes import Poly

_WORDS: Final = {
    "==": "equals", "!=": "is_not", "<": "is_below", "<=": "is_at_most", ">": "is_above",
    ">=": "is_at_least", "and": "and", "or": "or",
}  # fmt: skip
_LONGEST: Final = 36
# Where no short name says it.
OTHERWISE: Final = "case"


def condition_name(condition: ir.Static) -> str:
    """A name after the condition of a branch: the param that it is, or its words."""
    found = _words(condition)
    if found is None or len(found) > _LONGEST or not found.isidentifier():
        return OTHERWISE
    return found


def _words(form: object) -> str | None:
    match form:
        case ir.Scalar():
            return _words(form.form)
        case ir.ParamForm():
            return form.name
        case ir.LiteralForm():
            return _words(form.value)
        case ir.UnaryForm(operator="not"):
            inner = _words(form.operand)
            return None if inner is None else f"not_{inner}"
        case ir.BinaryForm(operator=">" | "!=", left=left, right=0):
            held = _words(left)
            return None if held is None else f"has_{held}"
        case ir.BinaryForm() if form.operator in _WORDS:
            sides = _words(form.left), _words(form.right)
            if None in sides:
                return None
            word = "is" if form.operator == "==" and isinstance(form.right, int) else (
                _WORDS[form.operator]
            )  # fmt: skip
            return f"{sides[0]}_{word}_{sides[1]}"
        case Poly():
            name = str(form)
            return name.lower() if name.isidentifier() else None
        case bool():
            return None
        case int() if form >= 0:
            return str(form)
        case str() if form.isidentifier():
            return form.lower()
    return None
