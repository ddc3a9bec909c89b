"""Functions that draw: the portable generator's numbers, to the bit, in every target."""

from __future__ import annotations

import ast
from fractions import Fraction

import pytest
import torch
from harness_programs import BLOCKS_SOURCE
from harness_support import HEADER, MLP_SOURCE, mlp, plain
from torch import Tensor, nn

from specc.harness.cases.case import close
from specc.harness.cases.matrix import cases
from specc.harness.numbers.counter import key_of, stream
from specc.harness.numbers.draws import (
    portable_bernoulli,
    portable_dropout,
    portable_fractional_max_pool2d,
    portable_fractional_max_pool3d,
    portable_gumbel_softmax,
    portable_rand_like,
    portable_randn_like,
    portable_rrelu,
)
from specc.harness.numbers.portable_dropout import PortableDropout, set_step
from specc.harness.numbers.redraw import redrawn
from specc.harness.running.live_module import with_portable_noise
from specc.harness.running.observe import Setting, observe
from specc.targets import TARGETS
from specc.targets.live import module_class

STEP = torch.zeros((), dtype=torch.int64)
KEY = key_of(1, "x")

DRAWING = (
    HEADER
    + """class Inner(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x = F.dropout(x, 0.25, self.training)
        return x + torch.randn_like(x) * torch.rand_like(input=x)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = Inner()
        self.two = Inner()

    def forward(self, x: Tensor) -> Tensor:
        x = self.two(self.one(x))
        x = F.alpha_dropout(x, p=0.4, training=self.training)
        x = F.dropout2d(x[:, :, None, None], 0.5, training=self.training).flatten(1)
        return x + torch.bernoulli((x > 0).to(x.dtype) * 0.5)
"""
)


def drawing(dtype: torch.dtype = torch.float32) -> nn.Module:
    found = redrawn(DRAWING)
    module = module_class(found.source, "Net", "drawing")().to(dtype)
    return with_portable_noise(module, DRAWING, 7).module


@pytest.mark.parametrize("target", ["compile", "torchscript", "export"])
@pytest.mark.parametrize("training", [True, False])
def test_the_draws_are_equal_to_the_bit(target: str, training: bool) -> None:
    module = drawing().train(training)
    x = torch.arange(60, dtype=torch.float32).reshape(10, 6) / 8
    runnable = TARGETS[target].runnable(module, (x,))
    seen: list[Tensor] = []
    for step in (0, 5):
        set_step(module, step)
        set_step(runnable, step)
        seen.append(module(x))
        # A compiler may join a product and a sum, which is no other draw.
        assert torch.allclose(runnable(x), seen[-1], rtol=1e-6, atol=1e-6)
    assert not torch.equal(seen[0], seen[1])


@pytest.mark.parametrize("target", ["compile", "torchscript", "export"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_each_function_alone_is_equal_to_the_bit(target: str, dtype: torch.dtype) -> None:
    source = HEADER + (
        "class Net(nn.Module):\n"
        "    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:\n"
        "        return (torch.randn_like(x), torch.rand_like(x),\n"
        "                torch.bernoulli(x), F.dropout(x, 0.3, True))\n"
    )
    module = with_portable_noise(
        module_class(redrawn(source).source, "Net", "alone")(), source, 3
    ).module
    x = (torch.arange(40) / 40).to(dtype)
    runnable = TARGETS[target].runnable(module, (x,))
    for expected, found in zip(module(x), runnable(x), strict=True):
        assert expected.dtype == dtype and torch.equal(expected, found)


@pytest.mark.parametrize("target", ["compile", "torchscript", "export"])
@pytest.mark.parametrize("training", [True, False])
def test_what_is_no_dropout_draws_the_same_in_every_target(target: str, training: bool) -> None:
    source = HEADER + (
        "class Net(nn.Module):\n"
        "    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:\n"
        "        hard = F.gumbel_softmax(x, tau=0.5, hard=True, dim=2)\n"
        "        pooled, places = F.fractional_max_pool2d(\n"
        "            x, 2, output_ratio=(0.5, 0.5), return_indices=True)\n"
        "        return (F.rrelu(x, 0.1, 0.3, training=self.training), hard, pooled, places,\n"
        "                F.fractional_max_pool2d(x, (2, 3), output_size=(3, 2)))\n"
    )
    found = redrawn(source)
    assert not found.uncovered
    module = with_portable_noise(module_class(found.source, "Net", "noisy")(), source, 3).module
    module.train(training)
    x = torch.arange(2 * 3 * 9 * 7, dtype=torch.float32).reshape(2, 3, 9, 7) / 100 - 1
    runnable = TARGETS[target].runnable(module, (x,))
    for expected, given in zip(module(x), runnable(x), strict=True):
        assert torch.allclose(expected, given, rtol=1e-6, atol=1e-6)
    first = module(x)
    set_step(module, 5)
    second = module(x)
    moved = [not torch.equal(one, other) for one, other in zip(first, second, strict=True)]
    assert moved == [training, True, True, True, True]


def test_the_draws_that_are_no_dropout_are_of_their_distributions() -> None:
    below = torch.full((20_000,), -1.0)
    slopes = -portable_rrelu(below, KEY, STEP, 0.1, 0.3, training=True)
    assert 0.099 < float(slopes.min()) < 0.102 and 0.298 < float(slopes.max()) < 0.301
    assert abs(float(slopes.mean()) - 0.2) < 0.001
    scores = torch.tensor([0.5, 0.3, 0.2]).log().expand(30_000, 3)
    chosen = portable_gumbel_softmax(scores, KEY, STEP, hard=True).mean(0)
    assert torch.allclose(chosen, torch.tensor([0.5, 0.3, 0.2]), atol=0.01)
    image = torch.arange(64.0).reshape(1, 1, 8, 8)
    assert portable_fractional_max_pool2d(image, KEY, STEP, [2, 2], [3, 3]).max() == 63
    cube = torch.arange(512.0).reshape(1, 1, 8, 8, 8)
    assert portable_fractional_max_pool3d(cube, KEY, STEP, [2] * 3, [3] * 3).max() == 511


def test_the_draws_are_of_the_distributions() -> None:
    x = torch.zeros(400_000)
    drawn = portable_randn_like(x, KEY, STEP).double()
    assert abs(float(drawn.mean())) < 0.006 and abs(float(drawn.std()) - 1) < 0.006
    # Twelve uniform draws: kurtosis 3 - 6 / 60, never above 6.
    assert abs(float((drawn**4).mean()) - 2.9) < 0.05 and float(drawn.abs().max()) < 6
    flat = portable_rand_like(x, KEY, STEP).double()
    assert abs(float(flat.mean()) - 0.5) < 0.002 and float(flat.min()) >= 0
    assert abs(float(flat.var()) - 1 / 12) < 0.001
    ones = portable_bernoulli(torch.full_like(x, 0.3), KEY, STEP)
    assert abs(float(ones.mean()) - 0.3) < 0.004 and set(ones.unique().tolist()) == {0.0, 1.0}
    other = portable_bernoulli(x, KEY, STEP, 0.3)
    assert torch.equal(ones, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_uniform_draw_is_never_one(dtype: torch.dtype) -> None:
    drawn = portable_rand_like(torch.zeros(500_000, dtype=dtype), KEY, STEP)
    assert drawn.dtype == dtype and float(drawn.max()) < 1 and float(drawn.max()) > 0.99


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("channels", "alpha"), [(False, False), (True, False), (False, True)])
def test_dropout_as_a_function_is_the_layer(
    dtype: torch.dtype, channels: bool, alpha: bool
) -> None:
    x = torch.randn(6, 5, 4, 4, generator=torch.Generator().manual_seed(0)).to(dtype)
    layer = PortableDropout(KEY, 0.3, channels=channels, alpha=alpha)
    found = portable_dropout(x, KEY, STEP, 0.3, True, False, channels, alpha)
    assert torch.equal(found, layer(x)) and not torch.equal(found, x)
    assert torch.equal(portable_dropout(x, KEY, STEP, 0.3, False), x)
    assert not portable_dropout(x, KEY, STEP, 1.0, True).any()


class Rates(nn.Module):
    """One function at many rates, and a few of them as layers."""

    def __init__(self, rates: list[float]) -> None:
        super().__init__()
        self.key = KEY
        self.rates = rates
        self.layers = nn.ModuleList([PortableDropout(KEY, p) for p in AS_LAYERS])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        step = torch.zeros((), dtype=torch.int64)
        functions: list[Tensor] = []
        layers: list[Tensor] = []
        for p in self.rates:
            functions.append(portable_dropout(x, self.key, step, p))
        for layer in self.layers:
            layers.append(layer(x))
        return torch.stack(functions), torch.stack(layers)


DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
AS_LAYERS = [0.3, 1 - 1e-5, 1.0]
CORNERS = [0.0, 1.0, 5e-324, 1e-300, 2.0**-53, 1e-5, 1 - 1e-5, 1 - 2.0**-53, 0.1, 1 / 3]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_rate_drops_what_is_below_it_and_scales_the_rest(dtype: torch.dtype) -> None:
    x = torch.linspace(-3, 3, 64).to(dtype)
    drawn = ((stream(KEY, STEP, 64) >> 11) & (2**53 - 1)).tolist()
    for p in [k / 1000 for k in range(1, 1000)] + CORNERS:
        found = portable_dropout(x, KEY, STEP, p)
        kept = torch.tensor([Fraction(word, 2**53) >= Fraction(p) for word in drawn])
        assert found.dtype == dtype and torch.equal(found, PortableDropout(KEY, p)(x)), p
        assert not found[~kept].any() and not found.isnan().any(), p
        if p < 1:
            # The scale is one product, rounded once: wide for what is not wide itself.
            wide = torch.float64 if dtype == torch.float64 else torch.float32
            factor = torch.tensor(1.0 / (1.0 - p), dtype=wide)
            assert torch.equal(found[kept], (x.to(wide) * factor).to(dtype)[kept]), p


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_rate_gives_nan(dtype: torch.dtype, alpha: bool) -> None:
    x = torch.linspace(-3, 3, 64).to(dtype)
    for p in CORNERS:
        changed = x.clone()
        found = portable_dropout(x, KEY, STEP, p, alpha=alpha)
        portable_dropout(changed, KEY, STEP, p, inplace=True, alpha=alpha)
        assert not found.isnan().any() and torch.equal(found, changed), p
    for p in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"p in \[0, 1\]"):
            portable_dropout(x, KEY, STEP, p, alpha=alpha)


@pytest.mark.parametrize("target", ["compile", "torchscript", "export"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_target_has_the_bits_of_every_rate(target: str, dtype: torch.dtype) -> None:
    # TorchScript has a loop; the others a graph that is as long as there are rates.
    step = {"torchscript": 1, "export": 300, "compile": 300}[target]
    module = Rates([k / 1000 for k in range(1, 1000, step)] + CORNERS)
    x = torch.linspace(-3, 3, 64).to(dtype)
    for expected, found in zip(module(x), TARGETS[target].runnable(module, (x,))(x), strict=True):
        assert torch.equal(expected, found)


def test_each_call_and_each_instance_has_a_key_of_its_own() -> None:
    found = redrawn(DRAWING)
    assert found.sites == {
        "Inner": ("F.dropout", "torch.randn_like", "torch.rand_like"),
        "Net": ("F.alpha_dropout", "F.dropout2d", "torch.bernoulli"),
    }
    module = drawing()
    keys = [
        getattr(module.get_submodule(path), f"noise_key_{k}")
        for path in ("", "one", "two")
        for k in range(3)
    ]
    assert len(set(keys)) == 9


def test_a_source_that_draws_nothing_is_left_to_the_letter() -> None:
    assert redrawn(MLP_SOURCE).source is MLP_SOURCE
    assert redrawn("def (").source == "def ("
    # What is not called on an instance has no key to draw by.
    alone = "import torch\n\n\ndef noise(x):\n    return torch.randn_like(x)\n"
    assert redrawn(alone).source == alone
    assert redrawn(alone).uncovered == ("a function: torch.randn_like",)


def test_the_rewritten_source_differs_in_its_draws_alone() -> None:
    found = redrawn(BLOCKS_SOURCE)
    before, after = (
        ast.unparse(ast.parse(text)).splitlines() for text in (BLOCKS_SOURCE, found.source)
    )
    changed = [line for line in after if line not in before]
    assert len(changed) == 3 and changed[0].startswith("from specc.harness.numbers.draws import")
    assert [line for line in before if line not in after] == [
        line for line in before if "F.dropout" in line or "randn_like" in line
    ]


def test_dropout_inside_attention_is_switched_off_and_said() -> None:
    source = HEADER + (
        "class Plain(nn.Module):\n"
        "    def __init__(self) -> None:\n"
        "        super().__init__()\n"
        "        self.fc = nn.Linear(3, 2)\n\n"
        "    def forward(self, x: Tensor) -> Tensor:\n"
        "        y = self.fc(x)\n"
        "        p = 0.5 if self.training else 0.0\n"
        "        return F.scaled_dot_product_attention(y, y, y, dropout_p=p) + torch.rand(1)\n"
    )
    program = plain()
    case = cases(program)[0]
    run = observe(program, close(program, case), source, Setting("eager", "cpu", "float32"))
    assert run.notes == (
        "noise switched off: Plain: F.scaled_dot_product_attention: dropout_p p set to 0",
        "noise not under control: Plain: torch.rand",
    )


def test_noise_in_a_loss_is_portable_too() -> None:
    source = MLP_SOURCE.replace(
        "F.cross_entropy(logits, label)",
        "F.cross_entropy(logits + torch.randn_like(logits), label)",
    )
    program = mlp()
    closed = close(program, cases(program)[0])
    setting = Setting("eager", "cpu", "float32")
    losses = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        run = observe(program, closed, source, setting)
        losses.append(
            [
                float(x.values)
                for x in run.observations
                if "/loss/" in x.name and x.values is not None
            ]
        )
    assert losses[0] == losses[1] and len(set(losses[0])) == 3
