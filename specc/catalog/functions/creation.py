"""Rows of functions that make a tensor: of sizes alone, or like another; numbers or noise."""

from __future__ import annotations

from specc.catalog.functions.family import Family
from specc.catalog.rows import FunctionRow
from specc.catalog.shapes.of_functions import creation, elementwise
from specc.catalog.shapes.of_moves import diagonals


def _sized(name: str, summary: str) -> FunctionRow:
    return FunctionRow(
        name,
        f"torch.{name}",
        "*size: size",
        summary,
        example=f"x: float[N, 6] | x + {name}(N, 6)",
        shape=creation.created,
        family="creation",
    )


def _window(name: str, summary: str, settings: str = "") -> FunctionRow:
    return FunctionRow(
        f"{name}_window",
        f"torch.{name}_window",
        f"window_length: size, periodic: bool = True{settings}",
        summary,
        example=f"x: float[N, 6] | x * {name}_window(6)",
        shape=creation.windowed,
        family="creation",
    )


def _triangle(name: str, summary: str) -> FunctionRow:
    return FunctionRow(
        f"{name}_indices",
        f"torch.{name}_indices",
        "row: int, col: int, offset: int = 0",
        f"the places {summary}, a row of rows and one of columns, int64",
        example=f"x: float[N, 3] | x + sum({name}_indices(3, 3), dim=0)[:3]",
        shape=diagonals.ranged,
        family="creation",
    )


_like = Family("like", shape=elementwise.same)

ROWS = (
    _sized("ones", "ones of the run's precision"),
    _sized("zeros", "zeros of the run's precision"),
    FunctionRow(
        "arange",
        "torch.arange",
        "start: size = 0, end: size, step: int = 1",
        "int64 from start up to, without, end",
        positional=(("end",), ("start", "end"), ("start", "end", "step")),
        example="x: float[N, 6] | x * arange(6)",
        shape=creation.counted,
        family="creation",
    ),
    FunctionRow(
        "full",
        "torch.full",
        "size: sizes, fill_value: float",
        "one number, of the run's precision",
        example="x: float[N, 6] | x + full([6], 0.5)",
        shape=creation.created,
        family="creation",
    ),
    FunctionRow(
        "eye",
        "torch.eye",
        "n: size, m: size = None",
        "the identity matrix, of the run's precision",
        positional=(("n",), ("n", "m")),
        example="x: float[N, 6] | x @ eye(6)",
        shape=creation.identity,
        family="creation",
    ),
    FunctionRow(
        "linspace",
        "torch.linspace",
        "start: tensor | float, end: tensor | float, steps: size",
        "steps numbers from start to end, of the run's precision",
        example="x: float[N, 6] | x * linspace(0.0, 1.0, 6)",
        shape=creation.spaced,
        family="creation",
    ),
    FunctionRow(
        "logspace",
        "torch.logspace",
        "start: tensor | float, end: tensor | float, steps: size, base: float = 10.0",
        "base to the power of steps numbers from start to end, of the run's precision",
        example="x: float[N, 6] | x * logspace(0.0, 1.0, 6)",
        shape=creation.spaced,
        family="creation",
    ),
    _window("hann", "a raised cosine, 0 at the ends"),
    _window(
        "hamming",
        "a raised cosine, not 0 at the ends",
        ", alpha: float = 0.54, beta: float = 0.46",
    ),
    _window("blackman", "three terms of cosines"),
    _window("bartlett", "a triangle"),
    _window("kaiser", "of the least energy in its side lobes", ", beta: float = 12.0"),
    _triangle("tril", "on and below the diagonal"),
    _triangle("triu", "on and above the diagonal"),
    _like("torch.ones_like", "ones of another's shape"),
    _like("torch.zeros_like", "zeros of another's shape"),
    _like(
        "torch.full_like",
        "one number in another's shape",
        signature="input: tensor, fill_value: float | bool",
        example="x -> full_like(0.5)",
    ),
    _like(
        "torch.randn_like",
        "standard normal noise of another's shape",
        elementwise.floating,
        name="normal_like",
        stochastic=True,
    ),
    _like(
        "torch.rand_like",
        "uniform noise from 0 to 1 of another's shape",
        elementwise.unit_noise,
        name="uniform_like",
        stochastic=True,
    ),
)
