"""Floors: what random rounding moves, the statistics, kinks, and that they hold honest machines."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from harness_support import CNN_SOURCE, HEADER, cnn, plain
from torch import Tensor

from specc.harness.case import close
from specc.harness.decisions import Decisions, differing_decisions
from specc.harness.floor import (
    Floor,
    error_of,
    floor_of,
    floors,
    honest_runs,
    plain_kernels,
    reference,
    student_factor,
    threads,
)
from specc.harness.matrix import cases
from specc.harness.recorder import Observation
from specc.harness.regroup import REGROUPED
from specc.harness.rounding import RandomRounding

UNIT = 2.0**-23


def leaf(values: list[float] | Tensor) -> Observation:
    tensor = torch.as_tensor(values, dtype=torch.float64)
    rms = float(tensor.square().mean().sqrt())
    return Observation("x", 1, tensor, tuple(tensor.shape), "float", rms=rms)


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


@pytest.mark.parametrize("name", sorted(REGROUPED))
def test_regrouped_arithmetic_is_the_same_arithmetic(name: str) -> None:
    generator = torch.Generator().manual_seed(3)
    x, y = (torch.randn(6, 40, generator=generator) for _ in range(2))
    image = torch.randn(3, 4, 8, 8, generator=generator, requires_grad=True)
    kernel = torch.randn(5, 4, 3, 3, generator=generator, requires_grad=True)
    bias = torch.randn(5, generator=generator, requires_grad=True)
    square = x[:, :6] @ x[:, :6].T + 6 * torch.eye(6)
    z = torch.complex(x, y)
    transforms: dict[str, Callable[[], Any]] = {
        "_fft_c2c": lambda: torch.fft.fft(z),
        "_fft_r2c": lambda: torch.fft.rfft(x),
        "_fft_c2r": lambda: torch.fft.irfft(z),
        "linalg_inv_ex": lambda: torch.linalg.inv(square),
        "linalg_cholesky_ex": lambda: torch.linalg.cholesky(square),
        "linalg_qr": lambda: torch.linalg.qr(square),
        "_linalg_svd": lambda: torch.linalg.svdvals(square),
        "_linalg_eigh": lambda: torch.linalg.eigvalsh(square),
        "_linalg_det": lambda: torch.linalg.det(square).log(),
        "_linalg_slogdet": lambda: torch.linalg.slogdet(square / x[:, :1, None].abs())[1],
        "_linalg_solve_ex": lambda: torch.linalg.solve(square, x),
        "linalg_matrix_exp": lambda: torch.linalg.matrix_exp(square / 10),
        "linalg_solve_triangular": lambda: torch.linalg.solve_triangular(square, x, upper=True),
        "linalg_lu_factor_ex": lambda: torch.linalg.lu_factor(square)[0],
        "cholesky_inverse": lambda: torch.cholesky_inverse(torch.tril(square)),
    }

    def compute() -> list[Tensor]:
        if name.startswith("convolution"):
            out = torch.conv2d(image, kernel, bias, padding=1)
            return [out, *torch.autograd.grad(out.square().sum(), (image, kernel, bias))]
        made = {
            "mm": lambda: x @ y.T,
            "bmm": lambda: torch.bmm(x[None], y.T[None]),
            "addmm": lambda: torch.addmm(bias.detach()[:1], x, y.T),
            "sum": lambda: x.sum(1),
            "mean": lambda: x.mean(),
            "var_mean": lambda: torch.stack(torch.var_mean(x, dim=1)),
            **transforms,
        }[name]()
        return list(made) if isinstance(made, tuple) else [made]

    expected = compute()
    with RandomRounding(2, torch.float32, regroup=True):
        found = compute()
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one, other, rtol=2e-5, atol=2e-5)
        assert not torch.equal(one, other)


def test_sums_one_by_one_hold_a_sequential_sum() -> None:
    x = torch.randn(4, 20_000, generator=torch.Generator().manual_seed(0))
    exact = x.double().sum(1)
    total = torch.zeros(4)
    for column in x.T:
        total = total + column
    sequential = float((total.double() - exact).square().mean().sqrt())
    errors = []
    for seed in range(12):
        with RandomRounding(seed, torch.float32, regroup=True):
            errors.append((x.sum(1).double() - exact).square().mean())
    assert sequential < 3 * float(torch.stack(errors).mean().sqrt())


def test_few_numbers_get_a_wider_floor() -> None:
    factors = [student_factor(freedom) for freedom in (1, 4, 8, 11, 12, 25, 100, 5000)]
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] == pytest.approx(1, abs=0.01)
    assert student_factor(12) == pytest.approx(9.085 / 4.892)


def test_elements_that_err_together_count_as_one() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = leaf(torch.ones(200))
    apart, together = [], []
    for _ in range(12):
        apart.append(leaf(1 + 1e-6 * torch.randn(200, generator=generator).double()))
        common = float(torch.randn((), generator=generator))
        together.append(leaf(torch.full((200,), 1 + 1e-6 * common, dtype=torch.float64)))
    assert floor_of(truth, apart, UNIT).rms == pytest.approx(1e-6, rel=0.1)
    spread = math.sqrt(sum(error_of(truth, s)[0] ** 2 for s in together) / 12)
    assert floor_of(truth, together, UNIT).rms > 1.3 * spread


def test_a_scalar_s_floor_seldom_fails_an_honest_number() -> None:
    generator = torch.Generator().manual_seed(1)
    worst = 0.0
    for _ in range(2000):
        noise = 1e-5 * torch.randn(13, generator=generator).double()
        floor = floor_of(leaf([1.0]), [leaf([1.0 + float(e)]) for e in noise[:12]], UNIT)
        worst = max(worst, abs(float(noise[12])) / floor.rms)
    assert worst < 4


def test_no_floor_is_below_the_last_rounding() -> None:
    floor = floor_of(leaf([1.0, 2.0]), [leaf([1.0, 2.0])] * 12, UNIT)
    assert floor.rms == UNIT / 4 and floor.largest >= floor.rms


def test_a_leaf_that_some_run_lacks_is_not_observable() -> None:
    assert floor_of(leaf([1.0]), [leaf([1.0]), None], UNIT).rms == math.inf


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


KINKED = (
    HEADER
    + """class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.fc(x)
        return torch.relu(y - y.detach().to(torch.float32).to(y.dtype) + 1e-9)
"""
)


def test_a_kink_raises_the_floor_of_what_it_reaches() -> None:
    program = plain()
    closed = close(program, cases(program)[0])
    found = reference(program, closed, KINKED, ["float32"])
    assert found.kinks["float32"] > 0
    runs = honest_runs(program, found, KINKED, "float32")
    measured = floors(program, found, KINKED, "float32", runs)
    assert measured["step0/grad/fc.bias"].rms > 0.05
    assert measured["step0/layer/fc"].rms < 1e-6


def test_floors_are_near_the_unit_and_the_same_again() -> None:
    program = cnn()
    closed = close(program, cases(program)[0])
    found = reference(program, closed, CNN_SOURCE, ["float32"])

    def measured() -> dict[str, Floor]:
        runs = honest_runs(program, found, CNN_SOURCE, "float32")
        return floors(program, found, CNN_SOURCE, "float32", runs)

    first = measured()
    assert first == measured()
    assert UNIT / 4 <= first["step0/layer/conv1"].rms < 8 * UNIT
    # A bias before a BatchNorm has no gradient but noise.
    assert first["step0/grad/conv1.bias"].rms > 0.1
    assert isinstance(first["step0/loss/loss"], Floor)


def test_settings_are_put_back() -> None:
    count, onednn = torch.get_num_threads(), bool(torch.backends.mkldnn.enabled)
    with threads(1), plain_kernels(True):
        assert torch.get_num_threads() == 1
        assert not torch.backends.mkldnn.enabled
    assert torch.get_num_threads() == count
    assert bool(torch.backends.mkldnn.enabled) == onednn
