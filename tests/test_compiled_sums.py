"""Ordinary models, compiled: sums over pixels, tokens and classes, on sizes that people use.

Behind an average pool, under a mean of a loss, in a norm's statistics and in a softmax's sum
compiled code adds up thousands of terms one after the other. Nothing of that is a regression: each
cell stays under three floors. A few are run here; ``--exhaustive`` runs the whole family, over
300 compiled cells in an hour of one core, and ``--exhaustive -s`` prints how far each one is off.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from specc import front
from specc.harness.blessing.bless import bless
from specc.harness.cases.matrix import cells
from specc.harness.judging.judge import judge

MOST = 3.0
SPEC = """spec 1

model Net {{
{body}
}}

train {{
  input label: {label}
  loss = {loss}
  optimizer SGD(lr=0.1)
}}

test {{
  sizes N={batch}
  seed {seed}
  targets compile
}}
"""
NORMS = {
    "batch": "BatchNorm2d",
    "group": "GroupNorm(num_groups={groups})",
    "instance": "InstanceNorm2d(affine=true)",
}
SUM = 'CrossEntropyLoss(h, label, reduction="sum")'
MEAN = "CrossEntropyLoss(h, label)"


def image(norm: str, channels: int, side: int, batch: int, seed: int = 0, loss: str = MEAN) -> str:
    """A norm before an average pool: its bias's gradient is a sum of equal numbers."""
    row = NORMS[norm].format(groups=1 if channels < 4 else 4)
    body = (
        f"  input x: float[N, 3, {side}, {side}]\n"
        f"  h = x -> Conv2d({channels}, 3, padding=1, bias=false) -> {row} -> ReLU"
        " -> AdaptiveAvgPool2d(1) -> Flatten -> Linear(10)\n  output h"
    )
    return SPEC.format(body=body, label="index(10)[N]", loss=loss, batch=batch, seed=seed)


def tokens(norm: str, width: int, length: int, batch: int, seed: int = 0, loss: str = MEAN) -> str:
    """Norms over features before a mean over tokens."""
    body = (
        f"  input x: float[N, {length}, 8]\n"
        f"  u = x -> Linear({width}) -> {norm} -> GELU -> {norm}\n"
        "  h = mean(u, dim=1) -> Linear(5)\n  output h"
    )
    return SPEC.format(body=body, label="index(5)[N]", loss=loss, batch=batch, seed=seed)


def classes(count: int, batch: int, seed: int = 0, loss: str = MEAN) -> str:
    """A softmax over many classes."""
    body = f"  input x: float[N, 16]\n  h = x -> Linear({count})\n  output softmax(h, dim=1), h"
    return SPEC.format(body=body, label=f"index({count})[N]", loss=loss, batch=batch, seed=seed)


def pixels(side: int, channels: int, batch: int, seed: int = 0, loss: str = MEAN) -> str:
    """A loss over pixels: its mean, and a kernel's gradient over all positions."""
    body = (
        f"  input x: float[N, 3, {side}, {side}]\n"
        f"  h = x -> Conv2d({channels}, 3, padding=1) -> ReLU -> Conv2d(4, 1)\n  output h"
    )
    label = (
        f"index(4)[N, {side}, {side}]" if loss in (MEAN, SUM) else f"float[N, 4, {side}, {side}]"
    )
    return SPEC.format(body=body, label=label, loss=loss, batch=batch, seed=seed)


def product(terms: int, batch: int, seed: int = 0) -> str:
    """Long dot products of positive numbers."""
    body = f"  input x: unit[N, {terms}]\n  h = x -> Linear(16) -> ReLU -> Linear(10)\n  output h"
    return SPEC.format(body=body, label="index(10)[N]", loss=MEAN, batch=batch, seed=seed)


IMAGES = (
    (1, 8, 4), (4, 16, 2), (16, 32, 1), (64, 16, 8), (16, 48, 4), (8, 64, 8), (16, 112, 2),
    (4, 128, 4), (64, 32, 4), (16, 32, 32),
)  # fmt: skip
TOKENS = ((16, 16, 32), (64, 64, 4), (256, 128, 4), (32, 512, 8), (768, 256, 1))
CLASSES = ((4, 32), (10, 4), (100, 8), (1000, 4), (10_000, 4), (50_000, 2))
LOSSES = ("L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss")


def family() -> Iterator[tuple[str, str]]:
    """(name, spec) of each member; two cells each."""
    for norm in NORMS:
        for channels, side, batch in IMAGES:
            yield f"{norm}-{channels}x{side}x{side}-N{batch}", image(norm, channels, side, batch)
    for norm in ("batch", "group"):
        yield f"{norm}-sum", image(norm, 16, 64, 4, loss=SUM)
    yield "batch-64x64x64-N4", image("batch", 64, 64, 4)
    for how, loss in (("mean", MEAN), ("sum", SUM)):
        for norm in ("LayerNorm", "RMSNorm"):
            for width, length, batch in TOKENS:
                name = f"{norm}-{length}x{width}-N{batch}-{how}"
                yield name, tokens(norm, width, length, batch, loss=loss)
        for count, batch in CLASSES:
            yield f"softmax-{count}-N{batch}-{how}", classes(count, batch, loss=loss)
        for side, channels, batch in ((32, 8, 4), (64, 8, 4), (128, 4, 2)):
            yield f"pixels-{side}-N{batch}-{how}", pixels(side, channels, batch, loss=loss)
    for side, channels, batch in ((32, 8, 4), (64, 8, 4), (128, 4, 2)):
        for row in LOSSES:
            yield f"{row}-{side}-N{batch}", pixels(side, channels, batch, loss=f"{row}(h, label)")
    for terms in (1000, 20_000, 100_000):
        yield f"product-{terms}", product(terms, 4)
    for seed in range(1, 11):
        yield f"seed{seed}-batch", image("batch", 16, 64, 4, seed)
        yield f"seed{seed}-batch-3", image("batch", 3, 32, 8, seed)
        yield f"seed{seed}-group", image("group", 8, 48, 4, seed)
        yield f"seed{seed}-LayerNorm", tokens("LayerNorm", 32, 256, 4, seed)
        yield f"seed{seed}-RMSNorm", tokens("RMSNorm", 32, 256, 4, seed, SUM)
        yield f"seed{seed}-softmax", classes(5000, 4, seed)
        yield f"seed{seed}-pixels", pixels(64, 8, 4, seed)
        yield f"seed{seed}-L1Loss", pixels(48, 8, 4, seed, "L1Loss(h, label)")


FAMILY = dict(family())
USUAL = ("batch-16x48x48-N4", "pixels-32-N4-mean", "LayerNorm-64x64-N4-mean")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in USUAL else pytest.mark.exhaustive) for name in FAMILY],
)
def test_compiled_sums_are_no_regression(name: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    path = tmp_path / "net.spec"
    path.write_text(FAMILY[name])
    program = front.read(path)
    bless(program, tmp_path)
    for cell in cells(program, ["compile"], ["cpu"], ["float32"]):
        verdict = judge(program, cell, tmp_path)
        print(f"{name} {cell.mode}: {verdict.worst:.2f} floors")
        assert verdict.outcome == "passed", (cell.mode, verdict.findings)
        assert verdict.worst < MOST, (cell.mode, verdict.worst)
