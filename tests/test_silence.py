"""Comments that silence a warning, with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc import front
from specc.errors import Collector
from specc.syntax.parsing.ignores import find_ignores
from specc.syntax.parsing.parse import parse

_WHY = "# specc: ignore[W0301] the checkpoint has one"


def codes(*lines: str) -> list[str]:
    text = "spec 1\nmodel Net {\ninput x: float[N, 8]\n" + "\n".join(lines) + "\noutput y\n}\n"
    return [item.code for item in front.check_text(text)[1]]


_NORM = "y = x -> Linear(4) -> BatchNorm1d"


@pytest.mark.parametrize(
    "lines",
    [
        (f"{_NORM}  {_WHY}",),
        (_WHY, _NORM),
        (_WHY, "", "# another comment", _NORM),
        (f"  {_WHY}", f"  {_NORM}"),
        (f"{_NORM} #specc:ignore[W0301] tight",),
        ("y = x", _WHY, "  -> Linear(4)", "  -> BatchNorm1d"),
        ("y = x", f"  -> Linear(4) {_WHY}", "  -> BatchNorm1d"),
        ('for k in ("#", "a") { x = x -> Linear(8) -> BatchNorm1d }  ' + _WHY, "y = x"),
        (f"{_NORM}  {_WHY}\r",),
        (_WHY, "y = x", "  -> Linear(4)", "", "  -> BatchNorm1d"),
        (_WHY, "y = cat([", "  x -> Linear(4) -> BatchNorm1d,", "  x,", "], dim=1)"),
    ],
)
def test_a_warning_is_silenced_on_its_line(lines: tuple[str, ...]) -> None:
    assert codes(*lines) == []


def test_several_codes_and_several_comments() -> None:
    both = "unused = x -> Linear(4) -> BatchNorm1d"
    assert codes(both, "y = x") == ["W0201", "W0301"]
    assert codes(f"{both}  # specc: ignore[W0201, W0301] for later", "y = x") == []
    spare = "spare = x -> Linear(4)"
    assert codes(f"{spare}  # specc: ignore[W0201] for later", "y = x") == []
    assert codes("# specc: ignore[W0201] for later", _WHY, spare, "y = x") == ["W0101"]
    assert codes(f"{spare}  # specc: ignore[W0201, W0301] for later", "y = x") == ["W0101"]


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("# specc: ignore[W0301]", ["W0101", "W0301"]),
        ("# specc: ignore[W0301] ...", ["W0101", "W0301"]),
        ("# specc: ignore", ["W0101", "W0301"]),
        ("# specc: ignore W0301 the bias is wanted", ["W0101", "W0301"]),
        ("# specc ignore[W0301] the bias is wanted", ["W0101", "W0301"]),
        ("# specc: ignore[] the bias is wanted", ["W0101", "W0301"]),
        ("# specc: ignore[W0399] the bias is wanted", ["W0101", "W0301"]),
        ("# specc: ignore[E0302] the bias is wanted", ["W0101", "W0301"]),
        ("# specc: ignore[W0101] the bias is wanted", ["W0101", "W0301"]),
        ("# specc: ignore[W0302] the bias is wanted", ["W0101", "W0301"]),
        ("# a comment on how specc: ignore works", ["W0301"]),
    ],
)
def test_what_silences_nothing_is_told(comment: str, expected: list[str]) -> None:
    assert sorted(codes(f"{_NORM}  {comment}")) == expected


def test_an_ignore_of_a_line_without_the_warning_is_told() -> None:
    assert codes(f"y = x -> Linear(4, bias=false) -> BatchNorm1d  {_WHY}") == ["W0101"]
    assert codes("y = x", _WHY) == ["W0101"]
    # The next line is not the one that it ends.
    assert sorted(codes(f"h = x  {_WHY}", _NORM)) == ["W0101", "W0301"]


def test_errors_are_not_silenced_and_hide_what_is_idle() -> None:
    assert codes(f"y = x -> Liner(4)  {_WHY}") == ["E0201"]


def test_a_string_is_no_comment() -> None:
    text = 'spec 1\nparam name: str = "# specc: ignore[W0301] reason"\n'
    assert find_ignores(text, "m.spec") == ()


def test_warnings_of_train_and_test_are_silenced() -> None:
    text = (
        "spec 1\nmodel Net {\ninput x: float[N, 8]\ny = x -> head: Linear(3)\n"
        "side = x -> side: Linear(2)  # specc: ignore[W0403] of a later stage\noutput y, side\n}\n"
        "train {\ninput t: index(3)[N]\nloss = CrossEntropyLoss(y, t)\noptimizer RAdam(lr=0.1)\n}\n"
        "test {\n# specc: ignore[W0501] quick\nsteps 3\n}\n"
    )
    assert front.check_text(text)[1] == []
    program = front.check_text(text)[0]
    assert program is not None and program.warnings == ()


def test_a_used_file_silences_its_own(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    body = "input x: float[N, D]\noutput x -> Linear(4) -> BatchNorm1d {}"
    block = f"spec 1\n{{}}\nblock B {{{{\n{body}\n}}}}\n"
    (tmp_path / "b.spec").write_text(block.format("", _WHY))
    net = tmp_path / "net.spec"
    net.write_text('spec 1\nuse "b.spec"\nmodel M {\ninput x: float[N, 8]\noutput x -> B\n}\n')
    assert front.check(net)[1] == []
    # What another spec would need is not told here.
    (tmp_path / "b.spec").write_text(block.format(_WHY, _WHY))
    assert front.check(net)[1] == []
    (tmp_path / "b.spec").write_text(block.format("", ""))
    assert [item.code for item in front.check(net)[1]] == ["W0301"]


@given(st.text(alphabet='# "\\\nspecc:ignore[W0301],{}x', max_size=80))
def test_any_text_is_gone_through(text: str) -> None:
    for ignore in find_ignores(text, "m.spec"):
        assert text[ignore.span.start : ignore.span.end].startswith("#")
        assert text.count("\n", 0, ignore.span.start) + 1 == ignore.span.line <= ignore.line


def test_the_tree_is_the_same_without_them() -> None:
    text = f"spec 1\nmodel M {{\ninput x: float[N, 8]\n{_WHY}\noutput x -> Linear(2)  {_WHY}\n}}\n"
    blank = text.replace(_WHY, " " * len(_WHY))
    assert parse(text, "m", Collector()).tree == parse(blank, "m", Collector()).tree


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("# specc: ignore[W0310] because", "with the code and the reason"),
        ("# specc: ignore[w0301] because", "did you mean `W0301`?"),
        ("# specc: ignore[] because", "with the code and the reason"),
        ("# specc: ingore[W0301] because", "write `# specc: ignore[W0301] reason`"),
        ("# specc: disable W0301", "write `# specc: ignore[W0301] reason`"),
        ("# spec: ignore[W0301] because", "write `# specc: ignore[W0301] reason`"),
    ],
)
def test_what_was_meant_to_silence_is_told(comment: str, said: str) -> None:
    text = f"spec 1\nmodel Net {{\ninput x: float[N, 8]\n{_NORM}  {comment}\noutput y\n}}\n"
    found = [item for item in front.check_text(text)[1] if item.code == "W0101"]
    assert len(found) == 1 and said in (found[0].help or "")


def test_a_comment_of_a_used_file_without_a_reason_is_told_there(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    block = (
        f"block Row {{\n  input x: float[N, D]\n  # specc: ignore[W0301]\n  {_NORM}\n  output y\n}}"
    )
    (tmp_path / "row.spec").write_text(f"spec 1\n{block}\n")
    net = 'spec 1\nuse "row.spec"\nmodel Net {\n  input x: float[N, 8]\n  output x -> Row\n}\n'
    (tmp_path / "net.spec").write_text(net)
    _, found, _ = front.check(tmp_path / "net.spec")
    told = [(item.code, Path(item.span.file).name) for item in found if item.span is not None]
    assert told == [("W0101", "row.spec"), ("W0301", "row.spec")]
