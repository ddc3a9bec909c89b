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

from specc.catalog import FUNCTIONS, LAYERS, LOSSES
from specc.catalog.facts.autocast import (
    ALIKE,
    LOWERED,
    NEVER,
    RAISED,
    WITHOUT_HALF,
    Fed,
    refusal,
    result_precision,
)
from specc.catalog.rows import FunctionRow, LayerRow, RuleError

# Not the table's: oneDNN has an LSTM in float16 on some machines alone, and which of the gated
# layer's states are lower depends on whether it was asked.
MACHINES = ("could not create a primitive",)
UNSETTLED = ("LSTM", "LSTMCell")
# Whether the gradient of this one mixes precisions depends on what it is asked by.
STRICTER = ("addr",)
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


# Those that the table speaks of, and some of the others.
SPOKEN_OF = frozenset().union(*LOWERED.values(), *RAISED.values(), *ALIKE.values(), *NEVER.values(),
                              *WITHOUT_HALF.values())  # fmt: skip
SOME = [row for place, row in enumerate(ROWS)
        if row.torch.rpartition(".")[2] in SPOKEN_OF or place % 16 == 0]  # fmt: skip


@pytest.mark.parametrize("part", range(8))
def test_autocast_is_as_torchs(part: int) -> None:
    for row in SOME[part::8]:
        hold(row, 4)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_autocast_is_as_torchs_in_every_row(row: FunctionRow | LayerRow) -> None:
    hold(row, 30)


def hold(row: FunctionRow | LayerRow, count: int) -> None:
    """Holds ``count`` drawn calls of ``row``, in every mixture of precisions, against torch."""

    @settings(max_examples=count, deadline=None, database=None, derandomize=True,
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
        every = [each for value in tensors.values()
                 for each in (value if isinstance(value, tuple) else (value,))]  # fmt: skip
        # torch makes float16 pairs of a single complex number beside a tensor of float16.
        if not given_floats or any(each.is_complex and not each.shape for each in every):
            return
        # Of one row, column or entry some products are none.
        small = any(size == 1 for each in every for size in each.shape)
        try:
            measured(row, args, tensors, ["float32"] * len(given_floats), None)
        except Refused:  # without autocast: the checks of another part
            return
        name = row.torch.rpartition(".")[2]
        for low in ("bfloat16", "float16"):
            for pattern in patterns(len(given_floats), low):
                fed = [
                    Fed(argument, precision, len(each.shape))
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
                if small or row.name in STRICTER:
                    continue
                assert refused is None, f"torch takes it: {shown}"
                if row.name not in UNSETTLED and found:
                    wanted = result_precision(name, "cpu", low, call.args, fed)
                    assert set(found) == {wanted}, shown

    check()


# ── losses ───────────────────────────────────────────────────────────────────────────────────────

X, Y, K = torch.rand(3, 4), torch.rand(3, 4), torch.tensor([0, 1, 2])
SIGNS = torch.tensor([1.0, -1.0, 1.0])
LENGTHS = torch.tensor([2, 2, 2])
OF_LOSSES: dict[str, Any] = {
    **{name: lambda f, x, y: f(x, y) for name in (
        "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div", "poisson_nll_loss",
        "binary_cross_entropy_with_logits", "soft_margin_loss", "hinge_embedding_loss",
        "multilabel_soft_margin_loss", "binary_cross_entropy",
    )},
    **{name: lambda f, x, y: f(x, K) for name in (
        "cross_entropy", "nll_loss", "multi_margin_loss",
    )},
    "gaussian_nll_loss": lambda f, x, y: f(x, y, torch.ones(3, 4)),
    "cosine_embedding_loss": lambda f, x, y: f(x, y, SIGNS),
    "triplet_margin_loss": lambda f, x, y: f(x, y, x + 1),
    "triplet_margin_with_distance_loss": lambda f, x, y: f(x, y, x + 1),
    "margin_ranking_loss": lambda f, x, y: f(x, y, SIGNS[:, None]),
    "multilabel_margin_loss": lambda f, x, y: f(x, torch.zeros(3, 4, dtype=torch.int64)),
    "ctc_loss": lambda f, x, y: f(
        x[None].expand(3, 3, 4), torch.ones(3, 2).long(), LENGTHS + 1, LENGTHS
    ),
}  # fmt: skip


def test_every_loss_is_computed_in_what_it_is_said_to_be() -> None:
    assert {row.torch.partition(".")[2] for row in LOSSES.values()} == set(OF_LOSSES)
    for name, call in OF_LOSSES.items():
        function = getattr(torch.nn.functional, name)
        for low in ("bfloat16", "float16"):
            for kinds in patterns(2, low):
                x, y = (
                    tensor.to(getattr(torch, kind)).requires_grad_(place == 0)
                    for place, (tensor, kind) in enumerate(zip((X, Y), kinds, strict=True))
                )
                with torch.autocast("cpu", dtype=getattr(torch, low)):
                    found = call(function, x, y)
                found.float().sum().backward()
                if name in UNSAID:
                    continue
                fed = [Fed("input", kinds[0]), Fed("target", kinds[1])]
                assert refusal(name, "cpu", low, {}, fed) is None
                wanted = result_precision(name, "cpu", low, {}, fed)
                assert str(found.dtype) == f"torch.{wanted}", (name, kinds)


# Of their other tensors, which these calls have in float32 or make of the first.
UNSAID = ("gaussian_nll_loss", "triplet_margin_with_distance_loss", "multilabel_soft_margin_loss")


# ── CUDA's lists ─────────────────────────────────────────────────────────────────────────────────

HEADER = Path(torch.__file__).parent / "include" / "ATen" / "autocast_mode.h"
# What a row is called in the header, where that is not its own name; layers are of functions.
_THERE = {
    "matmul": "matmul", "vecdot": "linalg_vecdot", "multi_dot": "linalg_multi_dot",
    "vector_norm": "linalg_vector_norm",
}  # fmt: skip


def listed(macro: str) -> set[str]:
    text = HEADER.read_text("utf-8")
    found = re.search(rf"#define {macro}\(_\)(.*?)\n\n", text, re.DOTALL)
    assert found is not None
    return set(re.findall(r"_\((\w+)", found.group(1)))


@pytest.mark.skipif(not HEADER.exists(), reason="this torch has no headers")
def test_cudas_lists_are_torchs() -> None:
    lower = listed("AT_FORALL_LOWER_PRECISION_FP")
    raised = listed("AT_FORALL_FP32") | listed("AT_FORALL_FP32_SET_OPT_DTYPE")
    widest = listed("AT_FORALL_PROMOTE")
    functions = {row.torch.rpartition(".")[2] for row in FUNCTIONS.values()}
    losses = {row.torch.rpartition(".")[2] for row in LOSSES.values()}
    for name in functions | losses:
        there = _THERE.get(name, name)
        if there in lower:
            assert name in LOWERED["cuda"], name
        if there in raised:
            assert name in RAISED["cuda"], name
        if there in widest:
            assert name not in LOWERED["cuda"] | RAISED["cuda"] | ALIKE["cuda"], name
