"""What torch makes its composite layers of: the layers inside, by their path there.

A selector such as ``LayerNorm.*`` reaches these as it reaches layers that a spec makes itself. Rows
of data for ``LayerRow.parts``; that they are torch's own is held by ``tests/test_parts.py``.
Non-goal: the tensors of the parts, which the rows' rules give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

# The path inside, with `*` for a number, and the type of what is there.
Parts: TypeAlias = Mapping[str, str]


def within(path: str, type_: str, parts: Parts) -> Parts:
    """A layer of ``type_`` at ``path``, and its own ``parts`` behind it."""
    return {path: type_, **{f"{path}.{inner}": found for inner, found in parts.items()}}


ADAPTIVE: Final[Parts] = {"head": "Linear", "tail.*.*": "Linear"}
LINEAR_LOSS: Final[Parts] = {"linear": "Linear"}
ATTENTION: Final[Parts] = {"out_proj": "Linear"}

_FEED_FORWARD: Final[Parts] = {"linear1": "Linear", "linear2": "Linear"}
ENCODER_LAYER: Final[Parts] = {
    **within("self_attn", "MultiheadAttention", ATTENTION),
    **_FEED_FORWARD,
    "norm1": "LayerNorm",
    "norm2": "LayerNorm",
}
DECODER_LAYER: Final[Parts] = {
    **within("self_attn", "MultiheadAttention", ATTENTION),
    **within("multihead_attn", "MultiheadAttention", ATTENTION),
    **_FEED_FORWARD,
    "norm1": "LayerNorm",
    "norm2": "LayerNorm",
    "norm3": "LayerNorm",
}
ENCODER: Final[Parts] = {
    **within("layers.*", "TransformerEncoderLayer", ENCODER_LAYER),
    "norm": "LayerNorm",
}
DECODER: Final[Parts] = {
    **within("layers.*", "TransformerDecoderLayer", DECODER_LAYER),
    "norm": "LayerNorm",
}
TRANSFORMER: Final[Parts] = {
    **within("encoder", "TransformerEncoder", ENCODER),
    **within("decoder", "TransformerDecoder", DECODER),
}
