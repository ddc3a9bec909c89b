"""Shape rules of matrices: matmul, bmm, einsum, scaled dot-product attention, diagonals.

Products do not promote dtypes in torch, so both sides must have one: E0306.
"""

from __future__ import annotations

import re

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import (
    Shape,
    axis,
    bracketed,
    broadcast,
    integer,
    known,
    plain,
    rearranged,
    require_floating,
    require_kind,
    require_same_dtype,
)
from specc.ir import TensorType
from specc.sizes import Size


def _inner(call: Call, left: TensorType, right: TensorType, one: Size, other: Size) -> None:
    call.require_equal(
        one,
        other,
        RuleError(
            "E0302",
            f"{call.name} of {left} and {right}: the inner sizes {one} and {other} differ",
            help="the left's last size must be the right's last but one",
        ),
    )


def product(call: Call, left: TensorType, right: TensorType) -> Shape:
    """The shape of ``left @ right`` as ``torch.matmul`` has it; E0301, E0302, E0306."""
    require_same_dtype(call, left, right)
    if left.dtype == "bool":
        raise RuleError("E0306", f"{call.name} takes numbers; got {left} and {right}")
    one, other = left.shape, right.shape
    if not one or not other:
        raise RuleError("E0301", f"{call.name} takes at least 1 dimension; got {left} and {right}")
    rows = one[:-1] if len(one) == 1 else one[-2:-1]
    columns = () if len(other) == 1 else other[-1:]
    _inner(call, left, right, one[-1], other[0] if len(other) == 1 else other[-2])
    if len(one) == 1:
        rows = ()
    batch = broadcast(call.require_equal, one[:-2], other[:-2], call.value)
    return (*batch, *rows, *columns)


def matmul(call: Call) -> TensorType:
    """``matmul(input, other)`` and ``input @ other``."""
    left, right = call.tensor("input"), call.tensor("other")
    return TensorType(left.dtype, product(call, left, right))


def batched(call: Call) -> TensorType:
    """``bmm(input, mat2)``: ``[B, n, m]`` and ``[B, m, p]`` to ``[B, n, p]``."""
    return _batched(call, call.tensor("input"), call.tensor("mat2"))


def _batched(call: Call, left: TensorType, right: TensorType) -> TensorType:
    require_kind(call, left, "ifc")
    require_same_dtype(call, left, right)
    if len(left.shape) != 3 or len(right.shape) != 3:
        raise RuleError(
            "E0301",
            f"{call.name} takes two values of 3 dimensions; got {left} and {right}",
            help="matmul takes any rank",
        )
    call.require_equal(
        left.shape[0],
        right.shape[0],
        RuleError("E0302", f"{call.name}: {left} and {right} differ in their batch"),
    )
    _inner(call, left, right, left.shape[2], right.shape[1])
    return TensorType(left.dtype, (*left.shape[:2], right.shape[2]))


def batched_sum(call: Call) -> TensorType:
    """``baddbmm(input, batch1, batch2)``: ``bmm`` of both, and an input that stretches to it."""
    tensor, left, right = (call.tensor(name) for name in ("input", "batch1", "batch2"))
    require_same_dtype(call, tensor, left)
    result = _batched(call, left, right)
    error = RuleError("E0302", f"baddbmm: {tensor} does not stretch to {result}", argument="input")
    if len(tensor.shape) > 3:
        raise error
    pairs = zip(reversed(tensor.shape), reversed(result.shape), strict=False)
    for size, wanted in pairs:
        if known(call, size) != 1:
            call.require_equal(size, wanted, error)
    return result


def distances(call: Call) -> TensorType:
    """``cdist(x1, x2)``: ``[..., P, M]`` and ``[..., R, M]`` to ``[..., P, R]``; E0301, E0302."""
    left, right = call.tensor("x1"), call.tensor("x2")
    require_floating(call, left)
    require_same_dtype(call, left, right)
    if len(left.shape) < 2 or len(right.shape) < 2:
        raise RuleError("E0301", f"cdist takes [..., P, M] twice; got {left} and {right}")
    message = f"cdist: {left} and {right} differ in features"
    call.require_equal(left.shape[-1], right.shape[-1], RuleError("E0302", message))
    batch = broadcast(call.require_equal, left.shape[:-2], right.shape[:-2], call.value)
    return left.with_shape((*batch, left.shape[-2], right.shape[-2]))


# ── einsum ───────────────────────────────────────────────────────────────────────────────────────

_EQUATION = re.compile(r"([a-zA-Z]*(?:\.\.\.[a-zA-Z]*)?)")


def einsum(call: Call) -> TensorType:
    """``einsum("bij,bjk->bik", a, b)``: letters bind sizes, ``...`` broadcasts.

    E0301, E0302, E0306, and E0307 for an equation that cannot be read.
    """
    equation = plain(call, "equation")
    given = call.tensors["operands"]
    operands = given if isinstance(given, tuple) else (given,)
    if not isinstance(equation, str):
        raise RuleError("E0307", "the equation of einsum is a string", argument="equation")
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    for term in (*terms, right):
        if not _EQUATION.fullmatch(term):
            raise RuleError(
                "E0307", f"einsum cannot read {term!r} in {equation!r}", argument="equation"
            )
    if len(terms) != len(operands):
        raise RuleError(
            "E0307",
            f"einsum {equation!r} names {len(terms)} values, and gets {len(operands)}",
            argument="equation",
        )
    bound: dict[str, Size] = {}
    rest: Shape = ()
    for term, operand in zip(terms, operands, strict=True):
        if len(operands) > 1:
            require_kind(call, operand, "ifc")
        require_same_dtype(call, operands[0], operand)
        rest = broadcast(call.require_equal, rest, _bind(call, term, operand, bound), call.value)
    if not arrow:
        right = "..." * ("..." in left) + "".join(
            sorted(letter for letter in bound if left.count(letter) == 1)
        )
    return TensorType(operands[0].dtype, _result(equation, right, bound, rest))


def _bind(call: Call, term: str, operand: TensorType, bound: dict[str, Size]) -> Shape:
    """Binds the letters of ``term`` to the operand's sizes; returns what ``...`` stands for."""
    head, dots, tail = term.partition("...")
    extra = len(operand.shape) - len(head) - len(tail)
    if extra < 0 or (extra and not dots):
        raise RuleError(
            "E0301",
            f"einsum: {term!r} names {len(head) + len(tail)} dimensions, and {operand} has "
            f"{len(operand.shape)}",
            argument="equation",
        )
    places = (*operand.shape[: len(head)], *operand.shape[len(head) + extra :])
    own: dict[str, Size] = {}
    for letter, size in zip(head + tail, places, strict=True):
        error = RuleError("E0302", f"einsum: {letter!r} is {own.get(letter, size)} and {size}")
        call.require_equal(own.setdefault(letter, size), size, error)  # a diagonal stretches none
        if letter not in bound or known(call, bound[letter]) == 1:
            bound[letter] = size
        elif known(call, size) != 1:
            call.require_equal(
                bound[letter],
                size,
                RuleError("E0302", f"einsum: {letter!r} is {bound[letter]} and {size}"),
            )
    return operand.shape[len(head) : len(head) + extra]


def _result(equation: str, right: str, bound: dict[str, Size], rest: Shape) -> Shape:
    head, dots, tail = right.partition("...")
    letters = head + tail
    for letter in letters:
        if letter not in bound or letters.count(letter) > 1:
            raise RuleError(
                "E0307",
                f"einsum {equation!r}: the result names {letter!r}, which must be in a value, once",
                argument="equation",
            )
    middle = rest if dots else ()
    return (*(bound[x] for x in head), *middle, *(bound[x] for x in tail))


# ── attention ────────────────────────────────────────────────────────────────────────────────────


def attention(call: Call) -> TensorType:
    """``[..., L, E]``, ``[..., S, E]``, ``[..., S, Ev]`` to ``[..., L, Ev]``.

    ``attn_mask`` (bool, or a float added) stretches to the scores ``[..., L, S]``; E0301, E0302,
    E0303, E0306, and E0307 where a mask and ``is_causal`` are both given.
    """
    query, key, value = call.tensor("query"), call.tensor("key"), call.tensor("value")
    require_floating(call, query)
    for other in (key, value):
        require_same_dtype(call, query, other)
    for each in (query, key, value):
        if len(each.shape) < 2:
            raise RuleError("E0301", f"{call.name} takes [..., L, E]; got {each}")
    _agree(call, query.shape[-1], key.shape[-1], f"query {query} and key {key} differ in features")
    _agree(call, key.shape[-2], value.shape[-2], f"key {key} and value {value} differ in length")
    batch = _attention_batch(call, query, key, value)
    if call.has("attn_mask"):
        lead = _attention_batch(call, query, key)
        _require_mask(call, query, (*lead, query.shape[-2], key.shape[-2]))
    return query.with_shape((*batch, query.shape[-2], value.shape[-1]))


def _agree(call: Call, one: Size, other: Size, message: str) -> None:
    call.require_equal(one, other, RuleError("E0302", f"{call.name}: {message}, {one} and {other}"))


def _attention_batch(call: Call, query: TensorType, *others: TensorType) -> Shape:
    if plain(call, "enable_gqa"):
        return _grouped_batch(call, query, *others)
    heads = query.shape[:-2]
    for other in others:
        heads = broadcast(call.require_equal, heads, other.shape[:-2], call.value)
    return heads


def _grouped_batch(call: Call, query: TensorType, *others: TensorType) -> Shape:
    """Heads of the query in groups, each of which shares a head of the key, and one of the value;
    what is before the heads stretches."""
    for each in (query, *others):
        if len(each.shape) < 3:
            raise RuleError(
                "E0301",
                f"{call.name} with enable_gqa takes [..., heads, L, E]; got {each}",
                argument="enable_gqa",
            )
    count, batch = query.shape[-3], query.shape[:-3]
    for name, other in zip(("key", "value"), others, strict=False):
        shared = other.shape[-3]
        message = f"{call.name}: {count} query heads are not divisible by {shared} {name} heads"
        call.require_equal(count % shared, 0, RuleError("E0303", message, argument="enable_gqa"))
        batch = broadcast(call.require_equal, batch, other.shape[:-3], call.value)
    return (*batch, count)


def _require_mask(call: Call, query: TensorType, scores: Shape) -> None:
    mask = call.tensor("attn_mask")
    if plain(call, "is_causal"):
        raise RuleError(
            "E0307",
            f"{call.name} takes attn_mask or is_causal, not both",
            help="put the causal mask into attn_mask: torch refuses to combine them",
            argument="is_causal",
        )
    if mask.dtype not in ("bool", query.dtype):
        raise RuleError(
            "E0306",
            f"attn_mask is bool (true takes part) or {query.dtype}; got {mask}",
            argument="attn_mask",
        )
    if len(mask.shape) < 2:
        raise RuleError("E0301", f"attn_mask is [..., L, S]; got {mask}", argument="attn_mask")
    error = RuleError(
        "E0302",
        f"attn_mask {mask} does not stretch to the scores {bracketed(scores)}",
        argument="attn_mask",
    )
    if len(mask.shape) > len(scores):
        raise error
    # The mask is added in place: a batch of masks does not make one of a single score.
    for size, wanted in zip(reversed(mask.shape), reversed(scores), strict=False):
        if call.value(size) != 1:
            call.require_equal(size, wanted, error)


# ── parts of matrices ─────────────────────────────────────────────────────────────────────────────


def triangle(call: Call) -> TensorType:
    """``tril`` and ``triu``: the last two dimensions are a matrix."""
    tensor = call.tensor()
    if len(tensor.shape) < 2:
        raise RuleError("E0301", f"{call.name} takes a matrix; got {tensor}")
    return tensor.with_shape(tensor.shape)


def diagonal(call: Call) -> TensorType:
    """``diagonal(input, offset, dim1, dim2)``: E0304, E0305, E0307, E0308 for an unknown length."""
    tensor = call.tensor()
    rank = len(tensor.shape)
    if rank < 2:
        raise RuleError("E0301", f"diagonal takes a value of at least 2 dimensions; got {tensor}")
    first, second = axis(call, rank, "dim1"), axis(call, rank, "dim2")
    if first == second:
        raise RuleError("E0307", "dim1 and dim2 of diagonal are the same", argument="dim2")
    offset = integer(call, "offset")
    one = tensor.shape[first] + min(offset, 0)
    two = tensor.shape[second] - max(offset, 0)
    length, other = known(call, one), known(call, two)
    if one == two:
        size: Size = one
    elif length is not None and other is not None:
        size = min(length, other)
    else:
        raise RuleError(
            "E0308", f"diagonal: which of {one} and {two} of {tensor} is smaller cannot be told"
        )
    call.require_at_least(
        size, 1, RuleError("E0305", f"offset {offset} leaves nothing of {tensor}")
    )
    rest = (s for place, s in enumerate(tensor.shape) if place not in (first, second))
    return rearranged(tensor, (*rest, size))
