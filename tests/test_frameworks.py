"""Functions of other frameworks: what a message proposes computes what the other computes.

The proposal is put in its place, the spec built, and its numbers held against numpy's own, or
against the framework's definition written out in numpy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import specc
from specc import front
from specc.catalog.advice.frameworks import CAST_NAMES, FUNCTIONS, LAYER_DEFAULTS
from specc.errors import Diagnostic

SPEC = """spec 1

model Net {{
  input x: float[4, 6]
  output {}
}}
"""


def errors(text: str) -> list[Diagnostic]:
    _, found, _ = front.check_text(text)
    return [item for item in found if item.severity == "error"]


def mended(text: str) -> str:
    """``text`` with the proposal of its one message in its place; it must then check."""
    (found,) = errors(text)
    assert found.fix is not None, found
    right = text[: found.fix.start] + found.fix.text + text[found.fix.end :]
    assert errors(right) == []
    return right


def computed(text: str, x: np.ndarray) -> np.ndarray:
    model = specc.loads(text)
    with torch.no_grad():
        result = model(torch.from_numpy(x).float())
    first = result[0] if isinstance(result, tuple) else result
    return first.numpy()


def softmax(x: np.ndarray) -> np.ndarray:
    shifted = np.exp(x - x.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def gelu_of_jax(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


Function = Callable[[np.ndarray], np.ndarray]
NUMPY: list[tuple[str, Function]] = [
    ("np.repeat(x, 2)", lambda x: np.repeat(x, 2)),
    ("np.repeat(x, 2, axis=0)", lambda x: np.repeat(x, 2, axis=0)),
    ("jnp.repeat(x, 2, 1)", lambda x: np.repeat(x, 2, 1)),
    ("np.max(x, axis=1)", lambda x: np.max(x, axis=1)),
    ("np.max(x)", lambda x: np.max(x)),
    ("jnp.min(x, axis=0, keepdims=True)", lambda x: np.min(x, axis=0, keepdims=True)),
    ("np.std(x)", lambda x: np.std(x)),
    ("np.std(x, axis=1)", lambda x: np.std(x, axis=1)),
    ("np.std(x, ddof=1)", lambda x: np.std(x, ddof=1)),
    ("jnp.var(x, 0)", lambda x: np.var(x, 0)),
    ("np.var(x, axis=0, keepdims=True)", lambda x: np.var(x, axis=0, keepdims=True)),
    ("np.median(x)", lambda x: np.median(x)),
    ("np.median(x, axis=1)", lambda x: np.median(x, axis=1)),
    ("np.sort(x)", lambda x: np.sort(x)),
    ("jnp.sort(x, axis=0)", lambda x: np.sort(x, axis=0)),
    ("np.transpose(x)", lambda x: np.transpose(x)),
    ("np.transpose(x, (1, 0))", lambda x: np.transpose(x, (1, 0))),
    ("np.mod(x, 2)", lambda x: np.mod(x, 2)),
    ("np.dot(x, x.T)", lambda x: np.dot(x, x.T)),
    ("np.clip(x, -0.5, 0.5)", lambda x: np.clip(x, -0.5, 0.5)),
    ("np.expand_dims(x, 1)", lambda x: np.expand_dims(x, 1)),
    ("np.split(x, 3, axis=1)[1]", lambda x: np.split(x, 3, axis=1)[1]),
    ("np.split(x, 2)[1]", lambda x: np.split(x, 2)[1]),
    ("np.split(x, [2, 5], axis=1)[1]", lambda x: np.split(x, [2, 5], axis=1)[1]),
    ("np.array_split(x, 4, axis=1)[0]", lambda x: np.array_split(x, 4, axis=1)[0]),
    ("jax.nn.softmax(x)", softmax),
    ("jax.nn.gelu(x)", gelu_of_jax),
    ("nn.gelu(x)", gelu_of_jax),
    ("jax.nn.log_softmax(x)", lambda x: np.log(softmax(x))),
    ("x[:, np.newaxis]", lambda x: x[:, np.newaxis]),
]
TENSORFLOW: list[tuple[str, Function]] = [
    ("tf.repeat(x, 2, axis=0)", lambda x: np.repeat(x, 2, axis=0)),
    ("tf.reduce_max(x, axis=1)", lambda x: x.max(1)),
    ("K.max(x, axis=1)", lambda x: x.max(1)),
    ("K.min(x, axis=1)", lambda x: x.min(1)),
    ("K.std(x, axis=1)", lambda x: x.std(1)),
    ("K.var(x, axis=1)", lambda x: x.var(1)),
    ("tf.math.reduce_std(x, axis=1)", lambda x: x.std(1)),
    ("tf.math.reduce_variance(x)", lambda x: x.var()),
    ("tf.split(x, 3, axis=1)[1]", lambda x: x[:, 2:4]),
    ("tf.split(x, [1, 5], axis=1)[1]", lambda x: x[:, 1:]),
    ("tf.sort(x, axis=0)", lambda x: np.sort(x, axis=0)),
    ("tf.argmax(x)", lambda x: x.argmax(0)),
    ("tf.argmin(x, axis=1)", lambda x: x.argmin(1)),
    ("tf.nn.softmax(x)", softmax),
    ("tf.nn.log_softmax(x)", lambda x: np.log(softmax(x))),
    ("tf.nn.leaky_relu(x)", lambda x: np.where(x > 0, x, 0.2 * x)),
    ("tf.nn.leaky_relu(x, alpha=0.3)", lambda x: np.where(x > 0, x, 0.3 * x)),
    ("tf.nn.l2_normalize(x, axis=1)", lambda x: x / np.sqrt((x**2).sum(1, keepdims=True))),
    ("tf.transpose(x, perm=[1, 0])", lambda x: x.T),
    ("tf.matmul(x, x, transpose_b=True)", lambda x: x @ x.T),
    ("tf.math.floormod(x, 2)", lambda x: np.mod(x, 2)),
    ("x -> tf.keras.layers.LeakyReLU()", lambda x: np.where(x > 0, x, 0.3 * x)),
    ("x -> keras.layers.LeakyReLU(alpha=0.1)", lambda x: np.where(x > 0, x, 0.1 * x)),
    ("x -> layers.Softmax()", softmax),
]


@pytest.mark.parametrize(
    ("said", "other"), NUMPY + TENSORFLOW, ids=[said for said, _ in NUMPY + TENSORFLOW]
)
def test_what_is_proposed_computes_what_the_other_computes(said: str, other: Function) -> None:
    x = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    found = computed(mended(SPEC.format(said)), x)
    wanted = np.asarray(other(x))
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", sorted(FUNCTIONS))
def test_each_row_is_held_against_the_other(family: str) -> None:
    cases = {"tensorflow": TENSORFLOW}.get(family, NUMPY)
    called = " ".join(said for said, _ in cases)
    for name in FUNCTIONS[family]:
        assert f".{name}(" in called, name


KERAS = """spec 1

model Net {{
  input image: float[N, 3, 8, 8]
  input states: float[N, T, 6]
  output {}
}}
"""


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("image -> BatchNormalization(momentum=0.99)", "BatchNorm2d(momentum=0.01)"),
        ("image -> nn.BatchNorm(momentum=0.9)", "BatchNorm2d(momentum=0.1)"),
        ("image -> BatchNormalization(axis=1)", "BatchNorm2d"),
        ("states -> LayerNormalization(axis=-1)", "LayerNorm"),
        ("image -> MaxPooling2D()", "MaxPool2d(2)"),
        ("image -> layers.AveragePooling2D(pool_size=4)", "AvgPool2d(kernel_size=4)"),
        ('states -> Dense(4, "relu")', "Linear(4) -> ReLU"),
        ('keras.layers.Dense(4, activation="relu")(states)', "states -> Linear(4) -> ReLU"),
    ],
)
def test_a_layer_of_keras_has_its_own_settings(said: str, right: str) -> None:
    text = KERAS.format(said)
    assert right in mended(text)


def test_each_default_of_keras_is_held() -> None:
    layers = {name[:-2] if name[-1] == "d" else name for name in LAYER_DEFAULTS}
    assert layers == {"LeakyReLU", "MaxPool", "AvgPool", "Softmax"}


CAST = """spec 1

model Net {{
  input x: float[N, 8]
  input k: int[N]
  output {}
}}
"""


@pytest.mark.parametrize(("name", "function"), sorted(CAST_NAMES.items()))
def test_a_cast_by_any_of_its_names_is_a_function(name: str, function: str) -> None:
    for said in (f"x.to(torch.{name})", f"x.type(torch.{name})", f"tf.cast(x, tf.{name})",
                 f'x.astype("{name}")', f"x.to(dtype=jnp.{name})"):  # fmt: skip
        assert f"output {function}(x)" in mended(CAST.format(said)), said


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("k.to(x.dtype)", "float(k)"), ("k.type_as(x)", "float(k)"), ("x.to(k)", "long(x)"),
        ("k.to(x)", "float(k)"), ('k.to("cuda", torch.float32)', "float(k)"),
        ("x.to(int)", "long(x)"), ("x.cuda()", "x"), ("x.to(device)", "x"),
        ("zeros(3, dtype=torch.long)", "long(zeros(3))"), ("zeros(3, dtype=float32)", "zeros(3)"),
        ("torch.arange(3, dtype=torch.float)", "float(arange(3))"),
        ("arange(3, device=x.device)", "arange(3)"), ("tf.one_hot(k % 5, 5)", None),
        ("np.float32(k)", "float(k)"), ("int64(x)", "long(x)"),
    ],
)  # fmt: skip
def test_a_type_is_cast_to_around_the_value(said: str, right: str | None) -> None:
    if right is None:
        (found,) = errors(CAST.format(said))
        assert found.fix is None or "float(one_hot(" in found.fix.text
    else:
        assert f"output {right}\n" in mended(CAST.format(said))


@pytest.mark.parametrize(
    "said", ['float("-inf")', "-np.inf", "-math.inf", "-torch.inf", "-jnp.inf", "float('-inf')",
             "-float('inf')", 'float("-infinity")', "np.NINF"],
)  # fmt: skip
def test_infinity_is_a_number_of_its_own(said: str) -> None:
    text = SPEC.format(f"masked_fill(x, x > 0.0, {said})")
    found = [item for item in errors(text) if item.fix is not None and item.code == "E0226"]
    assert len(found) == 1 and found[0].fix is not None
    fix = found[0].fix
    assert "masked_fill(x, x > 0.0, -inf)" in text[: fix.start] + fix.text + text[fix.end :]
