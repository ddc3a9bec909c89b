"""Shape rules of what moves elements and computes nothing: flatten, reshape, transpose, cat, chunk.

Labels stay labels and pixels stay pixels through a rearrangement.
"""

from __future__ import annotations

from collections.abc import Sequence

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes import value_bounds
from specc.catalog.shapes.common import (
    Shape,
    as_sizes,
    at_least,
    axes,
    axis,
    axis_of,
    bracketed,
    dimensions,
    integer,
    known,
    positive,
    product,
    promote,
    rearranged,
)
from specc.ir import ResultType, TensorType
from specc.ir.relations import never_zero
from specc.sizes import Size


def flattened(call: Call) -> TensorType:
    """Dimensions ``start_dim`` to ``end_dim`` become one."""
    tensor = call.tensor()
    rank = len(tensor.shape)
    if rank == 0:
        axis(call, rank, "start_dim")
        axis(call, rank, "end_dim")
        return rearranged(tensor, (1,))
    start, end = axis(call, rank, "start_dim"), axis(call, rank, "end_dim")
    if start > end:
        raise RuleError(
            "E0304",
            f"{call.name} of {tensor}: start_dim {start} comes after end_dim {end}",
            argument="start_dim",
        )
    merged = product(tensor.shape[start : end + 1])
    return rearranged(tensor, (*tensor.shape[:start], merged, *tensor.shape[end + 1 :]))


def _filled(call: Call, name: str, sizes: Shape, total: Size, whole: str) -> Shape:
    """``sizes`` with the one -1 worked out, so that their product is ``total``.

    E0302 where it is another, E0303 where nothing fits the -1, E0307 for a second -1.
    """
    free = [place for place, size in enumerate(sizes) if call.value(size) == -1]
    if len(free) > 1:
        raise RuleError(
            "E0307", f"{name} of {call.name} may have one -1, and has {len(free)}", argument=name
        )
    at_least(call, name, 1, (size for size in sizes if call.value(size) != -1))
    if not free:
        call.require_equal(
            product(sizes),
            total,
            RuleError(
                "E0302",
                f"{call.name} keeps the number of elements: {whole} has {total}, and "
                f"{bracketed(sizes)} has {product(sizes)}",
                argument=name,
            ),
        )
        return sizes
    (place,) = free
    rest = product(size for size in sizes if call.value(size) != -1)
    call.require_equal(
        total % rest,
        0,
        RuleError(
            "E0303",
            f"{call.name}: the {total} elements of {whole} are not divisible by {rest}, so no size "
            f"fits the -1 of {bracketed(sizes)}",
            argument=name,
        ),
    )
    return (*sizes[:place], total // rest, *sizes[place + 1 :])


def reshaped(call: Call) -> TensorType:
    """``reshape(input, *shape)``, with -1 allowed once."""
    tensor = call.tensor()
    shape = _filled(call, "shape", as_sizes(call, "shape"), product(tensor.shape), str(tensor))
    return rearranged(tensor, shape)


def unflattened(call: Call, *, sizes: str) -> TensorType:
    """One dimension becomes several; ``sizes`` names the argument: layer and function differ."""
    tensor = call.tensor()
    place = axis_of(call, tensor)
    old = tensor.shape[place]
    if call.args[sizes] == ():
        raise RuleError("E0307", f"{sizes} of {call.name} names no size", argument=sizes)
    parts = _filled(call, sizes, as_sizes(call, sizes), old, f"dimension {place} of {tensor}")
    return rearranged(tensor, (*tensor.shape[:place], *parts, *tensor.shape[place + 1 :]))


def transposed(call: Call, *, names: tuple[str, str] = ("dim0", "dim1")) -> TensorType:
    """``transpose(input, dim0, dim1)``."""
    tensor = call.tensor()
    shape = list(tensor.shape)
    first, second = (axis(call, len(shape), name) for name in names)
    if shape:
        shape[first], shape[second] = shape[second], shape[first]
    return rearranged(tensor, tuple(shape))


def permuted(call: Call) -> TensorType:
    """``permute(input, *dims)``: each dimension once; E0304, E0307."""
    tensor = call.tensor()
    rank = len(tensor.shape)
    given = call.args["dims"]
    count = len(given) if isinstance(given, tuple) else 1
    if count != rank:
        raise RuleError(
            "E0301",
            f"permute names {dimensions(count)}, and {tensor} has {rank}",
            help="name every dimension once",
            argument="dims",
        )
    order = axes(call, rank, "dims")
    return rearranged(tensor, tuple(tensor.shape[place] for place in order))


def squeezed(call: Call) -> TensorType:
    """``squeeze(input, dim)``: a dimension of size 1 goes; an unknown size must be 1."""
    tensor = call.tensor()
    gone: set[int] = set()
    named = axes(call, len(tensor.shape))
    for place in named if tensor.shape else ():
        size = tensor.shape[place]
        if known(call, size) is None:
            call.require_equal(
                size,
                1,
                RuleError(
                    "E0302", f"squeeze takes away dimension {place} of {tensor}, not of size 1"
                ),
            )
            gone.add(place)
        elif known(call, size) == 1:
            gone.add(place)
    return rearranged(
        tensor, tuple(size for place, size in enumerate(tensor.shape) if place not in gone)
    )


def unsqueezed(call: Call) -> TensorType:
    """``unsqueeze(input, dim)``: a dimension of size 1 comes in."""
    tensor = call.tensor()
    place = axis(call, len(tensor.shape) + 1)
    return rearranged(tensor, (*tensor.shape[:place], 1, *tensor.shape[place:]))


def given_tensors(call: Call) -> tuple[TensorType, ...]:
    """The tensors of the argument ``tensors``; E0307 for none."""
    given = call.tensors["tensors"]
    types = given if isinstance(given, tuple) else (given,)
    if not types:
        raise RuleError("E0307", f"{call.name} needs at least one value", argument="tensors")
    return types


def together(types: tuple[TensorType, ...], shape: Shape) -> TensorType:
    """``types`` as one tensor of ``shape``: dtypes promoted, a meaning that all have kept."""
    dtype = types[0].dtype
    for other in types[1:]:
        dtype = promote(dtype, other.dtype)
    alike = all(
        (t.meaning, t.classes, t.dtype) == (types[0].meaning, types[0].classes, dtype)
        for t in types
    )
    if alike:
        return rearranged(types[0], shape)
    return value_bounds.bounded(TensorType(dtype, shape), types)


def concatenated(call: Call) -> TensorType:
    """``cat([a, b], dim)``: the sizes of ``dim`` add up, the others must be equal."""
    types = given_tensors(call)
    rank = len(types[0].shape)
    if rank == 0:
        raise RuleError(
            "E0301", f"{call.name} takes values of at least 1 dimension", help="use stack"
        )
    place = axis(call, rank)
    total: Size = types[0].shape[place]
    for other in types[1:]:
        if len(other.shape) != rank:
            raise RuleError(
                "E0301", f"{call.name} takes values of one rank; got {types[0]} and {other}"
            )
        for dim, (one, two) in enumerate(zip(types[0].shape, other.shape, strict=True)):
            if dim != place:
                call.require_equal(
                    one,
                    two,
                    RuleError(
                        "E0302",
                        f"{call.name} along dimension {place}: {types[0]} and {other} differ in "
                        f"dimension {dim}, {one} and {two}",
                        help=_along(call, types, place),
                    ),
                )
        total = total + other.shape[place]
    return together(types, (*types[0].shape[:place], total, *types[0].shape[place + 1 :]))


def _along(call: Call, types: Sequence[TensorType], place: int) -> str | None:
    """What to write where ``types`` are joined along ``place`` and differ in another dimension
    alone: as channels do, where no dimension was said."""
    rows = zip(*(type_.shape for type_ in types), strict=False)
    differ = [
        dim
        for dim, sizes in enumerate(rows)
        if any(never_zero(call.value(one) - call.value(sizes[0])) for one in sizes[1:])
    ]
    if len(differ) != 1 or differ[0] == place:
        return None
    return f"write `dim={differ[0]}`, along which they may differ"


def stacked(call: Call) -> TensorType:
    """``stack([a, b], dim)``: a new dimension; all shapes must be equal."""
    types = given_tensors(call)
    shape = types[0].shape
    place = axis(call, len(shape) + 1)
    for other in types[1:]:
        error = RuleError("E0302", f"stack takes values of one shape; got {types[0]} and {other}")
        if len(other.shape) != len(shape):
            raise error
        for one, two in zip(shape, other.shape, strict=True):
            call.require_equal(one, two, error)
    return together(types, (*shape[:place], len(types), *shape[place:]))


def pieces(tensor: TensorType, place: int, sizes: list[Size]) -> ResultType:
    """``tensor`` cut along ``place`` into pieces of ``sizes``."""
    return tuple(
        rearranged(tensor, (*tensor.shape[:place], size, *tensor.shape[place + 1 :]))
        for size in sizes
    )


def chunked(call: Call) -> ResultType:
    """``chunk(input, chunks, dim)``: pieces of ``ceil(size / chunks)``, the last may be smaller.

    An unknown size must divide evenly, so that the number of pieces is certain.
    """
    tensor = call.tensor()
    place = axis_of(call, tensor)
    positive(call, "chunks")
    chunks, size = integer(call, "chunks"), tensor.shape[place]
    total = known(call, size)
    require_few(call, chunks)
    if total is None or total % chunks == 0:
        said = f"dimension {place} of {tensor} is not divisible into {chunks}"
        error = RuleError("E0303", f"{said}{_other_dimension(call, tensor, place, chunks)}")
        call.require_equal(size % chunks, 0, error)
        return pieces(tensor, place, [size // chunks] * chunks)
    return pieces(tensor, place, _runs(total, -(-total // chunks)))


def _other_dimension(call: Call, tensor: TensorType, place: int, chunks: int) -> str:
    """What to say of a free size that is cut where the channels could be: ``; its last, 24, is:
    `dim=-1` ``."""
    last = known(call, tensor.shape[-1])
    if place == len(tensor.shape) - 1 or known(call, tensor.shape[place]) is not None:
        return ""
    return f"; its last, of {last}, is: `dim=-1`" if last is not None and last % chunks == 0 else ""


MOST_PIECES = 10_000


def require_few(call: Call, count: int) -> None:
    """E0307 for more results than a spec could name or loop over."""
    if count > MOST_PIECES:
        raise RuleError(
            "E0307", f"{call.name} would give {count:,} pieces; at most {MOST_PIECES:,} are given"
        )


def _runs(total: int, width: int) -> list[Size]:
    return [min(width, total - start) for start in range(0, total, width)]


def split(call: Call) -> ResultType:
    """``split(input, split_size_or_sections, dim)``: a width, or the sizes of the pieces."""
    tensor = call.tensor("tensor")
    place = axis_of(call, tensor)
    name, size = "split_size_or_sections", tensor.shape[place]
    given = call.args[name]
    if isinstance(given, tuple):
        sizes = as_sizes(call, name)
        at_least(call, name, 0, sizes)
        total: Size = 0
        for piece in sizes:
            total = total + piece
        call.require_equal(
            total,
            size,
            RuleError(
                "E0302",
                f"split: the pieces {bracketed(sizes)} add up to {total}, and dimension {place} of "
                f"{tensor} is {size}",
                argument=name,
            ),
        )
        return pieces(tensor, place, list(sizes))
    positive(call, name)
    width, whole = integer(call, name), known(call, size)
    if whole is None:
        raise RuleError(
            "E0308",
            f"split: the number of pieces of {width} in the unknown size {size} cannot be told",
            help="use chunk, which fixes their number",
            argument=name,
        )
    require_few(call, -(-whole // width))
    return pieces(tensor, place, _runs(whole, width))


def unbound(call: Call) -> ResultType:
    """``unbind(input, dim)``: one value for each place of ``dim``, whose size must be known."""
    tensor = call.tensor()
    place = axis_of(call, tensor)
    count = known(call, tensor.shape[place])
    if count is None:
        raise RuleError(
            "E0308",
            f"unbind: the number of results is the unknown size {tensor.shape[place]} of {tensor}",
            argument="dim",
        )
    require_few(call, count)
    shape = (*tensor.shape[:place], *tensor.shape[place + 1 :])
    return tuple(rearranged(tensor, shape) for _ in range(count))


def stretched(call: Call) -> TensorType:
    """``broadcast_to(input, size)``: sizes of 1 stretch, new dimensions come in front."""
    tensor = call.tensor()
    sizes = as_sizes(call, "size")
    new = len(sizes) - len(tensor.shape)
    if new < 0:
        raise RuleError(
            "E0301",
            f"{call.name} {bracketed(sizes)}: {tensor} has more dimensions",
            argument="size",
        )
    result: list[Size] = list(sizes[:new])
    for old, wanted in zip(tensor.shape, sizes[new:], strict=True):
        if call.value(wanted) == -1:
            result.append(old)
            continue
        if call.value(old) != 1:
            error = RuleError(
                "E0302",
                f"{call.name} {bracketed(sizes)}: {old} of {tensor} does not stretch to {wanted}",
                argument="size",
            )
            call.require_equal(old, wanted, error)
        result.append(wanted)
    at_least(call, "size", 0, result)
    return rearranged(tensor, tuple(result))


def raveled(call: Call) -> TensorType:
    """``ravel(input)``: all dimensions in one."""
    tensor = call.tensor()
    return rearranged(tensor, (product(tensor.shape),))


def tiled(call: Call) -> TensorType:
    """``tile(input, dims)``: each size times its count, aligned at the last dimension."""
    tensor = call.tensor()
    counts = as_sizes(call, "dims")
    at_least(call, "dims", 1, counts)
    rank = max(len(counts), len(tensor.shape))
    old = (1,) * (rank - len(tensor.shape)) + tensor.shape
    times = (1,) * (rank - len(counts)) + counts
    return rearranged(tensor, tuple(a * b for a, b in zip(old, times, strict=True)))
