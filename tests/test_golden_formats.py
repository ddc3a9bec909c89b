"""Goldens of older formats and versions: read, judged on what they hold, or refused in clear words.

``stored_goldens/format1`` was written by the specc that had format 1, and stays as it is; so was
``format3``, of the same spec.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from specc import front
from specc.emit import emit
from specc.errors import GoldenCorrupt, GoldenStale
from specc.harness.blessing.bless import bless
from specc.harness.cases.matrix import cells
from specc.harness.cases.verdict import Verdict
from specc.harness.goldens import golden as goldens
from specc.harness.goldens.golden_formats import FORMAT, STEPS, migrated
from specc.harness.judging.judge import judge
from specc.harness.numbers import counter
from specc.ir import Program

FORMATS = Path(__file__).with_name("stored_goldens")
STORED = FORMATS / "format1"
# Judged by two of the golden's leaves once more: the output and the loss without hooks.
TWICE = 2


def placed(root: Path, stored: Path) -> tuple[Program, Path]:
    """A project with the spec and the golden that were stored; the golden's folder."""
    shutil.copy(stored / "old.spec", root)
    folder = root / "golden" / "old" / "train"
    folder.mkdir(parents=True)
    for name in ("golden.json", "reference.safetensors"):
        shutil.copy(stored / name, folder)
    return front.read(root / "old.spec"), folder


@pytest.fixture(autouse=True)
def _generator_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers that the stored goldens are of. Their spec has no corner, so that the generators
    differ in the version that goes into each number alone."""
    monkeypatch.setattr(counter, "VERSION", 1)
    monkeypatch.setattr(goldens, "GENERATOR_VERSION", 1)


def test_numbers_of_another_generator_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, _ = placed(tmp_path, FORMATS / "format3")
    monkeypatch.setattr(goldens, "GENERATOR_VERSION", 2)
    with pytest.raises(GoldenStale, match="the portable generator was version 1 and is 2"):
        judged(program)


@pytest.fixture
def project(tmp_path: Path) -> tuple[Program, Path]:
    return placed(tmp_path, STORED)


def judged(program: Program, source: str | None = None) -> Verdict:
    (cell,) = cells(program)
    return judge(program, cell, Path(program.file).parent, source)


def test_a_golden_of_the_first_format_judges(project: tuple[Program, Path]) -> None:
    program, folder = project
    assert json.loads((folder / "golden.json").read_text())["format"] == 1
    assert judged(program).passed
    wrong = emit(program).replace("lr=0.1", "lr=0.1001")
    verdict = judged(program, wrong)
    assert verdict.findings[0].name == "option/group0/lr"
    assert {found.name for found in verdict.findings} >= {"step0/delta/fc.weight"}
    # Reading leaves the file as it was.
    assert json.loads((folder / "golden.json").read_text())["format"] == 1


@pytest.mark.parametrize("number", [1, 3])
def test_a_golden_of_each_format_judges_and_says_what_it_lacks(number: int, tmp_path: Path) -> None:
    program, folder = placed(tmp_path, FORMATS / f"format{number}")
    raw = json.loads((folder / "golden.json").read_text())
    assert raw["format"] == number and "digest" not in raw
    verdict = judged(program)
    assert verdict.passed
    assert any("has no digest, as before format 4" in note for note in verdict.notes)
    # Layers by themselves are judged from the third format on.
    assert (verdict.compared > len(raw["tensors"]) + TWICE) == (number == 3)
    assert not judged(program, emit(program).replace("lr=0.1", "lr=0.1001")).passed
    # Nobody but a blessing gives it a digest.
    (folder / "golden.json").write_text(json.dumps(raw | {"digest": "0" * 64}))
    with pytest.raises(GoldenCorrupt, match="format 3 has no 'digest'"):
        judged(program)


def test_blessing_writes_the_present_format(project: tuple[Program, Path]) -> None:
    program, folder = project
    bless(program, folder.parents[2])
    raw = json.loads((folder / "golden.json").read_text())
    assert (raw["format"], raw["method"]) == (FORMAT, goldens.METHOD)
    assert judged(program).passed


def test_every_format_has_a_way_to_the_present_one() -> None:
    assert list(STEPS) == list(range(1, FORMAT))
    raw = json.loads((STORED / "golden.json").read_text())
    found = migrated(raw)
    assert isinstance(found, dict) and found["format"] == FORMAT
    assert {name: found[name] for name in raw if name != "format"} == {
        name: value for name, value in raw.items() if name != "format"
    }
    assert raw["format"] == 1 and "method" not in raw
    assert migrated(found) == found


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([], "format is None"),
        ({"format": "2"}, "format is 2, and"),
        ({"format": -1}, "format is -1"),
        ({"format": FORMAT + 1}, "of a newer specc"),
        ({"format": 1, "method": 5}, "has no 'method'"),
        ({"format": 3, "digest": ""}, "has no 'digest'"),
    ],
)
def test_what_has_no_known_format_is_refused(raw: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        migrated(raw)


def test_an_older_observation_is_judged_on_what_it_holds(
    project: tuple[Program, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    program, folder = project
    path = folder / "golden.json"
    raw = json.loads(path.read_text())
    from safetensors.torch import load_file, save_file

    # A version that did not yet observe the gradients of inputs.
    tensors = load_file(folder / "reference.safetensors")
    del tensors["step0/input_grad/x"]
    save_file(tensors, folder / "reference.safetensors")
    raw["tensors"] = [row for row in raw["tensors"] if row["name"] != "step0/input_grad/x"]
    path.write_text(json.dumps(raw | {"observation": goldens.OBSERVATION}))
    assert judged(program).findings[0].what == "extra"
    path.write_text(json.dumps(raw))
    verdict = judged(program)
    assert verdict.passed and verdict.compared == len(raw["tensors"]) + TWICE
    assert any("observes what version 2 did" in note for note in verdict.notes)
    wrong = emit(program).replace("lr=0.1", "lr=0.1001")
    assert not judged(program, wrong).passed
    monkeypatch.setattr(goldens, "OLDEST_OBSERVATION", goldens.OBSERVATION)
    # Of a file that stays as it is it is remembered what was read.
    path.touch()
    with pytest.raises(GoldenStale, match="what is observed was version 2 and is"):
        judged(program)


def test_floors_that_were_found_another_way_are_told(project: tuple[Program, Path]) -> None:
    program, _ = project
    verdict = judged(program)
    assert verdict.passed
    assert any("floors were found as version 1 did" in note for note in verdict.notes)
