"""What a name that nothing has was probably meant to be: the one rule of nearness, and its words.

Two names are near where a slip of the fingers makes one of the other. Case and underscores do not
count; digits do: `Conv1d` is no misspelt `Conv2d`. Non-goals: which names could stand at a place,
which whoever asks knows (`candidates` are of one kind); what other frameworks call a thing
(``catalog.advice.elsewhere``); whether a suggestion works where it is put
(``semantics.proposals.trial``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# Letters of the longer name, and how many slips are forgiven up to there.
_SLIPS: Final = ((1, 0), (5, 1), (11, 2))
_MOST_SLIPS: Final = 3
# In names as short, another letter is another name: `sum` is no misspelt `sub`.
_SHORT: Final = 3
# How many names a message lists.
_SHOWN: Final = 16
# Beyond, a name is not misspelt, and comparing takes time.
_LONGEST: Final = 200


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The one of ``candidates`` that ``name`` is a slip of, the nearest first; None if there is
    none."""
    if len(name) > _LONGEST:
        return None
    wanted = _folded(name)
    if not wanted.text:
        return None
    found: tuple[int, str] | None = None
    for candidate in candidates:
        if candidate == name or len(candidate) > _LONGEST:
            continue
        slips = _slips(wanted, _folded(candidate))
        if slips is not None and (found is None or slips < found[0]):
            found = (slips, candidate)
    return found[1] if found is not None else None


def slips(name: str, other: str) -> int | None:
    """How many slips of the fingers lie between two names; None where they are not near."""
    if max(len(name), len(other)) > _LONGEST:
        return None
    return _slips(_folded(name), _folded(other))


def did_you_mean(
    name: str, candidates: Iterable[str], otherwise: str | None = None, quote: str = "`{}`"
) -> str | None:
    """The help of a message on ``name``: the nearest candidate, or ``otherwise``."""
    close = nearest(name, candidates)
    return meant(close, quote) if close is not None else otherwise


def meant(name: str, quote: str = "`{}`") -> str:
    """``did you mean `name`?``"""
    return f"did you mean {quote.format(name)}?"


def listed(names: Iterable[str], before: str = "one of ", empty: str = "there is none") -> str:
    """``names`` as the help of a message on a name that is not among them."""
    known = list(names)
    if not known:
        return empty
    more = len(known) - _SHOWN
    shown = ", ".join(known[:_SHOWN] if more > 1 else known)
    return f"{before}{shown}" + (f", and {more} more" if more > 1 else "")


@dataclass(frozen=True, slots=True)
class _Folded:
    """A name as it is compared: its letters without case and underscores, its digits apart."""

    text: str
    letters: frozenset[str]
    digits: str


@lru_cache(maxsize=8192)
def _folded(name: str) -> _Folded:
    text = re.sub(r"[_\s-]", "", name).casefold()
    return _Folded(text, frozenset(text), "".join(re.findall(r"\d", text)))


def _slips(one: _Folded, other: _Folded) -> int | None:
    """How many slips lie between two folded names; None for more than are forgiven."""
    shorter, longer = sorted((len(one.text), len(other.text)))
    allowed = next((slips for length, slips in _SLIPS if longer <= length), _MOST_SLIPS)
    # A slip changes two letters at most; most names are told apart by that alone.
    if longer - shorter > allowed or len(one.letters ^ other.letters) > 2 * allowed:
        return 0 if one.text == other.text else None
    if one.digits != other.digits:
        return None
    if shorter == longer <= _SHORT and sorted(one.text) != sorted(other.text):
        return None
    found = _distance(one.text, other.text)
    return found if found <= allowed else None


@lru_cache(maxsize=4096)
def _distance(one: str, other: str) -> int:
    """Letters put in, left out, put for another, or swapped with the next, to make ``other`` of
    ``one``: the optimal string alignment (Damerau 1964)."""
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
