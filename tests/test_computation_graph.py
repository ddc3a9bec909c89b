"""The graph of a program and its pictures: what is drawn as one, what apart, and safely."""

from __future__ import annotations

import shutil
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from show_programs import GAN, GPT, INLINE, MIXTURE, RESNET, UNET, seen, table

from specc.errors import CallError
from specc.inspect.drawing import Cluster, Item, Vertex
from specc.report.structure import picture
from specc.report.structure.dot import dot

# ── the graph ───────────────────────────────────────────────────────────────────────────────────


def clusters(items: list[Item]) -> Iterator[Cluster]:
    for item in items:
        if isinstance(item, Cluster):
            yield item
            yield from clusters(item.items)


def vertices(items: list[Item]) -> Iterator[Vertex]:
    for item in items:
        if isinstance(item, Cluster):
            yield from vertices(item.items)
        else:
            yield item


def test_alike_blocks_are_drawn_once(tmp_path: Path) -> None:
    found = seen(GPT, tmp_path, params={"depth": "12"})
    (level,) = [one for one in clusters(found.graph().items) if one.text.startswith("Level")]
    assert (level.name, level.last, level.count) == ("h.0", "h.11", 12)
    apart = [c for c in clusters(found.graph(apart=True).items) if c.text.startswith("Level")]
    assert [one.name for one in apart] == [f"h.{i}" for i in range(12)]
    (closed,) = [one for one in clusters(found.graph(depth=1).items) if one.count > 1]
    assert closed.count == 12 and len(closed.items) == 1


def test_the_drawing_of_twelve_is_that_of_two_but_for_the_count(tmp_path: Path) -> None:
    two = dot(seen(GPT, tmp_path, params={"depth": "2"}).graph())
    twelve = dot(seen(GPT, tmp_path, params={"depth": "12"}).graph())
    assert twelve.replace("×12", "×2").replace("h.11", "h.1") == two


def test_branches_side_by_side_are_drawn_once(tmp_path: Path) -> None:
    graph = seen(MIXTURE, tmp_path).graph()
    counts = {one.text: one.count for one in clusters(graph.items) if one.count > 1}
    assert counts == {"Expert(width=wide)": 4, "": 3}


def test_blocks_that_differ_stay_apart(tmp_path: Path) -> None:
    names = {
        one.name: one.count
        for stage in clusters(seen(RESNET, tmp_path).graph().items)
        if stage.name == "layer2"
        for one in clusters(stage.items)
    }
    assert names == {"0": 1, "1": 1}


def test_every_edge_joins_drawn_vertices_and_goes_on(tmp_path: Path) -> None:
    for text in (*INLINE.values(), GAN):
        graph = seen(text, tmp_path).graph()
        numbers = {vertex.number for vertex in vertices(graph.items)}
        assert numbers == set(range(len(numbers)))
        for edge in graph.edges:
            assert edge.tail < edge.head and {edge.tail, edge.head} <= numbers


def test_residuals_are_marked_and_shapes_stand_at_the_edges(tmp_path: Path) -> None:
    text = dot(seen(GPT, tmp_path).graph())
    marked = [line for line in text.splitlines() if "penwidth=1.6" in line and "->" in line]
    assert len(marked) == 2  # around the attention, around the feed-forward net
    assert all("[N, T, dim]" in line for line in marked)
    assert "style=dashed" in text and "wte.weight" in text  # the tied weight
    # A projection on the way around makes it no shortcut.
    around = [line for line in dot(seen(RESNET, tmp_path).graph()).splitlines() if "1.6" in line]
    assert len(around) == 2


def test_a_model_called_again_is_a_box(tmp_path: Path) -> None:
    graph = seen(GAN, tmp_path).graph()
    assert [one.name for one in clusters(graph.items) if one.kind == "step"] == [
        "step critic",
        "step generator",
    ]
    again = [vertex for vertex in vertices(graph.items) if vertex.text.endswith("(again)")]
    assert len(again) == 2
    assert graph.title == "Generator, Critic"


def test_thousands_of_layers_are_drawn_once(tmp_path: Path) -> None:
    text = """spec 1

block B {
  input x: float[N, D]
  output x + (x -> Linear(D) -> ReLU)
}

model M {
  input x: float[N, 8]
  y = x -> repeat(2000) B
  output y
}
"""
    found = seen(text, tmp_path)
    graph = found.graph()
    (one,) = clusters(graph.items)
    assert one.count == 2000 and len(list(vertices(graph.items))) == 5
    assert len(table(found.models[0]).splitlines()) < 20


# ── pictures ────────────────────────────────────────────────────────────────────────────────────

HOSTILE = 'a"b<c>&\\N]];d\n.spec'


def has_package() -> bool:
    return picture.importlib.util.find_spec("pygraphviz") is not None


def programs() -> list[Any]:
    return [
        pytest.param(
            "dot", marks=pytest.mark.skipif(not shutil.which("dot"), reason="no Graphviz here")
        ),
        pytest.param(
            "pygraphviz", marks=pytest.mark.skipif(not has_package(), reason="no pygraphviz here")
        ),
    ]


def only(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves ``picture`` nothing but ``program``."""
    if program == "pygraphviz":
        monkeypatch.setattr(picture.shutil, "which", lambda name: None)
    else:
        monkeypatch.setattr(picture.importlib.util, "find_spec", lambda name: None)


@pytest.mark.parametrize("program", programs())
def test_graphviz_draws_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    graph = seen(GPT, tmp_path).graph()
    only(program, monkeypatch)
    picture.write(dot(graph, HOSTILE), tmp_path / "gpt.svg")
    root = ElementTree.parse(tmp_path / "gpt.svg").getroot()
    texts = ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]
    joined = "\n".join(texts)
    assert 'a"b<c>&\\N]];d\\x0a.spec' in joined
    for word in ("Gpt", "tokens", "Linear(3 * dim)", "×3", "CrossEntropyLoss", "loss"):
        assert word in joined
    picture.write(dot(graph), tmp_path / "gpt.png")
    assert (tmp_path / "gpt.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("program", programs())
def test_a_spec_cannot_write_graphviz(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    """Labels are text, whatever they hold: one vertex stays one vertex, and no image is opened."""
    graph = seen(UNET, tmp_path).graph()
    number = next(vertices(graph.items)).number
    evil = '</b>>]; evil [image="/etc/passwd"]; <img src="x"/> <!-- \x1b[31m'
    graph.items[0] = Vertex(number, "input", evil, evil, "", evil)
    only(program, monkeypatch)
    picture.write(dot(graph, evil), tmp_path / "evil.svg")
    text = (tmp_path / "evil.svg").read_text(encoding="utf-8")
    assert "<image" not in text and "\x1b" not in text
    root = ElementTree.fromstring(text)
    titles = [one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}title")]
    assert not any(title == "evil" for title in titles)
    joined = "\n".join("".join(one.itertext()) for one in root.iter())
    assert 'evil [image="/etc/passwd"]' in joined


def test_without_graphviz_text_is_written_and_a_picture_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture.shutil, "which", lambda name: None)
    monkeypatch.setattr(picture.importlib.util, "find_spec", lambda name: None)
    text = dot(seen(UNET, tmp_path).graph())
    picture.write(text, tmp_path / "net.dot")
    assert (tmp_path / "net.dot").read_text(encoding="utf-8") == text
    with pytest.raises(CallError) as caught:
        picture.write(text, tmp_path / "net.svg")
    assert caught.value.code == "E0713" and "specc[plot]" in str(caught.value.help)


def test_what_graphviz_cannot_do_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = [sys.executable, "-c", "import sys; sys.exit('it is full')"]
    monkeypatch.setattr(picture, "_command", lambda suffix: fails)
    with pytest.raises(CallError, match="it is full") as caught:
        picture.write("digraph {}", tmp_path / "net.svg")
    assert caught.value.code == "E0716"
    waits = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(picture, "_command", lambda suffix: waits)
    monkeypatch.setattr(picture, "SECONDS", 0.2)
    with pytest.raises(CallError, match="--depth 1") as caught:
        picture.write("digraph {}", tmp_path / "net.svg")
    assert caught.value.code == "E0716" and not (tmp_path / "net.svg").exists()
