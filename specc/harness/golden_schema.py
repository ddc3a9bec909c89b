"""What ``golden.json`` may hold: strict, bounded models that refuse anything else."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

_Name = Annotated[str, Field(min_length=1, max_length=500)]
_Count = Annotated[int, Field(ge=0, le=2**40)]
_Size = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
# Never zero, for errors are divided by it; infinity is written as the largest.
_Floor = Annotated[float, Field(ge=1e-300, le=1e300, allow_inf_nan=False)]
_Precision = Literal["float32", "float64", "tf32", "bfloat16", "float16"]
_Hex16 = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


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


class Row(_Strict):
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
    nonfinite: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?$")] = ""
    exact: bool = False
    floors: dict[_Precision, tuple[_Floor, _Floor]] = {}
    dtypes: dict[_Precision, Annotated[str, Field(max_length=20)]] = {}

    # JSON has no tuples; strict mode would refuse the list.
    @field_validator("floors", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        if isinstance(value, dict):
            return {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
        return value


class Header(_Strict):
    """The whole of ``golden.json``."""

    format: int
    spec: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    model: _Name
    params: dict[_Name, str]
    case: CaseRow
    samples: dict[_Name, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]
    observation: int
    method: int
    generator: int
    dtypes: Annotated[list[_Precision], Field(max_length=10)]
    provenance: dict[_Name, str | int | bool]
    notes: Annotated[list[str], Field(max_length=100)]
    tensors: Annotated[list[Row], Field(max_length=200_000)]
    alone: Annotated[
        dict[_Name, dict[_Precision, tuple[_Floor, _Floor, _Floor]]], Field(max_length=200_000)
    ]

    @field_validator("alone", mode="before")
    @classmethod
    def _triples(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {
            name: {k: tuple(v) if isinstance(v, list) else v for k, v in floors.items()}
            if isinstance(floors, dict)
            else floors
            for name, floors in value.items()
        }

    @field_validator("tensors")
    @classmethod
    def _names_once(cls, rows: list[Row]) -> list[Row]:
        names = {row.name for row in rows}
        if len(names) != len(rows):
            raise ValueError("a tensor stands twice")
        return rows
