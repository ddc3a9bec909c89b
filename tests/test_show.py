"""``specc show``: its counts against torch, its table, its data, its pictures.

Non-goal: the rules of multiply-adds row by row, which ``test_multiply`` holds against torch.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT, Run
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import specc
from specc import front
from specc.errors import CallError, SpecError
from specc.inspect import words
from specc.inspect.alike import Cluster, Item, Vertex
from specc.inspect.fold import folded
from specc.inspect.tree import Entry
from specc.inspect.view import ModelView, ProgramView, view
from specc.report import picture, show, show_json
from specc.report.dot import dot
from specc.report.style import plain
from specc.sizes import Size, evaluate, floor_divide, symbol

GPT = """spec 1

block Attention(heads: int) {
  input x: float[N, T, D]
  q, k, v = x -> c_attn: Linear(3 * D) -> chunk(3, dim=-1)
  q = q -> reshape(N, T, heads, D // heads) -> transpose(1, 2)
  k = k -> reshape(N, T, heads, D // heads) -> transpose(1, 2)
  v = v -> reshape(N, T, heads, D // heads) -> transpose(1, 2)
  y = scaled_dot_product_attention(q, k, v, is_causal=true)
  output y -> transpose(1, 2) -> reshape(N, T, D) -> c_proj: Linear(D)
}

block Level(heads: int) {
  input x: float[N, T, D]
  x = x + (x -> ln_1: LayerNorm -> attn: Attention(heads))
  x = x + (x -> ln_2: LayerNorm -> mlp: { Linear(4 * D) -> GELU -> Linear(D) })
  output x
}

model Gpt(vocab: int = 50, context: int = 20, dim: int = 16, depth: int = 3, heads: int = 4) {
  input tokens: index(vocab)[N, T] where T <= context
  layer wte = Embedding(dim)
  layer wpe = Embedding(context, dim)
  hidden = wte(tokens) + wpe(arange(T)) -> h: repeat(depth) Level(heads) -> ln_f: LayerNorm
  logits = hidden @ wte.weight.T
  output logits
}

train {
  input next: index(50)[N, T]
  loss = CrossEntropyLoss(logits -> flatten(0, 1), next -> flatten(0, 1))
  optimizer AdamW(lr=3e-4) {
    group(weight_decay=0.0) on *.bias, LayerNorm.*
  }
}
"""

RESNET = """spec 1

block Basic(channels: int, stride: int = 1) {
  input x: float[N, C, H, W]
  h = x
    -> conv1: Conv2d(channels, 3, stride=stride, padding=1, bias=false) -> bn1: BatchNorm2d -> ReLU
    -> conv2: Conv2d(channels, 3, padding=1, bias=false) -> bn2: BatchNorm2d
  skip = x
  if stride != 1 or C != channels {
    skip = x -> downsample: { Conv2d(channels, 1, stride=stride, bias=false) -> BatchNorm2d }
  }
  output relu(h + skip)
}

block Stage(channels: int, depth: int, stride: int = 1) {
  input x: float[N, C, H, W]
  output x -> Basic(channels, stride) -> repeat(depth - 1) Basic(channels)
}

model ResNet(classes: int = 10) {
  input image: float[N, 3, H, W]
  logits = image -> stem: Conv2d(8, 3, stride=2, padding=1)
    -> layer1: Stage(8, 2) -> layer2: Stage(16, 2, stride=2)
    -> AdaptiveAvgPool2d(1) -> Flatten -> fc: Linear(classes)
  output logits
}
"""

UNET = """spec 1

model UNet {
  input image: float[N, 1, H, W]
  down = image -> enter: Conv2d(4, 3, padding=1) -> ReLU
  low = down -> MaxPool2d(2) -> bottom: Conv2d(8, 3, padding=1) -> ReLU
  up = low -> ConvTranspose2d(4, 2, stride=2)
  mask = cat([down, up], dim=1) -> leave: Conv2d(1, 1)
  output mask
}
"""

MIXTURE = """spec 1

block Expert(width: int) {
  input x: float[N, D]
  output x -> Linear(width) -> GELU -> Linear(D)
}

model Mixture(experts: int = 4, wide: int = 32) {
  input x: float[N, 16]
  gate = x -> gate: Linear(experts) -> Softmax(dim=-1)
  parts = [x -> Expert(wide) for e in range(experts)]
  y = sum(stack(parts, dim=1) * unsqueeze(gate, -1), dim=1) -> Linear(8) with spectral_norm
  for j in range(3) {
    y = y + (y -> LayerNorm -> Linear(8, bias=false) with weight_norm)
  }
  output y
}
"""

GAN = """spec 1

param latent: int = 8

model Generator {
  input z: float[N, latent]
  image = z -> Linear(16) -> Tanh
  output image
}

model Critic {
  input image: float[N, 16]
  score = image -> Linear(1)
  output score
}

train {
  input real: float[N, 16]
  input z: normal[N, latent]
  fake = Generator(z)
  step critic {
    loss = mean(Critic(detach(fake))) - mean(Critic(real))
    optimizer RMSprop(lr=1e-3) on Critic
  }
  step generator {
    loss = -mean(Critic(fake))
    optimizer RMSprop(lr=1e-3) on Generator
  }
}
"""

INLINE = {"gpt": GPT, "resnet": RESNET, "unet": UNET, "mixture": MIXTURE}
SPECS = sorted((ROOT / "specs").glob("*.spec"))


def seen(text: str, folder: Path, **options: Any) -> ProgramView:
    path = folder / "net.spec"
    path.write_text(text, encoding="utf-8")
    return view(path, **options)


def table(model: ModelView, **options: Any) -> str:
    return plain(show.table(model, **options))


def lines(model: ModelView, **options: Any) -> dict[str, str]:
    """The table's lines by their first word, as often as it is met the last."""
    rows = table(model, **options).splitlines()
    return {row.split()[0]: row for row in rows if row.split()}


def entries(entry: Entry) -> Iterator[Entry]:
    yield entry
    for child in entry.children:
        yield from entries(child)


def at(entry: Entry, path: str) -> Entry:
    (found,) = [one for one in entries(entry) if one.path == path and one.kind != "operation"]
    return found


# ── counts, against torch ───────────────────────────────────────────────────────────────────────


@pytest.fixture(params=[*INLINE, *SPECS], ids=lambda one: one if isinstance(one, str) else one.stem)
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if isinstance(request.param, Path):
        return request.param
    path = tmp_path / f"{request.param}.spec"
    path.write_text(INLINE[request.param], encoding="utf-8")
    return path


def batch(model: ModelView) -> list[torch.Tensor]:
    tensors = []
    for value in model.model.inputs:
        shape = [evaluate(size, model.values) for size in value.type.shape]
        integer = value.type.dtype.startswith("int")
        tensors.append(torch.zeros(shape, dtype=torch.int64 if integer else torch.float32))  # type: ignore[arg-type]  # numbers by now
    return tensors


def test_counts_are_those_of_the_live_module(spec: Path) -> None:
    model = view(spec).models[-1]
    module = specc.load(spec, model=model.model.name).eval()
    costs = model.tree.costs
    assert costs.parameters == sum(tensor.numel() for tensor in module.parameters())
    assert costs.buffers == sum(tensor.numel() for tensor in module.buffers())
    assert costs.parameter_bytes == sum(p.numel() * p.element_size() for p in module.parameters())
    assert costs.buffer_bytes == sum(b.numel() * b.element_size() for b in module.buffers())
    with (
        warnings.catch_warnings(),
        sdpa_kernel(SDPBackend.MATH),
        torch.backends.mkldnn.flags(enabled=False),
        FlopCounterMode(display=False) as counter,
    ):
        warnings.simplefilter("ignore")
        module(*batch(model))
    assert counter.get_total_flops() == 2 * costs.multiply_adds
    # A factorisation multiplies elements alone, which torch counts as nothing.
    assert costs.multiply_adds > 0 or spec.stem == "matrix_factorization"


def test_shapes_are_those_of_the_live_module(spec: Path) -> None:
    model = view(spec).models[-1]
    module = specc.load(spec, model=model.model.name).eval()
    shapes: dict[str, list[tuple[int, ...]]] = {}

    def keep(path: str) -> Any:
        def hook(module: torch.nn.Module, given: Any, result: Any) -> None:
            # Attention may give None in the place of its weights.
            flat = [t for t in torch.utils._pytree.tree_leaves(result) if t is not None]
            shapes.setdefault(path, [tuple(tensor.shape) for tensor in flat])

        return hook

    for path, inner in module.named_modules():
        inner.register_forward_hook(keep(path))
    module(*batch(model))
    found = {one.path: one for one in entries(model.tree) if one.kind in ("layer", "block")}
    compared = 0
    for path, entry in found.items():
        if path in shapes:  # a row of layers may be called one by one
            assert [result.numbers for result in entry.results] == shapes[path], path
            compared += 1
    assert compared == len(found)


def test_activations_are_what_is_put_out_and_no_view(tmp_path: Path) -> None:
    text = """spec 1

model M {
  input x: float[N, 4, 6]
  y = x -> Flatten -> fc: Linear(8) -> ReLU
  z = 2 * y[:, :5]
  output z
}
"""
    tree = seen(text, tmp_path, asked={"N": 3}).models[0].tree
    # Linear and ReLU put out 3 x 8 floats each, the product 3 x 5; flattening and slicing nothing.
    assert tree.costs.activation_bytes == 4 * (3 * 8 + 3 * 8 + 3 * 5)
    assert at(tree, "flatten_1").costs.activation_bytes == 0
    half = seen(text, tmp_path, asked={"N": 3}, dtype="bfloat16").models[0].tree
    assert 2 * half.costs.activation_bytes == tree.costs.activation_bytes
    assert 2 * half.costs.parameter_bytes == tree.costs.parameter_bytes


def test_a_layer_called_twice_is_one_with_twice_the_work(tmp_path: Path) -> None:
    text = """spec 1

model M {
  input x: float[N, 4]
  layer fc = Linear(4)
  y = fc(relu(fc(x)))
  output y
}
"""
    model = seen(text, tmp_path, asked={"N": 2}).models[0]
    assert at(model.tree, "fc").calls == 2
    assert at(model.tree, "fc").costs.parameters == 20
    assert at(model.tree, "fc").costs.multiply_adds == 2 * (2 * 4 * 4)
    assert "(called 2 times)" in lines(model)["fc"]


# ── the table ───────────────────────────────────────────────────────────────────────────────────


def test_shapes_stand_in_the_models_own_symbols_and_in_numbers(tmp_path: Path) -> None:
    (model,) = seen(GPT, tmp_path, asked={"N": 2, "T": 5}).models
    assert "[N, T, 3 * dim]" in lines(model)["c_attn"]
    assert "[2, 5, 48]" in lines(model)["c_attn"]
    assert model.tree.results[0].numbers == (2, 5, 50)
    (model,) = seen(RESNET, tmp_path).models
    assert "[N, 16, (H + 3) // 4, (W + 3) // 4]" in lines(model)["layer2"]


def test_alike_levels_are_folded_and_all_unfolds_them(tmp_path: Path) -> None:
    (model,) = seen(GPT, tmp_path).models
    (level,) = [row for row in table(model).splitlines() if "Level(" in row]
    assert level.split()[:4] == ["0", "…", "2", "×3"]
    apart = table(model, apart=True)
    assert "×" not in apart and apart.count("Level(heads=heads)") == 3
    levels = at(model.tree, "h")
    assert levels.costs.multiply_adds == 3 * levels.children[0].costs.multiply_adds


def test_levels_that_differ_are_not_folded(tmp_path: Path) -> None:
    text = """spec 1

block Dense(p: float) {
  input x: float[N, D]
  output x -> Linear(D) -> Dropout(p)
}

model M {
  input x: float[N, 4]
  y = x -> h: repeat(3) Dense(0.1 * i)
  output y
}
"""
    (model,) = seen(text, tmp_path).models
    assert "×" not in table(model)
    assert [group.count for group in folded(at(model.tree, "h").children)] == [1, 1, 1]


def test_depth_closes_blocks_and_keeps_their_totals(tmp_path: Path) -> None:
    (model,) = seen(RESNET, tmp_path).models
    shallow = lines(model, depth=1)
    assert "conv1" not in shallow and "fc" in shallow
    assert shallow["layer2"].split() == lines(model)["layer2"].split()
    # A list of layers is no level of its own.
    assert "Level(" in table(seen(GPT, tmp_path).models[0], depth=1)


def test_a_narrow_terminal_cuts_the_types_alone(tmp_path: Path) -> None:
    (model,) = seen(RESNET, tmp_path).models
    wide, narrow = table(model), table(model, columns=60)
    assert "Conv2d(16, 3, padding=1, bias=false)" in wide
    assert "Conv2d(16, 3, paddi…" in narrow
    assert [row[-30:] for row in wide.splitlines()] == [row[-30:] for row in narrow.splitlines()]


def test_what_is_frozen_and_what_is_set_is_said(tmp_path: Path) -> None:
    text = GPT.replace("  output logits\n", "  freeze on wpe.*, h.0.*\n  output logits\n")
    (model,) = seen(text, tmp_path, params={"dim": "8"}).models
    assert model.tree.costs.frozen == 20 * 8 + at(model.tree, "h.0").costs.parameters
    assert "160 (frozen)" in lines(model)["wpe"]
    assert "dim=8 (--set; 16)" in table(model)
    # One level has other costs than the two that learn.
    assert "1 … 2 ×2" in table(model)


def test_conditions_are_stated_with_their_numbers(tmp_path: Path) -> None:
    (model,) = seen(GPT, tmp_path, asked={"T": 5}).models
    assert "T <= context  (5 <= 20)" in table(model)
    (model,) = seen(UNET, tmp_path).models
    stated = [str(condition) for condition in model.conditions]
    assert any("H" in text for text in stated) and any("W" in text for text in stated)
    assert all(condition.holds(model.values) for condition in model.conditions)
    # What holds on all sizes is no condition worth a line.
    (model,) = seen(RESNET, tmp_path).models
    assert model.conditions == () and "conditions on" not in table(model)


def test_training_says_what_trains_what(tmp_path: Path) -> None:
    seen_gpt = seen(GPT, tmp_path)
    facts = seen_gpt.training
    assert facts is not None
    (step,) = facts.steps
    held = [(share.tensors, share.elements) for share in step.shares]
    module = specc.load(tmp_path / "net.spec")
    plain_names = [
        name for name, _ in module.named_parameters() if name.endswith("bias") or ".ln_" in name
        or name.startswith("ln_f")
    ]  # fmt: skip
    assert held[0][0] == len(plain_names)
    assert sum(elements for _, elements in held) == seen_gpt.models[0].tree.costs.parameters
    text = plain(show.training(facts))
    assert "CrossEntropyLoss(flatten(logits, start_dim=0, end_dim=1), " in text
    assert "group(weight_decay=0) on *.bias, LayerNorm.*" in text and "every other" in text


def test_several_models_and_steps(tmp_path: Path) -> None:
    both = seen(GAN, tmp_path)
    assert [model.model.name for model in both.models] == ["Generator", "Critic"]
    assert both.training is not None
    text = plain(show.training(both.training))
    assert "step critic" in text and "step generator" in text
    assert "fake           generator(z)" in text
    assert "on Critic: 2 tensors, 17 parameters" in text
    one = seen(GAN, tmp_path, model="Critic", asked={"N": 6})
    assert [model.sizes for model in one.models] == [{"N": 6}]
    assert one.models[0].tree.results[0].numbers == (6, 1)


def test_what_nothing_trains_is_said(tmp_path: Path) -> None:
    text = GAN.replace("RMSprop(lr=1e-3) on Generator", "RMSprop(lr=1e-3) on generator.*.weight")
    facts = seen(text, tmp_path).training
    assert facts is not None and facts.untrained is not None
    assert facts.untrained.tensors == 1


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"asked": {"T": 21}}, "E0501"),
        ({"asked": {"S": 3}}, "E0712"),
        ({"dtype": "int8"}, "E0712"),
        ({"model": "Gtp"}, "E0706"),
    ],
)
def test_a_wrong_call_is_refused(tmp_path: Path, options: dict[str, Any], code: str) -> None:
    with pytest.raises((SpecError, CallError)) as caught:
        seen(GPT, tmp_path, **options)
    assert caught.value.code == code


def test_nested_quotients_are_shown_as_one() -> None:
    size: Size = symbol("H")
    for stride in (2, 3, 2):
        size = floor_divide(size - 1, stride) + 1
    tidy = words.tidy(size)
    assert str(tidy) == "(H + 11) // 12"
    for height in range(1, 60):
        assert evaluate(tidy, {"H": height}) == evaluate(size, {"H": height})


@pytest.mark.parametrize(
    ("count", "number", "memory"),
    [
        (0, "0", "0 B"),
        (1023, "1,023", "1,023 B"),
        (1536, "1,536", "1.50 KiB"),
        (99_999, "99,999", "97.7 KiB"),
        (100_000, "100 k", "97.7 KiB"),
        (999_499, "999 k", "976 KiB"),
        (999_500, "1.00 M", "976 KiB"),
        (1_814_073_344, "1.81 G", "1.69 GiB"),
        (10**24, "1,000,000 E", "867,362 EiB"),
    ],
)
def test_large_numbers_have_three_digits(count: int, number: str, memory: str) -> None:
    assert (show.number(count), show.memory(count)) == (number, memory)


def test_json_holds_every_layer(tmp_path: Path) -> None:
    found = seen(GPT, tmp_path)
    (program,) = json.loads(show_json.text([found]))
    (model,) = program["models"]
    assert model["sizes"] == dict(found.models[0].sizes)
    assert [child["name"] for child in model["tree"]["children"]][:3] == ["wte", "wpe", "h"]
    assert len(model["tree"]["children"][2]["children"]) == 3
    assert model["tree"]["multiply_adds"] == found.models[0].tree.costs.multiply_adds
    assert program["training"]["steps"][0]["optimizer"].startswith("AdamW")


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


# ── the verb ────────────────────────────────────────────────────────────────────────────────────


def test_the_verb_needs_no_torch(specc_without_torch: Run, tmp_path: Path) -> None:
    (tmp_path / "net.spec").write_text(GPT, encoding="utf-8")
    ended = specc_without_torch("show", "net.spec", "--size", "N=3", "--plot", "net.dot")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("Gpt  net.spec:20 · on N=3, T=")
    assert (tmp_path / "net.dot").read_text(encoding="utf-8").startswith("digraph {")
    data = specc_without_torch("show", "net.spec", "--json")
    assert json.loads(data.stdout)[0]["models"][0]["name"] == "Gpt"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--plot", "net.jpeg"), "E0712"),
        (("--plot", "nowhere/net.dot"), "E0703"),
        (("--size", "N"), "E0712"),
        (("--set", "width=3"), "E0601"),
    ],
)
def test_the_verb_refuses_without_a_traceback(
    specc: Run, tmp_path: Path, arguments: tuple[str, ...], code: str
) -> None:
    (tmp_path / "net.spec").write_text(GPT, encoding="utf-8")
    ended = specc("show", "net.spec", *arguments)
    assert ended.returncode == 2 and code in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_reference_shows_what_is_printed(specc: Run, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    block = text.split("$ specc show specs/mlp.spec\n")[1].split("```")[0]
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    ended: subprocess.CompletedProcess[str] = specc("show", "specs/mlp.spec")
    assert ended.stdout == block


def test_programs_of_the_tests_are_sound(tmp_path: Path) -> None:
    for name, text in {**INLINE, "gan": GAN}.items():
        program, diagnostics, _ = front.check_text(text, name)
        assert program is not None, diagnostics
