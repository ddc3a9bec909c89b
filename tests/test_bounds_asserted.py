"""A bound that check knows holds in every run: below it the emitted module stops, by an assertion
or by torch's own words, and at it the shapes are those of the spec."""

from __future__ import annotations

import pytest
import torch

import specc
from specc import front
from specc.ir import Condition
from specc.sizes import evaluate

# inputs | statements and what is put out: each asks some size of the inputs to be so much.
PROGRAMS = (
    "x: float[N, T] | tensor_split(x, (3,), dim=1)[1]",
    "x: float[N, T] | hsplit(x, (2, 4))[2]",
    "x: float[N, T] | vsplit(x, (3,))[1]",
    "x: float[N, 2, T] | dsplit(x, (3,))[1]",
    "x: float[N, T] | diff(x, n=2, dim=1)",
    "x: float[N, T] | cumulative_trapezoid(x, dim=1)",
    "x: float[N, T] | cov(x)",
    "x: float[N, T] | corrcoef(x)",
    "x: float[N, 3] | pdist(x)",
    "x: float[N, T] | pad(x, (-3, 0))",
    "x: float[N, 4, T] | pad(x, (3, 3), mode=\"reflect\")",
    "x: float[N, 4, T] | pad(x, (4, 0), mode=\"circular\")",
    "x: float[N, 4, T] | x -> ZeroPad1d((-3, 0))",
    "x: float[N, 4, T] | x -> ReflectionPad1d((-2, 1))",
    "x: float[N, 4, T] | x -> CircularPad1d((-2, 1))",
    "x: float[N, T] | x[:, 3:]",
    "x: float[N, T] | x[:, :-2]",
    "x: float[N, T] | x[:, 5]",
    "x: float[N, T] | x[:, 1:4]",
    "x: float[N, T] | narrow(x, 1, 2, 3)",
    "x: float[N, T] | select(x, 1, 4)",
    "x: float[N, T] | topk(x, 3)[0]",
    "x: float[N, T] | kthvalue(x, 3)[0]",
    "x: float[N, T] | zeros([N, T - 3])",
    "x: float[N, T] | arange(T - 4)",
    "x: float[N, T] | vander(x)",
    "x: float[N, T] | irfft(rfft(x)[:, 1:])",
    "x: float[N, 3, T] | x -> Conv1d(4, 5)",
    "x: float[N, 3, T] | x -> MaxPool1d(3)",
    "x: float[N, 3, T] | x -> LPPool1d(2, kernel_size=3)",
    "x: float[N, 3, T] | x -> ConvTranspose1d(2, 1, padding=2)",
    "x: float[N, 3, T, T] | x -> Unfold(4)",
    "x: float[N, 3, T] | interpolate(x, scale_factor=0.25)",
    "x: float[N, 3, T] | x -> InstanceNorm1d",
)  # fmt: skip
# From above: an index that goes beyond a table, on every device.
INDEXED = (
    "x: float[N, T] | p(arange(T)) | Embedding(2, 8)",
    "x: float[N, T] | p(arange(T)) | Embedding(num_embeddings=3, embedding_dim=2)",
    "x: float[N, T] | one_hot(topk(x, 1)[1], 5) |",
    "x: float[N, T], y: float[N, 4] | gather(y, 1, topk(x, 1)[1]) |",
    "x: float[N, T], y: float[N, 4] | index_select(y, 1, arange(T)) |",
    "x: float[N, T], y: float[4, N] | y[arange(T)] |",
)


def text_of(program: str) -> str:
    inputs, value, *layer = [part.strip() for part in program.split("|")]
    lines = [f"  input {each}" for each in inputs.replace("], ", "]\n").split("\n")]
    lines += [f"  layer p = {layer[0]}"] if layer and layer[0] else []
    return "\n".join(["spec 1", "model M {", *lines, f"  y = {value}", "  output y", "}"])


def bounds_of(text: str) -> dict[str, tuple[str, int]]:
    """What the model asks of each size by itself: ``>=`` or ``<=``, and how much."""
    program, diagnostics, _ = front.check_text(text)
    assert program is not None, diagnostics
    found = {}
    for condition in program.models[0].conditions:
        assert isinstance(condition, Condition)
        assert isinstance(condition.right, int), condition
        found[str(condition.left)] = (condition.relation, condition.right)
    assert found, "nothing is asked"
    return found


def run(text: str, sizes: dict[str, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape that the emitted module gives, and the one that the spec says."""
    program = front.check_text(text)[0]
    assert program is not None
    model = program.models[0]
    shapes = [[evaluate(size, sizes) for size in value.type.shape] for value in model.inputs]
    module = specc.loads(text)
    with torch.no_grad():
        result = module(*(torch.rand(shape) for shape in shapes))  # type: ignore[arg-type]  # ints
    said = model.outputs[0].value.type.shape
    return tuple(result.shape), tuple(int(str(evaluate(size, sizes))) for size in said)


@pytest.mark.parametrize("program", PROGRAMS)
def test_below_a_bound_the_module_stops(program: str) -> None:
    text = text_of(program)
    bounds = bounds_of(text)
    least = {"N": 2, "T": 2, "C": 2} | {name: least for name, (_, least) in bounds.items()}
    given, said = run(text, least)
    assert given == said
    for name, (relation, right) in bounds.items():
        assert relation == ">="
        with pytest.raises((AssertionError, RuntimeError, IndexError, ValueError)):
            run(text, least | {name: right - 1})


@pytest.mark.parametrize("program", INDEXED)
def test_beyond_a_table_the_module_stops(program: str) -> None:
    text = text_of(program)
    (relation, most) = bounds_of(text)["T"]
    assert relation == "<="
    given, said = run(text, {"N": 3, "T": most})
    assert given == said
    with pytest.raises(AssertionError, match=f"T <= {most}"):
        run(text, {"N": 3, "T": most + 1})


METRIC = """spec 1
model Net {
  input x: float[N, T]
  parameter scale: float[] = constant_(2.0)
  y = scale * x
  output y
}
train {
BATCH
  loss = mean(y ** 2)
  optimizer SGD(lr=0.1)ON
  metric MeanSquaredError(y[:, :3], x[:, :3])
  metric KLDivergence(reshape(softmax(y, dim=1), N * T // 2, 2), reshape(x, N * T // 2, 2))
}
"""


@pytest.mark.parametrize("several", [False, True])
def test_what_a_metric_asks_of_the_sizes_its_method_asserts(several: bool) -> None:
    """Metrics are called on their own, of what a batch brings."""
    text = METRIC.replace("ON", " on Net" if several else "")
    text = text.replace("BATCH", "  input x: float[N, T]\n  y = Net(x)" if several else "")
    module = specc.loads(text, model="Training" if several else None)

    def measure(*shape: int) -> dict[str, torch.Tensor]:
        x = torch.rand(shape)
        return module.metrics(x) if several else module.metrics(x + 1, x)  # type: ignore[operator]  # a method

    assert measure(2, 3)["MeanSquaredError"] > 0
    with pytest.raises(AssertionError, match="T >= 3"):
        measure(2, 2)
    with pytest.raises(AssertionError, match="N \\* T must be a multiple of 2"):
        measure(3, 3)
