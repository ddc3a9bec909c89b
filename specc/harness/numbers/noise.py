"""Random tensors of the portable generator: the same bits on every machine and in every torch.

Uniform, normal and integer draws by (seed, tensor name, element index). Only operations that IEEE
754 rounds correctly (+ - * / sqrt) and exact ones are used, one torch kernel each, so nothing
depends on a library's logarithm or on fused multiply-adds. Values are made in float64 and rounded
once to the asked dtype. Non-goals: the integer generator (``counter``), dropout
(``portable_dropout``, re-exported here).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from specc.harness.numbers.counter import VERSION, bits, blocks
from specc.harness.numbers.portable_dropout import PortableReport, Silenced, make_portable, set_step

__all__ = [
    "VERSION",
    "PortableReport",
    "Silenced",
    "bits",
    "integers",
    "make_portable",
    "normal",
    "set_step",
    "uniform",
]

Device = torch.device | str | None


def uniform(
    seed: int,
    name: str,
    shape: Sequence[int],
    low: float = 0.0,
    high: float = 1.0,
    dtype: torch.dtype = torch.float64,
    *,
    step: int = 0,
    device: Device = None,
) -> Tensor:
    """Uniform in [low, high), never ``high`` itself whatever the dtype rounds to.

    53 random bits an element. Raises ValueError unless ``low < high`` and both are finite.
    """
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"a uniform draw wants low < high, both finite; got {low} and {high}")
    drawn = torch.empty(tuple(shape), dtype=dtype, device=device)
    flat = drawn.view(-1)
    for start, words in blocks(seed, name, drawn.numel(), step=step, device=device):
        unit = ((words >> 11) & (2**53 - 1)).to(torch.float64).mul_(2.0**-53)
        flat[start : start + len(words)] = unit.mul_(high - low).add_(low)
    top = torch.tensor(high, dtype=dtype, device=drawn.device)
    # The largest value of this dtype below ``high``: what rounds up to it belongs there.
    if float(top) >= high:
        top = torch.nextafter(top, torch.full_like(top, -math.inf))
    return drawn.clamp_(max=top)


def normal(
    seed: int,
    name: str,
    shape: Sequence[int],
    mean: float = 0.0,
    std: float = 1.0,
    dtype: torch.dtype = torch.float64,
    *,
    step: int = 0,
    device: Device = None,
) -> Tensor:
    """Normal draws: the inverse of the normal distribution function at 52 random bits an element.

    The largest magnitude is 8.2 ``std``. Raises ValueError for a negative or infinite ``std``.
    """
    if not (math.isfinite(mean) and math.isfinite(std) and std >= 0):
        raise ValueError(f"a normal draw wants a finite mean and std >= 0; got {mean} and {std}")
    drawn = torch.empty(tuple(shape), dtype=dtype, device=device)
    flat = drawn.view(-1)
    for start, words in blocks(seed, name, drawn.numel(), step=step, device=device):
        # The middle of one of 2^52 equal cells: exact, and neither 0 nor 1.
        middle = ((words >> 12) & (2**52 - 1)).to(torch.float64).add_(0.5).mul_(2.0**-52)
        flat[start : start + len(words)] = normal_quantile(middle).mul_(std).add_(mean)
    return drawn


def integers(
    seed: int,
    name: str,
    shape: Sequence[int],
    bound: int,
    *,
    step: int = 0,
    device: Device = None,
) -> Tensor:
    """int64 in 0..bound-1: the remainder of 63 random bits, even to a part in 2^63 / bound.

    Raises ValueError unless 1 <= bound < 2^53.
    """
    if not 1 <= bound < 2**53:
        raise ValueError(f"an integer draw wants a bound from 1 to 2^53 - 1; got {bound}")
    words = bits(seed, name, shape, step=step, device=device)
    return ((words >> 1) & (2**63 - 1)).remainder_(bound)


# M. J. Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Applied
# Statistics 37 (1988), routine PPND16; highest power first.
_CENTRE = (
    (
        2.50908_09287_30122_6727e3,
        3.34305_75583_58812_8105e4,
        6.72657_70927_00870_0853e4,
        4.59219_53931_54987_1457e4,
        1.37316_93765_50946_1125e4,
        1.97159_09503_06551_4427e3,
        1.33141_66789_17843_7745e2,
        3.38713_28727_96366_6080e0,
    ),
    (
        5.22649_52788_52854_5610e3,
        2.87290_85735_72194_2674e4,
        3.93078_95800_09271_0610e4,
        2.12137_94301_58659_5867e4,
        5.39419_60214_24751_1077e3,
        6.87187_00749_20579_0830e2,
        4.23133_30701_60091_1252e1,
        1.0,
    ),
)
_MIDDLE = (
    (
        7.74545_01427_83414_07640e-4,
        2.27238_44989_26918_45833e-2,
        2.41780_72517_74506_11770e-1,
        1.27045_82524_52368_38258e0,
        3.64784_83247_63204_60504e0,
        5.76949_72214_60691_40550e0,
        4.63033_78461_56545_29590e0,
        1.42343_71107_49683_57734e0,
    ),
    (
        1.05075_00716_44416_84324e-9,
        5.47593_80849_95344_94600e-4,
        1.51986_66563_61645_71966e-2,
        1.48103_97642_74800_74590e-1,
        6.89767_33498_51000_04550e-1,
        1.67638_48301_83803_84940e0,
        2.05319_16266_37758_82187e0,
        1.0,
    ),
)
_TAIL = (
    (
        2.01033_43992_92288_13265e-7,
        2.71155_55687_43487_57815e-5,
        1.24266_09473_88078_43860e-3,
        2.65321_89526_57612_30930e-2,
        2.96560_57182_85048_91230e-1,
        1.78482_65399_17291_33580e0,
        5.46378_49111_64114_36990e0,
        6.65790_46435_01103_77720e0,
    ),
    (
        2.04426_31033_89939_78564e-15,
        1.42151_17583_16445_88870e-7,
        1.84631_83175_10054_68180e-5,
        7.86869_13114_56132_59100e-4,
        1.48753_61290_85061_48525e-2,
        1.36929_88092_27358_05310e-1,
        5.99832_20655_58879_37690e-1,
        1.0,
    ),
)


def normal_quantile(probability: Tensor) -> Tensor:
    """The standard normal's inverse distribution function of float64 in (0, 1), to about 1e-15."""
    # In blocks that stay in the cache, which is several times faster on a large tensor.
    blocks = [_quantile_of_block(block) for block in torch.split(probability.reshape(-1), 1 << 15)]
    return torch.cat(blocks).reshape(probability.shape) if blocks else probability.clone()


def _quantile_of_block(probability: Tensor) -> Tensor:
    centred = probability - 0.5  # exact: the argument is a multiple of 2^-53
    radius = 0.180625 - centred * centred
    result = centred * _ratio(_CENTRE, radius)
    # Few elements are in the tails; only they pay for a logarithm.
    outside = (centred.abs() > 0.425).nonzero(as_tuple=True)
    beyond = centred[outside]
    near = torch.minimum(probability[outside], 1.0 - probability[outside])
    root = torch.sqrt(-_logarithm(near))
    magnitude = torch.where(root <= 5.0, _ratio(_MIDDLE, root - 1.6), _ratio(_TAIL, root - 5.0))
    result[outside] = torch.where(beyond < 0, -magnitude, magnitude)
    return result


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], argument: Tensor) -> Tensor:
    above, below = (_polynomial(each, argument) for each in coefficients)
    return above / below


def _polynomial(coefficients: tuple[float, ...], argument: Tensor) -> Tensor:
    value = torch.full_like(argument, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value.mul_(argument).add_(coefficient)
    return value


# 2 atanh(s) = 2 s (1 + s^2/3 + s^4/5 + ...): for |s| <= 0.172 the twelfth term is below 2^-60.
_ATANH = tuple(1.0 / (2 * power + 1) for power in reversed(range(12)))


def _logarithm(positive: Tensor) -> Tensor:
    """The natural logarithm of normal float64 numbers below 1/2, to about two units in the last
    place."""
    mantissa, exponent = torch.frexp(positive)
    small = mantissa < 0.7071067811865476
    mantissa = torch.where(small, mantissa * 2.0, mantissa)
    power = (exponent - small.to(exponent.dtype)).to(torch.float64)
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    series = _polynomial(_ATANH, ratio * ratio) * (2.0 * ratio)
    return power * 0.6931471805599453 + series
