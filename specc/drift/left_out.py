"""What rows leave out of torch's signatures, and what torch's own signatures cannot say; each with
its reason.

Data for ``specc.drift.signature_drift``. A new argument of a new torch that stands neither in a row
nor here is drift. Non-goal: names that have no row at all; those are ``specc.catalog.exclusions``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LEFT_OUT: Final[Mapping[str, str]] = {
    "device": "the run chooses it",
    "dtype": "the run chooses it",
    "inplace": "it would change a value that another line reads",
    "layout": "dense",
    "pin_memory": "a loader's affair",
    "memory_format": "the run's layout",
    "sparse_grad": "gradients are dense",
    "out": "a value is never written into",
    "generator": "the seed is the run's",
    "last_epoch": "resuming is a checkpoint's affair",
    "size_average": "deprecated",
    "reduce": "deprecated",
    "recompute_scale_factor": "it changes how sizes are computed, for old exports",
    "scale_fn": "a function is no data",
    "decoupled_weight_decay": "Adam's: torch 2.6 has it not, and AdamW is it",
    "_weight": "private",
    "_freeze": "private",
    "_stacklevel": "private",
    "training": "the emitted source passes self.training",
    "dropout_p": "torch applies it in evaluation as well",
    "min_value": "deprecated",
    "output_size": "the other arguments say it",
    "max_value": "deprecated",
    "include_last_offset": "bags of one length have no offsets",
    "offsets": "as include_last_offset",
    "per_sample_weights": "for the sum alone: a product says it",
    "args": "ignored by torch",
    "kwargs": "ignored by torch",
}
# (row, argument): a default that is a function in torch: the one of this name.
NAMED_DEFAULTS: Final[Mapping[tuple[str, str], str]] = {
    (f"Transformer{kind}", "activation"): "relu"
    for kind in ("", "Encoder", "Decoder", "EncoderLayer", "DecoderLayer")
}
# (row, argument): arguments of these names are left out of these rows alone.
LEFT_OUT_HERE: Final[Mapping[tuple[str, str], str]] = {
    **{
        (f"{kind}Norm{dims}d", "bias"): "torch 2.6 has it not"
        for kind in ("Batch", "Instance")
        for dims in (1, 2, 3)
    },
    ("GroupNorm", "bias"): "torch 2.6 has it not",
    ("embedding", "max_norm"): "it would change the table",
    ("embedding", "norm_type"): "as max_norm",
    ("embedding_bag", "max_norm"): "it would change the table",
    ("embedding_bag", "norm_type"): "as max_norm",
    ("gumbel_softmax", "eps"): "deprecated",
    ("cov", "fweights"): "weights: a product says them",
    ("cov", "aweights"): "as fweights",
    ("searchsorted", "sorter"): "gather puts the sequence in order",
    ("svd", "driver"): "how, not what",
    ("svdvals", "driver"): "how, not what",
    ("fractional_max_pool2d", "random_samples"): "private",
    ("fractional_max_pool3d", "random_samples"): "private",
    ("cdist", "compute_mode"): "how, not what",
    ("LinearCrossEntropyLoss", "options"): "how, not what",
    ("linear_cross_entropy", "options"): "how, not what",
    ("LinearCrossEntropyLoss", "weight"): "a layer is made of numbers, not of tensors",
    ("ChainedScheduler", "optimizer"): "the emitted source passes it",
    ("MultiheadAttention", "need_weights"): "its other result would be nothing",
    **{
        (name, hint): "a hint that torch takes beside the mask itself"
        for name in (
            "MultiheadAttention",
            "Transformer",
            *(f"Transformer{kind}" for kind in ("Encoder", "Decoder")),
            *(f"Transformer{kind}Layer" for kind in ("Encoder", "Decoder")),
        )
        for hint in ("is_causal", "src_is_causal", "tgt_is_causal", "memory_is_causal")
    },
    ("Transformer", "custom_encoder"): "a layer is no setting: call it in place of the stack",
    ("Transformer", "custom_decoder"): "as custom_encoder",
    ("TransformerEncoder", "mask_check"): "of enable_nested_tensor, which is off",
    ("TransformerEncoder", "elementwise_affine"): "the last norm has weights, as the others have",
    ("TransformerDecoder", "elementwise_affine"): "as the encoder's",
    ("SyncBatchNorm", "process_group"): "how a run spreads, not what a model is",
    ("SyncBatchNorm", "bias"): "torch 2.6 has it not",
    ("FractionalMaxPool2d", "_random_samples"): "private",
    ("FractionalMaxPool3d", "_random_samples"): "private",
    ("TripletMarginWithDistanceLoss", "distance_function"): "a function is no data",
    ("triplet_margin_with_distance_loss", "distance_function"): "a function is no data",
    **{
        (name, "weight"): "the class has it not"
        for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
    },
    **{
        (name, "weight"): "the class has it not"
        for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss")
    },
}
# (row, argument): what a row has and torch's signature does not say.
OURS_ALONE: Final[Mapping[tuple[str, str], str]] = {
    **{
        (f"max_pool{dims}d", "return_indices"): "it decides which of two functions torch calls"
        for dims in (1, 2, 3)
    },
    **{(f"adaptive_max_pool{dims}d", "return_indices"): "as max_pool1d's" for dims in (1, 2, 3)},
    **{
        (f"fractional_max_pool{dims}d", name): "the other of two functions of torch's has it"
        for dims in (2, 3)
        for name in ("output_ratio", "return_indices")
    },
    **{(name, "stable"): "of an overload that must be given it" for name in ("sort", "argsort")},
    ("trapezoid", "dx"): "of an overload without x",
    ("cumulative_trapezoid", "dx"): "of an overload without x",
}

# Python-level arguments that the operator's schema calls otherwise, or that belong to an overload.
OVERLOADS: Final[Mapping[str, str]] = {
    "sum": "sum.dim_IntList",
    "mean": "mean.dim",
    "var": "var.correction",
    "std": "std.correction",
    "any": "any.dims",
    "max": "max.dim",
    "lerp": "lerp.Tensor",
    "movedim": "movedim.intlist",
    "scatter": "scatter.src",
    "repeat_interleave": "repeat_interleave.self_int",
    "min": "min.dim",
    "prod": "prod.dim_int",
    "eye": "eye.m",
    "all": "all.dims",
    "where": "where.self",
    "masked_fill": "masked_fill.Scalar",
    "flatten": "flatten.using_ints",
    "unflatten": "unflatten.int",
    "transpose": "transpose.int",
    "squeeze": "squeeze.dims",
    "unbind": "unbind.int",
    "vector_norm": "linalg_vector_norm.default",
    "logsigmoid": "log_sigmoid.default",
    "arange": "arange.start_step",
    "round": "round.decimals",
    **{
        name: f"{name}.Tensor"
        for name in (
            "add",
            "sub",
            "mul",
            "fmod",
            "remainder",
            "copysign",
            "xlogy",
            "ldexp",
            "eq",
            "ne",
            "lt",
            "le",
            "gt",
            "ge",
            "bitwise_and",
            "bitwise_or",
            "bitwise_xor",
            "bitwise_left_shift",
            "bitwise_right_shift",
            "searchsorted",
            "bucketize",
        )
    },
    "div": "div.Tensor_mode",
    "pow": "pow.Tensor_Tensor",
    "isin": "isin.Tensor_Tensor",
    "var_mean": "var_mean.correction",
    "std_mean": "std_mean.correction",
    "median": "median.dim",
    "nanmedian": "nanmedian.dim",
    "trapezoid": "trapezoid.x",
    "cumulative_trapezoid": "cumulative_trapezoid.x",
    "select": "select.int",
    "tensor_split": "tensor_split.indices",
    **{name: f"{name}.array" for name in ("hsplit", "vsplit", "dsplit")},
    "scatter_reduce": "scatter_reduce.two",
    "index_fill": "index_fill.int_Scalar",
    "matrix_norm": "linalg_matrix_norm.str_ord",
    "pinv": "linalg_pinv.atol_rtol_float",
    "matrix_rank": "linalg_matrix_rank.atol_rtol_float",
    "conv_transpose2d": "conv_transpose2d.input",
    "conv_transpose3d": "conv_transpose3d.input",
    **{f"{name}_window": f"{name}_window.periodic" for name in ("hann", "blackman", "bartlett")},
    "hamming_window": "hamming_window.periodic_alpha_beta",
    "kaiser_window": "kaiser_window.beta",
}
# What the schema cannot say, and why.
SCHEMA_DEFAULTS: Final[Mapping[tuple[str, str], str]] = {
    ("arange", "start"): "torch.arange(end) is another overload",
    ("one_hot", "num_classes"): "-1 would count the classes in the data",
    ("sum", "dim"): "without dim torch has another overload",
    ("mean", "dim"): "as sum",
    ("max", "dim"): "as sum",
    ("min", "dim"): "as sum",
    ("prod", "dim"): "as sum",
    ("eye", "m"): "as sum",
    ("var", "correction"): "None means 1",
    ("std", "correction"): "None means 1",
    ("var_mean", "correction"): "None means 1",
    ("std_mean", "correction"): "None means 1",
    ("median", "dim"): "as sum",
    ("nanmedian", "dim"): "as sum",
    ("round", "decimals"): "as sum",
    ("div", "rounding_mode"): "as sum",
    ("trapezoid", "x"): "as sum",
    ("cumulative_trapezoid", "x"): "as sum",
    ("take_along_dim", "dim"): "without dim torch takes of all elements, as take",
    **{
        (f"{name}_window", argument): "as sum"
        for name in ("hann", "blackman", "bartlett", "hamming", "kaiser")
        for argument in ("periodic", "alpha", "beta")
    },
    ("fractional_max_pool2d", "output_size"): "output_ratio is in its place",
    ("fractional_max_pool3d", "output_size"): "output_ratio is in its place",
}
SCHEMA_NAMES: Final[Mapping[tuple[str, str], str]] = {
    ("split", "self"): "tensor",
    ("split", "split_size"): "split_size_or_sections",
    **{
        (name, "indices"): "indices_or_sections"
        for name in ("tensor_split", "hsplit", "vsplit", "dsplit")
    },
    ("cholesky_inverse", "self"): "L",
    ("cholesky_solve", "self"): "B",
    ("cholesky_solve", "input2"): "L",
    ("*", "self"): "input",
}
