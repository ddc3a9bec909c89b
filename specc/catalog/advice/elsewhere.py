"""What people write that is not here, and what it is here: the one table of it.

Names of torch, Keras, JAX and numpy that have a row of another name (renames); names that have
another form; names that have none, which no misspelling is made of. A renamed layer, function or
argument computes the same: what has other arguments, another order or another default is told in
words. A row is read only where a name is unknown, and must not name what the catalogue has; every
suggestion is applied and checked by ``tests/test_elsewhere.py``. Non-goals: slips of the fingers
(``specc.suggestions``); lines that do not parse (``syntax.recovery.habits``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.catalog import std

# What stands before a dot in Python and before nothing here.
ROOTS: Final = frozenset(
    "torch nn F functional optim tf keras layers np numpy jnp jax flax linen torchvision einops"
    " init math hk haiku optax lax nnx eqx K scipy timm mx gluon paddle torchmetrics".split()
)
TRUTH: Final[Mapping[str, str]] = {"True": "true", "False": "false", "None": "none"}

# ── renames ──────────────────────────────────────────────────────────────────────────────────────

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
    "SpatialDropout1D": "Dropout1d", "SpatialDropout2D": "Dropout2d",
    "ZeroPadding1D": "ZeroPad1d", "ZeroPadding2D": "ZeroPad2d",
    "Swish": "SiLU", "Embed": "Embedding", "SimpleRNN": "RNN",
}  # fmt: skip
FUNCTION_NAMES: Final[Mapping[str, str]] = {
    "view": "reshape", "concat": "cat", "concatenate": "cat", "expand_dims": "unsqueeze",
    "reduce_mean": "mean", "reduce_sum": "sum", "reduce_max": "amax", "reduce_min": "amin",
    "reduce_prod": "prod", "swish": "silu", "repeat": "tile", "expand": "broadcast_to",
    "clip": "clamp", "clip_by_value": "clamp", "power": "pow", "absolute": "abs",
    "negative": "neg", "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le",
    "not_equal": "ne", "inverse": "inv", "pinverse": "pinv", "arcsin": "asin", "arccos": "acos",
    "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "randn_like": "normal_like", "rand_like": "uniform_like",
    "moveaxis": "movedim",
    "mod": "remainder", "floormod": "remainder", "multiply": "mul", "subtract": "sub",
    "divide": "div", "fix": "trunc",
    "true_divide": "div", "row_stack": "vstack", "trapz": "trapezoid", "expit": "sigmoid",
    "multigammaln": "mvlgamma", "gammaln": "lgamma", "psi": "digamma", "ger": "outer",
    "float32": "float", "float64": "double", "float16": "half", "int64": "long", "int32": "int",
    "int16": "short", "int8": "char", "uint8": "byte", "igamma": "gammainc", "igammac": "gammaincc",
}  # fmt: skip
LOSS_NAMES: Final[Mapping[str, str]] = {
    "MSE": "MSELoss", "mean_squared_error": "MSELoss", "mse": "MSELoss", "MAE": "L1Loss",
    "CrossEntropy": "CrossEntropyLoss", "NLL": "NLLLoss", "BCE": "BCELoss",
    "BCEWithLogits": "BCEWithLogitsLoss", "Huber": "HuberLoss",
}  # fmt: skip
OPTIMIZER_NAMES: Final[Mapping[str, str]] = {"RMSProp": "RMSprop", "AdaGrad": "Adagrad"}
METRIC_NAMES: Final[Mapping[str, str]] = {
    **dict.fromkeys("Acc acc accuracy_score CategoricalAccuracy SparseCategoricalAccuracy".split(),
                    "Accuracy"),
    **dict.fromkeys("F1 f1 f1_score FScore".split(), "F1Score"),
    **dict.fromkeys("AUC auc roc_auc_score ROCAUC".split(), "AUROC"),
    **dict.fromkeys("MAE mae mean_absolute_error".split(), "MeanAbsoluteError"),
    **dict.fromkeys("MSE mse mean_squared_error".split(), "MeanSquaredError"),
    "MAPE": "MeanAbsolutePercentageError", "R2": "R2Score", "r2_score": "R2Score",
    "PSNR": "PeakSignalNoiseRatio", "SSIM": "StructuralSimilarityIndexMeasure",
    "IoU": "JaccardIndex", "mIoU": "JaccardIndex", "MeanIoU": "JaccardIndex",
    "MCC": "MatthewsCorrCoef", "matthews_corrcoef": "MatthewsCorrCoef",
    "precision_score": "Precision", "recall_score": "Recall",
}  # fmt: skip
_ROOT: Final = "it is the root of another: write `MeanSquaredError(y, wanted, squared=false)`"
METRIC_FORMS: Final[Mapping[str, str]] = {
    **dict.fromkeys("RMSE rmse RootMeanSquaredError root_mean_squared_error".split(), _ROOT),
}
PENALTY_NAMES: Final[Mapping[str, str]] = {
    "Lasso": "L1", "l1_loss": "L1", "Ridge": "L2", "weight_decay": "L2", "WeightDecay": "L2",
    "l1_l2": "ElasticNet", "L1L2": "ElasticNet", "orthogonal": "Orthogonal",
    "NonNeg": "NonNegative", "non_neg": "NonNegative", "Positive": "NonNegative",
    "max_norm": "MaxNorm", "clamp_": "Clamp", "clip": "Clamp",
    "clip_grad_norm_": "GradNorm", "clip_grad_norm": "GradNorm", "norm": "GradNorm",
    "clip_grad_value_": "GradValue", "clip_grad_value": "GradValue", "value": "GradValue",
}  # fmt: skip
INIT_NAMES: Final[Mapping[str, str]] = {
    "glorot_uniform": "xavier_uniform_", "GlorotUniform": "xavier_uniform_",
    "he_uniform": "kaiming_uniform_", "HeUniform": "kaiming_uniform_",
}  # fmt: skip
# Words of `test` and of `precision`.
WORD_NAMES: Final[Mapping[str, str]] = {
    **dict.fromkeys("fp32 float single f32".split(), "float32"),
    **dict.fromkeys("fp16 half f16 16".split(), "float16"),
    **dict.fromkeys("bf16 brain".split(), "bfloat16"),
    **dict.fromkeys("fp64 double f64".split(), "float64"),
    **dict.fromkeys("gpu nvidia".split(), "cuda"),
    **dict.fromkeys("jit script scripted".split(), "torchscript"),
    **dict.fromkeys("inductor compiled dynamo".split(), "compile"),
    **dict.fromkeys("training fit".split(), "train"),
    **dict.fromkeys("evaluation evaluate inference validation test valid".split(), "eval"),
    **dict.fromkeys("NHWC nhwc".split(), "channels_last"),
    **dict.fromkeys("NCHW nchw contiguous_format".split(), "contiguous"),
    "forloop": "for_loop", "allow": "allowed", "true": "allowed",
    "false": "refused", "refuse": "refused",
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
    "learning_rate": ("lr",), "alpha": ("lr", "negative_slope"),
    "axis": ("dim", "dims"), "axes": ("dim", "dims"), "dims": ("dim",), "dim": ("dims",),
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
    "l2": ("weight_decay",), "wd": ("weight_decay",), "rho": ("alpha",),
    "slope": ("negative_slope",), "label_smooth": ("label_smoothing",), "T": ("T_max",),
    "dim_size": ("embedding_dim",), "d_embed": ("embedding_dim",),
}  # fmt: skip
# What other libraries ask for, and is known here without it.
NEEDLESS_ARGUMENTS: Final[Mapping[str, str]] = {
    "need_weights": "leave it out: the weights are the second result, `y, _ = attend(q, k, v)`",
    "num_classes": "leave it out: the type of the labels says it, `input label: index(10)[N]`",
    "num_labels": "leave it out: the shape of the labels says it, `input label: int[N, 5]`",
    "n_classes": "leave it out: the type of the labels says it, `input label: index(10)[N]`",
    "task": "the task is in the name: `BinaryAccuracy`, `MulticlassAccuracy`, `MultilabelAccuracy`",
    "size_average": 'what is left of it is `reduction="mean"`, or `"sum"`',
    "reduce": 'what is left of it is `reduction="none"`',
    "is_causal": "leave it out: a mask says it, `attn_mask=triu(ones(T, T), diagonal=1) > 0`",
    "batch_size": "leave it out: the batch is a size of the input, `input x: float[N, 8]`",
}
# The settings of Adam and its kin that are one here.
OF_BETAS: Final = frozenset("beta_1 beta_2 beta1 beta2 b1 b2".split())

# ── other forms ──────────────────────────────────────────────────────────────────────────────────

# Layers that functions or signs do here: what to write in a pipe.
IN_A_PIPE: Final[Mapping[str, str]] = {
    "GlobalAveragePooling1D": "mean(dim=1)", "GlobalAveragePooling2D": "mean(dim=(2, 3))",
    "GlobalAvgPool2d": "mean(dim=(2, 3))", "GlobalAvgPool2D": "mean(dim=(2, 3))",
    "GlobalMaxPooling2D": "amax(dim=(2, 3))", "GlobalMaxPooling1D": "amax(dim=1)",
}  # fmt: skip
_CAST = "a cast is a function of torch's name: `float(x)`, `long(x)`, `bool(x)`"
_STATE = "state of its own is declared: `parameter gamma: float[8] = ones_`"
_BUFFER = "state that is not learned is declared: `buffer mask = tril(ones(8, 8))`"
_INFINITY = "write `inf`"
_CONSTANT = "a constant is made by `zeros(N, 8)`, `ones(N, 8)`, `full((N, 8), 0.5)` or `arange(8)`"
_NOISE = (
    "noise is drawn by `normal_like(x)` and `uniform_like(x)`, or is an input:"
    " `input z: normal[N, 8]`"
)
_LIST = (
    "a list is bound anew: `pairs = pairs + [x]` is one more, from `pairs = [x]` or `pairs = []`"
)
_PATTERN = (
    "write what the pattern asks for, step by step: `reshape(sequence, N, T, 2, 4)` splits a"
    " dimension, `permute(sequence, (0, 2, 1))` moves them, `flatten(sequence, 1, 2)` joins two"
)
GRADIENT: Final = "gradients are taken in `train`, of one number: `slope = grad(sum(score), mixed)`"
_RUN = "the steps are made from `loss = ...` and `optimizer ...` in `train`"
_KNOWN = "sizes are the names and numbers of an input's type: after `input z: float[N, 8]`, `N`"
_TABLES: Final = "what a loop goes through is a tuple or a count: `for i in range(3) { ... }`"
ELSEWHERE: Final[Mapping[str, str]] = {
    "Sequential": "layers in a row stand in braces: `x -> { Linear(8) -> ReLU }`",
    "ModuleList": "layers of a loop are a list by themselves: `for i in range(3) { ... }`",
    "ModuleDict": "give the layers labels: `x -> name: Linear(8)`",
    "Module": "a layer of layers is a `block` or a `model`",
    **dict.fromkeys(("Parameter", "ParameterList", "ParameterDict", "register_parameter",
                     "add_weight"), _STATE),
    **dict.fromkeys(("Buffer", "register_buffer"), _BUFFER),
    **dict.fromkeys(("infinity", "Infinity"), _INFINITY),
    "nan": "there is no NaN here: a mask says what is missing, as in `where(x > 0.0, x, 0.0)`",
    "MultiHeadAttention": "torch's takes query, key and value: `y, _ = MultiheadAttention("
                          "num_heads=2, batch_first=true)(sequence, sequence, sequence)`",
    "pi": "write the number: `3.141592653589793`",
    **dict.fromkeys(("tensor", "as_tensor", "from_numpy", "array", "asarray", "empty",
                     "new_zeros", "new_ones", "new_full", "Tensor", "constant"), _CONSTANT),
    **dict.fromkeys(("rand", "randn", "randint", "randperm", "random", "multinomial", "normal",
                     "uniform", "truncated_normal", "gumbel", "categorical"), _NOISE),
    "finfo": "write the number, or infinity: `masked_fill(x, x > 0.0, -inf)`",
    "iinfo": "write the number",
    **dict.fromkeys(("vjp", "jvp", "jacobian", "hessian", "vmap", "enable_grad"),
                    GRADIENT),
    **dict.fromkeys(("cast", "astype"), _CAST),
    **dict.fromkeys(("append", "extend", "insert"), _LIST),
    **dict.fromkeys(("enumerate", "zip", "map", "filter", "sorted", "reversed", "range", "list",
                     "dict", "set", "tuple"), _TABLES),
    **{name: std.using(block) for name, block in std.NAMES.items()},
    "UpSampling2D": "write what it scales by: `image -> Upsample(scale_factor=2)`",
    "UpSampling1D": "write what it scales by: `sequence -> Upsample(scale_factor=2)`",
    "UpSampling3D": "write what it scales by: `Upsample(scale_factor=2)`",
    "Add": "write `x + h`", "Multiply": "write `x * h`", "Subtract": "write `x - h`",
    "Average": "write `(x + h) / 2`", "Maximum": "write `maximum(x, h)`",
    "Minimum": "write `minimum(x, h)`", "Dot": "write `x @ h.T`",
    "Concatenate": "write `cat([x, h], dim=1)`", "Concat": "write `cat([x, h], dim=1)`",
    "Reshape": "write the function, with the batch: `x -> reshape(N, -1)`",
    "Permute": "write the function: `sequence -> permute(0, 2, 1)`",
    "Transpose": "write the function: `sequence -> transpose(1, 2)`",
    "Squeeze": "write the function: `x -> squeeze(1)`",
    "Unsqueeze": "write the function: `x -> unsqueeze(1)`",
    **dict.fromkeys(("Rearrange", "rearrange"), _PATTERN),
    "Lambda": "write what it computes right in the pipe, or make it a `block`",
    "lambda": "write what it computes right in the pipe, or make it a `block`",
    "Input": "declare it: `input z: float[N, 8]`",
    "InputLayer": "declare it: `input z: float[N, 8]`",
    "TimeDistributed": "`Linear` works on the last dimension of whatever is fed",
    "Bidirectional": "write `sequence -> LSTM(8, batch_first=true, bidirectional=true)`",
    "Activation": "write the layer itself: `x -> ReLU`",
    "checkpoint": "a run's memory is the run's affair: take it away",
    "print": "nothing is printed: `specc show` lists every value and its shape",
    "self": "layers and values are known by their names alone",
    "no_grad": "`detach(x)` stops gradients",
    "functional_call": "a model is called with the weights that it has: `y = Net(x)`",
    "isinstance": "every value's type is known: take it away",
    "numel": _KNOWN, "size": _KNOWN, "shape": _KNOWN, "get_shape": _KNOWN,
    "CategoricalCrossentropy": "torch's loss is of scores, and they come first: "
                               "`CrossEntropyLoss(logits, soft)`",
    "SparseCategoricalCrossentropy": "torch's loss is of scores, and they come first: "
                                     "`CrossEntropyLoss(logits, label)`",
    "BinaryCrossentropy": "torch's losses take what was computed first, of probabilities "
                          "`BCELoss(sigmoid(logits), soft)`, of scores "
                          "`BCEWithLogitsLoss(logits, soft)`",
}  # fmt: skip
# Methods that no function stands for, beside the names above.
METHODS_ELSEWHERE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("type", "type_as", "to"), _CAST),
    **dict.fromkeys(("backward", "step", "zero_grad", "train", "eval"), _RUN),
    **dict.fromkeys(
        ("item", "numpy", "tolist"), "what a model puts out is read where it is run"
    ),
    **dict.fromkeys(("keys", "values", "items", "pop", "update"), "there are no dictionaries here:"
                    " values have names"),
    "view_as": "say the sizes: `reshape(x, N, -1)`",
    "expand_as": "say the sizes: `broadcast_to(x, (N, 8))`",
    "reshape_as": "say the sizes: `reshape(x, N, -1)`",
    "parameters": "`on` selects parameters, as in `on Net` or `on *.weight`",
    "named_parameters": "`on` selects parameters, as in `on Net` or `on *.weight`",
    "manual_seed": "a test says `seed 7`",
    "apply": "write `init kaiming_normal_ on *.weight`",
}  # fmt: skip

# ── what torch does not have ─────────────────────────────────────────────────────────────────────

# Published layers, functions, optimizers and schedulers that torch lacks: each is itself, and none
# is a misspelling of what is near by its letters.
PUBLISHED: Final = frozenset(
    # layers and their activations
    "Adapter AttentionPool2d BasicBlock BlurPool Bottleneck CBAM CReLU ConvNormAct ConvBNReLU"
    " Conv2dNormActivation CoordConv CoordConv2d CosineLinear CRF DeformConv2d DeltaNet"
    " DepthwiseConv2D DropBlock DropBlock2d DropConnect EvoNorm FeedForward FFN FReLU FRN GATConv"
    " GCNConv GEGLU GeGLU GRN GeM GhostConv GlobalResponseNorm HighwayNetwork InvertedResidual"
    " LayerNorm2d LayerScale LiGRU Lion LoRA LoRALinear MBConv MLP Mamba MaxBlurPool2d Maxout Mlp"
    " MultiQueryAttention GroupedQueryAttention NoisyLinear PatchMerging PELU PartialConv2d"
    " PowerNorm QuickGELU QRNN ReGLU Residual ResidualBlock SReLU SRU ScaleNorm SeparableConv2D"
    " SeparableConv2d Snake StarReLU StdConv2d TanhExp TCN VectorQuantizer WSConv2d ALiBi"
    " Attention SelfAttention CrossAttention CosFace ArcFace"
    " BatchRenorm FilterResponseNorm SwitchNorm WeightStandardization GatedLinear Serf ESwish"
    " LiSHT DELU LogCosh Phish Smish Hardmish HardMish GaussianNoise GaussianDropout"
    # losses
    " TverskyLoss LovaszLoss InfoNCE SupConLoss ContrastiveLoss IoULoss GIoULoss"
    " CharbonnierLoss WingLoss PolyLoss AsymmetricLoss JaccardLoss PerceptualLoss"
    # optimizers
    " AdaBelief AdaBound AdaMod Adan AdamP AdamW8bit Adam8bit LAMB LARS Lamb Lars Lookahead"
    " NAdamW RAdamW Novograd NovoGrad Ranger SAM SGDP SGDW Shampoo SOAP Sophia Prodigy QHAdam Yogi"
    " AggMo FTRL Ftrl Apollo DAdaptAdam"
    # schedulers
    " CosineLRScheduler WarmupCosine WarmupLinear GradualWarmupScheduler NoamLR PlateauLR TanhLR"
    " InverseSqrtLR".split()
)


# In `train`, where no block stands.
FORMULA: Final = (
    "what torch does not have is written out here, a `block` of functions, or a row that the"
    " project adds: docs/extensions.md"
)
EXTEND: Final = (
    "what torch does not have is a `block`, or a row that the project adds: docs/extensions.md"
)


def other_form(name: str, *, method: bool = False) -> str | None:
    """What to do instead of ``name``, which has another form here or none; None of a name that
    may be a slip of the fingers."""
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    if method and name in METHODS_ELSEWHERE:
        return METHODS_ELSEWHERE[name]
    return EXTEND if name in PUBLISHED else None


def left_out(name: str) -> str | None:
    """Why the catalogue has no row for ``name``, which torch or torchmetrics exports; None of any
    other."""
    from specc.catalog import exclusions, tensor_exclusions  # only an unknown name needs them

    for table in (
        exclusions.LAYERS, exclusions.LOSSES, exclusions.SCHEDULERS, exclusions.METRICS,
        exclusions.FUNCTIONS, tensor_exclusions.TENSOR_FUNCTIONS,
    ):  # fmt: skip
        if name in table:
            return f"it is left out here: {table[name]}"
    return None
