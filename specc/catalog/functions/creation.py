"""Rows of functions that make a tensor: of sizes alone, or like another; numbers or noise."""

from __future__ import annotations

from specc.catalog.rows import FunctionRow
from specc.catalog.shapes import creation, elementwise


def _sized(name: str, summary: str) -> FunctionRow:
    return FunctionRow(
        name, f"torch.{name}", "*size: size", summary, shape=creation.created, family="creation"
    )


def _like(name: str, summary: str, signature: str = "input: tensor") -> FunctionRow:
    return FunctionRow(
        name, f"torch.{name}", signature, summary, shape=elementwise.same, family="like"
    )


ROWS = (
    _sized("ones", "ones of the run's precision"),
    _sized("zeros", "zeros of the run's precision"),
    FunctionRow(
        "arange",
        "torch.arange",
        "start: size = 0, end: size, step: int = 1",
        "int64 from start up to, without, end",
        positional=(("end",), ("start", "end"), ("start", "end", "step")),
        shape=creation.counted,
        family="creation",
    ),
    FunctionRow(
        "full",
        "torch.full",
        "size: sizes, fill_value: float",
        "one number, of the run's precision",
        shape=creation.created,
        family="creation",
    ),
    FunctionRow(
        "eye",
        "torch.eye",
        "n: size, m: size = None",
        "the identity matrix, of the run's precision",
        positional=(("n",), ("n", "m")),
        shape=creation.identity,
        family="creation",
    ),
    FunctionRow(
        "linspace",
        "torch.linspace",
        "start: float, end: float, steps: size",
        "steps numbers from start to end, of the run's precision",
        shape=creation.spaced,
        family="creation",
    ),
    _like("ones_like", "ones of another's shape"),
    _like("zeros_like", "zeros of another's shape"),
    _like("full_like", "one number in another's shape", "input: tensor, fill_value: float"),
    FunctionRow(
        "normal_like",
        "torch.randn_like",
        "input: tensor",
        "standard normal noise of another's shape",
        shape=elementwise.floating,
        stochastic=True,
        family="like",
    ),
    FunctionRow(
        "uniform_like",
        "torch.rand_like",
        "input: tensor",
        "uniform noise from 0 to 1 of another's shape",
        shape=elementwise.unit_noise,
        stochastic=True,
        family="like",
    ),
)
