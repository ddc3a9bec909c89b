"""The learning-rate schedulers, by torch's names, with all their arguments but ``optimizer``.

Left out: ``last_epoch`` (resuming is a checkpoint's affair), the deprecated ``verbose``, and
CyclicLR's ``scale_fn``, which is a function. One that is made of others is written as in torch:
``SequentialLR([LinearLR(), ExponentialLR(gamma=0.9)], milestones=(5,))``.
"""

from __future__ import annotations

from specc.catalog.rows import SchedulerRow


def _row(
    name: str,
    summary: str,
    signature: str,
    choices: dict[str, tuple[str, ...]] | None = None,
    *,
    monitors: bool = False,
    last: bool = False,
    example: str = "",
) -> SchedulerRow:
    return SchedulerRow(
        name,
        f"torch.optim.lr_scheduler.{name}",
        signature,
        summary,
        choices=choices or {},
        monitors=monitors,
        last=last,
        example=example,
    )


ROWS = (
    _row(
        "StepLR",
        "times gamma every step_size",
        "step_size: int, gamma: float = 0.1",
        example="StepLR(step_size=2)",
    ),
    _row(
        "MultiStepLR",
        "times gamma at each milestone",
        "milestones: ints, gamma: float = 0.1",
        example="MultiStepLR(milestones=(2, 5))",
    ),
    _row("ExponentialLR", "times gamma each time", "gamma: float", example="ExponentialLR(0.9)"),
    _row(
        "CosineAnnealingLR",
        "half a cosine down to eta_min in T_max",
        "T_max: int, eta_min: float = 0.0",
        example="CosineAnnealingLR(T_max=6)",
    ),
    _row(
        "CosineAnnealingWarmRestarts",
        "cosines that start anew, each T_mult times longer",
        "T_0: int, T_mult: int = 1, eta_min: float = 0.0",
        example="CosineAnnealingWarmRestarts(T_0=3, T_mult=2)",
    ),
    _row(
        "LinearLR",
        "a factor that goes from start_factor to end_factor",
        "start_factor: float = 0.3333333333333333, end_factor: float = 1.0, total_iters: int = 5",
    ),
    _row(
        "ConstantLR",
        "times factor until total_iters",
        "factor: float = 0.3333333333333333, total_iters: int = 5",
    ),
    _row(
        "PolynomialLR",
        "down to 0 in total_iters by a power",
        "total_iters: int = 5, power: float = 1.0",
    ),
    _row(
        "OneCycleLR",
        "up to max_lr and down below the start",
        "max_lr: float | floats, total_steps: int | none = None, epochs: int | none = None, "
        "steps_per_epoch: int | none = None, pct_start: float = 0.3, "
        "anneal_strategy: str = 'cos', cycle_momentum: bool = True, "
        "base_momentum: float | floats = 0.85, max_momentum: float | floats = 0.95, "
        "div_factor: float = 25.0, final_div_factor: float = 10000.0, three_phase: bool = False",
        {"anneal_strategy": ("cos", "linear")},
        example="OneCycleLR(max_lr=0.5, total_steps=40)",
    ),
    _row(
        "CyclicLR",
        "up and down between base_lr and max_lr",
        "base_lr: float | floats, max_lr: float | floats, step_size_up: int = 2000, "
        "step_size_down: int | none = None, mode: str = 'triangular', gamma: float = 1.0, *, "
        "scale_mode: str = 'cycle', cycle_momentum: bool = True, "
        "base_momentum: float | floats = 0.8, max_momentum: float | floats = 0.9",
        {
            "mode": ("triangular", "triangular2", "exp_range"),
            "scale_mode": ("cycle", "iterations"),
        },
        example="CyclicLR(base_lr=0.01, max_lr=0.1, step_size_up=4)",
    ),
    _row(
        "ReduceLROnPlateau",
        "times factor when the loss no longer falls",
        "mode: str = 'min', factor: float = 0.1, patience: int = 10, threshold: float = 0.0001, "
        "threshold_mode: str = 'rel', cooldown: int = 0, min_lr: float | floats = 0.0, "
        "eps: float = 1e-08",
        {"mode": ("min", "max"), "threshold_mode": ("rel", "abs")},
        monitors=True,
    ),
    _row(
        "SequentialLR",
        "one scheduler after the other, from each milestone the next",
        "schedulers: schedulers, milestones: ints",
        example="SequentialLR([LinearLR(total_iters=2), ExponentialLR(gamma=0.9)], "
        "milestones=(2,))",
    ),
    _row(
        "ChainedScheduler",
        "several schedulers at once, each on what the others make of the rate",
        "schedulers: schedulers",
        last=True,
        example="ChainedScheduler([LinearLR(total_iters=2), ExponentialLR(gamma=0.9)])",
    ),
)
