"""Brings the ``golden.json`` of an older format to the present one, a step a format.

A step takes the raw JSON of one format and gives that of the next. What it is given is untrusted
and not yet validated: it looks at no more than it must, and the result is validated like any other.
Non-goals: whether what was observed then still means the same (``golden``), writing: an old golden
stays as it is on disk until it is blessed again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Step = Callable[[dict[str, Any]], dict[str, Any]]


def _says_how_floors_were_found(raw: dict[str, Any]) -> dict[str, Any]:
    """Format 2 tells how floors are found apart from what is observed; there was one way before."""
    if "method" in raw:
        raise ValueError("format 1 has no 'method'")
    return {**raw, "method": 1}


def _has_no_layer_by_itself(raw: dict[str, Any]) -> dict[str, Any]:
    """Format 3 holds floors of layers by themselves; a golden before it judges none so."""
    if "alone" in raw:
        raise ValueError("format 2 has no 'alone'")
    return {**raw, "alone": {}}


def _has_no_digest(raw: dict[str, Any]) -> dict[str, Any]:
    """Format 4 has a digest of all that a golden says; an edit of one before it is not seen."""
    if "digest" in raw:
        raise ValueError("format 3 has no 'digest'")
    return {**raw, "digest": ""}


def _does_not_say_itself(raw: dict[str, Any]) -> dict[str, Any]:
    """Format 5 keeps what the spec says of its losses and inits; before it numbers alone tell."""
    if "said" in raw:
        raise ValueError("format 4 has no 'said'")
    return {**raw, "said": {}}


# The step that leads away from each format that there has been.
STEPS: dict[int, Step] = {
    1: _says_how_floors_were_found,
    2: _has_no_layer_by_itself,
    3: _has_no_digest,
    4: _does_not_say_itself,
}
FORMAT = len(STEPS) + 1
# The first format with a digest.
SEALED = 4


def migrated(raw: object) -> dict[str, Any]:
    """``raw`` in the present format; ValueError where its format is unknown, or it is not of it."""
    found = raw.get("format") if isinstance(raw, dict) else None
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise ValueError(f"its format is {str(found)[:20]}, and this specc reads 1 to {FORMAT}")
    if found > FORMAT:
        raise ValueError(f"its format is {found}, of a newer specc; this one reads 1 to {FORMAT}")
    assert isinstance(raw, dict)  # it has a format
    for number in range(found, FORMAT):
        raw = {**STEPS[number](raw), "format": number + 1}
    return raw
