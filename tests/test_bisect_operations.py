"""Which operation is named, what a runner wrote read as data, and an operation run again.

Non-goal: environments, which tests/test_bisect.py starts.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from specc import front
from specc.bisect import operations, replay, results
from specc.bisect.operations import Found, Trace, first_difference
from specc.bisect.results import TensorRecord, TracedOperation
from specc.bisect.trace import Tracer, _marks
from specc.emit import emit
from specc.errors import CallError
from specc.harness.cases.case import close
from specc.harness.cases.matrix import cases
from specc.harness.running.observe import Setting, observe

SPEC = """spec 1

model Net {
  input x: float[N, 5]
  h = x -> a: Linear(8)
  g = h -> GELU
  y = g -> b: Linear(3)
  output y
}

train {
  input label: index(3)[N]
  loss = CrossEntropyLoss(y, label)
  optimizer SGD(lr=0.1)
}

test {
  sizes N=4
  steps 2
  modes train
}
"""


# ── what a runner wrote is data ──────────────────────────────────────────────────────────────────


def seen(start: int, count: int = 2, *, writer: int = -1, floor: float = 1e-7) -> TensorRecord:
    return TensorRecord(shape=[count], dtype="float32", start=start, count=count, writer=writer,
                floor=[floor, 2 * floor])  # fmt: skip


def operation(
    name: str, inputs: list[TensorRecord], outputs: list[TensorRecord], layer: str = "a"
) -> TracedOperation:
    return TracedOperation(name=f"aten.{name}.default", step=0, phase="forward", layer=layer,
                     mark="net.spec:5", settings={}, inputs=inputs, outputs=outputs)  # fmt: skip


def test_results_that_are_none_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "bad-closer"
    folder.mkdir()
    trace = results.OperationTrace(operations=[operation("relu", [], [seen(0)])], cut=False)
    results.write(trace, folder / results.OPERATIONS)
    results.write_tensors({"numbers": torch.ones(2, dtype=torch.float64)}, folder / results.NUMBERS)
    assert len(operations.load(folder).operations) == 1
    results.write_tensors({"numbers": torch.ones(1, dtype=torch.float64)}, folder / results.NUMBERS)
    with pytest.raises(CallError, match="fewer numbers"):
        operations.load(folder)
    results.write_tensors({"numbers": torch.ones(2)}, folder / results.NUMBERS)
    with pytest.raises(CallError, match="no numbers"):
        operations.load(folder)
    (folder / results.NUMBERS).write_bytes(b"\xff" * 40)
    with pytest.raises(CallError, match="truncated"):
        operations.load(folder)
    for text, reason in (
        ("{", "not JSON"),
        ('{"operations": [], "cut": false, "more": 1}', "more"),
        ('{"operations": [], "cut": 1}', "cut"),
        ("[" * 100_000, "not JSON"),
    ):
        (folder / results.OPERATIONS).write_text(text)
        with pytest.raises(CallError, match=reason) as caught:
            operations.load(folder)
        assert caught.value.code == "E0717" and "the bad environment wrote" in caught.value.message


def test_an_operation_is_looked_up_among_torchs_own(tmp_path: Path) -> None:
    for name in ("aten.no_such.default", "os.system.default", "aten.add.__class__.x", "aten.add"):
        kept = results.OperationInputs(name=name, positional=[], keywords={}, strides=[])
        results.write(kept, tmp_path / results.ARGUMENTS)
        results.write_tensors({}, tmp_path / results.TENSORS)
        with pytest.raises(CallError, match="no such operation"):
            replay.replay(tmp_path, tmp_path)


def test_an_operation_is_run_again_as_it_was(tmp_path: Path) -> None:
    """Strides, lists of tensors, in place, dtypes, and in float64 beside."""
    x, w = torch.randn(3, 4).t(), torch.randn(3, 5)
    made = torch.ops.aten.mm.default(x, w)
    replay.keep(torch.ops.aten.mm.default, (x, w), {}, tmp_path)
    replay.replay(tmp_path, tmp_path)
    found = results.read_tensors(tmp_path / results.REPLAYED)
    assert torch.equal(found["plain/0"], made)
    assert torch.allclose(found["double/0"], x.double() @ w.double(), rtol=1e-14)
    args = ([torch.ones(2), torch.ones(3)], [torch.full((2,), 2.0), torch.full((3,), 3.0)])
    replay.keep(torch.ops.aten._foreach_add_.List, args, {"alpha": 0.5}, tmp_path)
    replay.replay(tmp_path, tmp_path)
    found = results.read_tensors(tmp_path / results.REPLAYED)
    assert found["plain/1"].tolist() == [2.5] * 3 and found["double/0"].dtype == torch.float64
    replay.keep(torch.ops.aten._to_copy.default, (w,), {"dtype": torch.bfloat16}, tmp_path)
    replay.replay(tmp_path, tmp_path)
    found = results.read_tensors(tmp_path / results.REPLAYED)
    assert found["plain/0"].dtype == torch.bfloat16
    assert torch.equal(found["double/0"], w.double())


# ── which operation ──────────────────────────────────────────────────────────────────────────────


def first(good: list[TracedOperation], one: list[float], bad: list[TracedOperation],
          other: list[float]) -> Found | None:  # fmt: skip
    def trace(operations: list[TracedOperation], numbers: list[float]) -> Trace:
        return Trace(tuple(operations), torch.tensor(numbers, dtype=torch.float64), False)

    return first_difference(trace(good, one), trace(bad, other))


def test_the_operation_whose_result_alone_differs_is_found() -> None:
    chain = [
        operation("mm", [seen(0)], [seen(2)]),
        operation("relu", [seen(2, writer=0)], [seen(4)]),
        operation("exp", [seen(4, writer=1)], [seen(6)]),
    ]
    right = [1.0, 2, 3, 4, 5, 6, 7, 8]
    assert first(chain, right, chain, right) is None
    wrong = [1.0, 2, 3, 4, 5.001, 6, 7.001, 8]
    found = first(chain, right, chain, wrong)
    assert found is not None and (found.kind, found.good) == ("result", 1)
    assert "agrees" in found.message
    # Within rounding: nothing.
    assert first(chain, right, chain, [value * (1 + 1e-7) for value in right]) is None
    # What goes in differs although nothing before it does.
    found = first(chain, right, chain, [1.0, 2.001, 3.001, 4, 5, 6, 7, 8])
    assert found is not None and (found.kind, found.good) == ("given", 0)
    nan = [*chain[:2], operation("exp", [seen(4)], [seen(6).model_copy(update={"nonfinite": "1"})])]
    found = first(chain, right, nan, right)
    assert found is not None and found.good == 2 and "NaN" in found.message


def test_what_is_taken_apart_otherwise_is_no_difference_in_itself() -> None:
    good = [
        operation("addmm", [seen(0)], [seen(2)]),
        operation("relu", [seen(2, writer=0)], [seen(4)]),
        operation("exp", [seen(4, writer=1)], [seen(6)]),
    ]
    bad = [
        operation("mm", [seen(0)], [seen(2)]),
        operation("add", [seen(2, writer=0)], [seen(2)]),
        operation("relu", [seen(2, writer=1)], [seen(4)]),
        operation("exp", [seen(4, writer=2)], [seen(6)]),
    ]
    right = [1.0, 2, 3, 4, 5, 6, 7, 8]
    found = first(good, right, bad, [*right[:6], 7.01, 8])
    assert found is not None and (found.kind, found.good, found.bad) == ("result", 2, 3)
    # Where the stretch itself gives other values, it is named.
    found = first(good, right, bad, [1.0, 2, 3.01, 4, 5.01, 6, 7.01, 8])
    assert found is not None and found.kind == "others"
    assert found.message == (
        "good runs aten.addmm.default where bad runs aten.mm.default, aten.add.default"
    )


def test_operations_know_their_layer_and_line(tmp_path: Path) -> None:
    spec = tmp_path / "net.spec"
    spec.write_text(SPEC.replace("-> GELU", "-> GELU -> Dropout(0.5)").replace(
        "y = g ->", "y = dropout(g, p=0.2) ->"))  # fmt: skip
    program = front.read(spec)
    source = emit(program)
    # A draw that is rewritten for the test: the executed source has lost its comments.
    marks = _marks(source)
    assert {"net.spec:5", "net.spec:6", "net.spec:7"} <= set(marks.values())
    tracer = Tracer(program, source, 0)
    closed = close(program, cases(program)[0])
    with tracer:
        setting = Setting("eager", "cpu", "float32", prepare=tracer.prepare, around=tracer.around)
        observe(program, closed, source, setting)
    found = tracer.found().operations
    assert {each.step for each in found} == {0} and not tracer.cut
    placed = {(each.name, each.phase): (each.layer, each.mark) for each in found}
    assert placed["aten.gelu.default", "forward"] == ("gelu_1", "net.spec:6")
    assert placed["aten.gelu_backward.default", "backward"] == ("gelu_1", "net.spec:6")
    assert placed["aten._log_softmax.default", "forward"] == ("", "net.spec:13")
    assert placed["aten._log_softmax_backward_data.default", "backward"][1] == "net.spec:13"
    assert placed["aten.add_.Tensor", "optimizer"][1] == "net.spec:14"
    total = sum(s.count for each in found for s in (*each.inputs, *each.outputs))
    assert tracer.numbers().numel() == total
    assert any(each.mark == "net.spec:7" and not each.layer for each in found)
