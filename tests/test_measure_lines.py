"""From emitted source and a profiler's events to spec lines. Non-goal: running a profiler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from specc import front
from specc.emit import emit
from specc.emit.writing.marks import shown_files
from specc.measure.attribute import MODEL, REST, Event, attribute
from specc.measure.lines import instrument, layer_marks, statement_marks, update_marks
from specc.targets.live import module_class

SPEC = """spec 1

model Net {
  input x: float[N, 4]
  wide = x -> big: Linear(16) -> ReLU
  y = wide -> small: Linear(2)
  output y
}

train {
  input label: float[N, 2]
  loss = MSELoss(y, label)
  clip GradNorm(1.0)
  optimizer SGD(lr=0.1)
}
"""


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


def test_the_lines_of_a_program(tmp_path: Path) -> None:
    spec = tmp_path / "net.spec"
    spec.write_text(SPEC, encoding="utf-8")
    program = front.read(spec)
    assert layer_marks(program.subject())["big"] == "net.spec:5"
    assert update_marks(program) == {"net.spec:13", "net.spec:14"}
    assert shown_files(program) == {"net.spec": str(spec)}
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
