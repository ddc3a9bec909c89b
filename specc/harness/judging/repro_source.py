"""A script that shows, with torch alone, that a source computes something else than its spec means.

Both sources lie beside it, and run in float64 on the case's own numbers: forward, and where there
is training the training step as a trainer would call it. What torch draws is drawn under one seed.
The first value that differs is the first. Non-goals: faults of a target or of a precision
(``repro``), what torch alone cannot be asked (the portable masks of a case).
"""

from __future__ import annotations

from collections.abc import Mapping

from specc.harness.cases import subject
from specc.harness.cases.case import ClosedCase
from specc.ir import Program

JUDGED = "judged.py"
MEANT = "meant.py"

_SCRIPT = '''
import sys
from pathlib import Path

import judged
import meant
import torch

data = torch.load(Path(__file__).with_name("repro.pt"), weights_only=True)


def flat(value):
    if isinstance(value, torch.Tensor):
        return [value]
    return [t for each in value for t in flat(each)] if isinstance(value, (tuple, list)) else []


def values(source):
    """What the model computes, by name, in order."""
    torch.manual_seed(0)
    model = source.NAME().double()
    model.load_state_dict(data["state"], strict=False)
    model.train(data["training"])
    found, step = {}, 0

    def see(name, value):
        for k, each in enumerate(flat(value)):
            key = f"step {step}: {name}" + (f"/{k}" if k else "")
            while key in found:
                key += "'"
            found[key] = each.detach().double().clone()

    for path, layer in model.named_modules():
        if path:
            layer.register_forward_hook(lambda layer, given, made, path=path: see(path, made))
    if not data["training"] or not hasattr(model, "training_step"):
        see("output", model(*data["batches"][0]))
        return found
    configured = model.configure_optimizers()
    several = "optimizer" not in configured
    each = configured if several else {"": configured}
    for name, told in each.items():
        for k, group in enumerate(told["optimizer"].param_groups):
            for key, value in group.items():
                if isinstance(value, (int, float)):
                    see(f"{name} group {k} {key}", torch.tensor(float(value)))
        for key, value in told.get("lr_scheduler", {}).items():
            if isinstance(value, (str, int)):
                see(f"{name} scheduler {key} {value}", torch.tensor(1.0))
    for step, batch in enumerate(data["batches"]):
        before = {n: p.detach().clone() for n, p in model.named_parameters()}
        optimizers = {n: told["optimizer"] for n, told in each.items()}
        terms = model.training_step(optimizers if several else optimizers[""]EXTRA, *batch)
        for name, value in terms.items():
            see(name, torch.as_tensor(value))
        for name, parameter in reversed(list(model.named_parameters())):
            if parameter.grad is not None:
                see(f"gradient of {name}", parameter.grad)
        for name, parameter in model.named_parameters():
            see(f"change of {name}", parameter.detach() - before[name])
        for name, told in each.items():
            schedule = told.get("lr_scheduler")
            if schedule is not None:
                watched = [terms[schedule["monitor"]]] if "monitor" in schedule else []
                schedule["scheduler"].step(*watched)
            for k, group in enumerate(told["optimizer"].param_groups):
                see(f"{name} group {k} next lr", torch.tensor(float(group["lr"])))
    return found


expected, found = values(meant), values(judged)
differing = []
for name in [*expected, *(name for name in found if name not in expected)]:
    one, other = expected.get(name), found.get(name)
    if one is None or other is None:
        differing.append(f"{name}: only in {'judged' if one is None else 'meant'}.py")
    elif one.shape != other.shape:
        differing.append(f"{name}: shape {list(other.shape)} in place of {list(one.shape)}")
    elif not torch.allclose(one, other, rtol=1e-9, atol=1e-12, equal_nan=True):
        scale = float(one.square().mean().sqrt()) or 1.0
        off = float((one - other).square().mean().sqrt()) / scale
        differing.append(f"{name}: off by {off:.3e} of its root-mean-square")
print(f"torch {torch.__version__}: {len(differing)} of {len(expected)} values differ in float64")
for line in differing[:20]:
    print(f"  {line}")
sys.exit(1 if differing else 0)
'''


def script(
    program: Program, closed: ClosedCase, judged: str, meant: str
) -> tuple[str, Mapping[str, str], dict[str, object]]:
    """The script, the sources beside it by file name, and its numbers."""
    train = program.train
    extra = ""
    if train is not None and train.precision == "float16":
        extra += ", torch.amp.GradScaler(enabled=False)"
    if train is not None and subject.is_numbered(train):
        extra += f", {subject.first_batch(train, len(closed.batches))} + step"
    text = _SCRIPT.replace("NAME", program.subject().name).replace("EXTRA", extra)
    numbers: dict[str, object] = {
        "state": dict(closed.parameters | closed.buffers),
        "training": closed.case.mode == "train",
        "batches": [
            [value for _, value in (*batch.inputs, *batch.labels)]
            if closed.case.mode == "train"
            else [value for _, value in batch.inputs]
            for batch in closed.batches
        ],
    }
    return text, {JUDGED: judged, MEANT: meant}, numbers
