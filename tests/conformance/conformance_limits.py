"""What torch itself cannot do with a row, beside what the row says of targets (``Row.refuses``).

Each is run and must fail, so that what a new torch mends is seen. Non-goal: faults of specc's own,
which are mended.
"""

from __future__ import annotations

# (name, check) -> reason. The checks: gradients, eager, torchscript, export, compile, inductor.
LIMITS: dict[tuple[str, str], str] = {
    ("SparseAdam", "gradients"): "gradcheck compares no sparse gradients",
}

_NO_GRADIENT = "no gradient flows: that is what it is for"
_CONSTANT = "its values do not depend on what it is given"
# Rows that give floats of which none depends smoothly on anything, and why.
FLAT: dict[tuple[str, str], str] = {
    ("function", "detach"): _NO_GRADIENT,
    ("function", "stop_gradient"): _NO_GRADIENT,
    **{
        ("function", name): _CONSTANT
        for name in ("ones_like", "zeros_like", "full_like", "normal_like", "uniform_like")
    },
    **{
        ("function", name): "torch has no derivative of it"
        for name in ("floor_divide", "heaviside", "zeta")
    },
    **{
        ("function", name): "of whole numbers, which nothing is differentiated by"
        for name in ("float", "double", "half", "bfloat16")
    },
    ("function", "bernoulli"): "a draw of 0 or 1 has no slope",
}

# Rows whose gradients are checked in evaluation mode, and why.
EVALUATED: dict[tuple[str, str], str] = {
    ("parametrization", "spectral_norm"): "in training torch moves the singular vectors a step and "
    "takes them for constants: the gradient is that of the iteration's limit",
}
