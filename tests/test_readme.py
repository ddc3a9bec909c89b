"""What README shows is what comes out. Non-goal: its shell commands, which ``.ci/run`` takes."""

from __future__ import annotations

import re

from conftest import ROOT

from specc.emit import emit
from specc.semantics import analyse

README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(heading: str, language: str = "") -> str:
    """The first block of code under ``heading``."""
    section = README.split(f"## {heading}\n", 1)[1]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_spec_compiles_to_the_source_that_is_shown() -> None:
    program = analyse(block("A spec"), "digits.spec")
    assert not program.warnings
    assert block("What comes out", "python") in emit(program)


def test_the_edit_that_is_caught_can_be_made_and_its_line_is_right() -> None:
    spec = block("A spec")
    caught = block("A regression, caught")
    edit = re.search(r"s/(.+?)/(.+?)/", caught)
    place = re.search(r"digits\.spec:(\d+)", caught)
    assert edit is not None and place is not None
    line = f"# digits.spec:{place[1]}"
    marked = [text for text in emit(analyse(spec, "digits.spec")).splitlines() if line in text]
    assert len(marked) == 1 and edit[1] in marked[0]
