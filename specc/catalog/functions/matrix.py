"""Rows of matrix products and attention.

``dropout_p`` of attention is left out: torch applies it in evaluation as well.
"""

from __future__ import annotations

from specc.catalog.rows import FunctionRow
from specc.catalog.shapes import linear, matrix, normalization

ROWS = (
    FunctionRow(
        "matmul",
        "torch.matmul",
        "input: tensor, other: tensor",
        "the matrix product, as @",
        shape=matrix.matmul,
        family="matrix",
    ),
    FunctionRow(
        "bmm",
        "torch.bmm",
        "input: tensor, mat2: tensor",
        "the matrix product of each pair of a batch",
        shape=matrix.batched,
        family="matrix",
    ),
    FunctionRow(
        "outer",
        "torch.outer",
        "input: tensor, vec2: tensor",
        "all products of two vectors' elements",
        shape=matrix.outer,
        family="matrix",
    ),
    FunctionRow(
        "einsum",
        "torch.einsum",
        "equation: str, *operands: tensor",
        "sums of products in Einstein's notation",
        shape=matrix.einsum,
        family="matrix",
    ),
    FunctionRow(
        "linear",
        "F.linear",
        "input: tensor, weight: tensor, bias: tensor | none = None",
        "a dense layer with a given weight",
        shape=linear.linear_function,
        family="matrix",
    ),
    FunctionRow(
        "cosine_similarity",
        "F.cosine_similarity",
        "x1: tensor, x2: tensor, dim: int = 1, eps: float = 1e-08",
        "the cosine of the angle between two vectors",
        shape=normalization.cosine_similarity,
        family="matrix",
    ),
    FunctionRow(
        "scaled_dot_product_attention",
        "F.scaled_dot_product_attention",
        "query: tensor, key: tensor, value: tensor, attn_mask: tensor | none = None, *, "
        "is_causal: bool = False, scale: float | none = None, enable_gqa: bool = False",
        "softmax(query key^T scale) value",
        since="2.5",
        shape=matrix.attention,
        family="matrix",
    ),
)
