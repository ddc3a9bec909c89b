"""torch's own samples of its optimizers (``optim_db``): a few steps of training by the emitted
source and by a loop written by hand, from the same weights on the same batch.

Non-goal: samples of functions and layers (``torch_samples``).
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it
from torch_databases import optim_db
from torch_oracle import (
    BREAKS,
    DEFECT,
    DIFFERENT,
    EQUAL,
    REFUSED,
    SHARED,
    TAKEN,
    UNSAYABLE,
    Outcome,
    bits,
    read,
    shown,
)
from torch_said import Sample, Unsayable, settings_of

from specc.catalog import OPTIMIZERS
from specc.emit import emit
from specc.ir import Program
from specc.targets.live import module_class

STEPS: Final = 4
# A table for gradients that are sparse, else a weight of the two dimensions that Muon wants.
_LAYERS: Final = {
    "sparse": (
        "index(5)[8]",
        "Embedding(5, 4, sparse=true)",
        partial(nn.Embedding, 5, 4, sparse=True),
    ),
    "dense": ("float[8, 6]", "Linear(4, bias=false)", partial(nn.Linear, 6, 4, bias=False)),
}


def optimizers() -> Iterator[Sample]:
    """The samples of each optimizer, and the settings that torch refuses."""
    for entry in optim_db:
        name = entry.optim_cls.__name__
        if name not in OPTIMIZERS:
            continue
        for number, each in enumerate(entry.optim_inputs_func(device="cpu")):
            yield _sample(name, f"{name} {number}", each.kwargs, entry.optim_cls)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrong = list(entry.optim_error_inputs_func("cpu", torch.float32))
        for number, each in enumerate(wrong):
            settings = each.optimizer_error_input.kwargs
            if settings:  # the others are faults of the parameters, which no spec lists
                made = _sample(name, f"{name} faulty {number}", settings, entry.optim_cls)
                made.faulty = True
                yield made


def _sample(name: str, label: str, settings: dict[str, Any], kind: Callable[..., Any]) -> Sample:
    return Sample(name, label, (), settings=settings, run=partial(kind, **settings))


def trained(sample: Sample) -> Outcome:
    """What comes of ``sample``: the weights and the optimizer's state after some steps."""
    shape, layer, make = _LAYERS["sparse" if sample.name == "SparseAdam" else "dense"]
    torch.manual_seed(0)
    x = torch.randn(8, 6) if shape.startswith("float") else torch.randint(5, (8,))
    batch, fc = (x, torch.randn(8, 4)), make()
    started = {f"fc.{name}": value.clone() for name, value in fc.state_dict().items()}
    try:
        expected, refusal = _by_hand(fc, sample, *batch), ""
    except Exception as raised:  # whatever torch raises is a refusal
        expected, refusal = [], shown(raised)
    try:
        settings = ", ".join(settings_of(sample))
    except Unsayable as kind:
        return Outcome(SHARED if refusal else UNSAYABLE, sample, message=str(kind))
    text = f"""spec 1

model M {{
  input x: {shape}
  y = x -> fc: {layer}
  output y
}}

train {{
  input t: float[8, 4]
  loss = MSELoss(y, t)
  optimizer {sample.name}({settings})
}}
"""
    try:
        program, code, message = read(text)
    except Exception as raised:  # a defect of the checks is what is looked for
        return Outcome(DEFECT, sample, message=shown(raised), text=text)
    if program is None:
        return Outcome(SHARED if refusal else REFUSED, sample, code, message, text)
    try:
        found = _emitted(program, started, *batch)
    except Exception as raised:
        return Outcome(BREAKS, sample, message=f"{shown(raised)}; torch's: {refusal}", text=text)
    if refusal:
        return Outcome(TAKEN, sample, message=refusal, text=text)
    equal = [*map(bits, found)] == [*map(bits, expected)]
    return Outcome(EQUAL if equal else DIFFERENT, sample, text=text)


def _by_hand(fc: nn.Module, sample: Sample, x: Tensor, t: Tensor) -> list[Tensor]:
    assert sample.run is not None
    optimizer = sample.run(fc.parameters())

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.mse_loss(fc(x), t)
        loss.backward()
        return loss

    for _ in range(STEPS):
        if sample.name == "LBFGS":
            optimizer.step(closure)
        else:
            closure()
            optimizer.step()
    return _state(fc, optimizer)


def _emitted(program: Program, started: dict[str, Tensor], x: Tensor, t: Tensor) -> list[Tensor]:
    model: Any = module_class(emit(program), "M", "m")()
    model.load_state_dict(started)
    optimizer = model.configure_optimizers()["optimizer"]
    for _ in range(STEPS):
        model.training_step(optimizer, x, t)
    return _state(model, optimizer)


def _state(module: nn.Module, optimizer: Any) -> list[Tensor]:
    """The weights, and the tensors that the optimizer keeps of them, by its names for them."""
    kept = [parameter.detach() for parameter in module.parameters()]
    for state in copy.copy(optimizer.state).values():
        kept += [state[name] for name in sorted(state) if isinstance(state[name], Tensor)]
    return kept
