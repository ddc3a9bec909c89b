"""A verdict as text: the first bad value first, then the others under their lines."""

from __future__ import annotations

from specc.harness.cases.verdict import SHOWN, SHOWN_OF_A_LINE, Finding, Verdict


def finding(name: str, line: int = 3, message: str = "is missing") -> Finding:
    return Finding(name, "missing", "m.spec", line, message)


def test_only_a_verdict_that_passed_has_passed() -> None:
    assert Verdict("passed").passed
    assert not Verdict("regressed").passed and not Verdict("skipped").passed


def test_the_headline_is_the_first_bad_value_or_why_there_is_none() -> None:
    bad = Verdict("regressed", findings=(finding("a"), finding("b")), notes=("a note",))
    assert bad.headline == "m.spec:3: a: is missing"
    assert Verdict("skipped", notes=("no GPU", "another")).headline == "no GPU"
    assert Verdict("passed").headline == "passed"
    assert Verdict("passed").report() == "passed"
    assert Verdict("skipped", notes=("no GPU",)).report() == "no GPU"


def test_a_report_of_one_value_tells_of_no_others() -> None:
    bad = Verdict("regressed", findings=(finding("a"),), located=("how it looks",), notes=("n",))
    assert bad.report().splitlines() == [
        "first bad value: a",
        "  m.spec:3",
        "  is missing",
        "  how it looks",
        "note: n",
    ]


def rest_of(*findings: Finding) -> list[str]:
    text = Verdict("regressed", findings=(finding("first"), *findings)).report()
    return text.splitlines()[3:]


def test_the_others_stand_under_the_lines_that_they_are_of() -> None:
    assert rest_of(finding("b", 5), finding("c", 4), finding("d", 5), finding("e", 0)) == [
        "then 4 more, line by line as they are computed:",
        "  m.spec:5",
        "    b: is missing",
        "    d: is missing",
        "  m.spec:4",
        "    c: is missing",
        "  m.spec",
        "    e: is missing",
    ]


def test_of_a_line_and_of_all_only_so_many_are_shown() -> None:
    assert (SHOWN, SHOWN_OF_A_LINE) == (8, 3)
    many = [finding(f"v{line}.{k}", line) for line in (1, 2, 3, 4) for k in range(4)]
    assert rest_of(*many)[1:] == [
        "  m.spec:1",
        *(f"    v1.{k}: is missing" for k in range(3)),
        "    … and 1 more of this line",
        "  m.spec:2",
        *(f"    v2.{k}: is missing" for k in range(3)),
        "    … and 1 more of this line",
        "  m.spec:3",
        *(f"    v3.{k}: is missing" for k in range(2)),
        "    … and 2 more of this line",
        "  … and 4 more of other lines",
    ]


def test_no_more_is_said_where_all_is_shown() -> None:
    many = [finding(f"v{line}.{k}", line) for line in (1, 2) for k in range(3)]
    assert not any("…" in line for line in rest_of(*many))
    exactly = [finding(f"w{line}", line) for line in range(1, SHOWN + 1)]
    assert not any("…" in line for line in rest_of(*exactly))
    assert rest_of(*exactly, finding("x", 99))[-1] == "  … and 1 more of other lines"
