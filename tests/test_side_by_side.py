"""Two threads of one process: the same bytes as one, and one end for both."""

from __future__ import annotations

import _thread
import dataclasses
import gc
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from harness_support import CNN_SOURCE, cnn, mlp
from torch.utils import _python_dispatch as dispatch

from specc import garbage
from specc.errors import TargetError
from specc.harness.blessing.bless import bless
from specc.harness.cases.case import ClosedCase, close
from specc.harness.cases.matrix import cases
from specc.harness.floors import floor
from specc.harness.running import side_by_side
from specc.harness.running.observe import Run, RunFailed, Setting
from specc.harness.running.side_by_side import may_run
from specc.harness.running.side_by_side import side_by_side as run
from specc.ir import Program


def content(folders: list[Path]) -> dict[str, bytes]:
    return {
        f"{folder.name}/{path.name}": path.read_bytes()
        for folder in folders
        for path in sorted(folder.iterdir())
    }


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets how many cores there are; whatever its length, a case is worth them."""
    monkeypatch.setattr(side_by_side, "WORTH", 0.0)

    def there_are(count: int) -> None:
        monkeypatch.setattr(side_by_side, "cores", lambda: count)

    return there_are


def test_two_cores_write_the_bytes_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_cores: Callable[[int], None]
) -> None:
    seen: set[str] = set()
    observe = floor.observe

    def observed(program: Program, closed: ClosedCase, source: str, setting: Setting) -> Run:
        seen.add(threading.current_thread().name)
        return observe(program, closed, source, setting)

    monkeypatch.setattr(floor, "observe", observed)
    two_cores(1)
    alone = content(bless(cnn(tmp_path), tmp_path, CNN_SOURCE))
    assert seen == {threading.current_thread().name}
    two_cores(2)
    filters, kinds = list(warnings.filters), torch.optim.SGD.__init__
    assert content(bless(cnn(tmp_path), tmp_path, CNN_SOURCE)) == alone
    assert {"specc-0", "specc-1"} < seen
    # What is kept for the whole process is as it was.
    assert list(warnings.filters) == filters and torch.optim.SGD.__init__ is kinds
    assert torch.get_default_dtype() == torch.float32 and torch.backends.mkldnn.enabled
    assert not dispatch.is_in_torch_dispatch_mode()


@pytest.mark.parametrize("failing", [{4}, {0}, {0, 4}, {7}, set(range(12))])
def test_a_run_that_fails_in_either_thread_is_told_as_alone(
    failing: set[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    two_cores: Callable[[int], None],
) -> None:
    observe = floor.on_machines

    def on_machines(program: Program, dtype: str, seed: int, job: object, *, pairs: bool) -> object:
        def failed(machine: object, mode: object) -> object:
            number = machine.number  # type: ignore[attr-defined]  # a Machine
            if number in failing:
                raise RunFailed(f"step{number}", "it stops")
            return job(machine, mode)  # type: ignore[operator]  # as on_machines calls it

        return observe(program, dtype, seed, failed, pairs=pairs)

    monkeypatch.setattr(floor, "on_machines", on_machines)
    told = []
    for count in (1, 2):
        two_cores(count)
        with pytest.raises(TargetError) as caught:
            bless(cnn(tmp_path), tmp_path, CNN_SOURCE)
        told.append((caught.value.code, caught.value.message))
        assert [each.name for each in threading.enumerate() if "specc-" in each.name] == []
        assert gc.get_freeze_count() == 0
    assert told[0] == told[1] and told[0][0] == "E0903"


def test_results_keep_their_order_and_two_run_at_once() -> None:
    both = threading.Barrier(2, timeout=30)

    def met(number: int) -> int:
        both.wait()
        return number

    assert run([lambda k=k: met(k) for k in range(6)]) == list(range(6))  # type: ignore[misc]
    assert run([lambda: 1, lambda: 2], active=False) == [1, 2]
    assert run([]) == []


def test_the_first_that_fails_is_raised_and_none_is_begun_after() -> None:
    begun: list[int] = []
    both = threading.Barrier(2, timeout=30)

    def job(number: int) -> None:
        begun.append(number)
        both.wait()
        if number == 0:
            time.sleep(0.05)  # the other fails before it
        raise ValueError(str(number))

    with pytest.raises(ValueError, match="0"):
        run([lambda k=k: job(k) for k in range(6)])  # type: ignore[misc]
    assert sorted(begun) == [0, 1]


def test_an_interrupt_ends_both_threads() -> None:
    begun: list[int] = []

    def job(number: int) -> None:
        begun.append(number)
        if number == 1:
            _thread.interrupt_main()
        time.sleep(0.1)

    with pytest.raises(KeyboardInterrupt):
        run([lambda k=k: job(k) for k in range(50)])  # type: ignore[misc]
    assert len(begun) < 10
    assert not any(each.name.startswith("specc-") for each in threading.enumerate())
    assert not dispatch.is_in_torch_dispatch_mode()


def test_threads_take_over_what_torch_keeps_for_each() -> None:
    def settings() -> tuple[int, bool]:
        time.sleep(0.02)
        return torch.get_num_threads(), torch.is_grad_enabled()

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            assert run([settings] * 3) == [(1, False)] * 3
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_what_shares_more_than_numbers_runs_alone(two_cores: Callable[[int], None]) -> None:
    two_cores(2)
    program = mlp()
    assert program.train is not None
    assert may_run(program, "float32", 1.0, ())
    assert may_run(program, "float32", 1.0, ("noise switched off: fc (LSTM)",))
    assert not may_run(program, "float32", 1.0, ("noise not under control: fc",))
    assert not may_run(program, "float64", 1.0, ())
    cast = dataclasses.replace(program.train, precision="bfloat16")
    assert not may_run(dataclasses.replace(program, train=cast), "float32", 1.0, ())
    two_cores(1)
    assert not may_run(program, "float32", 1.0, ())


def test_short_cases_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "cores", lambda: 2)
    assert not may_run(mlp(), "float32", 0.1, ()) and may_run(mlp(), "float32", 0.3, ())


def test_a_large_case_runs_alone(
    monkeypatch: pytest.MonkeyPatch, two_cores: Callable[[int], None]
) -> None:
    two_cores(2)
    program = cnn()
    for case in cases(program):
        closed = close(program, case)
        found = floor.reference(program, closed, CNN_SOURCE, ["float32"])
        assert found.in_pairs(program, "float32")
        weights = sum(value.numel() for value in closed.parameters.values())
        passed = sum(sum(each.numel() for each in call.given) for call in found.run.calls.values())
        # In training weights have gradients and moments, and what a layer gives has a gradient.
        least = 4 * (weights + passed)
        monkeypatch.setattr(floor, "HELD", least - 1)
        assert not found.in_pairs(program, "float32")
        monkeypatch.setattr(floor, "HELD", least)
        assert found.in_pairs(program, "float32") == (case.mode == "eval")


def test_what_was_there_is_left_out_of_collections_and_comes_back() -> None:
    assert gc.get_freeze_count() == 0
    with garbage.settled():
        assert gc.get_freeze_count() > 10_000
        with garbage.settled():
            pass
        assert gc.get_freeze_count() > 10_000
    assert gc.get_freeze_count() == 0
