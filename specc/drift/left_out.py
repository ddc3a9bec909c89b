"""What rows leave out of torch's signatures, and what torch's own signatures cannot say; each with
its reason.

Data for ``specc.drift.signatures``. A new argument of a new torch that stands neither in a row nor
here is drift. Non-goal: names that have no row at all; those are ``specc.catalog.exclusions``.
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
    ("cdist", "compute_mode"): "how, not what",
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
}
SCHEMA_NAMES: Final[Mapping[tuple[str, str], str]] = {
    ("split", "self"): "tensor",
    ("split", "split_size"): "split_size_or_sections",
    ("*", "self"): "input",
}
