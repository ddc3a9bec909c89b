"""Every row's signature against the installed torch: names, order, defaults, choices.

Whatever torch has and a row has not stands in ``specc.drift.left_out`` with its reason, so that a
new argument in a new torch fails here. ``specc catalog --drift`` compares with the same code.
"""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
import typing
from dataclasses import replace
from typing import Any

import pytest

import specc.catalog as catalog
from specc.catalog import (
    CLIPS,
    FUNCTIONS,
    INITS,
    LAYERS,
    LOSSES,
    METRICS,
    OPTIMIZERS,
    SCHEDULERS,
    examples,
)
from specc.catalog.rows import LayerRow, Row
from specc.drift.coverage import is_later
from specc.drift.signature_drift import callable_of, differences, parameters
from specc.suggestions import nearest

CASES = [*examples.cases()]


@pytest.mark.parametrize(("kind", "row"), CASES, ids=[row.name for _, row in CASES])
def test_a_rows_arguments_are_torchs(kind: str, row: Row) -> None:
    if is_later(row):
        pytest.skip(f"torch has it since {row.since}")
    assert differences(kind, row) == ()


SGD, LINEAR, MSE, RELU = OPTIMIZERS["SGD"], LAYERS["Linear"], LOSSES["MSELoss"], FUNCTIONS["relu"]


@pytest.mark.parametrize(
    ("kind", "row", "said"),
    [
        ("layer", replace(LINEAR, signature="in_features: size = ?, bias: bool = True"),
         "torch has `out_features`, and the row has not"),
        ("layer", replace(LINEAR, forward="input: tensor, gain: float = 1.0"),
         "forward: the row has `gain`, and torch has not"),
        ("optimizer", replace(SGD, signature=SGD.signature.replace("0.001", "0.1", 1)),
         "`lr` is 0.001 in torch, and 0.1 in the row"),
        ("optimizer", replace(SGD, signature=SGD.signature.replace("*, ", "")),
         "`maximize` is for the name alone in torch"),
        ("loss", replace(MSE, signature="input: tensor, target: tensor, *, reduction: str = 'sum'"),
         "`reduction` is 'mean' in torch, and 'sum' in the row"),
        ("function", replace(FUNCTIONS["pad"], signature="input: tensor, mode: str = 'constant', "
         "pad: ints, value: float | none = None"),
         "torch's order is `input`, `pad`, `mode`, `value`"),
        ("function", replace(RELU, signature="value: tensor"),
         "torch has `input`, and the row has not"),
        ("scheduler", replace(SCHEDULERS["StepLR"], monitors=True),
         "`step` is told what it watches in one of the two alone"),
    ],
    ids=lambda value: value if isinstance(value, str) and "`" not in value else "",
)  # fmt: skip
def test_what_differs_from_torch_is_said(kind: str, row: Row, said: str) -> None:
    assert said in differences(kind, row)


def _literal(annotation: Any) -> tuple[str, ...]:
    """The strings of a ``Literal``, which torch's schedulers keep as text."""
    if isinstance(annotation, str) and annotation.startswith("Literal["):
        return tuple(
            ast.literal_eval(f"({annotation.removeprefix('Literal[').removesuffix(']')},)")
        )
    return typing.get_args(annotation) if typing.get_origin(annotation) is typing.Literal else ()


def test_choices_are_those_that_torch_annotates() -> None:
    compared = 0
    for row in [*SCHEDULERS.values(), *INITS.values(), *LAYERS.values()]:
        target = callable_of(row)
        torchs = parameters(target.__init__ if inspect.isclass(target) else target)
        for name, choices in row.choices.items():
            literal = _literal(torchs[name].annotation) if name in torchs else ()
            # ConvTranspose's padding_mode is annotated as Conv's, and refused but for "zeros".
            if literal and not row.name.startswith("ConvTranspose"):
                assert set(choices) == set(literal), (row.name, name)
                compared += 1
    assert compared >= 8


# ── the tables ───────────────────────────────────────────────────────────────────────────────────

TABLES = {name: getattr(catalog, name) for name in catalog.__all__}


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_sound(table: str) -> None:
    for name, row in TABLES[table].items():
        assert row.name == name
        assert row.summary
        assert len({argument.name for argument in row.arguments}) == len(row.arguments)
        for argument, choices in row.choices.items():
            assert "str" in row.by_name[argument].types
            default = row.by_name[argument].default
            assert not isinstance(default, str) or default in choices
        for names in row.positional:
            assert set(names) <= set(row.by_name)
        if isinstance(row, LayerRow):
            told = {argument.name for argument in row.arguments if argument.inferred}
            assert told == set(row.infer)


def test_a_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        LAYERS["Linear"] = LAYERS["Conv2d"]  # type: ignore[index]  # that is the point


# A metric stands after `metric`, where no layer can.
TWO_THINGS = {"CosineSimilarity": {"LAYERS", "METRICS"}}


def test_no_name_is_two_things() -> None:
    seen: dict[str, str] = {}
    for table in ("LAYERS", "FUNCTIONS", "LOSSES", "METRICS"):
        for name in TABLES[table]:
            if name in seen and TWO_THINGS.get(name) == {seen[name], table}:
                continue
            assert name not in seen, f"{name} is in {seen.get(name)} and {table}"
            seen[name] = table


def test_there_is_enough_to_say() -> None:
    assert len(LAYERS) >= 50
    assert len(FUNCTIONS) >= 45
    assert len(LOSSES) >= 12
    assert len(OPTIMIZERS) >= 10
    assert len(SCHEDULERS) >= 10
    assert len(METRICS) >= 100
    assert len(CLIPS) == 2


def test_importing_the_catalogue_imports_no_torch_and_parses_nothing() -> None:
    code = (
        "import sys, specc.catalog as c, specc.catalog.rows as r\n"
        "assert 'torch' not in sys.modules\n"
        "assert not any('arguments' in vars(row) for row in c.LAYERS.values())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "table", "wanted"),
    [
        ("batchnorm2d", LAYERS, "BatchNorm2d"),
        ("Conv2D", LAYERS, "Conv2d"),
        ("Relu", LAYERS, "ReLU"),
        ("log_soft_max", FUNCTIONS, "log_softmax"),
        ("adamw", OPTIMIZERS, "AdamW"),
        ("CosineAnealingLR", SCHEDULERS, "CosineAnnealingLR"),
        ("Zxqv", LAYERS, None),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_one(
    name: str, table: dict[str, Row], wanted: str | None
) -> None:
    assert nearest(name, table) == wanted
