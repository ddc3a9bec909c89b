"""The optimizers, by torch's names, with all their arguments but ``params``.

Left out: Adam's ``decoupled_weight_decay``, which torch 2.6 has not and AdamW is. Every argument is
also a parameter group's.
"""

from __future__ import annotations

from typing import Literal

from specc.catalog.rows import OptimizerRow

_BETAS = "betas: floats = (0.9, 0.999), eps: float = 1e-08"
_FOREACH = "foreach: bool | none = None"
_FUSED = "fused: bool | none = None"
_MAXIMIZE = "maximize: bool = False"
_CAPTURABLE = "capturable: bool = False"
_DIFFERENTIABLE = "differentiable: bool = False"


def _row(
    name: str,
    summary: str,
    *arguments: str,
    since: str = "2.0",
    choices: dict[str, tuple[str, ...]] | None = None,
    example: str = "",
    rank: int | None = None,
    closure: bool = False,
    gradients: Literal["dense", "sparse", "any"] = "dense",
) -> OptimizerRow:
    return OptimizerRow(
        name,
        f"torch.optim.{name}",
        ", ".join(arguments),
        summary,
        since=since,
        choices=choices or {},
        example=example,
        rank=rank,
        closure=closure,
        gradients=gradients,
    )


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
        gradients="any",
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
        gradients="any",
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
    _row(
        "Adafactor",
        "steps scaled by the rows and columns of the squared gradients",
        "lr: float = 0.01, beta2_decay: float = -0.8, eps: float? x2 = (None, 0.001)",
        "d: float = 1.0, weight_decay: float = 0.0",
        "*",
        _FOREACH,
        _MAXIMIZE,
        since="2.5",
    ),
    _row(
        "Muon",
        "momentum made orthogonal, for matrices",
        "lr: float = 0.001, weight_decay: float = 0.1, momentum: float = 0.95",
        "nesterov: bool = True, ns_coefficients: floats = (3.4445, -4.775, 2.0315)",
        "eps: float = 1e-07, ns_steps: int = 5, adjust_lr_fn: str | none = None",
        choices={"adjust_lr_fn": ("original", "match_rms_adamw")},
        since="2.9",
        example="Muon(lr=0.01) on *.weight",
        rank=2,
    ),
    _row(
        "LBFGS",
        "quasi-Newton steps from the last gradients; it computes the loss many times a step",
        "lr: float = 1.0, max_iter: int = 20, max_eval: int | none = None",
        "tolerance_grad: float = 1e-07, tolerance_change: float = 1e-09",
        "history_size: int = 100, line_search_fn: str | none = None",
        choices={"line_search_fn": ("strong_wolfe",)},
        example="LBFGS(lr=0.1, max_iter=4)",
        closure=True,
    ),
    _row(
        "SparseAdam",
        "Adam on the rows that a batch has looked up, for `Embedding(..., sparse=true)`",
        f"lr: float = 0.001, {_BETAS}, maximize: bool = False",
        gradients="sparse",
        example="x: index(9)[N] | y = x -> Embedding(2, sparse=true)\nSparseAdam(lr=0.01)",
    ),
)
