"""torch's own samples of its functions, layers, losses and optimizers: specc gives what torch
gives, to the bit, or refuses for a reason that docs/refused.md lists."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import torch
import torch_refusals
import torch_refused_page
from torch_optimizers import optimizers, trained
from torch_oracle import DIFFERENT, EQUAL, FAULTS, NOT_SHARED, Outcome, outcome
from torch_said import Sample
from torch_samples import functions, layers, operators

from specc.catalog import OPTIMIZERS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "refused.md"

# Some of each family, for the quick mode.
SOME = frozenset(
    "softmax cross_entropy conv2d max_pool2d interpolate scatter_reduce linear where einsum lerp "
    "cumsum norm stft cat split topk index_add one_hot matmul solve fft clamp arange dropout "
    "Linear Conv2d ConvTranspose2d BatchNorm2d LayerNorm GroupNorm LSTM GRUCell MultiheadAttention "
    "Embedding MaxPool2d Bilinear CrossEntropyLoss CTCLoss BCEWithLogitsLoss GELU".split()
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums do not depend on how many threads share them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _found(samples: Iterable[Sample], how: Callable[[Sample], Outcome]) -> list[Outcome]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of its own samples
        return [how(sample) for sample in samples]


def _outcomes(samples: Iterable[Sample]) -> list[Outcome]:
    return _found(samples, outcome)


def _faults(outcomes: Iterable[Outcome]) -> list[str]:
    """What may not be: wrong numbers, defects, what checks clean and breaks, and refusals without
    a reason."""
    wrong = [
        f"{each.word}: {each.sample.label}: {each.message}\n{each.text}"
        for each in outcomes
        if each.word in FAULTS
        and not (each.word == DIFFERENT and each.sample.name in torch_refusals.OTHERWISE_COMPUTED)
    ]
    unreasoned = [
        f"{each.word} without a reason: {each.sample.label}: {each.code} {each.message}"
        for each in outcomes
        if each.word in NOT_SHARED and torch_refusals.reason_of(each) is None
    ]
    return [*wrong, *unreasoned]


def test_some_samples_are_equal_or_refused_for_a_reason() -> None:
    found = _outcomes(functions(3, SOME.__contains__))
    found += _outcomes(operators(3))
    found += _outcomes(layers(3, SOME.__contains__))
    assert not _faults(found)
    counts = Counter(each.word for each in found)
    assert counts[EQUAL] > 100


def test_every_optimizer_trains_as_torchs_from_its_samples() -> None:
    found = _found(optimizers(), trained)
    assert not _faults(found)
    assert {each.sample.name for each in found} == set(OPTIMIZERS)
    assert Counter(each.word for each in found)[EQUAL] > 80


@pytest.mark.slow
@pytest.mark.exhaustive
def test_every_sample_is_equal_or_refused_for_a_reason() -> None:
    found = [*_outcomes(functions()), *_outcomes(operators()), *_outcomes(layers())]
    found += _found(optimizers(), trained)
    counts = Counter(each.word for each in found)
    print(f"{len(found)} samples: {dict(counts)}")
    assert not _faults(found)
    assert counts[EQUAL] > 8000
    refused = [each for each in found if each.word in NOT_SHARED]
    assert torch_refusals.unused(refused) == []
    computed = {each.sample.name for each in found if each.word == DIFFERENT}
    assert computed == set(torch_refusals.OTHERWISE_COMPUTED)


def test_page_is_current() -> None:
    made = "python tests/torch_refused_page.py > docs/refused.md"
    assert PAGE.read_text(encoding="utf-8") == torch_refused_page.page(), made


def test_a_wrong_number_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is no formality: one that computes a little else differs."""
    monkeypatch.setattr("torch_oracle.emit", _a_little_else)
    found = _outcomes(functions(4, {"softplus"}.__contains__))
    assert any(each.word == DIFFERENT for each in found)


def _a_little_else(program: object) -> str:
    from specc.emit import emit

    return emit(program).replace("F.softplus(", "1e-6 + F.softplus(")  # type: ignore[arg-type]  # what it is given
