"""An exported graph that announces spec lines: run node by node, in a range of each node's line.

torch.export drops ranges, and keeps for each node the lines of source that made it. Non-goal: what
the graph computes, which stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Any, NamedTuple

from torch import fx, nn
from torch.profiler import record_function

_FRAME = re.compile(r'File "specc-live/[^"]*", line (\d+)')


def announcing(
    graph: nn.Module, model: nn.Module, lines: Mapping[int, str], stages: Mapping[str, str]
) -> fx.Interpreter:
    """Runs ``graph``, which was exported from ``model``; ``lines`` are the marks of the emitted
    source's lines, ``stages`` those of the layers in an ``nn.Sequential``, by path."""
    assert isinstance(graph, fx.GraphModule)  # what torch.export makes
    # Modules of the emitted source whose own code is run: each has a frame in a node's stack.
    framed = {
        path
        for path, module in model.named_modules()
        if not (isinstance(module, nn.Sequential) or type(module).__module__.startswith("torch."))
    }
    places = {node: _places(node, framed, lines, stages) for node in graph.graph.nodes}
    return _Announcing(graph, places)


class _Place(NamedTuple):
    """A line's mark, and the path of the module that is there: two blocks are two calls."""

    mark: str
    path: str


class _Announcing(fx.Interpreter):
    """A line's range stays open over the nodes that follow each other there: one call of it."""

    def __init__(self, graph: fx.GraphModule, places: Mapping[fx.Node, tuple[_Place, ...]]) -> None:
        super().__init__(graph)
        self._places = places
        self._open: list[tuple[_Place, record_function]] = []

    def run(self, *args: Any, **options: Any) -> Any:
        try:
            return super().run(*args, **options)
        finally:
            self._turn_to(())

    def run_node(self, n: fx.Node) -> Any:
        if self._places[n]:
            self._turn_to(self._places[n])
        return super().run_node(n)

    def _turn_to(self, places: tuple[_Place, ...]) -> None:
        """Close the ranges that ``places`` does not begin with, open the rest of ``places``."""
        same = 0
        while same < min(len(places), len(self._open)) and self._open[same][0] == places[same]:
            same += 1
        while len(self._open) > same:
            self._open.pop()[1].__exit__(None, None, None)
        for place in places[same:]:
            entered = record_function(place.mark)
            entered.__enter__()
            self._open.append((place, entered))


def _places(
    node: fx.Node, framed: Set[str], lines: Mapping[int, str], stages: Mapping[str, str]
) -> tuple[_Place, ...]:
    """The lines around a node, outermost first; none where it computes nothing."""
    if node.op not in ("call_function", "call_module"):
        return ()
    frames = [int(frame) for frame in _FRAME.findall(node.meta.get("stack_trace") or "")]
    found: list[_Place] = []
    for path, _ in (node.meta.get("nn_module_stack") or {}).values():
        plain = path.partition("@")[0]  # the second call of a module is ``path@1``
        if plain in stages:
            found.append(_Place(stages[plain], path))
        if plain in framed and frames:
            name = lines.get(frames.pop(0))
            found += [_Place(name, path)] if name is not None else []
    return (*found, *(_Place(lines[frame], "") for frame in frames if frame in lines))
