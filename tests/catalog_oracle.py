"""Asks torch what a catalogue row should say: the oracle of the ``test_catalog_*`` files.

A row is asked with numbers and with symbols, torch with small tensors of zeros on the CPU: its meta
kernels do not refuse all that its real ones do. Non-goal: values; those are the harness's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from specc.catalog.rows import Call, FunctionRow, LayerRow, Row, RuleError
from specc.ir import ResultType, Static, TensorType
from specc.sizes import Size, evaluate, symbol

Types = Mapping[str, TensorType | tuple[TensorType, ...]]
DTYPES = {"float": torch.float32, "int64": torch.int64, "bool": torch.bool, "int32": torch.int32,
          "complex": torch.complex64,
          "float64": torch.float64}  # fmt: skip


@dataclass
class Conditions:
    """Decides equalities and bounds as the checker does, and remembers those that stay open."""

    params: Mapping[str, Size] = field(default_factory=dict)
    open: list[tuple[Size, Size]] = field(default_factory=list)
    bounds: list[tuple[Size, Size]] = field(default_factory=list)

    def require_equal(self, left: Size, right: Size, error: RuleError) -> None:
        one, other = evaluate(left, self.params), evaluate(right, self.params)
        if one == other:
            return
        if isinstance(one, int) and isinstance(other, int):
            raise error
        self.open.append((left, right))

    def require_at_least(self, left: Size, right: Size, error: RuleError) -> None:
        difference = evaluate(left, self.params) - evaluate(right, self.params)
        if isinstance(difference, int):
            if difference < 0:
                raise error
            return
        self.bounds.append((left, right))

    def hold(self, values: Mapping[str, Size]) -> bool:
        """Whether all that stayed open holds of ``values``, which must settle it."""
        gaps = [evaluate(left, values) - evaluate(right, values) for left, right in self.bounds]
        assert all(isinstance(gap, int) for gap in gaps)
        return all(
            evaluate(left, values) == evaluate(right, values) for left, right in self.open
        ) and all(gap >= 0 for gap in gaps)  # type: ignore[operator]  # ints, as just checked


def floats(*shape: Size) -> TensorType:
    return TensorType("float", shape)


def index(classes: Size, *shape: Size) -> TensorType:
    return TensorType("int64", shape, "index", classes)


def call_of(
    row: Row, args: Mapping[str, Static], tensors: Types, conditions: Conditions | None = None
) -> Call:
    """The call with the row's defaults; for a layer with its inferred arguments filled in."""
    conditions = conditions or Conditions()
    defaults: dict[str, Any] = {
        argument.name: argument.default
        for argument in row.arguments
        if not argument.required and not argument.inferred
    }
    call = Call(
        row.name,
        {**defaults, **args},
        tensors,
        conditions.params,
        conditions.require_equal,
        conditions.require_at_least,
    )
    if isinstance(row, LayerRow):
        told = {name: rule(call) for name, rule in row.infer.items()}
        for name, value in told.items():
            if name in args:
                error = RuleError("E0213", f"{name} is {args[name]}, and {value} comes in")
                pairs = zip(_tuple(args[name]), _tuple(value), strict=True)
                for given, wanted in pairs:
                    conditions.require_equal(given, wanted, error)
        call = replace(call, args={**call.args, **told})
    return call


def _tuple(value: Any) -> tuple[Size, ...]:
    return value if isinstance(value, tuple) else (value,)


def shape_of(row: LayerRow | FunctionRow, args: Mapping[str, Static], **tensors: Any) -> ResultType:
    """What the row's rule says; RuleError where it refuses."""
    return row.shape(call_of(row, args, tensors))


def symbolic(types: Types, *, least: int = 2) -> tuple[Types, dict[str, int]]:
    """The same types with a symbol for every size of each tensor, and the symbols' values.

    Equal sizes get equal symbols, as a spec would write them, except those under ``least``: a 1
    stretches.
    """
    values: dict[str, int] = {}

    def lift(tensor: TensorType) -> TensorType:
        shape: list[Size] = []
        for size in tensor.shape:
            assert isinstance(size, int)
            if size >= least:
                values[f"S{size}"] = size
            shape.append(symbol(f"S{size}") if size >= least else size)
        return replace(tensor, shape=tuple(shape))

    lifted = {
        name: tuple(lift(item) for item in given) if isinstance(given, tuple) else lift(given)
        for name, given in types.items()
    }
    return lifted, values


def put_in(result: Any, values: Mapping[str, Size]) -> Any:
    """``result`` with the symbols' values put in."""
    if isinstance(result, TensorType):
        return replace(
            result,
            shape=tuple(evaluate(size, values) for size in result.shape),
            classes=None if result.classes is None else evaluate(result.classes, values),
        )
    return tuple(put_in(item, values) for item in result)


def zeros(tensor: TensorType | tuple[TensorType, ...]) -> Any:
    """A tensor of zeros of this type, or a list of them."""
    if isinstance(tensor, tuple):
        return [zeros(item) for item in tensor]
    return torch.zeros(tensor.shape, dtype=DTYPES[tensor.dtype])  # type: ignore[arg-type]  # numbers by now


def described(result: Any) -> Any:
    """A torch result in the form of ``shown``."""
    if isinstance(result, torch.Tensor):
        names = {value: name for name, value in DTYPES.items()}
        other = str(result.dtype).removeprefix("torch.")
        return names.get(result.dtype, other), tuple(result.shape)
    return tuple(described(item) for item in result)


def shown(result: Any) -> Any:
    """A rule's result as (dtype, shape), nested."""
    if isinstance(result, TensorType):
        return result.dtype, result.shape
    return tuple(shown(item) for item in result)


def torch_callable(row: Row) -> Any:
    """What the emitted source calls."""
    home, _, name = row.torch.partition(".")
    found: Any = {"nn": nn, "F": F, "torch": torch}[home]
    for part in name.split("."):
        found = getattr(found, part)
    return found


def torch_layer(row: LayerRow, call: Call) -> nn.Module:
    """The row's module, made as the emitted source makes it."""
    keep = {name: call.args[name] for name in row.by_name if name in call.args}
    if row.made:
        made: nn.Module = eval(row.made, {"nn": nn}, keep)  # the row's own text
        return made
    module: nn.Module = torch_callable(row)(**keep)
    return module


def sound(row: FunctionRow, tensor: TensorType | tuple[TensorType, ...]) -> Any:
    """Values of which a refusal says something of shapes and dtypes: probabilities, matrices that
    can be inverted and factored, divisors that are not 0."""
    if isinstance(tensor, tuple):
        return [sound(row, item) for item in tensor]
    dtype = DTYPES[tensor.dtype]
    if not (dtype.is_floating_point or dtype.is_complex):
        of_numbers = row.family in ("pairwise", "elementwise")
        return torch.full(tensor.shape, int(of_numbers), dtype=dtype)  # type: ignore[arg-type]  # numbers by now
    generator = torch.Generator().manual_seed(7)
    value = torch.rand(tensor.shape, dtype=dtype, generator=generator) * 0.8 + 0.1  # type: ignore[arg-type]  # numbers by now
    if row.family == "linalg" and len(tensor.shape) > 1 and tensor.shape[-1] == tensor.shape[-2]:
        value = 0.1 * value + 2.0 * torch.eye(int(str(tensor.shape[-1])), dtype=dtype)
    return value


def torch_function(
    row: FunctionRow,
    args: Mapping[str, Static],
    tensors: Types,
    device: str = "cpu",
) -> Any:
    """The row's function, called as the emitted source calls it."""
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    with torch.no_grad():
        given = {name: sound(row, tensor) for name, tensor in tensors.items()}
    by_name: dict[str, Any] = {**args, **_on(given, device)}
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
    if row.family == "creation":
        keywords["device"] = device
        if row.name != "arange" and not row.name.endswith("_indices"):
            keywords["dtype"] = torch.float32
    return torch_callable(row)(*positional, **keywords)


def _on(given: dict[str, Any], device: str) -> dict[str, Any]:
    return {
        name: [item.to(device) for item in value] if isinstance(value, list) else value.to(device)
        for name, value in given.items()
    }


def refusal(run: Any) -> tuple[Any, BaseException | None]:
    """The result of ``run()``, or what it raised."""
    try:
        return run(), None
    except RuleError as error:
        return None, error
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError, ArithmeticError,
            NotImplementedError, AttributeError) as error:  # fmt: skip
        return None, error


def names_and_shapes(pairs: Sequence[tuple[str, tuple[Size, ...]]]) -> list[tuple[str, Any]]:
    return [(name, tuple(shape)) for name, shape in pairs]
