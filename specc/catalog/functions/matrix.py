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
        "baddbmm",
        "torch.baddbmm",
        "input: tensor, batch1: tensor, batch2: tensor, *, beta: float = 1, alpha: float = 1",
        "beta input + alpha batch1 batch2, for each pair of a batch",
        shape=matrix.batched_sum,
        family="matrix",
    ),
    FunctionRow(
        "dot",
        "torch.dot",
        "input: tensor, tensor: tensor",
        "the inner product of two vectors",
        shape=matrix.inner_product,
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
        "embedding",
        "F.embedding",
        "input: tensor, weight: tensor, padding_idx: int | none = None, "
        "scale_grad_by_freq: bool = False, sparse: bool = False",
        "rows of a given table, looked up by index",
        shape=linear.embedding_function,
        family="matrix",
    ),
    FunctionRow(
        "layer_norm",
        "F.layer_norm",
        "input: tensor, normalized_shape: sizes, weight: tensor | none = None, "
        "bias: tensor | none = None, eps: float = 1e-05",
        "each vector of the last dimensions to mean 0 and variance 1",
        shape=normalization.layer_norm_function,
        family="matrix",
    ),
    FunctionRow(
        "rms_norm",
        "F.rms_norm",
        "input: tensor, normalized_shape: sizes, weight: tensor | none = None, "
        "eps: float | none = None",
        "each vector of the last dimensions to root mean square 1",
        since="2.4",
        shape=normalization.layer_norm_function,
        family="matrix",
    ),
    FunctionRow(
        "pairwise_distance",
        "F.pairwise_distance",
        "x1: tensor, x2: tensor, p: float = 2.0, eps: float = 1e-06, keepdim: bool = False",
        "the p-norm of the difference of two vectors",
        shape=normalization.pairwise_distance,
        family="matrix",
    ),
    FunctionRow(
        "cdist",
        "torch.cdist",
        "x1: tensor, x2: tensor, p: float = 2.0",
        "the p-norm of every difference of two sets of vectors",
        shape=matrix.distances,
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
