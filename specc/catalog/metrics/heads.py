"""How the function of a metric begins, as the formatter of emitted files lays it out.

Non-goal: what the function does.
"""

from __future__ import annotations

from collections.abc import Iterable

_WIDTH = 88


def head(function: str, parameters: Iterable[str]) -> str:
    """``def function(parameters) -> Tensor:`` on one line, on three, or a line a parameter."""
    given = list(parameters)
    line = f"def {function}({', '.join(given)}) -> Tensor:"
    if len(line) <= _WIDTH:
        return line
    inside = f"    {', '.join(given)}"
    if len(inside) > _WIDTH:
        inside = "\n".join(f"    {each}," for each in given)
    return f"def {function}(\n{inside}\n) -> Tensor:"
