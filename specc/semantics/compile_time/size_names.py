"""Whether the name of a new size is another name typed wrong: ``boservations`` beside the param
`observations`.

Of the names that are near (``suggestions``) fewer are asked about than where nothing has the name:
here both readings are right, and sizes are called honestly by short names and by pairs (`frame` and
`frames`, `q_len` and `k_len`, `batch` beside `patch`). Non-goal: names that nothing has
(``missing``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from specc.suggestions import slips

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
    parts, others = name.casefold().split("_"), other.casefold().split("_")
    if len(parts) != len(others):
        return _is_slip_of_word("".join(parts), "".join(others))
    different = [(one, two) for one, two in zip(parts, others, strict=True) if one != two]
    if not different:
        return len(name) >= _SHORTEST
    return len(different) == 1 and (
        _is_slip_of_word(*different[0]) or (len(parts) > 1 and _is_short_for(*different[0]))
    )


def _is_short_for(one: str, other: str) -> bool:
    """Whether one word is the beginning of the other: `n` of `num`."""
    shorter, longer = sorted((one, other), key=len)
    return bool(shorter) and longer.startswith(shorter) and longer != f"{shorter}s"


def _is_slip_of_word(one: str, other: str) -> bool:
    """Whether the slips that make ``one`` of ``other``, if they are near, are such as the fingers
    make: of letters that no other word would have."""
    count = slips(one, other)
    shorter, longer = sorted((one, other), key=len)
    if count is None or len(shorter) < _SHORTEST:
        return False
    if count == 0:
        return True
    front = next(
        (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        len(shorter),
    )
    if count > 1:
        left, right = Counter(one), Counter(other)
        alike = max((left - right).total(), (right - left).total()) <= 1
        return alike and front > 0 and len(shorter) >= _LONGEST - 1
    if len(shorter) < len(longer):
        return front > 0 or len(longer) >= _LONG
    if sorted(one) == sorted(other):
        return True
    return front > 0 and (len(one) >= _LONGEST or (one[front], other[front]) in _NEIGHBOURS)
