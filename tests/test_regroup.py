"""Other orders of the same arithmetic: as good, and not the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from specc.harness.floors.regroup import REGROUPED
from specc.harness.floors.rounding import RandomRounding


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
    with RandomRounding(2, torch.float32, lanes=1):
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
        with RandomRounding(seed, torch.float32, lanes=1):
            errors.append((x.sum(1).double() - exact).square().mean())
    assert sequential < 3 * float(torch.stack(errors).mean().sqrt())
