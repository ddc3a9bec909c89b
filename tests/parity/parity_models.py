"""Models of ``transformers`` in a small random config, and torch's own encoder layer; how their
tensors are called in ours.

Each row builds the other's model without a download, and maps its ``state_dict`` to ours by a few
regular expressions and transposes. Non-goal: the comparison (``parity_comparison``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from specc.emit import emit
from specc.front import read
from specc.targets.live import module_class

HERE = Path(__file__).resolve().parent
SPECS = HERE.parent.parent / "specs"


@dataclass(frozen=True)
class Other:
    """One of the other's models and the spec that says the same.

    ``renames`` are tried in order, each on the result of the last; ``transposed`` matches those of
    our names whose weight lies the other way round there, ``joined`` those that are several of the
    other's, one below the other, ``dropped`` the other's names that are no tensor of ours.
    ``to_the_bit`` says which promise holds, ``why`` gives the reason. ``params`` are those of the
    spec that the config needs, ``sizes`` those that it asks for in place of the test's own."""

    name: str
    spec: Path
    build: Callable[[], nn.Module]
    call: Callable[[nn.Module, Sequence[Tensor]], tuple[Tensor, ...]]
    renames: tuple[tuple[str, str], ...]
    to_the_bit: bool
    why: str
    params: Mapping[str, int | float] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    transposed: str | None = None
    joined: str | None = None
    dropped: str | None = None

    def ours(self, name: str) -> str | None:
        """What a tensor of theirs is called in our module; None for one that we do not have."""
        if self.dropped is not None and re.search(self.dropped, name):
            return None
        for pattern, replacement in self.renames:
            name = re.sub(pattern, replacement, name)
        return name

    def turned(self, name: str, tensor: Tensor) -> Tensor:
        """``tensor`` of theirs, which is ``name`` of ours, the way round that ours lies."""
        if self.transposed is not None and re.search(self.transposed, name):
            return tensor.t()
        return tensor

    def together(self, name: str, before: Tensor | None, tensor: Tensor) -> Tensor:
        """``tensor`` below what was found ``before`` of ``name`` of ours."""
        if before is None:
            return tensor
        assert self.joined is not None and re.search(self.joined, name), (
            f"two tensors of theirs are {name} of ours"
        )
        return torch.cat([before, tensor])


# ── building ─────────────────────────────────────────────────────────────────────────────────────


def _config(kind: Any, **settings: object) -> Any:
    """A config of ``kind``; their constructors' signatures leave out what their bases take."""
    return kind(**settings)


def _gpt2() -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(
        _config(
            GPT2Config,
            vocab_size=128, n_positions=32, n_embd=32, n_layer=2, n_head=4, resid_pdrop=0.0,
            embd_pdrop=0.0, attn_pdrop=0.0, use_cache=False, bos_token_id=0, eos_token_id=0,
            attn_implementation="sdpa",
        )
    )  # fmt: skip


def _llama() -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        _config(
            LlamaConfig,
            vocab_size=96, hidden_size=32, intermediate_size=56, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
            use_cache=False, attn_implementation="sdpa",
        )
    )  # fmt: skip


def _bert() -> nn.Module:
    from transformers import BertConfig, BertModel

    return BertModel(
        _config(
            BertConfig,
            vocab_size=96, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=48, max_position_embeddings=24, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0, attn_implementation="sdpa",
        )
    )  # fmt: skip


def _vit() -> nn.Module:
    from transformers import ViTConfig, ViTForImageClassification

    return ViTForImageClassification(
        _config(
            ViTConfig,
            image_size=16, patch_size=4, hidden_size=32, num_hidden_layers=2,
            num_attention_heads=4, intermediate_size=48, num_labels=5, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0, attn_implementation="sdpa",
        )
    )  # fmt: skip


def _resnet() -> nn.Module:
    from transformers import ResNetConfig, ResNetForImageClassification

    return ResNetForImageClassification(
        _config(
            ResNetConfig,
            embedding_size=8, hidden_sizes=[8, 16, 32, 64], depths=[2, 2, 2, 2],
            layer_type="basic", num_labels=5,
        )
    )  # fmt: skip


def _zoo_llama() -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        _config(
            LlamaConfig,
            vocab_size=64, hidden_size=32, intermediate_size=88, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=64,
            use_cache=False, attn_implementation="sdpa",
        )
    )  # fmt: skip


def _convnext() -> nn.Module:
    from transformers import ConvNextConfig, ConvNextForImageClassification

    return ConvNextForImageClassification(
        _config(
            ConvNextConfig,
            hidden_sizes=[8, 16, 32, 64], depths=[1, 1, 2, 1], num_labels=10, layer_norm_eps=1e-6,
        )
    )  # fmt: skip


def _swin() -> nn.Module:
    from transformers import SwinConfig, SwinForImageClassification

    return SwinForImageClassification(
        _config(
            SwinConfig,
            image_size=24, patch_size=4, embed_dim=12, depths=[2, 2], num_heads=[2, 4],
            window_size=3, num_labels=10, drop_path_rate=0.0,
        )
    )  # fmt: skip


def _mamba() -> nn.Module:
    from transformers import MambaConfig, MambaForCausalLM

    return MambaForCausalLM(
        _config(
            MambaConfig,
            vocab_size=50, hidden_size=16, state_size=4, num_hidden_layers=2, time_step_rank=2,
            use_cache=False,
        )
    )  # fmt: skip


def _torch_encoder() -> nn.Module:
    spec = SPECS / "transformer_classifier.spec"
    source = emit(read(str(spec), {"dropout": 0.0}))
    return module_class(source, "TransformerClassifier", spec.stem)()


# ── calling ──────────────────────────────────────────────────────────────────────────────────────


def _logits(model: nn.Module, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    found: Any = model(inputs[0])
    return (found.logits,)


def _itself(model: nn.Module, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return (model(*inputs),)


def _encoded(model: nn.Module, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    tokens, segments, mask = inputs
    found: Any = model(tokens, token_type_ids=segments, attention_mask=mask.long())
    return found.last_hidden_state, found.pooler_output


# ── the table ────────────────────────────────────────────────────────────────────────────────────

OTHERS = (
    Other(
        "gpt2",
        SPECS / "gpt2.spec",
        _gpt2,
        _logits,
        renames=((r"^transformer\.", ""),),
        # Their Conv1D keeps a linear layer's weight as [inputs, outputs].
        transposed=r"\.c_\w+\.weight$",
        # The same tensor as the embedding.
        dropped=r"^lm_head\.",
        to_the_bit=False,
        why="their tanh GELU is written out and their Conv1D keeps its weight transposed, where "
        "ours are torch's own GELU and Linear",
        params={"dropout": 0.0},
    ),
    Other(
        "llama",
        HERE / "llama.spec",
        _llama,
        _logits,
        renames=((r"^model\.", ""),),
        to_the_bit=True,
        why="RMSNorm, rotation and SwiGLU are the same operations in the same order",
    ),
    Other(
        "bert",
        HERE / "bert.spec",
        _bert,
        _encoded,
        renames=(
            (r"^embeddings\.(word|position)_embeddings", r"\1"),
            (r"^embeddings\.token_type_embeddings", "segment"),
            (r"^embeddings\.LayerNorm", "norm"),
            (r"^encoder\.layer\.", "layers."),
            (r"\.attention\.self\.", ".attention."),
            (r"\.attention\.output\.dense", ".attention.dense"),
            (r"\.attention\.output\.LayerNorm", ".attention_norm"),
            (r"\.intermediate\.dense", ".intermediate"),
            (r"\.output\.dense", ".down"),
            (r"\.output\.LayerNorm", ".norm"),
            (r"^pooler\.dense", "pooler"),
        ),
        to_the_bit=True,
        why="the same layers; the padding mask reaches the same attention kernel",
    ),
    Other(
        "vit",
        HERE / "vit.spec",
        _vit,
        _logits,
        renames=(
            (r"^vit\.", ""),
            (r"^embeddings\.patch_embeddings\.", ""),
            (r"^embeddings\.cls_token", "token.weight"),
            (r"^embeddings\.position_embeddings", "position.weight"),
        ),
        to_the_bit=True,
        why="the same layers; the class token and the positions are rows of an embedding",
    ),
    Other(
        "resnet",
        SPECS / "resnet18.spec",
        _resnet,
        _logits,
        renames=(
            (r"^resnet\.embedder\.embedder\.convolution", "conv1"),
            (r"^resnet\.embedder\.embedder\.normalization", "bn1"),
            (r"^resnet\.encoder\.stages\.0\.layers", "layer1"),
            (r"^resnet\.encoder\.stages\.1\.layers", "layer2"),
            (r"^resnet\.encoder\.stages\.2\.layers", "layer3"),
            (r"^resnet\.encoder\.stages\.3\.layers", "layer4"),
            (r"\.layer\.0\.convolution", ".conv1"),
            (r"\.layer\.0\.normalization", ".bn1"),
            (r"\.layer\.1\.convolution", ".conv2"),
            (r"\.layer\.1\.normalization", ".bn2"),
            (r"\.shortcut\.convolution", ".downsample.0"),
            (r"\.shortcut\.normalization", ".downsample.1"),
            (r"^classifier\.1", "fc"),
        ),
        to_the_bit=True,
        why="the same layers, in training mode: running statistics as well",
        params={"width": 8, "classes": 5},
    ),
    Other(
        "zoo_llama",
        SPECS / "llama.spec",
        _zoo_llama,
        _logits,
        renames=(),
        to_the_bit=False,
        why="the angles are powers of the base here, and powers of its reciprocal there",
    ),
    Other(
        "convnext",
        SPECS / "convnext.spec",
        _convnext,
        _logits,
        renames=(
            (r"^convnext\.", ""),
            (r"^embeddings\.patch_embeddings", "stem.0"),
            (r"^embeddings\.layernorm", "stem.1.norm"),
            (r"^encoder\.stages\.(\d)\.downsampling_layer\.0", r"downsample.\1.0.norm"),
            (r"^encoder\.stages\.(\d)\.downsampling_layer\.1", r"downsample.\1.1"),
            (r"^encoder\.stages\.(\d)\.layers", r"stages.\1"),
            (r"layer_scale_parameter", "gamma"),
            (r"layernorm", "norm"),
            (r"^classifier", "head"),
        ),
        to_the_bit=True,
        why="the same layers in the same order",
    ),
    Other(
        "swin",
        SPECS / "swin.spec",
        _swin,
        _logits,
        renames=(
            (r"^swin\.", ""),
            (r"^embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
            (r"^embeddings\.norm", "patch_embed.norm"),
            (r"^encoder\.", ""),
            (r"\.attention\.[qkv]_proj", ".attn.qkv"),
            (r"\.attention\.o_proj", ".attn.proj"),
            (r"\.attention\.relative_position_bias\.", ".attn."),
            (r"layernorm_before", "norm1"),
            (r"layernorm_after", "norm2"),
            (r"^layernorm", "norm"),
            (r"^classifier", "head"),
        ),
        joined=r"\.qkv\.",
        to_the_bit=False,
        why="queries, keys and values are one product here, and masked scores are minus infinity",
        params={"drop": 0.0},
        # A side smaller than the window is padded here; there the window shrinks.
        sizes={"H": 26, "W": 34},
    ),
    Other(
        "mamba",
        SPECS / "selective_scan.spec",
        _mamba,
        _logits,
        renames=((r"^backbone\.", ""), (r"^embeddings", "embedding")),
        # The same tensor as the embedding.
        dropped=r"^lm_head\.",
        to_the_bit=False,
        why="a step's output is a sum of products there, and a product of matrices here",
    ),
    Other(
        "transformer_blocks",
        SPECS / "transformer_blocks.spec",
        _torch_encoder,
        _itself,
        renames=(
            (r"\.self_attn\.in_proj_", ".attention.in_proj."),
            (r"\.self_attn\.out_proj", ".attention.out_proj"),
            (r"\.(linear\d)", r".feed_forward.\1"),
        ),
        to_the_bit=False,
        why="torch's own encoder layer calls its attention kernel, the blocks multiply matrices",
        params={"dropout": 0.0},
    ),
)
