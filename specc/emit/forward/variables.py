"""The variables of one function: which name holds which value, and for how long.

A name is taken over by a later value only when nothing reads the earlier one any more. Non-goal:
what is assigned to them (``body``)."""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Iterable
from typing import Final

from specc import ir
from specc.emitted_names import RESERVED

_TEMPORARIES: Final = ("x", "h", "y", "z", "u", "v")


class Variables:
    """The names of a function whose values are read as often as ``reads`` counts.

    ``taken`` are names that no value may have; ``user_names`` those that values have in the
    spec."""

    def __init__(
        self, reads: Counter[int], taken: Iterable[str], user_names: Iterable[str]
    ) -> None:
        self.reads = reads
        self._taken = set(taken) | RESERVED
        self._user_names = set(user_names)
        self._names: dict[int, str] = {}
        self._holders: dict[str, int] = {}

    def temporary(self) -> str:
        """A name for what the spec did not name."""
        for candidate in _TEMPORARIES:
            if candidate not in self._user_names and not self.held(candidate):
                return candidate
        return _TEMPORARIES[0]

    def claim(self, value: ir.Value, wanted: str) -> str:
        """A name for ``value``: the wanted one, or the next that nothing living holds."""
        name = self.free(wanted)
        self.hold(value, name)
        return name

    def free(self, wanted: str) -> str:
        """``wanted``, or the next name like it that nothing living holds."""
        name, number = wanted, 1
        while name in self._taken or self.held(name) or keyword.iskeyword(name):
            number += 1
            name = f"{wanted}_{number}"
        return name

    def reserve(self, wanted: str) -> str:
        """A name like ``wanted`` that no value of this function has or takes."""
        name, number = wanted, 1
        while keyword.iskeyword(name) or (
            name in self._taken or name in self._user_names or self.held(name)
        ):
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name

    def hold(self, value: ir.Value, name: str) -> None:
        """``value`` is in the variable ``name`` from here on."""
        self._names[id(value)] = name
        self._holders[name] = id(value)

    def name_of(self, value: ir.Value) -> str | None:
        """The variable that holds ``value``; None while it is an expression."""
        return self._names.get(id(value))

    def held(self, name: str) -> bool:
        """Whether something that is still read is in the variable ``name``."""
        holder = self._holders.get(name)
        return holder is not None and self.reads[holder] > 0
