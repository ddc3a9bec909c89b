"""A spec computes what the model that others wrote computes: outputs, gradients, statistics."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from torch import Tensor

if importlib.util.find_spec("transformers") is None:
    pytest.skip(
        "needs transformers, the models to compare with: pip install specc[parity]",
        allow_module_level=True,
    )

from parity_comparison import Pair, Run
from parity_models import OTHERS, Other

BIT = [other for other in OTHERS if other.to_the_bit]
FLOORS = [other for other in OTHERS if not other.to_the_bit]


def _named(others: list[Other]) -> list[object]:
    return [pytest.param(other, id=other.name) for other in others]


def _differing(ours: Run, theirs: Run) -> list[str]:
    mine, others = ours.everything(), theirs.everything()
    assert mine.keys() == others.keys()
    return [name for name, tensor in mine.items() if not _same(tensor, others[name])]


def _same(mine: Tensor | None, other: Tensor | None) -> bool:
    if mine is None or other is None:
        return mine is other
    return torch.equal(mine, other)


@pytest.mark.parametrize("other", _named(BIT))
def test_the_same_operations_give_the_same_bits(other: Other) -> None:
    pair = Pair(other)
    assert _differing(pair.run_ours(), pair.run_theirs()) == []


@pytest.mark.parametrize("other", _named(FLOORS))
def test_other_operations_stay_within_the_noise_floors(other: Other) -> None:
    pair = Pair(other)
    theirs = pair.run_theirs()
    ours = pair.run_ours()
    assert ours.everything().keys() == theirs.everything().keys()
    result = pair.in_floors(theirs)
    assert result.findings == ()
    assert result.not_observable == ()
    assert result.compared == len(theirs.everything())


@pytest.mark.parametrize("other", _named(list(OTHERS)))
def test_a_weight_of_theirs_that_is_slightly_larger_is_told(other: Other) -> None:
    pair = Pair(other)
    name, weight = next(item for item in pair.theirs.named_parameters() if item[1].dim() > 1)
    with torch.no_grad():
        weight.mul_(1 + 1e-5)
    theirs = pair.run_theirs()
    if other.to_the_bit:
        assert _differing(pair.run_ours(), theirs), name
    else:
        assert pair.in_floors(theirs).findings, name


@pytest.mark.parametrize("other", _named(list(OTHERS)))
def test_every_tensor_of_theirs_is_ours_or_named_as_left_out(other: Other) -> None:
    pair = Pair(other)
    names = {pair.other.ours(name) for name in pair.theirs.state_dict()} - {None}
    assert names == set(pair.ours.state_dict())
    assert other.why
