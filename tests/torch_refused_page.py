"""docs/refused.md, made of the table of refusals: ``python tests/torch_refused_page.py``.

Non-goal: what stands in it (``torch_refusals``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from torch_refusals import OTHERWISE_COMPUTED, REASONS, Reason

_HEAD: Final = """# What torch takes and a spec does not

torch tests its functions, layers and losses with samples of its own. `tests/test_torch_samples.py`
says each in the language, some 16,000 calls, and runs both: what specc takes gives torch's results,
gradients and states to the bit. What it does not take is listed here by its reason, and the test
holds the list to what is refused. Names that the catalogue has no row for are in
[catalogue.md](catalogue.md). This page is generated (`python tests/torch_refused_page.py >
docs/refused.md`).
"""


def page() -> str:
    """The documentation of the table."""
    lines = [_HEAD, "| what | why | of | a spec says |", "| --- | --- | --- | --- |"]
    lines += [_line(reason) for reason in REASONS]
    lines += ["", "## Computed otherwise", ""]
    lines += [f"- `{name}` is {what}." for name, what in OTHERWISE_COMPUTED.items()]
    return "\n".join(lines) + "\n"


def _line(reason: Reason) -> str:
    return f"| {reason.title} | {reason.why} | {_named(reason.names)} | {reason.instead} |"


def _named(names: Sequence[str]) -> str:
    shown = (_WRITTEN.get(name, name) for name in names)
    return ", ".join(f"`{name}`" for name in shown) if names else "any"


# What torch calls a method, as it is written.
_WRITTEN: Final = {"__getitem__": "x[...]"}


if __name__ == "__main__":
    print(page(), end="")
