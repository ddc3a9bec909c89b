"""What a golden observed under names that the spec no longer has, and under settings that are
others: inputs, outputs, terms, metrics, parameters, and what is done in a step.

Of a training with one step, whose names are the model's own; torch-free. Non-goals: layers, shapes
and the optimizer's numbers (``staleness``)."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from specc import ir
from specc.catalog import LAYERS
from specc.harness.goldens.golden_schema import TensorRow

_SHOWN: Final = 4
_SETTING: Final = re.compile(r"setting/(.+)\.(\w+)")
_GROUP: Final = re.compile(r"option/group(\d+)/.*")


def few(texts: Sequence[str], before: str) -> str:
    """``texts`` in a line, the first of many."""
    more = len(texts) - _SHOWN
    return before + ", ".join(texts[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def renamed(gone: Sequence[str], new: Sequence[str], what: str) -> Iterator[str]:
    """What is said of names that went and came: pairs where there are as many."""
    if gone and len(gone) == len(new):
        pairs = [f"`{one}` is now `{other}`" for one, other in zip(gone, new, strict=True)]
        yield few(pairs, f"{what}: ")
        return
    if gone:
        yield few([f"`{name}`" for name in gone], f"{what} gone: ")
    if new:
        yield few([f"`{name}`" for name in new], f"{what} new: ")


def differences(program: ir.Program, rows: Iterable[TensorRow]) -> Iterator[str]:
    """What of the names and settings in ``rows`` the program has not, and the other way round."""
    if program.train is not None and (program.train.members or len(program.train.steps) != 1):
        return
    rows = list(rows)
    names = [row.name for row in rows]
    subject, train = program.subject(), program.train
    yield from _settings(subject, rows)
    yield from _values("outputs", "output", names, [output.name for output in subject.outputs])
    if any(name.startswith("eval/") for name in names) and train is not None:
        metrics = [metric.name for metric in train.metrics]
        yield from _values("metrics", "metric", names, metrics, always=True)
    if not any(name.startswith("step0/") for name in names) or train is None:
        return
    step = train.steps[0]
    yield from _inputs(names, [*subject.inputs, *train.inputs])
    yield from _values("terms", "loss", names, [name for name, _ in step.terms])
    yield from _parameters(subject, step, rows)
    done = {
        "penalties": ("/penalty/", bool(step.regularizers)),
        "the clip": ("/clipped_grad/", step.clip is not None),
        "constraints": ("/constrained/", bool(step.constraints)),
        "the scheduler": ("end/scheduler/", step.scheduler is not None),
    }
    for what, (part, now) in done.items():
        before = any(part in name for name in names)
        if before != now:
            yield f"{what} {'came' if now else 'went'}"
    groups = {match[1] for name in names if (match := _GROUP.fullmatch(name))}
    if step.optimizer is not None and not step.more and groups:
        count = len(step.optimizer.groups) + bool(step.optimizer.rest.names)
        if count != len(groups):
            yield f"groups of the optimizer: {len(groups)}, and now {count}"


def _settings(subject: ir.Module, rows: Iterable[TensorRow]) -> Iterator[str]:
    """Numbers that layers are made with: ``p``, ``eps``, ``momentum``."""
    layers = dict(subject.all_layers)
    told: list[str] = []
    for row in rows:
        match = _SETTING.fullmatch(row.name)
        layer = layers.get(match[1]) if match is not None else None
        if match is None or layer is None or layer.type not in LAYERS or row.rms is None:
            continue
        argument = LAYERS[layer.type].by_name.get(match[2])
        if argument is None:
            continue
        value = dict(layer.arguments).get(match[2], argument.default)
        now = _number(value)
        if now is not None and not math.isclose(row.rms, abs(now), rel_tol=1e-12, abs_tol=0.0):
            told.append(f"{match[2]} of `{match[1]}` was {row.rms:.9g} and is {now:.9g}")
    if told:
        yield few(told, "")


def _number(value: object) -> float | None:
    if isinstance(value, ir.Scalar):
        value = value.value
    return float(value) if isinstance(value, float) else None


def _values(
    what: str, kind: str, names: Sequence[str], now: Sequence[str], *, always: bool = False
) -> Iterator[str]:
    found = re.compile(rf"(?:step0|eval)/{kind}/(\w+)")
    before = dict.fromkeys(match[1] for name in names if (match := found.fullmatch(name)))
    if before or always:
        gone = [name for name in before if name not in now]
        yield from renamed(gone, [name for name in now if name not in before], what)


def _inputs(names: Sequence[str], inputs: Sequence[ir.Value]) -> Iterator[str]:
    """Inputs that a gradient reaches, by which alone a golden knows them."""
    prefix = "step0/input_grad/"
    before = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    now = [value.name for value in inputs]
    gone = [name for name in before if name not in now]
    new = [value.name for value in inputs if value.type.floating and value.name not in before]
    if gone:
        yield from renamed(gone, new if len(new) == len(gone) else (), "inputs")


def _parameters(subject: ir.Module, step: ir.Step, rows: Iterable[TensorRow]) -> Iterator[str]:
    """Parameters that came or went in layers that stayed, and that are trained or no longer."""
    prefix = "step0/delta/"
    before = [row.name.removeprefix(prefix) for row in rows if row.name.startswith(prefix)]
    now = [name for name, _, _ in subject.parameters()]
    held = {*subject.frozen_names, *(n for selection in step.frozen for n in selection.names)}
    trained = [name for name in now if name not in held]
    gone = [name for name in before if name not in now]
    new = [name for name in trained if name not in before]
    yield from renamed(*_in_layers_that_stayed(gone, new, before, now), "parameters")
    reached = {row.name.removeprefix("step0/grad/") for row in rows if row.kind != "absent"}
    still = [name for name in now if name in held and name in reached]
    if still:
        yield few([f"`{name}`" for name in still], "frozen: ")


def _in_layers_that_stayed(
    gone: Sequence[str], new: Sequence[str], before: Collection[str], now: Collection[str]
) -> tuple[list[str], list[str]]:
    """Of parameters that went or came those whose layer did not, which is told by itself."""

    def layers(names: Iterable[str]) -> set[str]:
        return {name.rpartition(".")[0].partition(".parametrizations")[0] for name in names}

    both = layers(before) & layers(now)
    return (
        [name for name in gone if layers([name]) <= both],
        [name for name in new if layers([name]) <= both],
    )
