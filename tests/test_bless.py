"""Blessing: deterministic, whole, quick, and clear about what it cannot do."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from harness_support import EVERY, HEADER, MLP_SOURCE, mlp, plain

from specc import front
from specc.emit import emit
from specc.errors import GoldenStale, TargetError
from specc.harness.blessing import bless as blessing
from specc.harness.blessing.bless import APART, DRAWS, MANY, bless, make
from specc.harness.cases.case import ClosedCase, close
from specc.harness.cases.matrix import cases, cells
from specc.harness.floors.floor import ReferenceRun
from specc.harness.goldens.golden import read
from specc.harness.judging.judge import judge
from specc.harness.running.observe import Run
from specc.ir import Program


def content(folders: list[Path]) -> dict[str, bytes]:
    return {
        f"{folder.name}/{path.name}": path.read_bytes()
        for folder in folders
        for path in sorted(folder.iterdir())
    }


@pytest.mark.parametrize("name", EVERY)
def test_blessing_twice_writes_the_same_bytes(name: str, tmp_path: Path) -> None:
    make_program, source = EVERY[name]
    program = make_program(tmp_path)
    start = time.perf_counter()
    first = content(bless(program, tmp_path, source))
    assert time.perf_counter() - start < 30  # some two seconds where nothing else runs
    assert set(first) == {
        f"{mode}/{file}"
        for mode in ("train", "eval")
        for file in ("golden.json", "reference.safetensors")
    }
    threads = torch.get_num_threads()
    torch.set_num_threads(3 - min(threads, 2))
    try:
        assert content(bless(make_program(tmp_path), tmp_path, source)) == first
    finally:
        torch.set_num_threads(threads)


def test_nothing_is_written_when_float64_does_not_run(tmp_path: Path) -> None:
    source = HEADER + (
        "class Plain(nn.Module):\n"
        "    def __init__(self) -> None:\n"
        "        super().__init__()\n"
        "        self.fc = nn.Linear(3, 2)\n\n"
        "    def forward(self, x: Tensor) -> Tensor:\n"
        "        return self.fc(x) @ torch.ones(2, 2)\n"
    )
    with pytest.raises(TargetError, match="cannot be blessed: step0 stops with") as caught:
        bless(plain(tmp_path), tmp_path, source)
    assert caught.value.code == "E0903"
    assert list(tmp_path.iterdir()) == []


def test_a_reference_is_float64(tmp_path: Path) -> None:
    program = mlp(tmp_path)
    golden = make(program, cases(program)[0], MLP_SOURCE, ("float32",))
    loss = next(x for x in golden.leaves if x.reference.name == "step0/loss/loss").reference
    assert loss.values is not None
    assert float(loss.values.to(torch.float32)) != float(loss.values)


def test_floors_of_a_lower_precision_stand_beside_the_others(tmp_path: Path) -> None:
    program = mlp(tmp_path, dtypes=("float32", "bfloat16"))
    bless(program, tmp_path, MLP_SOURCE)
    golden = read(program, cases(program)[1], tmp_path)
    assert golden.dtypes == ("float32", "bfloat16") and golden.grid == "bfloat16"
    floors = next(x for x in golden.leaves if x.reference.name == "eval/output/logits").floors
    assert floors["bfloat16"].rms > 1000 * floors["float32"].rms


MASKED = (
    "spec 1\n\nmodel Masked {\n  input x: float[N, 4]\n  input done: bool[N]\n"
    "  y = x -> Linear(1) -> squeeze(-1)\n  output where(done, 0.0, y)\n}\n\n"
    "test {\n  sizes N=3\n  seed SEED\n  modes eval\n  targets eager\n}\n"
)


def test_bools_hold_both_values(tmp_path: Path) -> None:
    path = tmp_path / "masked.spec"
    path.write_text(MASKED.replace("SEED", "0"))
    program = front.read(path)
    (case,) = cases(program)
    golden = make(program, case, emit(program), ("float32",))
    drawn = dict(close(program, case, golden.draw).batches[0].inputs)["done"]
    assert drawn.any() and not drawn.all()


ROWS = (
    "spec 1\n\nmodel Rows {\n  input x: float[N, 4, 2]\n  input mask: bool[N, 4]\n"
    "  layer attend = MultiheadAttention(1, batch_first=true)\n  scores = sum(x, dim=-1)\n"
    "  y = OUTPUT\n  output y\n}\n\n"
    "test {\n  sizes N=4\n  modes train\n  targets eager\n}\n"
)
ATTEND = "attend(x, x, x, key_padding_mask=mask)[0]"
FILLED = "softmax(masked_fill(scores, mask, -1e9), dim=-1)"
# The mean of those that are seen: none of none.
SEEN = "sum(where(mask, scores, 0.0), dim=1) / sum(where(mask, scores * 0 + 1, 0.0), dim=1)"


@pytest.mark.parametrize(
    ("output", "rows", "level"),
    [
        (FILLED, {True, False}, 0),
        (ATTEND, {False}, 1),
        (SEEN, {True}, 2),
        (f"{FILLED}[:, 0] + {SEEN} + {ATTEND}[:, 0, 0]", set(), 3),
    ],
)
def test_a_whole_row_of_a_mask_is_drawn_where_it_has_a_number(
    output: str, rows: set[bool], level: int, tmp_path: Path
) -> None:
    text = ROWS.replace("OUTPUT", output)
    if "attend(" not in output:
        text = "\n".join(line for line in text.split("\n") if "layer" not in line)
    path = tmp_path / "rows.spec"
    path.write_text(text)
    program = front.read(path)
    (case,) = cases(program)
    golden = make(program, case, emit(program), ("float32",))
    assert golden.draw // DRAWS == level
    mask = dict(close(program, case, golden.draw).batches[0].inputs)["mask"]
    assert {bool(row[0]) for row in mask if (row == row[0]).all()} == rows
    assert not any(leaf.reference.nonfinite for leaf in golden.leaves)


SMALL = (
    "spec 1\n\nmodel Deep(depth: int = 400) {\n  input x: float[N, 4]\n"
    "  output x -> repeat(depth) { Linear(4) -> Tanh }\n}\n\n"
    "test {\n  params depth=1\n  sizes N=2\n  modes eval\n  targets eager\n}\n"
)


def test_a_golden_is_of_the_params_that_it_was_blessed_with(tmp_path: Path) -> None:
    path = tmp_path / "deep.spec"
    path.write_text(SMALL)
    small, larger = (front.read(path, given, tested=True) for given in ({}, {"depth": 2}))
    bless(small, tmp_path)
    assert read(small, cases(small)[0], tmp_path).draw == 0
    bless(larger, tmp_path)
    assert read(larger, cases(larger)[0], tmp_path).draw == 0
    with pytest.raises(GoldenStale, match="param depth was 2 and is 1"):
        read(small, cases(small)[0], tmp_path)


CONTIGUOUS = (
    "spec 1\n\nmodel Pairs {\n  input x: float[N, 3, 5, 2]\n"
    "  output abs(view_as_complex(x))\n}\n\n"
    "test {\n  sizes N=3\n  modes eval\n  targets eager\n  LAYOUTS\n}\n"
)


def test_a_model_need_not_run_on_images_channels_last(tmp_path: Path) -> None:
    path = tmp_path / "pairs.spec"
    path.write_text(CONTIGUOUS.replace("  LAYOUTS\n", ""))
    assert len(bless(front.read(path), tmp_path)) == 1
    path.write_text(CONTIGUOUS.replace("LAYOUTS", "layouts contiguous, channels_last"))
    with pytest.raises(TargetError, match="stride 1"):
        bless(front.read(path), tmp_path)


@pytest.mark.parametrize(
    ("early", "kinks", "decisions", "runs"),
    [
        (0, 100, 5000, DRAWS),
        (2, 100, 5000, DRAWS),
        (3, 100, 5000, DRAWS - 2),  # with two to come a calm one has a chance of a tenth
        (MANY, 100, 5000, 2),
        (MANY + 1, 100, 5000, 1),
        (0, APART + 1, 5000, 1),
        (0, 2 * APART, 3 * APART**2, DRAWS),
    ],
)
def test_no_draw_without_kinks_is_looked_for_where_there_is_none(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    early: int,
    kinks: int,
    decisions: int,
    runs: int,
) -> None:
    program = plain(tmp_path)
    drawn: list[int] = []

    def reference(program: Program, closed: ClosedCase, *rest: object) -> ReferenceRun:
        drawn.append(closed.draw)
        log = [torch.zeros(decisions, dtype=torch.bool)]
        counted = {"float32": kinks - closed.draw}
        return ReferenceRun(closed, Run(), log, counted, early={"float32": early})

    monkeypatch.setattr(blessing, "reference", reference)
    monkeypatch.setattr(blessing, "look_for_kinks", lambda *given, **named: None)
    found = blessing._calmest(program, cases(program)[0], "", ["float32"], "float32", None)
    assert drawn == list(range(runs))
    assert found.closed.draw == runs - 1


def test_of_draws_without_kinks_one_is_taken_that_sums_in_other_orders_leave_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = plain(tmp_path)
    turned = [3, 1, 0, 2]

    def reference(program: Program, closed: ClosedCase, *rest: object) -> ReferenceRun:
        log = [torch.zeros(64, dtype=torch.bool)]
        return ReferenceRun(closed, Run(), log, {"float32": 0}, early={"float32": 0})

    def look(program: Program, found: ReferenceRun, *rest: object) -> None:
        found.ordered["float32"] = turned[found.closed.draw]

    monkeypatch.setattr(blessing, "reference", reference)
    monkeypatch.setattr(blessing, "look_for_kinks", lambda *given, **named: None)
    monkeypatch.setattr(blessing, "look_in_orders", look)
    found = blessing._calmest(program, cases(program)[0], "", ["float32"], "float32", None)
    assert found.closed.draw == 2


UNUSED = {
    "lstm": ("float[T, N, 4]", "_, (h, _) = x -> LSTM(5)\n  y = h[-1] -> Linear(3)"),
    "gru": ("float[T, N, 4]", "_, h = x -> GRU(5)\n  y = h[-1] -> Linear(3)"),
    "block": ("float[N, 4]", "_, b = x -> Two\n  y = b -> Linear(3)"),
    "layer": ("float[N, 4]", "unused = x -> Linear(2)\n  y = x -> Linear(3)\n  output unused"),
}


@pytest.mark.parametrize("name", UNUSED)
def test_results_that_nothing_reads_are_no_obstacle(name: str, tmp_path: Path) -> None:
    shape, body = UNUSED[name]
    sizes = "N=2, T=3" if "T" in shape else "N=2"
    path = tmp_path / "net.spec"
    path.write_text(
        "spec 1\n\nblock Two {\n  input x: float[N, D]\n  h = x -> Linear(6) -> Tanh\n"
        "  a = h -> Linear(2)\n  b = h -> Linear(5)\n  output a, b\n}\n\n"
        f"model Net {{\n  input x: {shape}\n  {body}\n  output y\n}}\n\n"
        "train {\n  input t: float[N, 3]\n  loss = MSELoss(y, t)\n  optimizer SGD(lr=0.1)\n}\n\n"
        f"test {{\n  sizes {sizes}\n  steps 1\n  modes train\n  targets eager\n}}\n"
    )
    program = front.read(path)
    bless(program, tmp_path)
    verdict = judge(program, cells(program, ["eager"], ["cpu"])[0], tmp_path)
    assert verdict.passed, verdict.report()
