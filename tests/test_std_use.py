"""``use "std/..."``: where the library's files are found, how their places are told, and that a
project's own are never taken for them or hidden by them.

Non-goal: what the blocks compute (``test_std``)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from conftest import Run

import specc
from specc import front
from specc.catalog import std
from specc.errors import Diagnostic

NET = """spec 1
{}
model Net {{
  input x: float[N, T, 6]
  output x -> DropPath(0.1)
}}
"""
OWN = "spec 1\nblock DropPath(p: float) {\n  input x: float[N, T, D]\n  output x + p\n}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "nets").mkdir(parents=True)
    (root / "pyproject.toml").write_text("")
    return root


def using(root: Path, *paths: str, name: str = "net.spec") -> Path:
    file = root / name
    file.write_text(NET.format("".join(f"use {json.dumps(path)}\n" for path in paths)))
    return file


def errors(file: Path) -> list[Diagnostic]:
    return [item for item in front.check(file)[1] if item.severity == "error"]


def test_the_library_is_used_from_any_folder(project: Path) -> None:
    for name in ("net.spec", "nets/net.spec"):
        file = using(project, "std/drop_path.spec", name=name)
        program, found, sources = front.check(file)
        assert program is not None and not found
        (shown,) = sources.keys() - {str(file)}
        assert shown == "<specc>/std/drop_path.spec" and sources[shown] == std.text(std.PATHS[0])
        assert type(specc.load(file).droppath_1).__name__ == "DropPath"


def test_a_text_that_is_no_file_may_use_it_too() -> None:
    text = NET.format('use "std/drop_path.spec"')
    assert specc.loads(text) is not None
    (fault,) = front.check_text(NET.format('use "blocks/drop_path.spec"'))[1]
    assert fault.code == "E0240" and "no file" in fault.message


def test_two_files_of_a_spec_may_use_the_same(project: Path) -> None:
    inner = project / "nets" / "inner.spec"
    inner.write_text(
        'spec 1\nuse "std/drop_path.spec"\nblock Inner {\n  input x: float[N, T, D]\n'
        "  output x -> DropPath\n}\n"
    )
    file = using(project, "std/drop_path.spec", "nets/inner.spec")
    file.write_text(file.read_text().replace("DropPath(0.1)", "DropPath(0.1) -> Inner"))
    assert not errors(file)


@pytest.mark.parametrize(
    ("path", "said"),
    [("std/drop_paths.spec", 'did you mean "std/drop_path.spec"?'),
     ("std/mamba.spec", "it has std/drop_path.spec, std/squeeze_excite.spec"),
     ("std/../front.py.spec", "it has std/drop_path.spec")],
)  # fmt: skip
def test_an_unknown_file_of_the_library_is_told_with_those_there_are(
    project: Path, path: str, said: str
) -> None:
    for found in (errors(using(project, path)), front.check_text(NET.format(f'use "{path}"'))[1]):
        assert [item.code for item in found] == ["E0240"]
        assert said in (found[0].help or "")


def test_a_file_of_the_project_is_neither_hidden_nor_taken(project: Path) -> None:
    own = project / "std" / "drop_path.spec"
    own.parent.mkdir()
    own.write_text(OWN)
    (fault,) = errors(using(project, "std/drop_path.spec"))
    assert fault.code == "E0240" and "of this project, and one of the library" in fault.message
    assert '`use "./std/drop_path.spec"`' in (fault.help or "")
    # As the message proposes: the project's.
    file = using(project, "./std/drop_path.spec")
    assert not errors(file)
    assert "p" in str(front.read(file).models[0].layers[0].arguments)
    (source,) = specc.build(file, project / "out")
    assert "return x + self.p" in source.read_text()
    # From a folder that has no such file, the library's.
    inner = using(project, "std/drop_path.spec", name="nets/net.spec")
    assert not errors(inner)


def test_a_file_that_the_library_lacks_is_the_projects(project: Path) -> None:
    (project / "std").mkdir()
    (project / "std" / "mine.spec").write_text(OWN)
    assert not errors(using(project, "std/mine.spec"))


def test_both_files_of_one_name_are_told_apart(project: Path) -> None:
    (project / "std").mkdir()
    (project / "std" / "drop_path.spec").write_text(OWN.replace("DropPath", "Shift"))
    (project / "nets" / "inner.spec").write_text(
        'spec 1\nuse "std/drop_path.spec"\nblock Inner {\n  input x: float[N, T, D]\n'
        "  output x -> DropPath\n}\n"
    )
    file = project / "net.spec"
    file.write_text(
        'spec 1\nuse "./std/drop_path.spec"\nuse "nets/inner.spec"\nmodel Net {\n'
        "  input x: float[N, T, 6]\n  output x -> Shift(1.0) -> Inner\n}\n"
    )
    assert not errors(file)
    (source,) = specc.build(file, project / "out")
    text = source.read_text()
    assert "<specc>/std/drop_path.spec:10" in text
    assert "project/std/drop_path.spec:4" in text


def test_a_fault_inside_shows_the_librarys_line(specc_without_torch: Run, project: Path) -> None:
    file = using(project, "std/drop_path.spec")
    file.write_text(file.read_text().replace("float[N, T, 6]", "float[N, 6]"))
    (fault,) = errors(file)
    assert fault.code == "E0242" and fault.span is not None and fault.span.file == str(file)
    file.write_text(
        'spec 1\nuse "std/swiglu.spec"\nmodel Net {\n  input x: float[N, T, D]\n'
        "  output x -> SwiGLU(8)\n}\n"
    )
    done = specc_without_torch("check", str(file))
    assert done.returncode == 2
    assert "--> <specc>/std/swiglu.spec:6:" in done.stdout + done.stderr
    assert "gate = silu(x -> gate_proj: Linear(hidden, bias=bias))" in done.stdout + done.stderr
    assert "SwiGLU(hidden=8, bias=false) is used at" in done.stdout + done.stderr


def test_show_tells_the_file_of_the_library(specc_without_torch: Run, project: Path) -> None:
    file = using(project, "std/drop_path.spec")
    done = specc_without_torch("show", str(file))
    assert done.returncode == 0, done.stderr
    assert "DropPath" in done.stdout
    file.write_text(
        'spec 1\nuse "std/patch_embedding.spec"\nmodel Net {\n'
        "  input x: float[N, 3, H, W] where H % 4 == 0, W % 4 == 0\n"
        "  output x -> PatchEmbedding(8, patch=4)\n}\ntrain {\n  input y: float[N, 8]\n"
        "  loss = NTXentLoss(mean(output, dim=1), y)\n"
        "  optimizer SGD(lr=0.1)\n}\n"
    )
    file.write_text(file.read_text().replace("spec 1\n", 'spec 1\nuse "std/nt_xent_loss.spec"\n'))
    shown = specc_without_torch("show", str(file)).stdout
    assert re.search(r"nt_xent_loss.spec:7 +N >= 2", shown)
    assert re.search(r"line 5 +H % 4 == 0", shown)
