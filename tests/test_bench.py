"""``specc bench``: timing in turn, runs through pytest-benchmark, saved runs, the table."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from conftest import Run

from specc import front
from specc.emit import emit
from specc.errors import CallError, TargetError
from specc.measure import bench as bench_module
from specc.measure.bench import (
    FORWARD,
    STEP,
    Job,
    bench,
    measure,
    saved_run,
    saved_times,
    things,
)
from specc.measure.costs import BenchRow, Spread
from specc.measure.step import choose_case, prepare
from specc.measure.timing import in_turn, ratios, spread
from specc.report.results.bench import as_json, table
from specc.report.terminal.style import plain

pytest.importorskip("pytest_benchmark", reason="needs specc[bench]")

SPEC = """spec 1

model Net {
  input x: float[N, 8]
  y = x -> fc: Linear(4) -> BatchNorm1d
  output y
}

train {
  input label: float[N, 4]
  loss = MSELoss(y, label)
  optimizer SGD(lr=0.1)
}

test {
  sizes N=6
  targets torchscript
}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "net.spec"
    path.write_text(SPEC, encoding="utf-8")
    return path


# ── timing ───────────────────────────────────────────────────────────────────────────────────────


def test_callables_take_turns_and_the_order_alternates() -> None:
    seen: list[str] = []

    def call(name: str, seconds: float) -> None:
        seen.append(name)
        time.sleep(seconds)

    calls = {"a": lambda: call("a", 0.004), "b": lambda: call("b", 0.012)}
    times = in_turn(calls, 0.2)
    assert len(times["a"]) == len(times["b"]) >= 5
    # Each call is long enough to be a round of its own.
    rounds = seen[-2 * len(times["a"]) :]
    assert rounds[:6] == ["a", "b", "b", "a", "a", "b"]
    assert all(taken >= 0.004 for taken in times["a"])
    assert 1.5 < spread(ratios(times["b"], times["a"])).median < 4.5


def test_a_short_call_is_repeated_within_a_round() -> None:
    count = 0

    def call() -> None:
        nonlocal count
        count += 1

    waits = 0

    def wait() -> None:
        nonlocal waits
        waits += 1

    (times,) = in_turn({"a": call}, 0.05, wait).values()
    assert count > 50 * len(times)
    assert waits > 2 * len(times)
    assert all(0 < taken < 1e-4 for taken in times)


def test_quartiles() -> None:
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == Spread(3.0, 2.0, 4.0)


# ── what is timed ────────────────────────────────────────────────────────────────────────────────


def test_a_step_trains_the_module_and_a_forward_does_not(spec: Path) -> None:
    program = front.read(spec)
    for target in ("eager", "torchscript", "export"):
        case = choose_case(program, "train", {})
        ready = prepare(program, emit(program), case, target=target, device="cpu")
        before = {name: tensor.clone() for name, tensor in ready.module.state_dict().items()}
        terms = ready.step()
        assert terms["loss"].item() > 0
        moved = [n for n, t in ready.module.state_dict().items() if not torch.equal(t, before[n])]
        assert {"fc.weight", "batchnorm1d_1.running_mean"} <= set(moved)
        case = choose_case(program, "eval", {"N": 3})
        ready = prepare(program, emit(program), case, target=target, device="cpu")
        before = {name: tensor.clone() for name, tensor in ready.module.state_dict().items()}
        assert ready.forward is not None
        result = ready.forward()
        assert result.shape == (3, 4) and not result.requires_grad
        after = ready.module.state_dict()
        assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_all_targets_start_from_the_same_numbers(spec: Path) -> None:
    program = front.read(spec)
    case = choose_case(program, "train", {})
    losses = {
        target: prepare(program, emit(program), case, target=target, device="cpu").step()["loss"]
        for target in ("eager", "torchscript", "export")
    }
    assert losses["eager"].item() == pytest.approx(losses["torchscript"].item(), rel=1e-5)
    assert losses["eager"].item() == pytest.approx(losses["export"].item(), rel=1e-5)


def test_the_caller_keeps_its_random_state(spec: Path) -> None:
    program = front.read(spec)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    prepare(program, emit(program), choose_case(program, "eval", {}), target="eager", device="cpu")
    assert torch.equal(torch.rand(3), expected)


def test_a_thing_in_all_its_targets(spec: Path) -> None:
    found = measure(Job(front.read(spec), ("torchscript",)), STEP, 0.05)
    assert list(found.rows) == ["eager", "torchscript"]
    for target, row in found.rows.items():
        assert row.seconds is not None and row.ratio is not None
        assert len(found.times[target]) == row.rounds >= 5
        assert row.seconds.low <= row.seconds.median <= row.seconds.high
        assert row.what == STEP and row.sizes == (("N", 6),)
    eager = found.rows["eager"].ratio
    assert eager == Spread(1.0, 1.0, 1.0)


SEVERAL = """spec 1

model Maker {
  input z: float[N, 4]
  fake = z -> Linear(8)
  output fake
}

model Judge {
  input x: float[N, 8]
  score = x -> Linear(1)
  output score
}

train {
  input real: float[N, 8]
  input z: normal[N, 4]
  fake = Maker(z)
  step judge {
    loss = mean(Judge(detach(fake))) - mean(Judge(real))
    optimizer SGD(lr=0.1) on Judge
  }
  step maker {
    loss = -mean(Judge(fake))
    optimizer SGD(lr=0.1) on Maker
  }
}
"""


def test_a_training_of_several_models_has_a_step_alone(tmp_path: Path) -> None:
    path = tmp_path / "gan.spec"
    path.write_text(SEVERAL, encoding="utf-8")
    program = front.read(path)
    assert things(program) == (STEP,)
    case = choose_case(program, "train", {})
    states = {}
    for target in ("eager", "torchscript", "export"):
        ready = prepare(program, emit(program), case, target=target, device="cpu")
        before = {name: tensor.clone() for name, tensor in ready.module.state_dict().items()}
        ready.step()
        states[target] = ready.module.state_dict()
        # Both models learn, whoever calls them; the judge's bias cancels in its loss.
        moved = {n for n, each in states[target].items() if not torch.equal(before[n], each)}
        assert {name.partition(".")[0] for name in moved} == {"maker", "judge"}
    for name, tensor in states["eager"].items():
        torch.testing.assert_close(states["torchscript"][name], tensor)
        torch.testing.assert_close(states["export"][name], tensor)


def test_accumulated_batches_are_counted(spec: Path, tmp_path: Path) -> None:
    path = tmp_path / "accumulated.spec"
    path.write_text(SPEC.replace("optimizer", "accumulate 2\n  optimizer"), encoding="utf-8")
    program = front.read(path)
    case = choose_case(program, "train", {})
    ready = prepare(program, emit(program), case, target="eager", device="cpu")
    weight = ready.module.get_parameter("fc.weight")
    before = weight.detach().clone()
    ready.step()
    assert torch.equal(weight, before)
    ready.step()
    assert not torch.equal(weight, before)


def test_a_target_that_refuses_is_a_row_and_eager_is_an_error(
    spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = front.read(spec)
    real = bench_module.prepare

    def refusing(*arguments: object, target: str, **given: object) -> object:
        if target == refused:
            raise TargetError("E0902", "no such thing")
        return real(*arguments, target=target, **given)  # type: ignore[arg-type]  # passed on as is

    monkeypatch.setattr(bench_module, "prepare", refusing)
    refused = "torchscript"
    rows, _ = bench([Job(program, ("torchscript",))], seconds=0.02)
    assert [row.fault for row in rows] == ["", "no such thing"] * 2
    assert rows[0].seconds is not None and rows[1].seconds is None
    assert "FAULT" in plain(table(rows)) and "no such thing" in plain(table(rows))
    refused = "eager"
    with pytest.raises(TargetError, match="no such thing"):
        bench([Job(program, ())], seconds=0.02)


# ── runs through pytest-benchmark ────────────────────────────────────────────────────────────────


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def test_a_run_is_saved_and_compared(spec: Path, in_folder: Path) -> None:
    jobs = [Job(front.read("net.spec"), ("torchscript",))]
    told: list[str] = []
    rows, against = bench(jobs, seconds=0.05, save="before", tell=told.append)
    assert against == "" and told == [
        "net.spec: forward, eager, torchscript",
        "net.spec: step, eager, torchscript",
    ]
    assert [(row.what, row.target) for row in rows] == [
        (FORWARD, "eager"), (FORWARD, "torchscript"), (STEP, "eager"), (STEP, "torchscript"),
    ]  # fmt: skip
    path = saved_run("before", in_folder / ".benchmarks")
    assert path.name == "0001_before.json"
    saved = {each["fullname"]: each for each in json.loads(path.read_text())["benchmarks"]}
    for row in rows:
        # pytest-benchmark holds exactly the times that were measured in turn.
        each = saved[f"net.spec::{row.what}[{row.target}]"]
        assert row.seconds is not None and row.ratio is not None
        assert each["stats"]["median"] == pytest.approx(row.seconds.median, rel=1e-9)
        assert each["stats"]["rounds"] == row.rounds
        assert each["extra_info"]["ratio"] == row.ratio.median
        assert each["group"] == f"net.spec: {row.what}"
    again, against = bench(jobs, seconds=0.02, compare="latest", save="after")
    assert against.endswith("0001_before.json")
    for row, then in zip(again, rows, strict=True):
        assert then.seconds is not None and then.ratio is not None
        assert row.saved == pytest.approx(then.seconds.median, rel=1e-9)
        assert row.saved_ratio == then.ratio.median
    assert saved_run("latest", in_folder / ".benchmarks").name == "0002_after.json"


def test_what_lies_beside_a_spec_is_not_run(spec: Path, in_folder: Path) -> None:
    (in_folder / "conftest.py").write_text("raise SystemExit('run')\n", encoding="utf-8")
    (in_folder / "pytest.ini").write_text("[pytest]\naddopts = --nonsense\n", encoding="utf-8")
    rows, _ = bench([Job(front.read("net.spec"), ())], seconds=0.02)
    assert len(rows) == 2


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"benchmarks": 3}', '{"benchmarks": [{}]}', "\x00", "[" * 100_000],
    ids=["empty", "list", "object", "number", "hollow", "binary", "deep"],
)
def test_a_saved_run_is_data_that_may_be_anything(tmp_path: Path, text: str) -> None:
    path = tmp_path / "machine" / "0001_x.json"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CallError, match="E0701"):
        saved_times(saved_run("x", tmp_path))


def test_a_saved_run_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="save one"):
        saved_run("latest", tmp_path / ".benchmarks")
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine" / "0003_mine.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CallError, match="there is mine"):
        saved_run("yours", tmp_path)


# ── the command ──────────────────────────────────────────────────────────────────────────────────


def test_the_command(specc: Run, spec: Path, tmp_path: Path) -> None:
    ended = specc("bench", spec, "--seconds", "0.05", "--save", "one")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert "N=6, cpu" in ended.stdout and "torchscript" in ended.stdout
    again = ("bench", spec, "--target", "eager", "--seconds", "0.02", "--compare", "one", "--json")
    ended = specc(*again, "--size", "N=2")
    rows = json.loads(ended.stdout)
    assert [row["what"] for row in rows] == ["forward", "step"]
    assert all(row["saved"] > 0 and row["sizes"] == [["N", 2]] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--target", "onxx"), "E0712"),
        (("--device", "tpu"), "E0712"),
        (("--size", "M=3"), "E0712"),
        (("--save", "../x"), "E0712"),
        (("--compare", "nothing"), "E0701"),
        (("--set", "width=3"), "E0601"),
    ],
)
def test_a_wrong_call_is_told(
    specc: Run, spec: Path, arguments: tuple[str, ...], code: str
) -> None:
    ended = specc("bench", spec, "--seconds", "0.02", *arguments)
    assert ended.returncode == 2, ended.stderr
    assert f"[{code}]" in ended.stderr and "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_without_pytest_benchmark_the_extra_is_named(spec: Path, tmp_path: Path) -> None:
    import subprocess

    from conftest import ROOT

    code = (
        "import sys; sys.modules['pytest_benchmark'] = None\nfrom specc.cli import main\nmain()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, "bench", str(spec)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2, ended.stderr
    assert "[E0713]" in ended.stderr and "pip install 'specc[bench]'" in ended.stderr


# ── the table ────────────────────────────────────────────────────────────────────────────────────


def test_the_table() -> None:
    def row(what: str, target: str, seconds: float, **given: object) -> BenchRow:
        median = Spread(seconds, seconds / 2, seconds * 2)
        ratio = Spread(seconds / 1e-3, 0.5, 2.0)
        fields = {"seconds": median, "ratio": ratio, "rounds": 9} | given
        return BenchRow("\x1b[2Jm.spec", (("N", 4),), "cpu", what, target, **fields)  # type: ignore[arg-type]  # mixed types

    rows = [
        row("step", "eager", 1e-3, saved=2e-3, saved_ratio=1.0),
        row("step", "compile", 8e-4, notes=("compile: a note",)),
    ]
    text = plain(table(rows, "0001_x.json"))
    assert "\x1b" not in text and text.count("step") == 1
    eager, compiled = text.splitlines()[2:4]
    assert eager.split() == [
        "step", "eager", "1.00", "ms", "500", "us", "–", "2.00", "ms", "1",
        "2.00", "ms", "0.500", "1.000",
    ]  # fmt: skip
    assert compiled.split()[:2] == ["compile", "800"] and "0.800" in compiled
    assert "note: " in text and "saved: 0001_x.json" in text
    assert len(json.loads(as_json(rows))) == 2
