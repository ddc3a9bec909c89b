"""The goldens of ``specs/`` catch what they are for: a sign, an eps, a learning rate, a factor.

Each spec's emitted source is edited in one place, as a person might, and judged in eager; every
edit must be found and named. Edits that change nothing must pass. Goldens are read, never written.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
import torch

from specc import front
from specc.emit import emit
from specc.harness.cases.matrix import Cell, cells
from specc.harness.cases.verdict import Verdict
from specc.harness.goldens.golden import project_root
from specc.harness.judging.judge import judge
from specc.ir import Program

SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.spec"))
SIGNS: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add}
WITH_EPS = ("BatchNorm2d", "BatchNorm1d", "LayerNorm", "Adam", "AdamW", "RMSprop")
# Metrics are reported in evaluation, not trained on: the golden of training does not hold them.
UNTRAINED = ("metrics",)


@lru_cache(maxsize=32)
def program_of(path: Path) -> Program:
    return front.read(path)


def training_cell(program: Program) -> Cell:
    return next(
        cell
        for cell in cells(program, targets=["eager"], devices=["cpu"])
        if cell.mode == "train" and cell.dtype == "float32"
    )


def verdict_of(path: Path, source: str) -> Verdict:
    program = program_of(path)
    return judge(program, training_cell(program), project_root(path), source)


def edits(source: str) -> Iterator[tuple[str, str]]:
    """Each edit's name and the source with it."""
    tree = ast.parse(source)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    methods = [
        node
        for klass in classes
        for node in klass.body
        if isinstance(node, ast.FunctionDef) and node.name not in UNTRAINED
    ]
    for method in methods:
        for node in ast.walk(method):
            yield from _edit(tree, method.name, node)
        if method.name == "training_step":
            yield from _dropped(tree, method)


def _dropped(tree: ast.Module, method: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """Each call of a step that is made for its effect, left out."""
    for index, statement in enumerate(method.body):
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            method.body[index] = ast.Pass()
            yield f"without {ast.unparse(statement)}", ast.unparse(tree)
            method.body[index] = statement


def _edit(tree: ast.Module, method: str, node: ast.AST) -> Iterator[tuple[str, str]]:
    where = f"{method}:{getattr(node, 'lineno', 0)}"
    if isinstance(node, ast.BinOp) and type(node.op) in SIGNS:
        before = node.op
        node.op = SIGNS[type(before)]()
        yield f"sign in {where}", ast.unparse(tree)
        node.op = before
    # A negative position (`dim=-1`, `h[:, -1]`) is no sign: in a matrix it says what 1 says.
    position = (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.operand, ast.Constant)
        and (isinstance(node.operand.value, int))
    )
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not position:
        node.op = ast.UAdd()
        yield f"minus in {where}", ast.unparse(tree)
        node.op = ast.USub()
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        for keyword in node.keywords:
            # A scheduler of one cycle sets every rate itself, from `max_lr`.
            cycled = "OneCycleLR" in ast.unparse(tree)
            if keyword.arg == "lr" and isinstance(keyword.value, ast.Constant) and not cycled:
                value = keyword.value.value
                assert isinstance(value, float)
                keyword.value.value = value * 1.001
                yield f"lr in {where}", ast.unparse(tree)
                keyword.value.value = value
        if name in WITH_EPS:
            said = [keyword for keyword in node.keywords if keyword.arg == "eps"]
            eps = 1e-5 if "Norm" in name else 1e-8
            for keyword in said:
                eps = float(ast.literal_eval(keyword.value))
                node.keywords.remove(keyword)
            node.keywords.append(ast.keyword("eps", ast.Constant(eps * 1.1)))
            yield f"eps of {name} in {where}", ast.unparse(tree)
            node.keywords.pop()
            node.keywords += said


# Each edit is a whole run: those that have many, or are large, would take minutes each.
LONG = frozenset(
    "actor_critic diffusion logistic_regression matrix_factorization mixture_of_experts mlp_mixer"
    " mobilenet multitask_cnn reinforce resnet18 seq2seq_attention temporal_conv"
    " transformer_blocks transformer_classifier two_tower unet vgg11_bn vit".split()
)
EDITED = [path for path in SPECS if path.stem not in LONG]


@pytest.mark.parametrize("path", EDITED, ids=lambda path: path.stem)
def test_every_edit_is_found_and_named(path: Path) -> None:
    source = emit(program_of(path))
    found = dict(edits(source))
    assert any(name.startswith("lr") for name in found) or "OneCycleLR" in source
    missed = []
    for name, edited in found.items():
        verdict = verdict_of(path, edited)
        if verdict.outcome != "regressed" or not verdict.findings:
            missed.append(name)
            continue
        assert verdict.findings[0].line > 0
        assert verdict.findings[0].name
    assert not missed, f"not found: {missed} of {list(found)}"


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_source_that_was_only_reformatted_passes(path: Path, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        verdict = verdict_of(path, ast.unparse(ast.parse(emit(program_of(path)))))
    finally:
        torch.set_num_threads(before)
    assert verdict.passed, verdict.report()


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_an_eval_golden_notices_a_weight_that_is_not_used(path: Path) -> None:
    program = program_of(path)
    cell = next(
        cell
        for cell in cells(program, targets=["eager"], devices=["cpu"])
        if cell.mode == "eval" and cell.dtype == "float32"
    )
    source = emit(program)
    last = program.model().outputs[0].value.name
    edited = source.replace(f"        return {last}", f"        return {last} * 1.00001", 1)
    assert edited != source
    verdict = judge(program, cell, project_root(path), edited)
    assert verdict.outcome == "regressed"


@pytest.mark.parametrize("act", ["raise SystemExit(0)", "raise RecursionError", "1 / 0"])
def test_a_source_that_stops_is_a_finding(act: str) -> None:
    path = next(path for path in SPECS if path.stem == "mlp")
    edited = emit(program_of(path)).replace("super().__init__()", act, 1)
    verdict = verdict_of(path, edited)
    assert verdict.outcome == "regressed"
    assert verdict.findings[0].what == "run"
