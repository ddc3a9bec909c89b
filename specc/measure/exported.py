"""An exported graph that announces spec lines: run node by node, in a range of each node's line.

torch.export drops ranges, and keeps for each node the lines of source that made it. Non-goal: what
the graph computes, which stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import fx, nn
from torch.profiler import record_function

_FRAME = re.compile(r'File "specc-live/[^"]*", line (\d+)')


def announcing(
    graph: nn.Module, lines: Mapping[int, str], stages: Mapping[str, str]
) -> fx.Interpreter:
    """Runs ``graph``; ``lines`` are the marks of the emitted source's lines, ``stages`` those of
    the layers in an ``nn.Sequential``, by path."""
    assert isinstance(graph, fx.GraphModule)  # what torch.export makes
    return _Announcing(graph, lines, stages)


class _Announcing(fx.Interpreter):
    """A line's range stays open over the nodes that follow each other there: one call of it."""

    def __init__(
        self, graph: fx.GraphModule, lines: Mapping[int, str], stages: Mapping[str, str]
    ) -> None:
        super().__init__(graph)
        self._marks = {node: _marks(node, lines, stages) for node in graph.graph.nodes}
        self._open: list[tuple[str, record_function]] = []

    def run(self, *args: Any, **options: Any) -> Any:
        try:
            return super().run(*args, **options)
        finally:
            self._turn_to(())

    def run_node(self, n: fx.Node) -> Any:
        marks = self._marks[n]
        if marks is not None:
            self._turn_to(marks)
        return super().run_node(n)

    def _turn_to(self, marks: tuple[str, ...]) -> None:
        """Close the ranges that ``marks`` does not begin with, open the rest of ``marks``."""
        same = 0
        while same < min(len(marks), len(self._open)) and self._open[same][0] == marks[same]:
            same += 1
        while len(self._open) > same:
            self._open.pop()[1].__exit__(None, None, None)
        for name in marks[same:]:
            entered = record_function(name)
            entered.__enter__()
            self._open.append((name, entered))


def _marks(
    node: fx.Node, lines: Mapping[int, str], stages: Mapping[str, str]
) -> tuple[str, ...] | None:
    """The marks around a node, outermost first; None where it computes nothing."""
    if node.op not in ("call_function", "call_module"):
        return None
    frames = [int(frame) for frame in _FRAME.findall(node.meta.get("stack_trace") or "")]
    marks = tuple(lines[frame] for frame in frames if frame in lines)
    # Modules innermost first: a stage's own layer is nearer than the statement that calls the row.
    for path, kind in reversed(list((node.meta.get("nn_module_stack") or {}).values())):
        if path in stages:
            return (*marks, stages[path])
        if not str(kind).startswith(("torch.", "<class 'torch.")):
            break
    return marks or None
