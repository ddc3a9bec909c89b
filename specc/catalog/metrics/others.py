"""Metrics of images, of sound, of language and of documents found for a query.

Definitions and defaults are torchmetrics'. Documents are rows of scores, of whether each is
relevant, and of the query that it was found for; the metric is the mean over the queries. Non-goal:
metrics that ask a trained model.
"""

from __future__ import annotations

from collections.abc import Mapping

from specc.catalog.helper_source import Joined, Whole
from specc.catalog.rows import FunctionRow, ShapeRule
from specc.catalog.shapes.of_losses import metrics as rules

_NONE: Mapping[str, tuple[str, ...]] = {}


def _row(
    name: str,
    function: str,
    signature: str,
    summary: str,
    shape: ShapeRule,
    example: str,
    choices: Mapping[str, tuple[str, ...]] = _NONE,
    helper: Joined | None = None,
) -> FunctionRow:
    return FunctionRow(
        name,
        function,
        signature,
        summary,
        choices=choices,
        example=example,
        helper=helper or Whole("perception", function),
        shape=shape,
        family="metric",
    )


def _retrieval(
    name: str,
    function: str,
    summary: str,
    *,
    cut: bool = True,
    shape: ShapeRule = rules.retrieval,
) -> FunctionRow:
    signature = "preds: tensor, target: tensor, indexes: tensor"
    parameters = [*_DOCUMENTS, *["top_k: int | None = None"] * cut]
    return _row(
        f"Retrieval{name}",
        f"retrieval_{function}",
        signature + (", *, top_k: int | none = None" if cut else ""),
        summary,
        shape,
        f"x: unit[N], y: index(2)[N], q: index(2)[N] | Retrieval{name}(x, y, q)",
        helper=Joined(
            "retrieval",
            f"retrieval_{function}",
            tuple(parameters),
            summary,
            ("ranked", function, "mean_of_queries"),
        ),
    )


def _signal(name: str, function: str, summary: str, setting: str = "") -> FunctionRow:
    return _row(
        name,
        function,
        "preds: tensor, target: tensor" + (f", *, {setting}" if setting else ""),
        summary,
        rules.signals,
        f"x: float[N, 8], y: float[N, 8] | {name}(x, y)",
    )


_DOCUMENTS = ("preds: Tensor", "target: Tensor", "indexes: Tensor")
_ZERO_MEAN = "zero_mean: bool = False"
_IMAGES = "x: unit[N, 2, 12, 12], y: unit[N, 2, 12, 12]"

ROWS = (
    _row(
        "Perplexity",
        "perplexity",
        "preds: tensor, target: tensor, *, ignore_index: int | none = None",
        "how many words the next one is as good as chosen from",
        rules.perplexity,
        "x: float[N, 3, 7], y: index(7)[N, 3] | Perplexity(x, y)",
    ),
    _row(
        "PeakSignalNoiseRatio",
        "peak_signal_noise_ratio",
        "preds: tensor, target: tensor, *, data_range: float, base: float = 10.0",
        "the largest signal over the mean squared difference, in tens of logarithms",
        rules.error,
        f"{_IMAGES} | PeakSignalNoiseRatio(x, y, data_range=1.0)",
    ),
    _row(
        "StructuralSimilarityIndexMeasure",
        "structural_similarity_index_measure",
        "preds: tensor, target: tensor, *, sigma: float = 1.5, data_range: float | none = None, "
        "k1: float = 0.01, k2: float = 0.03",
        "how alike images are in brightness, contrast and structure",
        rules.images,
        f"{_IMAGES} | StructuralSimilarityIndexMeasure(x, y, data_range=1.0)",
    ),
    _row(
        "TotalVariation",
        "total_variation",
        "img: tensor, *, reduction: str = 'sum'",
        "the sum of the differences of neighbours in images",
        rules.image,
        "x: unit[N, 2, 6, 6] | TotalVariation(x)",
        {"reduction": ("sum", "mean", "none")},
    ),
    _signal(
        "SignalNoiseRatio",
        "signal_noise_ratio",
        "the power of the target over that of the difference, in decibels",
        _ZERO_MEAN,
    ),
    _signal(
        "ScaleInvariantSignalDistortionRatio",
        "scale_invariant_signal_distortion_ratio",
        "the power of the target, as loud as it is found, over that of the rest, in decibels",
        _ZERO_MEAN,
    ),
    _signal(
        "ScaleInvariantSignalNoiseRatio",
        "scale_invariant_signal_noise_ratio",
        "the same of signals less their means",
    ),
    _retrieval(
        "MAP",
        "average_precision",
        "the mean, over the relevant documents, of the precision down to each",
    ),
    _retrieval(
        "MRR",
        "reciprocal_rank",
        "one over the place of the first relevant document",
    ),
    _retrieval(
        "Precision",
        "precision",
        "the share of the first documents that are relevant",
    ),
    _retrieval(
        "Recall",
        "recall",
        "the share of the relevant documents that are among the first",
    ),
    _retrieval(
        "HitRate",
        "hit_rate",
        "whether a relevant document is among the first",
    ),
    _retrieval(
        "FallOut",
        "fall_out",
        "the share of the other documents that are among the first",
    ),
    _retrieval(
        "RPrecision",
        "r_precision",
        "the precision of as many documents as are relevant",
        cut=False,
    ),
    _retrieval(
        "NormalizedDCG",
        "normalized_dcg",
        "the gains, each over the logarithm of its place, against the best order's",
        shape=rules.graded,
    ),
)
