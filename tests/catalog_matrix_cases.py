"""Generated calls of products, linear algebra and Fourier transforms."""

from __future__ import annotations

from typing import Any

from catalog_case_parts import Case, Draw, partner, seldom, small, tensor_of
from catalog_oracle import floats, index
from hypothesis import strategies as st

from specc.catalog.rows import FunctionRow
from specc.ir import TensorType


def matrix(draw: Draw, row: FunctionRow) -> Case:
    n, m, p, b = draw(small), draw(small), draw(small), draw(small)
    wrong = draw(st.sampled_from([0, 0, 0, 1]))
    if row.name in _PRODUCTS:
        return _product(draw, row, (n, m, p, b), wrong)
    if row.name == "matmul":
        left, right = [b, n, m], [draw(st.sampled_from([b, 1])), m + wrong, p]
        cut, other = draw(st.integers(0, 3)), draw(st.integers(0, 3))
        right = [m] if other == 2 else right[other:]
        return {}, {"input": floats(*left[cut:]), "other": floats(*right)}
    if row.name == "bmm":
        right = [b, m + wrong, p][draw(st.sampled_from([0, 0, 0, 1])) :]
        return {}, {"input": floats(b, n, m), "mat2": floats(*right)}
    if row.name == "baddbmm":
        added = floats(*draw(st.sampled_from([(b, n, p), (n, p), (p,), (b, 1, p), (), (b, n, 7)])))
        pair = {"batch1": floats(b, n, m), "batch2": floats(b, m + wrong, p)}
        return {"beta": 0.5}, {"input": added, **pair}
    if row.name == "cdist":
        cut = draw(st.integers(0, 2))
        return {}, {"x1": floats(*[b, n, m][cut:]), "x2": floats(b, p, m + wrong)}
    if row.name == "bilinear":
        return _bilinear(draw, (n, m, p, b), wrong)
    if row.name == "pdist":
        points = tensor_of(draw, 2, 3 if seldom(draw) else 2, dtype="float")
        return {"p": draw(st.sampled_from([2.0, 1.0, -1.0]))}, {"input": points}
    if row.name == "trace":
        return {}, {"input": tensor_of(draw, 2, 3 if seldom(draw) else 2)}
    if row.name == "embedding_bag":
        return _embedding_bag(draw, (n, m, p, b))
    if row.name == "embedding":
        table = floats(n + 2, *[m, p][: draw(st.sampled_from([1, 1, 2]))])
        tensor = draw(st.sampled_from([index(n + 2, b, p), index(9, b), floats(b)]))
        return {"padding_idx": draw(st.none() | st.integers(-5, 5))}, {
            "input": tensor,
            "weight": table,
        }
    if row.name.endswith("_norm"):
        over = draw(st.sampled_from([(p,), (m, p)]))
        extra: dict[str, Any] = {"input": floats(b, m, p)}
        for name in ("weight", "bias"):
            if name in row.by_name and draw(st.booleans()):
                extra[name] = floats(*over[:-1], over[-1] + draw(st.sampled_from([0, 0, 0, 1])))
        return {"normalized_shape": (*over[:-1], over[-1] + wrong)}, extra
    if row.name == "linear":
        tensors: dict[str, Any] = {
            "input": floats(*[b, n, m][draw(st.integers(0, 3)) :]),
            "weight": floats(p, m + wrong),
        }
        if draw(st.booleans()):
            tensors["bias"] = floats(p + draw(st.sampled_from([0, 0, 1])))
        return {}, tensors
    if row.name in ("cosine_similarity", "pairwise_distance"):
        one = tensor_of(draw, dtype="float")
        other_type = partner(draw, one)
        settings = {"dim": draw(st.integers(-2, 2))} if "dim" in row.by_name else {"keepdim": True}
        return settings, {"x1": one, "x2": floats(*other_type.shape)}
    if row.name == "einsum":
        return _einsum(draw, (n, m, p, b), wrong)
    return _attention(draw, (n, m, p, b), wrong)


def _einsum(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    n, m, p, b = sizes
    equation, shapes = draw(
        st.sampled_from(
            [
                ("bij,bjk->bik", [(b, n, m), (b, m + wrong, p)]),
                ("ij,j", [(n, m), (m + wrong,)]),
                ("ii->i", [(n, n + wrong)]),
                ("...ij->...ji", [(b, p, n, m)]),
                ("...i,...i->...", [(b, n, m), (n, m)]),
                ("ij->", [(n, m)]),
                ("ij->k", [(n, m)]),
                ("ij,jk", [(n, m)]),
                ("ijk->i", [(n, m)]),
                ("b n i, b m i -> b n m", [(b, n, p), (b, m, p)]),
                ("i,i->i", [(n,), (1,)]),
            ]
        )
    )
    return {"equation": equation}, {"operands": tuple(floats(*shape) for shape in shapes)}


def _attention(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    length, source, width, batch = sizes
    heads = draw(st.integers(1, 2))
    lead = draw(st.sampled_from([(batch, heads), (batch,), ()]))
    args: dict[str, Any] = {"is_causal": draw(st.booleans())}
    tensors: dict[str, Any] = {
        "query": floats(*lead, length, width),
        "key": floats(*lead, source, width + wrong),
        "value": floats(*lead, source, draw(small)),
    }
    if seldom(draw, 9):
        args["enable_gqa"] = True
        for name in ("key", "value"):
            other = draw(st.sampled_from([lead, lead[:-1], (1, 1), (2,)]))
            tensors[name] = floats(*other, *tensors[name].shape[len(lead) :])
        lead = ()
    elif len(lead) == 2 and draw(st.booleans()):
        args["enable_gqa"] = True
        groups = heads * draw(st.integers(1, 2)) + draw(st.sampled_from([0, 0, 1]))
        tensors["query"] = floats(batch, groups, length, width)
        lead = (batch, groups)
    elif draw(st.booleans()):
        other = draw(st.sampled_from([lead, lead[1:], (1, *lead[1:]), (2, *lead)]))
        for name in ("key", "value"):
            tensors[name] = floats(*other, *tensors[name].shape[len(lead) :])
        lead = ()
    if draw(st.booleans()):
        dtype = draw(st.sampled_from(["bool", "float", "int64"]))
        shape = draw(
            st.sampled_from(
                [(*lead, length, source), (length, source), (1, source), (3, length, source), (1,)]
            )
        )
        tensors["attn_mask"] = TensorType(dtype, shape)
    return args, tensors


def _bilinear(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    n, m, p, b = sizes
    lead = draw(st.sampled_from([(), (b,), (b, 2)]))
    tensors: dict[str, Any] = {
        "input1": floats(*lead, n),
        "input2": floats(*lead, m + wrong),
        "weight": floats(*[p, n, m][: 2 if seldom(draw) else 3]),
    }
    if draw(st.booleans()):
        tensors["bias"] = floats(p + draw(st.sampled_from([0, 0, 1])))
    return {}, tensors


def _embedding_bag(draw: Draw, sizes: tuple[int, ...]) -> Case:
    n, m, p, b = sizes
    tensor = draw(
        st.sampled_from([index(n + 2, b, p), index(n + 2, b, p), index(9, b, 2), floats(b, p)])
    )
    if seldom(draw):
        tensor = index(n + 2, b)
    args: dict[str, Any] = {
        "mode": draw(st.sampled_from(["sum", "mean", "max"])),
        "padding_idx": draw(st.none() | st.integers(-5, 5)),
        "scale_grad_by_freq": draw(st.sampled_from([False, False, True])),
    }
    return args, {"input": tensor, "weight": floats(n + 2, m)}


# ── products ─────────────────────────────────────────────────────────────────────────────────────

_KIND = st.sampled_from(["float", "float", "float", "int64", "complex", "bool"])


def _product(draw: Draw, row: FunctionRow, sizes: tuple[int, ...], wrong: int) -> Case:
    """Tensors of one dtype, mostly, of the shapes that the row wants, with a size too many."""
    args, shapes = _PRODUCTS[row.name](draw, sizes, wrong)
    kind = draw(_KIND)
    tensors = {
        name: TensorType("float" if seldom(draw, 9) else kind, tuple(shape))
        for name, shape in shapes.items()
    }
    if seldom(draw):
        last = list(tensors)[-1]
        tensors[last] = TensorType(kind, (*tensors[last].shape, 2))
    if "tensors" in row.by_name:
        return args, {"tensors": tuple(tensors.values())}
    return args, tensors


def _mm(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    n, m, p, _ = sizes
    return {}, {"input": (n, m), "mat2": (m + wrong, p)}


def _mv(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    n, m, _, _ = sizes
    return {}, {"input": (n, m), "vec": (m + wrong,)}


def _scaled(draw: Draw) -> dict[str, Any]:
    return {"beta": draw(st.sampled_from([1, 2, 0.5])), "alpha": draw(st.sampled_from([1, 2]))}


def _addmm(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    n, m, p, _ = sizes
    added = draw(st.sampled_from([(n, p), (p,), (n, 1), (), (n, 7)]))
    return _scaled(draw), {"input": added, "mat1": (n, m), "mat2": (m + wrong, p)}


def _addmv(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    n, m, _, _ = sizes
    added = draw(st.sampled_from([(n,), (1,), (), (7,)]))
    return _scaled(draw), {"input": added, "mat": (n, m), "vec": (m + wrong,)}


def _addbmm(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    n, m, p, b = sizes
    added = draw(st.sampled_from([(n, p), (p,), (), (n, 7)]))
    shapes = {"input": added, "batch1": (b, n, m), "batch2": (b, m + wrong, p)}
    return _scaled(draw), shapes


def _addr(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    n, m, _, _ = sizes
    added = draw(st.sampled_from([(n, m), (m,), (n, 1), (), (n, 7)]))
    return _scaled(draw), {"input": added, "vec1": (n,), "vec2": (m,)}


def _vectors(other: str) -> Any:
    def make(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
        return {}, {"input": (sizes[0],), other: (sizes[0] + wrong,)}

    return make


def _outer(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    return {}, {"input": (sizes[0],), "vec2": (sizes[1],)}


def _inner(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    n, m, p, b = sizes
    lead = draw(st.sampled_from([(), (b,), (b, p)]))
    return {}, {"input": draw(st.sampled_from([(*lead, n), ()])), "other": (m, n + wrong)}


def _kron(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    cut = draw(st.integers(0, 4))
    return {}, {"input": sizes[cut:], "other": sizes[: draw(st.integers(0, 3))]}


def _tensordot(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    n, m, p, b = sizes
    dims, left, right = draw(
        st.sampled_from(
            [
                (1, (n, m), (m + wrong, p)),
                (2, (b, n, m), (n, m + wrong, p)),
                (0, (n,), (m, p)),
                (3, (n, m), (n, m)),
                (((1,), (0,)), (n, m), (m + wrong, p)),
                (((0, -1), (1, 0)), (n, p, m), (m + wrong, n, b)),
                (((0,), (0, 1)), (n, m), (n, m)),
                (((5,), (0,)), (n, m), (n, m)),
                (((0, 0), (0, 1)), (n, m), (n, n)),
                ((0, 0), (n, m), (n, p)),
            ]
        )
    )
    return {"dims": dims}, {"a": left, "b": right}


def _chain(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    n, m, p, b = sizes
    whole: list[tuple[int, ...]] = [(n, m), (m + wrong, p), (p, b)]
    rows = whole[: draw(st.integers(1, 3))]
    if draw(st.booleans()):
        rows[0] = rows[0][1:]
    if len(rows) == 3 and draw(st.booleans()):
        rows[2] = (p,)
    return {}, {str(number): shape for number, shape in enumerate(rows)}


def _cross(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    n, m, _, _ = sizes
    at = draw(st.integers(-2, 1))
    sides = [[n, m], [draw(st.sampled_from([n, n, 1])), m]]
    for side, width in zip(sides, (3, 3 + wrong), strict=True):
        side.insert(at % 3, width)
    return {"dim": at}, {"input": tuple(sides[0]), "other": tuple(sides[1])}


def _vecdot(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    n, m, _, _ = sizes
    left = draw(st.sampled_from([(n, m), (m,), (n, 1)]))
    return {"dim": draw(st.sampled_from([-1, 0, 1]))}, {"x": left, "y": (n, m + wrong)}


def _dist(draw: Draw, sizes: tuple[int, ...], wrong: int) -> Case:
    n, m, _, _ = sizes
    return {"p": draw(st.sampled_from([2, 1, 0]))}, {"input": (n, m), "other": (m + wrong,)}


_PRODUCTS: dict[str, Any] = {
    "mm": _mm,
    "mv": _mv,
    "addmm": _addmm,
    "addmv": _addmv,
    "addbmm": _addbmm,
    "addr": _addr,
    "dot": _vectors("tensor"),
    "vdot": _vectors("other"),
    "vecdot": _vecdot,
    "outer": _outer,
    "inner": _inner,
    "kron": _kron,
    "tensordot": _tensordot,
    "multi_dot": _chain,
    "cross": _cross,
    "dist": _dist,
}
