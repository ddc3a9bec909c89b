"""The initialisers, by torch's names, with all their arguments but ``tensor``, and what they draw.

Written as torch's functions: ``nn.init.normal_(weight, std=0.02)``. Formulas are those of torch's
``nn.init`` page; moments of a truncated normal are Johnson, Kotz and Balakrishnan's (1994, 13.10).
Left out: ``generator``, for the seed is the run's.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, erf, exp, pi, prod, sqrt

from specc.catalog.rows import InitRow, InitRule, RuleError
from specc.ir import Distribution, Static

Settings = Mapping[str, Static]
Shape = tuple[int, ...]

_NONLINEARITIES = (
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "selu",
)
_KAIMING = "a: float = 0.0, mode: str = 'fan_in', nonlinearity: str = 'leaky_relu'"
_CHOICES = {"mode": ("fan_in", "fan_out"), "nonlinearity": _NONLINEARITIES}


# ── what they draw ───────────────────────────────────────────────────────────────────────────────


def _number(settings: Settings, name: str) -> float:
    value = settings[name]
    assert isinstance(value, int | float), f"{name} is a number by the row's signature"
    return float(value)


def _spread(settings: Settings, name: str = "std", *, above: bool = False) -> float:
    """A standard deviation; E0307 where it is negative (or, with ``above``, 0)."""
    value = _number(settings, name)
    if value < 0 or (above and value == 0):
        least = "above 0" if above else "at least 0"
        raise RuleError("E0307", f"{name} must be {least}, and is {value:g}", argument=name)
    return value


def _uniform(settings: Settings, shape: Shape) -> Distribution:
    return Distribution("uniform", *_ordered(settings))


def _ordered(settings: Settings) -> tuple[float, float]:
    low, high = _number(settings, "a"), _number(settings, "b")
    if low > high:
        raise RuleError(
            "E0307", f"a must be at most b, and {low:g} is above {high:g}", argument="a"
        )
    return low, high


def _normal(settings: Settings, shape: Shape) -> Distribution:
    return Distribution("normal", _number(settings, "mean"), _spread(settings))


def _truncated(settings: Settings, shape: Shape) -> Distribution:
    """The normal of the cut one's mean and standard deviation."""
    mean, std = _number(settings, "mean"), _spread(settings, above=True)
    low, high = _ordered(settings)
    left, right = (low - mean) / std, (high - mean) / std
    mass = (erf(right / sqrt(2.0)) - erf(left / sqrt(2.0))) / 2.0
    if mass < 1e-12:  # cut off so far out that what is left is one end
        return Distribution("constant", low if left > 0 else high)
    at_left, at_right = (exp(-z * z / 2.0) / sqrt(2.0 * pi) for z in (left, right))
    shift = (at_left - at_right) / mass
    scale = 1.0 + (left * at_left - right * at_right) / mass - shift * shift
    return Distribution("normal", mean + std * shift, std * sqrt(max(scale, 0.0)))


def _constant(value: float) -> InitRule:
    return lambda settings, shape: Distribution("constant", value)


def _given(settings: Settings, shape: Shape) -> Distribution:
    return Distribution("constant", _number(settings, "val"))


def _fans(shape: Shape) -> tuple[int, int]:
    field = prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _xavier(kind: str) -> InitRule:
    def rule(settings: Settings, shape: Shape) -> Distribution:
        return _symmetric(kind, _spread(settings, "gain") * sqrt(2.0 / sum(_fans(shape))))

    return rule


def _symmetric(kind: str, std: float) -> Distribution:
    """Of mean 0 and this standard deviation: normal, or uniform within sqrt(3) of it."""
    if kind == "normal":
        return Distribution("normal", 0.0, abs(std))
    return Distribution("uniform", -abs(std) * sqrt(3.0), abs(std) * sqrt(3.0))


def _gain(nonlinearity: Static, slope: float) -> float:
    """torch's ``calculate_gain``."""
    match nonlinearity:
        case "tanh":
            return 5.0 / 3.0
        case "relu":
            return sqrt(2.0)
        case "leaky_relu":
            return sqrt(2.0 / (1.0 + slope * slope))
        case "selu":
            return 3.0 / 4.0
        case _:
            return 1.0


def _kaiming(kind: str) -> InitRule:
    def rule(settings: Settings, shape: Shape) -> Distribution:
        into, out = _fans(shape)
        fan = into if settings["mode"] == "fan_in" else out
        gain = _gain(settings["nonlinearity"], _number(settings, "a"))
        return _symmetric(kind, gain / sqrt(fan))

    return rule


def _orthogonal(settings: Settings, shape: Shape) -> Distribution:
    """The shorter side's vectors have norm ``gain`` over the longer side's elements."""
    rows, columns = shape[0], prod(shape[1:])
    return Distribution("normal", 0.0, abs(_number(settings, "gain")) / sqrt(max(rows, columns)))


def _ones_among(share: float) -> Distribution:
    if share == 1.0:
        return Distribution("constant", 1.0)
    return Distribution("normal", share, sqrt(share * (1.0 - share)))


def _identity(settings: Settings, shape: Shape) -> Distribution:
    return _ones_among(1.0 / max(shape))


def _dirac(settings: Settings, shape: Shape) -> Distribution:
    """A single 1 in the middle of each kernel that keeps its channel; E0303."""
    groups = settings["groups"]
    assert isinstance(groups, int), "groups is an int by the row's signature"
    if groups < 1 or shape[0] % groups:
        raise RuleError(
            "E0303",
            f"dirac_: the {shape[0]} outputs are not divisible by groups {groups}",
            argument="groups",
        )
    ones = groups * min(shape[0] // groups, shape[1])
    return _ones_among(ones / prod(shape))


def _sparse(settings: Settings, shape: Shape) -> Distribution:
    """Of each column the share ``sparsity``, rounded up, is 0."""
    share, std = _number(settings, "sparsity"), _spread(settings)
    if not 0.0 <= share <= 1.0:
        raise RuleError("E0307", f"sparsity is from 0 to 1, and is {share:g}", argument="sparsity")
    kept = 1.0 - ceil(share * shape[0]) / shape[0]
    return Distribution("normal", 0.0, std * sqrt(kept)) if kept else Distribution("constant", 0.0)


# ── the rows ─────────────────────────────────────────────────────────────────────────────────────


def _row(
    name: str,
    summary: str,
    rule: InitRule,
    signature: str = "",
    choices: dict[str, tuple[str, ...]] | None = None,
    rank: int = 0,
    most: int | None = None,
    example: str = "",
    unnamed: tuple[str, ...] = (),
) -> InitRow:
    return InitRow(
        name,
        f"nn.init.{name}",
        signature,
        summary,
        choices=choices or {},
        positional=(unnamed,) if unnamed else (),
        rule=rule,
        rank=rank,
        most=most,
        example=example,
    )


_GAIN = "gain: float = 1.0"
_SCALE, _MOMENTS = ("gain",), ("mean", "std")

ROWS = (
    _row(
        "uniform_",
        "uniform from a to b",
        _uniform,
        "a: float = 0.0, b: float = 1.0",
        unnamed=("a", "b"),
    ),
    _row("normal_", "normal", _normal, "mean: float = 0.0, std: float = 1.0", unnamed=_MOMENTS),
    _row(
        "trunc_normal_",
        "normal, cut off at a and b",
        _truncated,
        "mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0",
        unnamed=_MOMENTS,
    ),
    _row("constant_", "one number", _given, "val: float", example="constant_(0.5)"),
    _row("ones_", "ones", _constant(1.0)),
    _row("zeros_", "zeros", _constant(0.0)),
    _row("eye_", "the identity matrix", _identity, rank=2, most=2),
    _row(
        "dirac_",
        "convolutions that keep their input",
        _dirac,
        "groups: int = 1",
        rank=3,
        most=5,
    ),
    _row("xavier_uniform_", "Glorot's uniform", _xavier("uniform"), _GAIN, rank=2, unnamed=_SCALE),
    _row("xavier_normal_", "Glorot's normal", _xavier("normal"), _GAIN, rank=2, unnamed=_SCALE),
    _row("kaiming_uniform_", "He's uniform", _kaiming("uniform"), _KAIMING, _CHOICES, rank=2),
    _row("kaiming_normal_", "He's normal", _kaiming("normal"), _KAIMING, _CHOICES, rank=2),
    _row("orthogonal_", "orthogonal rows", _orthogonal, _GAIN, rank=2, unnamed=_SCALE),
    _row(
        "sparse_",
        "a share of zeros, else normal",
        _sparse,
        "sparsity: float, std: float = 0.01",
        rank=2,
        most=2,
        example="sparse_(0.25)",
    ),
)
