"""The base of all dispatch modes: it sees every operation, and what `run` gives is the result."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from specc.targets.operation_mode import OperationMode, name_of


class Doubling(OperationMode):
    """Notes each operation; what `mul` gives, it doubles."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def run(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        self.names.append(name_of(func))
        return super().run(func, args, kwargs) * (2 if self.names[-1] == "mul" else 1)


def test_run_sees_forward_and_backward_and_says_what_each_gives() -> None:
    x = torch.tensor(3.0, requires_grad=True)
    with Doubling() as mode:
        y = x * 5.0
        y.backward()
    assert y.item() == 30.0
    assert mode.names.count("mul") == 2  # forward, and its derivative
    assert x.grad is not None and x.grad.item() == 10.0


def test_names_are_of_aten_in_place_ones_included() -> None:
    assert name_of(torch.ops.aten.add_.Tensor) == "add_"
    assert name_of(torch.ops.aten.mm.default) == "mm"


def test_no_other_class_dispatches_by_itself() -> None:
    root = Path(__file__).resolve().parent.parent / "specc"
    found = [
        path.name
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name == "__torch_dispatch__"
    ]
    assert found == ["operation_mode.py"]
