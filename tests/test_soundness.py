"""A golden whose digest was made anew: what it lacks, or judges too leniently, is found all the
same."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from specc import front
from specc.emit import emit
from specc.errors import GoldenCorrupt
from specc.harness.blessing.bless import bless
from specc.harness.cases.matrix import cases, cells
from specc.harness.cases.verdict import Verdict
from specc.harness.floors.floor import raised
from specc.harness.floors.floor_statistics import ENDLESS, NOTHING, Floor, floor_from, sound
from specc.harness.floors.per_layer_floor import NOT_ALONE, AloneFloor
from specc.harness.goldens import golden_reader
from specc.harness.goldens.golden import golden_folder, read
from specc.harness.judging.judge import judge
from specc.ir import Program
from specc.policy import AMPLIFICATION

UNIT = float(torch.finfo(torch.float32).eps)

# ── the bounds hold whatever a blessing finds ────────────────────────────────────────────────────

errors = st.integers(1, 300).flatmap(
    lambda n: st.tuples(
        st.just(n), st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1)), min_size=16, max_size=16)
    )
)


@given(errors, st.sampled_from([1e-9, 1e-7, 1e-4, 0.1, 1.0, 1e12]))
def test_every_floor_that_runs_give_is_sound(
    drawn: tuple[int, list[tuple[float, float]]], scale: float
) -> None:
    elements, found = drawn
    # Of an error vector the largest is between the root-mean-square and sqrt(n) times it.
    sizes = [(scale * a, scale * a * (1 + b * (math.sqrt(elements) - 1))) for a, b in found]
    honest, pushed = sizes[:12], sizes[12:]
    floor = floor_from(honest, elements, UNIT)
    gains = [size[0] * share for size, (_, share) in zip(sizes, found, strict=True)]
    gain = max(UNIT / 2, 1.86 * math.sqrt(sum(each**2 for each in gains[1:12:2]) / 6))
    for linear in (0.0, 4 * AMPLIFICATION):
        rms, largest = floor.rms, floor.largest
        for size, own in zip(pushed, gains[12:], strict=True):
            if linear:
                rms, largest = raised(rms, size[0], linear), raised(largest, size[1], linear)
                gain = raised(gain, own, linear)
            else:  # a decision that was turned
                rms, largest = max(rms, size[0] / 2), max(largest, size[1] / 2)
        told = Floor(rms, largest).written
        assert sound(told.rms, told.largest, None, UNIT, elements)
        alone = AloneFloor(rms, largest, gain).written
        assert sound(alone.rms, alone.largest, alone.gain, UNIT, 2**40)
        assert told.rms <= NOTHING


def test_a_floor_that_is_not_a_number_is_none_that_judges() -> None:
    for numbers in ((math.nan, 1.0), (1.0, math.inf), (1e301, 1e301), (math.inf, math.inf)):
        assert Floor(*numbers).written == Floor(ENDLESS, ENDLESS)
    assert Floor(3.0, 40.0).written == Floor(NOTHING, NOTHING)
    assert Floor(0.99999, 1.0).written == Floor(NOTHING, NOTHING)


@pytest.mark.parametrize(
    "numbers",
    [(1e9, 1e9), (2.0, 2.0), (0.5, 1e300), (NOTHING, 1e9), (1e-9, 1e-9), (0.0, 0.0), (1e-7, 1e-3)],
)
def test_what_no_blessing_gives(numbers: tuple[float, float]) -> None:
    assert not sound(*numbers, None, UNIT, 4)


# ── forged ───────────────────────────────────────────────────────────────────────────────────────

SPEC = """spec 1

model Net {
  input x: float[N, 6]
  h = x -> fc1: Linear(8) -> norm: LayerNorm -> act: Tanh
  output h -> fc2: Linear(3)
}

train {
  input y: float[N, 3]
  loss = MSELoss(output, y)
  optimizer SGD(lr=0.1)
}

test {
  sizes N=5
  steps 1
  modes train
  targets eager, torchscript
  devices cpu
}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, Path, Path]:
    root = tmp_path_factory.mktemp("project")
    (root / "pyproject.toml").touch()
    (root / "net.spec").write_text(SPEC)
    program = front.read(root / "net.spec")
    bless(program, root)
    return program, root, golden_folder(program, cases(program)[0], root)


def _drop(raw: dict[str, Any], tensors: dict[str, torch.Tensor], part: str) -> None:
    """Takes away the tensors whose names hold ``part``, with their numbers."""
    gone = [row["name"] for row in raw["tensors"] if part in row["name"]]
    assert gone
    raw["tensors"] = [row for row in raw["tensors"] if row["name"] not in gone]
    for name in gone:
        tensors.pop(name, None)


def _floors(raw: dict[str, Any], number: float) -> None:
    for row in raw["tensors"]:
        if "floors" in row:
            row["floors"] = {"float32": [number, number]}
    for name in raw["alone"]:
        raw["alone"][name] = {"float32": [number] * 3}


def _exactly(raw: dict[str, Any]) -> None:
    for row in raw["tensors"]:
        if "floors" in row:
            del row["floors"]
            row["exact"] = True


Edit = Callable[[dict[str, Any], dict[str, torch.Tensor]], object]
FORGED: dict[str, tuple[Edit, str]] = {
    "no tensors": (lambda raw, tensors: _drop(raw, tensors, ""), "no value"),
    "no gradients": (lambda raw, tensors: _drop(raw, tensors, "/grad/"), "extra"),
    "no outputs": (lambda raw, tensors: _drop(raw, tensors, "/output/"), "extra"),
    "no layer": (lambda raw, tensors: _drop(raw, tensors, "/layer/fc1"), "extra"),
    "settings alone": (lambda raw, tensors: _drop(raw, tensors, "step0/"), "extra"),
    "nothing alone": (lambda raw, tensors: raw.update(alone={}), "extra"),
    "a layer less alone": (lambda raw, tensors: raw["alone"].pop("step0/alone/act"), "extra"),
    "a gradient less alone": (
        lambda raw, tensors: raw["alone"].pop("step0/alone_grad/fc1.weight"),
        "extra",
    ),
    "absent": (
        lambda raw, tensors: (
            raw["tensors"].append(
                {"name": raw["tensors"].pop()["name"], "line": 1, "kind": "absent"}
            ),
            tensors.pop(raw["tensors"][-1]["name"]),
        ),
        "extra",
    ),
    "floors of 1e9": (lambda raw, tensors: _floors(raw, 1e9), "none that a blessing gives"),
    "floors of 10": (lambda raw, tensors: _floors(raw, 10.0), "none that a blessing gives"),
    "floors of zero": (lambda raw, tensors: _floors(raw, 1e-300), "none that a blessing gives"),
    "nothing observable": (lambda raw, tensors: _floors(raw, 1.0), "nothing"),
    "nothing that honest runs have": (lambda raw, tensors: _floors(raw, 1e300), "nothing"),
    "exact": (lambda raw, tensors: _exactly(raw), "values"),
    "places that are not finite": (
        lambda raw, tensors: raw["tensors"][-1].update(nonfinite=f"1 inf: {'0' * 16}"),
        "root-mean-square|does not allow",
    ),
}


def _judged(project: tuple[Program, Path, Path], source: str | None = None) -> dict[str, Verdict]:
    program, root, _ = project
    return {cell.target: judge(program, cell, root, source) for cell in cells(program)}


@pytest.mark.parametrize("name", FORGED)
def test_a_digest_made_anew_does_not_help(name: str, project: tuple[Program, Path, Path]) -> None:
    program, root, folder = project
    edit, told = FORGED[name]
    before = {path: path.read_bytes() for path in folder.iterdir()}
    raw = json.loads((folder / "golden.json").read_text())
    tensors = load_file(folder / "reference.safetensors")
    edit(raw, tensors)
    try:
        (folder / "golden.json").write_text(json.dumps(raw | {"digest": golden_reader.seal(raw)}))
        save_file(tensors, folder / "reference.safetensors")
        if " " in told or "|" in told:
            with pytest.raises(Exception, match=told):
                read(program, cases(program)[0], root)
            return
        verdict = _judged(project)["eager"]
        assert not verdict.passed
        assert told in {finding.what for finding in verdict.findings}
    finally:
        for path, content in before.items():
            path.write_bytes(content)
        assert _judged(project)["eager"].passed


def test_a_verdict_counts_what_was_compared(project: tuple[Program, Path, Path]) -> None:
    for target, verdict in _judged(project).items():
        assert verdict.passed and verdict.compared > (20 if target == "eager" else 10)
    wrong = emit(project[0]).replace("lr=0.1", "lr=0.1001")
    assert not _judged(project, wrong)["torchscript"].passed


def test_a_layer_that_the_golden_says_it_leaves_out_is_no_finding(
    project: tuple[Program, Path, Path],
) -> None:
    """It could not be run by itself where it was blessed, and can be here; the note is shown."""
    path = project[2] / "golden.json"
    text = path.read_text()
    raw = json.loads(text)
    raw["alone"] = {name: row for name, row in raw["alone"].items() if "/act" not in name}
    raw["notes"] = [f"{NOT_ALONE}act"]
    try:
        path.write_text(json.dumps(raw | {"digest": golden_reader.seal(raw)}))
        verdict = _judged(project)["eager"]
        assert verdict.passed and any("not judged by themselves" in note for note in verdict.notes)
    finally:
        path.write_text(text)


def test_an_edit_without_the_digest_is_refused(project: tuple[Program, Path, Path]) -> None:
    path = project[2] / "golden.json"
    text = path.read_text()
    try:
        path.write_text(text.replace('"alone": {', '"alone": {}, "x": {'))
        with pytest.raises(GoldenCorrupt, match="does not match its digest"):
            _judged(project)
    finally:
        path.write_text(text)
