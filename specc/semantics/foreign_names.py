"""What other frameworks call the layers, functions and arguments of this language, as tables.

A row is read only where a name is unknown, so that no row can hide what the catalogue has.
Non-goal: misspellings, which ``catalog.suggest`` finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from specc.catalog import (
    FUNCTIONS,
    INITS,
    LAYERS,
    LOSSES,
    METRICS,
    OPTIMIZERS,
    SCHEDULERS,
    suggest,
)
from specc.catalog.rows import Row

# What stands before a dot in Python and before nothing here.
ROOTS: Final = frozenset(
    "torch nn F functional optim tf keras layers np numpy jnp jax flax linen torchvision einops"
    " init".split()
)
# `{}` is the number of dimensions that a convolution would slide over.
LAYER_NAMES: Final[Mapping[str, str]] = {
    "Dense": "Linear", "Affine": "Linear", "FullyConnected": "Linear", "FC": "Linear",
    "LazyLinear": "Linear", "BatchNormalization": "BatchNorm{}d", "BatchNorm": "BatchNorm{}d",
    "BN": "BatchNorm{}d", "InstanceNorm": "InstanceNorm{}d", "Conv": "Conv{}d",
    "Convolution2D": "Conv2d", "Convolution1D": "Conv1d", "Conv1DTranspose": "ConvTranspose1d",
    "Conv2DTranspose": "ConvTranspose2d", "Conv3DTranspose": "ConvTranspose3d",
    "MaxPooling1D": "MaxPool1d", "MaxPooling2D": "MaxPool2d", "MaxPooling3D": "MaxPool3d",
    "AveragePooling1D": "AvgPool1d", "AveragePooling2D": "AvgPool2d",
    "AveragePooling3D": "AvgPool3d", "MaxPool": "MaxPool{}d", "AvgPool": "AvgPool{}d",
    "LayerNormalization": "LayerNorm", "GroupNormalization": "GroupNorm",
    "SpatialDropout1D": "Dropout1d", "SpatialDropout2D": "Dropout2d", "UpSampling2D": "Upsample",
    "UpSampling1D": "Upsample", "ZeroPadding1D": "ZeroPad1d", "ZeroPadding2D": "ZeroPad2d",
    "Swish": "SiLU", "Selu": "SELU", "Embed": "Embedding", "SimpleRNN": "RNN",
}  # fmt: skip
FUNCTION_NAMES: Final[Mapping[str, str]] = {
    "view": "reshape", "concat": "cat", "concatenate": "cat", "expand_dims": "unsqueeze",
    "reduce_mean": "mean", "reduce_sum": "sum", "reduce_max": "amax", "mm": "matmul",
    "swish": "silu", "norm": "vector_norm", "repeat": "tile", "expand": "broadcast_to",
    "clip": "clamp", "clip_by_value": "clamp", "power": "pow", "arctan": "atan",
    "randn_like": "normal_like", "rand_like": "uniform_like", "swapaxes": "transpose",
    "concatenate_": "cat", "hstack": "cat", "moveaxis": "movedim", "multiply": "mul",
    "subtract": "sub", "divide": "div", "relu_": "relu", "view_as": "reshape",
}  # fmt: skip
LOSS_NAMES: Final[Mapping[str, str]] = {
    "MSE": "MSELoss", "MeanSquaredError": "MSELoss", "mean_squared_error": "MSELoss",
    "mse": "MSELoss", "mse_loss": "MSELoss", "MAE": "L1Loss", "l1_loss": "L1Loss",
    "CrossEntropy": "CrossEntropyLoss", "cross_entropy": "CrossEntropyLoss",
    "CategoricalCrossentropy": "CrossEntropyLoss",
    "SparseCategoricalCrossentropy": "CrossEntropyLoss", "NLL": "NLLLoss", "nll_loss": "NLLLoss",
    "BinaryCrossentropy": "BCELoss", "BCE": "BCELoss", "binary_cross_entropy": "BCELoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
    "BCEWithLogits": "BCEWithLogitsLoss", "Huber": "HuberLoss", "KLDivergence": "KLDivLoss",
    "kl_div": "KLDivLoss",
}  # fmt: skip
# Layers that functions or signs do here: what to write in a pipe.
IN_A_PIPE: Final[Mapping[str, str]] = {
    "GlobalAveragePooling1D": "mean(dim=1)", "GlobalAveragePooling2D": "mean(dim=(2, 3))",
    "GlobalAvgPool2d": "mean(dim=(2, 3))", "GlobalAvgPool2D": "mean(dim=(2, 3))",
    "GlobalMaxPooling2D": "amax(dim=(2, 3))", "GlobalMaxPooling1D": "amax(dim=1)",
}  # fmt: skip
ELSEWHERE: Final[Mapping[str, str]] = {
    "Sequential": "layers in a row stand in braces: `x -> { Linear(8) -> ReLU }`",
    "ModuleList": "layers of a loop are a list by themselves: `for i in range(3) { ... }`",
    "ModuleDict": "give the layers labels: `x -> name: Linear(8)`",
    "Add": "write `a + b`", "Multiply": "write `a * b`",
    "Concatenate": "write `cat([a, b], dim=1)`",
    "Reshape": "write the function, with the batch: `x -> reshape(N, -1)`",
    "Permute": "write the function: `x -> permute(0, 2, 1)`",
    "Lambda": "write what it computes right in the pipe, or make it a `block`",
    "Input": "declare it: `input x: float[N, 8]`",
    "InputLayer": "declare it: `input x: float[N, 8]`",
    "TimeDistributed": "`Linear` works on the last dimension of whatever is fed",
    "lambda": "write what it computes right in the pipe, or make it a `block`",
    "print": "nothing is printed: `specc show` lists every value and its shape",
    "self": "layers and values are known by their names alone",
    "no_grad": "`detach(x)` stops gradients",
    "functional_call": "a model is called with the weights that it has: `y = Net(x)`",
}  # fmt: skip
# Methods that no function stands for.
METHODS_ELSEWHERE: Final[Mapping[str, str]] = {
    "type": "a cast is a function of torch's name: `float(x)`, `long(x)`, `bool(x)`",
    "to": "a cast is a function of torch's name: `float(x)`, `long(x)`, `bool(x)`",
    **dict.fromkeys(
        ("backward", "step", "zero_grad", "train", "eval"),
        "the steps are made from `loss = ...` and `optimizer ...` in `train`",
    ),
    **dict.fromkeys(
        ("item", "numpy", "tolist"), "what a model puts out is read where it is run"
    ),
    "parameters": "`on` selects parameters, as in `on Net` or `on *.weight`",
    "apply": "write `init kaiming_normal_ on *.weight`",
}  # fmt: skip
OPERATORS: Final[Mapping[str, str]] = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "true_divide": "/", "floor_divide": "//",
    "remainder": "%", "pow": "**", "mm": "@", "matmul": "@", "eq": "==", "ne": "!=", "lt": "<",
    "le": "<=", "gt": ">", "ge": ">=",
}  # fmt: skip
# Each argument's other names, with the names that it may have here, the likeliest first.
ARGUMENT_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "rate": ("p", "dropout", "lr"), "dropout_rate": ("p", "dropout"), "drop": ("p", "dropout"),
    "drop_rate": ("p", "dropout"), "drop_prob": ("p", "dropout"), "prob": ("p",),
    "dropout": ("p",), "dropout_prob": ("p", "dropout"),
    "learning_rate": ("lr",), "step": ("lr",), "alpha": ("lr", "negative_slope"),
    "axis": ("dim",), "axes": ("dim", "dims"), "dims": ("dim",), "dim": ("dims",),
    "keepdims": ("keepdim",), "keep_dims": ("keepdim",),
    "units": ("out_features", "hidden_size"), "n_units": ("out_features", "hidden_size"),
    "features": ("out_features", "out_channels"), "out_dim": ("out_features",),
    "output_dim": ("out_features", "embedding_dim"), "out_size": ("out_features",),
    "filters": ("out_channels",), "n_filters": ("out_channels",), "channels": ("out_channels",),
    "kernel": ("kernel_size",), "ksize": ("kernel_size",), "size": ("kernel_size",),
    "pool_size": ("kernel_size",), "window_shape": ("kernel_size",), "strides": ("stride",),
    "dilation_rate": ("dilation",), "pad": ("padding",), "use_bias": ("bias",),
    "n_heads": ("num_heads", "nhead"), "heads": ("num_heads", "nhead"),
    "nheads": ("num_heads", "nhead"), "num_heads": ("nhead",),
    "n_head": ("num_heads", "nhead"), "n_layers": ("num_layers",), "layers": ("num_layers",),
    "hidden_dim": ("hidden_size", "dim_feedforward"), "hidden_units": ("hidden_size",),
    "hidden": ("hidden_size",), "d_ff": ("dim_feedforward",), "ff_dim": ("dim_feedforward",),
    "n_groups": ("num_groups",), "groups": ("num_groups",), "epsilon": ("eps",),
    "epsilon_": ("eps",), "l2": ("weight_decay",), "wd": ("weight_decay",),
    "decay": ("weight_decay",), "beta_1": ("betas",), "beta_2": ("betas",), "beta1": ("betas",),
    "beta2": ("betas",), "b1": ("betas",), "b2": ("betas",), "rho": ("alpha",),
    "slope": ("negative_slope",), "label_smooth": ("label_smoothing",),
    "step_size_up": ("step_size",), "T": ("T_max",), "t_max": ("T_max",),
    "dim_size": ("embedding_dim",), "d_embed": ("embedding_dim",), "dtype_": ("dtype",),
}  # fmt: skip
TRUTH: Final[Mapping[str, str]] = {"True": "true", "False": "false", "None": "none"}


def in_catalogue(name: str) -> bool:
    """Whether some table of the catalogue has ``name``."""
    tables = (FUNCTIONS, LAYERS, LOSSES, METRICS, OPTIMIZERS, SCHEDULERS, INITS)
    return any(name in table for table in tables)


def other_name(name: str, rank: int | None = None) -> str | None:
    """What the catalogue calls the ``name`` of another framework; ``rank`` is of what is fed."""
    for table in (LAYER_NAMES, FUNCTION_NAMES, LOSS_NAMES):
        found = table.get(name)
        if found is None:
            continue
        # [N, C] and [N, C, T] are both of one spatial dimension to torch's norms.
        found = found.format(max(rank - 2, 1) if rank is not None else 2)
        if in_catalogue(found) or found in OPERATORS:
            return found
    return None


def near(name: str, candidates: Iterable[str]) -> str | None:
    """As ``suggest``, but that a short name must be nearer: `len` is no misspelt `Flatten`; and of
    a layer and a function of one name, the one that is written as ``name`` is."""
    import difflib  # only a wrong name needs it

    capital = name[:1].isupper()
    close = suggest(name, sorted(candidates, key=lambda known: known[:1].isupper() != capital))
    if close is None:
        return None
    wanted, found = (text.replace("_", "").casefold() for text in (name, close))
    if difflib.SequenceMatcher(None, wanted, found).ratio() < (0.7 if len(wanted) < 8 else 0.6):
        return None
    return close


def meant_argument(row: Row, name: str) -> str | None:
    """The argument of ``row`` that ``name`` was probably meant to be."""
    for candidate in ARGUMENT_NAMES.get(name, ()):
        if candidate in row.by_name:
            return candidate
    return suggest(name, row.by_name)


def argument_advice(row: Row, name: str, form: str) -> str:
    """What to write instead of the argument ``name``, which ``row`` does not have."""
    meant = meant_argument(row, name)
    if meant == "betas":
        return "give both in one: `betas=(0.9, 0.999)`"
    if meant is not None:
        return f"did you mean `{meant}`?"
    if name == "activation":
        return f"it is a stage of its own: `x -> {row.name}(...) -> ReLU`"
    if name in ("input_shape", "input_dim", "input_size", "in_dim"):
        return "leave it out: the incoming value tells it"
    if name == "name":
        return f"a label names a layer: `x -> name: {row.name}(...)`"
    if name in ("device", "inplace", "dtype"):
        return "leave it out: the run chooses it" if name != "inplace" else "leave it out"
    if name == "params":
        return "leave it out: `on` selects parameters, as in `on Net`"
    return f"its form is {form}"
