"""One way to check a spec for the command and the API, and where rows of sizes are at fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT, Run

import specc
from specc.errors import Diagnostic, SpecError

MODEL = """spec 1

model Halves {{
  input x: float[N, 4, T]
  {}
  output x + (x -> MaxPool1d(2) -> Upsample(scale_factor=2))
}}

test {{
  {}
}}
"""


def written(path: Path, statement: str, rows: str) -> Path:
    file = path / "halves.spec"
    file.write_text(MODEL.format(statement, rows))
    return file


def test_the_api_finds_what_the_command_finds(tmp_path: Path, specc: Run) -> None:
    file = written(tmp_path, "", "sizes N=2, T=5")
    (fault,) = api_check(file)
    assert fault.code == "E0501"
    ended = specc("check", file)
    assert ended.returncode == 2 and "error[E0501]" in ended.stdout
    with pytest.raises(SpecError, match="E0501"):
        api_load(file)
    with pytest.raises(SpecError, match="E0501"):
        api_loads(file.read_text())


def api_check(file: Path) -> list[Diagnostic]:
    return specc.check(file)


def api_load(file: Path) -> object:
    return specc.load(file)


def api_loads(text: str) -> object:
    return specc.loads(text)


def test_params_of_a_call_leave_the_rows_alone(tmp_path: Path) -> None:
    file = tmp_path / "m.spec"
    file.write_text(
        "spec 1\nmodel M(most: int = 8) {\n  input x: float[N, T] where T <= most\n"
        "  output tanh(x)\n}\ntest {\n  sizes N=2, T=8\n}\n"
    )
    assert specc.load(file, params={"most": 4}) is not None
    assert [item.code for item in specc.check(file, {"most": 4})] == ["E0501"]


@pytest.mark.parametrize("file", sorted((ROOT / "tests/invalid").glob("E050*.spec")), ids=str)
def test_faults_of_the_test_block_are_found_by_the_api(file: Path) -> None:
    assert file.name[:5] in [item.code for item in specc.check(file)]


def test_a_row_at_fault_is_shown_with_the_line_that_asks(tmp_path: Path) -> None:
    (fault,) = specc.check(written(tmp_path, "", "sizes N=2, T=5"))
    assert fault.span is not None and fault.span.line == 10
    assert [place.line for place in fault.related] == [6]


@pytest.mark.parametrize(
    ("row", "code", "line"),
    [("sizes N=2, T=5", "E0501", 10), ("sizes N=2, M=4", "E0502", 10), ("sizes N=2", "E0502", 10)],
)
def test_another_fault_hides_no_row(tmp_path: Path, row: str, code: str, line: int) -> None:
    found = specc.check(written(tmp_path, "y = foo(x)", row))
    places = {(item.code, item.span.line) for item in found if item.span is not None}
    assert {("E0201", 5), (code, line)} <= places


def test_what_could_not_be_read_of_an_input_is_no_news(tmp_path: Path) -> None:
    file = tmp_path / "m.spec"
    file.write_text(
        "spec 1\nmodel M {\n  input x: flaot[N, T]\n  output tanh(x)\n}\n"
        "test {\n  sizes N=2, T=3\n}\n"
    )
    assert [item.code for item in specc.check(file)] == ["E0223"]


def test_check_lists_what_is_asked_of_sizes(tmp_path: Path, specc: Run) -> None:
    file = written(tmp_path, "layer p = Embedding(6, 4)\n  y = p(arange(T))", "sizes N=2, T=6")
    ended = specc("check", file)
    assert ended.returncode == 0, ended.stdout
    assert "Halves asks of its sizes" in ended.stdout
    assert "T % 2 == 0  halves.spec:7" in ended.stdout
    assert "T <= 6      halves.spec:6" in ended.stdout


def test_sizes_that_where_tells_are_told_for_the_rows(tmp_path: Path) -> None:
    file = tmp_path / "m.spec"
    file.write_text(
        "spec 1\nmodel M {\n  input x: float[N, 1] where N == 1\n"
        "  input y: float[M, T, 100] where T == 100\n  output squeeze(x, 0), y + y.mT\n}\n"
    )
    assert specc.check(file) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("steps=5", "write `steps 5`"),
        ("steps = 2 * 3", "write `steps 2 * 3`"),
        ('targets = ["eager", "compile"]', "write `targets eager, compile`"),
        ("seed: 3", "write `seed 3`"),
        ("sizes = dict(N=2, T=4)", "write `sizes N=2, T=4`"),
    ],
)
def test_a_setting_in_pythons_form_is_told_in_ours(tmp_path: Path, line: str, said: str) -> None:
    (fault,) = specc.check(written(tmp_path, "", line))
    assert fault.help == said
    file = written(tmp_path, "", said.removeprefix("write `").removesuffix("`"))
    assert specc.check(file) == []
