"""Catalogue rows as a user writes them: checked, emitted and run, with the promised shapes.

One line a form of call (positional, by keyword, a tuple, a list, several results). Non-goal: every
argument of every row, which the other ``test_catalog_*`` files hold against torch directly.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
import torch
from catalog_oracle import DTYPES

import specc
from specc.catalog import INITS, LOSSES, METRICS, OPTIMIZERS, SCHEDULERS, WRAPPERS
from specc.catalog.examples import example_of, program_of
from specc.ir import TensorType
from specc.semantics import analyse
from specc.sizes import evaluate

SIZES = {"N": 2, "T": 5}

ONE_RESULT = [
    ("float[N, 12]", "x -> reshape(N, 3, 4)"),
    ("float[N, 12]", "x -> reshape((N, 3, 4))"),
    ("float[N, 12]", "reshape(x, N, -1, 4)"),
    ("float[N, 3, 4]", "permute(x, 2, 0, 1)"),
    ("float[N, 3, 4]", 'einsum("nij,nkj->nik", x, x)'),
    ("float[N, 3, 4]", "tensordot(x, x, dims=((1, 2), (1, 2)))"),
    ("float[N, 3, 4]", "x -> squeeze(dim=()) -> sum(dim=())"),
    ("float[N, 3, 4]", "where(x > 0.5, x, 0.0)"),
    ("float[N, 3, 4]", "where(x > 0.5, 1, 0)"),
    ("float[N, 1, 4]", "x -> squeeze(1) -> unsqueeze(-1)"),
    ("float[N, 3, 4]", "cat([x, x], dim=-1)"),
    ("float[N, 3, 4]", "stack([x, x], 1)"),
    ("float[N, 3, 4]", "x -> amax(dim=(1, 2))"),
    ("float[N, 3, 4]", "x -> sum"),
    ("float[N, 3, 4]", "sum(x, dim=1, keepdim=true)"),
    ("float[N, 3, 4]", "x -> var(dim=-1, correction=0)"),
    ("float[N, 3, 4]", "x -> vector_norm(dim=-1)"),
    ("float[N, 3, 4]", "x -> clamp(min=0.0) -> masked_fill(x > 0.5, -1.0)"),
    ("float[N, 3, 4]", "x -> pad((1, 1))"),
    ("float[N, 3, 8, 8]", 'interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=false)'),
    ("float[N, 3, 8, 8]", "x -> max_pool2d(2) -> avg_pool2d((1, 2)) -> adaptive_avg_pool2d(2)"),
    ("index(7)[N, 3]", "one_hot(x, 7)"),
    ("index(7)[N, 3]", "(x -> Embedding(4)) + (arange(3) -> Embedding(9, 4))"),
    ("float[N, 3]", "x + ones(N, 3) + zeros([N, 3]) * ones_like(x) + full_like(x, 2.0)"),
    ("float[N, 3]", "x -> broadcast_to(2, N, 3)"),
    ("float[N, 3]", "x -> tile(1, 2) -> flip(1) -> roll(1, dims=1)"),
    ("float[N, 3, 3]", "x -> tril"),
    ("float[N, 3]", "gather(x, 1, argmax(x, dim=1, keepdim=true))"),
    ("float[N, 3]", "x -> gather(dim=1, index=argmax(x, dim=1, keepdim=true))"),
    ("float[N, 2, T, 4]", "scaled_dot_product_attention(x, x, x, is_causal=true)"),
    ("float[N, 3]", "cosine_similarity(x, maximum(x, detach(x)))"),
    ("float[N, 3]", "outer(sum(x, 0), stop_gradient(sum(x, 0)))"),
    ("float[N, 3]", "linear(x, ones(4, 3))"),
    ("float[N, 3]", "x -> PReLU(3) -> Softplus(beta=2.0) -> Hardtanh(-2.0, 2.0) -> LogSoftmax(-1)"),
    ("float[N, 12]", "x -> Unflatten(1, (3, 4)) -> LayerNorm"),
    ("float[N, 3, 8, 8]", "x -> LayerNorm((3, 8, 8)) -> LayerNorm(normalized_shape=(8, 8))"),
    ("float[N, 6, 8, 8]", "x -> GroupNorm(3) -> InstanceNorm2d(affine=true) -> RMSNorm"),
    ("float[N, 6, T]", "x -> LocalResponseNorm(2) -> MaxPool1d(2) -> AdaptiveMaxPool1d(1)"),
    ("float[N, 6, 8, 8]", "x -> ConvTranspose2d(4, 4, stride=2, padding=1) -> PixelShuffle(2)"),
    (
        "float[N, T, 8]",
        "x -> TransformerEncoderLayer(2, dim_feedforward=16, dropout=0.0, batch_first=true)",
    ),
    ("float[N, 6]", "x -> GRUCell(4) -> full_like(0.5)"),
    ("float[N, 6]", "x + normal_like(x) * uniform_like(x)"),
    ("float[N, 6]", "x @ eye(6) + full([6], 0.5) + linspace(0.0, 1.0, 6)"),
    ("float[N, 6]", "x -> Unflatten(1, (2, 3)) -> repeat_interleave(2, dim=1) -> GLU(1)"),
    ("float[N, 6]", "scatter(x, 1, argmax(x, dim=1, keepdim=true), 0.0)"),
    ("float[N, 6]", "scatter_add(x, 1, argmax(x, dim=1, keepdim=true), x[:, :1])"),
    ("float[N, 6]", "layer_norm(x, [6]) -> rms_norm([6])"),
    (
        "float[N, 6, 8, 8]",
        "x -> CircularPad2d(1) -> conv2d(ones(4, 6, 3, 3), stride=2) -> Unfold(2)",
    ),
    ("index(7)[N, 3]", "x -> EmbeddingBag(4)"),
    ("float[N, 6, 8, 8]", "x -> Upsample(scale_factor=2.0) -> ReflectionPad2d(1)"),
    ("float[N, 6, 8, 8]", 'x -> Conv2d(4, (3, 1), padding="same") -> ZeroPad2d((1, 1, 0, 0))'),
]

TWO_RESULTS = [
    ("float[N, T, 8]", "a, b = MultiheadAttention(2, batch_first=true)(x, x, x)"),
    ("float[N, 6]", "a, b = x -> LSTMCell(4)"),
    ("float[N, 4]", "a, b = LSTMCell(4)(x, hx=(x, 2.0 * x))"),
    ("float[1, N, 4]", "a, (b, c) = LSTM(4)(x, hx=(x, 2.0 * x))"),
    ("float[N, 6]", "a, b = x -> max(dim=1)"),
    ("float[N, 6]", "a, b = x -> sort(descending=true)"),
    ("float[N, 6]", "a, b = chunk(x, 2, dim=-1)"),
    ("float[N, 6]", "a, b = x -> split((2, 4), dim=1)"),
    ("float[N, 6]", "a, b = x -> split(3, dim=1)"),
    ("float[N, 2]", "a, b = x -> unbind(1)"),
    ("float[N, 6]", "a, b = x -> topk(2)"),
    ("float[N, T, 6]", "a, b = x -> GRU(4, batch_first=true, bidirectional=true)"),
    ("float[N, T, 6]", "a, (b, c) = x -> LSTM(4, batch_first=true)"),
    ("float[N, 3, 8, 8]", "a, b = x -> MaxPool2d(2, return_indices=true)"),
]


def _zeros(text: str) -> torch.Tensor:
    """A tensor of the input type written ``text``."""
    dims = re.search(r"\[(.*)\]", text)
    assert dims is not None
    shape = [SIZES.get(size) or int(size) for size in dims[1].split(", ")]
    return torch.zeros(shape, dtype=torch.float32 if text.startswith("float") else torch.int64)


def _promised(type_: TensorType) -> tuple[torch.dtype, tuple[Any, ...]]:
    return DTYPES[type_.dtype], tuple(evaluate(size, SIZES) for size in type_.shape)


@pytest.mark.parametrize(
    ("input_type", "statement"),
    [(input_type, f"y = {expression}") for input_type, expression in ONE_RESULT] + TWO_RESULTS,
)
def test_a_call_runs_with_the_shapes_that_were_promised(input_type: str, statement: str) -> None:
    outputs = "y" if statement.startswith("y") else "a, b"
    text = f"spec 1\nmodel M {{\n  input x: {input_type}\n  {statement}\n  output {outputs}\n}}\n"
    model = analyse(text, "m.spec", {}).models[0]
    found = specc.loads(text)(_zeros(input_type))
    results = found if isinstance(found, tuple) else (found,)
    assert [(item.dtype, tuple(item.shape)) for item in results] == [
        _promised(output.value.type) for output in model.outputs
    ]


def _trained(statement: str, *, optimizer: str = "SGD(lr=0.1)", more: str = "") -> str:
    return (
        "spec 1\nmodel M {\n  input x: float[N, 6]\n  y = x -> Linear(4)\n  output y\n}\n"
        "train {\n  input label: index(4)[N]\n  input value: float[N, 4]\n"
        "  input side: float[N]\n"
        f"  loss = {statement}\n  optimizer {optimizer}\n{more}}}\n"
    )


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_runs_in_a_step(name: str) -> None:
    text = program_of("loss", LOSSES[name])
    program = analyse(text, "m.spec", {})
    module: Any = specc.loads(text)
    optimizer = module.configure_optimizers()["optimizer"]
    before = [parameter.detach().clone() for parameter in module.parameters()]
    assert program.train is not None
    types = [value.type for value in (*program.model().inputs, *program.train.inputs)]
    terms = module.training_step(optimizer, *(_drawn(str(type_)) for type_ in types))
    assert terms["loss"].shape == ()
    assert torch.isfinite(terms["loss"])
    after = list(module.parameters())
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_runs_beside_the_loss(name: str) -> None:
    row = METRICS[name]
    example = example_of("metric", row)
    module: Any = specc.loads(program_of("metric", row))
    values = {each.name: _drawn(each.type) for each in example.inputs}
    (found,) = module.metrics(*(values[name] for name in _uses(module.metrics))).values()
    assert found.dtype in (torch.float32, torch.int64)
    assert bool(torch.isfinite(found).all())


def _uses(method: Any) -> list[str]:
    """The names of what an emitted method takes."""
    return list(inspect.signature(method).parameters)


def _drawn(type_: str) -> torch.Tensor:
    """A value of a type as an example writes it, the unknown sizes 4."""
    head, _, shape = type_.partition("[")
    sizes = [int(size) if size.strip().isdigit() else 4 for size in shape.rstrip("]").split(",")]
    if head.startswith("index"):
        return torch.randint(0, int(head.removeprefix("index(").removesuffix(")")), sizes)
    return torch.rand(sizes)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_is_torchs_own(name: str) -> None:
    module: Any = specc.loads(program_of("optimizer", OPTIMIZERS[name]))
    optimizer = module.configure_optimizers()["optimizer"]
    assert type(optimizer) is getattr(torch.optim, name)


REQUIRED = {
    "StepLR": "step_size=3",
    "MultiStepLR": "milestones=(2, 4)",
    "ExponentialLR": "gamma=0.9",
    "CosineAnnealingLR": "T_max=10",
    "CosineAnnealingWarmRestarts": "T_0=5",
    "OneCycleLR": "max_lr=0.5, total_steps=10",
    "CyclicLR": "base_lr=0.01, max_lr=0.1",
    "SequentialLR": "[LinearLR(), ExponentialLR(gamma=0.9)], milestones=(3,)",
    "ChainedScheduler": "[LinearLR(), ExponentialLR(gamma=0.9)]",
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_is_torchs_own(name: str) -> None:
    scheduler = f"  scheduler {name}({REQUIRED.get(name, '')}) per epoch\n"
    optimizer = "SGD(lr=0.1, momentum=0.9)"
    text = _trained("MSELoss(y, value)", optimizer=optimizer, more=scheduler)
    module: Any = specc.loads(text)
    made = module.configure_optimizers()["lr_scheduler"]
    assert type(made["scheduler"]) is getattr(torch.optim.lr_scheduler, name)
    assert made["interval"] == "epoch"
    assert ("monitor" in made) == SCHEDULERS[name].monitors


# ── parts of layers: their tensors are told before torch makes them ──────────────────────────────

PARTED = {
    "spectral_norm": "x -> Linear(5) with spectral_norm(n_power_iterations=2)",
    "weight_norm": "x -> Linear(5) with weight_norm(dim=none)",
    "orthogonal": 'x -> Linear(5) with orthogonal(orthogonal_map="cayley")',
    "attention": "x -> TransformerEncoderLayer(2, dim_feedforward=16, batch_first=true)",
}


@pytest.mark.parametrize("name", PARTED)
def test_the_parts_of_a_layer_are_named_as_torch_names_them(name: str) -> None:
    text = f"spec 1\nmodel M {{\n  input x: float[N, T, 6]\n  y = {PARTED[name]}\n  output y\n}}\n"
    model = analyse(text, "m.spec", {}).models[0]
    module = specc.loads(text)
    assert [(path, shape) for path, _, shape in model.parameters()] == [
        (path, tuple(tensor.shape)) for path, tensor in module.named_parameters()
    ]
    assert [(path, shape) for path, _, shape in model.buffers()] == [
        (path, tuple(tensor.shape)) for path, tensor in module.named_buffers()
    ]


def test_every_wrapper_is_tried_in_a_spec() -> None:
    assert set(PARTED) >= set(WRAPPERS)


@pytest.mark.parametrize("name", INITS)
def test_an_initialiser_fills_what_it_selects(name: str) -> None:
    settings = {"constant_": "val=0.25", "sparse_": "sparsity=0.5"}.get(name, "")
    layer = "Conv1d(6, 3)" if name == "dirac_" else "Linear(6)"
    text = (
        "spec 1\nmodel M {\n  input x: float[N, 6, 6]\n"
        f"  y = x -> {layer}\n  init {name}({settings}) on *.weight\n  output y\n}}\n"
    )
    (made,) = analyse(text, "m.spec", {}).models[0].initializers
    assert made.type == name
    torch.manual_seed(1)
    weight = next(iter(specc.loads(text).parameters()))
    torch.manual_seed(1)
    plain = next(iter(specc.loads(text.replace("  init", "  # init")).parameters()))
    assert not torch.equal(weight, plain)
