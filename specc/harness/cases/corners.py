"""Draws that reach the corners: what a batch must hold beside what chance gives it.

Both ends of whole numbers and labels, an Embedding's padding entry, a label that a loss ignores,
both values of bools, a row of a mask that is all true and one that is all false, both ends of a
``unit``, equal neighbours before a maximum pool, and one CTC alignment that cannot be where the
loss has a word for it. Where they go is the portable generator's to say. What an input of few
elements cannot hold at once its steps hold in turn.

Some models have no finite number for a mask's whole row, and some inputs none at an end: ``LEVELS``
are the corners left out, one after the other, until the float64 run is finite (``bless``).
Non-goals: what the values are for (``input_roles``), every other number (``case``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from specc.harness.cases import subject
from specc.harness.cases.input_roles import Alignment, Role, roles_of
from specc.harness.numbers.counter import bits
from specc.harness.numbers.noise import integers
from specc.ir import Program
from specc.sizes import Size, evaluate


@dataclass(frozen=True, slots=True)
class Level:
    """Which of the corners that not every model has a number for are drawn."""

    rows: tuple[bool, ...]
    ends: bool


LEVELS = (
    Level((True, False), ends=True),
    Level((False,), ends=True),
    Level((True,), ends=True),
    Level((), ends=False),
)
# Fewer places than these are put into an order as a whole.
_FEW = 4096
# One pair of neighbours in so many is equal before a maximum pool.
_PAIRS = 8


def levels(program: Program) -> tuple[int, ...]:
    """The places in ``LEVELS`` between which the inputs that are drawn can tell a difference."""
    read = {name for name, _ in program.test.samples}
    roles = roles_of(program).of
    masks = ends = False
    for value in (*subject.model_inputs(program), *subject.train_inputs(program)):
        if value.name in read:
            continue
        masks |= value.type.dtype == "bool" and len(value.type.shape) > 1
        ends |= value.type.meaning == "unit" and roles[value.name].takes_ends
    last = len(LEVELS) - 1
    return tuple(range(last + 1)) if masks else (0, last) if ends else (0,)


@dataclass(frozen=True, slots=True)
class Corners:
    """Puts corners into what was drawn for one input and step, in place."""

    seed: int
    level: Level

    def whole_numbers(
        self, drawn: Tensor, name: str, step: int, role: Role, bound: int, *, marks: bool
    ) -> None:
        """0 and ``bound - 1``, and what the input's role asks for; never what is ignored alone, and
        no 0 of what divides.

        ``marks`` says that the input's type has numbers below 0."""
        marks = marks and role.takes_marks
        held = [value for value in role.special if value < bound and (marks or value >= 0)]
        self._hold(drawn, name, step, tuple(dict.fromkeys((*held, 0, bound - 1))))
        flat = drawn.view(-1)
        if role.divides:
            flat[flat == 0] = max(1, bound - 1)
        if role.ignored and all(value in role.ignored for value in _distinct(flat)):
            counted = [value for value in range(bound) if value not in role.ignored]
            if counted and flat.numel():
                place = self._places(name, step, flat.numel(), 1)[0]
                flat[place] = counted[step % len(counted)]

    def unit(self, drawn: Tensor, name: str, step: int, role: Role) -> None:
        """0 and 1, where what reads the input has a number for them."""
        if self.level.ends and role.takes_ends:
            self._hold(drawn, name, step, (0.0, 1.0))

    def neighbours(self, drawn: Tensor, role: Role) -> None:
        """Equal neighbours along the last dimension, where a maximum pool may have to choose."""
        if role.pooled and drawn.dim() and drawn.shape[-1] > 1:
            right = drawn[..., 1::_PAIRS]
            right.copy_(drawn[..., 0 : drawn.shape[-1] - 1 : _PAIRS])

    def bools(self, drawn: Tensor, name: str, step: int) -> None:
        """Both values; of a mask's rows one all true, one all false, and both values in the rest.

        A single bool is another one in each step.
        """
        if drawn.dim() > 1 and drawn.shape[-1] > 1:
            self._rows(drawn.view(-1, drawn.shape[-1]), name, step)
        elif drawn.numel() == 1:
            first = integers(self.seed, name, (1,), 2).to(torch.bool)
            drawn.view(-1).copy_(first ^ bool(step % 2))
        else:
            self._hold(drawn, name, step, (True, False))

    def _rows(self, rows: Tensor, name: str, step: int) -> None:
        count, length = rows.shape
        for row, both in zip(rows, integers(self.seed, f"{name}/both", (count,), length,
                                            step=step).tolist(), strict=True):  # fmt: skip
            if bool((row == row[0]).all()):
                row[both] = ~row[both]
        wanted = self.level.rows
        # One row at least holds both values, and shows what a mask does within it.
        held = _in_turn(wanted, count - 1 if count > 1 else count, step)
        for place, value in zip(self._places(name, step, count, len(held)), held, strict=False):
            if value is not None:
                rows[place] = value

    def _hold(self, drawn: Tensor, name: str, step: int, wanted: Sequence[float]) -> None:
        flat = drawn.view(-1)
        held = _in_turn(wanted, flat.numel(), step)
        places = self._places(name, step, flat.numel(), len(held))
        for place, value in zip(places, held, strict=False):
            if value is not None:
                flat[place] = value

    def _places(self, name: str, step: int, count: int, wanted: int) -> list[int]:
        """``wanted`` different places below ``count``, or all of them, in an order by chance."""
        stream = f"corner/{name}"
        if count < _FEW:
            order = torch.argsort(bits(self.seed, stream, (count,), step=step), stable=True)
            return [int(place) for place in order[:wanted]]
        drawn = integers(self.seed, stream, (16 * wanted,), count, step=step).tolist()
        return list(dict.fromkeys(drawn))[:wanted]

    def align(
        self, batch: Mapping[str, Tensor], of: Alignment, step: int, sizes: Mapping[str, Size]
    ) -> None:
        """Let every sequence of a CTC loss hold its labels, but for one where the loss sets the
        infinity of that one to zero. No label is the blank."""
        longest = evaluate(of.longest, sizes)
        assert isinstance(longest, int), f"{of.longest} is still open in a case"
        inputs, lengths = batch[of.input_lengths].view(-1), batch[of.label_lengths].view(-1)
        labels = batch[of.labels] if of.labels is not None else None
        if labels is not None:
            _without(labels, of.blank)
        rows = labels.view(inputs.numel(), -1) if labels is not None and labels.dim() > 1 else None
        if labels is not None and labels.dim() == 1 and inputs.numel() == 1:
            rows = labels.view(1, -1)

        def needed(sequence: int, length: int) -> int:
            """How many places the first ``length`` labels take: a blank between equal ones."""
            if rows is None:
                return max(0, 2 * length - 1)
            row = rows[sequence, :length]
            return length + int((row[1:] == row[:-1]).sum())

        count = inputs.numel()
        for sequence in range(count):
            length = int(lengths[sequence])
            while needed(sequence, length) > longest:
                length -= 1
            lengths[sequence] = length
            inputs[sequence] = max(int(inputs[sequence]), needed(sequence, length))
        if of.zero_infinity and (count > 1 or step % 2):
            (sequence,) = self._places(f"{of.input_lengths}/impossible", step, count, 1)
            lengths[sequence] = max(int(lengths[sequence]), 1)
            inputs[sequence] = needed(sequence, int(lengths[sequence])) - 1


def _distinct(flat: Tensor) -> list[int]:
    return [int(value) for value in flat.unique()]


def _in_turn(wanted: Sequence[float], count: int, step: int) -> list[float | None]:
    """What ``count`` places hold of ``wanted``: all where they are enough, or else some in each
    step, with a place left to chance (None) between."""
    if count >= len(wanted):
        return list(wanted)
    cycle = [None, *wanted]
    return [cycle[(step * count + place) % len(cycle)] for place in range(count)]


def _without(labels: Tensor, blank: int) -> None:
    """Let labels be another class than ``blank``: the one below, or above where there is none."""
    if blank > 0 or bool((labels > 0).any()):
        labels[labels == blank] = blank - 1 if blank > 0 else 1
