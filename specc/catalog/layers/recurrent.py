"""Rows of recurrent layers and of their cells. ``dropout`` is noise inside torch's own kernel."""

from __future__ import annotations

from specc.catalog.rows import LayerRow
from specc.catalog.shapes.of_layers import recurrent as rules

_REST = (
    "bias: bool = True, batch_first: bool = False, dropout: float = 0.0, "
    "bidirectional: bool = False"
)


def _row(name: str, summary: str, before: str = "", after: str = "") -> LayerRow:
    states = "tensors" if name == "LSTM" else "tensor"
    states_out = "y, (h, c)" if name == "LSTM" else "y, h"
    return LayerRow(
        name,
        f"nn.{name}",
        f"input_size: size = ?, hidden_size: size, num_layers: int = 1, {before}{_REST}{after}",
        summary,
        choices={"nonlinearity": ("tanh", "relu")} if before else {},
        shape=rules.recurrent,
        infer={"input_size": rules.input_size},
        parameters=rules.recurrent_parameters,
        initial=rules.recurrent_initial,
        forward=f"input: tensor, hx: {states} | none = None",
        family="recurrent",
        example=f"x: float[N, T, 6] | {states_out} = x -> {name}(4, batch_first=true)",
    )


def _cell(name: str, summary: str, after: str = "") -> LayerRow:
    states = "tensors" if name == "LSTMCell" else "tensor"
    return LayerRow(
        name,
        f"nn.{name}",
        f"input_size: size = ?, hidden_size: size, bias: bool = True{after}",
        summary,
        choices={"nonlinearity": ("tanh", "relu")} if after else {},
        shape=rules.cell,
        infer={"input_size": rules.cell_input_size},
        parameters=rules.cell_parameters,
        initial=rules.cell_initial,
        forward=f"input: tensor, hx: {states} | none = None",
        family="cell",
        example=f"x: float[N, 6] | {'h, c = ' if name == 'LSTMCell' else ''}x -> {name}(4)",
    )


ROWS = (
    _row("RNN", "an Elman network: states, hidden", before="nonlinearity: str = 'tanh', "),
    _row("GRU", "gated recurrent units: states, hidden"),
    _row("LSTM", "long short-term memory: states, (hidden, cell)", after=", proj_size: int = 0"),
    _cell("RNNCell", "one step of an RNN: hidden", ", nonlinearity: str = 'tanh'"),
    _cell("GRUCell", "one step of a GRU: hidden"),
    _cell("LSTMCell", "one step of an LSTM: hidden, cell"),
)
