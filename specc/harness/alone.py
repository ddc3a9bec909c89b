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
case (``observe``), running a layer (``calls``).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from specc.harness.calls import Again, Call, again, state_of
from specc.harness.case import ClosedCase
from specc.harness.observe import Run, Setting, observe
from specc.harness.running import untouched
from specc.ir import Program

# A layer and the dtypes of what it is given and gives.
_Key = tuple[str, tuple[torch.dtype, ...], tuple[torch.dtype, ...]]


@dataclass(frozen=True, slots=True)
class Error:
    """Of one tensor of a layer alone, relative to the root-mean-square of what is expected
    (absolute where that is zero); ``elements`` says how many there are, ``unit`` is the epsilon of
    its dtype."""

    rms: float
    largest: float
    gain: float
    elements: int = 0
    unit: float = 0.0


# Of a value that is not there, or has another shape, or NaN where a number should be.
LOST = Error(math.inf, math.inf, math.inf)


@dataclass
class Exact:
    """The float64 run of a case, and what its layers give by themselves on rounded numbers."""

    run: Run
    stage: str
    _expected: dict[_Key, Again] = field(default_factory=dict)

    def errors(self, own: Call, setting: Setting) -> dict[str, Error]:
        """How ``own``, a layer's call in another precision, errs by itself in ``setting``, by the
        value's name; nothing for a layer that cannot be run on what the float64 run gave it."""
        return {name: _error(found, wanted) for name, found, wanted in self.values(own, setting)}

    def values(self, own: Call, setting: Setting) -> list[tuple[str, Tensor | None, Tensor]]:
        """(name, what is, what should be) of each number that the layer makes by itself."""
        exact, forced = self.run.calls.get(own.path), self.forced(own)
        if exact is None or forced is None:
            return []
        try:
            expected = self._alone(exact, own)
            with setting.surroundings():
                found = again(forced, forced.tensors, forced.gradients, state_of(exact.layer))
        except Exception:  # a layer that ran in the case, and by itself does not: not judged so
            return []
        pairs = _pairs(own.path, found, expected, exact)
        return [(f"{self.stage}/{name}", value, wanted) for name, value, wanted in pairs]

    def forced(self, own: Call) -> Call | None:
        """``own`` with what the float64 run gave the layer, in its own dtypes and layouts; None
        where the two were given different things."""
        exact = self.run.calls.get(own.path)
        given = None if exact is None else _forced(own, exact)
        if exact is None or given is None:
            return None
        following = iter(given)
        filled = [next(following) if isinstance(each, Tensor) else each for each in own.given]
        return replace(own, given=filled, gradients=_laid_out(exact, own))

    def _alone(self, exact: Call, own: Call) -> Again:
        """``exact`` on numbers that ``own``'s dtypes hold."""
        key = (own.path, tuple(each.dtype for each in own.tensors), tuple(own.results))
        if key not in self._expected:
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
            self._expected[key] = again(exact, given, gradients, state)
        return self._expected[key]


def exactly(
    program: Program,
    closed: ClosedCase,
    source: str,
    prepare: Callable[[nn.Module], None] = untouched,
) -> Exact:
    """Run ``closed`` in float64 with the calls of its layers. ``prepare`` is given the module
    before it runs. Raises RunFailed."""
    setting = Setting("eager", "cpu", "float64", layers=True, calls=True, prepare=prepare)
    stage = "step0" if closed.case.mode == "train" else "eval"
    return Exact(observe(program, closed, source, setting), stage)


def errors(exact: Exact, run: Run, setting: Setting) -> dict[str, Error]:
    """How each layer of ``run`` errs by itself, by the value's name."""
    return {
        name: error
        for call in run.calls.values()
        for name, error in exact.errors(call, setting).items()
    }


def _forced(own: Call, exact: Call) -> list[Tensor] | None:
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


def _laid_out(exact: Call, own: Call) -> list[Tensor | None]:
    """The gradients that backward left in float64, each in the layout that it has in ``own``."""
    return [
        wanted if wanted is None or mine is None or mine.shape != wanted.shape
        else torch.empty_like(mine).copy_(wanted)
        for wanted, mine in itertools.zip_longest(exact.gradients, own.gradients)
    ]  # fmt: skip


def _rounded(value: Tensor, dtype: torch.dtype) -> Tensor:
    return value.to(dtype).to(value.dtype)


def _pairs(
    path: str, found: Again, expected: Again, exact: Call
) -> Iterator[tuple[str, Tensor | None, Tensor]]:
    """(name, what is, what should be) of each number that the layer makes."""
    before = dict(exact.layer.named_buffers())
    groups: list[tuple[str, Mapping[object, Tensor], Mapping[object, Tensor]]] = [
        ("alone", _named(path, found.outputs), _named(path, expected.outputs)),
        ("alone_buffer", _dotted(path, found.buffers), _dotted(path, {
            name: value for name, value in expected.buffers.items()
            if not torch.equal(value, before[name])
        })),
        ("alone_input_grad", _named(path, found.inputs), _named(path, expected.inputs)),
        ("alone_grad", _dotted(path, found.parameters), _dotted(path, expected.parameters)),
    ]  # fmt: skip
    for kind, mine, wanted in groups:
        for name, value in wanted.items():
            if value.is_floating_point() or value.is_complex():
                yield f"{kind}/{name}", mine.get(name), value


def _named(path: str, tensors: Mapping[int, Tensor]) -> dict[object, Tensor]:
    return {f"{path}/{k}" if k else path: each for k, each in tensors.items()}


def _dotted(path: str, tensors: Mapping[str, Tensor]) -> dict[object, Tensor]:
    return {f"{path}.{name}": each for name, each in tensors.items()}


def _error(found: Tensor | None, expected: Tensor) -> Error:
    if found is None or found.shape != expected.shape:
        return LOST
    if not (found.is_floating_point() or found.is_complex()):
        return LOST
    unit = float(torch.finfo(found.dtype).eps)
    one, wanted = (_real(each) for each in (found, expected))
    finite = torch.isfinite(wanted)
    if not bool(finite.all()):
        # A mask of minus infinities is right where it is.
        if not torch.equal(one[~finite].nan_to_num(), wanted[~finite].nan_to_num()):
            return LOST
        one, wanted = one[finite], wanted[finite]
    if not wanted.numel():
        return Error(0.0, 0.0, 0.0, 0, unit)
    square = float(wanted.square().mean())
    scale = math.sqrt(square) or 1.0
    error = one - wanted
    rms = float(error.square().mean().sqrt()) / scale
    if not math.isfinite(rms):
        return LOST
    gain = abs(float((error * wanted).mean())) / square if square > 0.0 else 0.0
    return Error(rms, float(error.abs().max()) / scale, gain, wanted.numel(), unit)


def _real(value: Tensor) -> Tensor:
    value = value.detach().cpu()
    if value.is_complex():
        value = torch.view_as_real(value.resolve_conj())
    return value.double().reshape(-1)
