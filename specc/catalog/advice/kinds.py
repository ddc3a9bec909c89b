"""What kind of numbers a layer or function gives: scores, probabilities, logarithms of them.

Rows of data for ``specc.semantics.checks.origins``. A kind is said only where it is sure; whatever
is not here gives numbers of which nothing is said. Non-goal: which loss wants which (``pairs``)."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal[
    "",  # nothing is known
    "scores",  # any real number
    "positive",  # from 0 on
    "between",  # from -1 to 1
    "softmax",  # probabilities that sum to 1
    "sigmoid",  # probabilities, each for itself
    "log_softmax",  # logarithms of probabilities that sum to 1
    "log_sigmoid",  # logarithms of probabilities, each for itself
]

GIVES: Final[dict[str, Kind]] = {
    **dict.fromkeys(
        (
            "Linear Bilinear Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d "
            "Embedding EmbeddingBag BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm LayerNorm "
            "RMSNorm GroupNorm InstanceNorm1d InstanceNorm2d InstanceNorm3d "
            "TransformerEncoderLayer TransformerDecoderLayer TransformerEncoder TransformerDecoder "
            "Transformer LSTM LeakyReLU PReLU RReLU ELU SELU CELU GELU SiLU Mish Hardswish "
            "linear bilinear conv1d conv2d conv3d conv_transpose1d conv_transpose2d "
            "conv_transpose3d leaky_relu prelu rrelu elu selu celu gelu silu mish hardswish logit"
        ).split(),
        "scores",
    ),
    **dict.fromkeys("ReLU ReLU6 Softplus relu relu6 softplus".split(), "positive"),
    **dict.fromkeys("Tanh Softsign tanh softsign RNN GRU".split(), "between"),
    **dict.fromkeys(
        "Softmax Softmin Softmax2d softmax softmin gumbel_softmax".split(), "softmax"
    ),
    **dict.fromkeys("Sigmoid Hardsigmoid sigmoid hardsigmoid".split(), "sigmoid"),
    **dict.fromkeys(("LogSoftmax", "log_softmax"), "log_softmax"),
    **dict.fromkeys(("LogSigmoid", "logsigmoid"), "log_sigmoid"),
}  # fmt: skip

# What is the same kind as what it is fed: numbers put elsewhere, or left as they are.
KEEPS: Final = frozenset(
    (
        "Identity Flatten Unflatten Dropout Dropout1d Dropout2d Dropout3d dropout dropout1d "
        "dropout2d dropout3d detach stop_gradient clone positive flatten ravel unflatten reshape "
        "transpose swapaxes swapdims t adjoint permute movedim squeeze unsqueeze broadcast_to tile "
        "flip fliplr flipud rot90 roll narrow select diagonal cat stack hstack vstack dstack "
        "column_stack atleast_1d atleast_2d atleast_3d chunk split tensor_split hsplit vsplit "
        "dsplit unbind gather take_along_dim take index_select repeat_interleave"
    ).split()
)  # fmt: skip

# Of those, what leaves every number where it is.
IN_PLACE: Final = frozenset("Identity Dropout dropout detach stop_gradient clone positive".split())

# What norms over a dimension, its argument `dim`.
OVER: Final = frozenset("Softmax softmax LogSoftmax log_softmax".split())

# Of scores, scores again: means and products of them are any number too.
SCORES_OF_SCORES: Final = frozenset(
    "sum mean amax amin masked_fill matmul mm bmm mv einsum neg "
    "AvgPool1d AvgPool2d AvgPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d "
    "MaxPool1d MaxPool2d MaxPool3d mul".split()
)

# A dimension of 1 that these make is one that the spec asks for.
OPENS: Final = frozenset(("unsqueeze", "reshape", "unflatten", "Unflatten", "broadcast_to"))
# The families of functions and layers that give dimensions of their own: a 1 among what they are
# fed, which they may have wanted, says nothing of a 1 among what they give.
SHAPES_ANEW: Final = frozenset(
    "matrix linalg indexing linear convolution recurrent cell attention embedding distance".split()
)
