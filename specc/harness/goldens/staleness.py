"""Why a golden is of another spec: what changed in the spec's meaning, as far as the golden tells.

A golden keeps a digest of the meaning, and beside it params, layers by name, parameters with their
shapes and what the optimizer was set to: those are compared, and named. Torch-free. Non-goals: the
case, the samples and the versions (``golden``); values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from specc import ir
from specc.catalog import OPTIMIZERS
from specc.harness.goldens.golden_schema import TensorRow
from specc.harness.goldens.spec_summary import differences as differences_in_words
from specc.harness.goldens.spec_summary import said as now_said
from specc.harness.goldens.stale_names import differences, few, renamed

_LAYER: Final = re.compile(r"[^/]+/layer/([A-Za-z_][\w.]*)")
_PARAMETER: Final = re.compile(r"[^/]+/(?:delta|grad)/([A-Za-z_][\w.]*)")
_OPTION: Final = re.compile(r"option/(?:\w+/)?group0/([\w.]+)")


def changed(
    program: ir.Program, params: Mapping[str, str], before: Mapping[str, str],
    rows: Iterable[TensorRow], said: Mapping[str, str] | None = None,
) -> list[str]:  # fmt: skip
    """What the spec says otherwise than when its golden was made, which has ``rows``, the params
    ``before`` and what the spec ``said`` then; ``params`` are those of now."""
    found = [
        f"param {name} was {value} and is {params.get(name, 'gone')}"
        for name, value in before.items()
        if params.get(name) != value
    ]
    rows = list(rows)
    named = [
        *_layers(program, rows), *_parameters(program, rows), *_optimizer(program, rows),
        *differences(program, rows),
    ]  # fmt: skip
    in_words = list(differences_in_words(said or {}, now_said(program), alone=not (named or found)))
    # What a name that went or came is in says no more.
    named += [text for text in in_words if text not in named]
    if named:
        return [*found, *named]
    return found or ["what the spec computes has changed"]


def _layers(program: ir.Program, rows: Iterable[TensorRow]) -> Iterator[str]:
    """Layers that came, went or are called otherwise."""
    before = dict.fromkeys(match[1] for row in rows if (match := _LAYER.fullmatch(row.name)))
    now = dict.fromkeys(path for path, _ in program.subject().all_layers)
    # Blocks, rows and what a layer has inside are observed beside the layers.
    gone = [name for name in before if name not in now and not _around(name, now)]
    blocks = {path for path, _ in program.subject().all_blocks}  # some have no layer inside
    gone = [name for name in gone if name not in blocks and not _inside(name, now)]
    twins = (
        {m.attribute for m in program.train.members if m.kind != "model"}
        if program.train
        else set()
    )
    new = [name for name in now if name not in before and name.partition(".")[0] not in twins]
    if not before:
        return
    if not gone and not new:
        return
    if len(gone) == len(new):
        yield from renamed(gone, new, "layers")
        return
    if gone:
        yield few([f"`{name}`" for name in gone], "gone: ")
    if new:
        yield few([f"`{name}`" for name in new], "new: ")


def _around(name: str, now: Iterable[str]) -> bool:
    return any(other.startswith(f"{name}.") for other in now)


def _inside(name: str, now: Mapping[str, None]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:count]) in now for count in range(1, len(parts)))


def _parameters(program: ir.Program, rows: Iterable[TensorRow]) -> Iterator[str]:
    """Parameters of another shape."""
    now = {name: tuple(shape) for name, _, shape in program.subject().parameters()}
    told: dict[str, str] = {}
    for row in rows:
        match = _PARAMETER.fullmatch(row.name)
        if match is None or match[1] not in now or row.kind == "absent":
            continue
        if tuple(row.shape) != now[match[1]]:
            told[match[1]] = f"`{match[1]}` was {_shape(row.shape)} and is {_shape(now[match[1]])}"
    if told:
        yield few([*told.values()], "")


def _optimizer(program: ir.Program, rows: Iterable[TensorRow]) -> Iterator[str]:
    """Another optimizer, or another number that it was set to."""
    before = {match[1]: row for row in rows if (match := _OPTION.fullmatch(row.name))}
    steps = program.train.steps if program.train is not None else ()
    if not before or len(steps) != 1 or steps[0].optimizer is None:
        return
    optimizer = steps[0].optimizer
    given = dict(OPTIMIZERS[optimizer.type].defaults) | dict(optimizer.arguments)
    for group in () if optimizer.rest.names else optimizer.groups[:1]:
        given |= dict(group.arguments)
    now = dict(_numbers(given))
    scheduler = steps[0].scheduler
    if scheduler is not None:
        # It moves them before the first step; what it starts from is kept, but of these two.
        moved = {"lr", "momentum", "betas.0"}
        lr = now.get("lr")
        now = {name: value for name, value in now.items() if name not in moved}
        own = scheduler.type not in ("OneCycleLR", "CyclicLR")
        if lr is not None and own and "initial_lr" in before:
            now["initial_lr"] = lr
    if any(name not in before for name in now):
        yield f"the optimizer was another one than {optimizer.type}"
        return
    for name, value in now.items():
        was = before[name].rms
        if was is not None and not math.isclose(was, abs(value), rel_tol=1e-12, abs_tol=0.0):
            told = name.removeprefix("initial_")
            yield f"{told} of {optimizer.type} was {was:.9g} and is {value:.9g}"


def _numbers(given: Mapping[str, object]) -> Iterator[tuple[str, float]]:
    for name, operand in given.items():
        value = ir.static_value(operand, {}) if not isinstance(operand, ir.Value) else None  # type: ignore[arg-type]  # compile-time, or a row's default
        for part, item in enumerate(value) if isinstance(value, tuple) else ((None, value),):
            if isinstance(item, int | float) and not isinstance(item, bool):
                yield (name if part is None else f"{name}.{part}"), float(item)


def _shape(sizes: Iterable[int]) -> str:
    return f"[{', '.join(map(str, sizes))}]"
