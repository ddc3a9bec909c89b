"""Rows of torch's own attention layers; their ``dropout`` on weights is noise inside its kernel.

Left out: ``need_weights`` (its other result would be nothing), ``is_causal`` (a hint beside the
mask), and the stacks ``TransformerEncoder`` and ``TransformerDecoder``, for which there are
``repeat`` and ``for``.
"""

from __future__ import annotations

from functools import partial

from specc.catalog.rows import LayerRow, ShapeRule
from specc.catalog.shapes import attention as rules

_MASK = "tensor | none = None"


def _transformer(
    name: str, summary: str, shape: ShapeRule, attentions: tuple[str, ...], forward: str
) -> LayerRow:
    return LayerRow(
        name,
        f"nn.{name}",
        "d_model: size = ?, nhead: int, dim_feedforward: size = 2048, dropout: float = 0.1, "
        "activation: str = 'relu', layer_norm_eps: float = 1e-05, batch_first: bool = False, "
        "norm_first: bool = False, bias: bool = True",
        summary,
        choices={"activation": ("relu", "gelu")},
        since="2.1",
        shape=shape,
        infer={"d_model": partial(rules.features, argument="d_model")},
        parameters=partial(rules.transformer_parameters, attentions=attentions),
        initial=partial(rules.transformer_initial, attentions=attentions),
        forward=forward,
        stochastic=True,
        family="attention",
    )


ROWS = (
    LayerRow(
        "MultiheadAttention",
        "nn.MultiheadAttention",
        "embed_dim: size = ?, num_heads: int, dropout: float = 0.0, bias: bool = True, "
        "add_bias_kv: bool = False, add_zero_attn: bool = False, kdim: size | none = None, "
        "vdim: size | none = None, batch_first: bool = False",
        "attention of several heads, projected in and out: output, weights",
        shape=rules.multihead,
        infer={"embed_dim": partial(rules.features, argument="embed_dim")},
        parameters=rules.multihead_parameters,
        initial=rules.multihead_initial,
        forward=f"query: tensor, key: tensor, value: tensor, key_padding_mask: {_MASK}, *, "
        f"attn_mask: {_MASK}, average_attn_weights: bool = True",
        stochastic=True,
        family="attention",
    ),
    _transformer(
        "TransformerEncoderLayer",
        "self-attention and a feed-forward net, each with a residual and a LayerNorm",
        rules.encoder_layer,
        ("self_attn",),
        f"src: tensor, src_mask: {_MASK}, src_key_padding_mask: {_MASK}",
    ),
    _transformer(
        "TransformerDecoderLayer",
        "as the encoder's, with attention to a memory between the two",
        rules.decoder_layer,
        ("self_attn", "multihead_attn"),
        f"tgt: tensor, memory: tensor, tgt_mask: {_MASK}, memory_mask: {_MASK}, "
        f"tgt_key_padding_mask: {_MASK}, memory_key_padding_mask: {_MASK}",
    ),
)
