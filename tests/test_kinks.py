"""Jumps: recorded, and made to go the other way."""

from __future__ import annotations

import torch

from specc.harness.floors.kinks import Decisions, differing_decisions


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
