"""Shape rules of MultiheadAttention, and what the Transformer's layers share with it.

A batch is demanded: ``[N, T, D]`` with ``batch_first=true``, else ``[T, N, D]``. Masks are torch's:
true, or a float of minus infinity, keeps a place out. The ``dropout`` on attention weights is noise
inside torch's own function. Non-goals: the Transformer (``transformer``), and
``scaled_dot_product_attention`` (``matrix_products``).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    Shape,
    bracketed,
    known,
    number,
    plain,
    positive,
    require_divisible,
    require_rank,
    require_same_dtype,
    told,
)
from specc.catalog.shapes.of_layers.linear import Initial, Tensors, require_weighable, size_of
from specc.ir import Distribution, ResultType, TensorType
from specc.sizes import Size

Fresh = tuple[str, Shape, Distribution]
ZERO = Distribution("constant", 0.0)


# ── what comes in ────────────────────────────────────────────────────────────────────────────────


def sequence(call: Call, name: str) -> TensorType:
    """The tensor ``name``, a batch of sequences; E0301, E0306."""
    tensor = call.tensor(name)
    takes = "[N, T, D]" if plain(call, "batch_first") else "[T, N, D]"
    advice = f"a sequence of vectors is declared as float{takes}"
    require_rank(call, tensor, (3,), f"{takes}, a batch of sequences", advice)
    require_weighable(call, tensor)
    return tensor


def batch_and_length(call: Call, tensor: TensorType) -> tuple[Size, Size]:
    """The sizes N and T of a sequence, wherever ``batch_first`` puts them."""
    first, second, _ = tensor.shape
    return (first, second) if plain(call, "batch_first") else (second, first)


def features(call: Call, *, argument: str) -> Size:
    """The last size of the first value: ``embed_dim`` of the query, ``d_model``; E0301, E0308."""
    tensor = sequence(call, next(iter(call.tensors)))
    return told(call, argument, tensor.shape[-1], tensor)


def require_settings(call: Call, width: str, heads: str) -> None:
    """E0303 unless the argument ``width`` divides into ``heads``; E0307 for a dropout outside 0 to
    1."""
    positive(call, width, heads)
    size, count = size_of(call, width), size_of(call, heads)
    message = f"{width} {size} is not divisible by {heads} {count}"
    require_divisible(call, size, count, message, argument=heads)
    dropout = number(call, "dropout")
    if not 0.0 <= dropout <= 1.0:
        raise RuleError(
            "E0307",
            f"dropout of {call.name} is a probability, from 0 to 1, and is {dropout:g}",
            argument="dropout",
        )


def _require_shape(call: Call, tensor: TensorType, wanted: Shape, error: RuleError) -> None:
    if len(tensor.shape) != len(wanted):
        raise error
    for size, other in zip(tensor.shape, wanted, strict=True):
        call.require_equal(size, other, error)


def require_masks(
    call: Call, query: TensorType, key: TensorType, heads: str, padding: str, mask: str
) -> None:
    """``padding`` of [N, S] and ``mask`` of [L, S] or [N * heads, L, S]; E0302, E0306."""
    batch, length = batch_and_length(call, query)
    source = batch_and_length(call, key)[1]
    for name in (padding, mask):
        if call.has(name) and call.tensor(name).dtype not in ("bool", query.dtype):
            raise RuleError(
                "E0306",
                f"{name} of {call.name} is bool (true is kept out) or {query.dtype}; got "
                f"{call.tensor(name)}",
                argument=name,
            )
    if call.has(padding):
        found = call.tensor(padding)
        message = f"{padding} of {call.name} is {bracketed((batch, source))}; got {found}"
        _require_shape(call, found, (batch, source), RuleError("E0302", message, argument=padding))
    if call.has(mask):
        found, each = call.tensor(mask), size_of(call, heads)
        wide = (batch * each, length, source)
        message = (
            f"{mask} of {call.name} is {bracketed((length, source))}, or {bracketed(wide)} with "
            f"one for each head; got {found}"
        )
        wanted = wide if len(found.shape) == 3 else (length, source)
        _require_shape(call, found, wanted, RuleError("E0302", message, argument=mask))


# ── MultiheadAttention ───────────────────────────────────────────────────────────────────────────


def multihead(call: Call) -> ResultType:
    """``(output, weights)``: ``[N, L, E]`` and ``[N, L, S]``, or ``[N, heads, L, S]`` without
    ``average_attn_weights``; the output as ``[L, N, E]`` unless ``batch_first``.

    E0301, E0302, E0303, E0306, E0307."""
    query, key, value = (sequence(call, name) for name in ("query", "key", "value"))
    require_settings(call, "embed_dim", "num_heads")
    for other in (key, value):
        require_same_dtype(call, query, other)
    embed = size_of(call, "embed_dim")
    for name, tensor, argument in (("key", key, "kdim"), ("value", value, "vdim")):
        given = call.args.get(argument)
        wanted = embed if given is None else size_of(call, argument)
        size = tensor.shape[-1]
        call.require_equal(
            size,
            wanted,
            RuleError(
                "E0302",
                f"{call.name}: the {name} {tensor} has {size} features, and {argument} is {wanted}",
                help=f"write {argument}={size}",
                argument=argument,
            ),
        )
    batch, length = batch_and_length(call, query)
    key_batch, source = batch_and_length(call, key)
    value_batch, value_source = batch_and_length(call, value)
    for one, two, what, left, right in (
        (key_batch, batch, "batch", query, key),
        (value_batch, batch, "batch", query, value),
        (source, value_source, "length", key, value),
    ):
        message = f"{call.name}: {left} and {right} differ in their {what}"
        call.require_equal(one, two, RuleError("E0302", message))
    require_masks(call, query, key, "num_heads", "key_padding_mask", "attn_mask")
    places = source + sum(bool(plain(call, name)) for name in ("add_bias_kv", "add_zero_attn"))
    head = (batch, length) if plain(call, "average_attn_weights") is not False else (
        batch, size_of(call, "num_heads"), length,
    )  # fmt: skip
    output = query.with_shape((*query.shape[:2], embed))
    return output, query.with_shape((*head, places))


def attention(
    call: Call, prefix: str, embed: Size, kdim: Size, vdim: Size, *, kv: bool = False
) -> Iterator[Fresh]:
    """The tensors of one MultiheadAttention, in the order of torch's ``state_dict``."""
    bias = plain(call, "bias")
    if known(call, kdim) == known(call, embed) == known(call, vdim):
        yield f"{prefix}in_proj_weight", (3 * embed, embed), xavier(call, 3 * embed, embed)
    else:
        for name, width in (("q", embed), ("k", kdim), ("v", vdim)):
            yield f"{prefix}{name}_proj_weight", (embed, width), xavier(call, embed, width)
    if bias:
        yield f"{prefix}in_proj_bias", (3 * embed,), ZERO
    if kv:
        # xavier_normal_ of [1, 1, E], whose fans are both E.
        drawn = Distribution("normal", 0.0, sqrt(1.0 / number_of(call, embed)))
        yield f"{prefix}bias_k", (1, 1, embed), drawn
        yield f"{prefix}bias_v", (1, 1, embed), drawn
    bound = 1.0 / sqrt(number_of(call, embed))
    yield f"{prefix}out_proj.weight", (embed, embed), Distribution("uniform", -bound, bound)
    if bias:
        yield f"{prefix}out_proj.bias", (embed,), ZERO


def number_of(call: Call, size: Size) -> int:
    """``size`` where it must be known: a weight has a fixed size. A fault is the shape rule's."""
    value = known(call, size)
    return value if value is not None and value > 0 else 1


def xavier(call: Call, out: Size, into: Size) -> Distribution:
    """``xavier_uniform_`` of a matrix: within ``sqrt(6 / (fan_in + fan_out))``."""
    bound = sqrt(6.0 / (number_of(call, out) + number_of(call, into)))
    return Distribution("uniform", -bound, bound)


def _multihead(call: Call) -> Iterator[Fresh]:
    embed = size_of(call, "embed_dim")
    kdim, vdim = (
        embed if call.args.get(name) is None else size_of(call, name) for name in ("kdim", "vdim")
    )
    return attention(call, "", embed, kdim, vdim, kv=bool(plain(call, "add_bias_kv")))


def multihead_parameters(call: Call) -> Tensors:
    """``in_proj_weight [3E, E]`` (or one each of q, k, v), ``in_proj_bias``, ``out_proj``."""
    return shapes_of(_multihead(call))


def multihead_initial(call: Call) -> Initial:
    """Projections as ``xavier_uniform_``, ``out_proj`` as a Linear, every bias 0."""
    return draws_of(_multihead(call))


def shapes_of(fresh: Iterator[Fresh]) -> Tensors:
    """The parameters' names and shapes."""
    return tuple((name, shape) for name, shape, _ in fresh)


def draws_of(fresh: Iterator[Fresh]) -> Initial:
    """The parameters' names, and how torch fills them."""
    return tuple((name, drawn) for name, _, drawn in fresh)
