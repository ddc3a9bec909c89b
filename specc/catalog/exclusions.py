"""What torch exports and the catalogue has no row for, with the reason: name to reason, a table a
kind.

Covered and excluded together are what torch exports, which a test counts. Non-goal: arguments that
rows leave out; the test of signatures names those. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_CONTAINER = "holds layers: a spec's stages, lists and blocks say it"
_PARAMETERS = "holds parameters: a spec declares them by name"
_INFERRING = "every layer of a spec infers what its Lazy form does"

LAYERS: Mapping[str, str] = MappingProxyType(
    {
        "Module": "the base class of layers: a spec's models and blocks are its subclasses",
        "Container": "a deprecated base class, empty since torch 0.2",
        "Sequential": _CONTAINER,
        "ModuleList": _CONTAINER,
        "ModuleDict": _CONTAINER,
        "ParameterList": _PARAMETERS,
        "ParameterDict": _PARAMETERS,
        "DataParallel": "how a run spreads over devices, not what a model is",
        "RNNBase": "the base class of RNN, GRU and LSTM; its mode is their name",
        "RNNCellBase": "the base class of RNNCell, GRUCell and LSTMCell; it computes nothing",
        **{
            f"Lazy{name}": _INFERRING
            for name in (
                "Linear",
                *(
                    f"{kind}{dims}d"
                    for kind in ("Conv", "ConvTranspose", "BatchNorm", "InstanceNorm")
                    for dims in (1, 2, 3)
                ),
            )
        },
    }
)

LOSSES: Mapping[str, str] = MappingProxyType(
    {
        "NLLLoss2d": "a deprecated name of NLLLoss, which takes images as well",
    }
)

OPTIMIZERS: Mapping[str, str] = MappingProxyType(
    {"Optimizer": "the base class of optimizers: it steps nothing"}
)

_OF_A_FUNCTION = "takes a function of the epoch, and a spec is data: {}"

SCHEDULERS: Mapping[str, str] = MappingProxyType(
    {
        "LRScheduler": "the base class of schedulers: it moves nothing",
        "LambdaLR": _OF_A_FUNCTION.format(
            "LinearLR, PolynomialLR, CosineAnnealingLR and SequentialLR say what it is used for"
        ),
        "MultiplicativeLR": _OF_A_FUNCTION.format("ExponentialLR and MultiStepLR are its uses"),
    }
)

INITS: Mapping[str, str] = MappingProxyType(
    {
        "calculate_gain": "a number: `gain` and `nonlinearity` of the initialisers say it",
        **{
            name: f"a deprecated name of {name}_"
            for name in (
                "uniform", "normal", "constant", "eye", "dirac", "xavier_uniform", "xavier_normal",
                "kaiming_uniform", "kaiming_normal", "orthogonal", "sparse",
            )
        },
    }
)  # fmt: skip

FUNCTIONS: Mapping[str, str] = MappingProxyType({})

INITS: Mapping[str, str] = MappingProxyType({})

METRICS: Mapping[str, str] = MappingProxyType({})
