"""Rows of normalization layers.

``bias`` of the norms over channels is left out: torch 2.6 has none.
"""

from __future__ import annotations

from functools import partial

from specc.catalog.rows import LayerRow
from specc.catalog.shapes.of_layers import normalization as rules

# A batch with four channels, by the number of a channel's dimensions.
_CHANNELS = {1: "x: float[N, 4, 5] | x ->", 2: "x: float[N, 4, 3, 2] | x ->",
             3: "x: float[N, 4, 2, 3, 2] | x ->"}  # fmt: skip


def _batch(dims: int) -> LayerRow:
    return LayerRow(
        f"BatchNorm{dims}d",
        f"nn.BatchNorm{dims}d",
        "num_features: size = ?, eps: float = 1e-05, momentum: float | none = 0.1, "
        "affine: bool = True, track_running_stats: bool = True",
        "each channel to mean 0 and variance 1 over the batch",
        shape=partial(rules.batch_norm, dims=dims),
        infer={"num_features": partial(rules.batch_norm_features, dims=dims)},
        parameters=rules.batch_norm_parameters,
        buffers=rules.batch_norm_buffers,
        initial=rules.affine_initial,
        family="normalization",
        example=f"{_CHANNELS[dims]} BatchNorm{dims}d",
    )


def _instance(dims: int) -> LayerRow:
    return LayerRow(
        f"InstanceNorm{dims}d",
        f"nn.InstanceNorm{dims}d",
        "num_features: size = ?, eps: float = 1e-05, momentum: float = 0.1, "
        "affine: bool = False, track_running_stats: bool = False",
        "each channel of each example to mean 0 and variance 1",
        shape=partial(rules.instance_norm, dims=dims),
        infer={"num_features": partial(rules.instance_norm_features, dims=dims)},
        parameters=rules.batch_norm_parameters,
        buffers=rules.batch_norm_buffers,
        initial=rules.affine_initial,
        family="normalization",
        example=f"{_CHANNELS[dims]} InstanceNorm{dims}d(affine=true, track_running_stats=true)",
    )


_NORMALIZED = (("normalized_shape",),)

ROWS = (
    *map(_batch, (1, 2, 3)),
    *map(_instance, (1, 2, 3)),
    LayerRow(
        "SyncBatchNorm",
        "nn.SyncBatchNorm",
        "num_features: size = ?, eps: float = 1e-05, momentum: float | none = 0.1, "
        "affine: bool = True, track_running_stats: bool = True",
        "BatchNorm over the batches of all processes of a run, of any rank",
        shape=rules.any_batch_norm,
        infer={"num_features": rules.any_batch_norm_features},
        parameters=rules.batch_norm_parameters,
        buffers=rules.batch_norm_buffers,
        initial=rules.affine_initial,
        family="normalization",
        example=f"{_CHANNELS[2]} SyncBatchNorm",
    ),
    LayerRow(
        "LayerNorm",
        "nn.LayerNorm",
        "normalized_shape: size | sizes = ?, eps: float = 1e-05, "
        "elementwise_affine: bool = True, bias: bool = True",
        "each vector of the last dimension to mean 0 and variance 1",
        shape=rules.layer_norm,
        positional=_NORMALIZED,
        infer={"normalized_shape": rules.normalized_shape},
        parameters=rules.layer_norm_parameters,
        initial=rules.layer_norm_initial,
        family="normalization",
    ),
    LayerRow(
        "RMSNorm",
        "nn.RMSNorm",
        "normalized_shape: size | sizes = ?, eps: float | none = None, "
        "elementwise_affine: bool = True",
        "each vector of the last dimension to root mean square 1",
        since="2.4",
        shape=rules.layer_norm,
        positional=_NORMALIZED,
        infer={"normalized_shape": rules.normalized_shape},
        parameters=rules.layer_norm_parameters,
        initial=rules.layer_norm_initial,
        family="normalization",
    ),
    LayerRow(
        "GroupNorm",
        "nn.GroupNorm",
        "num_groups: int, num_channels: size = ?, eps: float = 1e-05, affine: bool = True",
        "each group of channels of each example to mean 0 and variance 1",
        shape=rules.group_norm,
        infer={"num_channels": rules.group_norm_channels},
        parameters=rules.group_norm_parameters,
        initial=rules.affine_initial,
        family="normalization",
        example=f"{_CHANNELS[1]} GroupNorm(2)",
    ),
    LayerRow(
        "LocalResponseNorm",
        "nn.LocalResponseNorm",
        "size: int, alpha: float = 0.0001, beta: float = 0.75, k: float = 1.0",
        "each channel divided by its neighbours' energy",
        shape=rules.local_response_norm,
        family="normalization",
        example=f"{_CHANNELS[2]} LocalResponseNorm(3, alpha=0.5)",
    ),
)
