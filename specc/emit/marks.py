"""Where in the spec a statement comes from, and what an assertion says of a condition.

Non-goal: the conditions themselves."""

from __future__ import annotations

from specc import ir
from specc.errors import Span
from specc.sizes import as_remainder


def because(condition: ir.Condition) -> str:
    """What an assertion says where ``condition`` does not hold."""
    remainder = as_remainder(condition.left)
    if remainder is not None and condition.relation == "==" and condition.right == 0:
        return f"{remainder[0]} must be a multiple of {remainder[1]}"
    return f"{condition}: {condition.reason}"


def mark(span: Span) -> str:
    """``mnist_cnn.spec:9``: where in the spec a statement comes from."""
    file = span.file.replace("\\", "/").rsplit("/", 1)[-1]
    return f"{file}:{span.line}"
