"""Programs with blocks, as read, and their faults."""

from __future__ import annotations

import pytest

from specc import ir
from specc.errors import Diagnostic, SpecError
from specc.semantics import analyse

NET = "model Net(dim: int = 8, depth: int = 2) {\n input x: float[N, dim]\n"


def program_of(blocks: str, body: str, **settings: object) -> ir.Program:
    return analyse(f"spec 1\n{blocks}\n{NET}{body}\n}}\n", "m.spec", settings)


def model_of(blocks: str, body: str, **settings: object) -> ir.Module:
    return program_of(blocks, body, **settings).model()


def faults(blocks: str, body: str) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        program_of(blocks, body)
    return list(caught.value.diagnostics())


def codes(blocks: str, body: str) -> list[str]:
    return [item.code for item in faults(blocks, body)]


DENSE = (
    "block Dense(width: int) {\n input x: float[N, D]\n output x -> Linear(width) -> Linear(D)\n}"
)
