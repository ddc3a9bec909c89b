"""A path to a program: what is refused before a word is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from specc import front
from specc.errors import CallError

GOOD = "spec 1\nmodel M {\n input x: float[N, 4]\n output x -> Linear(2)\n}\n"


def refused(path: Path) -> str:
    with pytest.raises(CallError) as caught:
        front.check(path)
    return caught.value.code


def test_a_byte_order_mark_and_windows_newlines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "m.spec"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    program, diagnostics, _ = front.check(path)
    assert program is not None and diagnostics == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "E0110"),
        (b" \n\t\n", "E0110"),
        (b"\x7fELF\x02\x01\xff\xfe", "E0704"),
        (GOOD.encode("utf-16"), "E0704"),
        (b"spec 1\n\x00", "E0704"),
    ],
)
def test_what_is_no_text_is_a_diagnostic(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "m.spec"
    path.write_bytes(data)
    program, diagnostics, _ = front.check(path)
    assert program is None
    assert [item.code for item in diagnostics] == [code]


def test_what_is_no_readable_file_is_a_call_error(tmp_path: Path) -> None:
    assert refused(tmp_path / "missing.spec") == "E0701"
    assert refused(tmp_path) == "E0701"
    assert refused(Path("a\0b.spec")) == "E0701"
    loop = tmp_path / "loop.spec"
    loop.symlink_to(loop)
    assert refused(loop) == "E0701"
    fifo = tmp_path / "fifo.spec"
    os.mkfifo(fifo)
    assert refused(fifo) == "E0701"
    huge = tmp_path / "huge.spec"
    with huge.open("wb") as file:
        file.truncate(front.LARGEST_FILE + 1)
    assert refused(huge) == "E0705"
