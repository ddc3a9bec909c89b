"""What a diagnostic and the summary look like, to the character."""

from __future__ import annotations

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc.errors import Diagnostic, Span
from specc.harness.cases.cell_result import CellResult
from specc.report.results.summary import floors, table, time_line
from specc.report.terminal.diagnostics import closing_line, pieces, render
from specc.report.terminal.safe_text import visible, width
from specc.report.terminal.style import Piece, plain, show


def span(source: str, fragment: str, file: str = "model.spec") -> Span:
    start = source.index(fragment)
    line = source.count("\n", 0, start) + 1
    return Span(file, start, start + len(fragment), line, start - source.rfind("\n", 0, start))


def caret_points_at(rendered: str) -> str:
    """The characters above the carets."""
    lines = rendered.split("\n")
    carets = next(n for n, line in enumerate(lines) if line.strip(" |^") == "" and "^" in line)
    first = lines[carets].index("^")
    return lines[carets - 1][first : lines[carets].rindex("^") + 1]


def test_a_diagnostic_shows_the_line_the_caret_and_what_to_write() -> None:
    source = "spec 1\nmodel M {\n  y = x -> Linear(128, bais=false)\n}\n"
    diagnostic = Diagnostic(
        "E0203",
        "Linear has no argument 'bais'",
        span(source, "bais"),
        help="did you mean 'bias'?",
        notes=("its arguments are in_features, out_features, bias",),
    )
    assert render([diagnostic], {"model.spec": source}) == (
        "error[E0203]: Linear has no argument 'bais'\n"
        "  --> model.spec:3:24\n"
        "  |\n"
        "3 |   y = x -> Linear(128, bais=false)\n"
        "  |                        ^^^^\n"
        "  = note: its arguments are in_features, out_features, bias\n"
        "  = help: did you mean 'bias'?\n"
    )


def test_a_diagnostic_without_a_place_or_without_its_source() -> None:
    assert render([Diagnostic("E0701", "there is no 'a.spec'", help="name a file")], {}) == (
        "error[E0701]: there is no 'a.spec'\n  = help: name a file\n"
    )
    elsewhere = Diagnostic("W0001", "odd", Span("b.spec", 0, 1, 12, 1), severity="warning")
    assert render([elsewhere], {}) == "warning[W0001]: odd\n   --> b.spec:12:1\n"


@pytest.mark.parametrize(
    ("source", "fragment", "above"),
    [
        ("\tx = y", "y", "y"),
        ("a\t= wrong", "wrong", "wrong"),
        ("名前 = wrong # 名", "wrong", None),
        ("e\u0301te = wrong", "wrong", None),
        ("x = \x1b[31mwrong", "wrong", "wrong"),
    ],
)
def test_the_caret_stands_under_the_fault(source: str, fragment: str, above: str | None) -> None:
    rendered = render([Diagnostic("E0101", "m", span(source, fragment))], {"model.spec": source})
    text, carets = rendered.split("\n")[3:5]
    assert width(text[: text.index(fragment)]) == carets.index("^")
    assert carets.count("^") == width(fragment)
    if above is not None:
        assert caret_points_at(rendered) == above


def test_a_long_line_is_shown_around_the_fault() -> None:
    source = "x = " + " + ".join(f"value{n}" for n in range(5000)) + " + wrong + " + "tail " * 5000
    rendered = render([Diagnostic("E0201", "m", span(source, "wrong"))], {"model.spec": source}, 80)
    assert caret_points_at(rendered) == "wrong"
    assert all(width(line) <= 80 for line in rendered.split("\n"))
    assert "…" in rendered


def test_a_fault_longer_than_the_line_is_cut_with_it() -> None:
    source = "x = " + "y" * 3000
    rendered = render([Diagnostic("E0201", "m", span(source, "y" * 3000))], {"model.spec": source})
    assert all(width(line) <= 100 for line in rendered.split("\n"))
    assert set(caret_points_at(rendered)) <= {"y", "…"}


def test_a_fault_over_several_lines_is_underlined_on_its_first() -> None:
    source = "a = f(\n  b,\n  c)\n"
    rendered = render(
        [Diagnostic("E0201", "m", span(source, "f(\n  b,\n  c)"))], {"model.spec": source}
    )
    assert caret_points_at(rendered) == "f("


def test_the_end_of_the_file_can_be_pointed_at() -> None:
    source = "model M {"
    at_end = Span("model.spec", len(source), len(source), 1, len(source) + 1)
    lines = render([Diagnostic("E0101", "m", at_end)], {"model.spec": source}).split("\n")
    assert lines[4].index("^") == lines[3].index("{") + 1


@given(
    source=st.text(max_size=80),
    message=st.text(max_size=40),
    file=st.text(max_size=20),
    ends=st.tuples(st.integers(0, 90), st.integers(0, 90)),
)
def test_nothing_that_a_spec_holds_reaches_the_terminal_unescaped(
    source: str, message: str, file: str, ends: tuple[int, int]
) -> None:
    place = Span(file, min(ends), max(ends), 1, 1)
    diagnostic = Diagnostic("E0101", message, place, help=message, notes=(message,))
    rendered = render([diagnostic], {file: source}, 60)
    hidden = {unicodedata.category(character) for character in rendered.replace("\n", "")}
    assert not hidden & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    rendered.encode("utf-8")


def test_escapes_are_readable() -> None:
    assert visible("\x1b[2J") == "\\x1b[2J"
    assert visible("a\u202eb\ud800") == "a\\u202eb\\ud800"
    assert visible("\U000e0001") == "\\U000e0001"
    assert visible("é 名 ×") == "é 名 ×"


def test_colour_is_for_terminals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    diagnostic = Diagnostic("E0101", "[red]not markup[/red]", help="h")
    terminal, pipe = Terminal(), io.StringIO()
    show(pieces([diagnostic], {}), terminal)
    show(pieces([diagnostic], {}), pipe)
    assert "\x1b[" in terminal.getvalue()
    assert "[red]not markup[/red]" in terminal.getvalue()
    assert pipe.getvalue() == render([diagnostic], {})


def test_the_closing_line_counts() -> None:
    error, warning = Diagnostic("E0101", "m"), Diagnostic("W0001", "m", severity="warning")
    assert closing_line([], 1) == "1 spec checked: no faults"
    assert closing_line([error, error, warning], 3) == "3 specs checked: 2 errors, 1 warning"


def cell(spec: str, name: str, outcome: str, **rest: object) -> CellResult:
    return CellResult(spec, name, outcome, **rest)  # type: ignore[arg-type] # rows of a test


def test_the_summary_has_a_row_a_spec_and_a_line_a_bad_cell() -> None:
    text = plain(
        table(
            [
                cell(
                    "specs/a.spec",
                    "eager-cpu",
                    "passed",
                    worst=1.2345,
                    seconds=1.0,
                    compared=1040,
                    not_observable=3,
                ),
                cell("specs/a.spec", "eager-cuda", "skipped", reason="no CUDA device"),
                cell(
                    "specs/lstm.spec",
                    "compile-cpu-float32-train",
                    "regressed",
                    worst=812.0,
                    seconds=2.5,
                    reason="fc.weight moved 812 floors at step 1",
                    compared=120,
                    not_observable=3,
                ),
            ]
        )
    )
    assert text == (
        "spec             cells  skipped  compared  unobservable  worst   time  outcome\n"
        "specs/a.spec         2        1     1,040             3   1.23  1.0 s  passed\n"
        "specs/lstm.spec      1        -       120             3    812  2.5 s  REGRESSED\n"
        "\n"
        "REGRESSED specs/lstm.spec::compile-cpu-float32-train: "
        "fc.weight moved 812 floors at step 1\n"
        "1 cell was skipped: no CUDA device\n"
        "\n"
        "2 specs, 3 cells: 1 regressed, 1 passed, 1 skipped\n"
        "1,160 values compared; 6 not observable in honest arithmetic\n"
    )


def test_cells_without_a_golden_for_one_reason_share_a_line() -> None:
    def lacking(spec: str, name: str, why: str = "no golden for a.spec") -> CellResult:
        return cell(spec, name, "golden", reason=f"E0801: {why}, case {name[-4:]}")

    text = plain(
        table(
            [
                lacking("a.spec", "eager-eval"),
                lacking("a.spec", "export-eval"),
                lacking("a.spec", "eager-train-N4"),
                lacking("a.spec", "eager-train-N7", "another reason"),
                lacking("b.spec", "eager-eval"),
                cell("b.spec", "x", "regressed", reason="r"),
                cell("b.spec", "y", "regressed", reason="r"),
            ]
        )
    )
    assert [line for line in text.splitlines() if "::" in line] == [
        "GOLDEN a.spec::eager-eval and 2 more: E0801: no golden for a.spec, case eval",
        "GOLDEN a.spec::eager-train-N7: E0801: another reason, case n-N7",
        "GOLDEN b.spec::eager-eval: E0801: no golden for a.spec, case eval",
        "REGRESSED b.spec::x: r",
        "REGRESSED b.spec::y: r",
    ]


def test_the_worst_of_a_spec_is_its_nan() -> None:
    results = [
        cell("a.spec", str(worst), "regressed", worst=worst) for worst in (3.0, float("nan"), 9.0)
    ]
    assert " nan " in plain(table(results))


@pytest.mark.parametrize(
    ("worst", "shown"),
    [(None, "-"), (0.0, "0.00"), (99.994, "99.99"), (812.4, "812"), (3e7, "3.0e+07")],
)
def test_floors_are_short(worst: float | None, shown: str) -> None:
    assert floors(worst) == shown
    assert floors(float("inf")) == "inf"


def test_the_time_outside_torch_is_a_share_of_the_whole() -> None:
    assert time_line(4.8, 6.0) == "outside torch: 1.2 s of 6.0 s (20 %)"
    assert time_line(0.0, 0.0) == "outside torch: 0.0 s of 0.0 s (0 %)"


def test_pieces_make_the_plain_text() -> None:
    assert plain([Piece("a", "red"), Piece("b")]) == "ab"
