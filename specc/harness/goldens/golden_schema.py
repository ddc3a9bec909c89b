"""What ``golden.json`` may hold: strict, bounded models that refuse anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from specc.harness.running.sketch import NONFINITE

_Name = Annotated[str, Field(min_length=1, max_length=500)]
_Count = Annotated[int, Field(ge=0, le=2**40)]
_Size = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
# Never zero, for errors are divided by it; infinity is written as the largest.
_Floor = Annotated[float, Field(ge=1e-300, le=1e300, allow_inf_nan=False)]
Precision = Literal["float32", "float64", "tf32", "bfloat16", "float16"]
_Part = TypeVar("_Part")
# Of the head, of a tensor and of a layer by itself, each; all of a golden is bounded by its size.
MOST = 2000
_Hex16 = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


def _tuples(value: object) -> object:
    """JSON has no tuples; strict mode would refuse the lists."""
    if isinstance(value, dict):
        return {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CaseRow(_Strict):
    """The case that was blessed."""

    sizes: dict[_Name, _Count]
    seed: int
    steps: _Count
    mode: Literal["train", "eval"]
    draw: _Count
    grid: Literal["float32", "bfloat16", "float16"]
    kinks: _Count


class TensorRow(_Strict):
    """One tensor's line."""

    name: _Name
    line: _Count
    file: Annotated[str, Field(max_length=500)] = ""
    kind: Literal["whole", "sketch", "absent"]
    shape: Annotated[list[_Count], Field(max_length=16)] = []
    dtype: Annotated[str, Field(max_length=20)] = ""
    rms: _Size = 0.0
    largest: _Size = 0.0
    digest: _Hex16 = "0" * 16
    nonfinite: Annotated[str, Field(pattern=rf"^({NONFINITE})?$")] = ""
    exact: bool = False
    floors: Annotated[dict[Precision, tuple[_Floor, _Floor]], BeforeValidator(_tuples)] = {}
    dtypes: dict[Precision, Annotated[str, Field(max_length=20)]] = {}


PerLayerRow = Annotated[dict[Precision, tuple[_Floor, _Floor, _Floor]], BeforeValidator(_tuples)]
_ALONE = TypeAdapter(dict[_Name, PerLayerRow], config=ConfigDict(strict=True)).validate_python


class Header(_Strict):
    """The whole of ``golden.json``."""

    format: int
    # Of all the rest; empty where an older format had none.
    digest: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
    spec: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    model: _Name
    params: dict[_Name, str]
    case: CaseRow
    # What the spec says of its losses, inits and values; empty where an older format had none.
    said: dict[_Name, Annotated[str, Field(max_length=500)]]
    samples: dict[_Name, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]
    observation: int
    method: int
    generator: int
    dtypes: Annotated[list[Precision], Field(max_length=10)]
    provenance: dict[_Name, str | int | bool]
    notes: Annotated[list[str], Field(max_length=100)]
    tensors: list[TensorRow]
    alone: dict[_Name, PerLayerRow]


def validated(raw: dict[str, Any]) -> Header:
    """``raw``, in the present format, as what it says. Raises ValueError that names the first
    fault.

    Part by part, and none of more than ``MOST`` values: of a part with a million faults every one
    would be described.
    """
    for name in Header.model_fields.keys() - raw.keys():
        raise ValueError(f"{name}: it is missing")
    for name in raw.keys() - Header.model_fields.keys():
        raise ValueError(f"{name[:80]}: nothing is called so")
    rows, alone = raw["tensors"], raw["alone"]
    if not isinstance(rows, list) or not isinstance(alone, dict):
        raise ValueError("tensors is no list, or alone no object")
    for name, part in raw.items():
        if name not in ("tensors", "alone") and _count(part) > MOST:
            raise ValueError(f"{name}: it holds over {MOST} values")
    head = _part("", Header.model_validate, raw | {"tensors": [], "alone": {}})
    tensors = [_part(f"tensors.{k}", TensorRow.model_validate, row) for k, row in enumerate(rows)]
    if len({row.name for row in tensors}) != len(tensors):
        raise ValueError("tensors: a tensor stands twice")
    floors = {
        name: _part(f"alone.{name}", _ALONE, {name: row})[name] for name, row in alone.items()
    }
    return head.model_copy(update={"tensors": tensors, "alone": floors})


def _part(where: str, validate: Callable[[Any], _Part], raw: object) -> _Part:
    if _count(raw) > MOST:
        raise ValueError(f"{where[:80]}: it holds over {MOST} values")
    try:
        return validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in (*([where] if where else ()), *first["loc"]))
        raise ValueError(f"{place[:80]}: {first['msg'][:120]}") from None


def _count(raw: object) -> int:
    """How many values ``raw`` holds, as far as they are of interest."""
    count, inside = 0, [raw]
    while inside and count <= MOST:
        value = inside.pop()
        if isinstance(value, (dict, list)):
            count += len(value)
            inside += (
                (value.values() if isinstance(value, dict) else value) if count <= MOST else ()
            )
    return count
