"""Goldens on disk: what is written, what is refused, and that a killed writer leaves one whole."""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from harness_support import MLP_SOURCE, lstm, mlp, plain
from safetensors.torch import load_file, save_file

from specc.errors import CallError, GoldenCorrupt, GoldenMissing, GoldenStale
from specc.harness.blessing.bless import bless, make
from specc.harness.cases.matrix import cases
from specc.harness.goldens import atomic_folder, golden_reader
from specc.harness.goldens.golden import Golden, golden_folder, project_root, read, write
from specc.ir import Program


@pytest.fixture(scope="module")
def made() -> Golden:
    program = mlp()
    return make(program, cases(program)[1], MLP_SOURCE, ("float32",))


@pytest.fixture
def place(tmp_path: Path, made: Golden) -> tuple[Program, Path, Path]:
    """A program, its root, and the folder of its one written golden."""
    (tmp_path / "golden").mkdir()
    program = mlp(tmp_path / "specs")
    return program, tmp_path, write(program, made, tmp_path)


def refused(program: Program, root: Path, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text) as caught:
        read(program, cases(program)[1], root)
    assert caught.value.help  # type: ignore[attr-defined]  # every golden error has one


def test_it_comes_back_as_it_was(place: tuple[Program, Path, Path], made: Golden) -> None:
    program, root, folder = place
    assert folder == root / "golden" / "specs" / "mlp" / "eval"
    assert sorted(path.name for path in folder.iterdir()) == [
        "golden.json",
        "reference.safetensors",
    ]
    again = read(program, cases(program)[1], root)
    assert (again.case, again.draw, again.dtypes) == (made.case, made.draw, made.dtypes)
    for one, other in zip(again.leaves, made.leaves, strict=True):
        assert one.reference.name == other.reference.name
        assert one.reference.values is not None and other.reference.values is not None
        assert torch.equal(one.reference.values, other.reference.values)
        assert one.reference.rms == other.reference.rms
        assert one.floors.keys() == other.floors.keys()


def test_a_line_a_tensor(place: tuple[Program, Path, Path]) -> None:
    lines = (place[2] / "golden.json").read_text().splitlines()
    rows = [line for line in lines if line.startswith("    {")]
    assert len(rows) == len(json.loads("\n".join(lines))["tensors"])
    (row,) = [json.loads(line.rstrip(",")) for line in rows if '"eval/output/logits"' in line]
    assert re.fullmatch(r'  "digest": "[0-9a-f]{64}"', lines[-2])
    assert row["shape"] == [4, 5] and row["line"] == 7 and row["dtype"] == "float"
    assert len(row["floors"]["float32"]) == 2 and 0 < row["floors"]["float32"][0] < 1e-6


def test_no_golden_is_missing(tmp_path: Path) -> None:
    refused(mlp(tmp_path), tmp_path, GoldenMissing, "no golden for")


def test_another_spec_is_stale(place: tuple[Program, Path, Path]) -> None:
    program, root, _ = place
    train = program.train
    assert train is not None and train.optimizer is not None
    faster = replace(train.optimizer, arguments=(("lr", 0.06),))
    step = replace(train.steps[0], optimizer=faster)
    changed = replace(program, train=replace(train, steps=(step,)))
    refused(changed, root, GoldenStale, "is stale: p of `drop` was 0.25 and is 0.5")


def test_stale_says_which_setting_changed(place: tuple[Program, Path, Path]) -> None:
    program, root, _ = place
    moved = replace(program, test=replace(program.test, sizes=((("N", 9),),), seed=3))
    refused(moved, root, GoldenStale, "sizes was N=4 and is N=9; seed was 0 and is 3")


@pytest.mark.parametrize("field", ["observation", "method", "generator"])
def test_another_harness_is_stale_and_not_regressed(
    field: str, place: tuple[Program, Path, Path]
) -> None:
    program, root, folder = place
    _edit_json(lambda raw: raw.update({field: 77}))(folder)
    refused(program, root, GoldenStale, r"version 77 and is \d")


def _edit_json(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """An edit by somebody who makes the digest anew."""

    def edit(folder: Path) -> None:
        path = folder / "golden.json"
        raw = json.loads(path.read_text())
        change(raw)
        path.write_text(json.dumps(raw | {"digest": golden_reader.seal(raw)}))

    return edit


def _floors(*numbers: float) -> Callable[[Path], None]:
    return _edit_row(floors={"float32": list(numbers)})


def _alone(*numbers: float) -> Callable[[Path], None]:
    return _edit_json(lambda raw: raw["alone"]["eval/alone/fc1"].update(float32=list(numbers)))


def _in_text(old: str, new: str) -> Callable[[Path], None]:
    """An edit of the text alone."""

    def edit(folder: Path) -> None:
        path = folder / "golden.json"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return edit


def _edit_row(**changes: object) -> Callable[[Path], None]:
    return _edit_json(lambda raw: raw["tensors"][-1].update(changes))


def _edit_tensors(change: Callable[[dict[str, torch.Tensor]], None]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "reference.safetensors"
        tensors = load_file(path)
        change(tensors)
        save_file(tensors, path)

    return edit


def _nudge(tensors: dict[str, torch.Tensor]) -> None:
    tensors["eval/output/logits"] = tensors["eval/output/logits"] * (1 + 1e-12)


def _drop(tensors: dict[str, torch.Tensor]) -> None:
    del tensors["eval/output/logits"]


CORRUPTIONS: dict[str, tuple[Callable[[Path], None], str]] = {
    "json gone": (lambda f: (f / "golden.json").unlink(), "no such file"),
    "tensors gone": (lambda f: (f / "reference.safetensors").unlink(), "no such file"),
    "json truncated": (
        lambda f: (f / "golden.json").write_bytes((f / "golden.json").read_bytes()[:500]),
        "not JSON",
    ),
    "json binary": (lambda f: (f / "golden.json").write_bytes(bytes(range(256))), "not JSON"),
    "json deep": (lambda f: (f / "golden.json").write_text("[" * 100_000), "not JSON"),
    "json a list": (lambda f: (f / "golden.json").write_text("[]"), "format is None"),
    "json NaN": (lambda f: (f / "golden.json").write_text('{"format": NaN}'), "not JSON"),
    "a newer format": (_edit_json(lambda raw: raw.update(format=99)), "of a newer specc"),
    "no such format": (_edit_json(lambda raw: raw.update(format=0)), "format is 0"),
    "a format that is none": (_edit_json(lambda raw: raw.update(format=True)), "format is True"),
    "a field of another format": (
        _edit_json(lambda raw: raw.update(format=1)),
        "format 1 has no .method.",
    ),
    "extra field": (_edit_json(lambda raw: raw.update(code="import os")), "code"),
    "no case": (_edit_json(lambda raw: raw.pop("case")), "case"),
    "negative size": (_edit_row(shape=[-1]), "tensors"),
    "huge shape": (_edit_row(shape=[2**40, 2**40]), "another shape|wrong kind"),
    "text for a number": (_edit_row(rms="1"), "tensors"),
    "infinite floor": (_edit_row(floors={"float32": [1e999, 0.0]}), "not JSON|tensors"),
    "no floor": (_edit_row(floors={}), "has no floor for 'float32'"),
    "a tensor twice": (
        _edit_json(lambda raw: raw["tensors"].append(raw["tensors"][0])),
        "stands twice",
    ),
    "a row gone": (
        _edit_json(lambda raw: raw["tensors"].pop()),
        "too many",
    ),
    "a key twice": (
        lambda f: (f / "golden.json").write_text(
            (f / "golden.json").read_text().rstrip()[:-1] + ', "alone": {}}'
        ),
        "'alone' stands twice",
    ),
    "another rms": (_edit_row(rms=1e300), "another root-mean-square"),
    "another rms and largest": (_edit_row(rms=1e9, largest=2e9), "another root-mean-square"),
    "another line": (_in_text('"line": 7', '"line": 8'), "does not match its digest"),
    "another seed": (_in_text('"seed": 0', '"seed": 1'), "does not match its digest"),
    "another digest": (_in_text('"digest": "', '"digest": "0'), "does not match its digest"),
    "a note taken away": (_edit_json(lambda raw: raw.pop("notes")), "notes"),
    "no digest": (
        lambda f: (f / "golden.json").write_text(
            re.sub(r',\s*"digest": "\w{64}"', "", (f / "golden.json").read_text())
        ),
        "does not match its digest",
    ),
    "a merge conflict": (
        _in_text('  "notes"', '<<<<<<< HEAD\n  "notes"'),
        "it holds a merge conflict",
    ),
    "a floor that passes anything": (_floors(1e9, 1e9), "none that a blessing gives"),
    "a floor over the value": (_floors(1.5, 3.0), "none that a blessing gives"),
    "a largest that passes anything": (_floors(1e-7, 1.0), "none that a blessing gives"),
    "a largest below the rms": (_floors(1e-5, 1e-8), "none that a blessing gives"),
    "a floor below the unit": (_floors(1e-8, 2e-8), "none that a blessing gives"),
    "a floor lost in half": (_floors(1e-7, 1e300), "none that a blessing gives"),
    "a negative floor": (_floors(-1e-7, 2e-7), "tensors"),
    "a layer's floor of anything": (_alone(1e9, 1e9, 1e9), "none that a blessing gives"),
    "a layer's gain of anything": (_alone(1e-7, 2e-7, 1e-3), "none that a blessing gives"),
    "a layer's gain below the unit": (_alone(1e-7, 2e-7, 1e-9), "none that a blessing gives"),
    "floors of an exact value": (
        _edit_json(lambda raw: raw["tensors"][0].update(floors={"float32": [1e-7, 1e-7]})),
        "has floors, and takes none",
    ),
    "no precision": (_edit_json(lambda raw: raw.update(dtypes=[])), "of no precision"),
    "a floor of zero": (_edit_row(floors={"float32": [0.0, 0.0]}), "tensors"),
    "a floor beyond infinity": (_edit_row(floors={"float32": [1e308, 1e308]}), "tensors"),
    "an unknown precision": (_edit_row(floors={"float32": [1.0, 1.0], "qint8": [1, 1]}), "tensors"),
    "an unknown grid": (_edit_json(lambda raw: raw["case"].update(grid="../x")), "case.grid"),
    "over all values": (
        lambda f: (f / "golden.json").write_text(f"[{'[],' * 200_000}0]"),
        "over 200000 values",
    ),
    "a tensor gone": (_edit_tensors(_drop), "lacks"),
    "a tensor edited": (_edit_tensors(_nudge), "digest"),
    "a tensor of another type": (
        _edit_tensors(lambda t: t.update({"eval/output/logits": torch.zeros(20)})),
        "another shape or type",
    ),
    "tensors empty": (lambda f: (f / "reference.safetensors").write_bytes(b""), "truncated"),
    "tensors cut": (
        lambda f: (f / "reference.safetensors").write_bytes(
            (f / "reference.safetensors").read_bytes()[:-9]
        ),
        "no safetensors file",
    ),
    "header without end": (
        lambda f: (f / "reference.safetensors").write_bytes(struct.pack("<Q", 2**62) + b"{}"),
        "truncated",
    ),
    "a pickle": (
        lambda f: (f / "reference.safetensors").write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR."),
        "truncated|no safetensors file",
    ),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_what_is_not_a_golden_is_refused(name: str, place: tuple[Program, Path, Path]) -> None:
    program, root, folder = place
    corrupt, text = CORRUPTIONS[name]
    corrupt(folder)
    refused(program, root, GoldenCorrupt, text)


def test_a_file_over_the_limit_is_not_read(
    place: tuple[Program, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    program, root, _ = place
    monkeypatch.setattr(golden_reader, "MAX_JSON", 100)
    refused(program, root, GoldenCorrupt, "over the limit of 100")


def test_a_link_out_of_the_project_is_refused(
    place: tuple[Program, Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    program, root, folder = place
    outside = tmp_path_factory.mktemp("outside") / "eval"
    folder.rename(outside)
    folder.symlink_to(outside, target_is_directory=True)
    refused(program, root, GoldenCorrupt, "leads out of the project")


def test_a_linked_file_is_refused(place: tuple[Program, Path, Path]) -> None:
    program, root, folder = place
    (folder / "golden.json").rename(root / "real.json")
    (folder / "golden.json").symlink_to(root / "real.json")
    refused(program, root, GoldenCorrupt, "no such file")


def test_a_spec_outside_the_root_has_no_place(tmp_path: Path) -> None:
    program = mlp(tmp_path / "one")
    with pytest.raises(CallError, match="is not under") as caught:
        golden_folder(program, cases(program)[0], tmp_path / "two")
    assert caught.value.code == "E0805"


def test_the_root_is_where_golden_is(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert project_root(deep / "x.spec") == deep
    (tmp_path / "a" / "pyproject.toml").touch()
    assert project_root(deep / "x.spec") == tmp_path / "a"
    (tmp_path / "golden").mkdir()
    assert project_root(deep / "x.spec") == tmp_path


# ── writing ──────────────────────────────────────────────────────────────────────────────────────


def test_a_link_out_of_the_project_is_not_written_through(tmp_path: Path, made: Golden) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "project"
    (root / "golden").mkdir(parents=True)
    program = mlp(root)
    golden_folder(program, made.case, root).parent.symlink_to(outside)
    with pytest.raises(CallError, match="leads out of the project"):
        write(program, made, root)
    assert not list(outside.iterdir())


def test_a_comment_in_the_spec_rewrites_nothing(tmp_path: Path, made: Golden) -> None:
    program = mlp(tmp_path)
    path = write(program, made, tmp_path) / "golden.json"
    before = path.read_bytes()
    moved = [
        replace(leaf, reference=replace(leaf.reference, line=leaf.reference.line + 2))
        for leaf in made.leaves
    ]
    write(program, replace(made, leaves=tuple(moved)), tmp_path)
    assert path.read_bytes() == before
    write(program, replace(made, leaves=tuple(moved), kinks=made.kinks + 1), tmp_path)
    assert path.read_bytes() != before


def test_what_was_edited_does_not_stay(tmp_path: Path, made: Golden) -> None:
    program = mlp(tmp_path)
    path = write(program, made, tmp_path) / "golden.json"
    before = path.read_text()
    for old in ('"line": 7', '"digest": "'):
        path.write_text(before.replace(old, f"{old}1", 1))
        write(program, made, tmp_path)
        assert path.read_text() == before


def test_between_two_renames_the_old_one_is_read(place: tuple[Program, Path, Path]) -> None:
    program, root, folder = place
    folder.rename(atomic_folder.old_folder(folder))
    assert read(program, cases(program)[1], root).leaves
    assert not folder.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_tree_is_a_clear_error(tmp_path: Path) -> None:
    folder = tmp_path / "golden"
    folder.mkdir()
    program = plain(tmp_path)
    folder.chmod(0o500)
    try:
        with pytest.raises(CallError, match="Permission denied"):
            bless(program, tmp_path, "")
    finally:
        folder.chmod(0o700)


def test_a_file_in_the_way_is_a_clear_error(tmp_path: Path, made: Golden) -> None:
    (tmp_path / "golden").write_text("not a folder")
    with pytest.raises(CallError, match="cannot write the golden") as caught:
        write(mlp(tmp_path), made, tmp_path)
    assert caught.value.code == "E0804"


def test_names_of_cases_cannot_climb() -> None:
    for program in (mlp(), lstm(sizes=((("N", 2), ("T", 3)), (("N", 1), ("T", 4))))):
        for case in cases(program):
            assert re.fullmatch(r"[A-Za-z0-9_-]+", case.id)
