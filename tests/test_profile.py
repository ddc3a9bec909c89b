"""``specc profile``: what lines get of a run, the folder that it writes, TensorBoard on it."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Run
from torch import nn

from specc import front
from specc.emit import emit
from specc.errors import CallError
from specc.measure.attribute import MODEL, REST, Event, attribute
from specc.measure.lines import instrument, layer_marks, spec_files, statement_marks, update_marks
from specc.measure.profile import profile
from specc.report.profile import KernelCost, LineCost, Profile, as_json, memory, pieces
from specc.report.profile import time as shown_time
from specc.report.style import plain
from specc.targets.live import module_class

SPEC = """spec 1

model Net {
  input x: float[N, 256]
  wide = x -> big: Linear(2048) -> ReLU
  y = wide -> small: Linear(2)
  output y
}

train {
  input label: float[N, 2]
  loss = MSELoss(y, label)
  clip GradNorm(1.0)
  optimizer SGD(lr=0.1)
}

test {
  sizes N=32
}
"""
WITHOUT_OPTIMIZER = SPEC.replace("  clip GradNorm(1.0)\n  optimizer SGD(lr=0.1)\n", "")
WITHOUT_TRAINING = SPEC[: SPEC.index("train {")]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "net.spec"
    path.write_text(SPEC, encoding="utf-8")
    return path


def by_line(found: Profile) -> dict[int, LineCost]:
    return {row.line: row for row in found.lines if row.line}


# ── lines of the source ──────────────────────────────────────────────────────────────────────────

SOURCE = '''"""M."""

from torch import Tensor, nn


class M(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])  # m.spec:3

    def forward(self, x: Tensor) -> Tensor:
        for row in self.rows:  # m.spec:4
            x = row(x)
            # m.spec:6
            x = (
                x
                + 1.0
            )
        x = x * 2.0  # m.spec:7
        return x * 2.0  # m.spec:7


class N(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = x - 1.0  # other.spec:2
        return y
'''


def test_marked_statements_are_announced_and_nothing_else_changes() -> None:
    text = instrument(SOURCE)
    ranges = [line.strip() for line in text.splitlines() if "record_function" in line]
    assert ranges == [
        f"with torch.profiler.record_function('{name}'):"
        for name in ("m.spec:4", "m.spec:6", "m.spec:7", "other.spec:2")
    ]
    left = instrument(SOURCE, forward=False)
    assert "record_function" not in left
    plain_class, announced = (module_class(each, "M", "m") for each in (SOURCE, text))
    torch.manual_seed(0)
    ours = plain_class()
    theirs = announced()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 4)
    assert torch.equal(ours(x), theirs(x))


def test_each_line_of_a_marked_statement_is_known() -> None:
    marks = statement_marks(SOURCE)
    lines = SOURCE.splitlines()
    assert {lines[number - 1].strip() for number, name in marks.items() if name == "m.spec:6"} == {
        "x = (",
        "x",
        "+ 1.0",
        ")",
    }
    assert marks[lines.index("        for row in self.rows:  # m.spec:4") + 1] == "m.spec:4"
    assert marks[lines.index("        y = x - 1.0  # other.spec:2") + 1] == "other.spec:2"


def test_the_lines_of_a_program(spec: Path) -> None:
    program = front.read(spec)
    assert layer_marks(program.subject())["big"] == "net.spec:5"
    assert update_marks(program) == {"net.spec:13", "net.spec:14"}
    assert spec_files(program) == {"net.spec": str(spec)}
    assert "record_function('net.spec:12')" in instrument(emit(program))


# ── events to lines ──────────────────────────────────────────────────────────────────────────────


def event(number: int, parent: int | None, name: str, **given: Any) -> Event:
    fields = {"thread": 1, "forward_thread": 0, "sequence": -1, "own": 1.0, "memory": 0}
    return Event(number, parent, name, **(fields | given))


def backward(number: int, name: str, sequence: int, **given: Any) -> Event:
    name = f"autograd::engine::evaluate_function: {name}"
    return event(number, None, name, sequence=sequence, **({"forward_thread": 1} | given))


def test_own_time_is_the_innermost_lines_and_totals_are_of_all_around() -> None:
    found = attribute(
        [
            event(1, None, MODEL),
            event(2, 1, "a:1", own=2.0),
            event(3, 2, "b:5", own=4.0),
            event(4, 3, "aten::mm", own=8.0, memory=100),
            event(5, 3, "aten::free", own=0.0, memory=-30),
            event(6, 2, "b:5", own=16.0),
            event(7, None, "outside", own=32.0),
        ],
        {"a:1", "b:5"},
        set(),
    )
    assert found.lines["a:1"].own == {"forward": 2.0} and found.lines["a:1"].calls == 1
    assert found.lines["a:1"].total == 30.0
    assert found.lines["b:5"].own == {"forward": 28.0} and found.lines["b:5"].calls == 2
    assert found.lines["b:5"].allocated == {"forward": 100}
    assert found.lines["b:5"].kept == {"forward": 70}
    assert found.lines[MODEL].own == {"forward": 1.0} and found.lines[MODEL].total == 31.0
    assert found.lines[REST].own == {"forward": 32.0}
    assert [name for _, name in found.unplaced] == [MODEL]


def test_backward_goes_to_the_line_whose_operation_it_undoes() -> None:
    found = attribute(
        [
            event(1, None, "a:1"),
            # Without a gradient to record it starts with the number that b:2's operation takes.
            event(2, 1, "aten::mul", sequence=7),
            event(3, None, "b:2"),
            event(4, 3, "aten::mm", sequence=7),
            event(5, 3, "aten::add", sequence=8),
            backward(6, "AddBackward0", 8, own=10.0),
            event(7, 6, "AddBackward0", own=5.0, sequence=8, forward_thread=1),
            backward(8, "torch::autograd::AccumulateGrad", -1, own=3.0, forward_thread=0),
            # A device has a thread of its own for its backward pass.
            backward(9, "MmBackward0", 7, own=20.0, thread=2),
            backward(10, "torch::autograd::AccumulateGrad", -1, thread=2, own=40.0),
            backward(11, "UnknownBackward0", 99, own=0.5),
        ],
        {"a:1", "b:2"},
        set(),
    )
    assert found.lines["b:2"].own == {"forward": 3.0, "backward": 78.0}
    assert found.lines["a:1"].own == {"forward": 2.0}
    assert found.lines[REST].own == {"backward": 0.5}


def test_a_gradient_taken_inside_a_line_is_backward_of_the_line_it_undoes() -> None:
    found = attribute(
        [
            event(1, None, "a:1"),
            event(2, 1, "aten::mm", sequence=1),
            event(3, None, "b:2", own=2.0),
            backward(4, "MmBackward0", 1, own=6.0)._replace(parent=3),
        ],
        {"a:1", "b:2"},
        set(),
    )
    assert found.lines["a:1"].own == {"forward": 2.0, "backward": 6.0}
    assert found.lines["b:2"].own == {"forward": 2.0} and found.lines["b:2"].total == 2.0


def test_a_graph_that_is_undone_at_once_is_the_models() -> None:
    name = "torch::jit::(anonymous namespace)::DifferentiableGraphBackward"
    found = attribute(
        [
            event(1, None, MODEL),
            event(2, 1, "a:1"),
            event(3, 2, "aten::mm", sequence=1),
            backward(4, name, 1, own=6.0),
            event(5, 4, "aten::mm", own=2.0),
        ],
        {"a:1"},
        set(),
    )
    assert found.lines[MODEL].own == {"forward": 1.0, "backward": 8.0}
    assert found.unplaced["backward", "aten::mm"].own == {"backward": 2.0}


def test_an_update_is_neither_forward_nor_backward() -> None:
    found = attribute([event(1, None, "o:9"), event(2, 1, "aten::add_")], {"o:9"}, {"o:9"})
    assert found.lines["o:9"].own == {"update": 2.0}


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_training_step_by_line(spec: Path, tmp_path: Path) -> None:
    found = profile(front.read(spec), tmp_path / "run", steps=3, warmup=1)
    lines = by_line(found)
    assert sorted(lines) == [5, 6, 12, 13, 14]
    assert all(row.calls == 1 for row in lines.values())
    assert lines[5].source == "wide = x -> big: Linear(2048) -> ReLU"
    # The product and its ReLU; backward of ReLU needs the latter alone.
    assert lines[5].forward_allocated == 2 * 32 * 2048 * 4
    assert lines[5].forward_kept == 32 * 2048 * 4
    assert lines[6].forward_allocated == 32 * 2 * 4
    # Backward makes the gradients of the weights at the least.
    assert lines[5].backward_allocated >= 256 * 2048 * 4
    for number in (5, 6, 12):
        assert lines[number].forward_us > 0 and lines[number].backward_us > 0
        assert lines[number].update_us == 0
    for number in (13, 14):
        assert lines[number].update_us > 0 == lines[number].forward_us
    layers = {number: lines[number].forward_us + lines[number].backward_us for number in (5, 6)}
    assert layers[5] > layers[6]
    # Nothing is lost, and nothing counted twice.
    assert sum(row.own_us for row in found.lines) == pytest.approx(found.step_us, rel=0.01)
    assert found.kernels == ()
    assert len(json.loads(as_json(found))["lines"]) == len(found.lines)


BLOCKS = """spec 1

block Half(width: int) {
  input x: float[N, C]
  y = x -> Linear(width) -> ReLU
  output y -> Linear(C)
}

model Net {
  input x: float[N, 8]
  a = x -> Half(16)
  b = a -> rows: repeat(3) Half(32)
  output a + b -> tail: {
    Linear(4)
    -> Dropout(0.1)
  }
}
"""


@pytest.mark.parametrize("target", ["eager", "export"])
def test_lines_of_blocks_and_of_rows_of_layers(tmp_path: Path, target: str) -> None:
    path = tmp_path / "blocks.spec"
    path.write_text(BLOCKS, encoding="utf-8")
    found = profile(front.read(path), tmp_path / "run", target=target, steps=2, sizes={"N": 4})
    lines = by_line(found)
    # The block four times, its callers once each, and the stages of a row at their own lines.
    assert {number: row.calls for number, row in lines.items()} == {
        5: 4, 6: 4, 11: 1, 12: 1, 13: 1, 14: 1, 15: 1,
    }  # fmt: skip
    assert lines[5].forward_allocated == 2 * 4 * (16 + 3 * 32) * 4
    assert lines[6].forward_allocated == 4 * 4 * 8 * 4
    assert lines[14].forward_allocated == 4 * 4 * 4
    for number in (11, 12):
        assert lines[number].total_us > 5 * lines[number].own_us
    blocks = lines[5].own_us + lines[6].own_us
    callers = sum(lines[number].total_us - lines[number].own_us for number in (11, 12))
    assert callers == pytest.approx(blocks, rel=0.01)


ADVERSARIES = """spec 1

model Maker {
  input z: float[N, 4]
  fake = z -> Linear(8) -> Tanh
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
    optimizer RMSprop(lr=1e-3) on Judge
  }

  step maker {
    loss = -mean(Judge(fake))
    optimizer Adam(lr=1e-3) on Maker
  }
}
"""


@pytest.mark.parametrize("target", ["eager", "export"])
def test_lines_of_a_training_of_several_models(tmp_path: Path, target: str) -> None:
    path = tmp_path / "gan.spec"
    path.write_text(ADVERSARIES, encoding="utf-8")
    program = front.read(path)
    found = profile(program, tmp_path / "run", target=target, steps=2, sizes={"N": 4})
    lines = by_line(found)
    assert {number: row.calls for number, row in lines.items()} == {
        5: 1, 11: 3, 18: 1, 21: 1, 22: 1, 26: 1, 27: 1,
    }  # fmt: skip
    for number in (22, 27):
        assert lines[number].update_us > 0
    assert lines[5].backward_us > 0 and lines[11].backward_us > 0
    assert lines[18].total_us > lines[18].own_us
    with pytest.raises(CallError, match="several at once"):
        profile(program, tmp_path / "run", target=target, mode="eval")


@pytest.mark.parametrize("target", ["torchscript", "export"])
def test_a_target_that_keeps_lines(spec: Path, tmp_path: Path, target: str) -> None:
    found = profile(front.read(spec), tmp_path / "run", target=target, steps=2, warmup=2)
    lines = by_line(found)
    assert sorted(lines) == [5, 6, 12, 13, 14]
    assert all(row.calls == 1 for row in lines.values())
    assert lines[5].forward_allocated >= 2 * 32 * 2048 * 4
    whole = sum(row.backward_us for row in found.lines)
    assert whole > 0 and found.notes
    if target == "torchscript":
        assert any(kernel.phase == "backward" for kernel in found.kernels)
    else:
        assert lines[5].backward_us > 0.3 * whole


def test_compiled_code_is_listed_by_kernel(spec: Path, tmp_path: Path) -> None:
    found = profile(front.read(spec), tmp_path / "run", target="compile", steps=2)
    assert {12, 13, 14} == set(by_line(found))
    names = [kernel.name for kernel in found.kernels]
    assert any("cpp_fused" in name for name in names) and "aten::addmm" in names
    assert any("kernel" in note for note in found.notes)


def test_the_forward_pass_alone(spec: Path, tmp_path: Path) -> None:
    found = profile(front.read(spec), tmp_path / "run", mode="eval", steps=2, sizes={"N": 3})
    assert sorted(by_line(found)) == [5, 6] and found.what == "forward"
    assert found.sizes == (("N", 3),)
    assert by_line(found)[6].forward_allocated == 3 * 2 * 4
    assert all(row.backward_us == 0 for row in found.lines)


@pytest.mark.parametrize("text", [WITHOUT_OPTIMIZER, WITHOUT_TRAINING], ids=["loss", "outputs"])
def test_without_an_optimizer_forward_and_backward_are_run(text: str, tmp_path: Path) -> None:
    path = tmp_path / "net.spec"
    path.write_text(text, encoding="utf-8")
    found = profile(front.read(path), tmp_path / "run", steps=2, warmup=0)
    assert found.what == "forward and backward"
    assert any("no optimizer" in note for note in found.notes)
    assert by_line(found)[5].backward_us > 0
    assert (12 in by_line(found)) == (text == WITHOUT_OPTIMIZER)


def test_profiles_gather_in_a_folder_and_none_is_overwritten(spec: Path, tmp_path: Path) -> None:
    program = front.read(spec)
    traces = {profile(program, tmp_path / "run", steps=1, warmup=0).trace for _ in range(2)}
    assert len(traces) == 2 and all(Path(trace).stat().st_size for trace in traces)
    assert all(trace.endswith(".pt.trace.json") for trace in traces)
    events = json.loads(Path(min(traces)).read_text(encoding="utf-8"))["traceEvents"]
    assert {"net.spec:5", "net.spec:14"} <= {each.get("name") for each in events}


def test_the_hooks_are_gone_afterwards(spec: Path, tmp_path: Path) -> None:
    source = instrument(emit(front.read(spec)))
    profile(front.read(spec), tmp_path / "run", steps=1, warmup=0)
    model = module_class(source, "Net", "net")()
    assert isinstance(model, nn.Module) and not model._forward_hooks


# ── the command ──────────────────────────────────────────────────────────────────────────────────


def test_the_command_prints_a_table_or_json(specc: Run, spec: Path, tmp_path: Path) -> None:
    ended = specc("profile", spec, "-o", "runs/net", "--steps", "2")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert "wide = x -> big: Linear(2048)" in ended.stdout
    assert "tensorboard --logdir runs" in ended.stdout
    assert len(list((tmp_path / "runs" / "net").iterdir())) == 1
    ended = specc("profile", spec, "-o", "runs/net", "--steps", "1", "--json", "--size", "N=2")
    assert json.loads(ended.stdout)["sizes"] == [["N", 2]]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--target", "onxx"), "E0712", "onxx"),
        (("--target", "eager,compile"), "E0712", "not several"),
        (("--device", "tpu"), "E0712", "tpu"),
        (("--mode", "test"), "E0712", "test"),
        (("--size", "M=3"), "E0712", "'M'"),
        (("--size", "N"), "E0712", "NAME=NUMBER"),
        (("--size", "N=0"), "E0712", "NAME=NUMBER"),
        (("--set", "width=3"), "E0601", "width"),
        (("-o", "mine"), "E0715", "notes.txt"),
        (("-o", "net.spec"), "E0715", "is a file"),
        (("-o", "net.spec/run"), "E0703", "net.spec/run"),
    ],
)
def test_a_wrong_call_is_told_and_writes_nothing(
    specc: Run, spec: Path, tmp_path: Path, arguments: tuple[str, ...], code: str, words: str
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine", encoding="utf-8")
    ended = specc("profile", spec, "-o", "run", *arguments)
    assert ended.returncode == 2
    assert f"[{code}]" in ended.stderr and words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "net.spec"]
    assert [path.name for path in mine.iterdir()] == ["notes.txt"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there(specc: Run, spec: Path, tmp_path: Path) -> None:
    ended = specc("profile", spec, "-o", "run", "--device", "cuda")
    assert ended.returncode == 2 and "[E0708]" in ended.stderr
    assert not (tmp_path / "run").exists()


def test_a_folder_of_specs_is_no_spec(specc: Run, spec: Path, tmp_path: Path) -> None:
    ended = specc("profile", tmp_path, "-o", "run")
    assert ended.returncode == 2 and "[E0712]" in ended.stderr


def test_a_size_that_the_model_cannot_take_is_told(tmp_path: Path) -> None:
    path = tmp_path / "pool.spec"
    text = (
        "spec 1\nmodel M {\n  input x: float[N, 3, H, H]\n  y = x -> MaxPool2d(4)\n  output y\n}\n"
    )
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Exception, match="E0501"):
        profile(front.read(path), tmp_path / "run", sizes={"H": 2})
    assert not (tmp_path / "run").exists()


# ── the table ────────────────────────────────────────────────────────────────────────────────────


def test_the_table_fits_and_hides_nothing_but_texts() -> None:
    def row(file: str, line: int, own: float, total: float, source: str) -> LineCost:
        return LineCost(file, line, source, 1, own, 0, 0, total, 2048, 2048, 0)

    found = Profile(
        "a.spec", "M", "eager", "cpu", "train", (("N", 4),), 5, "training step", 40.0,
        (
            row("a.spec", 5, 10.0, 40.0, "\x1b[31my = x"),
            row("b.spec", 12, 30.0, 30.0, "z = " + "very " * 40 + "long"),
            row("", 0, 0.0, 0.0, "(the rest of the step)"),
        ),
        (KernelCost("kernel", "forward", 2, 5.0),),
        ("something",),
        "runs/x/t.pt.trace.json",
    )  # fmt: skip
    text = plain(pieces(found, 100))
    lines = text.splitlines()
    table = [line for line in lines if line.strip().startswith(("line ", "a.spec:5", "b.spec:12"))]
    assert len(table) == 3 and all(len(line) <= 100 for line in table)
    assert "total" in table[0] and "40.0 us" in table[1] and "75.0 %" in table[2]
    assert "\\x1b[31m" in text and "\x1b" not in text
    assert "note: something" in text and "5.00 us  2  forward  kernel" in text


def test_numbers_are_shown_with_three_digits() -> None:
    assert [shown_time(value) for value in (0, 3.456, 45.67, 812, 3412.0, 2.5e6)] == [
        "-", "3.46 us", "45.7 us", "812 us", "3.41 ms", "2.50 s",
    ]  # fmt: skip
    assert [memory(value) for value in (0, 512, 1500, 24_100_000, -2e9)] == [
        "-", "512 B", "1.50 kB", "24.1 MB", "-2.00 GB",
    ]  # fmt: skip


# ── TensorBoard ──────────────────────────────────────────────────────────────────────────────────

MISSING = [
    name for name in ("tensorboard", "torch_tb_profiler") if importlib.util.find_spec(name) is None
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """TensorBoard on ``tmp_path / "runs"``: the address of its profiler plugin."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", "runs", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}/data/plugin/pytorch_profiler/"
    finally:
        process.terminate()
        process.wait(20)


def ask(address: str, **query: str) -> Any:
    full = address + ("?" + urllib.parse.urlencode(query) if query else "")
    with urllib.request.urlopen(full, timeout=20) as answer:
        return json.loads(answer.read())


@pytest.mark.skipif(bool(MISSING), reason=f"needs specc[profile]: no {', '.join(MISSING)}")
def test_tensorboard_opens_the_run(spec: Path, tmp_path: Path, server: str) -> None:
    profile(front.read(spec), tmp_path / "runs" / "net", steps=3)
    deadline = time.monotonic() + 90
    runs: dict[str, Any] = {}
    while time.monotonic() < deadline and runs.get("runs") != ["net"]:
        time.sleep(1)
        try:
            runs = ask(server + "runs")
        except OSError:
            continue  # it is still starting
    assert runs["runs"] == ["net"]
    assert {"Overview", "Operator", "Trace", "Memory"} <= set(ask(server + "views", run="net"))
    (worker,) = ask(server + "workers", run="net", view="Overview")
    assert worker == "net_eager"
    known = {"run": "net", "worker": worker}
    overview = ask(server + "overview", **known, span="1")
    assert len(overview["steps"]["rows"]) == 3
    operators = ask(server + "operation/table", **known, span="1", group_by="Operation")
    assert "aten::addmm" in {row["name"] for row in operators["data"]}
    shutil.rmtree(tmp_path / "runs")


def test_a_folder_that_cannot_be_made(spec: Path, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="E0703"):
        profile(front.read(spec), spec / "run")
