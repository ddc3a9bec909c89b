"""Functions of numpy, JAX and TensorFlow that have a name of torch's and compute something else.

``np.repeat`` repeats entries and torch's method the whole, ``np.std`` divides by n, ``tf.split``
counts parts. A row says the call that computes the same here; ``tests/test_frameworks.py`` holds
each to numpy's own numbers, where numpy has it. Non-goals: names that are merely spelt otherwise
(``elsewhere``), and the trees that are made of the rows
(``semantics.proposals.other_frameworks``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class ForeignFunction(NamedTuple):
    """``name`` of the same arguments, whose order elsewhere is ``order``; ``added`` are set where
    the call does not say them, ``more`` where it says no axis, and ``part`` is the one of several
    results that is wanted. ``wants`` is an argument without which the names mean the same."""

    name: str
    order: tuple[str, ...]
    added: Mapping[str, float | str | bool] = {}
    more: Mapping[str, float] = {}
    part: int | None = None
    wants: str | None = None


_NUMPY_ROOTS: Final = "np numpy jnp jax lax".split()
_TENSORFLOW_ROOTS: Final = "tf keras layers K".split()
# The family of what a dotted name begins with; `nn` has no functions in torch, and is flax's.
FAMILIES: Final[Mapping[str, str]] = {
    **dict.fromkeys(_NUMPY_ROOTS, "numpy"),
    **dict.fromkeys(_TENSORFLOW_ROOTS, "tensorflow"),
    **dict.fromkeys(("nn", "linen", "flax", "nnx"), "flax"),
}
_SPREAD: Final = ("input", "dim", "dtype", "out", "correction", "keepdim")
_NUMPY: Final[Mapping[str, ForeignFunction]] = {
    "repeat": ForeignFunction("repeat_interleave", ("input", "repeats", "dim")),
    "max": ForeignFunction("amax", ("input", "dim", "out", "keepdim"), wants="dim"),
    "min": ForeignFunction("amin", ("input", "dim", "out", "keepdim"), wants="dim"),
    "std": ForeignFunction("std", _SPREAD, {"correction": 0}),
    "var": ForeignFunction("var", _SPREAD, {"correction": 0}),
    "median": ForeignFunction("quantile", ("input", "dim", "out"), {"q": 0.5}),
    "sort": ForeignFunction("sort", ("input", "dim"), part=0),
    "split": ForeignFunction("tensor_split", ("input", "indices_or_sections", "dim")),
    "array_split": ForeignFunction("tensor_split", ("input", "indices_or_sections", "dim")),
    "gelu": ForeignFunction("gelu", ("input", "approximate"), {"approximate": "tanh"}),
    "softmax": ForeignFunction("softmax", ("input", "dim"), more={"dim": -1}),
    "log_softmax": ForeignFunction("log_softmax", ("input", "dim"), more={"dim": -1}),
}  # fmt: skip
_TENSORFLOW: Final[Mapping[str, ForeignFunction]] = {
    "repeat": ForeignFunction("repeat_interleave", ("input", "repeats", "dim")),
    "max": ForeignFunction("amax", ("input", "dim", "keepdim")),
    "min": ForeignFunction("amin", ("input", "dim", "keepdim")),
    "std": ForeignFunction("std", ("input", "dim", "keepdim"), {"correction": 0}),
    "var": ForeignFunction("var", ("input", "dim", "keepdim"), {"correction": 0}),
    "reduce_std": ForeignFunction("std", ("input", "dim", "keepdim"), {"correction": 0}),
    "reduce_variance": ForeignFunction("var", ("input", "dim", "keepdim"), {"correction": 0}),
    "sort": ForeignFunction("sort", ("input", "dim"), part=0),
    "split": ForeignFunction(
        "tensor_split", ("input", "indices_or_sections", "dim"), more={"dim": 0}
    ),
    "argmax": ForeignFunction("argmax", ("input", "dim"), more={"dim": 0}),
    "argmin": ForeignFunction("argmin", ("input", "dim"), more={"dim": 0}),
    "softmax": ForeignFunction("softmax", ("input", "dim"), more={"dim": -1}),
    "log_softmax": ForeignFunction("log_softmax", ("input", "dim"), more={"dim": -1}),
    "l2_normalize": ForeignFunction("normalize", ("input", "dim"), wants="dim"),
    "leaky_relu": ForeignFunction(
        "leaky_relu", ("input", "negative_slope"), {"negative_slope": 0.2}
    ),
}  # fmt: skip
FUNCTIONS: Final[Mapping[str, Mapping[str, ForeignFunction]]] = {
    "numpy": _NUMPY, "flax": _NUMPY, "tensorflow": _TENSORFLOW
}  # fmt: skip
# What each calls the arguments of a row.
ARGUMENTS: Final[Mapping[str, str]] = {
    "axis": "dim", "axes": "dim", "keepdims": "keepdim", "ddof": "correction",
    "num_or_size_splits": "indices_or_sections", "alpha": "negative_slope", "a": "input",
    "x": "input", "value": "input", "logits": "input", "input_tensor": "input",
    "values": "input", "features": "input", "array": "input", "ary": "input",
}  # fmt: skip
# Layers of Keras whose settings are torch's under another meaning or another default.
LAYER_DEFAULTS: Final[Mapping[str, Mapping[str, float]]] = {
    "LeakyReLU": {"negative_slope": 0.3},
    "MaxPool1d": {"kernel_size": 2}, "MaxPool2d": {"kernel_size": 2},
    "MaxPool3d": {"kernel_size": 2}, "AvgPool1d": {"kernel_size": 2},
    "AvgPool2d": {"kernel_size": 2}, "AvgPool3d": {"kernel_size": 2},
    "Softmax": {"dim": -1},
}  # fmt: skip

# Which function of the language casts to each type, by torch's, numpy's and JAX's names of them and
# by those of torch's classes of tensors. `float` is the precision of the run.
CAST_NAMES: Final[Mapping[str, str]] = {
    **dict.fromkeys("float32 float FloatTensor".split(), "float"),
    **dict.fromkeys("float16 half HalfTensor".split(), "half"),
    **dict.fromkeys("bfloat16 BFloat16Tensor".split(), "bfloat16"),
    **dict.fromkeys("float64 double DoubleTensor float_".split(), "double"),
    **dict.fromkeys("int64 long LongTensor int_".split(), "long"),
    **dict.fromkeys("int32 int IntTensor".split(), "int"),
    **dict.fromkeys("int16 short ShortTensor".split(), "short"),
    **dict.fromkeys("int8 char CharTensor".split(), "char"),
    **dict.fromkeys("uint8 byte ByteTensor".split(), "byte"),
    **dict.fromkeys("bool bool_ BoolTensor".split(), "bool"),
}  # fmt: skip
# What each calls infinity, written as a name or in a string.
INFINITIES: Final = frozenset("inf infty Inf PINF infinity Infinity".split())
