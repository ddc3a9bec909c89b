"""Multiply-adds against torch's own counter: each row of the catalogue, over generated calls.

``FlopCounterMode`` counts two operations for one multiply-add. It counts no product of a vector,
and nothing inside a kernel that it does not know: those are worked out by hand here.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import catalog_function_cases
import catalog_layer_cases
import pytest
import torch
from catalog_oracle import call_of, refusal, torch_function, torch_layer, zeros
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from specc.catalog import FUNCTIONS, LAYERS
from specc.catalog.rows import Call, FunctionRow, LayerRow
from specc.inspect import multiply
from specc.ir import TensorType

Types = Mapping[str, Any]


def counted(run: Callable[[], Any]) -> int:
    """torch's count of the multiply-adds of ``run()``."""
    # The CPU's fused attention and LSTM are kernels that the counter does not know.
    with (
        sdpa_kernel(SDPBackend.MATH),
        torch.backends.mkldnn.flags(enabled=False),
        FlopCounterMode(display=False) as counter,
    ):
        run()
    assert counter.get_total_flops() % 2 == 0
    return counter.get_total_flops() // 2


def shapes(result: Any) -> tuple[tuple[int, ...], ...]:
    if isinstance(result, TensorType):
        return (tuple(int(str(size)) for size in result.shape),)
    return tuple(shape for item in result for shape in shapes(item))


def inputs(types: Types) -> dict[str, tuple[int, ...]]:
    found = {}
    for name, given_type in types.items():
        several = shapes(given_type)
        if isinstance(given_type, tuple):
            found.update({f"{name}.{i}": shape for i, shape in enumerate(several)})
        else:
            found[name] = several[0]
    return found


def numbers(call: Call, row: LayerRow | FunctionRow) -> multiply.ConcreteCall:
    weights = row.parameters(call) if isinstance(row, LayerRow) else ()
    return multiply.ConcreteCall(
        call.args,
        inputs(call.tensors),
        shapes(row.shape(call)),
        {name: tuple(int(str(size)) for size in shape) for name, shape in weights},
    )


def layer_run(row: LayerRow, call: Call) -> Any:
    module = torch_layer(row, call)
    tensors = {name: zeros(tensor) for name, tensor in call.tensors.items()}
    tensors = {name: tuple(x) if isinstance(x, list) else x for name, x in tensors.items()}
    placed = [tensors.pop(a.name) for a in row.forward_arguments if a.required]
    asked = {a.name: call.args[a.name] for a in row.forward_arguments if a.name in call.args}
    return module(*placed, **tensors, **asked)


def uncounted(row: LayerRow | FunctionRow, work: multiply.ConcreteCall) -> bool:
    """Whether torch's counter passes over this call: by name a product with a vector (``mv``), in
    einsum a size of 1, which torch multiplies without a matrix product."""
    if row.name in ("Bilinear", "bilinear", "mv", "addmv", "addbmm"):
        return True  # their kernels are such that the counter does not know
    if row.name == "tensordot" and math.prod(work.outputs[0]) == 1:
        return True  # torch takes the inner product of two vectors
    if row.name in ("matmul", "linear", "Linear", "inner", "multi_dot", "tensordot"):
        return any(len(shape) < 2 for shape in work.inputs.values())
    return row.name == "einsum" and any(1 in shape for shape in work.inputs.values())


Generate = Callable[..., Any]
Run = Callable[[Call, dict[str, Any], Types], Any]


def compare(
    row: LayerRow | FunctionRow, generate: Generate, rule: multiply.Rule | None, run: Run
) -> None:
    compared, largest = 0, 0

    @settings(
        max_examples=30 if rule else 20,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal compared, largest
        args, tensors = generate(data.draw, row)
        call, refused = refusal(lambda: call_of(row, args, tensors))
        if refused is None:
            work, refused = refusal(lambda: numbers(call, row))
        if refused is not None or uncounted(row, work):
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = counted(lambda: run(call, args, tensors))
        assert (rule(work) if rule else 0) == theirs, (args, tensors)
        compared, largest = compared + 1, max(largest, theirs)

    check()
    if row.name not in ("Bilinear", "bilinear", "mv", "addmv", "addbmm"):
        assert compared
        assert bool(largest) == bool(rule), "what multiplies has a rule, and nothing else has"


@pytest.mark.parametrize("row", LAYERS.values(), ids=lambda row: row.name)
def test_a_layers_multiply_adds_are_torchs(row: LayerRow) -> None:
    compare(
        row,
        catalog_layer_cases.GENERATORS[row.family],
        multiply.LAYERS.get(row.name),
        lambda call, args, tensors: layer_run(row, call),
    )


@pytest.mark.parametrize(
    "row",
    [row for row in FUNCTIONS.values() if row.family != "loss"],
    ids=lambda row: row.name,
)
def test_a_functions_multiply_adds_are_torchs(row: FunctionRow) -> None:
    compare(
        row,
        catalog_function_cases.GENERATORS[row.family],
        multiply.FUNCTIONS.get(row.name),
        lambda call, args, tensors: torch_function(row, args, tensors),
    )


def test_no_rule_is_for_a_name_that_there_is_not() -> None:
    assert multiply.LAYERS.keys() <= LAYERS.keys()
    assert multiply.FUNCTIONS.keys() <= FUNCTIONS.keys()


@pytest.mark.parametrize(
    ("name", "call", "expected"),
    [
        ("matmul", multiply.ConcreteCall({}, {"input": (5,), "other": (5,)}, ((),)), 5),
        ("matmul", multiply.ConcreteCall({}, {"input": (2, 3, 5), "other": (5,)}, ((2, 3),)), 30),
        ("matmul", multiply.ConcreteCall({}, {"input": (5,), "other": (5, 7)}, ((7,),)), 35),
        ("linear", multiply.ConcreteCall({}, {"input": (5,), "weight": (7, 5)}, ((7,),)), 35),
    ],
)
def test_products_with_a_vector(name: str, call: multiply.ConcreteCall, expected: int) -> None:
    assert multiply.FUNCTIONS[name](call) == expected


def test_a_bilinear_layer_multiplies_all_pairs() -> None:
    call = multiply.ConcreteCall({}, {}, ((2, 6),), {"weight": (6, 3, 4), "bias": (6,)})
    assert multiply.LAYERS["Bilinear"](call) == 2 * 6 * 3 * 4


@pytest.mark.parametrize(
    ("equation", "operands"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("ij,jk", [(2, 3), (3, 4)]),
        ("bij,bjk->b", [(2, 3, 4), (2, 4, 5)]),
        ("...ij,...jk->...ik", [(2, 3, 4, 5), (3, 5, 6)]),
        ("bqhd,bkhd->bhqk", [(2, 3, 4, 5), (2, 6, 4, 5)]),
        ("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 5)]),
        ("i,j->ij", [(2,), (3,)]),
        ("ij->ji", [(2, 3)]),
    ],
)
def test_einsum_as_torch_takes_it_in(equation: str, operands: list[tuple[int, ...]]) -> None:
    tensors = [torch.ones(shape) for shape in operands]
    out = torch.einsum(equation, *tensors)
    call = multiply.ConcreteCall(
        {"equation": equation},
        {f"operands.{i}": shape for i, shape in enumerate(operands)},
        (tuple(out.shape),),
    )
    with torch.backends.opt_einsum.flags(enabled=False):
        theirs = counted(lambda: torch.einsum(equation, *tensors))
    assert multiply.FUNCTIONS["einsum"](call) == theirs
