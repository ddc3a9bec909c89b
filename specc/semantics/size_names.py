"""Whether the name of a new size is another name typed wrong: ``boservations`` beside the param
`observations`.

Stricter than what is near among names that nothing has: here both readings are right, and sizes are
called honestly by short names and by pairs (`frame` and `frames`, `q_len` and `k_len`, `batch`
beside `patch`). Non-goal: names that nothing has (``missing``)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

# Shorter names are symbols: N, T, C1.
_SHORTEST: Final = 3
# From so many letters on the first may be the one that is missing or too many.
_LONG: Final = 6
# From so many letters on another letter is a slip wherever it is on the keyboard, and two slips are
# one name still, if the letters are the same but for one.
_LONGEST: Final = 8
_KEYS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS: Final = frozenset(
    pair for row in _KEYS for one, other in pairwise(row)
    for pair in ((one, other), (other, one))
)  # fmt: skip


def meant(name: str, known: Iterable[str], sizes: Iterable[str] = ()) -> str | None:
    """The one of ``known`` (params) or ``sizes`` that ``name`` is a slip of; None for a name of its
    own."""
    for other in known:
        # One thing is a param's, how many there are is the run's: `frame`, `frames`.
        if name != f"{other}s" and _is_slip(name, other):
            return other
    for other in sizes:
        if f"{other}s" != name and f"{name}s" != other and _is_slip(name, other):
            return other
    return None


def _is_slip(name: str, other: str) -> bool:
    parts, others = name.split("_"), other.split("_")
    if len(parts) == len(others):
        pairs = zip(parts, others, strict=True)
        different = [(one, two) for one, two in pairs if one.casefold() != two.casefold()]
        if len(different) == 1:
            return _is_slip_of_word(*different[0])
        return not different and len(name) >= _SHORTEST
    return _is_slip_of_word("".join(parts), "".join(others))


def _is_slip_of_word(one: str, other: str) -> bool:
    """Whether one slip of the fingers makes ``one`` of ``other``, or two in a long word."""
    one, other = one.casefold(), other.casefold()
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) < _SHORTEST or re.findall(r"\d", one) != re.findall(r"\d", other):
        return False
    if one == other:
        return True
    front = next((at for at, pair in enumerate(zip(one, other, strict=False))
                  if pair[0] != pair[1]), len(shorter))  # fmt: skip
    if len(shorter) == len(longer):
        first, second = one[front : front + 2], other[front : front + 2]
        if first == second[::-1] and one[front + 2 :] == other[front + 2 :]:
            return True
        if one[front + 1 :] == other[front + 1 :]:
            near = len(one) >= _LONGEST or (one[front], other[front]) in _NEIGHBOURS
            return front > 0 and near
    elif len(longer) == len(shorter) + 1 and shorter[front:] == longer[front + 1 :]:
        return front > 0 or len(longer) >= _LONG
    return len(shorter) >= _LONGEST - 1 and front > 0 and _two_slips(one, other)


def _two_slips(one: str, other: str) -> bool:
    left, right = Counter(one), Counter(other)
    alike = max((left - right).total(), (right - left).total()) <= 1
    return alike and _distance(one, other) <= 2


def _distance(one: str, other: str) -> int:
    """Letters put in, left out, put for another or swapped with the next (Damerau 1964)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
