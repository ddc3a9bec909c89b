"""What goldens cost: comparing tensors with one, blessing, their size on disk.

Aims: a golden is compared at 1 GB/s of tensor data on one core at least, or at a quarter of what
the machine's memory gives where that is less; blessing a small spec takes less than 30 plain
float32 runs of its steps, floors included; the golden of ResNet-18 stays under 1 MB.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from specc import front
from specc.emit import emit
from specc.harness.blessing.bless import make
from specc.harness.cases.case import ClosedCase, close
from specc.harness.cases.golden_folder import golden_folder, project_root
from specc.harness.cases.matrix import cases
from specc.harness.floors.machine import threads
from specc.harness.running.observe import Setting, observe
from specc.harness.running.sketch import represent
from specc.ir import Program
from specc.measure.timing import in_turn, ratios, spread

SPECS = Path(__file__).parent.parent.parent / "specs"
SMALL = ("mlp", "optimizer_adam")
SECONDS = 6.0
MEGABYTES = (4, 64)


@pytest.mark.parametrize("megabytes", MEGABYTES)
def test_comparing_a_tensor(benchmark: Any, megabytes: int) -> None:
    tensor = torch.randn(megabytes << 18)
    other = torch.empty_like(tensor)
    reference = represent(tensor)[0]
    calls = {
        "compare": lambda: (represent(tensor)[0] - reference).square().mean(),
        "copy": lambda: other.copy_(tensor),
    }
    with threads(1):
        times = benchmark.pedantic(in_turn, args=(calls, SECONDS), rounds=1, iterations=1)
    size = tensor.numel() * tensor.element_size()
    rate = size / min(times["compare"]) / 1e9
    # A copy reads and writes.
    memory = 2 * size / min(times["copy"]) / 1e9
    benchmark.extra_info.update({"GB/s": rate, "memory GB/s": memory})
    print(f"\n{megabytes} MB compared at {rate:.2f} GB/s; memory gives {memory:.1f} GB/s")
    assert rate >= min(1.0, memory / 4)


def _case(name: str) -> tuple[Program, ClosedCase, str]:
    program = front.read(SPECS / f"{name}.spec")
    case = next(each for each in cases(program) if each.mode == "train")
    return program, close(program, case), emit(program)


@pytest.mark.parametrize("name", SMALL)
def test_blessing(benchmark: Any, name: str) -> None:
    program, closed, source = _case(name)
    setting = Setting("eager", "cpu", "float32")
    calls = {
        "bless": lambda: make(program, closed.case, source, ("float32",)),
        "run": lambda: observe(program, closed, source, setting),
    }
    times = benchmark.pedantic(in_turn, args=(calls, SECONDS), rounds=1, iterations=1)
    found = spread(ratios(times["bless"], times["run"]))
    benchmark.extra_info["ratio"] = found.median
    print(f"\nblessing {name}: {found.median:.1f} runs ({found.low:.1f} to {found.high:.1f})")
    assert found.median < 30


def test_the_golden_of_resnet18(benchmark: Any) -> None:
    path = SPECS / "resnet18.spec"
    program = front.read(path)
    root = project_root(path)

    def largest() -> int:
        folders = [golden_folder(program, case, root) for case in cases(program)]
        return max(sum(f.stat().st_size for f in folder.iterdir()) for folder in folders)

    size = benchmark.pedantic(largest, rounds=1, iterations=1)
    benchmark.extra_info["bytes"] = size
    print(f"\nthe golden of ResNet-18: {size / 1e6:.2f} MB")
    assert size < 1_000_000
