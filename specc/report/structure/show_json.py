"""What ``specc show`` says, as JSON for programs to read.

Every entry is there, whatever a table would fold. Non-goal: any count that the table has not.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from specc.inspect import program_notation
from specc.inspect.tree import TreeLine
from specc.inspect.view import ModelView, ProgramView
from specc.ir import shorter


def text(programs: list[ProgramView]) -> str:
    """A list with one object a spec."""
    return json.dumps([_program(each) for each in programs], indent=2)


def _program(view: ProgramView) -> dict[str, object]:
    return {
        "file": view.program.file,
        "models": [_model(each) for each in view.models],
        "training": None if view.training is None else asdict(view.training),
    }


def _model(view: ModelView) -> dict[str, object]:
    return {
        "name": view.model.name,
        "sizes": dict(view.sizes),
        "dtype": view.dtype,
        "params": {param.name: program_notation.literal(param.value, {}) for param in view.params},
        "conditions": [
            {
                "condition": f"{shorter.tidy(one.left)} {one.relation} {shorter.tidy(one.right)}",
                "reason": one.reason,
                "line": one.span.line,
            }
            for one in view.conditions
        ],
        "weights": None if view.checkpoint is None else asdict(view.checkpoint),
        "tree": _entry(view.tree),
    }


def _entry(entry: TreeLine) -> dict[str, object]:
    return {
        "kind": entry.kind,
        "name": entry.name,
        "path": entry.path,
        "type": entry.type,
        "text": entry.text,
        "file": entry.span.file if entry.span else None,
        "line": entry.span.line if entry.span else None,
        "calls": entry.calls,
        "results": [
            {
                "dtype": one.dtype,
                "shape": program_notation.shape(one.shape),
                "sizes": list(one.numbers),
            }
            for one in entry.results
        ],
        **asdict(entry.costs),
        "children": [_entry(child) for child in entry.children],
    }
