"""What torch exports for tensors beside torch.nn.functional: a row, or a reason in the table.

Counted are the functions that torch lets a tensor's class override, of torch, torch.linalg,
torch.fft and torch.special. A row is called by the last part of torch's name, so that one row
covers a function that two namespaces have. Non-goal: torch.nn.functional, which is in
``test_catalog_coverage``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from torch.overrides import get_overridable_functions

from specc.catalog import FUNCTIONS
from specc.catalog.tensor_exclusions import TENSOR_FUNCTIONS

NAMESPACES = (torch, torch.linalg, torch.fft, torch.special)


def _overridable() -> set[int]:
    functions = get_overridable_functions()
    return {id(function) for group in functions.values() for function in group}


def _exported(namespace: ModuleType) -> Iterator[str]:
    known = _overridable()
    for name, found in vars(namespace).items():
        public = not name.startswith("_") and not name.endswith("_")
        if public and callable(found) and not inspect.isclass(found) and id(found) in known:
            yield name


EXPORTED = {name for namespace in NAMESPACES for name in _exported(namespace)}


@pytest.mark.skipif(
    not torch.__version__.startswith("2.13."), reason="the table is of torch 2.13's exports"
)
def test_every_tensor_function_has_a_row_or_a_reason() -> None:
    covered = EXPORTED & FUNCTIONS.keys()
    excluded = EXPORTED & TENSOR_FUNCTIONS.keys()
    print(f"\n{len(EXPORTED)} exported: {len(covered)} covered, {len(excluded)} excluded")
    assert sorted(EXPORTED - covered - excluded) == []
    assert sorted(TENSOR_FUNCTIONS.keys() - EXPORTED) == []
    assert len(covered) + len(excluded) == len(EXPORTED)
    assert len(covered) > 250


def test_no_excluded_function_has_a_row() -> None:
    assert not TENSOR_FUNCTIONS.keys() & FUNCTIONS.keys()
    assert all(len(reason) > 10 for reason in TENSOR_FUNCTIONS.values())
