"""Shape rules of what makes a tensor of sizes alone: ones, zeros, full, arange.

Non-goal: noise, which is a type of its own.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import as_size, at_least, integer, known
from specc.catalog.shapes.of_functions.elementwise import require_number
from specc.ir import TensorType


def created(call: Call) -> TensorType:
    """``ones(*size)``, ``zeros(*size)``, ``full(size, value)``: of the run's precision."""
    given = call.args["size"]
    sizes = given if isinstance(given, tuple) else (given,)
    shape = tuple(as_size(call, "size", size) for size in sizes)
    at_least(call, "size", 0, shape)
    dtype = call.args.get("dtype")
    return TensorType(dtype if isinstance(dtype, str) else "float", shape)


def identity(call: Call) -> TensorType:
    """``eye(n, m)``: [n, m], or [n, n]."""
    rows = as_size(call, "n", call.args["n"])
    columns = rows if call.args["m"] is None else as_size(call, "m", call.args["m"])
    at_least(call, "n", 0, (rows,))
    at_least(call, "m", 0, (columns,))
    return TensorType("float", (rows, columns))


def spaced(call: Call) -> TensorType:
    """``linspace(start, end, steps)``: [steps]; an end may be a tensor of one number. E0301,
    E0306."""
    for name in ("start", "end"):
        require_number(call, name, TensorType("float", ()))
    steps = as_size(call, "steps", call.args["steps"])
    at_least(call, "steps", 0, (steps,))
    return TensorType("float", (steps,))


def frequencies(call: Call, *, halved: bool) -> TensorType:
    """``fftfreq(n)``: [n]; ``rfftfreq(n)``: [n // 2 + 1]; E0307."""
    size = as_size(call, "n", call.args["n"])
    at_least(call, "n", 1, (size,))
    return TensorType("float", (size // 2 + 1 if halved else size,))


def windowed(call: Call) -> TensorType:
    """``hann_window(window_length)`` and its like: [window_length]; E0307."""
    size = as_size(call, "window_length", call.args["window_length"])
    at_least(call, "window_length", 0, (size,))
    return TensorType("float", (size,))


def counted(call: Call) -> TensorType:
    """``arange(start, end, step)``: int64, ``ceil((end - start) / step)`` places; E0307.

    From 0 in steps of 1 the result is an ``index(end)``.
    """
    start, end = as_size(call, "start", call.args["start"]), as_size(call, "end", call.args["end"])
    step = integer(call, "step")
    if step == 0:
        raise RuleError("E0307", "step of arange must not be 0", argument="step")
    length = (end - start + step - (1 if step > 0 else -1)) // step
    count = known(call, length)
    ahead, behind = (end, start) if step > 0 else (start, end)
    message = f"arange from {start} never reaches {end} in steps of {step}"
    error = RuleError("E0307", message, by_torch=True)
    call.require_at_least(ahead, behind, error)
    if start == 0 and step == 1 and count != 0:
        return TensorType("int64", (length,), "index", end)
    return TensorType("int64", (length,))
