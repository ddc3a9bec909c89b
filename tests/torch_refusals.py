"""What torch takes and a spec does not, by the reason: a table.

Every refusal of a sample of torch's own (``torch_oracle``) is one of these, and each of these
refuses some: ``test_torch_samples`` holds both. Non-goals: the page that is made of it
(``torch_refused_page``), and names that the catalogue has no row for, which docs/catalogue.md lists
with their reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch_oracle import Outcome


@dataclass(frozen=True)
class Reason:
    """Why a spec does not say something: ``title`` is what, ``why`` the reason, ``instead`` what a
    spec says. It is for refusals with one of ``codes`` whose message matches ``says``, of ``names``
    alone where those are given."""

    title: str
    why: str
    codes: tuple[str, ...]
    says: str
    names: tuple[str, ...] = ()
    instead: str = ""

    def matches(self, outcome: Outcome) -> bool:
        code = outcome.code or outcome.word
        named = not self.names or outcome.sample.name in self.names
        return named and code in self.codes and re.search(self.says, outcome.message) is not None


def _dims(*kinds: str) -> tuple[str, ...]:
    return tuple(f"{kind}{dims}d" for kind in kinds for dims in (1, 2, 3))


# What a sample has that no spec has a form for.
_UNSAYABLE = ("unsayable",)

REASONS: Final[tuple[Reason, ...]] = (
    Reason(
        "One example without its batch",
        "A spec says where the batch is: torch tells a batch from an example by the number of "
        "dimensions, so that one dimension too few is taken, and means another thing.",
        ("E0301",),
        r" takes \[[NT]",
        (
            *_dims("Conv", "ConvTranspose", "AvgPool", "LPPool", "AdaptiveAvgPool"),
            *_dims("AdaptiveMaxPool", "InstanceNorm"),
            *_dims("conv", "conv_transpose", "adaptive_avg_pool", "adaptive_max_pool"),
            *_dims("max_pool"), "MaxPool2d", "FractionalMaxPool2d", "FractionalMaxPool3d",
            "Softmax2d", "dropout2d", "dropout3d", "feature_alpha_dropout",
            "RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell", "MultiheadAttention",
            "TransformerEncoderLayer", "TransformerDecoderLayer", "TransformerEncoder",
            "Transformer",
        ),
        "`unsqueeze(x, 0)`, and an index to take the batch off again",
    ),
    Reason(
        "Nothing at all",
        "A size is at least 1. A value without elements is most often a mistake in a size, and a "
        "golden of it would guard nothing.",
        ("E0223", "E0305", "E0307", "E0501"),
        r"a size is at least 1|nothing is left of|leaves (0|nothing) of|at least 1, and is 0|"
        r"there are no \d+ of",
    ),
    Reason(
        "`dtype`",
        "The run chooses the precision, so that one spec is tested in each.",
        _UNSAYABLE,
        "^dtype$",
        instead="a cast of what comes in or goes out: `float64(x)` is said `double(x)`",
    ),
    Reason(
        "`memory_format`", "The run's layout, not what a model is.", _UNSAYABLE, "memory_format"
    ),
    Reason(
        "How it is computed",
        "It chooses between ways to one result: what is fastest is torch's to know.",
        ("unsayable", "E0203", "E0208"),
        r"LinearCrossEntropyOptions|argument `options`|cdist takes 3 arguments",
        ("linear_cross_entropy", "LinearCrossEntropyLoss", "cdist"),
    ),
    Reason(
        "A function as an argument",
        "A spec is data.",
        _UNSAYABLE,
        "PairwiseDistance",
        ("triplet_margin_with_distance_loss",),
        "the distances, and `clamp_min(near - far + margin, 0)`",
    ),
    Reason(
        "A rate that is a tensor",
        "It is for graphs that are captured once and run with other rates.",
        _UNSAYABLE,
        "^Tensor$",
        ("Adagrad", "LBFGS", "Muon", "SGD", "SparseAdam"),
        "a number, and a scheduler",
    ),
    Reason(
        "`recompute_scale_factor`",
        "It changes how sizes are computed, for old exports.",
        ("E0203",),
        "recompute_scale_factor",
        ("interpolate",),
        "`size=(...)`",
    ),
    Reason(
        "Weights of classes that a layer keeps",
        "A layer is made of numbers, not of tensors.",
        ("E0203",),
        "no argument `weight`",
        ("LinearCrossEntropyLoss",),
        "the function `linear_cross_entropy`",
    ),
    Reason(
        "Bags of several lengths, and weights of what is in them",
        "A bag is a row of indices of one length; weights are for the sum alone.",
        ("E0203",),
        "no argument `(offsets|per_sample_weights)`",
        ("embedding_bag",),
        "`padding_idx` fills shorter ones up; `sum(embedding(i, table) * weights, dim=1)`",
    ),
    Reason(
        "Weights of samples",
        "A product says them.",
        ("E0203",),
        "no argument `[fa]weights`",
        ("cov",),
    ),
    Reason(
        "`dropout_p`",
        "torch applies it in evaluation as well.",
        ("E0203",),
        "dropout_p",
        ("scaled_dot_product_attention",),
        "`MultiheadAttention(dropout=...)`, or `dropout` of the weights",
    ),
    Reason(
        "`bias=false` of a norm",
        "torch 2.6 has it not.",
        ("E0203",),
        "no argument `bias`",
        (*_dims("BatchNorm", "InstanceNorm"), "GroupNorm"),
    ),
    Reason(
        "`unbiased`",
        "An older name: `correction` says by how much.",
        ("E0203", "E0211"),
        "unbiased|not (true|false)",
        ("var", "std", "var_mean", "std_mean"),
        "`correction=1`, `correction=0`",
    ),
    Reason(
        "Running statistics that a function changes",
        "A value never changes: what is kept from batch to batch is a layer's.",
        ("E0307",),
        "takes running_mean and running_var, or",
        ("batch_norm", "instance_norm"),
        "`BatchNorm2d`, `InstanceNorm2d(track_running_stats=true)`",
    ),
    Reason(
        "The larger of two tensors by the name of a reduction",
        "`max(x, y)` of two tensors has a name of its own.",
        ("E0211",),
        "`dim` of (max|min) is an int or none, not a tensor",
        ("max", "min"),
        "`maximum(x, y)`, `minimum(x, y)`",
    ),
    Reason(
        "`arange` of fractions, or with its first argument unnamed and its second named",
        "How many fractions there are depends on how they round.",
        ("E0211", "E0209"),
        "of arange is",
        ("arange",),
        "`arange(n) * step + start`, or `linspace`; `arange(0, n)`",
    ),
    Reason(
        "Dimensions that are not named",
        "Which of them have the size 1 may depend on the sizes of a run.",
        ("E0210",),
        "squeeze is missing `dim`",
        ("squeeze",),
        "`squeeze(x, (1, 3))`",
    ),
    Reason(
        "A mask as an index",
        "How much is left depends on the values, and a size never does.",
        ("E0211",),
        "an index is a whole number",
        ("__getitem__",),
        "`where(mask, x, 0.0)`, and sums that the mask weighs",
    ),
    Reason(
        "Several tensors in one index",
        "Where their dimensions go depends on what stands between them.",
        ("E0304",),
        "one tensor at a time",
        ("__getitem__",),
        "one index after the other, `gather`, or `take` of places that are computed",
    ),
    Reason(
        "Whole numbers of 32 bits as an index",
        "torch 2.6 refuses them.",
        ("E0306",),
        "takes an int64 index",
        ("gather", "scatter"),
        "`long(i)`",
    ),
    Reason(
        "Losses of shapes that do not fit each other",
        "torch stretches one to the other, and the mean is then of something else: most often a "
        "dimension was forgotten.",
        ("E0301", "E0302", "E0310"),
        r"compares values of one shape|var has the input's shape|one number a class|takes scores",
        (
            "gaussian_nll_loss", "multi_margin_loss",
        ),
        "`unsqueeze`, `broadcast_to`",
    ),
    Reason(
        "Scores of nothing: losses of a number where classes are scored",
        "A single score has no class beside it.",
        ("E0301",),
        r"takes \[N, C\] or \[C\]",
        ("multi_margin_loss", "multilabel_margin_loss"),
    ),
    Reason(
        "Labels of several classes as whole numbers",
        "Where each class is there or not, whole numbers are most often the places of classes, "
        "which another loss takes.",
        ("E0306",),
        "takes a float target",
        ("MultiLabelSoftMarginLoss",),
        "`float(labels)`",
    ),
    Reason(
        "Settings that leave nothing of what is computed",
        "An activation between two equal bounds is a constant, and a negative `eps` is no guard.",
        ("E0307",),
        "must be (below max_val|above 0), and",
        ("hardtanh", "group_norm"),
    ),
    Reason(
        "`()` for a setting that is left out",
        "`none` says it.",
        ("E0211",),
        r"not \(\)",
        ("avg_pool2d",),
    ),
    Reason(
        "`sorter`",
        "`gather` puts the sequence in order.",
        ("E0203",),
        "sorter",
        ("searchsorted",),
        "`searchsorted(gather(s, -1, order), x)`",
    ),
    Reason(
        "Sizes that a tensor says",
        "A size never depends on the values.",
        ("E0211", "E0308"),
        "a tuple of ints, not a tensor|which only the values tell",
        ("tensor_split", "repeat_interleave"),
        "`tensor_split(x, (2, 5))`, `repeat_interleave(x, counts, dim=1, output_size=12)`",
    ),
    Reason(
        "`dim=()`",
        "Some of torch's functions take it for every dimension, and others for none.",
        ("E0307",),
        "names no dimension",
        ("nansum", "nanmean"),
        "`dim` left out, for all",
    ),
)  # fmt: skip

# What specc computes otherwise than torch, by the function: why that is not in silence.
OTHERWISE_COMPUTED: Final = {
    "full": "of floats, as `zeros` and `ones` are, whatever it is filled with: torch makes whole "
    "numbers of `full((2, 3), 6)`, a spec says `long(full((2, 3), 6))`",
}


def reason_of(outcome: Outcome) -> Reason | None:
    """The first reason that a refusal matches."""
    return next((reason for reason in REASONS if reason.matches(outcome)), None)


def unused(outcomes: Iterable[Outcome]) -> list[str]:
    """The reasons that refuse none of ``outcomes``, and the names that they refuse none of."""
    met: dict[Reason, set[str]] = {reason: set() for reason in REASONS}
    for outcome in outcomes:
        reason = reason_of(outcome)
        if reason is not None:
            met[reason].add(outcome.sample.name)
    return [
        f"{reason.title}: {', '.join(sorted(set(reason.names) - names)) or 'nothing'}"
        for reason, names in met.items()
        if not names or not set(reason.names) <= names
    ]
