"""Random rounding: what is moved, by how much, and what stays."""

from __future__ import annotations

import pytest
import torch

from specc.harness.floors.rounding import RandomRounding

UNIT = 2.0**-23


def test_every_result_moves_by_at_most_one_unit() -> None:
    x = torch.rand(4096) + 0.5
    with RandomRounding(1, torch.float32):
        moved = x * 1.7
    ratio = (moved.double() / (x * 1.7).double() - 1).abs()
    assert 0 < float(ratio.max()) <= 1.51 * UNIT  # one unit, and the rounding of the move itself
    assert float((ratio > 0).double().mean()) > 0.4


@pytest.mark.parametrize(
    "exact",
    [
        lambda x: x.clone(),
        lambda x: torch.relu(x),
        lambda x: -x,
        lambda x: x.view(64, 64).T.contiguous(),
        lambda x: torch.cat([x, x])[:4096],
        lambda x: x.to(torch.float64) * 1.3,
        lambda x: x.max(),
        lambda x: (x > 0.1).to(torch.int64),
    ],
)
def test_what_is_exact_stays(exact: object) -> None:
    x = torch.randn(4096)
    with RandomRounding(1, torch.float32):
        moved = exact(x)  # type: ignore[operator]  # a lambda of the list above
    assert torch.equal(moved, exact(x))  # type: ignore[operator]  # likewise


def test_zeros_without_memory_are_left_alone() -> None:
    x = torch.randn(16, requires_grad=True)
    with RandomRounding(1, torch.float32):
        x.sgn().sum().backward()
    assert x.grad is not None and not x.grad.any()


def test_marks_of_labels_stay_what_they_are() -> None:
    x = torch.randn(3, 5, requires_grad=True)
    labels = torch.tensor([[0, 3, -1, 0, 0], [1, -1, 0, 0, 0], [4, 2, 1, -1, 0]])
    with RandomRounding(1, torch.float32):
        torch.nn.functional.multilabel_margin_loss(x, labels).backward()
    assert x.grad is not None and x.grad.any()


def test_in_place_foreach_and_backward_are_moved() -> None:
    weights = [torch.rand(256) for _ in range(2)]
    plainly = [weight + 0.3 for weight in weights]
    x = torch.rand(256, requires_grad=True)
    with RandomRounding(1, torch.float32):
        torch._foreach_add_(weights, 0.3)
        (x * x * x).sum().backward()
    for moved, still in zip(weights, plainly, strict=True):
        assert not torch.equal(moved, still) and torch.allclose(moved, still, rtol=1e-6)
    assert x.grad is not None
    assert not torch.equal(x.grad, 3 * x.detach() ** 2)


def test_the_mirror_image_moves_the_other_way() -> None:
    x = torch.rand(64) + 0.5
    results = []
    for scale in (64.0, -64.0):
        with RandomRounding(5, torch.float32, scale=scale):
            results.append((x * 2).double() - 2 * x.double())
    assert torch.allclose(results[0], -results[1], atol=4e-7)
    assert float(results[0].abs().max()) > 4e-6


def test_a_cast_to_autocasts_precision_is_moved_and_no_other() -> None:
    x = torch.rand(4096) + 0.5
    with RandomRounding(1, torch.float32, lower=torch.bfloat16):
        lower, other = x.to(torch.bfloat16), x.to(torch.float16)
    assert not torch.equal(lower, x.to(torch.bfloat16))
    assert torch.equal(other, x.to(torch.float16))


def test_decisions_are_noted_though_nothing_is_rounded() -> None:
    x = torch.randn(2, 1, 4, 4)
    with RandomRounding(1, torch.float32) as mode:
        torch.relu(x)
        x.sign()
        torch.max_pool2d(x, 2)
        kept = x > 0.5
        x.clamp(-1.0, 1.0)
        x.view(-1)
    assert [taken.shape for taken in mode.log] == [
        x.shape,
        x.shape,
        (2, 1, 2, 2),
        kept.shape,
        x.shape,
    ]
    assert torch.equal(mode.log[0], x > 0) and torch.equal(mode.log[3], kept)


def test_with_other_orders_the_same_decisions_are_noted() -> None:
    """Single steps of a fused operation are no decisions of the run's."""
    x = torch.randn(4, 3, 8, 8)
    logs = []
    for lanes in (0, 1):
        with RandomRounding(1, torch.float32, lanes=lanes, enlarged=4.0) as mode:
            hidden = torch.relu(torch.nn.functional.batch_norm(x, None, None, training=True))
            torch.nn.functional.smooth_l1_loss(hidden, x)
            torch.max_pool2d(hidden, 2)
        logs.append(mode.log)
    assert [each.shape for each in logs[0]] == [each.shape for each in logs[1]]


def test_what_an_order_loses_is_enlarged() -> None:
    value = torch.full((20_000, 2), 0.1)
    exact = value.double().sum(0)
    errors = []
    for enlarged in (1.0, 8.0):
        with RandomRounding(3, torch.float32, scale=0.0, lanes=1, enlarged=enlarged):
            errors.append(float((value.sum(0).double() - exact).abs().max()))
    assert errors[1] > 5 * errors[0] > 0
