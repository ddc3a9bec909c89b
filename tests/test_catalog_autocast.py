"""What autocast feeds and gives, held against torch: every layer and function in every mixture of
precisions on the CPU, forward and backward; CUDA's lists against torch's own header."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from autocast_oracle import Refused, floats_of, measured, patterns
from catalog_function_cases import GENERATORS as OF_FUNCTIONS
from catalog_layer_cases import GENERATORS as OF_LAYERS
from catalog_oracle import call_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specc.catalog import FUNCTIONS, LAYERS
from specc.catalog.autocast import (
    LOWERED,
    NEVER,
    RAISED,
    Fed,
    refusal,
    result_precision,
)
from specc.catalog.rows import FunctionRow, LayerRow, RuleError

# Not the table's: oneDNN has an LSTM in float16 on some machines alone, and which of the gated
# layer's states are lower depends on whether it was asked.
MACHINES = ("could not create a primitive",)
UNSETTLED = ("LSTM", "LSTMCell")
# Casts into what another row of the run asks for; results that are no floats of their own.
APART = ("float", "broadcast_tensors", "atleast_1d", "atleast_2d", "atleast_3d")
ROWS = [
    row
    for row in (*FUNCTIONS.values(), *LAYERS.values())
    if row.family not in ("loss", "creation") and row.name not in APART
]


def cases(row: FunctionRow | LayerRow, draw: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    table = OF_LAYERS if isinstance(row, LayerRow) else OF_FUNCTIONS
    return table[row.family](draw, row)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_autocast_is_as_torchs(row: FunctionRow | LayerRow) -> None:
    @settings(max_examples=12, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.data())
    def check(data: st.DataObject) -> None:
        args, tensors = cases(row, data.draw)
        try:
            call = call_of(row, args, tensors)
            row.shape(call)
        except RuleError:
            return
        given_floats = floats_of(row, tensors)
        if not given_floats:
            return
        try:
            measured(row, args, tensors, ["float32"] * len(given_floats), None)
        except Refused:  # without autocast: the checks of another part
            return
        name = row.torch.rpartition(".")[2]
        for low in ("bfloat16", "float16"):
            for pattern in patterns(len(given_floats), low):
                fed = [
                    Fed(argument, precision, each.shape == ())
                    for (argument, each), precision in zip(given_floats, pattern, strict=True)
                ]
                refused = refusal(name, "cpu", low, call.args, fed)
                shown = f"{row.name} {args} {tensors} {fed}"
                try:
                    found = measured(row, args, tensors, pattern, low)
                except Refused as fault:
                    if not any(part in str(fault) for part in MACHINES):
                        assert refused is not None, f"{fault}: {shown}"
                    continue
                assert refused is None, f"torch takes it: {shown}"
                if row.name not in UNSETTLED and found:
                    wanted = result_precision(name, "cpu", low, call.args, fed)
                    assert set(found) == {wanted}, shown

    check()
