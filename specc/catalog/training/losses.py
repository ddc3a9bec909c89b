"""The losses, by the names of torch's classes, written as torch's functions.

Called with the tensors first and the constructor's arguments by keyword:
``CrossEntropyLoss(logits, label, label_smoothing=0.1)``. Each is there by its function's name as
well, ``cross_entropy(logits, label)``, for models that compute a loss themselves. The deprecated
``size_average`` and ``reduce`` are left out. Non-goals: losses that hold parameters, which are
layers; lint (a softmax before CrossEntropyLoss).
"""

from __future__ import annotations

from dataclasses import replace

from specc.catalog.rows import FunctionRow, ShapeRule
from specc.catalog.shapes.of_losses import linear_loss, sequences, several_losses
from specc.catalog.shapes.of_losses import losses as rules

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
    example: str = "",
) -> FunctionRow:
    return FunctionRow(
        name,
        f"F.{function}",
        f"{tensors}, *, {arguments}",
        summary,
        choices={"reduction": reductions},
        example=example,
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
        example="x: float[N, 5], y: index(5)[N] | CrossEntropyLoss(x, y)",
    ),
    _row(
        "NLLLoss",
        "nll_loss",
        "negative log-likelihood of log-probabilities against labels",
        f"{_WEIGHT}, ignore_index: int = -100, {_REDUCTION}",
        rules.class_indices,
        example="x: float[N, 5], y: index(5)[N] | NLLLoss(x -> log_softmax(dim=-1), y)",
    ),
    _row(
        "BCELoss",
        "binary_cross_entropy",
        "cross entropy of probabilities against probabilities",
        f"{_WEIGHT}, {_REDUCTION}",
        rules.binary,
        example="x: float[N, 5], y: unit[N, 5] | BCELoss(sigmoid(x), y)",
    ),
    _row(
        "BCEWithLogitsLoss",
        "binary_cross_entropy_with_logits",
        "BCELoss of sigmoid(input), stable",
        f"{_WEIGHT}, {_REDUCTION}, pos_weight: tensor | none = None",
        rules.binary,
        example="x: float[N, 5], y: unit[N, 5] | BCEWithLogitsLoss(x, y)",
    ),
    _row(
        "MSELoss",
        "mse_loss",
        "mean squared error",
        _REDUCTION,
        example="x: float[N, 5], y: float[N, 5] | MSELoss(x, y)",
    ),
    _row(
        "L1Loss",
        "l1_loss",
        "mean absolute error",
        _REDUCTION,
        example="x: float[N, 5], y: float[N, 5] | L1Loss(x, y)",
    ),
    _row(
        "SmoothL1Loss",
        "smooth_l1_loss",
        "squared below beta, absolute above",
        f"{_REDUCTION}, beta: float = 1.0",
        example="x: float[N, 5], y: float[N, 5] | SmoothL1Loss(x, y)",
    ),
    _row(
        "HuberLoss",
        "huber_loss",
        "squared below delta, delta times absolute above",
        f"{_REDUCTION}, delta: float = 1.0",
        example="x: float[N, 5], y: float[N, 5] | HuberLoss(x, y)",
    ),
    _row(
        "KLDivLoss",
        "kl_div",
        "Kullback-Leibler divergence of log-probabilities from a target",
        f"{_REDUCTION}, log_target: bool = False",
        reductions=("mean", "sum", "none", "batchmean"),
        example="x: float[N, 5], y: unit[N, 5] | "
        'KLDivLoss(x -> log_softmax(dim=-1), y + 0.1, reduction="batchmean")',
    ),
    _row(
        "GaussianNLLLoss",
        "gaussian_nll_loss",
        "negative log-likelihood of a normal with mean input and variance var",
        f"full: bool = False, eps: float = 1e-06, {_REDUCTION}",
        several_losses.gaussian,
        "input: tensor, target: tensor, var: tensor",
        example="x: float[N, 5], y: float[N, 5], z: unit[N, 5] | GaussianNLLLoss(x, y, z + 0.5)",
    ),
    _row(
        "PoissonNLLLoss",
        "poisson_nll_loss",
        "negative log-likelihood of counts",
        f"log_input: bool = True, full: bool = False, eps: float = 1e-08, {_REDUCTION}",
        several_losses.poisson,
        example="x: float[N, 5], y: unit[N, 5] | PoissonNLLLoss(x, y)",
    ),
    _row(
        "CosineEmbeddingLoss",
        "cosine_embedding_loss",
        "1 - cos for pairs marked 1, max(0, cos - margin) for pairs marked -1",
        f"margin: float = 0.0, {_REDUCTION}",
        several_losses.cosine_embedding,
        "input1: tensor, input2: tensor, target: tensor",
        example="x: float[N, 5], y: float[N, 5], z: index(2)[N] | "
        "CosineEmbeddingLoss(x, y, 2 * z - 1)",
    ),
    _row(
        "TripletMarginLoss",
        "triplet_margin_loss",
        "max(0, |anchor - positive| - |anchor - negative| + margin)",
        "margin: float = 1.0, p: float = 2.0, eps: float = 1e-06, swap: bool = False, "
        + _REDUCTION,
        several_losses.triplet,
        "anchor: tensor, positive: tensor, negative: tensor",
        example="x: float[N, 6], y: float[N, 6], z: float[N, 6] | TripletMarginLoss(x, y, z)",
    ),
    _row(
        "MarginRankingLoss",
        "margin_ranking_loss",
        "max(0, -target (input1 - input2) + margin)",
        f"margin: float = 0.0, {_REDUCTION}",
        several_losses.ranking,
        "input1: tensor, input2: tensor, target: tensor",
        example="x: float[N], y: float[N], z: index(2)[N] | "
        "MarginRankingLoss(x, y, 2 * z - 1, margin=0.5)",
    ),
    _row(
        "HingeEmbeddingLoss",
        "hinge_embedding_loss",
        "x for pairs marked 1, max(0, margin - x) for pairs marked -1",
        f"margin: float = 1.0, {_REDUCTION}",
        example="x: float[N, 5], y: unit[N, 5] | HingeEmbeddingLoss(x, sign(y - 0.5))",
    ),
    _row(
        "SoftMarginLoss",
        "soft_margin_loss",
        "log(1 + exp(-target x))",
        _REDUCTION,
        example="x: float[N, 5], y: unit[N, 5] | SoftMarginLoss(x, detach(sign(y - 0.5)))",
    ),
    _row(
        "MultiMarginLoss",
        "multi_margin_loss",
        "max(0, margin - x of the label + x of another)^p, over the other classes",
        f"p: int = 1, margin: float = 1.0, {_WEIGHT}, {_REDUCTION}",
        rules.multi_margin,
        example="x: float[N, 5], y: index(5)[N] | MultiMarginLoss(x, y)",
    ),
    _row(
        "MultiLabelSoftMarginLoss",
        "multilabel_soft_margin_loss",
        "BCEWithLogitsLoss over several labels, their mean for each example",
        f"{_WEIGHT}, {_REDUCTION}",
        rules.multi_label,
        example="x: float[N, 5], y: unit[N, 5] | MultiLabelSoftMarginLoss(x, y)",
    ),
    _row(
        "MultiLabelMarginLoss",
        "multilabel_margin_loss",
        "max(0, 1 - x of a label + x of another class), over the labels up to the first -1",
        _REDUCTION,
        rules.multi_label_margin,
        example="x: float[N, 5], y: index(5)[N, 5] | MultiLabelMarginLoss(x, y)",
    ),
    _row(
        "CTCLoss",
        "ctc_loss",
        "negative log-likelihood of a sequence over all its alignments with log-probabilities",
        f"blank: int = 0, {_REDUCTION}, zero_infinity: bool = False",
        sequences.ctc,
        "log_probs: tensor, targets: tensor, input_lengths: tensor | ints, "
        "target_lengths: tensor | ints",
        example="x: float[12, N, 5], y: index(4)[N, 3], long: index(13)[N], short: index(4)[N] | "
        "CTCLoss(x -> log_softmax(dim=-1), y, long, short, blank=4, zero_infinity=true)",
    ),
    _row(
        "TripletMarginWithDistanceLoss",
        "triplet_margin_with_distance_loss",
        "TripletMarginLoss with the distances of pairwise_distance",
        f"margin: float = 1.0, swap: bool = False, {_REDUCTION}",
        several_losses.triplet,
        "anchor: tensor, positive: tensor, negative: tensor",
        example="x: float[N, 6], y: float[N, 6], z: float[N, 6] | "
        "TripletMarginWithDistanceLoss(x, y, z)",
    ),
)


# In a model; a loss stays outside of what is traced.
_UNTRACED = {
    "gaussian_nll_loss": dict.fromkeys(
        ("export", "compile"), "torch looks for a variance below 0 among the values"
    ),
    "ctc_loss": dict.fromkeys(
        ("export", "compile"), "the size of what it keeps depends on the lengths' values"
    ),
}


def _as_function(row: FunctionRow) -> FunctionRow:
    name = row.torch.removeprefix("F.")
    refuses = _UNTRACED.get(name, {})
    return replace(row, name=name, example=row.example.replace(row.name, name), refuses=refuses)


FUNCTIONS = (
    *map(_as_function, ROWS),
    FunctionRow(
        "linear_cross_entropy",
        "F.linear_cross_entropy",
        "input: tensor, linear_weight: tensor, target: tensor, *, "
        f"linear_bias: tensor | none = None, {_WEIGHT}, {_REDUCTION}, "
        "ignore_index: int | none = None, label_smoothing: float = 0.0",
        "cross_entropy of linear(input, linear_weight)",
        choices=_REDUCTIONS,
        example="x: float[N, 6], w: float[5, 6], y: index(5)[N] | linear_cross_entropy(x, w, y)",
        since="2.13",
        shape=linear_loss.function,
        family="loss",
    ),
)
