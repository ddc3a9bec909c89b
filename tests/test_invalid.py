"""Each code has a row in the table, and each code of a spec a file that reports it.

A file under ``tests/invalid`` starts with its code; lines ``# set: name=value`` at its top are what
``--set`` gives. It must report its code, and the example of the table must stand in one of them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
from conftest import ROOT, Run

from specc import front
from specc.codes import CODES
from specc.errors import Diagnostic, SpecError
from specc.harness.cases import matrix
from specc.report.terminal.diagnostics import render

INVALID = ROOT / "tests" / "invalid"
FILES = sorted(INVALID.glob("*.spec"))
CODE = re.compile(r"""["']([EW]0\d{3})["']""")


def settings(text: str) -> dict[str, str]:
    found = re.findall(r"(?m)^# set: (\w+)=(.*)$", text)
    return dict(found)


def reported(file: Path) -> tuple[list[Diagnostic], dict[str, str]]:
    """What ``specc check`` finds in ``file``."""
    data = file.read_bytes()
    params = settings(data.decode("utf-8", "replace"))
    program, diagnostics, sources = front.check(file, params)
    if program is not None:
        try:
            matrix.cells(program)
        except SpecError as error:
            diagnostics = [*diagnostics, *error.diagnostics()]
    return diagnostics, sources


def used_codes() -> dict[str, set[str]]:
    """Each code that stands in the source, and the files where."""
    used: dict[str, set[str]] = defaultdict(set)
    for path in (ROOT / "specc").rglob("*.py"):
        if path.parent.name != "codes":
            for code in CODE.findall(path.read_text(encoding="utf-8")):
                used[code].add(path.relative_to(ROOT).as_posix())
    return used


def test_the_table_has_a_row_for_each_code_that_is_used_and_no_other() -> None:
    used = used_codes()
    assert {code: sorted(used[code]) for code in used.keys() - CODES.keys()} == {}
    assert CODES.keys() - used.keys() == set()


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_row_says_everything(code: str) -> None:
    row = CODES[code]
    assert all(part.strip() for part in row)
    assert "\n" not in row.title and not row.title.endswith(".")
    assert row.why.endswith(".")


@pytest.mark.parametrize(
    "code",
    sorted(
        code
        for code in CODES
        if code[:3] in {f"E0{n}" for n in range(1, 7)} | {f"W0{n}" for n in range(1, 6)}
    ),
)
def test_a_fault_of_a_spec_has_a_file_that_holds_the_example(code: str) -> None:
    texts = [file.read_text(encoding="utf-8") for file in FILES if file.name.startswith(code)]
    assert texts, f"tests/invalid has no file {code}_*.spec"
    example = [line.strip() for line in CODES[code].example.splitlines()]
    called = re.fullmatch(r"specc check \S+(?: --set (\S+))?", example[0])
    if called is not None:
        # The fault is in the call: the file holds the setting, or is such a file itself.
        assert called[1] is None or any(f"# set: {called[1]}\n" in text for text in texts)
    else:
        assert any(all(line in text for line in example) for text in texts)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_file_reports_its_code_and_points_into_the_text(file: Path) -> None:
    diagnostics, sources = reported(file)
    code = file.name[:5]
    found = [item for item in diagnostics if item.code == code]
    assert found, f"reports {[item.code for item in diagnostics]}"
    assert all(item.severity == ("error" if code[0] == "E" else "warning") for item in found)
    for item in found:
        if item.span is not None and item.span.file in sources:
            text = sources[item.span.file]
            assert 0 <= item.span.start <= item.span.end <= len(text)
            assert item.span.line == text.count("\n", 0, item.span.start) + 1
    assert f"[{code}]: " in render(diagnostics, sources)


def test_check_reports_them_all_and_ends_with_2(specc: Run) -> None:
    files = [file for file in FILES if not settings(file.read_text("utf-8", "replace"))]
    ended = specc("check", *files)
    assert ended.returncode == 2, ended.stderr
    missing = [file.name for file in files if f"[{file.name[:5]}]" not in ended.stdout]
    assert missing == []
    assert "Traceback" not in ended.stderr
