"""What this project adds to specc's catalogue: a layer, a function, a loss.

Non-goal: torch. A check of a spec imports this file, and stays quick."""

from specc.catalog.rows import Call, Draws, FunctionRow, LayerRow, RuleError, Shapes
from specc.catalog.shapes.common import number
from specc.ir import Distribution, TensorType


def last_size(call: Call) -> object:
    """Of the last dimension of what comes in."""
    return call.tensor().shape[-1]


def same(call: Call) -> TensorType:
    """Floats in, the same out."""
    tensor = call.tensor()
    if not tensor.floating:
        raise RuleError("E0306", f"{call.name} takes floats, not {tensor}")
    return tensor.with_shape(tensor.shape)


def slopes(call: Call) -> Shapes:
    """One slope a feature."""
    return (("beta", (call.args["features"],)),)


def filled(call: Call) -> Draws:
    """As the module's constructor fills them."""
    return (("beta", Distribution("constant", number(call, "start"))),)


def halved(call: Call) -> TensorType:
    """Half as many features."""
    tensor = call.tensor()
    *rest, width = tensor.shape
    call.require_equal(
        width % 2,
        0,
        RuleError("E0303", f"the last dimension of {tensor} cannot be halved"),
    )
    return tensor.with_shape((*rest, width // 2))


def scalar(call: Call) -> TensorType:
    """Two tensors of one shape to one number."""
    left, right = call.tensor("input"), call.tensor("target")
    if len(left.shape) != len(right.shape):
        raise RuleError("E0302", f"{call.name} takes two of one shape, not {left} and {right}")
    for one, other in zip(left.shape, right.shape, strict=True):
        refusal = RuleError("E0302", f"{call.name} takes two of one shape, not {left} and {right}")
        call.require_equal(one, other, refusal)
    return TensorType("float", ())


GATED = '''\
def gated_gelu(input: Tensor, tanh: bool = False) -> Tensor:
    """One half of the last dimension times GELU of the other."""
    value, gate = input.chunk(2, dim=-1)
    return value * F.gelu(gate, approximate="tanh" if tanh else "none")
'''

LOG_COSH = '''\
def log_cosh(input: Tensor, target: Tensor, scale: float = 1.0) -> Tensor:
    """The mean of log(cosh(scale * (input - target))), computed so that nothing overflows."""
    error = scale * (input - target)
    return (error.abs() + F.softplus(-2.0 * error.abs()) - 0.6931471805599453).mean()
'''

ROWS = (
    LayerRow(
        "LearnedSwish",
        "layers.swish.LearnedSwish",
        "features: size = ?, start: float = 1.0",
        "x sigmoid(beta x), with a learned slope beta a feature",
        module="layers.swish",
        shape=same,
        infer={"features": last_size},
        parameters=slopes,
        initial=filled,
        family="activation",
        example="x: float[N, 6] | x -> LearnedSwish",
    ),
    FunctionRow(
        "gated_gelu",
        "gated_gelu",
        "input: tensor, *, tanh: bool = False",
        "one half of the last dimension times GELU of the other",
        helper=GATED,
        shape=halved,
        example="x: float[N, 6] | x -> gated_gelu",
    ),
    FunctionRow(
        "LogCoshLoss",
        "log_cosh",
        "input: tensor, target: tensor, *, scale: float = 1.0",
        "the mean of log(cosh(scale (input - target)))",
        helper=LOG_COSH,
        shape=scalar,
        family="loss",
        example="x: float[N, 5], y: float[N, 5] | LogCoshLoss(x, y)",
    ),
)
