"""Every row's signature against the installed torch: names, order, defaults, choices.

Whatever torch has and a row has not stands in ``LEFT_OUT`` with its reason, so that a new argument
in a new torch fails here. Builtins without a Python signature are compared with their
operator's schema.
"""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
import typing
from typing import Any

import pytest
import torch
from catalog_oracle import torch_callable
from torch import nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

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
    WRAPPERS,
    suggest,
)
from specc.catalog.rows import INFERRED, REQUIRED, Argument, FunctionRow, LayerRow, Row

LEFT_OUT = {
    "device": "the run chooses it",
    "dtype": "the run chooses it",
    "inplace": "it would change a value that another line reads",
    "layout": "dense",
    "pin_memory": "a loader's affair",
    "memory_format": "the run's layout",
    "sparse_grad": "gradients are dense",
    "out": "a value is never written into",
    "generator": "the seed is the run's",
    "last_epoch": "resuming is a checkpoint's affair",
    "size_average": "deprecated",
    "reduce": "deprecated",
    "recompute_scale_factor": "it changes how sizes are computed, for old exports",
    "scale_fn": "a function is no data",
    "decoupled_weight_decay": "Adam's: torch 2.6 has it not, and AdamW is it",
    "_weight": "private",
    "_freeze": "private",
    "_stacklevel": "private",
    "training": "the emitted source passes self.training",
    "dropout_p": "torch applies it in evaluation as well",
    "min_value": "deprecated",
    "output_size": "the other arguments say it",
    "max_value": "deprecated",
    "include_last_offset": "bags of one length have no offsets",
    "offsets": "as include_last_offset",
    "per_sample_weights": "for the sum alone: a product says it",
    "args": "ignored by torch",
    "kwargs": "ignored by torch",
}
# (row, argument): a default that is a function in torch, which the name stands for.
NAMED_DEFAULTS = {
    ("TransformerEncoderLayer", "activation"): F.relu,
    ("TransformerDecoderLayer", "activation"): F.relu,
}
# (row, argument): arguments of these names are left out of these rows alone.
LEFT_OUT_HERE = {
    **{
        (f"{kind}Norm{dims}d", "bias"): "torch 2.6 has it not"
        for kind in ("Batch", "Instance")
        for dims in (1, 2, 3)
    },
    ("GroupNorm", "bias"): "torch 2.6 has it not",
    ("embedding", "max_norm"): "it would change the table",
    ("embedding", "norm_type"): "as max_norm",
    ("cdist", "compute_mode"): "how, not what",
    ("MultiheadAttention", "need_weights"): "its other result would be nothing",
    **{
        (name, hint): "a hint that torch takes beside the mask itself"
        for name in ("MultiheadAttention", "TransformerEncoderLayer", "TransformerDecoderLayer")
        for hint in ("is_causal", "tgt_is_causal", "memory_is_causal")
    },
    ("TripletMarginWithDistanceLoss", "distance_function"): "a function is no data",
    ("triplet_margin_with_distance_loss", "distance_function"): "a function is no data",
    **{
        (name, "weight"): "the class has it not"
        for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
    },
    **{
        (name, "weight"): "the class has it not"
        for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss")
    },
}


def _parameters(target: Any) -> dict[str, inspect.Parameter]:
    found = dict(inspect.signature(target).parameters)
    found.pop("self", None)
    return found


def _default(argument: Argument) -> Any:
    return inspect.Parameter.empty if argument.default in (REQUIRED, INFERRED) else argument.default


def _skipped(row: Row, name: str) -> bool:
    return name not in row.by_name and _left_out(row, name)


def _left_out(row: Row, name: str) -> bool:
    return name in LEFT_OUT or (row.name, name) in LEFT_OUT_HERE


def _same_default(ours: Any, torchs: Any) -> bool:
    if isinstance(torchs, float | int) and not isinstance(torchs, bool):
        return isinstance(ours, float | int) and float(ours) == float(torchs)
    return bool(ours == torchs and type(ours) is type(torchs)) or (
        isinstance(torchs, tuple) and ours == torchs
    )


def _compare(row: Row, torchs: dict[str, inspect.Parameter]) -> None:
    kept = {name: p for name, p in torchs.items() if not _skipped(row, name)}
    assert list(row.by_name) == list(kept), row.name
    for name, parameter in kept.items():
        ours = _default(row.by_name[name])
        if (row.name, name) in NAMED_DEFAULTS:
            assert parameter.default is NAMED_DEFAULTS[row.name, name]
            assert parameter.default is getattr(F, str(ours))
        elif row.by_name[name].inferred:
            assert parameter.default is inspect.Parameter.empty
        else:
            assert _same_default(ours, parameter.default), (row.name, name, ours, parameter.default)


RECURRENT = {"RNN", "GRU", "LSTM"}


@pytest.mark.parametrize(
    "row", [row for row in LAYERS.values() if row.name not in RECURRENT], ids=lambda row: row.name
)
def test_a_layers_arguments_are_torchs(row: LayerRow) -> None:
    torchs = _parameters(torch_callable(row).__init__)
    if row.name.startswith("AvgPool"):  # declared without Optional, and None by default
        assert torchs["stride"].default is None
    _compare(row, torchs)


@pytest.mark.parametrize("name", sorted(RECURRENT))
def test_a_recurrent_layers_arguments_are_torchs(name: str) -> None:
    # LSTM and its like take *args; the first overload of each names them.
    row = LAYERS[name]
    (overload, *_) = typing.get_overloads(torch_callable(row).__init__)
    _compare(row, _parameters(overload))


@pytest.mark.parametrize("row", LAYERS.values(), ids=lambda row: row.name)
def test_what_a_layer_is_fed_is_torchs(row: LayerRow) -> None:
    found = _parameters(torch_callable(row).forward)
    ours = {argument.name: argument for argument in row.forward_arguments}
    # The first is always given by place: RMSNorm's is called x.
    torchs = dict(zip([next(iter(ours)), *list(found)[1:]], found.values(), strict=True))
    kept = [name for name in torchs if name in ours or not _left_out(row, name)]
    assert list(ours) == kept
    by_place = [name for name, argument in ours.items() if not argument.keyword_only]
    assert by_place == list(torchs)[: len(by_place)]
    for name, argument in ours.items():
        assert _same_default(_default(argument), torchs[name].default), (row.name, name)


ROWS_WITH_SIGNATURES = [*OPTIMIZERS.values(), *INITS.values(), *WRAPPERS.values()]


@pytest.mark.parametrize("row", ROWS_WITH_SIGNATURES, ids=lambda row: row.name)
def test_an_optimizers_inits_or_wrappers_arguments_are_torchs(row: Row) -> None:
    torchs = _parameters(torch_callable(row))
    first = next(iter(torchs))
    assert first in ("params", "tensor", "module")
    del torchs[first]
    _compare(row, torchs)
    for name, parameter in torchs.items():
        if name in row.by_name:
            named = parameter.kind is inspect.Parameter.KEYWORD_ONLY
            assert row.by_name[name].keyword_only == named, (row.name, name)


@pytest.mark.parametrize("row", SCHEDULERS.values(), ids=lambda row: row.name)
def test_a_schedulers_arguments_are_torchs(row: Row) -> None:
    torchs = _parameters(torch_callable(row))
    del torchs["optimizer"]
    _compare(row, torchs)
    needs_value = "metrics" in _parameters(torch_callable(row).step)
    assert SCHEDULERS[row.name].monitors == needs_value


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
        target = torch_callable(row)
        torchs = _parameters(target.__init__ if inspect.isclass(target) else target)
        for name, choices in row.choices.items():
            literal = _literal(torchs[name].annotation) if name in torchs else ()
            # ConvTranspose's padding_mode is annotated as Conv's, and refused but for "zeros".
            if literal and not row.name.startswith("ConvTranspose"):
                assert set(choices) == set(literal), (row.name, name)
                compared += 1
    assert compared >= 8


@pytest.mark.parametrize("row", LOSSES.values(), ids=lambda row: row.name)
def test_a_losss_arguments_are_those_of_its_class_and_its_function(row: FunctionRow) -> None:
    function = _parameters(torch_callable(row))
    constructor = _parameters(getattr(nn, row.name).__init__)
    tensors = [a.name for a in row.arguments if a.is_tensor and a.required]
    forward = list(_parameters(getattr(nn, row.name).forward))
    assert tensors == list(function)[: len(tensors)]
    assert len(tensors) == len(forward)
    settings = [a for a in row.arguments if a.name not in tensors]
    assert all(argument.keyword_only for argument in settings)
    assert {a.name for a in settings} == {n for n in constructor if not _skipped(row, n)}
    for argument in settings:
        for torchs in (function, constructor):
            default = torchs[argument.name].default
            assert _same_default(argument.default, default), (row.name, argument.name, default)
    extra = {n for n in function if n not in constructor and n not in tensors}
    assert all((row.name, n) in LEFT_OUT_HERE for n in extra), extra


# ── functions ────────────────────────────────────────────────────────────────────────────────────

# Python-level arguments that the operator's schema calls otherwise, or that belong to an overload.
OVERLOADS = {
    "sum": "sum.dim_IntList",
    "mean": "mean.dim",
    "var": "var.correction",
    "std": "std.correction",
    "any": "any.dims",
    "max": "max.dim",
    "lerp": "lerp.Tensor",
    "movedim": "movedim.intlist",
    "scatter": "scatter.src",
    "repeat_interleave": "repeat_interleave.self_int",
    "min": "min.dim",
    "prod": "prod.dim_int",
    "eye": "eye.m",
    "all": "all.dims",
    "where": "where.self",
    "masked_fill": "masked_fill.Scalar",
    "flatten": "flatten.using_ints",
    "unflatten": "unflatten.int",
    "transpose": "transpose.int",
    "squeeze": "squeeze.dims",
    "unbind": "unbind.int",
    "vector_norm": "linalg_vector_norm.default",
    "logsigmoid": "log_sigmoid.default",
    "arange": "arange.start_step",
}
# What the schema cannot say, and why.
SCHEMA_DEFAULTS = {
    ("arange", "start"): "torch.arange(end) is another overload",
    ("one_hot", "num_classes"): "-1 would count the classes in the data",
    ("sum", "dim"): "without dim torch has another overload",
    ("mean", "dim"): "as sum",
    ("max", "dim"): "as sum",
    ("min", "dim"): "as sum",
    ("prod", "dim"): "as sum",
    ("eye", "m"): "as sum",
    ("var", "correction"): "None means 1",
    ("std", "correction"): "None means 1",
}
SCHEMA_NAMES = {
    ("split", "self"): "tensor",
    ("split", "split_size"): "split_size_or_sections",
    ("*", "self"): "input",
}


def _schema(row: FunctionRow) -> dict[str, Any]:
    name, _, overload = OVERLOADS.get(row.name, f"{row.torch.split('.')[-1]}.default").partition(
        "."
    )
    operator = getattr(getattr(torch.ops.aten, name), overload)
    found: dict[str, Any] = {}
    for argument in operator._schema.arguments:
        ours = SCHEMA_NAMES.get((row.name, argument.name)) or (
            SCHEMA_NAMES.get(("*", argument.name)) or argument.name
        )
        default = (
            argument.default_value if argument.has_default_value() else inspect.Parameter.empty
        )
        found[ours] = default
    return found


def _python_signature(row: FunctionRow) -> dict[str, inspect.Parameter] | None:
    target = torch_callable(row)
    inner = getattr(target, "__wrapped__", target)
    try:
        found = _parameters(inner)
    except (ValueError, TypeError):
        return None
    return None if set(found) <= {"args", "kwargs"} else found


@pytest.mark.parametrize(
    "row",
    [row for row in FUNCTIONS.values() if not any(a.variadic for a in row.arguments)],
    ids=lambda row: row.name,
)
def test_a_functions_arguments_are_torchs(row: FunctionRow) -> None:
    python = _python_signature(row)
    torchs = (
        {name: parameter.default for name, parameter in python.items()} if python else _schema(row)
    )
    kept = {name: default for name, default in torchs.items() if not _skipped(row, name)}
    ours = list(row.by_name)
    if row.name.startswith("max_pool"):
        ours.remove("return_indices")
    assert ours == list(kept), row.name
    for name, default in kept.items():
        if (row.name, name) in SCHEMA_DEFAULTS:
            continue
        given = _default(row.by_name[name])
        if default in ([], None) and given in (None, ()):
            continue
        if isinstance(default, list) and default and set(default) == {given}:
            continue  # a list of one number, or the same number for each dimension
        assert _same_default(given, default), (row.name, name, given, default)


# ── the tables ───────────────────────────────────────────────────────────────────────────────────

TABLES = {name: getattr(catalog, name) for name in catalog.__all__ if name != "suggest"}


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


def test_no_name_is_two_things() -> None:
    seen: dict[str, str] = {}
    for table in ("LAYERS", "FUNCTIONS", "LOSSES", "METRICS"):
        for name in TABLES[table]:
            assert name not in seen, f"{name} is in {seen.get(name)} and {table}"
            seen[name] = table


def test_there_is_enough_to_say() -> None:
    assert len(LAYERS) >= 50
    assert len(FUNCTIONS) >= 45
    assert len(LOSSES) >= 12
    assert len(OPTIMIZERS) >= 10
    assert len(SCHEDULERS) >= 10
    assert len(METRICS) == 6
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
        ("LayerNormalization", LAYERS, "LayerNorm"),
        ("Crossentropy", LOSSES, "CrossEntropyLoss"),
        ("log_soft_max", FUNCTIONS, "log_softmax"),
        ("adamw", OPTIMIZERS, "AdamW"),
        ("CosineAnealingLR", SCHEDULERS, "CosineAnnealingLR"),
        ("Zxqv", LAYERS, None),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_one(
    name: str, table: dict[str, Row], wanted: str | None
) -> None:
    assert suggest(name, table) == wanted


def test_metrics_are_called_by_torchmetrics_names() -> None:
    assert list(METRICS) == [
        "Accuracy", "Precision", "Recall", "F1Score", "MeanSquaredError", "MeanAbsoluteError",
    ]  # fmt: skip
