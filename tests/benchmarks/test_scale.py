"""Specs of up to 10,000 layers, flat and as blocks: time and memory of a check and of a build.

Aims: a check of 10,000 layers under 5 s, a build under 10 s, both linear from 1,000 on. Each is
measured in a process of its own; what the imports take is measured apart and taken off.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HEAD = "input x: float[N, 16]"
# What 10 times the layers may take: 10 is linear, the rest is the noise of one run. While torch
# makes modules, Python's collector goes through all that there are.
MOST_GROWTH = {"check": 14, "build": 20}
CHILD = """
import json, resource, sys, time
import torch, specc
from specc import front
path, stage, out = sys.argv[1:]
front.check_text("spec 1\\nmodel M {\\n input x: float[N, 4]\\n output x -> Linear(2)\\n}\\n")
if stage == "build":
    import torch._dynamo
    from specc.targets import prove
    specc.loads("spec 1\\nmodel M {\\n input x: float[N, 4]\\n output x -> Linear(2)\\n}\\n")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
if stage == "check":
    assert specc.check(path) == []
else:
    specc.build(path, out)
took = time.perf_counter() - start
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([took, (after - before) / 1024]))
"""


def flat(layers: int) -> str:
    """Labelled layers, one a line."""
    lines = "".join(f"    -> fc{i}: Linear(16) -> ReLU\n" for i in range(layers // 2))
    return f"model M {{\n  {HEAD}\n  y = x\n{lines}  output y\n}}\n"


def statements(layers: int) -> str:
    """A residual layer a statement, each value with a name of its own."""
    lines = "".join(f"  y{i + 1} = y{i} + (y{i} -> fc{i}: Linear(16))\n" for i in range(layers))
    return f"model M {{\n  {HEAD}\n  y0 = x\n{lines}  output y{layers}\n}}\n"


def repeated(layers: int) -> str:
    """One ``repeat``."""
    return f"model M {{\n  {HEAD}\n  output x -> repeat({layers}) Linear(16)\n}}\n"


def looped(layers: int) -> str:
    """One loop with a residual body."""
    return (
        f"model M {{\n  {HEAD}\n  blocks: for i in range({layers // 2}) {{\n"
        "    h = x -> fc: Linear(16) -> ReLU\n    x = x + h\n  }\n  output x\n}\n"
    )


def hundreds(layers: int) -> str:
    """A hundred blocks of a hundredth each."""
    block = (
        f"block B {{\n  input x: float[N, D]\n  output x -> repeat({layers // 100}) Linear(D)\n}}\n"
    )
    return f"{block}model M {{\n  {HEAD}\n  output x -> repeat(100) B\n}}\n"


def kinds(layers: int) -> str:
    """A block of its own for every ten layers."""
    rows = "".join(f"    -> l{k}: Linear(D) -> ReLU\n" for k in range(5))
    blocks = "".join(
        f"block B{i} {{\n  input x: float[N, D]\n  h = x\n{rows}  output h\n}}\n"
        for i in range(layers // 10)
    )
    uses = "".join(f"    -> b{i}: B{i}\n" for i in range(layers // 10))
    return f"{blocks}model M {{\n  {HEAD}\n  y = x\n{uses}  output y\n}}\n"


def widths(layers: int) -> str:
    """One block in as many sizes as it has uses."""
    row = "x -> Linear(w) -> ReLU -> Linear(D)"
    block = f"block B(w: int) {{\n  input x: float[N, D]\n  output {row}\n}}\n"
    uses = "".join(f"    -> b{i}: B({i % 97 + 1})\n" for i in range(layers // 3))
    return f"{block}model M {{\n  {HEAD}\n  y = x\n{uses}  output y\n}}\n"


def recursive(layers: int) -> str:
    """A block inside itself, ninety deep."""
    block = (
        "block B(n: int) {\n  input x: float[N, D]\n"
        f"  x = x -> repeat({layers // 90}) Linear(D)\n"
        "  if n > 0 { x = x -> B(n - 1) }\n  output x\n}\n"
    )
    return f"{block}model M {{\n  {HEAD}\n  output x -> B(89)\n}}\n"


SHAPES: dict[str, Callable[[int], str]] = {
    made.__name__: made
    for made in (flat, statements, repeated, looped, hundreds, kinds, widths, recursive)
}


def measured(text: str, stage: str, folder: Path) -> tuple[float, float]:
    """Seconds, and MiB more than before, of one run."""
    path = folder / "m.spec"
    path.write_text(f"spec 1\n{text}")
    run = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), stage, str(folder / "out")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    seconds, memory = json.loads(run.stdout.splitlines()[-1])
    return seconds, memory


@pytest.mark.parametrize(("stage", "most"), [("check", 5.0), ("build", 10.0)])
@pytest.mark.parametrize("shape", list(SHAPES))
def test_ten_thousand_layers(
    shape: str, stage: str, most: float, tmp_path: Path, benchmark: Any
) -> None:
    found: dict[int, tuple[float, float]] = {}

    def measure() -> None:
        for layers in (1_000, 10_000):
            found[layers] = measured(SHAPES[shape](layers), stage, tmp_path)

    benchmark.pedantic(measure, rounds=1, iterations=1)
    (little, _), (much, memory) = found[1_000], found[10_000]
    benchmark.extra_info.update({"1,000": found[1_000], "10,000": found[10_000]})
    print(
        f"\n{shape} {stage}: {little:.2f} s at 1,000 layers, {much:.2f} s and {memory:.0f} MiB"
        f" at 10,000 ({much / little:.1f} times)"
    )
    assert much < most
    # A second is within the noise of whatever else runs.
    assert much / little < MOST_GROWTH[stage] or much < 1
