"""A path to a program: what is refused before a word is read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from conftest import Run

import specc
from specc import front
from specc.errors import CallError
from specc.harness.goldens.fingerprint import fingerprint
from specc.ir import Program
from specc.report.terminal.diagnostics import render

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


# ── use ──────────────────────────────────────────────────────────────────────────────────────────

DENSE = """spec 1
param factor: int = 2
block Dense(width: int) {
  input x: float[N, D]
  output x -> Linear(factor * width) -> ReLU -> Linear(D)
}
"""
USER = """spec 1
use "blocks/dense.spec"
model M {
  input x: float[N, 8]
  output x -> a: Dense(16)
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a spec that uses a block of another file."""
    root = tmp_path / "project"
    (root / "blocks").mkdir(parents=True)
    (root / "pyproject.toml").write_text("")
    (root / "blocks" / "dense.spec").write_text(DENSE)
    (root / "main.spec").write_text(USER)
    return root


def faults_of(path: Path) -> list[tuple[str, str]]:
    """The codes of what ``path`` is refused for, with the file that each points into."""
    program, diagnostics, _ = front.check(path)
    assert program is None
    return [
        (item.code, Path(item.span.file).name if item.span else "")
        for item in diagnostics
        if item.severity == "error"
    ]


def using(root: Path, path: str) -> Path:
    """A spec in ``root`` that uses ``path``."""
    spec = root / "other.spec"
    spec.write_text(f"spec 1\nuse {json.dumps(path)}\n" + GOOD.removeprefix("spec 1\n"))
    return spec


def test_a_block_of_another_file_is_used_by_load_and_build(project: Path) -> None:
    module = specc.load(project / "main.spec")
    assert [name for name, _ in module.named_parameters()] == [
        "a.0.weight", "a.0.bias", "a.2.weight", "a.2.bias",
    ]  # fmt: skip
    assert module.a[0].out_features == 32
    wider = specc.load(project / "main.spec", params={"factor": 3})
    assert wider.a[0].out_features == 48
    assert specc.check(project / "main.spec") == []
    (source,) = specc.build(project / "main.spec", project / "out")
    text = source.read_text()
    assert "class Dense(nn.Sequential):" in text and "# main.spec:5" in text
    assert "Dense of dense.spec:3." in text


def test_the_fingerprint_follows_what_a_used_block_says(project: Path) -> None:
    before = fingerprint(front.read(project / "main.spec"))
    dense = project / "blocks" / "dense.spec"
    dense.write_text(DENSE.replace("block", "# a comment\nblock"))
    assert fingerprint(front.read(project / "main.spec")) == before
    dense.write_text(DENSE.replace("ReLU", "GELU"))
    assert fingerprint(front.read(project / "main.spec")) != before


def test_a_path_is_relative_to_the_file_that_says_it(project: Path) -> None:
    (project / "blocks" / "inner").mkdir()
    (project / "blocks" / "inner" / "deep.spec").write_text(
        'spec 1\nuse "../dense.spec"\n'
        "block Deep {\n input x: float[N, D]\n output x -> Dense(4)\n}\n"
    )
    (project / "main.spec").write_text(
        USER.replace('use "blocks/dense.spec"', 'use "blocks/inner/deep.spec"').replace(
            "Dense(16)", "Deep"
        )
    )
    program, diagnostics, sources = front.check(project / "main.spec")
    assert program is not None and diagnostics == []
    assert [Path(name).name for name in sources] == ["main.spec", "deep.spec", "dense.spec"]


def test_a_file_used_by_two_ways_is_one(project: Path) -> None:
    (project / "link.spec").symlink_to(project / "blocks" / "dense.spec")
    (project / "main.spec").write_text(
        USER.replace("model", 'use "blocks/../blocks/dense.spec"\nuse "link.spec"\nmodel')
    )
    program, diagnostics, sources = front.check(project / "main.spec")
    assert program is not None and diagnostics == []
    assert len(sources) == 2


def test_a_fault_in_a_used_file_points_into_it(project: Path) -> None:
    (project / "blocks" / "dense.spec").write_text(DENSE.replace("ReLU", "RelU6"))
    _, diagnostics, sources = front.check(project / "main.spec")
    (fault,) = diagnostics
    assert fault.span is not None and fault.span.file.endswith("dense.spec")
    assert sources[fault.span.file][fault.span.start : fault.span.end] == "RelU6"
    assert "main.spec:5" in fault.notes[-1]
    shown = render(diagnostics, sources)
    assert "  output x -> Linear(factor * width) -> RelU6 -> Linear(D)\n" in shown


def test_faults_are_by_file_and_place(project: Path) -> None:
    (project / "blocks" / "dense.spec").write_text(DENSE.replace("ReLU", "RelU6"))
    (project / "main.spec").write_text(USER.replace("Dense(16)", "Dense(16) -> Lineer(2)"))
    assert faults_of(project / "main.spec") == [("E0201", "dense.spec"), ("E0201", "main.spec")]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../outside.spec", "E0244"),
        ("blocks/../../outside.spec", "E0244"),
        ("leak.spec", "E0244"),
        ("outer/outside.spec", "E0244"),
        ("/etc/passwd", "E0240"),
        ("C:/blocks/dense.spec", "E0240"),
        ("~/dense.spec", "E0240"),
        ("blocks\\dense.spec", "E0240"),
        ("blocks/dense", "E0240"),
        ("blocks", "E0240"),
        ("", "E0240"),
        ("blocks/missing.spec", "E0240"),
        ("blocks/\u202edense.spec", "E0240"),
        ("folder.spec", "E0240"),
        ("fifo.spec", "E0240"),
        ("loop.spec", "E0240"),
        ("huge.spec", "E0240"),
        ("binary.spec", "E0240"),
        ("empty.spec", "E0240"),
        ("a" * 5000 + ".spec", "E0240"),
    ],
)
def test_what_cannot_be_used_is_refused_unopened(project: Path, path: str, code: str) -> None:
    outside = project.parent / "outside.spec"
    outside.write_text(DENSE)
    (project / "leak.spec").symlink_to(outside)
    (project / "outer").symlink_to(project.parent)
    (project / "folder.spec").mkdir()
    os.mkfifo(project / "fifo.spec")
    (project / "loop.spec").symlink_to(project / "loop.spec")
    with (project / "huge.spec").open("wb") as file:
        file.truncate(front.LARGEST_FILE + 1)
    (project / "binary.spec").write_bytes(b"\x7fELF\xff\xfe")
    (project / "empty.spec").write_text("")
    assert faults_of(using(project, path)) == [(code, "other.spec")]


def test_circles_are_reported_where_they_close(project: Path) -> None:
    (project / "a.spec").write_text('spec 1\nuse "b.spec"\n')
    (project / "b.spec").write_text('spec 1\nuse "c.spec"\n')
    (project / "c.spec").write_text('spec 1\nuse "b.spec"\nuse "other.spec"\n')
    spec = using(project, "a.spec")
    assert faults_of(spec) == [("E0239", "c.spec"), ("E0239", "c.spec")]
    _, diagnostics, _ = front.check(spec)
    assert diagnostics[0].message.endswith(": b.spec -> c.spec -> b.spec")


def test_a_spec_that_is_no_file_uses_none() -> None:
    _, diagnostics, _ = front.check_text(USER)
    assert [item.code for item in diagnostics] == ["E0240"]


def test_one_model_of_two_files_is_refused_by_name(project: Path) -> None:
    (project / "blocks" / "dense.spec").write_text(DENSE + USER.partition('dense.spec"')[2])
    assert faults_of(project / "main.spec") == [("E0219", "main.spec")]


def test_many_files_deep_are_read(project: Path) -> None:
    for number in range(300):
        following = f'use "u{number + 1}.spec"\n' if number < 299 else ""
        (project / f"u{number}.spec").write_text(
            f"spec 1\n{following}block B{number} {{\n input x: float[N, D]\n output x -> ReLU\n}}\n"
        )
    spec = using(project, "u0.spec")
    program, _, sources = front.check(spec)
    assert program is not None and len(sources) == 301


def test_the_command_line_and_the_plugin_use_blocks_too(project: Path, specc: Run) -> None:
    assert specc("check", "main.spec", cwd=project).returncode == 0
    assert specc("show", "main.spec", cwd=project).returncode == 0
    run = specc("bless", "main.spec", cwd=project)
    assert run.returncode == 0, run.stdout + run.stderr
    run = specc("test", "main.spec", "--target", "eager", cwd=project)
    assert run.returncode == 0, run.stdout + run.stderr


DEEP = """spec 1

param width: int = 512

model Deep(depth: int = 40, kernels: tuple = (3, 5)) {
  input x: float[N, 6]
  output x -> Linear(width) -> repeat(depth) { Linear(width) -> Tanh } -> Linear(2)
}

test {
  params PARAMS
  sizes N=4
}
"""


def params_of(program: Program) -> dict[str, object]:
    return {each.name: each.value for each in (*program.params, *program.model().params)}


def test_params_of_a_test_are_for_what_is_tested(tmp_path: Path) -> None:
    path = tmp_path / "deep.spec"
    path.write_text(DEEP.replace("PARAMS", "depth=2, width=2 * 4, kernels=(7, 9)"))
    published = {"width": 512, "depth": 40, "kernels": (3, 5)}
    small = {"width": 8, "depth": 2, "kernels": (7, 9)}
    assert params_of(front.read(path)) == published
    assert params_of(front.read(path, tested=True)) == small
    for given in ({"depth": "3"}, {"Deep.depth": 3}):
        assert params_of(front.read(path, given, tested=True)) == small | {"depth": 3}
    assert params_of(front.read(path, {"width": 16})) == published | {"width": 16}


TWO = """spec 1
model First(width: int = 100) {
  input x: float[N, 4]
  output x -> Linear(width) -> Linear(4)
}
model Second(width: int = 200) {
  input x: float[N, 4]
  output x -> Linear(width) -> Linear(4)
}
train {
  input x: float[N, 4]
  loss = mean(Second(First(x)) ** 2)
  optimizer SGD(lr=0.1) on First, Second
}
test {
  params First.width=3, Second.width=5
}
"""


@pytest.mark.parametrize(
    ("given", "widths"),
    [
        ({}, [3, 5]),
        ({"width": 7}, [7, 7]),
        ({"First.width": 9}, [9, 5]),
        ({"Second.width": 1}, [3, 1]),
    ],
)
def test_a_test_says_a_param_of_one_model(
    tmp_path: Path, given: dict[str, int], widths: list[int]
) -> None:
    path = tmp_path / "two.spec"
    path.write_text(TWO)
    program, found, _ = front.check(path, given, tested=True)
    assert program is not None and not found
    assert [model.params[0].value for model in program.models] == widths
    path.write_text(TWO.replace("Second.width=5", "Second.widht=5"))
    _, found, _ = front.check(path, tested=True)
    assert [each.code for each in found] == ["E0601"] and "`Second.width`" in str(found[0].help)


@pytest.mark.parametrize(
    ("written", "code", "help"),
    [
        ("dept=2", "E0601", "did you mean `depth`?"),
        ("depth=2, dept=2", "E0601", "there is width, kernels"),
        ("depth=1.5", "E0602", None),
        ('depth="2 layers"', "E0602", None),
        ("depth=true", "E0602", None),
        ("depth=2, width=8, depth=2", "E0503", "say it once"),
        ("depth=width", "E0201", None),
    ],
)
def test_a_wrong_param_of_a_test_is_told_whatever_is_asked_for(
    written: str, code: str, help: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "deep.spec"
    path.write_text(DEEP.replace("PARAMS", written))
    for tested in (False, True):
        program, (fault, *others), _ = front.check(path, tested=tested)
        assert program is None and others == []
        assert fault.code == code and fault.span is not None and fault.span.line == 11
        assert help is None or fault.help == help


def test_a_fault_of_the_params_of_a_test_says_so(tmp_path: Path) -> None:
    path = tmp_path / "deep.spec"
    path.write_text(DEEP.replace("PARAMS", "depth=-1"))
    _, (fault,), _ = front.check(path)
    assert fault.code == "E0235"
    assert fault.message.startswith("with the params of `test` (depth=-1): ")


def test_a_blocks_param_is_given_where_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "deep.spec"
    block = "block B(size: int) {\n  input x: float[N, D]\n  output x -> Linear(size)\n}\n\nmodel"
    text = DEEP.replace("PARAMS", "size=2").replace("Tanh }", "Tanh } -> B(3)")
    path.write_text(text.replace("model", block, 1))
    _, (fault,), _ = front.check(path)
    assert fault.code == "E0601" and "block `B`" in (fault.help or "")
