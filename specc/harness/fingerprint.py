"""The hash of a program's meaning: equal when two specs compute the same, whatever their spacing.

Covers the language version, the params' values, the model and the training; leaves out spans, the
file's name, comments and made-up names of intermediate values. The ``test`` block is left out as
well: sizes, seed and steps are compared one by one, so that a stale golden can say which of them
changed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json

from specc.errors import Span
from specc.ir import Param, Program, Scalar, Value
from specc.sizes import Poly


def fingerprint(program: Program) -> str:
    """64 hexadecimal digits: SHA-256 over the canonical form of ``program``."""
    numbers: dict[int, int] = {}
    model = program.model()
    # Inputs and outputs are known by name outside; the portable generator is keyed by an input's
    # name.
    named = {id(value) for value in model.inputs}
    if program.train:
        named |= {id(value) for value in program.train.inputs}
    form = [
        program.version,
        [_canonical(param, numbers, named) for param in program.params],
        _canonical(model, numbers, named),
        _canonical(program.train, numbers, named),
    ]
    return hashlib.sha256(json.dumps(form, separators=(",", ":")).encode()).hexdigest()


def _canonical(item: object, numbers: dict[int, int], named: set[int]) -> object:
    if item is None or isinstance(item, (bool, int, str)):
        return item
    if isinstance(item, float):
        return ["float", item.hex()]
    if isinstance(item, Span):
        return None
    if isinstance(item, Poly):
        return ["size", str(item)]
    if isinstance(item, Scalar):
        return _canonical(item.value, numbers, named)
    if isinstance(item, Param):
        return ["param", item.name, _canonical(item.value, numbers, named)]
    if isinstance(item, Value):
        number = numbers.setdefault(id(item), len(numbers))
        name = item.name if id(item) in named else None
        return ["value", number, name, _canonical(item.type, numbers, named)]
    if isinstance(item, (tuple, list)):
        return [_canonical(part, numbers, named) for part in item]
    if dataclasses.is_dataclass(item):
        parts = [
            [field.name, _canonical(getattr(item, field.name), numbers, named)]
            for field in dataclasses.fields(item)
            if field.compare and field.name not in ("span", "text")
        ]
        return [type(item).__name__, parts]
    raise TypeError(f"no canonical form for {type(item).__name__}")
