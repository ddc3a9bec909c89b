"""Generated calls of the layers that move a window over an image, convolutions and poolings; and
what the generators of all layers share.

A case is (arguments, tensor types). Non-goal: judging them, which ``test_catalog_layers`` does.
"""

from __future__ import annotations

from typing import Any

from catalog_oracle import floats
from hypothesis import strategies as st

from specc.catalog.rows import LayerRow
from specc.ir import TensorType

Case = tuple[dict[str, Any], dict[str, Any]]
Draw = Any

small = st.integers(1, 4)


def either(draw: Draw, size: st.SearchStrategy[int], count: int) -> Any:
    """One size, or one for each dimension."""
    return draw(size | st.tuples(*([size] * count)))


def stretched(draw: Draw, size: st.SearchStrategy[int], count: int) -> Any:
    """As ``either``, or one in a tuple, which torch stretches."""
    found = either(draw, size, count)
    return (found,) if isinstance(found, int) and draw(st.integers(0, 3)) == 0 else found


def image(draw: Draw, dims: int, channels: int, low: int = 1, high: int = 11) -> TensorType:
    """A batch of images with ``dims`` dimensions; now and then one without a batch."""
    spatial = [draw(st.integers(low, high)) for _ in range(dims)]
    shape = [draw(small), channels, *spatial]
    if draw(st.integers(0, 19)) == 0:
        shape = shape[draw(st.integers(1, 2)) :]
    return floats(*shape)


def dims_of(row: LayerRow) -> int:
    """The number in the row's name: 2 of ``Conv2d``."""
    return int(row.name[-2])


def convolution(draw: Draw, row: LayerRow) -> Case:
    dims, groups = dims_of(row), draw(st.integers(1, 3))
    multiple = st.integers(1, 3)
    args = {
        "out_channels": groups * draw(multiple) + draw(st.sampled_from([0, 0, 0, 0, 1])),
        "kernel_size": either(draw, small, dims),
        "stride": stretched(draw, small, dims),
        "dilation": stretched(draw, st.integers(1, 2), dims),
        "groups": groups,
        "bias": draw(st.booleans()),
    }
    if row.name.startswith("ConvTranspose"):
        args["padding"] = either(draw, st.integers(0, 3), dims)
        args["output_padding"] = either(draw, st.sampled_from([0, 0, 0, 1, 2]), dims)
    else:
        args["padding"] = draw(
            st.integers(0, 3)
            | st.tuples(*([st.integers(0, 3)] * dims))
            | st.tuples(st.integers(0, 3))
            | st.sampled_from(["same", "valid"])
        )
        args["padding_mode"] = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
    channels = groups * draw(multiple) + draw(st.sampled_from([0, 0, 0, 0, 1]))
    return args, {"input": image(draw, dims, channels)}


def pooling(draw: Draw, row: LayerRow) -> Case:
    dims = dims_of(row)
    for start, make in _POOLINGS.items():
        if row.name.startswith(start):
            return make(draw, dims)
    if row.name.startswith("Adaptive"):
        sizes = either(draw, small, dims)
        if isinstance(sizes, tuple) and dims > 1:
            sizes = tuple(draw(st.sampled_from([size, size, None])) for size in sizes)
        args: dict[str, Any] = {"output_size": sizes}
        if "Max" in row.name:
            args["return_indices"] = draw(st.booleans())
        return args, {"input": image(draw, dims, draw(small))}
    args = {
        "kernel_size": stretched(draw, small, dims),
        "stride": draw(st.none() | small | st.tuples(*([small] * dims)) | st.tuples(small)),
        "padding": stretched(draw, st.sampled_from([0, 0, 0, 1, 2]), dims),
        "ceil_mode": draw(st.booleans()),
    }
    if row.name.startswith("Max"):
        args["dilation"] = either(draw, st.integers(1, 2), dims)
        args["return_indices"] = draw(st.booleans())
    else:
        args["count_include_pad"] = draw(st.booleans())
    return args, {"input": image(draw, dims, draw(small), low=draw(st.sampled_from([1, 4])))}


def _power(draw: Draw, dims: int) -> Case:
    args = {
        "norm_type": draw(st.sampled_from([1.0, 2.0, 2.5, 0.0, -1.0])),
        "kernel_size": draw(small) if dims == 1 else either(draw, small, dims),
        "stride": draw(st.none() | small | st.tuples(*([small] * dims))),
        "ceil_mode": draw(st.booleans()),
    }
    return args, {"input": image(draw, dims, draw(small))}


def _fractional(draw: Draw, dims: int) -> Case:
    args: dict[str, Any] = {
        "kernel_size": either(draw, small, dims),
        "return_indices": draw(st.booleans()),
    }
    if draw(st.integers(0, 9)):
        args["output_size"] = either(draw, small, dims)
    if draw(st.booleans()):
        if draw(st.integers(0, 9)):
            args.pop("output_size", None)
        ratio = st.sampled_from([0.25, 0.5, 0.75, 0.5, 0.3, 1.5])
        args["output_ratio"] = draw(ratio | st.tuples(*([ratio] * dims)))
    return args, {"input": image(draw, dims, draw(small), low=draw(st.sampled_from([1, 6])))}


def _unpooled(draw: Draw, dims: int) -> Case:
    kernel = either(draw, small, dims)
    args: dict[str, Any] = {
        "kernel_size": kernel,
        "stride": draw(st.none() | small | st.tuples(*([small] * dims))),
        "padding": either(draw, st.sampled_from([0, 0, 0, 1]), dims),
    }
    given = image(draw, dims, draw(small), high=5)
    places = list(given.shape)
    if draw(st.integers(0, 9)) == 0:
        places[-1] += 1
    if draw(st.integers(0, 2)) == 0:
        each = [args[name] if isinstance(args[name], tuple) else (args[name],) * dims
                for name in ("kernel_size", "stride", "padding")]  # fmt: skip
        steps = each[0] if args["stride"] is None else each[1]
        wanted = [
            (size - 1) * step - 2 * pad + width + draw(st.sampled_from([0, 0, 1, -1, 2]))
            for size, width, step, pad in zip(
                given.shape[-dims:], each[0], steps, each[2], strict=True
            )
        ]
        args["output_size"] = tuple(wanted if draw(st.booleans()) else (*given.shape[:2], *wanted))
    return args, {"input": given, "indices": TensorType("int64", tuple(places))}


_POOLINGS = {"LP": _power, "Fractional": _fractional, "MaxUnpool": _unpooled}
