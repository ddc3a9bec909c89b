"""Jumps: recorded, and made to go the other way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from specc.harness.floors.kinks import Decisions, differing_decisions, may_decide


def test_a_decision_is_turned_and_its_effect_seen() -> None:
    x = torch.tensor([[1e-12, 1.0, -2.0]], dtype=torch.float64, requires_grad=True)
    with Decisions() as log:
        torch.relu(x).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [[1, 1, 0]]
    other = [taken.clone() for taken in log.log]
    other[0][0, 0] = False
    assert differing_decisions(log.log, other) == 1
    x.grad = None
    with Decisions(other):
        torch.relu(x).sum().backward()
    assert x.grad.tolist() == [[0, 1, 0]]


def test_a_pool_is_turned_to_its_other_maximum() -> None:
    x = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]], dtype=torch.float64, requires_grad=True)
    with Decisions() as log:
        torch.max_pool2d(x, 2).sum().backward()
    other = [log.log[0].clone().fill_(1)]
    x.grad = None
    with Decisions(other):
        torch.max_pool2d(x, 2).sum().backward()
    assert x.grad is not None and x.grad.flatten().tolist() == [0, 1, 0, 0]


def test_where_nobody_asks_nothing_is_noted() -> None:
    log = Decisions()
    log.noting = False
    with log:
        torch.relu(torch.tensor([1.0, -1.0]))
    assert log.log == []


def test_what_is_noted_is_not_what_is_written_into_later() -> None:
    with Decisions() as log:
        places = torch.tensor([[3.0, 1.0, 2.0]]).sort()[1]
        places.zero_()
    assert log.log[0].tolist() == [[1, 2, 0]]


X = torch.tensor([[-2.0, 0.5, 3.0, 0.0]], dtype=torch.float64)

NOTED: dict[str, tuple[Callable[[Tensor], object], list[object]]] = {
    "relu": (torch.relu, [[False, True, True, False]]),
    "relu_": (lambda x: torch.relu_(x.clone()), [[False, True, True, False]]),
    "threshold": (lambda x: F.threshold(x, 1.0, 0.0), [[False, False, True, False]]),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.1), [[False, True, True, False]]),
    "hardtanh": (lambda x: F.hardtanh(x, -1.0, 1.0), [[False, True, False, False]]),
    "sign": (torch.sign, [[-1.0, 1.0, 1.0, 0.0]]),
    "sgn": (torch.sgn, [[-1.0, 1.0, 1.0, 0.0]]),
    "argmax": (lambda x: x.argmax(1), [2]),
    "argmin": (lambda x: x.argmin(1), [0]),
    "topk": (lambda x: x.topk(2), [[2, 1]]),
    "sort": (lambda x: x.sort(), [[0, 3, 1, 2]]),
    "gt": (lambda x: x > 0.0, [[False, True, True, False]]),
    "ge": (lambda x: x >= 0.0, [[False, True, True, True]]),
    "lt": (lambda x: x < 0.0, [[True, False, False, False]]),
    "le": (lambda x: x <= 0.0, [[True, False, False, True]]),
    "eq": (lambda x: x == 0.0, [[False, False, False, True]]),
    "ne": (lambda x: x != 0.0, [[True, True, True, False]]),
    "clamp": (lambda x: x.clamp(0.0, 1.0), [[False, True, False, True]]),
    "clamp_min": (lambda x: x.clamp_min(0.0), [[False, True, True, True]]),
    "clamp_max": (lambda x: x.clamp_max(0.0), [[True, False, False, True]]),
}


@pytest.mark.parametrize("name", NOTED)
def test_each_kind_of_jump_is_noted(name: str) -> None:
    function, expected = NOTED[name]
    assert may_decide(name)
    with Decisions() as log:
        function(X)
    assert [taken.tolist() for taken in log.log] == [expected]


@pytest.mark.parametrize("image", [torch.rand(1, 2, 4, 4), torch.rand(1, 2, 4, 4, 4)])
def test_a_pool_s_places_are_noted(image: Tensor) -> None:
    pool = F.max_pool2d if image.dim() == 4 else F.max_pool3d
    image = image.double().requires_grad_()
    with Decisions() as log:
        _, places = pool(image, 2, return_indices=True)
    assert len(log.log) == 1 and torch.equal(log.log[0], places)


def test_what_is_smooth_or_whole_decides_nothing() -> None:
    assert not may_decide("tanh") and not may_decide("add")
    with Decisions() as log:
        torch.tanh(X) + X
        whole = torch.tensor([1, -2, 3])
        torch.relu(whole)
        torch.gt(whole, 0)
        whole.argmax()
        torch.zeros(2)
    assert log.log == []


@pytest.mark.parametrize("name", ["sign", "sgn", "argmax", "argmin", "gt", "le", "eq", "ne"])
def test_a_result_that_is_a_decision_becomes_the_other_one(name: str) -> None:
    function, _ = NOTED[name]
    with Decisions() as log:
        function(X)
    other = [torch.flip(log.log[0], [-1]) if log.log[0].dim() > 1 else log.log[0] - log.log[0] + 1]
    with Decisions(other):
        turned = function(X)
    assert isinstance(turned, Tensor) and torch.equal(turned, other[0])


def test_jumps_that_are_read_from_the_input_stay() -> None:
    with Decisions([torch.tensor([[True, True, True, True]])]):
        assert torch.equal(X.clamp(0.0, 1.0), X.clip(0.0, 1.0))
    with Decisions([torch.tensor([[True, True, True, True]])]):
        assert F.leaky_relu(X, 0.1)[0, 0] == -0.2


def test_a_rectifier_is_turned_both_ways() -> None:
    with Decisions([torch.tensor([[True, False, True, False]])]):
        turned = torch.relu(X)
    tiny = torch.finfo(torch.float64).tiny
    assert turned.tolist() == [[tiny, 0.0, 3.0, 0.0]]


def test_only_the_jumps_that_the_other_log_has_and_of_its_shape_are_turned() -> None:
    with Decisions([torch.tensor([[True, True, True, True]])]) as log:
        first, second = X > 0.0, X > 0.0
    assert first.all() and not second.all() and len(log.log) == 2
    with Decisions([torch.tensor([True])]):
        assert not (X > 0.0).all()
    with Decisions([torch.tensor([True]), torch.tensor([[True, True, True, True]])]):
        first, second = X > 0.0, X > 0.0
    assert not first.all() and second.all()


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("before", [(), (3,), (2, 3)])
def test_a_pool_is_turned_with_and_without_a_batch(dimensions: int, before: tuple[int]) -> None:
    if not before:
        before = (1,)
    image = torch.rand(*before, *(2,) * dimensions, dtype=torch.float64)
    pool = F.max_pool2d if dimensions == 2 else F.max_pool3d
    with Decisions() as log:
        pool(image, 2, return_indices=True)
    least = image.flatten(-dimensions).argmin(-1)
    other = [least.view_as(log.log[0])]
    with Decisions(other):
        value, places = pool(image, 2, return_indices=True)
    expected = image.flatten(-dimensions).amin(-1)
    assert torch.equal(value, expected.view_as(value)) and torch.equal(places, other[0])


def test_differences_are_counted_by_element() -> None:
    one = [torch.tensor([True, False, True]), torch.tensor([1, 2])]
    assert differing_decisions(one, one) == 0
    assert differing_decisions(one, [torch.tensor([False, False, False]), one[1]]) == 2
    assert differing_decisions(one, [one[0]]) == 1 == differing_decisions([], one[:1])
    assert differing_decisions(one, [torch.tensor([True]), one[1]]) == 1
