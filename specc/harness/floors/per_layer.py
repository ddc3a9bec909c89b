"""Judges each layer by itself, on what the float64 run of the case gave it.

In a deep model what reaches a late layer errs by far more than the layer does, and hides what it
does wrong. So each layer is run once more by itself: on the inputs, with the weights, and backward
from the gradients that it had in float64, rounded to the run's precision. What it should give is
the same layer in float64 on those same rounded numbers; so the error is the layer's own. Whole
tensors are compared, by root-mean-square, the largest element and the gain: by how much the result
is longer along what it should be, which honest rounding averages out of and a wrong factor does
not.

A golden holds the floors alone. What is expected is computed anew, by the source that is judged;
that this is what the spec means is what the float64 run shows (``exactly``). Non-goals: running the
case (``observe``), running a layer (``layer_calls``).
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from specc.harness.cases.case import ClosedCase
from specc.harness.cases.matrix import Case
from specc.harness.floors.whole_numbers import off_on_whole_numbers
from specc.harness.running.layer_calls import Again, RecordedCall, again, load, state_of
from specc.harness.running.observe import Run, Setting, observe
from specc.harness.running.observed_lines import with_hooks
from specc.harness.running.ongoing_run import untouched
from specc.harness.running.recorder import Observation
from specc.ir import Program


@dataclass(frozen=True, slots=True)
class Error:
    """Of one tensor of a layer alone, relative to the root-mean-square of what is expected
    (absolute where that is zero); ``elements`` says how many there are, ``unit`` is the epsilon of
    its dtype. ``whole`` is how far the layer is off where nothing rounds (``whole_numbers``)."""

    rms: float
    largest: float
    gain: float
    elements: int = 0
    unit: float = 0.0
    whole: float = 0.0


# Elements that are compared at a time.
_PIECE = 1 << 16

# Of a value that is not there, or has another shape, or NaN where a number should be.
LOST = Error(math.inf, math.inf, math.inf)


class Expected:
    """A number that a layer should make by itself, ``name``, and what its errors are relative
    to."""

    def __init__(self, name: str, value: Tensor) -> None:
        self.name = name
        self.value = value
        real = _real(value).double()
        self._finite: Tensor | None = None
        self._endless = real[:0]
        # One value that is not finite makes the square so; it may overflow as well.
        if not math.isfinite(float(real.dot(real))):
            finite = torch.isfinite(real)
            if not bool(finite.all()):
                self._finite = finite
                self._endless = real[~finite]
        self._real = real if self._finite is None else real[self._finite]
        count = self._real.numel()
        self._square = float(self._real.dot(self._real)) / count if count else 0.0

    def error(self, found: Tensor | None) -> Error:
        """How far ``found`` is off."""
        if found is None or found.shape != self.value.shape:
            return LOST
        if found.is_complex() != self.value.is_complex():
            return LOST
        if not (found.is_floating_point() or found.is_complex()):
            return LOST
        unit = float(torch.finfo(found.dtype).eps)
        one = _real(found)
        if self._finite is not None:
            # A mask of minus infinities is right where it is.
            endless = one[~self._finite].double()
            same = (endless == self._endless) | (endless.isnan() & self._endless.isnan())
            if not bool(same.all()):
                return LOST
            one = one[self._finite]
        count = one.numel()
        if not count:
            return Error(0.0, 0.0, 0.0, 0, unit)
        square = along = largest = 0.0
        # Piece by piece, so that what lies between stays in the cache.
        for piece, real in zip(one.split(_PIECE), self._real.split(_PIECE), strict=True):
            error = piece.double() - real
            square += float(error.dot(error))
            along += float(error.dot(real))
            largest = max(largest, *(abs(float(end)) for end in error.aminmax()))
        scale = math.sqrt(self._square) or 1.0
        rms = math.sqrt(square / count) / scale
        if not math.isfinite(rms):
            return LOST
        gain = abs(along) / count / self._square if self._square > 0.0 else 0.0
        return Error(rms, largest / scale, gain, count, unit)


@dataclass(frozen=True)
class Alone:
    """A layer by itself on what the float64 run gave it: the ``call`` in its own precision, with
    the weights that float64 had, and what it should make."""

    call: RecordedCall
    expected: Sequence[Expected]
    stage: str

    def values(self, setting: Setting) -> list[tuple[Expected, Tensor | None]]:
        """What should be and what is in ``setting``; nothing for a layer that does not run so."""
        try:
            with setting.surroundings():
                found = again(self.call, self.call.tensors, self.call.gradients, {})
        except Exception:  # a layer that ran in the case, and by itself does not: not judged so
            return []
        made = {f"{self.stage}/{name}": value for name, value in _made(self.call.path, found)}
        return [(each, made.get(each.name)) for each in self.expected]

    def errors(self, setting: Setting) -> dict[str, Error]:
        """How the layer errs in ``setting``, by the value's name."""
        return {each.name: each.error(value) for each, value in self.values(setting)}


# A layer and the dtypes of what it is given and gives.
_Key = tuple[str, tuple[torch.dtype, ...], tuple[torch.dtype, ...]]


@dataclass
class Exact:
    """The float64 run of a case, and what its layers give by themselves on rounded numbers."""

    run: Run
    stage: str
    _expected: dict[_Key, list[Expected]] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run, case: Case) -> Exact:
        """The layers of ``run``, a float64 run of ``case`` with their calls."""
        return cls(run, "step0" if case.mode == "train" else "eval")

    def alone(self, own: RecordedCall, *, keep: bool = True) -> Alone | None:
        """The layer of ``own``, a call of another precision, by itself; None for a layer that
        cannot be run on what the float64 run gave it. What it should make is kept for another
        call of the same kind, if ``keep``."""
        exact = self.run.calls.get(own.path)
        given = None if exact is None else _forced(own, exact)
        if exact is None or given is None:
            return None
        try:
            expected = self._of_float64(exact, own, keep)
            layer = copy.deepcopy(own.layer)
            load(layer, state_of(exact.layer))
        except Exception:  # as in Alone.values
            return None
        following = iter(given)
        filled = [next(following) if isinstance(each, Tensor) else each for each in own.given]
        forced = replace(own, layer=layer, given=filled, gradients=_laid_out(exact, own))
        return Alone(forced, expected, self.stage)

    def _of_float64(self, exact: RecordedCall, own: RecordedCall, keep: bool) -> list[Expected]:
        """What ``exact`` makes of numbers that ``own``'s dtypes hold."""
        key = (own.path, tuple(each.dtype for each in own.tensors), tuple(own.results))
        expected = self._expected.get(key)
        if expected is None:
            given = [
                _rounded(each, like.dtype)
                for each, like in zip(exact.tensors, own.tensors, strict=True)
            ]
            gradients = [
                None if each is None else _rounded(each, dtype)
                for each, dtype in zip(exact.gradients, own.results, strict=False)
            ]
            dtypes = {name: each.dtype for name, each in state_of(own.layer).items()}
            state = {
                name: _rounded(each, dtypes[name])
                for name, each in state_of(exact.layer).items()
                if name in dtypes
            }
            found = again(exact, given, gradients, state)
            before = dict(exact.layer.named_buffers())
            found.buffers = {
                name: value
                for name, value in found.buffers.items()
                if not torch.equal(value, before[name])
            }
            expected = [
                Expected(f"{self.stage}/{name}", value)
                for name, value in _made(own.path, found)
                if value.is_floating_point() or value.is_complex()
            ]
            if keep:
                self._expected[key] = expected
        return expected


def exactly(
    program: Program,
    closed: ClosedCase,
    source: str,
    prepare: Callable[[nn.Module], None] = untouched,
    optimizer: str = "",
) -> Exact:
    """Run ``closed`` in float64 with the calls of its layers. ``prepare`` is given the module
    before it runs, ``optimizer`` is as in ``Setting``. Raises RunFailed."""
    setting = Setting(
        "eager", "cpu", "float64", layers=True, calls=True, prepare=prepare, optimizer=optimizer
    )
    return Exact.of(observe(program, closed, source, setting), closed.case)


def exactly_without_hooks(
    program: Program,
    closed: ClosedCase,
    source: str,
    prepare: Callable[[nn.Module], None] = untouched,
) -> list[Observation]:
    """What ``closed`` shows in float64 where no hook is installed. Raises RunFailed."""
    setting = Setting("eager", "cpu", "float64", prepare=prepare, without_hooks=True)
    seen = observe(program, closed, source, setting).observations
    return [item for item in seen if with_hooks(item.name)]


def takes_another_way(run: Run) -> bool:
    """Whether ``run`` gave other bits where no hook was installed: another computation, it may be,
    that float64 has not seen."""
    seen = {item.name: item for item in run.observations}
    for item in run.observations:
        own = seen.get(with_hooks(item.name))
        if own is not None and item.values is not None:
            if own.values is None or not torch.equal(own.values, item.values):
                return True
    return False


def errors(exact: Exact, run: Run, setting: Setting) -> dict[str, Error]:
    """How each layer of ``run`` errs by itself, by the value's name."""
    found: dict[str, Error] = {}
    for call in run.calls.values():
        alone = exact.alone(call)
        if alone is not None:
            found |= alone.errors(setting)
            own = found.get(f"{exact.stage}/alone/{call.path}", LOST)
            whole = 0.0 if own is LOST else off_on_whole_numbers(call, setting)
            if whole:
                found[f"{exact.stage}/alone/{call.path}"] = replace(own, whole=whole)
    return found


def _forced(own: RecordedCall, exact: RecordedCall) -> list[Tensor] | None:
    """What ``exact`` was given, as ``own`` holds such: its dtype, device and layout. None where
    the two were given different things."""
    if len(own.given) != len(exact.given):
        return None
    found = []
    for mine, wanted in zip(own.given, exact.given, strict=True):
        if not isinstance(mine, Tensor) or not isinstance(wanted, Tensor):
            if isinstance(mine, Tensor) != isinstance(wanted, Tensor) or mine != wanted:
                return None
            continue
        fits = mine.shape == wanted.shape and (
            mine.is_floating_point() == wanted.is_floating_point()
            and mine.is_complex() == wanted.is_complex()
        )
        if not fits:
            return None
        found.append(torch.empty_like(mine).copy_(wanted))
    return found


def _laid_out(exact: RecordedCall, own: RecordedCall) -> list[Tensor | None]:
    """The gradients that backward left in float64, each in the layout that it has in ``own``."""
    return [
        wanted if wanted is None or mine is None or mine.shape != wanted.shape
        else torch.empty_like(mine).copy_(wanted)
        for wanted, mine in itertools.zip_longest(exact.gradients, own.gradients)
    ]  # fmt: skip


def _rounded(value: Tensor, dtype: torch.dtype) -> Tensor:
    return value.to(dtype).to(value.dtype)


def _made(path: str, found: Again) -> Iterator[tuple[str, Tensor]]:
    """Each number that the layer at ``path`` made, by what names it within a stage."""
    for k, value in found.outputs.items():
        yield f"alone/{_numbered(path, k)}", value
    for name, value in found.buffers.items():
        yield f"alone_buffer/{path}.{name}", value
    for k, value in found.inputs.items():
        yield f"alone_input_grad/{_numbered(path, k)}", value
    for name, value in found.parameters.items():
        yield f"alone_grad/{path}.{name}", value


def _numbered(path: str, position: int) -> str:
    return f"{path}/{position}" if position else path


def _real(value: Tensor) -> Tensor:
    value = value.detach().cpu()
    if value.is_complex():
        value = torch.view_as_real(value.resolve_conj())
    return value.reshape(-1)
