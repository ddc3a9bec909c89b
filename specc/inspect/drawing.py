"""The graph of a drawing, and its folding: what is alike and numbered is drawn once, with a count.

``Canvas`` takes vertices and edges in the order of computation. A cluster that is closed is held
against the one before it: where both are numbered, hold the same, and the second is fed by the
first, or by whatever feeds the first, the second is taken back and the first counts one more. Time
and memory are linear in what is drawn. Non-goals: what a program's graph is
(``computation_graph``), the look.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, TypeVar, Union

VertexKind = Literal[
    "input", "output", "layer", "block", "function", "operator", "parameter", "loss"
]
EdgeKind = Literal["data", "weight"]
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Vertex:
    """Something that computes, or a tensor that comes in or goes out. ``family`` is its row's in
    the catalogue, ``shape`` that of its first result."""

    number: int
    kind: VertexKind
    name: str
    text: str
    family: str
    shape: str


@dataclass(frozen=True, slots=True)
class Edge:
    """A tensor of the shape ``label`` on its way; ``weight`` is a parameter that is read."""

    tail: int
    head: int
    kind: EdgeKind
    label: str


@dataclass(frozen=True, slots=True)
class Extent:
    """Which vertices and edges a closed cluster has; what feeds it from outside, what fed the
    second of its kind."""

    start: int
    end: int
    key: object
    fed: tuple[int, ...]
    again: tuple[int, ...] | None = None


@dataclass(slots=True)
class Cluster:
    """A block, a round of a loop, a model or a step of training, and what is in it.

    It stands for ``count`` alike, the last of which is called ``last``."""

    kind: Literal["block", "round", "model", "step"]
    name: str
    text: str
    items: list[Item] = field(default_factory=list)
    count: int = 1
    last: str = ""
    extent: Extent | None = None


Item: TypeAlias = Union[Vertex, Cluster]


@dataclass(frozen=True, slots=True)
class Drawing:
    """All of it: what stands outside every cluster, and every edge in the order of computation."""

    title: str
    items: list[Item]
    edges: tuple[Edge, ...]


class Canvas:
    """What has been drawn so far. ``apart`` draws what is alike one by one."""

    def __init__(self, apart: bool = False) -> None:
        self.vertices: list[Vertex] = []
        self.edges: list[Edge] = []
        self._apart = apart
        self._bound: list[tuple[dict[Any, int], object]] = []  # of every kind of key

    def vertex(
        self, items: list[Item], kind: VertexKind, name: str, text: str, family: str, shape: str
    ) -> Vertex:
        """A new vertex, put into ``items``."""
        found = Vertex(len(self.vertices), kind, name, text, family, shape)
        self.vertices.append(found)
        items.append(found)
        return found

    def edge(self, tail: int, head: Vertex, kind: EdgeKind, label: str = "") -> None:
        """An edge from the vertex numbered ``tail``."""
        self.edges.append(Edge(tail, head.number, kind, label))

    def bind(self, sources: dict[Key, int], key: Key, vertex: int) -> None:
        """Notes in ``sources`` that ``key`` comes from ``vertex``."""
        sources[key] = vertex
        self._bound.append((sources, key))

    @contextmanager
    def enclosed(self, cluster: Cluster, items: list[Item]) -> Iterator[None]:
        """What is drawn and bound inside is ``cluster``'s, which is put into ``items``, or folded
        into the last of them."""
        start, first_edge, first_bound = len(self.vertices), len(self.edges), len(self._bound)
        yield
        if not cluster.items:
            return
        if cluster.kind == "round" and len(cluster.items) == 1:
            (only,) = cluster.items
            if isinstance(only, Cluster):
                cluster = only  # a round that is one block goes by the block's name
        edges = self.edges[first_edge:]
        fed = tuple(edge.tail for edge in edges if edge.tail < start)
        extent = Extent(start, len(self.vertices), _key(cluster, edges, start), fed)
        before = items[-1] if items else None
        earlier = before.extent if isinstance(before, Cluster) else None
        if isinstance(before, Cluster) and earlier and self._alike(before, cluster, extent):
            before.count += cluster.count
            before.last = cluster.last or cluster.name
            before.extent = replace(earlier, again=fed)
            del self.vertices[start:], self.edges[first_edge:]
            for sources, key in self._bound[first_bound:]:
                if sources[key] >= start:
                    sources[key] += earlier.start - start
            return
        cluster.extent = extent
        items.append(cluster)

    def _alike(self, before: Cluster, cluster: Cluster, extent: Extent) -> bool:
        earlier = before.extent
        if self._apart or earlier is None or not _numbered(before, cluster):
            return False
        if earlier.key != extent.key:
            return False
        if earlier.again is not None:
            return extent.fed == earlier.again
        return all(
            now == then or earlier.start <= now < earlier.end
            for now, then in zip(extent.fed, earlier.fed, strict=True)
        )


def _numbered(one: Cluster, other: Cluster) -> bool:
    return _NUMBER.search(one.name) is not None and _general(one.name) == _general(other.name)


_NUMBER = re.compile(r"(?:^|(?<=\.))\d+$")


def _general(name: str) -> str:
    """A name without the number that it ends in."""
    return _NUMBER.sub("#", name)


def _key(cluster: Cluster, edges: list[Edge], start: int) -> object:
    """What two clusters have in common that differ in their number alone."""
    flows = tuple(
        (max(edge.tail - start, -1), edge.head - start, edge.kind, edge.label) for edge in edges
    )
    return cluster.kind, cluster.text, _contents(cluster.items), flows


def _contents(items: list[Item]) -> tuple[object, ...]:
    return tuple(
        (_general(item.name), item.text, item.count, _contents(item.items))
        if isinstance(item, Cluster)
        else (item.kind, _general(item.name), item.text, item.family, item.shape)
        for item in items
    )
