"""Shape rules of RNN, GRU, LSTM and their cells, with results nested as torch nests them.

A batch is demanded: ``[N, T, D]`` with ``batch_first=true``, else ``[T, N, D]``. The argument
``dropout`` is noise inside torch's kernel, between the stacked layers.
"""

from __future__ import annotations

from collections.abc import Iterator

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    Shape,
    bracketed,
    integer,
    known,
    number,
    plain,
    positive,
    require_rank,
    told,
)
from specc.catalog.shapes.of_layers.linear import (
    Initial,
    Tensors,
    require_weighable,
    size_of,
    uniform_within,
)
from specc.ir import ResultType, TensorType
from specc.sizes import Size

_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4, "RNNCell": 1, "GRUCell": 3, "LSTMCell": 4}


def _require_sequence(call: Call) -> TensorType:
    tensor = call.tensor()
    batch_first = plain(call, "batch_first")
    takes = "[N, T, D], a batch of sequences" if batch_first else "[T, N, D], a batch of sequences"
    advice = f"a sequence input is declared as float{takes.split('],')[0]}]"
    if len(tensor.shape) == 2:
        advice = (
            f"{tensor} has no dimension for time: {call.name} wants one vector a step; " + advice
        )
    require_rank(call, tensor, (3,), takes, advice)
    require_weighable(call, tensor)
    return tensor


def input_size(call: Call) -> Size:
    """The last size of the input."""
    tensor = _require_sequence(call)
    return told(call, "input_size", tensor.shape[-1], tensor)


def recurrent(call: Call) -> ResultType:
    """``(states, hidden)``, or ``(states, (hidden, cell))`` for LSTM.

    states ``[N, T, directions * size]``; hidden ``[directions * num_layers, N, size]`` whatever
    ``batch_first`` says, where size is ``proj_size`` or ``hidden_size``; cell with ``hidden_size``.
    """
    tensor = _require_sequence(call)
    positive(call, "hidden_size", "num_layers")
    dropout = number(call, "dropout")
    if not 0.0 <= dropout <= 1.0:
        raise RuleError(
            "E0307",
            f"dropout of {call.name} is a probability, from 0 to 1, and is {dropout:g}",
            argument="dropout",
        )
    _require_projection(call)
    batch, steps = tensor.shape[0], tensor.shape[1]
    if not plain(call, "batch_first"):
        batch, steps = steps, batch
    hidden_size, out = size_of(call, "hidden_size"), _out_size(call)
    depth = size_of(call, "num_layers") * _directions(call)
    hidden, cell = (depth, batch, out), (depth, batch, hidden_size)
    _require_initial_state(call, hidden, cell)
    width = out * _directions(call)
    states = (batch, steps, width) if plain(call, "batch_first") else (steps, batch, width)
    if call.name == "LSTM":
        return tensor.with_shape(states), (tensor.with_shape(hidden), tensor.with_shape(cell))
    return tensor.with_shape(states), tensor.with_shape(hidden)


def _require_projection(call: Call) -> None:
    projection = plain(call, "proj_size") if "proj_size" in call.args else 0
    hidden = known(call, size_of(call, "hidden_size"))
    if not isinstance(projection, int) or projection == 0:
        return
    if projection < 0 or (hidden is not None and projection >= hidden):
        raise RuleError(
            "E0307",
            f"proj_size {projection} of LSTM must be smaller than its hidden_size {hidden}",
            argument="proj_size",
        )


def _require_initial_state(call: Call, hidden: Shape, cell: Shape) -> None:
    if not call.has("hx"):
        return
    given = call.tensors["hx"]
    types = given if isinstance(given, tuple) else (given,)
    two = call.name.startswith("LSTM")
    wanted = (hidden, cell) if two else (hidden,)
    if len(types) != len(wanted):
        takes = "(hidden, cell)" if two else "one hidden state"
        raise RuleError("E0302", f"{call.name} starts from {takes}; got {len(types)} values")
    for state, shape in zip(types, wanted, strict=True):
        error = RuleError(
            "E0302", f"{call.name} starts from a state of {bracketed(shape)}; got {state}"
        )
        if len(state.shape) != len(shape):
            raise error
        require_weighable(call, state)
        for one, other in zip(state.shape, shape, strict=True):
            call.require_equal(one, other, error)


def _directions(call: Call) -> int:
    return 2 if plain(call, "bidirectional") else 1


def _out_size(call: Call) -> Size:
    """What a step hands on: ``proj_size`` where there is one."""
    if "proj_size" in call.args and plain(call, "proj_size") != 0:
        return size_of(call, "proj_size")
    return size_of(call, "hidden_size")


def recurrent_parameters(call: Call) -> Tensors:
    """``weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_hr_l0``, as far as there are.

    Each again with ``_reverse`` where bidirectional, then those of ``l1`` and so on.
    """
    return tuple(_parameters(call))


def _parameters(call: Call) -> Iterator[tuple[str, Shape]]:
    hidden, out = size_of(call, "hidden_size"), _out_size(call)
    rows = _GATES[call.name] * hidden
    for layer in range(integer(call, "num_layers")):
        into = size_of(call, "input_size") if layer == 0 else out * _directions(call)
        for suffix in ("", "_reverse")[: _directions(call)]:
            name = f"l{layer}{suffix}"
            yield f"weight_ih_{name}", (rows, into)
            yield f"weight_hh_{name}", (rows, out)
            if plain(call, "bias"):
                yield f"bias_ih_{name}", (rows,)
                yield f"bias_hh_{name}", (rows,)
            if "proj_size" in call.args and plain(call, "proj_size") != 0:
                yield f"weight_hr_{name}", (out, hidden)


def recurrent_initial(call: Call) -> Initial:
    """Every parameter uniform within ``1 / sqrt(hidden_size)``."""
    names = tuple(name for name, _ in _parameters(call))
    return uniform_within(call, size_of(call, "hidden_size"), names)


# ── cells ────────────────────────────────────────────────────────────────────────────────────────


def _require_step(call: Call) -> TensorType:
    tensor = call.tensor()
    advice = None
    if len(tensor.shape) == 3:
        advice = f"for a whole sequence write {call.name.removesuffix('Cell')}"
    require_rank(call, tensor, (2,), "[N, D], one step of a batch", advice)
    require_weighable(call, tensor)
    return tensor


def cell_input_size(call: Call) -> Size:
    """The last size of the input."""
    tensor = _require_step(call)
    return told(call, "input_size", tensor.shape[-1], tensor)


def cell(call: Call) -> ResultType:
    """``[N, hidden_size]``, of LSTMCell twice: hidden and cell; E0301, E0302, E0307."""
    tensor = _require_step(call)
    positive(call, "hidden_size")
    shape = (tensor.shape[0], size_of(call, "hidden_size"))
    _require_initial_state(call, shape, shape)
    state = tensor.with_shape(shape)
    return (state, state) if call.name == "LSTMCell" else state


def cell_parameters(call: Call) -> Tensors:
    """``weight_ih, weight_hh, bias_ih, bias_hh``."""
    hidden = size_of(call, "hidden_size")
    rows = _GATES[call.name] * hidden
    weights: Tensors = (
        ("weight_ih", (rows, size_of(call, "input_size"))),
        ("weight_hh", (rows, hidden)),
    )
    if not plain(call, "bias"):
        return weights
    return (*weights, ("bias_ih", (rows,)), ("bias_hh", (rows,)))


def cell_initial(call: Call) -> Initial:
    """Every parameter uniform within ``1 / sqrt(hidden_size)``."""
    names = tuple(name for name, _ in cell_parameters(call))
    return uniform_within(call, size_of(call, "hidden_size"), names)
