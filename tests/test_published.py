"""Published architectures, said from the reference of the language alone: each checks without a
word, has as many parameters as published where it is one to the letter, and trains a step small.

None has a golden: what is computed is held by ``specs``, and by what is compared here."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from breaking import _run

import specc
from specc import front
from specc.harness.cases import matrix, tested_program
from specc.sizes import evaluate

SPECS = sorted((Path(__file__).parent / "published").glob("*.spec"))
# As timm and transformers count them, with the params that the spec has by default.
PUBLISHED = {
    "cait": 11_956_264,  # XXS-24
    "efficientnet_v2": 21_458_488,  # S
    "mobilenet_v3": 2_542_856,  # small
    "regnet": 2_684_792,  # X, 200 MF
    "swin_v2": 28_347_154,  # tiny, windows of 8
    "t5_encoder": 35_330_816,  # small
}


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_it_checks_and_trains_a_step(path: Path) -> None:
    program, diagnostics, _ = front.check(path)
    assert program is not None and not diagnostics, diagnostics
    wanted = PUBLISHED.get(path.stem)
    if wanted is not None:
        model = program.model()
        sizes = dict(model.values)
        shapes = [[evaluate(size, sizes) for size in shape] for _, _, shape in model.parameters()]
        assert sum(math.prod(map(int, shape)) for shape in shapes) == wanted  # type: ignore[arg-type]  # numbers
    tested, diagnostics, _ = tested_program.check(path)
    assert tested is not None and not diagnostics, diagnostics
    modes = {case.mode: case for case in reversed(matrix.cases(tested))}
    for case in modes.values():
        _run(tested, dataclasses.replace(case, steps=1))


def test_every_published_count_is_of_a_spec() -> None:
    assert PUBLISHED.keys() <= {path.stem for path in SPECS}


def test_t5_puts_distances_into_the_buckets_of_transformers() -> None:
    from transformers.models.t5.modeling_t5 import T5Attention

    net: Any = specc.load(
        Path(__file__).parent / "published" / "t5_encoder.spec",
        params={"length": 200, "vocab": 10, "dim": 16, "hidden": 8, "depth": 1},
    )
    block = net.relativebias_1
    places = torch.arange(200)
    buckets = T5Attention._relative_position_bucket(places - places[:, None], True, 32, 128)
    assert torch.equal(block(), block.table[buckets].permute(2, 0, 1)[None])


def test_maml_goes_back_through_its_inner_step() -> None:
    path = Path(__file__).parent / "published" / "maml.spec"
    training: Any = specc.load(path, model="Training")
    net = training.net
    torch.manual_seed(1)
    xs, ys, xq, yq = (torch.randn(n, 1) for n in (5, 5, 7, 7))
    found = torch.autograd.grad(training.loss(xs, ys, xq, yq)["loss"], [net.w1, net.w2])

    def predicted(x: Any, w1: Any, w2: Any) -> Any:
        return torch.relu(x @ w1.T + net.b1) @ w2.T + net.b2

    fit = (predicted(xs, net.w1, net.w2) - ys).square().mean()
    first, second = torch.autograd.grad(fit, [net.w1, net.w2], create_graph=True)
    moved = predicted(xq, net.w1 - 0.01 * first, net.w2 - 0.01 * second)
    wanted = torch.autograd.grad((moved - yq).square().mean(), [net.w1, net.w2])
    torch.testing.assert_close(found, wanted)
