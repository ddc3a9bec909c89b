"""Pairs that are each fine alone and wrong together: what a value came from, and what it is fed to.

Rows of data for ``specc.semantics.lint``. ``producers`` and ``consumers`` are catalogue names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Pair:
    """``consumer`` fed by ``producer``: the code, what is wrong, what to write instead."""

    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    code: str
    severity: Literal["error", "warning"]
    message: str
    help: str


_WITH_BIAS: Final = (
    "Linear",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
)
_BATCH_NORMS: Final = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d")

PAIRS: Final = (
    Pair(
        ("Softmax", "softmax", "LogSoftmax", "log_softmax"),
        ("CrossEntropyLoss", "cross_entropy"),
        "E0410",
        "error",
        "{consumer} takes the softmax itself: after {producer} it is applied twice",
        "feed it the scores: take {producer} away",
    ),
    Pair(
        ("Sigmoid", "sigmoid"),
        ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits"),
        "E0410",
        "error",
        "{consumer} takes the sigmoid itself: after {producer} it is applied twice",
        "take {producer} away, or use BCELoss",
    ),
    Pair(
        ("Softmax", "softmax"),
        ("NLLLoss", "nll_loss"),
        "E0410",
        "error",
        "{consumer} wants log-probabilities; {producer} gives probabilities",
        "use LogSoftmax, or CrossEntropyLoss on the scores",
    ),
    Pair(
        _WITH_BIAS,
        ("BCELoss", "binary_cross_entropy"),
        "E0410",
        "error",
        "{consumer} wants probabilities; {producer} gives scores of any size",
        "use BCEWithLogitsLoss, or feed it the sigmoid of them",
    ),
)

# Losses whose target is a probability, which a type says that is `unit`.
OF_PROBABILITIES: Final = (
    "BCELoss",
    "binary_cross_entropy",
    "BCEWithLogitsLoss",
    "binary_cross_entropy_with_logits",
)

# A bias that the normalisation right after it subtracts again.
BIAS_BEFORE_NORM: Final = Pair(
    _WITH_BIAS,
    _BATCH_NORMS,
    "W0301",
    "warning",
    "the bias of `{producer}` does nothing: {consumer} right after it subtracts the mean",
    "write `bias=false`",
)
