"""Rows of the dense layers: Linear, Bilinear, Embedding; and of distances between vectors."""

from __future__ import annotations

from functools import partial

from specc.catalog.facts import inner_layers
from specc.catalog.rows import LayerRow
from specc.catalog.shapes.of_layers import adaptive, normalization
from specc.catalog.shapes.of_layers import linear as rules

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
        example="Linear(4)",
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
        example="x: float[N, 6], y: float[N, 5] | Bilinear(4)(x, y)",
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
        example="x: index(7)[N, 5] | x -> Embedding(4)",
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
        example="x: index(7)[N, 5] | x -> EmbeddingBag(4)",
    ),
    LayerRow(
        "AdaptiveLogSoftmaxWithLoss",
        "nn.AdaptiveLogSoftmaxWithLoss",
        "in_features: size = ?, n_classes: size = ?, cutoffs: sizes, div_value: float = 4.0, "
        "head_bias: bool = False",
        "scores of many classes in clusters, the rare ones cheaply: output, loss",
        positional=(("cutoffs",),),
        shape=adaptive.log_softmax_with_loss,
        infer={"in_features": adaptive.features, "n_classes": adaptive.classes},
        parameters=adaptive.parameters,
        initial=adaptive.initial,
        parts=inner_layers.ADAPTIVE,
        forward="input_: tensor, target_: tensor",
        family="adaptive",
        example="x: float[N, 6], label: index(9)[N] | y, loss = "
        "AdaptiveLogSoftmaxWithLoss((3, 5), div_value=2.0)(x, label)",
        refuses={
            "export": "how many rows a cluster has depends on the data",
            "compile": "as export",
        },
    ),
    LayerRow(
        "CosineSimilarity",
        "nn.CosineSimilarity",
        "dim: int = 1, eps: float = 1e-08",
        "the cosine of the angle between two vectors",
        positional=(("dim",),),
        shape=normalization.cosine_similarity,
        forward="x1: tensor, x2: tensor",
        family="distance",
        example="x: float[N, 6], y: float[N, 6] | CosineSimilarity()(x, y)",
    ),
    LayerRow(
        "PairwiseDistance",
        "nn.PairwiseDistance",
        "p: float = 2.0, eps: float = 1e-06, keepdim: bool = False",
        "the p-norm of the difference of two vectors",
        shape=normalization.pairwise_distance,
        forward="x1: tensor, x2: tensor",
        family="distance",
        example="x: float[N, 6], y: float[N, 6] | PairwiseDistance()(x, y)",
    ),
)
