"""A graph as text for Graphviz: top to bottom, blocks as boxes, what follows in a row as one table.

Whatever a spec may say stands inside HTML-like labels, escaped; identifiers are numbers. Non-goals:
which graph (``specc.inspect``), making a picture of the text (``picture``).
"""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Iterator, Sequence

from specc.inspect.drawing import Cluster, Drawing, Edge, Item, Vertex
from specc.report.terminal.safe_text import visible

FONT = "Helvetica,Arial,DejaVu Sans,sans-serif"
LONGEST = 56

# Light enough for black text, told apart in grey by their names.
_COLOURS = {
    "convolution": "#c6dbef",
    "linear": "#c6dbef",
    "matrix": "#c6dbef",
    "recurrent": "#bcbddc",
    "attention": "#bcbddc",
    "embedding": "#dadaeb",
    "normalization": "#c7e9c0",
    "activation": "#fdd0a2",
    "elementwise": "#fee6ce",
    "pooling": "#b2dfdb",
    "dropout": "#e0e0e0",
    "loss": "#fcbba1",
}
_PLAIN = "#f4f4f4"
_CLUSTERS = ("#f7f9fc", "#eef2f8", "#e5ebf4", "#dce4f0")
_SKIP = "#d6604d"
_LINE = "#606060"


def dot(graph: Drawing, note: str = "") -> str:
    """The text of ``graph``; ``note`` stands under its title."""
    return "\n".join(_Writer(graph).lines(note)) + "\n"


class _Writer:
    def __init__(self, graph: Drawing) -> None:
        self.graph = graph
        self.stack_of: dict[int, int] = {}  # a vertex, and the first vertex of its stack
        self.rows: dict[int, list[Vertex]] = {}
        self.outgoing: dict[int, list[Edge]] = defaultdict(list)
        self.incoming: dict[int, list[Edge]] = defaultdict(list)
        for edge in graph.edges:
            self.outgoing[edge.tail].append(edge)
            self.incoming[edge.head].append(edge)
        self.given: set[int] = set()
        self.clusters = 0
        self._stack(graph.items)

    def lines(self, note: str) -> Iterator[str]:
        title = f"<b>{_text(self.graph.title)}</b>"
        if note:
            title += f'<br/><font point-size="9" color="#555555">{_text(note, 200)}</font>'
        yield "digraph {"
        yield '  graph [rankdir=TB, charset="UTF-8", bgcolor="white", nodesep=0.25, ranksep=0.28,'
        yield f'         fontname="{FONT}", fontsize=14, labelloc=t, label=<{title}>]'
        yield f'  node [shape=plain, fontname="{FONT}", fontsize=10, color="#808080"]'
        yield f'  edge [fontname="{FONT}", fontsize=8, fontcolor="#404040", color="{_LINE}",'
        yield "        arrowsize=0.6]"
        yield from self._items(self.graph.items, 0)
        for edge in self.graph.edges:
            tail, head = self.stack_of[edge.tail], self.stack_of[edge.head]
            if tail == head:
                continue
            attributes = [f"label=<{_text(edge.label)}>"] if edge.label not in ("", "[]") else []
            if edge.kind == "weight":
                attributes += ["style=dashed"]
            elif self._skips(edge):
                attributes += [f'color="{_SKIP}"', "penwidth=1.6"]
            yield f"  n{tail} -> n{head} [{', '.join(attributes)}]"
        yield "}"

    # ── stacks ──────────────────────────────────────────────────────────────────────────────────

    def _stack(self, items: Sequence[Item]) -> None:
        """Puts vertices that follow one another, with nothing beside, into one table."""
        last: Vertex | None = None
        for item in items:
            if isinstance(item, Cluster):
                self._stack(item.items)
                last = None
                continue
            if item.kind == "input":
                self.given.add(item.number)
            if last is not None and self._follows(last, item):
                first = self.stack_of[last.number]
                self.rows[first].append(item)
            else:
                first = item.number
                self.rows[first] = [item]
            self.stack_of[item.number] = first
            last = item

    def _follows(self, last: Vertex, item: Vertex) -> bool:
        before, after = self.incoming[item.number], self.outgoing[last.number]
        return (
            last.kind in _STACKED
            and item.kind in _STACKED
            and len(before) == 1
            and len(after) == 1
            and before == after
            and before[0].kind == "data"
        )

    def _skips(self, edge: Edge) -> bool:
        """Whether something else that is computed leads from the edge's tail to its head: a
        residual."""
        if edge.tail in self.given:
            return False
        ahead = [other.head for other in self.outgoing[edge.tail] if other.head != edge.head]
        seen: set[int] = set()
        while ahead:
            vertex = ahead.pop()
            if vertex == edge.head:
                return True
            if vertex < edge.head and vertex not in seen:  # numbers rise along every edge
                seen.add(vertex)
                ahead += [other.head for other in self.outgoing[vertex]]
        return False

    # ── what stands in the drawing ──────────────────────────────────────────────────────────────

    def _items(self, items: Sequence[Item], level: int) -> Iterator[str]:
        indent = "  " * (level + 1)
        for item in items:
            if isinstance(item, Vertex):
                if item.number in self.rows:
                    yield f"{indent}n{item.number} {self._vertex(item)}"
            elif item.kind == "round" and item.count == 1 and len(item.items) == 1:
                yield from self._items(item.items, level)
            else:
                self.clusters += 1
                colour = _CLUSTERS[min(level, len(_CLUSTERS) - 1)]
                wide = 2 if item.count > 1 else 1
                yield f"{indent}subgraph cluster_{self.clusters} {{"
                yield f'{indent}  graph [style="rounded,filled", fillcolor="{colour}",'
                yield f'{indent}         color="#9aa7bd", penwidth={wide}, margin=10, fontsize=11,'
                yield f"{indent}         labeljust=l, label=<{_title(item)}>]"
                yield from self._items(item.items, level + 1)
                yield f"{indent}}}"

    def _vertex(self, vertex: Vertex) -> str:
        name, text = _text(vertex.name), _text(vertex.text)
        below = f'<br/><font point-size="8">{text}</font>' if text else ""
        match vertex.kind:
            case "input":
                look = 'shape=box, style="rounded,filled", fillcolor="#d9f0d3", color="#5aae61"'
                below += f'<br/><font point-size="8">{_text(vertex.shape)}</font>'
            case "output":
                look = 'shape=box, style="rounded,filled", fillcolor="#fff7bc", peripheries=2'
            case "loss":
                look = 'shape=box, style=filled, fillcolor="#fcbba1", color="#a63603", penwidth=2'
            case "operator":
                look = 'shape=circle, style=filled, fillcolor="#ffffff", width=0.3, fixedsize=true'
                return f"[{look}, fontsize=13, label=<{name}>]"
            case "parameter":
                return f'[shape=note, style=filled, fillcolor="#dadaeb", label=<{name}>]'
            case _:
                return f"[label=<{self._table(self.rows[vertex.number])}>]"
        return f"[{look}, label=<<b>{name}</b>{below}>]"

    def _table(self, rows: Sequence[Vertex]) -> str:
        named = any(row.name for row in rows)
        # The shape that leaves the table stands at its edge.
        before = ["", *(row.shape for row in rows)]
        shown = [
            row.shape if row.shape not in (prior, "[]") else ""
            for prior, row in zip(before, rows[:-1], strict=False)
        ] + [""]
        cells = []
        for row, shape in zip(rows, shown, strict=True):
            colour = _COLOURS.get(row.family, "#ffffff" if row.kind == "block" else _PLAIN)
            cell = f'<td bgcolor="{colour}" align="left"'
            line = f"{cell}><b>{_text(row.name)}</b></td>" if named and row.name else ""
            span = ' colspan="2"' if named and not row.name else ""
            line += f"{cell}{span}>{_text(row.text)}</td>"
            if any(shown):
                small = f'<font point-size="8" color="#404040">{_text(shape) or " "}</font>'
                line += f"{cell}>{small}</td>"
            cells.append(f"<tr>{line}</tr>")
        look = 'border="0" cellborder="1" cellspacing="0" cellpadding="3" color="#909090"'
        return f"<table {look}>{''.join(cells)}</table>"


_STACKED = frozenset({"layer", "function"})


def _title(cluster: Cluster) -> str:
    name = cluster.name
    if cluster.count > 1:
        name += f" … {cluster.last}"
    title = f"<b>{_text(name)}</b>"
    if cluster.text:
        title += f" {_text(cluster.text)}"
    if cluster.count > 1:
        title += f'  <font color="{_SKIP}"><b>×{cluster.count}</b></font>'
    return title


def _text(text: str, longest: int = LONGEST) -> str:
    """``text`` as HTML that shows it; what is longer than ``longest`` is cut."""
    safe = visible(text)
    return html.escape(safe if len(safe) <= longest else f"{safe[: longest - 1]}…")
