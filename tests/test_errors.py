"""One line of what a library raised, and the one status that a run ends with."""

from __future__ import annotations

import re
from itertools import permutations
from pathlib import Path

import pytest

from specc.errors import Status, in_one_line, outweighing


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no\nmore"), "ValueError: no"),
        (ValueError("\n\n  TypeError: \nA Boolean\nmore"), "ValueError: TypeError: A Boolean"),
        (ValueError("One:\nTwo:\nthree"), "ValueError: One: Two: three"),
        (ValueError("One:\nTwo:"), "ValueError: One: Two:"),
        (KeyError(), "KeyError: no message"),
        (Unspeakable(), "Unspeakable: no message"),
        (ValueError("x" * 1000), "ValueError: " + "x" * 388),
    ],
)
def test_it_holds_the_reason(error: Exception, said: str) -> None:
    assert in_one_line(error) == said


def test_a_regression_outweighs_a_fault_and_a_fault_a_golden() -> None:
    for found in permutations([Status.WELL, Status.FAILED, Status.FAULT, Status.GOLDEN]):
        assert outweighing(found) is Status.FAILED
    assert outweighing([Status.GOLDEN, Status.FAULT]) is Status.FAULT
    assert outweighing([Status.WELL, Status.GOLDEN]) is Status.GOLDEN
    assert outweighing([]) is Status.WELL


def test_the_documentation_lists_the_statuses() -> None:
    page = (Path(__file__).resolve().parent.parent / "docs/cli.md").read_text(encoding="utf-8")
    table = page.partition("| exit status |")[2].partition("\n\n")[0]
    listed = {int(number) for number in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert listed == {*Status}
