"""Shape rules of losses of several inputs: pairs, triplets, a mean and its variance.

What is compared has one shape, as in ``losses``; a single vector may stand for all rows, and a
single target of 1 or -1 for all pairs, for neither makes the result larger. Non-goal: values.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import Shape, number, require_floating, require_kind
from specc.catalog.shapes.of_losses.losses import equal_shapes, reduced, require_equal_shapes
from specc.ir import TensorType


def _stretched_rows(call: Call, *names: str) -> TensorType:
    """The type of the vectors ``names`` together, of which one may be a single one for all rows:
    ``[1, D]`` beside ``[N, D]``. E0310 for every other difference, in D as well."""
    first = call.tensor(names[0])
    shape = list(first.shape)
    for place in range(len(shape) - 1):
        sizes = (call.tensor(name).shape for name in names)
        found = (each[place] for each in sizes if len(each) == len(shape))
        shape[place] = next((size for size in found if call.value(size) != 1), 1)
    whole = first.with_shape(tuple(shape))
    for name in names:
        _require_stretched(call, whole, call.tensor(name), among=len(shape) - 1)
    return whole


def _require_one_for_all(call: Call, whole: TensorType, name: str) -> None:
    """E0310 unless the argument ``name`` has the shape of ``whole``, or is one number of its rank,
    which cannot make the result larger."""
    other = call.tensor(name)
    single = all(call.value(size) == 1 for size in other.shape)
    _require_stretched(call, whole, other, among=len(other.shape) if single else 0)


def _require_stretched(call: Call, whole: TensorType, other: TensorType, *, among: int) -> None:
    """E0310 unless ``other`` has the shape of ``whole``, or 1 for one of its first ``among``
    sizes."""
    if len(other.shape) != len(whole.shape):
        require_equal_shapes(call, whole, other)
    sizes = [
        wanted if place < among and call.value(size) == 1 else size
        for place, (size, wanted) in enumerate(zip(other.shape, whole.shape, strict=True))
    ]
    require_equal_shapes(call, whole, other.with_shape(tuple(sizes)))


def gaussian(call: Call) -> TensorType:
    """GaussianNLLLoss ``(input, target, var)``: var of the input's shape, a 1 for one of its
    sizes, or one a row."""
    tensor, var = call.tensor("input"), call.tensor("var")
    result = equal_shapes(call)
    error = RuleError(
        "E0310",
        f"{call.name}: var has the input's shape, or a 1 for one of its sizes; got {var} for "
        f"{tensor}",
        argument="var",
    )
    require_floating(call, var)
    shape = tensor.shape
    if len(var.shape) == len(shape) - 1:
        wanted: Shape = shape[:-1]
    elif len(var.shape) == len(shape):
        pairs = enumerate(zip(var.shape, shape, strict=True))
        ones = [place for place, (one, size) in pairs if call.value(one) == 1 != call.value(size)]
        # torch stretches one size, and no more.
        wanted = (*shape[: ones[0]], 1, *shape[ones[0] + 1 :]) if ones else shape
    else:
        raise error
    for one, other in zip(var.shape, wanted, strict=True):
        call.require_equal(one, other, error)
    return result


def poisson(call: Call) -> TensorType:
    """PoissonNLLLoss ``(input, target)`` of one shape; counts may be integers."""
    tensor, target = call.tensor("input"), call.tensor("target")
    require_floating(call, tensor)
    require_kind(call, target, "if", "target")
    require_equal_shapes(call, tensor, target)
    return reduced(call, tensor, tensor.shape)


def cosine_embedding(call: Call) -> TensorType:
    """CosineEmbeddingLoss ``(input1 [N, D], input2 [N, D], target [N])``, targets 1 and -1; one
    vector, or one target, may stand for all."""
    left, right, target = call.tensor("input1"), call.tensor("input2"), call.tensor("target")
    require_floating(call, left)
    require_floating(call, right)
    require_kind(call, target, "if", "target")
    if len(left.shape) not in (1, 2):
        raise RuleError("E0301", f"{call.name} takes [N, D] or [D]; got {left}")
    whole = _stretched_rows(call, "input1", "input2")
    rows = whole.with_shape(whole.shape[:-1])
    _require_one_for_all(call, rows, "target")
    return reduced(call, left, rows.shape)


def triplet(call: Call) -> TensorType:
    """TripletMarginLoss ``(anchor, positive, negative)`` of ``[N, D]`` or ``[D]``; one of
    them may be a single vector for all."""
    anchor = call.tensor("anchor")
    require_floating(call, anchor)
    if not anchor.shape:
        raise RuleError("E0301", f"{call.name} takes [N, D] or [D]; got {anchor}")
    if number(call, "margin") <= 0:
        raise RuleError("E0307", f"margin of {call.name} must be positive", argument="margin")
    for name in ("positive", "negative"):
        require_floating(call, call.tensor(name))
    whole = _stretched_rows(call, "anchor", "positive", "negative")
    return reduced(call, whole, whole.shape[:-1])


def ranking(call: Call) -> TensorType:
    """MarginRankingLoss ``(input1, input2, target)`` of one shape, targets of 1 and -1, or one
    target for all."""
    left = call.tensor("input1")
    require_floating(call, left)
    for name in ("input2", "target"):
        require_kind(call, call.tensor(name), "if", name)
    require_equal_shapes(call, left, call.tensor("input2"))
    _require_one_for_all(call, left, "target")
    return reduced(call, left, left.shape)
