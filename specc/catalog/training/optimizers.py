"""The optimizers, by torch's names, with all their arguments but ``params``.

Left out: Adam's ``decoupled_weight_decay``, which torch 2.6 has not and AdamW is. Every argument is
also a parameter group's.

The functions below say of each what it does not do from its first step on, as torch's source has
it: so many steps show it all. A step is seen by the parameters' change and by what the optimizer
keeps of each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from specc.catalog.rows import Begin, OptimizerRow

# So many steps are followed unasked. What most runs never come to (a bound, a full history) counts
# where it comes as soon.
SOON: Final = 12
# Nobody follows more steps than this.
_FAR: Final = 1000
# What the gradients decide is shown once this share of the elements has taken it.
_SHARE: Final = 1 / 12

# In the first step an average of the gradients is the gradient, whatever its decay, a momentum is
# not yet there, and a correction for the start at zero takes back what the decay did.
_KEPT: Final = Begin(2, "what it keeps of the step before")

_BETAS = "betas: floats = (0.9, 0.999), eps: float = 1e-08"
_FOREACH = "foreach: bool | none = None"
_FUSED = "fused: bool | none = None"
_MAXIMIZE = "maximize: bool = False"
_CAPTURABLE = "capturable: bool = False"
_DIFFERENTIABLE = "differentiable: bool = False"


def _kept(given: Mapping[str, Any]) -> tuple[Begin, ...]:
    return (_KEPT,)


def _sgd(given: Mapping[str, Any]) -> tuple[Begin, ...]:
    # The first step fills the momentum's buffer with the gradient, undamped.
    return (Begin(2, "its momentum"),) if given["momentum"] else ()


def _adam(given: Mapping[str, Any]) -> tuple[Begin, ...]:
    """AMSGrad divides by the largest average of squares so far: another than the present one
    where that has fallen, which it does where the new square is below the old average. Of normal
    gradients the average before step t is about (1 - beta2) (t - 1), and the root of it is what
    the gradient must be below, which 0.8 times as many are where that is small."""
    if not given["amsgrad"]:
        return (_KEPT,)
    share, step = 0.0, 1
    while share < _SHARE and step < _FAR:
        step += 1
        share += 0.8 * math.sqrt((1 - given["betas"][1]) * (step - 1))
    return (_KEPT, Begin(step, "the largest average in the place of the present one"))


def average_length(decay: float, step: float) -> float:
    """Of how many squares RAdam takes its average with beta2 ``decay`` to be made in ``step``,
    counted from 1: rho_t of Liu et al., "On the variance of the adaptive learning rate and beyond"
    (2020)."""
    power: float = decay**step
    return 2 / (1 - decay) - 1 - 2 * step * power / (1 - power)


def _radam(given: Mapping[str, Any]) -> tuple[Begin, ...]:
    """The length of the average is to be over 5, and only then does it divide by the root of the
    squares: in step 6 for most values of beta2, and never for the small ones."""
    for step in range(1, _FAR):
        if average_length(given["betas"][1], step) > 5:
            return (_KEPT, Begin(step, "its rectified step"))
    return (_KEPT,)


def _rprop(given: Mapping[str, Any]) -> tuple[Begin, ...]:
    """The second step compares signs; where they differ it forgets the gradient, so that the third
    finds none to compare with. Each of a row of steps of one sign makes the step size larger, and
    of steps of other signs only every second makes it smaller."""
    shrink, grow = given["etas"]
    least, most = given["step_sizes"]
    found = [Begin(2, "its comparison of signs"), Begin(3, "the step after a change of sign")]
    rate = given["lr"]
    if 0 < least < rate < most:
        longer = math.ceil(math.log(most / rate) / math.log(grow))
        shorter = math.ceil(math.log(least / rate) / math.log(shrink))
        ends = (Begin(longer + 1, "its largest step"), Begin(2 * shorter, "its smallest step"))
        found += [each for each in ends if each.step <= SOON]
    return tuple(found)


def _asgd(given: Mapping[str, Any]) -> tuple[Begin, ...]:
    """Each step computes the rate of the next, and its share in the average: 1 / max(1, step - t0),
    which is another than 1 from the step after t0 + 1 on, and used in the one that follows."""
    average = max(2, math.floor(given["t0"]) + 3) if given["t0"] < _FAR else _FAR
    found = (Begin(2, "its falling rate"), Begin(average, "its average of the parameters"))
    return found if average < _FAR else found[:1]


def _adafactor(given: Mapping[str, Any]) -> tuple[Begin, ...]:
    """The first step has nothing but its own squares: 1 to any power is 1. The rate is the least of
    ``lr`` and 1 / sqrt(step)."""
    rate = given["lr"]
    falls = math.floor(1 / rate**2) + 1 if rate * math.sqrt(SOON) > 1 else _FAR
    return (_KEPT, Begin(falls, "its falling rate")) if falls <= SOON else (_KEPT,)


def _lbfgs(given: Mapping[str, Any]) -> tuple[Begin, ...]:
    """Each iteration but the first keeps a pair, so that one more than the history holds makes it
    forget the oldest. A step looks at the loss once, and once an iteration; a line search as often
    as it likes. In many iterations rounding grows over everything: those are not waited for."""
    most = given["max_iter"] * 5 // 4 if given["max_eval"] is None else given["max_eval"]
    wanted = given["history_size"] + 2
    forgets = math.ceil(wanted / max(1, min(given["max_iter"], most - 1)))
    if given["line_search_fn"] or wanted > 2 * SOON or not 1 < forgets <= SOON:
        return (_KEPT,)
    return (_KEPT, Begin(forgets, "what it does when its history is full"))


def _row(
    name: str,
    summary: str,
    begins: Callable[[Mapping[str, Any]], tuple[Begin, ...]],
    *arguments: str,
    since: str = "2.0",
    choices: dict[str, tuple[str, ...]] | None = None,
    example: str = "",
    rank: int | None = None,
    closure: bool = False,
    gradients: Literal["dense", "sparse", "any"] = "dense",
    fused_on: tuple[str, ...] = (),
) -> OptimizerRow:
    return OptimizerRow(
        name,
        f"torch.optim.{name}",
        ", ".join(arguments),
        summary,
        since=since,
        choices=choices or {},
        positional=(("lr",),),
        example=example,
        rank=rank,
        closure=closure,
        gradients=gradients,
        fused_on=fused_on,
        begins=begins,
    )


ROWS = (
    _row(
        "SGD",
        "gradient descent, with momentum",
        _sgd,
        "lr: float = 0.001, momentum: float = 0.0, dampening: float = 0.0",
        "weight_decay: float = 0.0, nesterov: bool = False",
        "*",
        _MAXIMIZE,
        _FOREACH,
        _DIFFERENTIABLE,
        _FUSED,
        fused_on=("cpu", "cuda"),
        since="2.3",
        gradients="any",
    ),
    _row(
        "Adam",
        "adaptive moments",
        _adam,
        f"lr: float = 0.001, {_BETAS}, weight_decay: float = 0.0, amsgrad: bool = False",
        "*",
        _FOREACH,
        _MAXIMIZE,
        _CAPTURABLE,
        _DIFFERENTIABLE,
        _FUSED,
        fused_on=("cpu", "cuda"),
    ),
    _row(
        "AdamW",
        "Adam with weight decay apart from the gradient",
        _adam,
        f"lr: float = 0.001, {_BETAS}, weight_decay: float = 0.01, amsgrad: bool = False",
        "*",
        _MAXIMIZE,
        _FOREACH,
        _CAPTURABLE,
        _DIFFERENTIABLE,
        _FUSED,
        fused_on=("cpu", "cuda"),
    ),
    _row(
        "RMSprop",
        "gradients over their root mean square",
        _kept,
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
        _kept,
        "lr: float = 0.01, lr_decay: float = 0.0, weight_decay: float = 0.0",
        "initial_accumulator_value: float = 0.0, eps: float = 1e-10",
        _FOREACH,
        "*",
        _MAXIMIZE,
        _DIFFERENTIABLE,
        _FUSED,
        fused_on=("cpu",),
        since="2.3",
        gradients="any",
    ),
    _row(
        "Adadelta",
        "steps scaled by those before",
        _kept,
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
        _kept,
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
        _kept,
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
        _radam,
        f"lr: float = 0.001, {_BETAS}, weight_decay: float = 0.0",
        "decoupled_weight_decay: bool = False",
        "*",
        _FOREACH,
        _MAXIMIZE,
        _CAPTURABLE,
        _DIFFERENTIABLE,
        # Of six steps a golden with a bias would be as large again.
        example="x: float[N, 6] | y = x -> Linear(2, bias=false)\nRAdam(lr=0.01)",
    ),
    _row(
        "Rprop",
        "steps by the gradient's sign",
        _rprop,
        "lr: float = 0.01, etas: floats = (0.5, 1.2), step_sizes: floats = (1e-06, 50)",
        "*",
        _CAPTURABLE,
        _FOREACH,
        _MAXIMIZE,
        _DIFFERENTIABLE,
        example="x: float[N, 6] | y = x -> Linear(2, bias=false)\nRprop(lr=0.01)",
    ),
    _row(
        "ASGD",
        "averaged gradient descent",
        _asgd,
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
        _adafactor,
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
        _kept,
        "lr: float = 0.001, weight_decay: float = 0.1, momentum: float = 0.95",
        "nesterov: bool = True, ns_coefficients: floats = (3.4445, -4.775, 2.0315)",
        "eps: float = 1e-07, ns_steps: int = 5, adjust_lr_fn: str | none = None",
        choices={"adjust_lr_fn": ("original", "match_rms_adamw")},
        since="2.9",
        example="x: float[N, 6] | y = x -> fc: Linear(2, bias=false)\nMuon(lr=0.01)",
        rank=2,
    ),
    _row(
        "LBFGS",
        "quasi-Newton steps from the last gradients; it computes the loss many times a step",
        _lbfgs,
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
        _kept,
        f"lr: float = 0.001, {_BETAS}, maximize: bool = False",
        gradients="sparse",
        example="x: index(9)[N] | y = x -> Embedding(2, sparse=true)\nSparseAdam(lr=0.01)",
    ),
)
