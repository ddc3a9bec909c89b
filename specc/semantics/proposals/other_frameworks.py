"""Calls of numpy, JAX, Flax, TensorFlow and Keras said in a spec's form, where torch's function of
that name computes something else; and casts and infinity, which each calls otherwise.

The rows are ``catalog.advice.frameworks``. Non-goal: names that only differ in spelling
(``translation``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from specc import ir
from specc.catalog.advice.frameworks import (
    ARGUMENTS,
    CAST_NAMES,
    FAMILIES,
    FUNCTIONS,
    LAYER_DEFAULTS,
    ForeignFunction,
)
from specc.catalog.functions.elementwise import CASTS
from specc.errors import Span
from specc.semantics.compile_time.entities import Entity
from specc.semantics.naming.graph import Graph
from specc.semantics.proposals.call_forms import called, literal
from specc.semantics.proposals.python_forms import last_name, root
from specc.syntax.tree import ast

Say = Callable[[ast.Expression], ast.Expression]

# The function that casts to each dtype.
_CAST_TO = {"float32": "float", **{dtype: name for name, dtype in CASTS.items()}}
# What stands without a name in the calls that are made here.
_BARE = ("input", "repeats", "indices_or_sections", "q")


def family(graph: Graph, callee: ast.Expression) -> str | None:
    """Whose function ``callee`` is, if another framework's: of `nn`, torch has layers alone."""
    prefix = root(graph, callee)
    parts = _parts(callee)
    if prefix is None or "functional" in parts or "init" in parts:
        return None
    found = FAMILIES.get(prefix)
    if found == "flax" and parts[-1][:1].isupper():
        return None
    return found


def call_of(
    graph: Graph, node: ast.CallExpression, say: Say, rank: Callable[[ast.Expression], int | None]
) -> ast.Expression | None:
    """``node`` in the spec's form, where it is of another framework and torch's function of the
    name is another; None of any other. ``rank`` is how many dimensions a value has."""
    whose = family(graph, node.callee)
    name = last_name(node)
    if whose is None or not node.arguments:
        return None
    values = [(item.name, say(item.value)) for item in node.arguments]
    first = values[0][1]
    cast = CAST_NAMES.get(name)
    if cast is not None and whose == "numpy" and len(values) == 1:
        return called(cast, [(None, first)], node.span)
    if name == "transpose":
        return _transposed(values, rank(node.arguments[0].value), node.span)
    if name in ("dot", "matmul") and len(values) >= 2:
        return _product(values, node.span)
    if name == "one_hot" and whose != "numpy":
        made = called("one_hot", values, node.span)
        return called("float", [(None, made)], node.span)
    form = FUNCTIONS[whose].get(name)
    return None if form is None else _formed(form, values, node.span)


def _formed(
    form: ForeignFunction, values: Sequence[tuple[str | None, ast.Expression]], span: Span
) -> ast.Expression | None:
    given: dict[str, ast.Expression] = {}
    for place, (said, value) in enumerate(values):
        if said is None and place >= len(form.order):
            return None
        name = form.order[place] if said is None else ARGUMENTS.get(said, said)
        if name == "approximate" and isinstance(value, ast.Boolean):
            value = literal("tanh" if value.value else "none", span)
        if name in ("dtype", "out") or name in given:
            return None
        given[name] = value
    if form.wants is not None and form.wants not in given:
        return None
    name = form.name
    if name == "tensor_split" and form.more:
        # TensorFlow's list is of sizes, numpy's of places to cut at.
        name = "split" if isinstance(given.get("indices_or_sections"), ast.Sequence) else name
    for said, usual in {**form.added, **form.more}.items():
        given.setdefault(said, literal(usual, span))
    bare = [said for said in _BARE if said in given]
    rest = [said for said in given if said not in _BARE]
    arguments = [*((None, given[said]) for said in bare), *((said, given[said]) for said in rest)]
    made = called(name, arguments, span)
    if form.part is None:
        return made
    return ast.Subscript(span=span, value=made, indices=(literal(form.part, span),))


def _transposed(
    values: Sequence[tuple[str | None, ast.Expression]], rank: int | None, span: Span
) -> ast.Expression | None:
    value = values[0][1]
    if len(values) == 2:
        return called("permute", [(None, value), (None, values[1][1])], span)
    if len(values) == 1 and rank == 2:
        return ast.Attribute(span=span, value=value, name="T")
    if len(values) == 1 and rank is not None:
        order = tuple(literal(place, span) for place in reversed(range(rank)))
        turned = ast.Sequence(span=span, kind="tuple", items=order)
        return called("permute", [(None, value), (None, turned)], span)
    return None


def _product(
    values: Sequence[tuple[str | None, ast.Expression]], span: Span
) -> ast.Expression | None:
    sides = [value for _, value in values[:2]]
    for name, value in values[2:]:
        side = {"transpose_a": 0, "transpose_b": 1}.get(name or "")
        if side is None or not isinstance(value, ast.Boolean):
            return None
        if value.value:
            sides[side] = ast.Attribute(span=span, value=sides[side], name="mT")
    if len(values) == 2:
        return called("matmul", [(None, side) for side in sides], span)
    return ast.Binary(span=span, operator="@", left=sides[0], right=sides[1])


def _parts(node: ast.Expression) -> list[str]:
    """``["tf", "math", "mod"]`` of ``tf.math.mod``."""
    if isinstance(node, ast.Attribute):
        return [*_parts(node.value), node.name]
    return [node.name] if isinstance(node, ast.Name) else [""]


# ── layers ───────────────────────────────────────────────────────────────────────────────────────


def settings_of_keras(
    graph: Graph, callee: ast.Expression, layer: str, arguments: tuple[ast.Argument, ...]
) -> tuple[ast.Argument, ...]:
    """The arguments of a layer of torch's that compute as Keras' or Flax' do where these name
    another thing: the momentum of a norm is the share that is kept, and here the one that is
    taken; some defaults are others."""
    name = last_name(callee)
    said = tuple(_momentum(item, name, layer) for item in arguments)
    said = tuple(item for item in said if not _is_the_usual_axis(item, layer))
    keras = family(graph, callee) == "tensorflow" or name.endswith(("Pooling1D", "Pooling2D",
                                                                    "Pooling3D"))  # fmt: skip
    if not keras or any(item.name is None for item in said):
        return said
    given = {item.name for item in said} | (
        {"negative_slope"} if "alpha" in _names(said) else set()
    )
    given |= {"kernel_size"} if "pool_size" in _names(said) else set()
    given |= {"dim"} if "axis" in _names(said) else set()
    added = LAYER_DEFAULTS.get(layer, {})
    return said + tuple(
        ast.Argument(
            span=callee.span,
            name=None if key == "kernel_size" else key,
            value=literal(value, callee.span),
        )
        for key, value in added.items()
        if key not in given
    )


def _names(arguments: Sequence[ast.Argument]) -> set[str | None]:
    return {item.name for item in arguments}


def _momentum(item: ast.Argument, name: str, layer: str) -> ast.Argument:
    theirs = name in ("BatchNormalization", "BatchNorm") and layer.startswith("BatchNorm")
    if not theirs or item.name != "momentum" or not isinstance(item.value, ast.Number):
        return item
    taken = float(f"{1 - item.value.value:.12g}")
    return item.model_copy(update={"value": literal(taken, item.span)})


def _is_the_usual_axis(item: ast.Argument, layer: str) -> bool:
    """Whether ``axis`` says what torch's norms do: the channels, the last of what is normalized."""
    if item.name != "axis" or not layer.endswith(("Norm", "Norm1d", "Norm2d", "Norm3d")):
        return False
    last = isinstance(item.value, ast.Unary) and layer == "LayerNorm"
    channels = isinstance(item.value, ast.Number) and item.value.value == 1
    return last or (channels and layer != "LayerNorm")


# ── casts ────────────────────────────────────────────────────────────────────────────────────────


def cast_to(
    graph: Graph, wanted: ast.Expression, type_of: Callable[[ast.Expression], Entity]
) -> str | None:
    """The function that casts to what ``wanted`` names: ``torch.float16``, ``"float32"``, ``int``,
    or to the type of another value, ``y`` or ``y.dtype``."""
    if isinstance(wanted, ast.String):
        return CAST_NAMES.get(wanted.value.rpartition(".")[2])
    if isinstance(wanted, ast.Attribute) and wanted.name == "dtype":
        wanted = wanted.value
    elif isinstance(wanted, ast.Attribute) and root(graph, wanted) is not None:
        return CAST_NAMES.get(wanted.name)
    if isinstance(wanted, ast.Name) and wanted.name not in graph.env:
        # Python's `int` is torch's `int64`.
        return "long" if wanted.name == "int" else CAST_NAMES.get(wanted.name)
    entity = type_of(wanted)
    return _CAST_TO.get(entity.type.dtype) if isinstance(entity, ir.Value) else None
