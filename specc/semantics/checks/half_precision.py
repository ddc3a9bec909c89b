"""Numbers that half precision does not hold: `masked_fill(scores, mask, -1e9)` where float16 runs.

torch refuses such a number when the model runs, in its own words and without a line. Non-goals:
what becomes infinite on its way (`x * 1e9`), which a run shows; ranges that hold in every precision
(``catalog.training.ranges``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from specc import ir
from specc.errors import Collector, Span
from specc.sizes import Size

# The largest finite float16: (2 - 2**-10) * 2**15.
LARGEST: Final = 65504.0
# The arguments that torch makes a number of the tensor's own precision of, and refuses otherwise;
# ``tests/test_half_precision.py`` asks torch for each.
FILLS: Final[Mapping[str, tuple[str, ...]]] = {
    "masked_fill": ("value",), "index_fill": ("value",), "full": ("fill_value",),
    "full_like": ("fill_value",), "pad": ("value",), "clamp": ("min", "max"),
    "clamp_min": ("min",), "clamp_max": ("max",), "threshold": ("value",),
    "hardtanh": ("min_val", "max_val"), "linspace": ("start", "end"),
    "ConstantPad1d": ("value",), "ConstantPad2d": ("value",), "ConstantPad3d": ("value",),
    "Threshold": ("value",), "Hardtanh": ("min_val", "max_val"),
}  # fmt: skip
# What autocast computes in half, and what hands on the precision that it is fed.
_IN_HALF: Final = frozenset(
    "matmul mm bmm mv linear bilinear addmm baddbmm addbmm einsum tensordot conv1d conv2d conv3d"
    " conv_transpose1d conv_transpose2d conv_transpose3d Linear Bilinear Conv1d Conv2d Conv3d"
    " ConvTranspose1d ConvTranspose2d ConvTranspose3d scaled_dot_product_attention".split()
)
_HANDS_ON: Final = frozenset(
    "reshape flatten unflatten ravel transpose permute movedim squeeze unsqueeze broadcast_to tile"
    " masked_fill clamp relu ReLU tril triu detach clone roll flip dropout Dropout Identity Flatten"
    " tanh Tanh sigmoid Sigmoid".split()
)


def check_half(
    program: ir.Program, collector: Collector, dtypes: Iterable[str] | None = None
) -> None:
    """An E0330 for each number that is too large where ``program`` computes in float16: in its
    tests (or where ``dtypes`` asks for it), under autocast, or by a type of its own."""
    asked = "float16" in (program.test.dtypes if dtypes is None else dtypes)
    autocast = program.train is not None and program.train.precision == "float16"
    values = (value for model in program.models for value in model.inputs)
    if not asked and not autocast and all(value.type.dtype != "float16" for value in values):
        return
    told: set[Span] = set()
    for node, place in _nodes(program):
        if node.span in told:
            continue
        if isinstance(node, ir.FunctionCall):
            name, arguments = node.function, dict(node.arguments)
        elif isinstance(node, ir.LayerCall) and node.layer in place.by_path:
            layer = place.by_path[node.layer]
            name, arguments = layer.type, dict(layer.arguments)
        else:
            continue
        for argument in FILLS.get(name, ()):
            number = _number(arguments.get(argument), place.values)
            if number is None or not LARGEST < abs(number) < float("inf"):
                continue
            result = next(iter(ir.result_values(node.result)), None)
            dtype = result.type.dtype if result is not None else ""
            if dtype == "float16" or (dtype == "float" and asked):
                where = "float16"
            elif autocast and dtype == "float" and _in_half(place, node):
                where = "autocast to float16"
            else:
                continue
            told.add(node.span)
            mask = name == "masked_fill" and number < 0
            collector.error(
                "E0330",
                f"`{argument}` of {name} is {number:g}, and {where} ends at {LARGEST:g}",
                node.span,
                "write `-6e4`: before a softmax it masks as well"
                if mask
                else "write a number that it holds",
            )
            break


def _nodes(program: ir.Program) -> Iterator[tuple[ir.Leaf, ir.Module]]:
    """The nodes that compute, each block's once, with the module that they are of."""
    seen: set[int] = set()
    waiting = [program.subject(), *program.models]
    while waiting:
        module = waiting.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        for node in ir.flat_nodes(module.nodes):
            yield node, module
        waiting += [layer.module for layer in module.layers if layer.module is not None]
    if program.train is not None:
        subject = program.subject()
        for step in program.train.steps:
            yield from ((node, subject) for node in ir.flat_nodes(step.nodes))


def _number(operand: object, params: Mapping[str, Size]) -> float | None:
    if operand is None or isinstance(operand, ir.Value):
        return None
    value = ir.static_value(operand, params)  # type: ignore[arg-type]  # a compile-time operand
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]  # as just checked


def _in_half(module: ir.Module, node: ir.Leaf) -> bool:
    """Whether what ``node`` works on comes from a product that autocast makes in half."""
    makers = {
        id(value): each
        for each in ir.flat_nodes(module.nodes)
        for value in ir.result_values(each.result)
    }
    current: ir.Leaf | None = node
    for _ in range(len(makers) + 1):
        if current is None:
            return False
        fed = _fed(current)
        current = makers.get(id(fed)) if fed is not None else None
        name = _called(module, current)
        if name == "@" or name in _IN_HALF:
            return True
        if name not in _HANDS_ON and name not in ("*", "/", "+", "-", "T", "mT"):
            return False
    return False


def _fed(node: ir.Leaf) -> ir.Value | None:
    """The first tensor that ``node`` works on."""
    if isinstance(node, ir.FunctionCall):
        operands: Iterable[object] = (value for _, value in node.arguments)
    elif isinstance(node, ir.LayerCall):
        operands = node.inputs
    elif isinstance(node, ir.Operation):
        operands = node.operands
    elif isinstance(node, ir.Transpose):
        operands = (node.value,)
    else:
        return None
    return next((each for each in operands if isinstance(each, ir.Value)), None)


def _called(module: ir.Module, node: ir.Leaf | None) -> str:
    match node:
        case ir.FunctionCall():
            return node.function
        case ir.LayerCall() if node.layer in module.by_path:
            return module.by_path[node.layer].type
        case ir.Operation():
            return node.operator
        case ir.Transpose():
            return node.attribute
    return ""
