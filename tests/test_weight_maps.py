"""``weights`` with a map: published layouts that load by one, what a map says of each tensor, and
what of it is refused. The names are the published ones, the numbers are made here."""

from __future__ import annotations

import re
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn
from weights_support import ROOT, started, with_map

import specc
from specc.errors import CallError
from specc.inspect.view import view
from specc.report.structure.show_json import text as as_json
from specc.semantics.naming.checkpoint_map import expression, glob

# ── published layouts ────────────────────────────────────────────────────────────────────────────

GPT2 = """
    drop "h.*.attn.bias"
    transpose "*.c_attn.weight", "*.c_fc.weight", "*.c_proj.weight"
    "h.*" -> "blocks.*"
"""

BERT = """
    drop "cls", "bert.embeddings.position_ids"
    "bert.*" -> "*"
    "*.gamma" -> "*.weight"
    "*.beta" -> "*.bias"
    "embeddings.?*_embeddings" -> "?*"
    "token_type" -> "segment"
    "embeddings.LayerNorm" -> "norm"
    "encoder.layer.*" -> "layers.*"
    "*.attention.self" -> "*.attention"
    "*.attention.output.dense" -> "*.attention.dense"
    "*.attention.output.LayerNorm" -> "*.attention_norm"
    "*.intermediate.dense" -> "*.intermediate"
    "*.output.dense" -> "*.down"
    "*.output.LayerNorm" -> "*.norm"
    "pooler.dense" -> "pooler"
"""

RESNET = """
    "conv1" -> "stem"
    "bn1" -> "stem_norm"
    "layer*.?" -> "stage*.?"
    drop "fc"
    fresh "head"
"""


def test_gpt2_as_published_loads_by_a_map(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    settings: Any = GPT2Config
    torch.manual_seed(1)
    theirs = GPT2LMHeadModel(
        settings(
            vocab_size=128, n_positions=32, n_embd=32, n_layer=2, n_head=4, resid_pdrop=0.0,
            embd_pdrop=0.0, attn_pdrop=0.0, use_cache=False, bos_token_id=0, eos_token_id=0,
            initializer_range=0.3,
        )
    ).eval()  # fmt: skip
    # The published file has no `transformer.`, no tied head, and the masks of its attention.
    tensors = {n.removeprefix("transformer."): t for n, t in theirs.state_dict().items()}
    del tensors["lm_head.weight"]
    for block in range(2):
        tensors[f"h.{block}.attn.bias"] = torch.tril(torch.ones(1, 1, 32, 32))
    assert tensors["h.0.attn.c_attn.weight"].shape == (32, 96)
    text = with_map(ROOT / "specs" / "gpt2.spec", "Gpt2", GPT2).replace(" h: rep", " blocks: rep")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = started(tmp_path, text, tensors, dropout=0.0).eval()
    tokens = torch.randint(128, (2, 9))
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens), theirs(tokens).logits)
    assert "h.0.ln_1.weight" not in ours.state_dict()


def test_a_square_kernel_that_is_not_transposed_beside_others_is_a_warning(tmp_path: Path) -> None:
    text = """spec 1
model Net {
  input x: float[N, 4]
  weights "start.safetensors" {
    transpose "a.weight"
  }
  output x -> a: Linear(4, bias=false) -> b: Linear(4, bias=false)
}
"""
    tensors = {"a.weight": torch.randn(4, 4), "b.weight": torch.randn(4, 4)}
    with pytest.warns(UserWarning, match=r"but not b\.weight, which is square"):
        ours = started(tmp_path, text, tensors)
    assert torch.equal(ours.a.weight, tensors["a.weight"].T)  # type: ignore[union-attr]
    assert torch.equal(ours.b.weight, tensors["b.weight"])  # type: ignore[union-attr,arg-type]


def test_bert_as_published_loads_by_a_map(tmp_path: Path) -> None:
    from transformers import BertConfig, BertForPreTraining

    settings: Any = BertConfig
    torch.manual_seed(2)
    theirs = BertForPreTraining(
        settings(
            vocab_size=96, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=48, max_position_embeddings=24, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0, initializer_range=0.3,
        )
    ).eval()  # fmt: skip
    # The first checkpoints call the scale of a norm gamma, and hold the positions.
    tensors = {
        re.sub(r"LayerNorm\.bias$", "LayerNorm.beta",
               re.sub(r"LayerNorm\.weight$", "LayerNorm.gamma", name)): tensor
        for name, tensor in theirs.state_dict().items()
    }  # fmt: skip
    tensors["bert.embeddings.position_ids"] = torch.arange(24).reshape(1, -1)
    assert "bert.encoder.layer.1.attention.output.LayerNorm.gamma" in tensors
    text = with_map(ROOT / "tests" / "parity" / "bert.spec", "Bert", BERT)
    ours = started(tmp_path, text, tensors).eval()
    tokens, segments = torch.randint(1, 96, (3, 7)), torch.randint(2, (3, 7))
    mask = torch.ones(3, 7, dtype=torch.bool)
    mask[1, 4:] = False
    with torch.no_grad():
        hidden, pooled = ours(tokens, segments, mask)
        found: Any = theirs.bert(tokens, token_type_ids=segments, attention_mask=mask.long())
    torch.testing.assert_close(hidden, found.last_hidden_state)
    torch.testing.assert_close(pooled, found.pooler_output)


def test_resnet_as_published_loads_by_a_map_without_its_head(tmp_path: Path) -> None:
    spec = ROOT / "specs" / "resnet18.spec"
    torch.manual_seed(3)
    theirs = specc.load(spec).eval()  # its labels are torchvision's
    tensors = {name: torch.rand_like(t.float()).to(t) for name, t in theirs.state_dict().items()}
    assert {"conv1.weight", "layer1.0.bn1.running_mean", "layer2.0.downsample.0.weight",
            "layer4.1.bn2.num_batches_tracked", "fc.bias"} <= tensors.keys()  # fmt: skip
    theirs.load_state_dict(tensors)
    text = with_map(spec, "ResNet18", RESNET)
    text = text.replace("-> conv1: Conv2d(width", "-> stem: Conv2d(width")
    text = text.replace("bias=false) -> bn1: BatchNorm2d -> ReLU\n    -> Max",
                        "bias=false) -> stem_norm: BatchNorm2d -> ReLU\n    -> Max")  # fmt: skip
    text = re.sub(r"-> layer(\d): Stage", r"-> stage\1: Stage", text)
    text = text.replace("fc: Linear(classes)", "head: Linear(7)").replace(
        "index(classes)", "index(7)"
    )
    ours = started(tmp_path, text, tensors).eval()
    assert ours.head.weight.shape[0] == 7  # type: ignore[union-attr,index]
    image = torch.rand(2, 3, 32, 32)
    ours.head, theirs.fc = nn.Identity(), nn.Identity()
    with torch.no_grad():
        assert torch.equal(ours(image), theirs(image))


# ── what a map says ──────────────────────────────────────────────────────────────────────────────

NET = """spec 1
model Net {
  input x: float[N, 4]
  weights "start.safetensors" {
LINES
  }
  output x -> body: Linear(4) -> norm: LayerNorm -> head: Linear(4)
}
"""


def own() -> dict[str, Tensor]:
    torch.manual_seed(5)
    names = ("body.weight", "body.bias", "norm.weight", "norm.bias", "head.weight", "head.bias")
    return {n: torch.randn(4, 4) if n in names[::4] else torch.randn(4) for n in names}


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def without(part: str) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in own().items() if not name.startswith(part)}


ONE = torch.ones(1)
FITS: list[tuple[str, dict[str, Tensor]]] = [
    ('"model.*" -> "*"', prefixed("model.", own())),
    ('"a.b.*" -> "*"', prefixed("a.b.", own())),
    ('"*" -> "x.*"\n"x.*" -> "*"', own()),
    ('"trunk" -> "body"', {n.replace("body", "trunk"): t for n, t in own().items()}),
    ('"?ody" -> "?ad"\n"bad" -> "body"', own()),
    # One tensor twice in the file, one tensor of the file twice in the model.
    ('"tied" -> "head"', {**own(), "tied.weight": own()["head.weight"]}),
    ('copy "body" -> "head"', without("head")),
    ('copy "body.weight" -> "head.weight"\nfresh "head.bias"', without("head")),
    ('fresh "head", "norm.bias"', without("head")),
    ('drop "optimizer.*", "epoch"', {**own(), "optimizer.lr": ONE, "epoch": ONE}),
    ('transpose "body.weight", "head.weight"',
     {n: t.T if t.ndim == 2 else t for n, t in own().items()}),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "tensors"), FITS)
def test_a_map_accounts_for_every_tensor(
    lines: str, tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    if "norm.bias" in lines:
        tensors = {n: t for n, t in tensors.items() if n != "norm.bias"}
    ours = started(tmp_path, NET.replace("LINES", lines), tensors).state_dict()
    wanted = own()
    if "copy" in lines:
        wanted["head.weight"] = wanted["body.weight"]
        wanted["head.bias"] = wanted["body.bias"]
    fresh = re.findall(r'"([\w.]+)"', lines.partition("fresh")[2])
    for name, tensor in wanted.items():
        if not any(name.startswith(each) for each in fresh):
            assert torch.equal(ours[name], tensor), name


MISFITS: list[tuple[str, dict[str, Tensor], str, str]] = [
    ('drop "haed"', own(), r"line 5: 'haed' matches nothing in it \(is it 'head", "lines above"),
    ('"model.*" -> "*"', own(), "line 5: 'model.*' matches nothing", "lines above"),
    ('"model.*" -> "*"\n"model.head" -> "head"', prefixed("model.", own()),
     "line 6: 'model.head' matches nothing", "lines above"),
    ('"tied" -> "head"', {**own(), "tied.bias": torch.ones(4)}, "two tensors for head.bias, which",
     "drop"),
    ('"tied" -> "head"', {**own(), "tied.bias": torch.ones(3)}, r"head.bias is \[3\], and \[4\]",
     "sizes"),
    ('"tied" -> "head"', {**own(), "tied.bias": own()["head.bias"].double()},
     "head.bias is float64, and float32", "dtypes"),
    ('fresh "head"', own(), "head.weight is fresh by the map, and the checkpoint has it",
     "lines above"),
    ('copy "body" -> "head"', own(), "two tensors for head.bias, which differ", "drop"),
    ('transpose "norm"', own(), r"'norm.weight' is \[4\], and a matrix is transposed", "lines"),
    ('drop "norm.bias"', own(), "it lacks norm.bias", 'fresh "norm.bias"'),
    ('fresh "norm.bias"', {**own(), "more": torch.ones(1)}, "the model has no 'more'", "drop"),
    ('"body" -> "head.bias"', own(),
     r"the model has no 'head.bias.weight' \('body.weight' in it\)", "map"),
    ('drop "*"\nfresh "*"', own(), "the model takes nothing of it", "lines above"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "tensors", "said", "advice"), MISFITS)
def test_what_a_map_does_not_account_for_is_refused(
    lines: str, tensors: dict[str, Tensor], said: str, advice: str, tmp_path: Path
) -> None:
    with pytest.raises(CallError, match=said) as caught:
        started(tmp_path, NET.replace("LINES", lines), tensors)
    assert caught.value.code == "E0709" and advice in str(caught.value.help)


def test_a_kernel_that_is_stored_the_other_way_round_is_named(tmp_path: Path) -> None:
    text = NET.replace("LINES", 'drop "extra"').replace("head: Linear(4)", "head: Linear(3)")
    tensors = {**own(), "extra": torch.ones(1), "head.bias": torch.ones(3)}
    tensors["head.weight"] = torch.randn(4, 3)
    with pytest.raises(CallError, match=r"head.weight is \[4, 3\], and \[3, 4\]") as caught:
        started(tmp_path, text, tensors)
    assert "`transpose" in str(caught.value.help)


@pytest.mark.filterwarnings("ignore:.*square")
def test_show_gives_the_account(tmp_path: Path) -> None:
    lines = '"model.*" -> "*"\ndrop "extra"\ntranspose "head.weight"\nfresh "norm"'
    tensors = prefixed("model.", without("norm"))
    started(tmp_path, NET.replace("LINES", lines), {**tensors, "extra": torch.ones(1)})
    found = view(tmp_path / "net.spec").models[0].checkpoint
    assert found is not None and found.summary == (
        "4 tensors used, 1 of them transposed, 1 dropped; 2 of the model's are fresh"
    )
    assert found.taken["head.bias"] == ("model.head.bias",) and found.dropped == ("extra",)
    assert '"dropped": [' in as_json([view(tmp_path / "net.spec")])
    save_file({"model.body.weight": torch.ones(4, 4), "b.c": torch.ones(1)},
              tmp_path / "start.safetensors")  # fmt: skip
    found = view(tmp_path / "net.spec").models[0].checkpoint
    assert found is not None and found.missing == ("body.bias", "head.weight", "head.bias")
    assert "3 missing: body.bias" in found.summary and "1 not in the model: b.c" in found.summary
    for broken in (b"", b"\xff" * 20, (10).to_bytes(8, "little") + b"[" * 10):
        (tmp_path / "start.safetensors").write_bytes(broken)
        found = view(tmp_path / "net.spec").models[0].checkpoint
        assert found is not None and "cannot be read" in found.summary


# ── bounds, and what a path stands for ───────────────────────────────────────────────────────────


def test_names_made_to_be_slow_are_refused_quickly(tmp_path: Path) -> None:
    lines = "\n".join(f'"*a*a*a*a*a*a*b{k}" -> "*a*a*a*a*a*a*c{k}"' for k in range(299))
    lines += '\ndrop "*.none"'
    many = {f"{'a' * 300}{k}": torch.ones(1) for k in range(4000)}
    began = time.perf_counter()
    with pytest.raises(CallError, match="too many for a map of 300 lines"):
        started(tmp_path, NET.replace("LINES", lines), many)
    few = {"a" * 100_000: torch.ones(1), "b" * 100_000: torch.ones(1)}
    with pytest.raises(CallError, match="matches nothing in it"):
        started(tmp_path, NET.replace("LINES", lines), few)
    assert time.perf_counter() - began < 15


names = st.text(alphabet="ab.", min_size=1, max_size=9)
paths = st.text(alphabet="ab*?.", min_size=1, max_size=7).filter(lambda path: "**" not in path)


@given(path=paths, name=names)
def test_a_path_matches_alike_here_and_in_the_emitted_source(path: str, name: str) -> None:
    """What never goes back finds what a search that goes back finds."""
    found = glob(path).expression.match(name)
    searched = re.match(expression(path), name)
    assert (found is None) == (searched is None)
    if found is not None and searched is not None:
        assert found.groups() == searched.groups() and found.end() == searched.end()
        assert glob(path).renamed(name, path) == name


@given(name=names, prefix=st.sampled_from(["a.*", "b.a.*", "*"]), to=st.sampled_from(["*", "c.*"]))
def test_a_prefix_is_renamed_as_any_path(name: str, prefix: str, to: str) -> None:
    began = prefix.removesuffix("*")
    renamed = glob(prefix).renamed(name, to)
    if renamed is not None:
        assert renamed == to.removesuffix("*") + name.removeprefix(began)


def test_a_path_without_quotes_is_told_to_have_them() -> None:
    with pytest.raises(specc.SpecError) as caught:
        specc.loads(NET.replace("LINES", "drop head.*\nbackbone.* -> *"))
    helps = [each.help for each in caught.value.diagnostics()]
    assert helps == [f'write it in double quotes: `"{path}"`' for path in ("head.*", "backbone.*")]


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (prefixed("model.", own()), '"model.*" -> "*"'),
        (prefixed("state.module.", own()), '"state.module.*" -> "*"'),
        ({n.removeprefix("body."): t for n, t in own().items() if n.startswith("body.")}, None),
        ({**prefixed("model.", own()), "epoch": ONE}, None),
    ],
)
def test_a_prefix_of_all_names_is_proposed_as_a_line(
    tensors: dict[str, Tensor], said: str | None, tmp_path: Path
) -> None:
    bare = re.sub(r'(weights "[^"]+") \{[^}]*\}', r"\1", NET)
    assert "LINES" not in bare
    with pytest.raises(CallError) as caught:
        started(tmp_path, bare, tensors)
    assert caught.value.code == "E0709"
    assert (said is not None) == ("under a prefix" in str(caught.value.help))
    if said is not None:
        assert said in str(caught.value.help)
        started(tmp_path, NET.replace("LINES", said), tensors)


def test_names_that_the_model_has_under_a_prefix(tmp_path: Path) -> None:
    text = 'spec 1\n\nmodel M {\n  input x: float[N, 4]\n  weights "start.safetensors"LINES\n'
    text += "  output x -> trunk: { a: Linear(3) -> b: Linear(2) }\n}\n"
    tensors = {"a.weight": torch.ones(3, 4), "a.bias": torch.ones(3),
               "b.weight": torch.ones(2, 3), "b.bias": torch.ones(2)}  # fmt: skip
    with pytest.raises(CallError) as caught:
        started(tmp_path, text.replace("LINES", ""), tensors)
    assert '`"*" -> "trunk.*"`' in str(caught.value.help)
    started(tmp_path, text.replace("LINES", ' {\n "*" -> "trunk.*"\n }'), tensors)
