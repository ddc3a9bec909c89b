"""The library: what each block computes, held to plain torch in float64, gradients too; that its
files, its table and what is told of it are one thing.

Non-goals: how ``use`` finds a file (``test_std_use``), goldens (``specs/library``)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as torch's users know it

import specc
from specc import front
from specc.catalog import std
from specc.catalog.examples import lines_using, program_using
from specc.errors import Collector
from specc.syntax.parsing.parse import parse
from specc.syntax.tree import ast


def model_of(use: str, inputs: str, output: str, *, seed: int = 0) -> nn.Module:
    """A model of float64 that puts out one expression of blocks of one file."""
    lines = "".join(f"  input {line}\n" for line in inputs.split("; "))
    text = f'spec 1\nuse "std/{use}.spec"\nmodel Net {{\n{lines}  output {output}\n}}\n'
    torch.manual_seed(seed)
    return specc.loads(text).double()


def drawn(*shape: int, seed: int = 1) -> Tensor:
    made = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=made, dtype=torch.float64)


def same_with_gradients(
    found: Callable[..., Tensor], wanted: Callable[..., Tensor], *inputs: Tensor
) -> None:
    """Values and the gradients of all floats among ``inputs`` agree to rounding."""
    each = []
    for function in (found, wanted):
        fed = [item.clone().requires_grad_(item.is_floating_point()) for item in inputs]
        result = function(*fed)
        torch.manual_seed(7)
        (result * torch.randn(result.shape, dtype=result.dtype)).sum().backward()
        each.append([result.detach(), *(item.grad for item in fed if item.is_floating_point())])
    for left, right in zip(*each, strict=True):
        assert left is not None and right is not None
        torch.testing.assert_close(left, right, rtol=1e-12, atol=1e-12)


# ── layers ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("block", "inputs", "shape"),
    [("DropPath", "x: float[N, T, 6]", (64, 3, 6)),
     ("DropPath2d", "x: float[N, 2, H, W]", (64, 2, 3, 5))],
)  # fmt: skip
def test_drop_path_drops_whole_samples(block: str, inputs: str, shape: tuple[int, ...]) -> None:
    net = model_of("drop_path", inputs, f"x -> {block}(0.3)")
    x = drawn(*shape)
    torch.manual_seed(5)
    found = net(x)
    torch.manual_seed(5)
    ones = torch.ones(shape[0], *[1] * (len(shape) - 1), dtype=torch.float64)
    assert torch.equal(found, x * F.dropout(ones, 0.3))
    factor = (found / x).flatten(1)
    assert torch.allclose(factor, factor[:, :1].expand_as(factor))
    kept = factor[:, 0] != 0
    assert 0 < kept.sum() < len(kept)
    assert torch.allclose(factor[kept], torch.tensor(1 / 0.7, dtype=torch.float64))
    assert torch.equal(net.eval()(x), x)


@pytest.mark.parametrize("reduction", [4, 16])
def test_squeeze_excite(reduction: int) -> None:
    net = model_of("squeeze_excite", "x: float[N, 8, H, W]", f"x -> se: SqueezeExcite({reduction})")
    narrow = max(8 // reduction, 1)
    fc1, fc2 = nn.Conv2d(8, narrow, 1).double(), nn.Conv2d(narrow, 8, 1).double()
    nn.ModuleDict({"fc1": fc1, "fc2": fc2}).load_state_dict(net.se.state_dict())

    def reference(x: Tensor) -> Tensor:
        scale = F.adaptive_avg_pool2d(x, 1)
        return torch.sigmoid(fc2(F.relu(fc1(scale)))) * x

    same_with_gradients(net, reference, drawn(3, 8, 5, 4))


def test_squeeze_excite_takes_other_activations() -> None:
    net = model_of(
        "squeeze_excite", "x: float[N, 8, H, W]",
        "x -> SqueezeExcite(4, act=SiLU, gate=Hardsigmoid)",
    )  # fmt: skip
    assert [type(each).__name__ for each in net.squeezeexcite_1.children()] == [
        "Conv2d", "SiLU", "Conv2d", "Hardsigmoid",
    ]  # fmt: skip


def test_patch_embedding() -> None:
    net = model_of("patch_embedding", "x: float[N, 3, H, W] where H % 4 == 0, W % 4 == 0",
                   "x -> PatchEmbedding(6, patch=4)")  # fmt: skip
    weight, bias = net.patchembedding_1.proj.weight, net.patchembedding_1.proj.bias

    def reference(x: Tensor) -> Tensor:
        rows = x.unfold(2, 4, 4).unfold(3, 4, 4)  # N, C, rows, columns, 4, 4
        patches = rows.permute(0, 2, 3, 1, 4, 5).reshape(x.shape[0], -1, 48)
        return patches @ weight.reshape(6, 48).T + bias

    same_with_gradients(net, reference, drawn(2, 3, 8, 12))


def turned_as_complex(x: Tensor, base: float) -> Tensor:
    """Neighbours as complex numbers times e ** (i * angle), as LLaMA's own code has it."""
    head = x.shape[-1]
    frequencies = 1.0 / base ** (torch.arange(0, head, 2, dtype=torch.float64) / head)
    angles = torch.outer(torch.arange(x.shape[-2], dtype=torch.float64), frequencies)
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)


@pytest.mark.parametrize("base", [10000.0, 500.0])
def test_interleaved_rotary_positions(base: float) -> None:
    net = model_of("rotary_positions", "x: float[N, 2, T, 8]",
                   f"x -> InterleavedRotaryPositions({base})")  # fmt: skip
    same_with_gradients(net, lambda x: turned_as_complex(x, base), drawn(2, 2, 7, 8))


@pytest.mark.parametrize("base", [10000.0, 500.0])
def test_rotary_positions_with_halves_apart(base: float) -> None:
    net = model_of("rotary_positions", "x: float[N, 2, T, 8]", f"x -> RotaryPositions({base})")

    def reference(x: Tensor) -> Tensor:
        together = torch.stack(x.chunk(2, dim=-1), dim=-1).flatten(-2)
        turned = turned_as_complex(together, base)
        return torch.cat([turned[..., 0::2], turned[..., 1::2]], dim=-1)

    same_with_gradients(net, reference, drawn(2, 2, 7, 8))


@pytest.mark.parametrize("block", ["RotaryPositions", "InterleavedRotaryPositions"])
def test_a_turned_product_knows_the_distance_alone(block: str) -> None:
    net = model_of("rotary_positions", "x: float[N, 1, T, 8]", f"x -> {block}")
    q, k = (net(drawn(1, 1, 1, 8, seed=seed).expand(1, 1, 9, 8))[0, 0] for seed in (3, 4))
    products = q @ k.T
    for distance in range(-8, 9):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))


def test_positions_are_told_apart_in_bfloat16() -> None:
    text = (
        'spec 1\nuse "std/sinusoidal_positions.spec"\n'
        "model Net {\n  input x: float[N, T, 8]\n  output x -> SinusoidalPositions\n}\n"
    )
    net = specc.loads(text).bfloat16()
    found = net(torch.zeros(1, 600, 8, dtype=torch.bfloat16))[0]
    exact = specc.loads(text).double()(torch.zeros(1, 600, 8, dtype=torch.float64))[0]
    assert torch.equal(found, exact.bfloat16())
    assert len(found.unique(dim=0)) > 550


def test_sinusoidal_positions() -> None:
    net = model_of("sinusoidal_positions", "x: float[N, T, 6]", "x -> SinusoidalPositions")

    def reference(x: Tensor) -> Tensor:
        table = torch.zeros(x.shape[1], 6, dtype=torch.float64)
        for place in range(x.shape[1]):
            for pair in range(3):
                angle = place / 10000 ** (2 * pair / 6)
                table[place, 2 * pair] = math.sin(angle)
                table[place, 2 * pair + 1] = math.cos(angle)
        return x + table

    same_with_gradients(net, reference, drawn(2, 5, 6))


def test_timestep_embedding() -> None:
    net = model_of("sinusoidal_positions", "t: float[N]", "t -> TimestepEmbedding(8)")

    def reference(t: Tensor) -> Tensor:
        frequencies = torch.exp(-math.log(10000) * torch.arange(4, dtype=torch.float64) / 4)
        angles = t[:, None] * frequencies[None]
        return torch.cat([angles.sin(), angles.cos()], dim=-1)

    same_with_gradients(net, reference, drawn(5) * 100)


def swin_attention(net: nn.Module, x: Tensor, heads: int, window: tuple[int, int]) -> Tensor:
    """Swin's own window attention before the mask: scores with their biases, and the values."""
    height, width = window
    grid = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"))
    flat = grid.flatten(1)
    relative = (flat[:, :, None] - flat[:, None, :]).permute(1, 2, 0).contiguous()
    relative[:, :, 0] += height - 1
    relative[:, :, 1] += width - 1
    relative[:, :, 0] *= 2 * width - 1
    index = relative.sum(-1)
    assert torch.equal(net.relative_position_index, index)
    samples, tokens, dim = x.shape
    qkv = net.qkv(x).reshape(samples, tokens, 3, heads, dim // heads).permute(2, 0, 3, 1, 4)
    scores = (qkv[0] * (dim // heads) ** -0.5) @ qkv[1].transpose(-2, -1)
    bias = net.relative_position_bias_table[index.view(-1)].view(tokens, tokens, -1)
    return scores + bias.permute(2, 0, 1)[None], qkv[2]


@pytest.mark.parametrize(("window", "heads"), [((2, 3), 2), ((3, 2), 4), ((1, 4), 1)])
def test_window_attention(window: tuple[int, int], heads: int) -> None:
    tokens = window[0] * window[1]
    net = model_of("window_attention", f"x: float[N, {tokens}, 8]",
                   f"x -> attend: WindowAttention({heads}, window={window})")  # fmt: skip
    own = net.attend
    assert {name for name, _ in own.named_parameters()} == {
        "relative_position_bias_table", "qkv.weight", "qkv.bias", "proj.weight", "proj.bias",
    }  # fmt: skip
    assert "relative_position_index" in own.state_dict() and len(own.state_dict()) == 6
    assert own.relative_position_bias_table.abs().max() > 0

    def reference(x: Tensor) -> Tensor:
        scores, v = swin_attention(own, x, heads, window)
        return own.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(x.shape))

    same_with_gradients(net, reference, drawn(3, tokens, 8))


def test_masked_window_attention() -> None:
    net = model_of("window_attention", "x: float[N, 6, 8]; mask: float[N, 6, 6]",
                   "MaskedWindowAttention(2, window=(2, 3))(x, mask)")  # fmt: skip
    own = net.maskedwindowattention_1
    mask = torch.where(drawn(3, 6, 6, seed=8) > 0.5, -100.0, 0.0).double()

    def reference(x: Tensor) -> Tensor:
        scores, v = swin_attention(own, x, 2, (2, 3))
        shown = (scores + mask[:, None]).softmax(-1)
        return own.proj((shown @ v).transpose(1, 2).reshape(x.shape))

    same_with_gradients(lambda x: net(x, mask), reference, drawn(3, 6, 8))


def test_swiglu() -> None:
    net = model_of("swiglu", "x: float[N, T, 6]", "x -> mlp: SwiGLU(16, bias=true)")
    own = net.mlp

    def reference(x: Tensor) -> Tensor:
        gate = x @ own.gate_proj.weight.T + own.gate_proj.bias
        up = x @ own.up_proj.weight.T + own.up_proj.bias
        return (gate * torch.sigmoid(gate) * up) @ own.down_proj.weight.T + own.down_proj.bias

    same_with_gradients(net, reference, drawn(2, 5, 6))
    plain = model_of("swiglu", "x: float[N, T, 6]", "x -> SwiGLU(16)")
    assert [name for name in plain.state_dict() if "bias" in name] == []


# ── losses ───────────────────────────────────────────────────────────────────────────────────────


def loss_of(use: str, inputs: str, brought: str, call: str) -> Callable[..., Tensor]:
    """The loss of a training that is one call, on what a model hands on and what is brought."""
    name, _, type_ = inputs.partition(": ")
    other, _, wanted = brought.partition(": ")
    side = type_.partition("[")[2].removeprefix("N, ").rpartition(", ")[2].rstrip("]")
    text = (
        f'spec 1\nuse "std/{use}.spec"\nmodel Net {{\n  input x: {type_}\n'
        f"  {name} = x -> Linear({side})\n  output {name}\n}}\n"
        f"train {{\n  input {other}: {wanted}\n  term = {call}\n  loss = 2.0 * term\n"
        f"  optimizer SGD(lr=0.1)\n}}\n"
    )
    net = specc.loads(text).double()

    def computed(*values: Tensor) -> Tensor:
        terms = net.loss(*values)
        assert set(terms) == {"term", "loss"} and torch.equal(terms["loss"], 2 * terms["term"])
        term: Tensor = terms["term"]
        return term

    return computed


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0, 3.5])
def test_focal_loss(gamma: float) -> None:
    found = loss_of("focal_loss", "logits: float[N, 4]", "label: index(4)[N]",
                    f"FocalLoss(logits, label, gamma={gamma})")  # fmt: skip
    label = torch.tensor([0, 3, 1, 1, 2])

    def reference(logits: Tensor, label: Tensor) -> Tensor:
        p = logits.softmax(dim=1)[torch.arange(5), label]
        return (-((1 - p) ** gamma) * p.log()).mean()

    same_with_gradients(found, reference, drawn(5, 4), label)
    if gamma == 0.0:
        torch.testing.assert_close(
            found(drawn(5, 4), label), F.cross_entropy(drawn(5, 4), label), rtol=1e-12, atol=0.0
        )


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.6, 1.5)])
def test_binary_focal_loss(alpha: float, gamma: float) -> None:
    found = loss_of("focal_loss", "logits: float[N, 3]", "target: unit[N, 3]",
                    f"BinaryFocalLoss(logits, target, alpha={alpha}, gamma={gamma})")  # fmt: skip

    def reference(logits: Tensor, target: Tensor) -> Tensor:
        # torchvision's sigmoid_focal_loss, of the mean.
        p = torch.sigmoid(logits)
        ce_loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        p_t = p * target + (1 - p) * (1 - target)
        loss = ce_loss * ((1 - p_t) ** gamma)
        return ((alpha * target + (1 - alpha) * (1 - target)) * loss).mean()

    same_with_gradients(found, reference, drawn(5, 3), (drawn(5, 3, seed=2) > 0).double())


@pytest.mark.parametrize("smooth", [1.0, 1e-5])
def test_dice_loss(smooth: float) -> None:
    found = loss_of("dice_loss", "logits: float[N, 3, H, 4]", "label: index(3)[N, H, 4]",
                    f"DiceLoss(logits, label, smooth={smooth})")  # fmt: skip
    made = torch.Generator().manual_seed(3)
    label = torch.randint(0, 3, (2, 5, 4), generator=made)

    def reference(logits: Tensor, label: Tensor) -> Tensor:
        share = logits.softmax(1)
        total = torch.zeros((), dtype=torch.float64)
        for sample in range(2):
            for kind in range(3):
                wanted = (label[sample] == kind).double()
                both = (share[sample, kind] * wanted).sum()
                sizes = share[sample, kind].sum() + wanted.sum()
                total = total + 1 - (2 * both + smooth) / (sizes + smooth)
        return total / 6

    same_with_gradients(found, reference, drawn(2, 3, 5, 4), label)


def test_binary_dice_loss() -> None:
    found = loss_of("dice_loss", "logits: float[N, 3, H, 4]", "target: unit[N, 3, H, 4]",
                    "BinaryDiceLoss(logits, target)")  # fmt: skip
    target = (drawn(2, 3, 5, 4, seed=2) > 0).double()

    def reference(logits: Tensor, target: Tensor) -> Tensor:
        share, wanted = torch.sigmoid(logits).flatten(2), target.flatten(2)
        sizes = share.sum(-1) + wanted.sum(-1)
        return (1 - (2 * (share * wanted).sum(-1) + 1) / (sizes + 1)).mean()

    same_with_gradients(found, reference, drawn(2, 3, 5, 4), target)


@pytest.mark.parametrize("temperature", [0.5, 0.1])
def test_nt_xent_loss(temperature: float) -> None:
    found = loss_of("nt_xent_loss", "first: float[N, 6]", "second: float[N, 6]",
                    f"NTXentLoss(first, second, temperature={temperature})")  # fmt: skip

    def reference(first: Tensor, second: Tensor) -> Tensor:
        views = torch.cat([first, second])
        total = torch.zeros((), dtype=torch.float64)
        for own in range(8):
            match = (own + 4) % 8
            alike = [F.cosine_similarity(views[own], views[other], dim=0) / temperature
                     for other in range(8)]  # fmt: skip
            others = torch.stack([alike[other] for other in range(8) if other != own])
            total = total - alike[match] + torch.logsumexp(others, 0)
        return total / 8

    same_with_gradients(found, reference, drawn(4, 6), drawn(4, 6, seed=2))


# ── the files, the table, what is told ───────────────────────────────────────────────────────────


def tree_of(path: str) -> ast.SpecFile:
    text = std.text(path)
    assert text is not None
    collector = Collector()
    tree = parse(text, std.shown(path), collector).tree
    assert not collector.items
    return tree


def test_the_table_is_of_the_files() -> None:
    files = {path.name for path in std.FOLDER.iterdir()}
    assert files == {path.removeprefix(std.PREFIX) for path in std.PATHS}
    for path in std.PATHS:
        text = std.text(path) or ""
        assert text.startswith("spec 1\n\n# ") and text.endswith("}\n")
        blocks = [item for item in tree_of(path).items if isinstance(item, ast.Module)]
        assert {item.kind for item in blocks} == {"block"}
        assert [item.name for item in blocks] == [
            block.name for block in std.BLOCKS.values() if block.path == path
        ]


@pytest.mark.parametrize("name", std.BLOCKS)
def test_an_example_checks_without_a_word(name: str) -> None:
    block = std.BLOCKS[name]
    text = program_using(block)
    program, diagnostics, sources = front.check_text(text)
    assert program is not None and not diagnostics
    assert std.shown(block.path) in sources
    assert all(line.strip() in text or "output" in line for line in lines_using(block))


@pytest.mark.parametrize("name", sorted(std.NAMES))
def test_what_is_proposed_for_a_name_checks(name: str) -> None:
    """Without the ``use`` the name is unknown, and the message says the line that mends it."""
    block = std.BLOCKS[std.NAMES[name]]
    right = program_using(block)
    use = f'use "{block.path}"\n'
    wrong = re.sub(rf"\b{block.name}\b", name, right.replace(use, ""))
    _, found, _ = front.check_text(wrong)
    unknown = [item for item in found if item.code == "E0201"]
    assert unknown and all(
        f"`{block.name}`" in (item.help or "") and f"`{use.strip()}`" in (item.help or "")
        for item in unknown
    )
    mended = re.sub(rf"\b{name}\b", block.name, wrong).replace("spec 1\n", f"spec 1\n\n{use}")
    assert front.check_text(mended)[1] == []


@pytest.mark.parametrize(
    ("slip", "meant"), [("DropPth", "DropPath"), ("Swiglu", "SwiGLU"), ("Dropath2d", "DropPath2d")]
)
def test_a_slip_of_a_blocks_name_is_told(slip: str, meant: str) -> None:
    text = f"spec 1\nmodel Net {{\n  input x: float[N, 5, 6]\n  output x -> {slip}(0.1)\n}}\n"
    (found,) = front.check_text(text)[1]
    assert found.code == "E0201" and std.using(meant) == found.help
