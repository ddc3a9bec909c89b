"""Pairs that are each fine alone and wrong together: what a value came from, and what it is fed to.

Rows of data for ``specc.semantics.checks.lint`` and ``feeding``. What a value came from is a kind
of numbers (``kinds``), or for a bias the layer itself; consumers are catalogue names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from specc.catalog.advice.kinds import Kind


@dataclass(frozen=True, slots=True)
class Pair:
    """``consumer`` fed by ``producer``: the code, what is wrong, what to write instead."""

    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    code: str
    severity: Literal["error", "warning"]
    message: str
    help: str


@dataclass(frozen=True, slots=True)
class Feeding:
    """``argument`` of the ``consumers`` fed with numbers of one of ``kinds``, where each of the
    settings of ``when`` is as said there. The texts may hold ``{producer}`` and ``{consumer}``."""

    consumers: tuple[str, ...]
    argument: str
    kinds: tuple[Kind, ...]
    message: str
    help: str
    code: str = "E0410"
    severity: Literal["error", "warning"] = "error"
    when: tuple[tuple[str, bool], ...] = ()


_CROSS_ENTROPY: Final = ("CrossEntropyLoss", "cross_entropy")
NEGATIVE_LIKELIHOOD: Final = ("NLLLoss", "nll_loss")
_BINARY: Final = ("BCELoss", "binary_cross_entropy")
_BINARY_OF_LOGITS: Final = ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits")
_MULTI_LABEL: Final = ("MultiLabelSoftMarginLoss", "multilabel_soft_margin_loss")
_DIVERGENCE: Final = ("KLDivLoss", "kl_div")
_POISSON: Final = ("PoissonNLLLoss", "poisson_nll_loss")
_GAUSSIAN: Final = ("GaussianNLLLoss", "gaussian_nll_loss")
_CTC: Final = ("CTCLoss", "ctc_loss")
_LOGS: Final = ("log_softmax", "log_sigmoid")
_SCORES: Final = ("scores", "positive", "between")

_PROBABILITIES_FOR_LOGS: Final = (
    "{consumer} wants log-probabilities; {producer} gives probabilities"
)
_SCORES_FOR_LOGS: Final = "{consumer} wants log-probabilities; {producer} gives scores of any size"

FEEDINGS: Final = (
    Feeding(
        _CROSS_ENTROPY,
        "input",
        ("softmax", "log_softmax"),
        "{consumer} takes the softmax itself: after {producer} it is applied twice",
        "feed it the scores: take {producer} away",
    ),
    Feeding(
        _CROSS_ENTROPY,
        "input",
        ("sigmoid", "log_sigmoid"),
        "{consumer} takes the softmax itself, of scores of any size; {producer} bounds them",
        "take {producer} away, or use BCEWithLogitsLoss where several labels may be true",
        "W0304",
        "warning",
    ),
    Feeding(
        _CROSS_ENTROPY,
        "target",
        (*_SCORES, *_LOGS),
        "{consumer} wants labels or probabilities of its target; {producer} gives neither",
        "give it the softmax of them",
    ),
    Feeding(
        (*_BINARY_OF_LOGITS, *_MULTI_LABEL),
        "input",
        ("sigmoid",),
        "{consumer} takes the sigmoid itself: after {producer} it is applied twice",
        "take {producer} away, or use BCELoss",
    ),
    Feeding(
        (*_BINARY_OF_LOGITS, *_MULTI_LABEL),
        "input",
        ("softmax", *_LOGS),
        "{consumer} takes the sigmoid itself, of scores; after {producer} they are none",
        "feed it the scores: take {producer} away",
    ),
    Feeding(
        NEGATIVE_LIKELIHOOD,
        "input",
        ("softmax", "sigmoid"),
        _PROBABILITIES_FOR_LOGS,
        "use LogSoftmax, or CrossEntropyLoss on the scores",
    ),
    Feeding(
        NEGATIVE_LIKELIHOOD,
        "input",
        _SCORES,
        _SCORES_FOR_LOGS,
        "use CrossEntropyLoss, or feed it the log_softmax of them",
    ),
    Feeding(
        _BINARY,
        "input",
        _SCORES,
        "{consumer} wants probabilities; {producer} gives scores of any size",
        "use BCEWithLogitsLoss, or feed it the sigmoid of them",
    ),
    Feeding(
        _BINARY,
        "input",
        _LOGS,
        "{consumer} wants probabilities; {producer} gives their logarithms",
        "use BCEWithLogitsLoss on the scores",
    ),
    Feeding(
        (*_BINARY, *_BINARY_OF_LOGITS),
        "target",
        (*_SCORES, *_LOGS),
        "{consumer} wants probabilities of its target; {producer} gives none",
        "give it the sigmoid of the scores",
    ),
    Feeding(
        _DIVERGENCE,
        "input",
        ("softmax", "sigmoid"),
        _PROBABILITIES_FOR_LOGS,
        "use LogSoftmax in place of it",
    ),
    Feeding(_DIVERGENCE, "input", _SCORES, _SCORES_FOR_LOGS, "feed it the log_softmax of them"),
    Feeding(
        _DIVERGENCE,
        "target",
        _LOGS,
        "{consumer} wants probabilities of its target; {producer} gives their logarithms",
        "say `log_target=true`",
        when=(("log_target", False),),
    ),
    Feeding(
        _DIVERGENCE,
        "target",
        _SCORES,
        "{consumer} wants probabilities of its target; {producer} gives scores of any size",
        "give it the softmax of them",
    ),
    Feeding(
        _DIVERGENCE,
        "target",
        ("softmax", "sigmoid"),
        "{consumer} with log_target=true wants logarithms; {producer} gives probabilities",
        "take `log_target` away",
        when=(("log_target", True),),
    ),
    Feeding(
        _POISSON,
        "input",
        ("positive", "softmax", "sigmoid"),
        "{consumer} takes the exponential itself: what it is fed is the logarithm of a rate, and "
        "{producer} gives none below 0",
        "take {producer} away, or say `log_input=false`",
        "W0304",
        "warning",
        when=(("log_input", True),),
    ),
    Feeding(
        _POISSON,
        "input",
        ("scores", "between", *_LOGS),
        "{consumer} with log_input=false wants rates; {producer} gives numbers below 0 too",
        "take `log_input` away, or feed it the softplus of them",
        when=(("log_input", False),),
    ),
    Feeding(
        _GAUSSIAN,
        "var",
        ("scores", "between", *_LOGS),
        "{consumer} wants a variance, which is at least 0; {producer} gives numbers below it too",
        "give it the softplus of them, or the exp of a logarithm",
    ),
    Feeding(
        _CTC,
        "log_probs",
        ("softmax", "sigmoid"),
        _PROBABILITIES_FOR_LOGS,
        "use LogSoftmax in place of it",
    ),
    Feeding(_CTC, "log_probs", _SCORES, _SCORES_FOR_LOGS, "feed it the log_softmax of them"),
)

# Losses that are not the same with input and target in each other's place.
ONE_SIDED: Final = frozenset(
    (
        *_CROSS_ENTROPY, *NEGATIVE_LIKELIHOOD, *_BINARY, *_BINARY_OF_LOGITS, *_MULTI_LABEL,
        *_DIVERGENCE, *_POISSON, *_GAUSSIAN, "HingeEmbeddingLoss", "hinge_embedding_loss",
        "MultiMarginLoss", "multi_margin_loss", "MultiLabelMarginLoss", "multilabel_margin_loss",
    )
)  # fmt: skip

LOGARITHMS: Final = frozenset(("log", "log2", "log10"))
OF_A_LOGARITHM: Final = Feeding(
    tuple(LOGARITHMS),
    "input",
    _LOGS,
    "{producer} gives logarithms already, none above 0: the {consumer} of one is NaN",
    "take {consumer} away",
)
OF_A_SOFTMAX: Final = Feeding(
    ("log",),
    "input",
    ("softmax",),
    "the {consumer} of {producer} is infinite where a probability is too small for a float",
    "use log_softmax, or LogSoftmax, in place of both",
    "W0304",
    "warning",
)

# What makes probabilities of scores, by what of probabilities it would be a second time.
TWICE: Final[dict[str, Kind]] = {
    **dict.fromkeys("softmax log_softmax Softmax LogSoftmax".split(), "softmax"),
    **dict.fromkeys("sigmoid logsigmoid Sigmoid LogSigmoid".split(), "sigmoid"),
}  # fmt: skip

# Losses whose target is a probability, which a type says that is `unit`.
OF_PROBABILITIES: Final = (*_BINARY, *_BINARY_OF_LOGITS)

_WITH_BIAS: Final = (
    "Linear",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
)

# A bias that the normalisation right after it subtracts again.
BIAS_BEFORE_NORM: Final = Pair(
    _WITH_BIAS,
    ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"),
    "W0301",
    "warning",
    "the bias of `{producer}` does nothing: {consumer} right after it subtracts the mean",
    "write `bias=false`",
)
