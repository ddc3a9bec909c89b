"""The optimizers, by torch's names, with all their arguments but ``params``.

Left out: Adam's ``decoupled_weight_decay``, which torch 2.6 has not and AdamW is. Every argument is
also a parameter group's.
"""

from __future__ import annotations

from specc.catalog.rows import OptimizerRow

_BETAS = "betas: floats = (0.9, 0.999), eps: float = 1e-08"
_FOREACH = "foreach: bool | none = None"
_FUSED = "fused: bool | none = None"
_MAXIMIZE = "maximize: bool = False"
_CAPTURABLE = "capturable: bool = False"
_DIFFERENTIABLE = "differentiable: bool = False"


def _row(name: str, summary: str, *arguments: str, since: str = "2.0") -> OptimizerRow:
    return OptimizerRow(name, f"torch.optim.{name}", ", ".join(arguments), summary, since=since)


ROWS = (
    _row(
        "SGD",
        "gradient descent, with momentum",
        "lr: float = 0.001, momentum: float = 0.0, dampening: float = 0.0",
        "weight_decay: float = 0.0, nesterov: bool = False",
        "*",
        _MAXIMIZE,
        _FOREACH,
        _DIFFERENTIABLE,
        _FUSED,
        since="2.3",
    ),
    _row(
        "Adam",
        "adaptive moments",
        f"lr: float = 0.001, {_BETAS}, weight_decay: float = 0.0, amsgrad: bool = False",
        "*",
        _FOREACH,
        _MAXIMIZE,
        _CAPTURABLE,
        _DIFFERENTIABLE,
        _FUSED,
    ),
    _row(
        "AdamW",
        "Adam with weight decay apart from the gradient",
        f"lr: float = 0.001, {_BETAS}, weight_decay: float = 0.01, amsgrad: bool = False",
        "*",
        _MAXIMIZE,
        _FOREACH,
        _CAPTURABLE,
        _DIFFERENTIABLE,
        _FUSED,
    ),
    _row(
        "RMSprop",
        "gradients over their root mean square",
        "lr: float = 0.01, alpha: float = 0.99, eps: float = 1e-08",
        "weight_decay: float = 0.0, momentum: float = 0.0, centered: bool = False",
        _CAPTURABLE,
        _FOREACH,
        _MAXIMIZE,
        _DIFFERENTIABLE,
    ),
    _row(
        "Adagrad",
        "gradients over the root of their summed squares",
        "lr: float = 0.01, lr_decay: float = 0.0, weight_decay: float = 0.0",
        "initial_accumulator_value: float = 0.0, eps: float = 1e-10",
        _FOREACH,
        "*",
        _MAXIMIZE,
        _DIFFERENTIABLE,
        _FUSED,
        since="2.3",
    ),
    _row(
        "Adadelta",
        "steps scaled by those before",
        "lr: float = 1.0, rho: float = 0.9, eps: float = 1e-06, weight_decay: float = 0.0",
        _FOREACH,
        "*",
        _CAPTURABLE,
        _MAXIMIZE,
        _DIFFERENTIABLE,
    ),
    _row(
        "Adamax",
        "Adam with the largest gradient for its scale",
        f"lr: float = 0.002, {_BETAS}, weight_decay: float = 0.0",
        _FOREACH,
        "*",
        _MAXIMIZE,
        _DIFFERENTIABLE,
        _CAPTURABLE,
    ),
    _row(
        "NAdam",
        "Adam with Nesterov's momentum",
        f"lr: float = 0.002, {_BETAS}, weight_decay: float = 0.0",
        "momentum_decay: float = 0.004, decoupled_weight_decay: bool = False",
        "*",
        _FOREACH,
        _MAXIMIZE,
        _CAPTURABLE,
        _DIFFERENTIABLE,
        since="2.5",
    ),
    _row(
        "RAdam",
        "Adam with a rectified start",
        f"lr: float = 0.001, {_BETAS}, weight_decay: float = 0.0",
        "decoupled_weight_decay: bool = False",
        "*",
        _FOREACH,
        _MAXIMIZE,
        _CAPTURABLE,
        _DIFFERENTIABLE,
    ),
    _row(
        "Rprop",
        "steps by the gradient's sign",
        "lr: float = 0.01, etas: floats = (0.5, 1.2), step_sizes: floats = (1e-06, 50)",
        "*",
        _CAPTURABLE,
        _FOREACH,
        _MAXIMIZE,
        _DIFFERENTIABLE,
    ),
    _row(
        "ASGD",
        "averaged gradient descent",
        "lr: float = 0.01, lambd: float = 0.0001, alpha: float = 0.75, t0: float = 1000000.0",
        "weight_decay: float = 0.0",
        _FOREACH,
        _MAXIMIZE,
        _DIFFERENTIABLE,
        _CAPTURABLE,
    ),
)
