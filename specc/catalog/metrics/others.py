"""Metrics of images, of sound, of language and of documents found for a query.

Definitions and defaults are torchmetrics'. Documents are rows of scores, of whether each is
relevant, and of the query that it was found for; the metric is the mean over the queries. Non-goal:
metrics that ask a trained model.
"""

from __future__ import annotations

from collections.abc import Mapping

from specc.catalog.metrics.heads import head
from specc.catalog.rows import FunctionRow, ShapeRule
from specc.catalog.shapes.of_losses import metrics as rules

_NONE: Mapping[str, tuple[str, ...]] = {}

_PERPLEXITY = '''\
def perplexity(
    preds: Tensor, target: Tensor, ignore_index: int | None = None
) -> Tensor:
    """How many words the next one is as good as chosen from: scores [N, T, V]."""
    kept = torch.ones_like(target, dtype=torch.bool)
    if ignore_index is not None:
        kept = target != ignore_index
    return F.cross_entropy(preds[kept], target[kept]).exp()
'''

_PEAK = '''\
def peak_signal_noise_ratio(
    preds: Tensor, target: Tensor, data_range: float, base: float = 10.0
) -> Tensor:
    """The largest signal over the mean squared difference, in tens of logarithms."""
    noise = (preds - target).square().mean() / data_range**2
    return -10 * noise.log() / torch.full_like(noise, base).log()
'''

_SIMILARITY = '''\
def structural_similarity_index_measure(
    preds: Tensor,
    target: Tensor,
    sigma: float = 1.5,
    data_range: float | None = None,
    k1: float = 0.01,
    k2: float = 0.03,
) -> Tensor:
    """How alike images [N, C, H, W] are in brightness, contrast and structure."""
    reach = int(3.5 * sigma + 0.5)
    places = torch.arange(-reach, reach + 1, dtype=preds.dtype, device=preds.device)
    bell = (-(places / sigma).square() / 2).exp()
    bell = bell / bell.sum()
    channels = preds.shape[1]
    kernel = torch.outer(bell, bell).expand(channels, 1, -1, -1)
    size = torch.maximum(preds.max() - preds.min(), target.max() - target.min())
    if data_range is not None:
        size = torch.full_like(size, data_range)
    one = F.pad(preds, (reach, reach, reach, reach), mode="reflect")
    other = F.pad(target, (reach, reach, reach, reach), mode="reflect")
    means = F.conv2d(
        torch.cat([one, other, one * one, other * other, one * other]),
        kernel,
        groups=channels,
    )
    one, other, ones, others, both = means.chunk(5)
    bright, contrast = (k1 * size).square(), (k2 * size).square()
    spread = (ones - one * one).clamp(min=0) + (others - other * other).clamp(min=0)
    above = (2 * one * other + bright) * (2 * (both - one * other) + contrast)
    below = (one * one + other * other + bright) * (spread + contrast)
    return (above / below).mean()
'''

_VARIATION = '''\
def total_variation(img: Tensor, reduction: str = "sum") -> Tensor:
    """The sum of the differences of neighbours in images [N, C, H, W]."""
    down = (img[..., 1:, :] - img[..., :-1, :]).abs().sum(dim=(1, 2, 3))
    across = (img[..., 1:] - img[..., :-1]).abs().sum(dim=(1, 2, 3))
    found = down + across
    if reduction == "none":
        return found
    return found.mean() if reduction == "mean" else found.sum()
'''

_SIGNAL = '''\
{begun}
    """{summary}."""
{centred}    least = torch.finfo(preds.dtype).eps
{scaled}    noise = (target - preds).square().sum(dim=-1) + least
    return 10 * ((target.square().sum(dim=-1) + least) / noise).log10().mean()
'''
_CENTRED = """\
    preds = preds - preds.mean(dim=-1, keepdim=True)
    target = target - target.mean(dim=-1, keepdim=True)
"""
_SCALED = """\
    scale = (preds * target).sum(dim=-1, keepdim=True) + least
    target = scale / (target.square().sum(dim=-1, keepdim=True) + least) * target
"""

# What each document is worth, divided over its query. Of equal scores the first is first.
_RANKED = '''\
{begun}
    """{summary}."""
    places = torch.arange(len(preds), device=preds.device)
    query = indexes.unsqueeze(1) == indexes
    before = preds > preds.unsqueeze(1)
    tied = (preds == preds.unsqueeze(1)) & (places <= places.unsqueeze(1))
    before = query & (before | tied)
    rank = before.sum(dim=1)
    size = query.sum(dim=1)
    relevant = target > 0
    total = (query & relevant).sum(dim=1)
{body}
    return (worth / size).sum() / (1 / size).sum()
'''

_NDCG = """\
    gain = target.to(preds.dtype)
    discount = 1 / (rank + 1).to(preds.dtype).log2()
    ideal = query & (
        (target > target.unsqueeze(1))
        | ((target == target.unsqueeze(1)) & (places <= places.unsqueeze(1)))
    )
    order = ideal.sum(dim=1)
    best = gain / (order + 1).to(preds.dtype).log2()
    if top_k is not None:
        discount = torch.where(rank <= top_k, discount, 0)
        best = torch.where(order <= top_k, best, 0)
    equal = (query & (preds == preds.unsqueeze(1))).to(preds.dtype)
    shared = (equal @ discount) / equal.sum(dim=1)
    whole = query.to(preds.dtype) @ best
    worth = torch.where(whole > 0, size * gain * shared / whole.where(whole > 0, 1), 0)
"""

_TOP = "    found = {which}\n    if top_k is not None:\n        found = found & (rank <= top_k)\n"
_SCORED = "relevant & (preds > 0)"


def _row(
    name: str,
    function: str,
    signature: str,
    summary: str,
    helper: str,
    shape: ShapeRule,
    example: str,
    choices: Mapping[str, tuple[str, ...]] = _NONE,
) -> FunctionRow:
    return FunctionRow(
        name,
        function,
        signature,
        summary,
        choices=choices,
        example=example,
        helper=helper,
        shape=shape,
        family="metric",
    )


def _retrieval(
    name: str,
    function: str,
    summary: str,
    body: str,
    *,
    cut: bool = True,
    shape: ShapeRule = rules.retrieval,
) -> FunctionRow:
    signature = "preds: tensor, target: tensor, indexes: tensor"
    text = _RANKED.format(
        begun=head(f"retrieval_{function}", [*_DOCUMENTS, *["top_k: int | None = None"] * cut]),
        summary=summary[0].upper() + summary[1:],
        body=body.rstrip(),
    )
    return _row(
        f"Retrieval{name}",
        f"retrieval_{function}",
        signature + (", *, top_k: int | none = None" if cut else ""),
        summary,
        text,
        shape,
        f"x: unit[N], y: index(2)[N], q: index(2)[N] | Retrieval{name}(x, y, q)",
    )


def _signal(
    name: str, function: str, summary: str, *, centred: bool | None, scaled: bool
) -> FunctionRow:
    """``centred`` is None where a setting says it."""
    parameters = ["preds: Tensor", "target: Tensor"]
    setting = "zero_mean: bool = False"
    middle = _CENTRED if centred else ""
    if centred is None:
        parameters.append(setting)
        inner = "".join(f"    {line}\n" for line in _CENTRED.splitlines())
        middle = f"    if zero_mean:\n{inner}"
    return _row(
        name,
        function,
        "preds: tensor, target: tensor" + (f", *, {setting}" if centred is None else ""),
        summary,
        _SIGNAL.format(
            begun=head(function, parameters),
            summary=summary[0].upper() + summary[1:],
            centred=middle,
            scaled=_SCALED if scaled else "",
        ),
        rules.signals,
        f"x: float[N, 8], y: float[N, 8] | {name}(x, y)",
    )


_DOCUMENTS = ("preds: Tensor", "target: Tensor", "indexes: Tensor")
_HITS = "    hits = (before & found).sum(dim=1)\n"
_IMAGES = "x: unit[N, 2, 12, 12], y: unit[N, 2, 12, 12]"

ROWS = (
    _row(
        "Perplexity",
        "perplexity",
        "preds: tensor, target: tensor, *, ignore_index: int | none = None",
        "how many words the next one is as good as chosen from",
        _PERPLEXITY,
        rules.perplexity,
        "x: float[N, 3, 7], y: index(7)[N, 3] | Perplexity(x, y)",
    ),
    _row(
        "PeakSignalNoiseRatio",
        "peak_signal_noise_ratio",
        "preds: tensor, target: tensor, *, data_range: float, base: float = 10.0",
        "the largest signal over the mean squared difference, in tens of logarithms",
        _PEAK,
        rules.error,
        f"{_IMAGES} | PeakSignalNoiseRatio(x, y, data_range=1.0)",
    ),
    _row(
        "StructuralSimilarityIndexMeasure",
        "structural_similarity_index_measure",
        "preds: tensor, target: tensor, *, sigma: float = 1.5, data_range: float | none = None, "
        "k1: float = 0.01, k2: float = 0.03",
        "how alike images are in brightness, contrast and structure",
        _SIMILARITY,
        rules.images,
        f"{_IMAGES} | StructuralSimilarityIndexMeasure(x, y, data_range=1.0)",
    ),
    _row(
        "TotalVariation",
        "total_variation",
        "img: tensor, *, reduction: str = 'sum'",
        "the sum of the differences of neighbours in images",
        _VARIATION,
        rules.image,
        "x: unit[N, 2, 6, 6] | TotalVariation(x)",
        {"reduction": ("sum", "mean", "none")},
    ),
    _signal(
        "SignalNoiseRatio",
        "signal_noise_ratio",
        "the power of the target over that of the difference, in decibels",
        centred=None,
        scaled=False,
    ),
    _signal(
        "ScaleInvariantSignalDistortionRatio",
        "scale_invariant_signal_distortion_ratio",
        "the power of the target, as loud as it is found, over that of the rest, in decibels",
        centred=None,
        scaled=True,
    ),
    _signal(
        "ScaleInvariantSignalNoiseRatio",
        "scale_invariant_signal_noise_ratio",
        "the same of signals less their means",
        centred=True,
        scaled=True,
    ),
    _retrieval(
        "MAP",
        "average_precision",
        "the mean, over the relevant documents, of the precision down to each",
        _TOP.format(which=_SCORED) + _HITS + "    count = (query & found).sum(dim=1).clamp(min=1)\n"
        "    worth = found * size * hits / rank / count",
    ),
    _retrieval(
        "MRR",
        "reciprocal_rank",
        "one over the place of the first relevant document",
        _TOP.format(which=_SCORED) + _HITS + "    worth = (found & (hits == 1)) * size / rank",
    ),
    _retrieval(
        "Precision",
        "precision",
        "the share of the first documents that are relevant",
        _TOP.format(which=_SCORED) + "    worth = found * size / (top_k or size)",
    ),
    _retrieval(
        "Recall",
        "recall",
        "the share of the relevant documents that are among the first",
        _TOP.format(which=_SCORED) + "    worth = found * size / total.clamp(min=1)",
    ),
    _retrieval(
        "HitRate",
        "hit_rate",
        "whether a relevant document is among the first",
        _TOP.format(which="relevant") + _HITS + "    worth = (found & (hits == 1)) * size",
    ),
    _retrieval(
        "FallOut",
        "fall_out",
        "the share of the other documents that are among the first",
        _TOP.format(which="~relevant")
        + "    others = size - total\n"
        + "    worth = found * size / others.clamp(min=1) + (others == 0) * 1",
    ),
    _retrieval(
        "RPrecision",
        "r_precision",
        "the precision of as many documents as are relevant",
        "    worth = (relevant & (rank <= total)) * size / total.clamp(min=1)",
        cut=False,
    ),
    _retrieval(
        "NormalizedDCG",
        "normalized_dcg",
        "the gains, each over the logarithm of its place, against the best order's",
        _NDCG,
        shape=rules.graded,
    ),
)
