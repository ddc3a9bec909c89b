"""The initialisers, by torch's names, with all their arguments but ``tensor``.

Left out: ``generator``, for the seed is the run's.
"""

from __future__ import annotations

from specc.catalog.rows import Row

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


def _row(
    name: str, summary: str, signature: str = "", choices: dict[str, tuple[str, ...]] | None = None
) -> Row:
    return Row(name, f"nn.init.{name}", signature, summary, choices=choices or {})


ROWS = (
    _row("uniform_", "uniform from a to b", "a: float = 0.0, b: float = 1.0"),
    _row("normal_", "normal", "mean: float = 0.0, std: float = 1.0"),
    _row(
        "trunc_normal_",
        "normal, cut off at a and b",
        "mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0",
    ),
    _row("constant_", "one number", "val: float"),
    _row("ones_", "ones"),
    _row("zeros_", "zeros"),
    _row("eye_", "the identity matrix"),
    _row("dirac_", "convolutions that keep their input", "groups: int = 1"),
    _row("xavier_uniform_", "Glorot's uniform", "gain: float = 1.0"),
    _row("xavier_normal_", "Glorot's normal", "gain: float = 1.0"),
    _row("kaiming_uniform_", "He's uniform", _KAIMING, _CHOICES),
    _row("kaiming_normal_", "He's normal", _KAIMING, _CHOICES),
    _row("orthogonal_", "orthogonal rows", "gain: float = 1.0"),
    _row("sparse_", "a share of zeros, else normal", "sparsity: float, std: float = 0.01"),
)
