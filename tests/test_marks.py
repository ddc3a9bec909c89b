"""Where a statement comes from: a file's own name, and folders only where two files share it."""

from __future__ import annotations

from pathlib import Path

from specc import front
from specc.emit import emit
from specc.emit.writing.marks import mark, shown_files, told_apart
from specc.errors import Span

LOSS = """spec 1

block Loss {
  input a: float[N, D]
  input b: float[N, D]
  output mean((a - b) * (a - b))
}
"""
NET = """spec 1
use "part/net.spec"

model Net {
  input x: float[N, 4]
  output x -> Linear(2)
}

train {
  input y: float[N, 2]
  loss = Loss(output, y)
  optimizer SGD(lr=0.1)
}
"""


def test_files_of_one_name_are_told_apart_and_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "net.spec").write_text(LOSS)
    (tmp_path / "net.spec").write_text(NET)
    program = front.read(tmp_path / "net.spec")
    shown = shown_files(program)
    assert sorted(shown) == sorted([f"{tmp_path.name}/net.spec", "part/net.spec"])
    assert [Path(path).parent.name for name, path in sorted(shown.items()) if "part" in name]
    here = Span(program.file, 0, 1, 7, 1)
    assert mark(here) == "net.spec:7"
    with told_apart(program):
        assert mark(here) == f"{tmp_path.name}/net.spec:7"
    assert mark(here) == "net.spec:7"
    source = emit(program)
    # The loss's lines stand among the step's own.
    assert "part/net.spec:6" in source and f"{tmp_path.name}/net.spec:12" in source


def test_files_of_several_names_keep_them(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "loss.spec").write_text(LOSS)
    (tmp_path / "net.spec").write_text(NET.replace("part/net.spec", "part/loss.spec"))
    program = front.read(tmp_path / "net.spec")
    assert sorted(shown_files(program)) == ["loss.spec", "net.spec"]
