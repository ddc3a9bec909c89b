"""Types as written to tensor types: ``float[N, 3, H, W]``, ``index(10)[N]``, ``normal[N, latent]``.

A name inside the brackets that nothing has is a new unknown size. Non-goal: types of params.
"""

from __future__ import annotations

from typing import Final

from specc import ir
from specc.errors import TooLarge
from specc.semantics.blocks.expressions import elaborate
from specc.semantics.compile_time import size_names
from specc.semantics.compile_time.entities import POISON, Poison, describe, is_poisoned
from specc.semantics.compile_time.free_names import check_name
from specc.semantics.naming.graph import MOST_DIMENSIONS, Graph
from specc.sizes import Poly, Size, evaluate, symbol
from specc.suggestions import did_you_mean, meant
from specc.syntax.tree import ast

# The language's word to torch's dtype; `float` and `complex` are of the precision that the run
# chooses.
DTYPES: Final = {
    "float": "float",
    "float16": "float16",
    "float32": "float32",
    "float64": "float64",
    "bfloat16": "bfloat16",
    "int": "int64",
    "int8": "int8",
    "int16": "int16",
    "int32": "int32",
    "int64": "int64",
    "uint8": "uint8",
    "bool": "bool",
    "complex": "complex",
    "complex64": "complex64",
    "complex128": "complex128",
}
MEANINGS: Final = ("index", "unit", "normal")
# Unknown sizes of one model or block: each condition on one is put into the others.
MOST_SIZES: Final = 128


# What others call a type.
_OTHER_NAMES: Final = {
    "long": "int", "integer": "int", "i64": "int64", "i32": "int32", "double": "float64",
    "f32": "float32", "f64": "float64", "f16": "float16", "half": "float16", "bf16": "bfloat16",
    "boolean": "bool", "tensor": "float", "array": "float", "ndarray": "float", "byte": "uint8",
    "noise": "normal", "gaussian": "normal", "randn": "normal",
}  # fmt: skip


def tensor_type(graph: Graph, written: ast.TypeExpression) -> ir.TensorType | None:
    """The type, or None where something was reported."""
    name = written.name
    if name not in DTYPES and name not in MEANINGS:
        tensor = name.removesuffix("Tensor") != name
        graph.error(
            "E0223",
            f"there is no type `{name}`",
            written.span,
            meant("float" if tensor else _OTHER_NAMES[name])
            if tensor or name in _OTHER_NAMES
            else did_you_mean(
                name,
                [*DTYPES, *MEANINGS],
                f"one of {', '.join(DTYPES)}, or with a meaning: index(k), unit, normal",
            ),
        )
        return None
    if written.sizes is None:
        graph.error(
            "E0223",
            f"`{name}` wants its sizes",
            written.span,
            f"write `{name}[N]`, or `{name}[]` for a single number",
        )
        return None
    if len(written.sizes) > MOST_DIMENSIONS:
        graph.error(
            "E0250",
            f"a tensor has at most {MOST_DIMENSIONS} dimensions, and this has {len(written.sizes)}",
            written.span,
        )
        return None
    classes = _classes(graph, written)
    sizes = [_size(graph, size) for size in written.sizes]
    if classes is POISON or any(size is None for size in sizes):
        return None
    shape = tuple(size for size in sizes if size is not None)
    if name == "index":
        assert isinstance(classes, int | Poly)
        return ir.TensorType("int64", shape, "index", classes)
    if name == "unit":
        return ir.TensorType("float", shape, "unit")
    if name == "normal":
        return ir.TensorType("float", shape, "normal")
    return ir.TensorType(DTYPES[name], shape)


def _classes(graph: Graph, written: ast.TypeExpression) -> Size | Poison | None:
    if written.argument is None:
        if written.name == "index":
            graph.error(
                "E0223", "`index` wants the number of classes", written.span, "write `index(10)[N]`"
            )
            return POISON
        return None
    if written.name != "index":
        graph.error(
            "E0223", f"`{written.name}` takes no argument", written.argument.span,
            f"write `{written.name}[...]`",
        )  # fmt: skip
        return POISON
    value = elaborate(graph, written.argument)
    if is_poisoned(value):
        return POISON
    if isinstance(value, bool) or not isinstance(value, int | Poly):
        graph.error(
            "E0223", f"the number of classes is a whole number, not {describe(value)}",
            written.argument.span,
        )  # fmt: skip
        return POISON
    known = evaluate(value, graph.params)
    if isinstance(known, int) and known < 1:
        graph.error("E0223", f"there cannot be {known} classes", written.argument.span)
        return POISON
    return value


def _intended(graph: Graph, written: ast.Name) -> Size | None:
    """What a new name was meant to be, where it is another one typed wrong, which is reported:
    E0312. It stands for that from here on."""
    sizes = [name for name in graph.env if name in graph.dimensions]
    params = [name for name, entity in graph.env.items()
              if isinstance(entity, int | Poly) and name not in graph.dimensions]  # fmt: skip
    name = size_names.meant(written.name, params, sizes)
    if name is None:
        return None
    what = "size" if name in graph.dimensions else "param"
    graph.error(
        "E0312",
        f"`{written.name}` would be a new size, and there is a {what} `{name}`",
        written.span,
        f"{meant(name)} A size of its own wants a name that is less like it",
    )
    found = graph.env[written.name] = graph.env[name]
    return found if isinstance(found, int | Poly) else None


def _size(graph: Graph, written: ast.Expression) -> Size | None:
    if isinstance(written, ast.Name) and written.name not in graph.env:
        if not check_name(
            written.name, written.span, graph.collector, "size", graph.catalogue.globals
        ):
            return None
        if graph.is_foreign(written.name, written.span):
            return None
        intended = _intended(graph, written)
        if intended is not None:
            return intended
        graph.env[written.name] = symbol(written.name)
        graph.dimensions[written.name] = written.span
        if len(graph.dimensions) > MOST_SIZES:
            fault = TooLarge(
                f"this {graph.kind} has more than {MOST_SIZES} sizes that only a run knows",
                help="give those that are fixed a number or a param",
            )
            fault.span = written.span
            raise fault
        return symbol(written.name)
    value = elaborate(graph, written)
    if is_poisoned(value):
        return None
    if isinstance(value, bool) or not isinstance(value, int | Poly):
        graph.error(
            "E0223", f"a size is a whole number or a name, not {describe(value)}", written.span
        )
        return None
    known = evaluate(value, graph.params)
    if isinstance(known, int) and known < 1:
        advice = "an unknown size is a name: `N`" if known == -1 else None
        graph.error("E0223", f"a size is at least 1, not {known}", written.span, advice)
        return None
    return value
