"""Rows of matrix products, distances and attention.

``dropout_p`` of attention is left out: torch applies it in evaluation as well.
"""

from __future__ import annotations

from functools import partial

from specc.catalog.functions.family import Family
from specc.catalog.rows import FunctionRow
from specc.catalog.shapes.of_functions import matrix_products, products
from specc.catalog.shapes.of_layers import functional, linear, normalization
from specc.catalog.shapes.of_moves import diagonals

_row = Family("matrix")

_SCALES = "*, beta: float = 1, alpha: float = 1"
_SQUARES = "x: float[N, 4], y: float[4, 3] | {}"
_VECTORS = "x: float[6], y: float[6] | {}(x, y)"
_BATCHES = "x: float[N, 2, 4], y: float[N, 4, 3] | {}"
_PAIR = "x: float[N, 6], y: float[N, 6] | {}(x, y)"

ROWS = (
    _row(
        "torch.matmul",
        "the matrix product, as @",
        matrix_products.matmul,
        "input: tensor, other: tensor",
        example=_SQUARES.format("matmul(x, y)"),
    ),
    _row(
        "torch.mm",
        "the product of two matrices",
        partial(products.product, left="input", right="mat2", ranks=(2, 2)),
        "input: tensor, mat2: tensor",
        example=_SQUARES.format("mm(x, y)"),
    ),
    _row(
        "torch.mv",
        "the product of a matrix and a vector",
        partial(products.product, left="input", right="vec", ranks=(2, 1)),
        "input: tensor, vec: tensor",
        example="x: float[N, 6], y: float[6] | mv(x, y)",
    ),
    _row(
        "torch.bmm",
        "the matrix product of each pair of a batch",
        matrix_products.batched,
        "input: tensor, mat2: tensor",
        example=_BATCHES.format("bmm(x, y)"),
    ),
    _row(
        "torch.addmm",
        "beta input + alpha mat1 mat2",
        partial(products.added_product, left="mat1", right="mat2", ranks=(2, 2)),
        f"input: tensor, mat1: tensor, mat2: tensor, {_SCALES}",
        example=_SQUARES.format("addmm(ones(3), x, y, beta=0.5)"),
    ),
    _row(
        "torch.addmv",
        "beta input + alpha mat vec",
        partial(products.added_product, left="mat", right="vec", ranks=(2, 1)),
        f"input: tensor, mat: tensor, vec: tensor, {_SCALES}",
        example="x: float[N, 6], y: float[6], z: float[N] | addmv(z, x, y, alpha=0.5)",
    ),
    _row(
        "torch.baddbmm",
        "beta input + alpha batch1 batch2, for each pair of a batch",
        matrix_products.batched_sum,
        f"input: tensor, batch1: tensor, batch2: tensor, {_SCALES}",
        example=_BATCHES.format("baddbmm(ones(3), x, y, beta=0.5)"),
    ),
    _row(
        "torch.addbmm",
        "beta input + alpha batch1 batch2, summed over the batch",
        partial(products.added_product, left="batch1", right="batch2", ranks=(3, 3), summed=True),
        f"input: tensor, batch1: tensor, batch2: tensor, {_SCALES}",
        example=_BATCHES.format("addbmm(ones(3), x, y, beta=0.5)"),
    ),
    _row(
        "torch.addr",
        "beta input + alpha times the outer product",
        products.added_outer,
        f"input: tensor, vec1: tensor, vec2: tensor, {_SCALES}",
        example="x: float[4], y: float[6], z: float[4, 6] | addr(z, x, y, alpha=0.5)",
    ),
    _row(
        "torch.dot",
        "the inner product of two vectors",
        partial(products.vector_product, other="tensor"),
        "input: tensor, tensor: tensor",
        example=_VECTORS.format("dot"),
    ),
    _row(
        "torch.vdot",
        "the inner product of two vectors, the first conjugated",
        partial(products.vector_product, other="other"),
        "input: tensor, other: tensor",
        example=_VECTORS.format("vdot"),
    ),
    _row(
        "torch.linalg.vecdot",
        "the inner products along dim, the first conjugated",
        products.dotted,
        "x: tensor, y: tensor, *, dim: int = -1",
        example=_PAIR.format("vecdot"),
    ),
    _row(
        "torch.inner",
        "the inner products over the last dimensions",
        products.inner,
        "input: tensor, other: tensor",
        example="x: float[N, 6], y: float[4, 6] | inner(x, y)",
    ),
    _row(
        "torch.outer",
        "all products of two vectors' elements",
        products.outer,
        "input: tensor, vec2: tensor",
        example="x: float[N], y: float[6] | outer(x, y)",
    ),
    _row(
        "torch.kron",
        "the Kronecker product",
        products.kronecker,
        "input: tensor, other: tensor",
        example="x: float[N, 2], y: float[3, 4] | kron(x, y)",
    ),
    _row(
        "torch.tensordot",
        "products summed over several dimensions",
        products.contracted,
        "a: tensor, b: tensor, dims: int | ints x2 = 2",
        example="x: float[N, 6], y: float[6, 4] | tensordot(x, y, dims=1)",
    ),
    _row(
        "torch.linalg.multi_dot",
        "the product of several matrices, in the cheapest order",
        products.chained,
        "tensors: tensors",
        example="x: float[N, 6], y: float[6, 4], z: float[4, 5] | multi_dot([x, y, z])",
    ),
    _row(
        "torch.linalg.cross",
        "the cross product of vectors of three along dim",
        products.crossed,
        "input: tensor, other: tensor, *, dim: int = -1",
        example="x: float[N, 3], y: float[N, 3] | cross(x, y)",
    ),
    _row(
        "torch.trace",
        "the sum of a matrix's diagonal",
        diagonals.traced,
        example="x: float[4, 4] | trace(x)",
    ),
    _row(
        "torch.einsum",
        "sums of products in Einstein's notation",
        matrix_products.einsum,
        "equation: str, *operands: tensor",
        example='x: float[N, 6], y: float[4, 6] | einsum("ni,ki->nk", x, y)',
    ),
    _row(
        "F.linear",
        "a dense layer with a given weight",
        linear.linear_function,
        "input: tensor, weight: tensor, bias: tensor | none = None",
        example="x: float[N, 6], w: float[4, 6], b: float[4] | linear(x, w, b)",
    ),
    _row(
        "F.bilinear",
        "a bilinear layer with a given weight",
        functional.bilinear,
        "input1: tensor, input2: tensor, weight: tensor, bias: tensor | none = None",
        example="x: float[N, 3], y: float[N, 4], w: float[5, 3, 4] | bilinear(x, y, w)",
    ),
    _row(
        "F.embedding",
        "rows of a given table, looked up by index",
        linear.embedding_function,
        "input: tensor, weight: tensor, padding_idx: int | none = None, "
        "*, scale_grad_by_freq: bool = False, sparse: bool = False",
        example="x: index(5)[N, 4], w: float[5, 6] | embedding(x, w)",
    ),
    FunctionRow(
        "embedding_bag",
        "F.embedding_bag",
        "input: tensor, weight: tensor, *, scale_grad_by_freq: bool = False, "
        "mode: str = 'mean', sparse: bool = False, padding_idx: int | none = None",
        "rows of a given table, their mean, sum or largest for each bag",
        choices={"mode": ("sum", "mean", "max")},
        example="x: index(5)[N, 4], w: float[5, 6] | embedding_bag(x, w)",
        shape=functional.embedding_bag,
        family="matrix",
    ),
    _row(
        "F.pairwise_distance",
        "the p-norm of the difference of two vectors",
        normalization.pairwise_distance,
        "x1: tensor, x2: tensor, p: float = 2.0, eps: float = 1e-06, keepdim: bool = False",
        example=_PAIR.format("pairwise_distance"),
    ),
    _row(
        "torch.cdist",
        "the p-norm of every difference of two sets of vectors",
        matrix_products.distances,
        "x1: tensor, x2: tensor, p: float = 2.0",
        example="x: float[N, 6], y: float[4, 6] | cdist(x, y)",
    ),
    _row(
        "F.pdist",
        "the p-norm of every difference of a set of vectors",
        functional.condensed_distances,
        "input: tensor, p: float = 2.0",
        example="x: float[4, 6] | pdist(x)",
    ),
    _row(
        "torch.dist",
        "the p-norm of the difference, one number",
        products.distance,
        "input: tensor, other: tensor, p: float = 2",
        example=_PAIR.format("dist"),
    ),
    _row(
        "F.cosine_similarity",
        "the cosine of the angle between two vectors",
        normalization.cosine_similarity,
        "x1: tensor, x2: tensor, dim: int = 1, eps: float = 1e-08",
        example=_PAIR.format("cosine_similarity"),
    ),
    _row(
        "F.scaled_dot_product_attention",
        "softmax(query key^T scale) value",
        matrix_products.attention,
        "query: tensor, key: tensor, value: tensor, attn_mask: tensor | none = None, *, "
        "is_causal: bool = False, scale: float | none = None, enable_gqa: bool = False",
        since="2.5",
        example="x: float[N, 2, T, 4] | scaled_dot_product_attention(x, x, x, is_causal=true)",
    ),
)
