"""Shape rules of dense layers: Linear, Bilinear, Embedding, and the linear function.

Initial weights are torch's: ``kaiming_uniform_(a=sqrt(5))`` is uniform within ``1 / sqrt(fan_in)``.
Non-goal: values.
"""

from __future__ import annotations

from math import sqrt

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    Shape,
    as_size,
    at_least,
    integer,
    known,
    plain,
    positive,
    require_floating,
    require_rank,
    require_same_dtype,
    require_within,
    told,
)
from specc.ir import Distribution, TensorType
from specc.sizes import Size

Tensors = tuple[tuple[str, Shape], ...]
Initial = tuple[tuple[str, Distribution], ...]


def size_of(call: Call, name: str) -> Size:
    """The argument ``name`` as a size; E0307."""
    return as_size(call, name, call.args[name])


def uniform_within(call: Call, fan_in: Size, names: tuple[str, ...]) -> Initial:
    """Each of ``names`` uniform within ``1 / sqrt(fan_in)``."""
    fan = known(call, fan_in)
    if fan is not None and fan < 0:  # the shape rule, which comes after, says it of the argument
        raise RuleError("E0307", f"{call.name} cannot be made with a size of {fan}")
    bound = 1.0 / sqrt(fan) if fan else 0.0
    return tuple((name, Distribution("uniform", -bound, bound)) for name in names)


def require_weighable(call: Call, tensor: TensorType) -> None:
    """E0306 unless ``tensor`` is a float of the run's precision, as weights are."""
    require_floating(call, tensor)
    if tensor.dtype != "float":
        raise RuleError(
            "E0306",
            f"the weights of {call.name} have the precision of the run; got {tensor}",
            help="declare the input as float[...]",
        )


# ── Linear ───────────────────────────────────────────────────────────────────────────────────────


def linear_in_features(call: Call) -> Size:
    """The last size of the input; E0301 for a scalar, E0308 for an unknown size."""
    tensor = call.tensor()
    if not tensor.shape:
        raise RuleError("E0301", f"Linear takes a value of at least 1 dimension; got {tensor}")
    require_weighable(call, tensor)
    return told(call, "in_features", tensor.shape[-1], tensor)


def linear(call: Call) -> TensorType:
    """``[..., in_features]`` to ``[..., out_features]``."""
    tensor = call.tensor()
    require_weighable(call, tensor)
    positive(call, "out_features")
    return tensor.with_shape((*tensor.shape[:-1], size_of(call, "out_features")))


def linear_parameters(call: Call) -> Tensors:
    """``weight [out, in]`` and ``bias [out]``."""
    out, into = size_of(call, "out_features"), size_of(call, "in_features")
    weight = ("weight", (out, into))
    return (weight, ("bias", (out,))) if plain(call, "bias") else (weight,)


def linear_initial(call: Call) -> Initial:
    """Uniform within ``1 / sqrt(in_features)``."""
    names = ("weight", "bias") if plain(call, "bias") else ("weight",)
    return uniform_within(call, size_of(call, "in_features"), names)


def linear_function(call: Call) -> TensorType:
    """``F.linear(input, weight [out, in], bias [out])``; E0301, E0302, E0306."""
    tensor, weight = call.tensor(), call.tensor("weight")
    require_floating(call, tensor)
    require_same_dtype(call, tensor, weight)
    if len(weight.shape) != 2 or not tensor.shape:
        raise RuleError(
            "E0301",
            f"linear takes [..., in] and a weight of [out, in]; got {tensor} and {weight}",
            argument="weight",
        )
    out, into = weight.shape
    call.require_equal(
        tensor.shape[-1],
        into,
        RuleError(
            "E0302",
            f"linear: the weight takes {into} features, and {tensor} has {tensor.shape[-1]}",
            argument="weight",
        ),
    )
    require_bias(call, weight, out)
    return tensor.with_shape((*tensor.shape[:-1], out))


def require_bias(call: Call, weight: TensorType, out: Size) -> None:
    """E0302 unless ``bias``, where it is given, is the ``[out]`` that ``weight`` wants."""
    if not call.has("bias"):
        return
    bias = call.tensor("bias")
    if bias.dtype != weight.dtype:
        raise RuleError(
            "E0306",
            f"{call.name}: the bias of {weight} is of its dtype; got {bias}",
            argument="bias",
        )
    error = RuleError(
        "E0302", f"{call.name}: the bias of {weight} is [{out}]; got {bias}", argument="bias"
    )
    if len(bias.shape) != 1:
        raise error
    call.require_equal(bias.shape[0], out, error)


# ── Bilinear ─────────────────────────────────────────────────────────────────────────────────────


def bilinear_features(call: Call, *, which: int) -> Size:
    """The last size of the first or the second input."""
    tensor = call.tensor(f"input{which}")
    if not tensor.shape:
        raise RuleError("E0301", f"Bilinear takes values of at least 1 dimension; got {tensor}")
    require_weighable(call, tensor)
    return told(call, f"in{which}_features", tensor.shape[-1], tensor)


def bilinear(call: Call) -> TensorType:
    """``[..., in1]`` and ``[..., in2]`` to ``[..., out]``: the leading sizes must be equal."""
    left, right = call.tensor("input1"), call.tensor("input2")
    positive(call, "out_features")
    require_same_dtype(call, left, right)
    if len(left.shape) != len(right.shape):
        raise RuleError(
            "E0301", f"Bilinear takes two values of the same rank; got {left} and {right}"
        )
    for one, other in zip(left.shape[:-1], right.shape[:-1], strict=True):
        call.require_equal(
            one, other, RuleError("E0302", f"Bilinear: {left} and {right} differ in {one}, {other}")
        )
    return left.with_shape((*left.shape[:-1], size_of(call, "out_features")))


def bilinear_parameters(call: Call) -> Tensors:
    """``weight [out, in1, in2]`` and ``bias [out]``."""
    out = size_of(call, "out_features")
    weight = ("weight", (out, size_of(call, "in1_features"), size_of(call, "in2_features")))
    return (weight, ("bias", (out,))) if plain(call, "bias") else (weight,)


def bilinear_initial(call: Call) -> Initial:
    """Uniform within ``1 / sqrt(in1_features)``."""
    names = ("weight", "bias") if plain(call, "bias") else ("weight",)
    return uniform_within(call, size_of(call, "in1_features"), names)


# ── Embedding ────────────────────────────────────────────────────────────────────────────────────


def _require_index(call: Call, tensor: TensorType) -> None:
    if tensor.dtype not in ("int64", "int32"):
        raise RuleError(
            "E0306",
            f"{call.name} takes integer positions in its table; got {tensor}",
            help="declare the input as index(k)[...], with k entries in the table",
        )


def embedding_entries(call: Call) -> Size:
    """k of an ``index(k)``; a larger table is taken as written. E0306, E0308, E0309."""
    tensor = call.tensor()
    _require_index(call, tensor)
    written = call.args.get("num_embeddings")
    if tensor.classes is None:
        if written is not None:
            return as_size(call, "num_embeddings", written)
        raise RuleError(
            "E0308",
            f"num_embeddings of {call.name} cannot be told from {tensor}",
            help=f"declare the input as index(k)[...], or write {call.name}(num_embeddings, dim)",
            argument="num_embeddings",
        )
    if written is None:
        return told(call, "num_embeddings", tensor.classes, tensor)
    entries = as_size(call, "num_embeddings", written)
    if known(call, tensor.classes) is not None:
        advice = f"write {call.name}({tensor.classes}, ...), or leave num_embeddings out"
        require_within(call, tensor, entries, call.name, "num_embeddings", advice)
    return entries  # what is open is a condition of the use, where ``embedding`` states it


def embedding(call: Call) -> TensorType:
    """``[...]`` to ``[..., embedding_dim]``."""
    tensor = call.tensor()
    _require_index(call, tensor)
    positive(call, "num_embeddings", "embedding_dim")
    require_within(call, tensor, size_of(call, "num_embeddings"), call.name, "num_embeddings")
    _require_padding_entry(call, known(call, size_of(call, "num_embeddings")))
    return TensorType("float", (*tensor.shape, size_of(call, "embedding_dim")))


def _require_padding_entry(call: Call, entries: int | None) -> None:
    """E0307 where ``padding_idx`` is given, and outside a table of ``entries``."""
    if plain(call, "padding_idx") is None:
        return
    place = integer(call, "padding_idx")
    if entries is not None and not -entries <= place < entries:
        raise RuleError(
            "E0307",
            f"padding_idx={place} of {call.name} is outside its {entries} entries",
            argument="padding_idx",
        )


def embedding_bag(call: Call) -> TensorType:
    """``[N, T]`` of indices to ``[N, embedding_dim]``; E0301, E0307 and as Embedding."""
    tensor = call.tensor()
    require_rank(call, tensor, (2,), "[N, T], a bag of indices for each example")
    result = embedding(call)
    require_bag_gradient(call)
    return result.with_shape((result.shape[0], result.shape[2]))


def require_bag_gradient(call: Call) -> None:
    """E0307 for a gradient that torch has not for the largest of a bag."""
    scaled = plain(call, "scale_grad_by_freq") or plain(call, "sparse")
    if plain(call, "mode") == "max" and scaled:
        raise RuleError(
            "E0307",
            f'{call.name} with mode="max" has no sparse and no scaled gradient',
            argument="mode",
        )


def embedding_parameters(call: Call) -> Tensors:
    """``weight [num_embeddings, embedding_dim]``."""
    return (("weight", (size_of(call, "num_embeddings"), size_of(call, "embedding_dim"))),)


def embedding_initial(call: Call) -> Initial:
    """Standard normal. torch then clears the row ``padding_idx``, which no distribution says."""
    return (("weight", Distribution("normal", 0.0, 1.0)),)


def embedding_function(call: Call) -> TensorType:
    """``F.embedding(input, weight [K, D])``: E0301, E0306, E0307, E0309."""
    tensor, weight = call.tensor(), call.tensor("weight")
    _require_index(call, tensor)
    require_floating(call, weight)
    if len(weight.shape) != 2:
        raise RuleError("E0301", f"embedding takes a table [K, D]; got {weight}", argument="weight")
    require_entries(call, tensor, weight)
    return weight.with_shape((*tensor.shape, weight.shape[1]))


def require_entries(call: Call, tensor: TensorType, weight: TensorType) -> None:
    """E0309 where an index of ``tensor`` may be outside the table ``weight [K, D]``, E0307 where
    ``padding_idx`` is."""
    require_within(call, tensor, weight.shape[0], f"the table {weight}", "weight")
    _require_padding_entry(call, known(call, weight.shape[0]))


def one_hot(call: Call) -> TensorType:
    """``[...]`` of int64 to int64 ``[..., num_classes]``; E0306, E0309 where it is too small."""
    tensor = call.tensor()
    if tensor.dtype != "int64":
        raise RuleError("E0306", f"one_hot takes an index; got {tensor}")
    classes = size_of(call, "num_classes")
    at_least(call, "num_classes", 1, (classes,))
    if tensor.classes is not None:
        message = f"one_hot has {classes} classes, and {tensor} has {tensor.classes}"
        advice = f"write one_hot(x, {tensor.classes})"
        error = RuleError("E0309", message, help=advice, argument="num_classes")
        call.require_at_least(classes, tensor.classes, error)
    return TensorType("int64", (*tensor.shape, classes))
