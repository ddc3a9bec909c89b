"""What torch's autocast makes of a layer or a function: the precision of its result, and what it is
then fed that it does not take.

By torch's own lists, the CPU's and CUDA's: what is computed in the lower precision, what in
float32, what in the widest that comes in. Everything else takes what it is fed, and torch's
promotion decides. The CPU's side is held to torch by measurement, CUDA's lists to torch's header
(``tests/test_catalog_autocast.py``). Non-goal: following values through a program
(``specc.semantics.checks.autocast_checks``). Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

Device: TypeAlias = Literal["cpu", "cuda"]
DEVICES: Final[tuple[Device, ...]] = ("cpu", "cuda")
FULL: Final = "float32"
HALVES: Final = ("bfloat16", "float16")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Names are the last part of torch's: of layers ``Linear``, of losses and functions ``nll_loss``.

_PRODUCTS: Final = _names(
    "Linear Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d PReLU RNN RNNCell"
    " MultiheadAttention linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d"
    " conv_transpose3d prelu matmul mm bmm addmm baddbmm addbmm einsum vecdot multi_dot cov"
    " corrcoef affine_grid scaled_dot_product_attention"
)
# Computed in the lower precision, where what comes in is float32 or lower.
LOWERED: Final[Mapping[Device, frozenset[str]]] = {
    "cpu": _PRODUCTS | _names("LSTM inner tensordot"),
    "cuda": _PRODUCTS | _names("LSTM GRU LSTMCell GRUCell addmv addr mv"),
}

_LOSSES: Final = _names(
    "cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss huber_loss kl_div poisson_nll_loss"
    " cosine_embedding_loss margin_ranking_loss hinge_embedding_loss soft_margin_loss"
    " triplet_margin_loss multi_margin_loss multilabel_margin_loss linear_cross_entropy"
    " binary_cross_entropy_with_logits LinearCrossEntropyLoss"
)
_MATRICES: Final = _names(
    "inv cond cholesky cholesky_inverse cholesky_solve solve qr svd svdvals eigh eigvalsh"
    " matrix_rank"
)
_TRANSFORMS: Final = _names(
    "fft fft2 fftn ifft ifft2 ifftn rfft rfft2 rfftn irfft irfft2 irfftn hfft ihfft"
)
# Computed in float32, whatever comes in.
RAISED: Final[Mapping[Device, frozenset[str]]] = {
    "cpu": _LOSSES | _MATRICES | _TRANSFORMS | _names(
        "binary_cross_entropy ctc_loss prod trace quantile nanquantile cdist grid_sample"
        " MaxPool3d AvgPool3d AdaptiveAvgPool3d AdaptiveMaxPool3d LPPool3d FractionalMaxPool2d"
        " FractionalMaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d LocalResponseNorm"
        " ReflectionPad1d ReflectionPad2d ReplicationPad1d ReplicationPad2d ReplicationPad3d"
        " max_pool3d avg_pool3d adaptive_avg_pool3d adaptive_max_pool3d lp_pool3d"
        " fractional_max_pool2d fractional_max_pool3d max_unpool1d max_unpool2d max_unpool3d"
        " local_response_norm"
    ),
    "cuda": _LOSSES | _names(
        "acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan pow"
        " softplus Softplus layer_norm LayerNorm rms_norm RMSNorm group_norm GroupNorm norm"
        " cosine_similarity CosineSimilarity dist pdist cdist renorm logsumexp interpolate Upsample"
        " UpsamplingNearest2d UpsamplingBilinear2d prod softmax Softmax Softmax2d softmin Softmin"
        " log_softmax LogSoftmax cumprod cumsum vector_norm sum TransformerEncoderLayer"
        " TransformerDecoderLayer TransformerEncoder TransformerDecoder Transformer"
    ),
}  # fmt: skip

# The result has the precision of this argument, whatever the others have.
_FOLLOWS: Final[Mapping[str, str]] = {
    "layer_norm": "input", "rms_norm": "input", "group_norm": "input", "batch_norm": "input",
    "instance_norm": "input", "select_scatter": "input", "slice_scatter": "input",
    "diagonal_scatter": "input", "TransformerEncoderLayer": "src", "TransformerEncoder": "src",
    "TransformerDecoderLayer": "tgt", "TransformerDecoder": "tgt", "Transformer": "tgt",
    "embedding": "weight", "embedding_bag": "weight", "masked_fill": "input",
    "index_fill": "input",
}  # fmt: skip


class Fed(NamedTuple):
    """One of the floats that come in: by which argument, in which precision, and of how many
    dimensions; one number alone gives way to a tensor."""

    argument: str
    precision: str
    rank: int = 1


# The settings, defaults filled in and params put in.
Settings: TypeAlias = Mapping[str, object]


def widest(fed: Iterable[Fed]) -> str:
    """The precision that torch promotes to: of the tensors, or of the numbers where none is
    there."""
    given = list(fed)
    dims = [each.precision for each in given if each.rank]
    return max(dims or [each.precision for each in given] or [FULL], key=_width)


def _width(precision: str) -> int:
    return {"float64": 2, FULL: 1}.get(precision, 0)


def result_precision(
    name: str, device: Device, low: str, settings: Settings, fed: Sequence[Fed]
) -> str:
    """The precision of what ``name`` gives under autocast to ``low`` on ``device``, fed so.

    Of what no list has, what torch promotes to."""
    if any(each.precision == "float64" for each in fed):
        return "float64"
    if name in _OWN:
        own = _OWN[name](device, low, settings, fed)
        if own:
            return own
    if name in LOWERED[device]:
        return low
    if name in RAISED[device]:
        return FULL
    if name in _FOLLOWS:
        of = [each.precision for each in fed if each.argument == _FOLLOWS[name]]
        return of[0] if of else FULL
    if name in _OF_ALL:
        return max((each.precision for each in fed), key=_width, default=FULL)
    return widest(fed)


# The widest precision of all, numbers among them.
_OF_ALL: Final = _names("kron block_diag cosine_similarity CosineSimilarity")
Own: TypeAlias = Callable[[Device, str, Settings, Sequence[Fed]], str]


def _is_cast(precision: str) -> Own:
    return lambda device, low, settings, fed: precision


def _padded(device: Device, low: str, settings: Settings, fed: Sequence[Fed]) -> str:
    # The CPU's kernels of these modes are on its list, the modes of others move elements alone.
    mode = settings.get("mode")
    return FULL if device == "cpu" and mode in ("reflect", "replicate") else ""


def _pooled(device: Device, low: str, settings: Settings, fed: Sequence[Fed]) -> str:
    # With the places it is another function of torch's, which the list has not.
    return widest(fed) if settings.get("return_indices") else ""


def _resized(device: Device, low: str, settings: Settings, fed: Sequence[Fed]) -> str:
    if settings.get("mode") != "area":
        return ""
    return FULL if device == "cpu" and fed and fed[0].rank == 5 else widest(fed)


def _responses(device: Device, low: str, settings: Settings, fed: Sequence[Fed]) -> str:
    # Sums over channels are a pool of two dimensions, or one of three, which the CPU's list has.
    return widest(fed) if fed and fed[0].rank == 3 else ""


def _power(device: Device, low: str, settings: Settings, fed: Sequence[Fed]) -> str:
    n = settings.get("n")
    if not isinstance(n, int):
        return low
    if n < 0:  # by an inverse, which is float32 on the CPU
        return FULL if n == -1 else low
    return low if n > 1 else widest(fed)


def _summed(device: Device, low: str, settings: Settings, fed: Sequence[Fed]) -> str:
    equation = settings.get("equation")
    if device == "cuda" or not isinstance(equation, str):
        return low
    given, _, kept = equation.replace(" ", "").partition("->")
    letters = given.split(",")
    shared = [a for a in set(given) if sum(a in each for each in letters) > 1 and a.isalpha()]
    if "->" not in equation:
        kept = "".join(a for a in given if a.isalpha() and given.count(a) == 1)
    return low if any(a not in kept for a in shared) else widest(fed)


def _inner(device: Device, low: str, settings: Settings, fed: Sequence[Fed]) -> str:
    if device == "cuda" or not all(each.rank for each in fed):
        return widest(fed)
    return low


def _state(device: Device, low: str, settings: Settings, fed: Sequence[Fed]) -> str:
    """A gated layer's result is a mixture of its state and of what comes in."""
    if device == "cuda":
        return low
    states = [each.precision for each in fed if each.argument == "hx"]
    return max(states, key=_width) if states else fed[0].precision if fed else FULL


_OWN: Final[Mapping[str, Own]] = {
    "double": _is_cast("float64"), "half": _is_cast("float16"), "bfloat16": _is_cast("bfloat16"),
    "Embedding": _is_cast(FULL), "EmbeddingBag": _is_cast(FULL), "pad": _padded,
    "matrix_power": _power, "einsum": _summed, "inner": _inner, "GRU": _state, "GRUCell": _state,
    "LSTMCell": _state, "max_pool3d": _pooled, "MaxPool3d": _pooled, "interpolate": _resized,
    "Upsample": _resized, "local_response_norm": _responses, "LocalResponseNorm": _responses,
}  # fmt: skip

# ── what is not taken ────────────────────────────────────────────────────────────────────────────

# Of these each takes floats of one precision alone.
_ALIKE: Final = _names(
    "lerp heaviside isclose meshgrid cartesian_prod scatter scatter_reduce index_add complex"
)
ALIKE: Final[Mapping[Device, frozenset[str]]] = {
    "cpu": _ALIKE | _names(
        "scatter_add mv addmv addr dot vdot inner tensordot multi_dot cross bilinear Bilinear"
    ),
    "cuda": _ALIKE,
}  # fmt: skip
# Of these torch has no kernel in half precision, forward or backward; nor has float32's autocast.
_WITHOUT_HALF: Final = _names(
    "complex norm matrix_norm erfcx log_ndtr ndtri i1 i1e zeta det logdet slogdet lu"
    " solve_triangular vander hfft2 hfftn ihfft2 ihfftn"
)
WITHOUT_HALF: Final[Mapping[Device, frozenset[str]]] = {
    "cpu": _WITHOUT_HALF | _names("pdist rrelu RReLU"),
    "cuda": _WITHOUT_HALF | _MATRICES | _TRANSFORMS | _names("quantile nanquantile ctc_loss"),
}
# What mixes precisions inside, or is refused by name, whatever it is fed.
NEVER: Final[Mapping[Device, frozenset[str]]] = {
    "cpu": _names("pinv"),
    "cuda": _names("pinv binary_cross_entropy"),
}


def refusal(
    name: str, device: Device, low: str, settings: Settings, fed: Sequence[Fed]
) -> tuple[str, tuple[str, ...]] | None:
    """Why torch does not take what ``name`` is fed under autocast, and the arguments that a cast
    to float32 would mend it by (none where no cast does); None where it takes it."""
    if name in NEVER[device]:
        if name == "binary_cross_entropy":
            return "is not computed under autocast", ()
        return "mixes precisions inside", ()
    if name == "affine_grid" and device == "cpu" and 1 in _last(settings.get("size")):
        return "has no kernel for half precision and a size of 1", ()
    lower = tuple(each.argument for each in fed if each.precision in HALVES)
    if name == "AdaptiveLogSoftmaxWithLoss" and (not lower) == (device == "cpu"):
        return "mixes precisions inside", ()
    if not lower:
        return None
    if name in ALIKE[device] and _differ(name, device, fed):
        return "takes floats of one precision", lower
    if name in _NORMS and device == "cpu" and not _is_norm_fed_well(name, fed):
        return "takes floats of one precision", lower
    if name in WITHOUT_HALF[device] and _is_half(name, device, settings, fed):
        return "has no kernel for half precision", lower
    return None


_NORMS: Final = _names("batch_norm instance_norm group_norm layer_norm")


def _last(sizes: object) -> tuple[object, ...]:
    return tuple(sizes[2:]) if isinstance(sizes, tuple) else ()


def _differ(name: str, device: Device, fed: Sequence[Fed]) -> bool:
    """Whether ``fed`` has several precisions; a layer's own parameters are float32."""
    if name == "lerp":
        fed = [each for each in fed if not (each.argument == "weight" and not each.rank)]
    if name == "Bilinear":
        return True
    if name in ("inner",) and not all(each.rank for each in fed):
        return False
    return len({each.precision for each in fed}) > 1


def _is_norm_fed_well(name: str, fed: Sequence[Fed]) -> bool:
    """The CPU's kernels of norms take one precision, or all but the input in float32."""
    of = [each.precision for each in fed if each.argument == "input"]
    rest = {each.precision for each in fed if each.argument != "input"}
    alone = name == "layer_norm" and all(each.argument != "weight" for each in fed)
    return not rest or rest == set(of) or (rest == {FULL} and not alone)


def _is_half(name: str, device: Device, settings: Settings, fed: Sequence[Fed]) -> bool:
    halves = [each.precision in HALVES for each in fed]
    match name:
        case "complex":
            return any(each.precision == "bfloat16" for each in fed)
        case "rrelu" | "RReLU":
            return any(each.precision == "float16" for each in fed)
        case "norm" | "matrix_norm":
            return settings.get("ord") in (2, -2, "nuc") and not _of_a_vector(settings, fed)
        case "zeta":
            return widest(fed) in HALVES
        case "solve_triangular":
            return halves[0]
        case _:
            return any(halves)


def _of_a_vector(settings: Settings, fed: Sequence[Fed]) -> bool:
    dim = settings.get("dim")
    if isinstance(dim, tuple):
        return len(dim) == 1
    return isinstance(dim, int) or (dim is None and bool(fed) and fed[0].rank == 1)
