"""``cat`` and ``split`` in a map of ``weights``: projections that a published file has apart and a
model in one, and the other way round. The names are published ones, the numbers are made here."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from weights_support import ROOT, started, with_map

import specc
from specc.emit import emit
from specc.errors import CallError
from specc.front import read
from specc.inspect.view import view

# The layout of transformers' ViTForImageClassification, into timm's.
VIT = """
    "vit.*" -> "*"
    "embeddings.cls_token" -> "cls_token"
    "embeddings.position_embeddings" -> "pos_embed"
    "embeddings.patch_embeddings.projection" -> "patch_embed.proj"
    "encoder.layer.*" -> "blocks.*"
    "*.layernorm_before" -> "*.norm1"
    "*.layernorm_after" -> "*.norm2"
    "*.attention.output.dense" -> "*.attn.proj"
    "*.intermediate.dense" -> "*.mlp.fc1"
    "*.output.dense" -> "*.mlp.fc2"
    "layernorm" -> "norm"
    "classifier" -> "head"
    "*.attention.attention.*" -> "*.attn.*"
    cat "*.attn.query", "*.attn.key", "*.attn.value" -> "*.attn.qkv"
"""


def test_a_vit_of_three_projections_loads_into_one(tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTForImageClassification

    settings: Any = ViTConfig
    torch.manual_seed(1)
    theirs = ViTForImageClassification(
        settings(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
            image_size=16, patch_size=4, hidden_dropout_prob=0.0, num_labels=10,
            attention_probs_dropout_prob=0.0, layer_norm_eps=1e-6, initializer_range=0.3,
        )
    ).eval()  # fmt: skip
    tensors = dict(theirs.state_dict())
    # As the published files call them, whatever the installed version does.
    tensors = {
        name.replace("vit.layers.", "vit.encoder.layer.")
        .replace("attention.q_proj", "attention.attention.query")
        .replace("attention.k_proj", "attention.attention.key")
        .replace("attention.v_proj", "attention.attention.value")
        .replace("attention.o_proj", "attention.output.dense")
        .replace("mlp.fc1", "intermediate.dense")
        .replace("mlp.fc2", "output.dense"): tensor
        for name, tensor in tensors.items()
    }
    assert "vit.encoder.layer.1.attention.attention.key.bias" in tensors
    text = with_map(ROOT / "specs" / "vit.spec", "ViT", VIT)
    ours = started(tmp_path, text, tensors).eval()
    image = torch.rand(3, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), theirs(image).logits)


GPT2 = """spec 1

# GPT-2's blocks with a projection for each of query, key and value.
block Attention(heads: int) {
  input x: float[N, T, D]
  q = x -> q: Linear(D) -> unflatten(-1, (heads, D // heads)) -> transpose(1, 2)
  k = x -> k: Linear(D) -> unflatten(-1, (heads, D // heads)) -> transpose(1, 2)
  v = x -> v: Linear(D) -> unflatten(-1, (heads, D // heads)) -> transpose(1, 2)
  y = scaled_dot_product_attention(q, k, v, is_causal=true) -> transpose(1, 2) -> flatten(2)
  output y -> o: Linear(D)
}

model Net(dim: int = 12, depth: int = 2) {
  input x: float[N, T, dim]
  weights "start.safetensors" {
    transpose "*.c_attn.weight", "*.c_proj.weight"
    "h.*.attn" -> "blocks.*"
    "*.c_proj" -> "*.o"
    split "*.c_attn" -> "*.q", "*.k", "*.v"
  }
  for k in range(depth) { x = x + (x -> blocks: Attention(3)) }
  output x
}
"""


def test_one_c_attn_loads_into_three_projections(tmp_path: Path) -> None:
    torch.manual_seed(2)
    tensors: dict[str, Tensor] = {}
    for layer in range(2):
        for name, width in (("c_attn", 36), ("c_proj", 12)):
            tensors[f"h.{layer}.attn.{name}.weight"] = torch.randn(12, width)
            tensors[f"h.{layer}.attn.{name}.bias"] = torch.randn(width)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = started(tmp_path, GPT2, tensors).state_dict()
    for place, name in enumerate("qkv"):
        stretch = slice(12 * place, 12 * place + 12)
        weight, bias = (tensors[f"h.1.attn.c_attn.{of}"] for of in ("weight", "bias"))
        assert torch.equal(ours[f"blocks.1.{name}.weight"], weight.T[stretch])
        assert torch.equal(ours[f"blocks.1.{name}.bias"], bias[stretch])
    found = view(tmp_path / "net.spec").models[0].checkpoint
    assert found is not None and found.summary == (
        "8 tensors used, 4 of them transposed, 4 of them split into 12"
    )
    assert found.taken["blocks.0.k.bias"] == ("h.0.attn.c_attn.bias",)


# ── what a line says ─────────────────────────────────────────────────────────────────────────────

NET = """spec 1
model Net {
  input x: float[N, 4]
  weights "start.safetensors" {
LINES
  }
  y = x -> wide: Linear(6, bias=false)
  output y, x -> a: Linear(4, bias=false), x -> b: Linear(2, bias=false)
}
"""


def own() -> dict[str, Tensor]:
    torch.manual_seed(5)
    return {f"{n}.weight": torch.randn(k, 4) for n, k in (("wide", 6), ("a", 4), ("b", 2))}


def said(**more: Tensor) -> dict[str, Tensor]:
    """The tensors of a file: the model's own, with ``more`` and without what is None."""
    return own() | {f"{name}.weight": tensor for name, tensor in more.items()}


def without(*names: str, **more: Tensor) -> dict[str, Tensor]:
    return {n: t for n, t in said(**more).items() if n.partition(".")[0] not in names}


WHOLE, A, B = (own()[f"{name}.weight"] for name in ("wide", "a", "b"))

FITS: list[tuple[str, dict[str, Tensor], dict[str, Tensor]]] = [
    ('cat "x.weight", "y.weight" -> "wide.weight"', without("wide", x=A, y=B),
     {"wide": torch.cat([A, B])}),
    # Whole layers, and parts that are not alike.
    ('cat "y", "x" -> "wide"', without("wide", x=A, y=B), {"wide": torch.cat([B, A])}),
    ('cat "?1", "?2", "?3" -> "?ide"', without("wide", w1=A, w2=B[:1], w3=B[1:]),
     {"wide": torch.cat([A, B])}),
    # The stretches are as long as the model's own tensors are.
    ('split "x" -> "a", "b"', without("a", "b", x=WHOLE), {"a": WHOLE[:4], "b": WHOLE[4:]}),
    ('split "x" -> "b", "a"', without("a", "b", x=WHOLE), {"b": WHOLE[:2], "a": WHOLE[2:]}),
    # A piece may have the name of the whole; so may what is joined.
    ('split "a" -> "a", "b"', without("b", a=WHOLE), {"a": WHOLE[:4], "b": WHOLE[4:]}),
    ('cat "wide", "x" -> "wide"', said(wide=A, x=B), {"wide": torch.cat([A, B])}),
    ('transpose "x.weight"\nsplit "x" -> "a", "b"', without("a", "b", x=WHOLE.T),
     {"a": WHOLE[:4], "b": WHOLE[4:]}),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "tensors", "wanted"), FITS)
def test_parts_are_joined_and_split(
    lines: str, tensors: dict[str, Tensor], wanted: dict[str, Tensor], tmp_path: Path
) -> None:
    ours = started(tmp_path, NET.replace("LINES", lines), tensors).state_dict()
    for name, tensor in own().items():
        assert torch.equal(ours[name], wanted.get(name.partition(".")[0], tensor)), name


def test_what_is_joined_may_be_copied(tmp_path: Path) -> None:
    text = NET.replace("b: Linear(2,", "b: Linear(6,")
    text = text.replace("LINES", 'cat "x", "y" -> "wide"\ncopy "wide" -> "b"')
    ours = started(tmp_path, text, without("wide", "b", x=A, y=B)).state_dict()
    assert torch.equal(ours["b.weight"], torch.cat([A, B]))
    assert torch.equal(ours["wide.weight"], ours["b.weight"])


MISFITS: list[tuple[str, dict[str, Tensor], str]] = [
    ('cat "x", "z" -> "wide"', without("wide", x=A, y=B), "line 5: 'z' matches nothing in it"),
    ('cat "x", "y" -> "wide"', without("wide", x=A, y=A),
     r"wide.weight is \[8, 4\], and \[6, 4\] in the model"),
    ('cat "x", "y" -> "wide"', without("wide", x=A, y=torch.ones(2, 3)),
     r"wide.weight is \[4, 4, 2, 3\], and \[6, 4\]"),
    ('cat "x", "y" -> "wide"', without("wide", x=A, y=torch.ones(())), r"wide.weight is \[4, 4\]"),
    ('cat "x", "y" -> "wide"', without("wide", x=A, y=B.double()),
     "wide.weight is float32 and float64, and float32"),
    ('cat "x", "y" -> "wide"', said(x=A, y=B), "two tensors for wide.weight, which differ"),
    ('cat "x", "y" -> "wide"', without("wide", x=A, y=B) | {"x.bias": torch.ones(4)},
     "line 5: 'wide.bias' has no part that 'y' gives"),
    ('split "x" -> "a", "b"', without("a", "b", x=A), r"b.weight is \[4, 4\], and \[2, 4\]"),
    ('split "x" -> "a", "b"', said(x=WHOLE), "two tensors for a.weight, which differ"),
    ('split "x" -> "a", "b"', without("a", "b"), "line 5: 'x' matches nothing in it"),
    ('split "x" -> "a", "b"', without("a", "b", x=torch.ones(())), r"a.weight is \[\]"),
    ('split "x" -> "a", "b"', without("a", "b", x=WHOLE) | {"x.bias": torch.ones(6)},
     "the model has no 'a.bias' \\('x.bias' in it\\)"),
    ('cat "x", "y" -> "wide"\nsplit "wide" -> "a", "b"', without("wide", "a", "b", x=A, y=B),
     "line 6: 'wide.weight' is no single tensor"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "tensors", "problem"), MISFITS)
def test_parts_that_do_not_fit_are_refused(
    lines: str, tensors: dict[str, Tensor], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(CallError, match=problem) as caught:
        started(tmp_path, NET.replace("LINES", lines), tensors)
    assert caught.value.code == "E0709"


# Torch converts a dtype silently where it loads.
CONSTRUCTED = [each for each in MISFITS if "float64" not in each[2]]


@pytest.mark.parametrize(("lines", "tensors", "_"), CONSTRUCTED)
def test_the_emitted_constructor_refuses_them_too(
    lines: str, tensors: dict[str, Tensor], _: str, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    from specc.targets.live import module_class

    path = tmp_path / "net.spec"
    path.write_text(NET.replace("LINES", lines), encoding="utf-8")
    file = tmp_path / "start.safetensors"
    save_file({n: t.clone().contiguous() for n, t in tensors.items()}, file)
    class_: Any = module_class(emit(read(path)), "Net", "net")
    with pytest.raises((AssertionError, KeyError, RuntimeError, IndexError, TypeError)):
        class_.from_checkpoint(str(file))


REFUSED = [
    ('cat "x" -> "wide"', "has one tensor on both sides"),
    ('split "x" -> "wide"', "has one tensor on both sides"),
    ('cat "x", "x" -> "wide"', "`x` stands twice on one side of `cat`"),
    ('split "x" -> "a", "a"', "`a` stands twice on one side of `split`"),
    ('cat "x.*", "y" -> "wide.*"', "`x.*` and `y` do not have the same wildcards"),
    ('split "x.*" -> "a.*", "b"', "`x.*` and `b` do not have the same wildcards"),
    ('cat "x", "y" -> "wdie"', "`wdie` names no tensor of Net"),
    ('split "x" -> "a", "bb"', "`bb` names no tensor of Net"),
    ('split "x" -> "a", "b"\n"m.*" -> "*"', "this line is about names in the file"),
    ('cat "x", "y" -> "wide"\ntranspose "x"', "this line is about names in the file"),
    ('cat "x", "y" -> "wide"\ndrop "z"', "this line is about names in the file"),
    ('cat -> "wide"', "cannot stand here"),
    ('cat "x", "y"', "`->`"),
    ('split "x", "y" -> "a", "b"', "cannot stand here"),
]


@pytest.mark.parametrize(("lines", "problem"), REFUSED)
def test_a_line_that_cannot_be_followed_is_told(lines: str, problem: str) -> None:
    with pytest.raises(specc.SpecError) as caught:
        specc.loads(NET.replace("LINES", lines))
    told = [f"{each.message} {each.help}" for each in caught.value.diagnostics()]
    assert len(told) == 1 and problem in told[0], told


def test_cat_and_split_are_names_everywhere_else() -> None:
    body = "  split = cat([x, x], dim=1)\n  cat = split + 1\n  output cat\n"
    text = f"spec 1\nmodel Net {{\n  input x: float[N, 4]\n{body}}}\n"
    assert specc.loads(text)(torch.zeros(2, 4)).shape == (2, 8)
