"""Parsing, checking and emitting by the line: at 1,000 and at 10,000 layer lines, so growth shows.

Aims: parsing at most 0.1 ms a layer line, the whole front end at most 0.5 ms, both linear.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

from specc.emit import emit
from specc.errors import Collector
from specc.semantics import analyse
from specc.syntax.parsing.parse import parse

LINES = {
    "dense": ("input x: float[N, 16]", "    -> fc{i}: Linear(16) -> ReLU\n"),
    "convolution": (
        "input x: float[N, 3, H, W]",
        "    -> conv{i}: Conv2d(8, 3, padding=1, bias=false)\n",
    ),
}


def spec(kind: str, lines: int) -> str:
    head, line = LINES[kind]
    body = "".join(line.format(i=i) for i in range(lines))
    return f"spec 1\nmodel M {{\n  {head}\n  y = x\n{body}  output y\n}}\n"


def milliseconds(run: Callable[[], Any], lines: int) -> float:
    """The median over five runs of the processor time a line."""
    took = []
    for _ in range(5):
        start = time.process_time()
        run()
        took.append((time.process_time() - start) / lines * 1e3)
    return statistics.median(took)


@pytest.mark.parametrize("stage", ["parse", "front end", "emit"])
@pytest.mark.parametrize("kind", list(LINES))
def test_a_line(kind: str, stage: str, benchmark: Any) -> None:
    found = {}

    def measure() -> None:
        for lines in (1_000, 10_000):
            text = spec(kind, lines)
            program = analyse(text, "m.spec") if stage == "emit" else None
            run: Callable[[], Any] = {
                "parse": lambda text=text: parse(text, "m.spec", Collector()),
                "front end": lambda text=text: analyse(text, "m.spec"),
                "emit": lambda program=program: emit(program),
            }[stage]
            found[lines] = milliseconds(run, lines)

    benchmark.pedantic(measure, rounds=1, iterations=1)
    benchmark.extra_info.update({f"ms a line at {n}": value for n, value in found.items()})
    print(f"\n{kind} {stage}: " + ", ".join(f"{v:.3f} ms a line at {n}" for n, v in found.items()))
