"""Rows of torch's own attention layers, and of the Transformer made of them; their ``dropout`` on
weights is noise inside its kernel.

Left out: ``need_weights`` (its other result would be nothing), ``is_causal`` (a hint beside the
mask). A stack takes its layer's settings in place of a layer; ``enable_nested_tensor`` is off, for
it clears what is padded in evaluation alone.
"""

from __future__ import annotations

from functools import partial

from specc.catalog.facts import inner_layers
from specc.catalog.rows import LayerRow, ShapeRule
from specc.catalog.shapes.of_layers import attention as rules
from specc.catalog.shapes.of_layers import transformer

_MASK = "tensor | none = None"
_SOURCE = f"src_key_padding_mask: {_MASK}"
_TARGETS = f"tgt_mask: {_MASK}, memory_mask: {_MASK}"
_PADDINGS = f"tgt_key_padding_mask: {_MASK}, memory_key_padding_mask: {_MASK}"
_ACTIVATIONS = {"activation": ("relu", "gelu")}
_ENCODER, _DECODER = ("self_attn",), ("self_attn", "multihead_attn")

_SETTINGS = (
    "dim_feedforward: size = 2048, dropout: float = 0.1, activation: str = 'relu', "
    "layer_norm_eps: float = 1e-05, batch_first: bool = False, norm_first: bool = False, "
    "bias: bool = True"
)
_SMALL = "nhead=2, dim_feedforward=5, batch_first=true"
_ONE = "x: float[N, T, 4] | x ->"
_TWO = "x: float[N, T, 4], memory: float[N, S, 4] |"


def _layer(
    name: str,
    summary: str,
    shape: ShapeRule,
    attentions: tuple[str, ...],
    inside: inner_layers.Parts,
    forward: str,
    example: str,
) -> LayerRow:
    return LayerRow(
        name,
        f"nn.{name}",
        f"d_model: size = ?, nhead: int, {_SETTINGS}",
        summary,
        choices=_ACTIVATIONS,
        since="2.1",
        shape=shape,
        infer={"d_model": partial(rules.features, argument="d_model")},
        parameters=partial(transformer.layer_parameters, attentions=attentions),
        initial=partial(transformer.layer_initial, attentions=attentions),
        parts=inside,
        forward=forward,
        stochastic=True,
        family="attention",
        example=example,
    )


def _stack(
    kind: str,
    shape: ShapeRule,
    attentions: tuple[str, ...],
    inside: inner_layers.Parts,
    forward: str,
    example: str,
    more: str,
) -> LayerRow:
    passed = (
        "dim_feedforward=dim_feedforward, dropout=dropout, activation=activation, "
        "layer_norm_eps=layer_norm_eps, batch_first=batch_first, norm_first=norm_first, bias=bias"
    )
    return LayerRow(
        f"Transformer{kind}",
        f"nn.Transformer{kind}",
        f"d_model: size = ?, nhead: int, num_layers: int, {_SETTINGS}, norm: bool = False",
        f"Transformer{kind}Layer num_layers times, and with norm a last LayerNorm",
        choices=_ACTIVATIONS,
        positional=((),),  # torch's first is a layer
        since="2.1",
        shape=shape,
        infer={"d_model": partial(rules.features, argument="d_model")},
        parameters=partial(transformer.stack_parameters, attentions=attentions),
        initial=partial(transformer.stack_initial, attentions=attentions),
        parts=inside,
        forward=forward,
        stochastic=True,
        family="attention",
        made=f"nn.Transformer{kind}(nn.Transformer{kind}Layer(d_model, nhead, {passed}), "
        "num_layers, norm=nn.LayerNorm(d_model, eps=layer_norm_eps, bias=bias) if norm else None"
        f"{more})",
        example=example,
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
        parts=inner_layers.ATTENTION,
        forward=f"query: tensor, key: tensor, value: tensor, key_padding_mask: {_MASK}, *, "
        f"attn_mask: {_MASK}, average_attn_weights: bool = True",
        stochastic=True,
        family="attention",
        example=f"{_TWO} y, weights = MultiheadAttention(num_heads=2, batch_first=true)(x, memory, "
        "memory)",
    ),
    _layer(
        "TransformerEncoderLayer",
        "self-attention and a feed-forward net, each with a residual and a LayerNorm",
        transformer.encoder_layer,
        _ENCODER,
        inner_layers.ENCODER_LAYER,
        f"src: tensor, src_mask: {_MASK}, {_SOURCE}",
        f"{_ONE} TransformerEncoderLayer({_SMALL})",
    ),
    _layer(
        "TransformerDecoderLayer",
        "as the encoder's, with attention to a memory between the two",
        transformer.decoder_layer,
        _DECODER,
        inner_layers.DECODER_LAYER,
        f"tgt: tensor, memory: tensor, {_TARGETS}, {_PADDINGS}",
        f"{_TWO} TransformerDecoderLayer({_SMALL})(x, memory)",
    ),
    _stack(
        "Encoder",
        transformer.encoder,
        _ENCODER,
        inner_layers.ENCODER,
        f"src: tensor, mask: {_MASK}, {_SOURCE}",
        f"{_ONE} TransformerEncoder({_SMALL}, num_layers=1, norm=true)",
        ", enable_nested_tensor=False",
    ),
    _stack(
        "Decoder",
        transformer.decoder,
        _DECODER,
        inner_layers.DECODER,
        f"tgt: tensor, memory: tensor, {_TARGETS}, {_PADDINGS}",
        f"{_TWO} TransformerDecoder({_SMALL}, num_layers=1, norm=true)(x, memory)",
        "",
    ),
    LayerRow(
        "Transformer",
        "nn.Transformer",
        "d_model: size = ?, nhead: int = 8, num_encoder_layers: int = 6, "
        f"num_decoder_layers: int = 6, {_SETTINGS}",
        "an encoder of a source, and a decoder of a target that attends to it",
        choices=_ACTIVATIONS,
        since="2.1",
        shape=transformer.transformer,
        infer={"d_model": partial(rules.features, argument="d_model")},
        parameters=transformer.transformer_parameters,
        initial=transformer.transformer_initial,
        parts=inner_layers.TRANSFORMER,
        forward=f"src: tensor, tgt: tensor, src_mask: {_MASK}, {_TARGETS}, {_SOURCE}, {_PADDINGS}",
        stochastic=True,
        family="attention",
        example="x: float[N, S, 4], y: float[N, T, 4] | Transformer("
        f"{_SMALL}, num_encoder_layers=1, num_decoder_layers=1, bias=false)(x, y)",
    ),
)
