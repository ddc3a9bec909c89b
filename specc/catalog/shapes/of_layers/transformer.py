"""Shape rules of the Transformer: its two layers, stacks of them, and the whole.

A batch is demanded, as by ``attention``. A stack has the settings of its layer, a count, and a last
norm. Non-goal: attention itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import integer, plain, positive, require_same_dtype
from specc.catalog.shapes.of_layers.attention import (
    ZERO,
    Fresh,
    attention,
    batch_and_length,
    draws_of,
    number_of,
    require_masks,
    require_settings,
    sequence,
    shapes_of,
    xavier,
)
from specc.catalog.shapes.of_layers.linear import Initial, Tensors, size_of
from specc.ir import Distribution, TensorType
from specc.sizes import Size

ONE = Distribution("constant", 1.0)


# ── one layer ────────────────────────────────────────────────────────────────────────────────────


def encoder_layer(call: Call) -> TensorType:
    """``src [N, T, D]`` to the same shape; E0301, E0302, E0303, E0306, E0307."""
    return _encoded(call, "src_mask")


def decoder_layer(call: Call) -> TensorType:
    """``tgt [N, T, D]`` and ``memory [N, S, D]`` to the shape of ``tgt``; E0302 and as above."""
    return _decoded(call, sequence(call, "memory"))


def _encoded(call: Call, mask: str) -> TensorType:
    src = sequence(call, "src")
    _require_transformer(call, src)
    require_masks(call, src, src, "nhead", "src_key_padding_mask", mask)
    return src.with_shape(src.shape)


def _decoded(call: Call, memory: TensorType) -> TensorType:
    """``memory`` is what the decoder attends to beside its own input."""
    tgt = sequence(call, "tgt")
    _require_transformer(call, tgt)
    require_same_dtype(call, tgt, memory)
    message = f"{call.name}: {tgt} and {memory} differ in"
    call.require_equal(
        tgt.shape[-1], memory.shape[-1], RuleError("E0302", f"{message} their features")
    )
    call.require_equal(
        batch_and_length(call, tgt)[0],
        batch_and_length(call, memory)[0],
        RuleError("E0302", f"{message} their batch"),
    )
    require_masks(call, tgt, tgt, "nhead", "tgt_key_padding_mask", "tgt_mask")
    require_masks(call, tgt, memory, "nhead", "memory_key_padding_mask", "memory_mask")
    return tgt.with_shape(tgt.shape)


def _require_transformer(call: Call, tensor: TensorType) -> None:
    require_settings(call, "d_model", "nhead")
    positive(call, "dim_feedforward")
    size, width = tensor.shape[-1], size_of(call, "d_model")
    message = f"{call.name} of d_model {width} is fed {tensor}"
    call.require_equal(size, width, RuleError("E0302", message))


def _dense(call: Call, name: str, out: Size, into: Size) -> Iterator[Fresh]:
    bound = 1.0 / sqrt(number_of(call, into))
    drawn = Distribution("uniform", -bound, bound)
    yield f"{name}.weight", (out, into), drawn
    if plain(call, "bias"):
        yield f"{name}.bias", (out,), drawn


def _layer(call: Call, attentions: tuple[str, ...]) -> Iterator[Fresh]:
    """Attentions, the two dense layers, and a norm for each: the order of torch's classes."""
    width, wide = size_of(call, "d_model"), size_of(call, "dim_feedforward")
    for name in attentions:
        yield from attention(call, f"{name}.", width, width, width)
    yield from _dense(call, "linear1", wide, width)
    yield from _dense(call, "linear2", width, wide)
    for place in range(len(attentions) + 1):
        yield from _norm(call, f"norm{place + 1}")


def _norm(call: Call, name: str) -> Iterator[Fresh]:
    width = size_of(call, "d_model")
    yield f"{name}.weight", (width,), ONE
    if plain(call, "bias"):
        yield f"{name}.bias", (width,), ZERO


def layer_parameters(call: Call, *, attentions: tuple[str, ...]) -> Tensors:
    """Those of ``attentions``, ``linear1``, ``linear2``, ``norm1`` and so on."""
    return shapes_of(_layer(call, attentions))


def layer_initial(call: Call, *, attentions: tuple[str, ...]) -> Initial:
    """As each part alone: torch draws anew only in the whole ``nn.Transformer``."""
    return draws_of(_layer(call, attentions))


# ── stacks ───────────────────────────────────────────────────────────────────────────────────────


def encoder(call: Call) -> TensorType:
    """As one ``encoder_layer``; its mask is called ``mask``."""
    positive(call, "num_layers")
    return _encoded(call, "mask")


def decoder(call: Call) -> TensorType:
    """As one ``decoder_layer``."""
    positive(call, "num_layers")
    return decoder_layer(call)


def _stack(call: Call, name: str, count: str, attentions: tuple[str, ...]) -> Iterator[Fresh]:
    for place in range(integer(call, count)):
        for tensor, shape, drawn in _layer(call, attentions):
            yield f"{name}layers.{place}.{tensor}", shape, drawn


def _whole_stack(call: Call, attentions: tuple[str, ...]) -> Iterator[Fresh]:
    yield from _stack(call, "", "num_layers", attentions)
    if plain(call, "norm"):
        yield from _norm(call, "norm")


def stack_parameters(call: Call, *, attentions: tuple[str, ...]) -> Tensors:
    """Those of each layer, under ``layers.0`` and so on, and of ``norm``."""
    return shapes_of(_whole_stack(call, attentions))


def stack_initial(call: Call, *, attentions: tuple[str, ...]) -> Initial:
    """As one layer: torch copies the first, so that all of a fresh stack are equal."""
    return draws_of(_whole_stack(call, attentions))


# ── the whole ────────────────────────────────────────────────────────────────────────────────────

_ENCODER, _DECODER = ("self_attn",), ("self_attn", "multihead_attn")


def transformer(call: Call) -> TensorType:
    """``src [N, S, D]`` and ``tgt [N, T, D]`` to the shape of ``tgt``; E0301, E0302, E0303, E0306,
    E0307."""
    positive(call, "num_encoder_layers", "num_decoder_layers")
    return _decoded(call, _encoded(call, "src_mask"))


def _transformer(call: Call) -> Iterator[Fresh]:
    """Both stacks with their norms; a matrix is drawn as ``xavier_uniform_``."""
    for name, attentions in (("encoder", _ENCODER), ("decoder", _DECODER)):
        layers = _stack(call, f"{name}.", f"num_{name}_layers", attentions)
        for tensor, shape, drawn in layers:
            yield tensor, shape, xavier(call, *shape) if len(shape) == 2 else drawn
        yield from _norm(call, f"{name}.norm")


def transformer_parameters(call: Call) -> Tensors:
    """Those of ``encoder`` and ``decoder``, each with its ``norm``."""
    return shapes_of(_transformer(call))


def transformer_initial(call: Call) -> Initial:
    """Matrices as ``xavier_uniform_``, the rest as in each part alone."""
    return draws_of(_transformer(call))
