"""Settings of optimizers, schedulers and initialisers, generated: what torch refuses is refused.

A setting goes through the checker as a user writes it, and through torch's constructor and three
steps. Non-goal: what steps compute, which goldens hold.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

import pytest
import torch
from catalog_oracle import torch_callable
from conftest import CasesOf
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from specc.catalog import INITS, OPTIMIZERS, SCHEDULERS
from specc.catalog.rows import Argument, InitRow, OptimizerRow, RuleError, SchedulerRow
from specc.errors import SpecError
from specc.semantics import analyse

Draw = Any

# What is refused although torch takes it, and why.
STRICTER: dict[Any, str] = {
    "capturable": "runs on CUDA alone, and goldens are made on the CPU",
    "differentiable": "cannot step the parameters of a module",
    ("ASGD", "alpha"): "a power of the step's number that grows",
    ("LBFGS", "lr"): "torch's line search divides by it, after the first step alone",
    ("Muon", "eps"): "the least size of a gradient that is divided by",
    ("Muon", "ns_steps"): "less than none",
    ("PolynomialLR", "power"): "torch divides by 0 at the end",
    ("dirac_", "groups"): "less than one",
    ("trunc_normal_", "std"): "a deviation is above 0",
    ("sparse_", "sparsity"): "a share is from 0 to 1; torch slices with it",
    ("sparse_", "std"): "torch looks at it only where something is left to draw",
    "max_iter": "a step that computes nothing",
    "max_eval": "as max_iter",
    "history_size": "torch fails, in the first step whose curvature is kept",
    "tolerance_grad": "no size is below 0",
    "tolerance_change": "as tolerance_grad",
    "step_size": "torch divides by it, or moves backwards",
    "step_size_up": "as step_size",
    "step_size_down": "as step_size",
    "T_max": "as step_size",
    "total_iters": "as step_size",
    "epochs": "as step_size, where total_steps does not say it",
    "steps_per_epoch": "as epochs",
    "div_factor": "torch divides by it",
    "final_div_factor": "as div_factor",
    "patience": "a wait of less than nothing",
    "cooldown": "as patience",
    ("ReduceLROnPlateau", "factor"): "a rate below 0",
    ("ConstantLR", "factor"): "torch divides by it, where it comes to its end",
    ("ReduceLROnPlateau", "eps"): "no change of a rate is below 0",
}

NUMBERS = (-1.0, 0.0, 0.3, 0.9, 1.0, 1.5, 30.0)


def _written(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "none"
        case str():
            return f'"{value}"'
        case tuple():
            return f"({', '.join(map(_written, value))}{',' if len(value) == 1 else ''})"
        case _:
            return repr(value)


def _value(draw: Draw, row: Any, argument: Argument) -> Any:
    choices = row.choices.get(argument.name)
    if choices:
        return draw(st.sampled_from([*choices]))
    types = argument.types
    if "bool" in types:
        return draw(st.booleans())
    if "float? x2" in types:
        first = draw(st.sampled_from([None, -1.0, 1e-30]))
        return (first, draw(st.sampled_from([-1.0, 0.0, 1e-3])))
    if "floats" in types and "float" not in types:
        wanted = {"betas": 2, "etas": 2, "step_sizes": 2, "ns_coefficients": 3}[argument.name]
        count = wanted + draw(st.sampled_from([0] * 7 + [1]))
        return tuple(draw(st.sampled_from(NUMBERS)) for _ in range(count))
    if "ints" in types:
        return tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    if argument.name == "sparsity":
        return draw(st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0, -1.0, 1.5]))
    if argument.name == "total_steps":
        return draw(st.sampled_from([-1, 5, 9, 100]))
    if "int" in types:
        return draw(st.sampled_from([-1, 0, 1, 2, 5, 100]))
    return draw(st.sampled_from(NUMBERS))


def _drawn(draw: Draw, row: Any, least: tuple[str, ...] = ()) -> dict[str, Any]:
    free = [each for each in row.arguments if not each.required and each.name not in least]
    chosen = draw(st.lists(st.sampled_from(free), max_size=2, unique=True)) if free else []
    wanted = [each for each in row.arguments if each.required or each.name in least]
    return {each.name: _value(draw, row, each) for each in (*wanted, *chosen)}


MODEL = """spec 1
model M {{
  input x: {type}
  y = x -> {layer}
  output y
}}
train {{
  input t: float[N, 2]
  loss = MSELoss(y, t)
  {training}
}}
"""


def _refused(training: str, layer: str = "fc: Linear(2)", type_: str = "float[N, 6]") -> list[str]:
    """The codes that the checker reports of a training."""
    try:
        analyse(MODEL.format(type=type_, layer=layer, training=training), "m.spec", {})
    except SpecError as error:
        return [item.code for item in error.diagnostics() if item.severity == "error"]
    return []


def _torch_refuses(run: Any) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            run()
        except (ValueError, RuntimeError, ZeroDivisionError, OverflowError, TypeError,
                AssertionError, IndexError, UnboundLocalError):  # fmt: skip
            return True
    return False


def _call(name: str, given: dict[str, Any]) -> str:
    return f"{name}({', '.join(f'{key}={_written(value)}' for key, value in given.items())})"


def _steps(optimizer: torch.optim.Optimizer, module: nn.Module, scheduler: Any = None) -> None:
    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss: torch.Tensor = module(INPUT).square().mean()
        loss.backward()
        return loss

    for _ in range(3):
        closure()
        optimizer.step(closure)
        if scheduler is not None:
            scheduler.step(*((1.0,) if "metrics" in scheduler.step.__code__.co_varnames else ()))


INPUT = torch.arange(24.0).view(4, 6) / 10


@pytest.mark.parametrize("row", OPTIMIZERS.values(), ids=lambda row: row.name)
def test_an_optimizers_settings_go_as_torchs(row: OptimizerRow, cases_of: CasesOf) -> None:
    sparse = row.gradients == "sparse"
    layer = "e: Embedding(2, sparse=true)" if sparse else "fc: Linear(2)"
    type_ = "index(9)[N]" if sparse else "float[N, 6]"
    on = " on *.weight" if row.rank else ""
    accepted = refused = 0
    count = cases_of(row, OPTIMIZERS.values())

    @settings(max_examples=count, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal accepted, refused
        args = _drawn(data.draw, row)
        codes = _refused(f"optimizer {_call(row.name, args)}{on}", layer, type_)

        def run() -> None:
            if sparse:
                table = nn.Embedding(9, 2, sparse=True)
                optimizer = torch_callable(row)(table.parameters(), **args)
                table(torch.tensor([1, 1, 3])).square().sum().backward()
                optimizer.step()
                return
            module = nn.Linear(6, 2, bias=not row.rank)
            _steps(torch_callable(row)(module.parameters(), **args), module)

        if _torch_refuses(run):
            refused += 1
            assert set(codes) == {"E0307"}, (args, codes)
        elif codes:
            assert set(codes) == {"E0307"}
            assert any((row.name, name) in STRICTER or name in STRICTER for name in args), args
        else:
            accepted += 1

    check()
    assert accepted >= 5


@pytest.mark.parametrize(
    "row", [row for row in SCHEDULERS.values() if row.parts is None], ids=lambda row: row.name
)
def test_a_schedulers_settings_go_as_torchs(row: SchedulerRow, cases_of: CasesOf) -> None:
    accepted = 0
    least = ("total_steps",) if row.name == "OneCycleLR" else ()
    count = cases_of(row, SCHEDULERS.values())

    @settings(max_examples=count, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal accepted
        args = _drawn(data.draw, row, least)
        codes = _refused(
            f"optimizer SGD(lr=0.1, momentum=0.9)\n  scheduler {_call(row.name, args)} per step"
        )

        def run() -> None:
            module = nn.Linear(6, 2)
            optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
            scheduler = torch_callable(row)(optimizer, **args)
            _steps(optimizer, module, scheduler)
            assert all(math.isfinite(group["lr"]) for group in optimizer.param_groups)

        if _torch_refuses(run):
            assert set(codes) == {"E0307"}, (args, codes)
        elif codes:
            assert set(codes) == {"E0307"}
            assert any((row.name, name) in STRICTER or name in STRICTER for name in args), args
        else:
            accepted += 1

    check()
    assert accepted >= 5


@pytest.mark.parametrize(
    "row", [row for row in SCHEDULERS.values() if row.parts is not None], ids=lambda row: row.name
)
def test_a_scheduler_of_others_goes_as_torchs(row: SchedulerRow, cases_of: CasesOf) -> None:
    accepted = 0
    simple = [each for each in SCHEDULERS.values() if each.parts is None]
    count = cases_of(row, SCHEDULERS.values())

    @settings(max_examples=count, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal accepted
        chosen = data.draw(st.lists(st.sampled_from(simple), min_size=1, max_size=3))
        parts = [
            (part, _drawn(data.draw, part, ("total_steps",) * (part.name == "OneCycleLR")))
            for part in chosen
        ]
        args: dict[str, Any] = {}
        if "milestones" in row.by_name:
            off = data.draw(st.sampled_from([0, 0, 0, 0, 1, -1]))
            args["milestones"] = tuple(
                data.draw(st.integers(0, 4)) for _ in range(max(len(parts) - 1 + off, 0))
            )
        written = ", ".join(_call(part.name, given) for part, given in parts)
        rest = "".join(f", {key}={_written(value)}" for key, value in args.items())
        codes = _refused(
            "optimizer SGD(lr=0.1, momentum=0.9)\n"
            f"  scheduler {row.name}([{written}]{rest}) per step"
        )

        def run() -> None:
            module = nn.Linear(6, 2)
            optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
            made = [torch_callable(part)(optimizer, **given) for part, given in parts]
            given = {key: list(value) for key, value in args.items()}
            scheduler = (
                torch_callable(row)(made, optimizer=optimizer, **given)
                if row.last
                else torch_callable(row)(optimizer, made, **given)
            )
            _steps(optimizer, module, scheduler)
            assert all(math.isfinite(group["lr"]) for group in optimizer.param_groups)

        names = [(part.name, name) for part, given in parts for name in given]
        # torch goes on to the next scheduler but one, or never has the first.
        places = list(args.get("milestones", ()))
        at_once = places != sorted(set(places)) or 0 in places
        if _torch_refuses(run):
            assert codes, (written, args)
        elif codes:
            stricter = any(pair in STRICTER or pair[1] in STRICTER for pair in names)
            assert at_once or stricter, (written, args)
        else:
            accepted += 1

    check()
    assert accepted >= 5


@pytest.mark.parametrize("row", INITS.values(), ids=lambda row: row.name)
def test_an_initialisers_settings_go_as_torchs(row: InitRow, cases_of: CasesOf) -> None:
    accepted = 0
    count = cases_of(row, INITS.values())

    @settings(max_examples=count, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal accepted
        args = _drawn(data.draw, row)
        rank = data.draw(st.sampled_from([max(row.rank, 1)] * 6 + [1, 2, 3, 4, 5, 6]))
        shape = tuple(data.draw(st.integers(1, 4)) for _ in range(rank))
        try:
            said = row.distribution(args, shape)
        except RuleError as error:
            assert error.code in ("E0301", "E0303", "E0307")
            wrong = any((row.name, name) in STRICTER for name in args)
            assert wrong or _torch_refuses(lambda: torch_callable(row)(torch.zeros(shape), **args))
            return
        drawn = torch.full(shape, math.nan, dtype=torch.float64)
        torch_callable(row)(drawn, **args)
        assert drawn.isfinite().all(), (args, shape)
        assert math.isfinite(said.low) and math.isfinite(said.high)
        if row.name == "trunc_normal_":  # a far tail is said to be its end, and only near it
            said = replace(said, kind="uniform", low=args.get("a", -2.0), high=args.get("b", 2.0))
        if said.kind != "normal":
            low, high = (said.low, said.high) if said.kind == "uniform" else (said.low, said.low)
            slack = 1e-9 * max(abs(low), abs(high))
            within = (drawn >= low - slack) & (drawn <= high + slack)
            assert within.all(), (args, shape, said, drawn)
        accepted += 1

    check()
    assert accepted >= 5


# ── what generated settings found ────────────────────────────────────────────────────────────────


def test_a_line_search_starts_from_a_step_above_0() -> None:
    module = nn.Linear(6, 2)
    optimizer = torch.optim.LBFGS(module.parameters(), lr=0.0, line_search_fn="strong_wolfe")
    with pytest.raises(ZeroDivisionError):
        _steps(optimizer, module)
    assert _refused('optimizer LBFGS(lr=0.0, line_search_fn="strong_wolfe")') == ["E0307"]
    assert _refused("optimizer LBFGS(lr=0.0)") == []


def test_nesterov_wants_a_momentum_of_sgd_alone() -> None:
    row = OPTIMIZERS["Muon"]
    module = nn.Linear(6, 2, bias=False)
    _steps(torch_callable(row)(module.parameters(), momentum=0.0), module)
    assert _refused("optimizer Muon(momentum=0.0) on *.weight", "fc: Linear(2, bias=false)") == []
    assert _refused("optimizer SGD(nesterov=true, momentum=0.0)") == ["E0307"]
