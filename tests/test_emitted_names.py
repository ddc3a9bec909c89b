"""The names that an emitted file has of its own, held to what the emitter writes."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from specc import front, ir
from specc.emit import emit
from specc.emitted_names import (
    CALLED_BY_CONSTRUCTORS,
    EMITTED_GLOBALS,
    EMITTED_METHODS,
    IMPORTED,
    RESERVED,
    STEP_VARIABLES,
    VARIABLES,
    average_method,
    methods_of_step,
)
from specc.errors import SpecError
from specc.semantics import analyse

ROOT = Path(__file__).resolve().parent.parent


@cache
def zoo() -> tuple[tuple[ir.Program, str], ...]:
    programs = (front.read(path) for path in sorted((ROOT / "specs").glob("*.spec")))
    return tuple((program, emit(program)) for program in programs)


def classes(source: str) -> Iterator[ast.ClassDef]:
    return (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))


def test_no_method_has_a_name_that_is_not_known() -> None:
    of_torch = {"__init__", "forward", "train"}
    steps = 0
    for program, source in zoo():
        known = EMITTED_METHODS | of_torch
        for step in program.train.steps if program.train else ():
            if step.name:
                steps += 1
                known |= set(methods_of_step(step.name).values())
        for member in program.train.members if program.train else ():
            known |= {average_method(member.attribute)}
        for made in classes(source):
            methods = {node.name for node in made.body if isinstance(node, ast.FunctionDef)}
            # What a class says of its own, beside: under an underscore, where no spec can.
            assert {name for name in methods if not name.startswith("_")} <= known, made.name
    assert steps


def test_what_a_file_imports_is_known() -> None:
    found: set[str] = set()
    for _, source in zoo():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                found |= {(each.asname or each.name).partition(".")[0] for each in node.names}
    assert {"torch", "nn", "F", "Tensor"} <= found
    assert found <= EMITTED_GLOBALS
    assert IMPORTED <= EMITTED_GLOBALS and RESERVED <= EMITTED_GLOBALS


def test_what_a_constructor_calls_is_kept_from_its_arguments() -> None:
    kept = CALLED_BY_CONSTRUCTORS - {"_", "self"}
    assert kept <= EMITTED_GLOBALS
    for _, source in zoo():
        for made in classes(source):
            for node in made.body:
                if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                    assert not kept & {each.arg for each in node.args.args}


def test_the_variables_of_a_training_step_hide_nothing_that_it_calls() -> None:
    found: set[str] = set()
    for _, source in zoo():
        for made in symtable.symtable(source, "emitted", "exec").get_children():
            for function in made.get_children():
                if function.get_name() == "training_step":
                    own = {each.get_name() for each in function.get_symbols() if each.is_local()}
                    assert own & RESERVED <= {"self"}
                    found |= own
    assert {"terms", "optimizer"} <= found & STEP_VARIABLES


def test_what_the_methods_that_train_call_their_own_hides_no_helper() -> None:
    assert STEP_VARIABLES - {"weight", "closure", "evaluations"} <= VARIABLES


@pytest.mark.parametrize("name", ["partial", "Callable", "load_file"])
def test_no_class_has_the_name_of_what_some_files_import(name: str) -> None:
    """A block called so stood before what a layer is chosen by, and was called in its place."""
    source = (
        f"spec 1\nblock {name} {{\n  input x: float[N, D]\n  output x -> Linear(D)\n}}\n"
        "block Unit(norm: layer = GroupNorm(2, eps=1e-3)) {\n  input x: float[N, D]\n"
        "  output x -> norm\n}\n"
        f"model M {{\n  input x: float[N, 16]\n  output x -> {name} -> Unit\n}}\n"
    )
    with pytest.raises(SpecError) as caught:
        analyse(source, "m.spec")
    first = caught.value.diagnostics()[0]
    assert (first.code, first.span and first.span.line) == ("E0205", 2)
    assert f"`{name}` is a name that the emitted source uses itself" in first.message
