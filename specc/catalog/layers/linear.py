"""Rows of the dense layers: Linear, Bilinear, Embedding; and of distances between vectors."""

from __future__ import annotations

from functools import partial

from specc.catalog.rows import LayerRow
from specc.catalog.shapes import linear as rules
from specc.catalog.shapes import normalization

ROWS = (
    LayerRow(
        "Linear",
        "nn.Linear",
        "in_features: size = ?, out_features: size, bias: bool = True",
        "a dense layer over the last dimension",
        shape=rules.linear,
        infer={"in_features": rules.linear_in_features},
        parameters=rules.linear_parameters,
        initial=rules.linear_initial,
        family="linear",
    ),
    LayerRow(
        "Bilinear",
        "nn.Bilinear",
        "in1_features: size = ?, in2_features: size = ?, out_features: size, bias: bool = True",
        "a bilinear form of two values' last dimensions",
        shape=rules.bilinear,
        infer={
            "in1_features": partial(rules.bilinear_features, which=1),
            "in2_features": partial(rules.bilinear_features, which=2),
        },
        parameters=rules.bilinear_parameters,
        initial=rules.bilinear_initial,
        forward="input1: tensor, input2: tensor",
        family="linear",
    ),
    LayerRow(
        "Embedding",
        "nn.Embedding",
        "num_embeddings: size = ?, embedding_dim: size, padding_idx: int | none = None, "
        "max_norm: float | none = None, norm_type: float = 2.0, "
        "scale_grad_by_freq: bool = False, sparse: bool = False",
        "a table of vectors, looked up by index",
        positional=(("embedding_dim",), ("num_embeddings", "embedding_dim")),
        shape=rules.embedding,
        infer={"num_embeddings": rules.embedding_entries},
        parameters=rules.embedding_parameters,
        initial=rules.embedding_initial,
        family="embedding",
    ),
    LayerRow(
        "EmbeddingBag",
        "nn.EmbeddingBag",
        "num_embeddings: size = ?, embedding_dim: size, max_norm: float | none = None, "
        "norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = 'mean', "
        "sparse: bool = False, padding_idx: int | none = None",
        "the mean, sum or largest of the vectors of a bag of indices",
        choices={"mode": ("sum", "mean", "max")},
        positional=(("embedding_dim",), ("num_embeddings", "embedding_dim")),
        shape=rules.embedding_bag,
        infer={"num_embeddings": rules.embedding_entries},
        parameters=rules.embedding_parameters,
        initial=rules.embedding_initial,
        family="embedding",
    ),
    LayerRow(
        "CosineSimilarity",
        "nn.CosineSimilarity",
        "dim: int = 1, eps: float = 1e-08",
        "the cosine of the angle between two vectors",
        shape=normalization.cosine_similarity,
        forward="x1: tensor, x2: tensor",
        family="distance",
    ),
    LayerRow(
        "PairwiseDistance",
        "nn.PairwiseDistance",
        "p: float = 2.0, eps: float = 1e-06, keepdim: bool = False",
        "the p-norm of the difference of two vectors",
        shape=normalization.pairwise_distance,
        forward="x1: tensor, x2: tensor",
        family="distance",
    ),
)
