"""Programs that ``specc show`` is tried on, with their views and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from specc.inspect.view import ModelView, ProgramView, view
from specc.report.structure import show
from specc.report.terminal.style import plain

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


def seen(text: str, folder: Path, **options: Any) -> ProgramView:
    path = folder / "net.spec"
    path.write_text(text, encoding="utf-8")
    return view(path, **options)


def table(model: ModelView, **options: Any) -> str:
    return plain(show.table(model, **options))
