"""Which arguments have no derivative, held against torch: of the operators each, of the functions
every example."""

from __future__ import annotations

import dataclasses
import operator

import pytest
import torch
from torch import Tensor

from specc import catalog, front
from specc.catalog.examples import KINDS, Example, example_of, program_around, program_of
from specc.catalog.facts.derivatives import OPERATORS, curvature, without_derivative
from specc.emit import emit
from specc.harness.cases import matrix
from specc.harness.cases.case import close
from specc.harness.running.hooks import flat_tensors
from specc.ir import TensorType
from specc.targets.live import module_class

FLOAT = TensorType("float", (3, 4))
COMPUTE = {"//": operator.floordiv, "%": operator.mod, "**": operator.pow}


@pytest.mark.parametrize("symbol", OPERATORS)
@pytest.mark.parametrize("number", [None, 0, 1])
@pytest.mark.parametrize("asked", [0, 1])
def test_an_operator_has_the_derivatives_that_torch_has(
    symbol: str, number: int | None, asked: int
) -> None:
    """``number`` is the operand that is no tensor."""
    if number == asked:
        return
    torch_name, names = OPERATORS[symbol]
    operands: list[Tensor | int] = [torch.rand(3, 4) + 1, torch.rand(3, 4) + 1]
    if number is not None:
        operands[number] = 2
    tensor = operands[asked]
    assert isinstance(tensor, Tensor)
    tensor.requires_grad_()
    types = {name: FLOAT for place, name in enumerate(names) if place != number}
    said = names[asked] in without_derivative(torch_name, {}, types)
    left, right = operands
    result = COMPUTE[symbol](left, right)
    assert isinstance(result, Tensor)
    try:
        result.sum().backward()
        refused = False
    except RuntimeError:
        refused = True
    assert said == refused


FUNCTIONS = sorted(
    name
    for name, row in catalog.FUNCTIONS.items()
    if row.family not in ("creation", "like") and not row.stochastic and not row.training
)


@pytest.mark.parametrize("part", range(8))
def test_an_example_that_torch_has_no_derivative_of_is_refused(part: int) -> None:
    """Every function's example, with what it detaches let through."""
    for name in FUNCTIONS[part::8]:
        found = example_of("function", catalog.FUNCTIONS[name])
        attached = [line.replace("detach(", "positive(") for line in found.lines]
        example = Example(found.inputs, tuple(attached[:-1]), attached[-1])
        program, faults, _ = front.check_text(
            program_around("function", catalog.FUNCTIONS[name], example), "m.spec"
        )
        if program is None:
            assert {fault.code for fault in faults} == {"E0320"}, name
            continue
        case = dataclasses.replace(matrix.cases(program)[0], steps=1)
        module = module_class(emit(program), program.subject().name, "m")()
        inputs = [tensor.clone() for _, tensor in close(program, case).batches[0].inputs]
        inputs = [t.to(torch.complex64) if t.is_complex() else t for t in inputs]
        inputs = [t.float() if t.is_floating_point() else t for t in inputs]
        for tensor in inputs:
            tensor.requires_grad_(tensor.is_floating_point() or tensor.is_complex())
        results = [each for each in flat_tensors(module(*inputs)) if each.requires_grad]
        for each in results:
            real = torch.view_as_real(each.resolve_conj()) if each.is_complex() else each
            real.sum().backward(retain_graph=True)


@pytest.mark.parametrize("part", range(4))
def test_what_is_said_to_be_linear_has_a_slope_that_does_not_depend_on_it(part: int) -> None:
    """Every function and layer that is said to be, in its example."""
    rows = [
        (kind, row)
        for kind in ("function", "layer")
        for row in KINDS[kind].values()
        if curvature(row.torch.rpartition(".")[2], getattr(row, "family", "")) != "all"
    ]
    for kind, row in rows[part::4]:
        program, _, _ = front.check_text(program_of(kind, row), "m.spec")
        assert program is not None, row.name
        case = dataclasses.replace(matrix.cases(program)[0], steps=1)
        module = module_class(emit(program), program.subject().name, "m")()
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        given = [tensor.clone() for _, tensor in close(program, case).batches[0].inputs]
        for place, tensor in enumerate(given):
            if not tensor.is_floating_point():
                continue
            inputs = [t.float() if t.is_floating_point() else t for t in given]
            inputs[place].requires_grad_()
            results = [t for t in flat_tensors(module(*inputs)) if t.requires_grad]
            if not results:
                continue
            real = [torch.view_as_real(t.resolve_conj()) if t.is_complex() else t for t in results]
            total = torch.stack([t.sum() for t in real]).sum()
            (slope,) = torch.autograd.grad(total, inputs[place], create_graph=True)
            assert not slope.requires_grad, (row.name, place)
