"""The losses, by the names of torch's classes, written as torch's functions.

Called with the tensors first and the constructor's arguments by keyword:
``CrossEntropyLoss(logits, label, label_smoothing=0.1)``. The deprecated ``size_average`` and
``reduce`` are left out. Non-goal: lint (a softmax before CrossEntropyLoss).
"""

from __future__ import annotations

from specc.catalog.rows import FunctionRow, ShapeRule
from specc.catalog.shapes import losses as rules

_REDUCTIONS = {"reduction": ("mean", "sum", "none")}
_REDUCTION = "reduction: str = 'mean'"
_WEIGHT = "weight: tensor | none = None"


def _row(
    name: str,
    function: str,
    summary: str,
    arguments: str,
    shape: ShapeRule = rules.equal_shapes,
    tensors: str = "input: tensor, target: tensor",
    reductions: tuple[str, ...] = _REDUCTIONS["reduction"],
) -> FunctionRow:
    return FunctionRow(
        name,
        f"F.{function}",
        f"{tensors}, *, {arguments}",
        summary,
        choices={"reduction": reductions},
        shape=shape,
        family="loss",
    )


ROWS = (
    _row(
        "CrossEntropyLoss",
        "cross_entropy",
        "log-softmax and negative log-likelihood: scores against labels or probabilities",
        f"{_WEIGHT}, ignore_index: int = -100, {_REDUCTION}, label_smoothing: float = 0.0",
        rules.cross_entropy,
    ),
    _row(
        "NLLLoss",
        "nll_loss",
        "negative log-likelihood of log-probabilities against labels",
        f"{_WEIGHT}, ignore_index: int = -100, {_REDUCTION}",
        rules.class_indices,
    ),
    _row(
        "BCELoss",
        "binary_cross_entropy",
        "cross entropy of probabilities against probabilities",
        f"{_WEIGHT}, {_REDUCTION}",
        rules.binary,
    ),
    _row(
        "BCEWithLogitsLoss",
        "binary_cross_entropy_with_logits",
        "BCELoss of sigmoid(input), stable",
        f"{_WEIGHT}, {_REDUCTION}, pos_weight: tensor | none = None",
        rules.binary,
    ),
    _row("MSELoss", "mse_loss", "mean squared error", _REDUCTION),
    _row("L1Loss", "l1_loss", "mean absolute error", _REDUCTION),
    _row(
        "SmoothL1Loss",
        "smooth_l1_loss",
        "squared below beta, absolute above",
        f"{_REDUCTION}, beta: float = 1.0",
    ),
    _row(
        "HuberLoss",
        "huber_loss",
        "squared below delta, delta times absolute above",
        f"{_REDUCTION}, delta: float = 1.0",
    ),
    _row(
        "KLDivLoss",
        "kl_div",
        "Kullback-Leibler divergence of log-probabilities from a target",
        f"{_REDUCTION}, log_target: bool = False",
        reductions=("mean", "sum", "none", "batchmean"),
    ),
    _row(
        "GaussianNLLLoss",
        "gaussian_nll_loss",
        "negative log-likelihood of a normal with mean input and variance var",
        f"full: bool = False, eps: float = 1e-06, {_REDUCTION}",
        rules.gaussian,
        "input: tensor, target: tensor, var: tensor",
    ),
    _row(
        "PoissonNLLLoss",
        "poisson_nll_loss",
        "negative log-likelihood of counts",
        f"log_input: bool = True, full: bool = False, eps: float = 1e-08, {_REDUCTION}",
        rules.poisson,
    ),
    _row(
        "CosineEmbeddingLoss",
        "cosine_embedding_loss",
        "1 - cos for pairs marked 1, max(0, cos - margin) for pairs marked -1",
        f"margin: float = 0.0, {_REDUCTION}",
        rules.cosine_embedding,
        "input1: tensor, input2: tensor, target: tensor",
    ),
    _row(
        "TripletMarginLoss",
        "triplet_margin_loss",
        "max(0, |anchor - positive| - |anchor - negative| + margin)",
        "margin: float = 1.0, p: float = 2.0, eps: float = 1e-06, swap: bool = False, "
        + _REDUCTION,
        rules.triplet,
        "anchor: tensor, positive: tensor, negative: tensor",
    ),
    _row(
        "MarginRankingLoss",
        "margin_ranking_loss",
        "max(0, -target (input1 - input2) + margin)",
        f"margin: float = 0.0, {_REDUCTION}",
        rules.ranking,
        "input1: tensor, input2: tensor, target: tensor",
    ),
    _row(
        "HingeEmbeddingLoss",
        "hinge_embedding_loss",
        "x for pairs marked 1, max(0, margin - x) for pairs marked -1",
        f"margin: float = 1.0, {_REDUCTION}",
    ),
    _row("SoftMarginLoss", "soft_margin_loss", "log(1 + exp(-target x))", _REDUCTION),
    _row(
        "MultiMarginLoss",
        "multi_margin_loss",
        "max(0, margin - x of the label + x of another)^p, over the other classes",
        f"p: int = 1, margin: float = 1.0, {_WEIGHT}, {_REDUCTION}",
        rules.multi_margin,
    ),
    _row(
        "MultiLabelSoftMarginLoss",
        "multilabel_soft_margin_loss",
        "BCEWithLogitsLoss over several labels, their mean for each example",
        f"{_WEIGHT}, {_REDUCTION}",
        rules.multi_label,
    ),
)
