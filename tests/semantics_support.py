"""One model as read, and the faults of one."""

from __future__ import annotations

import pytest

from specc import ir
from specc.errors import SpecError
from specc.semantics import analyse


def model_of(body: str, params: str = "", **settings: object) -> ir.Module:
    program = analyse(f"spec 1\nmodel M{params} {{\n{body}\n}}\n", "m.spec", settings)
    return program.model()


def faults(body: str, rest: str = "") -> list[tuple[str, int]]:
    with pytest.raises(SpecError) as caught:
        analyse(f"spec 1\nmodel M {{\n{body}\n}}\n{rest}", "m.spec")
    return [(item.code, item.span.line if item.span else 0) for item in caught.value.diagnostics()]
