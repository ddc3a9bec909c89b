"""Asks torch what autocast makes of a row of the catalogue: the precision of its results, or that
it does not take what it is fed, forward or backward. On the CPU; non-goal: what should be."""

from __future__ import annotations

import itertools
import random
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from catalog_oracle import Conditions, Types, call_of, sound, torch_callable, torch_layer
from torch import Tensor

from specc.catalog.rows import FunctionRow, LayerRow, RuleError
from specc.harness.running.hooks import flat_tensors
from specc.ir import TensorType

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Refused(Exception):
    """torch does not take it."""


def floats_of(row: FunctionRow | LayerRow, tensors: Types) -> list[tuple[str, TensorType]]:
    """The tensors of the run's precision, by the arguments that they are given as, in order."""
    order = [
        a.name for a in (row.forward_arguments if isinstance(row, LayerRow) else row.arguments)
    ]
    given = sorted(tensors.items(), key=lambda item: order.index(item[0]))
    return [
        (name, each)
        for name, value in given
        for each in (value if isinstance(value, tuple) else (value,))
        if each.dtype == "float"
    ]


def patterns(count: int, low: str, most: int = 6) -> Iterator[tuple[str, ...]]:
    """Which of ``count`` floats are lower: every way, or some of many."""
    if count <= 3:
        yield from itertools.product((low, "float32"), repeat=count)
        return
    rng = random.Random(count)
    yield from ((low,) * count, ("float32",) * count)
    yield from (tuple(rng.choice((low, "float32")) for _ in range(count)) for _ in range(most))


def measured(
    row: FunctionRow | LayerRow, args: Mapping[str, Any], tensors: Types,
    precisions: Sequence[str], low: str | None,
) -> list[str]:  # fmt: skip
    """The precisions of the results, float by float, under autocast to ``low`` (None: without).

    Refused: torch raises, forward or backward."""
    left = iter(precisions)

    def one(tensor: Tensor) -> Tensor:
        if tensor.dtype != torch.float32:
            return tensor
        return tensor.to(DTYPES[next(left)]).requires_grad_()

    order = [
        a.name for a in (row.forward_arguments if isinstance(row, LayerRow) else row.arguments)
    ]
    given: dict[str, Any] = {}
    for name in sorted(tensors, key=order.index):
        value = sound(row, tensors[name])  # type: ignore[arg-type]  # it reads the family alone
        given[name] = [one(item) for item in value] if isinstance(value, list) else one(value)
    torch.manual_seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with torch.autocast("cpu", dtype=DTYPES[low or "bfloat16"], enabled=low is not None):
                results = flat_tensors(_call(row, args, given, tensors))
                sums = [_sum(each) for each in results if each.requires_grad]
            if sums:
                torch.stack(sums).sum().backward()
    except RuleError:
        raise
    except Exception as fault:
        raise Refused(str(fault).splitlines()[0][:200]) from None
    return [str(each.dtype).removeprefix("torch.") for each in results if each.is_floating_point()]


def called(
    row: FunctionRow, args: Mapping[str, Any], tensors: Types, asked: Collection[str]
) -> None:
    """Computes the row and a gradient by the tensors given as ``asked``; Refused."""
    given: dict[str, Any] = {}
    for name, types in tensors.items():
        given[name] = sound(row, types)
        for each in given[name] if isinstance(given[name], list) else (given[name],):
            if name in asked and (each.is_floating_point() or each.is_complex()):
                each.requires_grad_()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = [x for x in flat_tensors(_call(row, args, given, tensors)) if x.requires_grad]
            if results:
                torch.stack([_sum(each) for each in results]).sum().backward()
    except Exception as fault:
        raise Refused(str(fault).splitlines()[0][:200]) from None


def _sum(tensor: Tensor) -> Tensor:
    if tensor.is_complex():
        return (tensor.real.sum() + tensor.imag.sum()).float()
    return tensor.float().sum()


def _call(
    row: FunctionRow | LayerRow, args: Mapping[str, Any], given: dict[str, Any], types: Types
) -> Any:
    if isinstance(row, LayerRow):
        call = call_of(row, args, types, Conditions())
        module = torch_layer(row, call)
        given = {name: tuple(x) if isinstance(x, list) else x for name, x in given.items()}
        placed = [given.pop(a.name) for a in row.forward_arguments if a.required]
        settings = {a.name: args[a.name] for a in row.forward_arguments if a.name in args}
        return module(*placed, **given, **settings)
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    by_name = {**args, **given}
    for argument in row.arguments:
        if argument.name not in by_name:
            continue
        value = by_name[argument.name]
        if argument.variadic and argument.is_tensor:
            positional += value
        elif argument.variadic:
            positional.append(tuple(value))
        elif argument.required and not argument.keyword_only and not keywords:
            positional.append(value)
        else:
            keywords[argument.name] = value
    if row.training:
        keywords["training"] = True
    return torch_callable(row)(*positional, **keywords)
