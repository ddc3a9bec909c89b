"""Functions that emitted files carry along: real ones, read as text, joined of parts that fit.

That they compute what torchmetrics does, ``test_catalog_metrics`` shows of the text that is joined.
Here: that the text computes what its parts do, called one after another."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from specc import front
from specc.catalog import METRICS, REGULARIZERS, helper_source
from specc.catalog.helper_source import FOLDER, Joined, Whole, head
from specc.catalog.rows import Row
from specc.helpers import (
    areas,
    confusion,
    correlations,
    counting,
    deviations,
    margins,
    penalties,
    perception,
    retrieval,
)

ROOT = Path(__file__).resolve().parent.parent
MODULES: tuple[ModuleType, ...] = (
    areas, confusion, correlations, counting, deviations, margins, penalties, perception, retrieval,
)  # fmt: skip
ROWS = tuple(row for row in (*METRICS.values(), *REGULARIZERS.values()) if row.helper)
JOINED = tuple(row for row in ROWS if isinstance(row.helper, Joined))


def batch(row: Row) -> dict[str, Any]:
    """Scores and labels of a task."""
    draw = torch.Generator().manual_seed(7)
    if row.torch.startswith("retrieval_"):
        return {
            "preds": torch.rand(12, generator=draw).double(),
            "target": torch.randint(0, 2, (12,), generator=draw),
            "indexes": torch.arange(12) % 3,
        }
    several = row.torch.startswith("multilabel_")
    two = row.torch.startswith("binary_")
    shape, classes = ((8, 4), 2) if several else ((8,), 2) if two else ((8,), 4)
    deep = "exact_match" in row.torch and not several
    scores = (8,) if two else (8, 4, 3) if deep else (8, 4)
    return {
        "preds": torch.rand(scores, generator=draw).double(),
        "target": torch.randint(0, classes, (8, 3) if deep else shape, generator=draw),
    }


def called_one_after_another(row: Row, given: dict[str, Any]) -> Tensor:
    """What the parts of ``row`` give, each with what it asks for by name."""
    assert isinstance(row.helper, Joined)
    known = {name: value for name, value in row.defaults.items() if name not in given} | given
    value: Any = None
    for part in row.helper.parts:
        function = getattr(importlib.import_module(f"specc.helpers.{row.helper.module}"), part)
        value = function(**{name: known[name] for name in inspect.signature(function).parameters})
        (tree,) = ast.parse(inspect.getsource(function)).body
        assert isinstance(tree, ast.FunctionDef)
        returned = tree.body[-1]
        assert isinstance(returned, ast.Return)
        match returned.value:
            case ast.Tuple(elts=names):
                known |= zip([ast.unparse(each) for each in names], value, strict=True)
            case ast.Name(id=name):
                known[name] = value
            case _:
                known["score"] = value
    assert isinstance(value, Tensor)
    return value


@pytest.mark.parametrize("row", JOINED, ids=lambda row: row.name)
def test_a_joined_function_computes_what_its_parts_do(row: Row) -> None:
    given = batch(row) | ({"beta": 0.5} if "fbeta" in row.torch else {})
    names: dict[str, Any] = {"torch": torch, "F": torch.nn.functional, "Tensor": Tensor}
    exec(compile(row.source, row.torch, "exec"), names)  # the catalogue's own source, not a spec's
    assert torch.equal(names[row.torch](**given), called_one_after_another(row, given))


def test_every_function_there_is_of_some_row() -> None:
    used = {
        (row.helper.module, name)
        for row in ROWS
        if not isinstance(row.helper, str)
        for name in (row.helper.parts if isinstance(row.helper, Joined) else (row.helper.function,))
    }
    there = {
        (module.__name__.rpartition(".")[2], name)
        for module in MODULES
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    }
    assert used == there
    assert {path.stem for path in FOLDER.glob("[a-z]*.py")} == {module for module, _ in used}


@pytest.mark.parametrize(
    "row", [row for row in ROWS if isinstance(row.helper, Whole)], ids=lambda row: row.name
)
def test_a_whole_function_says_what_its_row_does(row: Row) -> None:
    document = ast.get_docstring(ast.parse(row.source).body[0])  # type: ignore[arg-type]  # a def
    assert document
    summary = row.summary[0].upper() + row.summary[1:]
    if row.torch not in (
        "orthogonality",
        "total_variation",
        "perplexity",
        "structural_similarity_index_measure",
    ):  # these say shapes too
        assert document == f"{summary}."


def test_the_head_is_laid_out_as_a_formatter_does() -> None:
    assert head("f", ["a: Tensor"]) == "def f(a: Tensor) -> Tensor:"
    long = [f"another_{each}: Tensor" for each in range(4)]
    assert head("f", long) == f"def f(\n    {', '.join(long)}\n) -> Tensor:"
    lines = head("f", long * 2).split("\n")
    assert lines == ["def f(", *(f"    {each}," for each in long * 2), ") -> Tensor:"]


def test_nothing_imports_what_is_read() -> None:
    for path in (ROOT / "specc").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("specc.helpers"), path
                assert not (node.module == "specc" and "helpers" in {n.name for n in node.names})
            elif isinstance(node, ast.Import):
                assert not any(each.name.startswith("specc.helpers") for each in node.names), path


def test_a_check_reads_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is read when a file is emitted, and no sooner."""
    import specc.emit

    program = front.read(ROOT / "specs" / "cifar10_cnn.spec")
    helper_source._read.cache_clear()
    read: list[str] = []
    whole = helper_source._read.__wrapped__
    monkeypatch.setattr(helper_source, "_read", lambda name: read.append(name) or whole(name))
    program = front.read(ROOT / "specs" / "cifar10_cnn.spec")
    assert not read
    specc.emit.emit(program)
    assert read
