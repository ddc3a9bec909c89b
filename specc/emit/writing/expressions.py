"""IR operands and nodes to Python expressions.

A ``Naming`` says how values, sizes and params are called where the expression stands; everything
else follows from the catalogue's rows. Non-goal: which expressions become statements."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import eq, ge, gt, le, lt, ne
from typing import Final, cast

from specc import ir
from specc.catalog.rows import FunctionRow, Row
from specc.emit.writing.folding import combined, extreme, negative
from specc.emit.writing.method_parts import Leaf
from specc.emit.writing.methods import as_method
from specc.emit.writing.portable import written_alike
from specc.sizes import (
    Atom,
    Cut,
    Entry,
    Extreme,
    Power,
    Size,
    as_multiple_of_remainder,
    as_remainder,
    powers,
)

_OPERATORS: Final[dict[str, type[ast.operator]]] = {
    "+": ast.Add,
    "-": ast.Sub,
    "*": ast.Mult,
    "/": ast.Div,
    "//": ast.FloorDiv,
    "%": ast.Mod,
    "**": ast.Pow,
    "@": ast.MatMult,
}
_COMPARISONS: Final[dict[str, type[ast.cmpop]]] = {
    "==": ast.Eq,
    "!=": ast.NotEq,
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
}
_COMPARED: Final[dict[type[ast.cmpop], Callable[[int, int], bool]]] = {
    ast.Eq: eq,
    ast.NotEq: ne,
    ast.Lt: lt,
    ast.LtE: le,
    ast.Gt: gt,
    ast.GtE: ge,
}
_LARGEST_PRODUCT: Final = 4
# The casts that TorchScript knows no method of.
_NO_METHODS: Final = frozenset(["bfloat16", "bool"])
# What a compile-time function is written as, where it is not one of Python's module ``math``.
_BUILT_IN: Final = frozenset(["abs", "float", "max", "min", "round"])


@dataclass(frozen=True, slots=True)
class Naming:
    """How things are called in one function: tensors, params, and the sizes of inputs."""

    value: Callable[[ir.Value], ast.expr]
    param: Callable[[str], ast.expr]
    size: Callable[[str], ast.expr]
    # What gives a made tensor its device and precision: a tensor, a floating one.
    device: Callable[[], ast.expr]
    precision: Callable[[], ast.expr]
    # How the layer at a path is reached, and the variable that holds just these values as a list.
    layer: Callable[[str], ast.expr]
    sequence: Callable[[tuple[ir.Operand, ...]], ast.expr | None]
    # Whether it is a constructor: what is made there has torch's default precision and device.
    making: bool = False


def dotted(path: str) -> ast.expr:
    """``torch.nn.functional`` as an expression."""
    first, *rest = path.split(".")
    node: ast.expr = ast.Name(first)
    for part in rest:
        node = ast.Attribute(node, part)
    return node


def path_expression(base: ast.expr, path: str) -> ast.expr:
    """``self.h[0].attn`` of ``h.0.attn``: numbers are positions in a list of layers."""
    node = base
    for part in path.split(".") if path else ():
        if part.isdigit():
            node = ast.Subscript(node, ast.Constant(int(part)), ast.Load())
        else:
            node = ast.Attribute(node, part, ast.Load())
    return node


def call(function: ast.expr, *args: ast.expr, **keywords: ast.expr) -> ast.Call:
    """``function(*args, **keywords)``."""
    return ast.Call(
        function,
        list(args),
        [ast.keyword(key, value) for key, value in keywords.items()],
    )


def loop_target(names: Sequence[str]) -> ast.expr:
    """What a loop assigns: a name, or one for each place of a row."""
    stores: list[ast.expr] = [ast.Name(name, ast.Store()) for name in names]
    return stores[0] if len(stores) == 1 else ast.Tuple(stores, ast.Store())


def of_size(size: Size, naming: Naming) -> ast.expr:
    """A symbolic size as Python arithmetic on the names of its symbols."""
    if isinstance(size, int):
        return ast.Constant(size) if size >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-size))
    if size.written is not None and (naming.making or size.written[0] != "**"):
        # A forward has no power of sizes: TorchScript makes floats of the powers of ints.
        symbol, *sides = size.written
        left, right = (of_size(each, naming) for each in sides)
        return operation(symbol, left, right) if symbol == "**" else combined(
            left, _OPERATORS[symbol](), right
        )  # fmt: skip
    multiple = as_multiple_of_remainder(size)
    if multiple is not None:
        return operation("*", of_size(multiple[0], naming), of_size(multiple[1], naming))
    remainder = as_remainder(size)
    if remainder is not None:
        return combined(
            of_size(remainder[0], naming), ast.Mod(), of_size(remainder[1], naming)
        )  # fmt: skip
    total: ast.expr | None = None
    for monomial, factor in size.terms:
        atoms: list[ast.expr] = []
        for atom, power in powers(monomial):
            # A power of a size is a product: TorchScript makes floats of the powers of ints.
            short = isinstance(atom, str) and power <= _LARGEST_PRODUCT
            atoms += [_atom(atom, 1, naming)] * power if short else [_atom(atom, power, naming)]
        if abs(factor) != 1 or not atoms:
            atoms.insert(0, ast.Constant(abs(factor)))
        product = atoms[0]
        for factor_ in atoms[1:]:
            product = combined(product, ast.Mult(), factor_)
        if total is None:
            total = product if factor > 0 else negative(product)
        else:
            total = combined(total, ast.Add() if factor > 0 else ast.Sub(), product)
    assert total is not None
    return total


def _atom(atom: Atom, power: int, naming: Naming) -> ast.expr:
    if power > 1:
        return operation("**", _atom(atom, 1, naming), ast.Constant(power))
    if isinstance(atom, str):
        return naming.size(atom)
    if isinstance(atom, Power):
        exponent = of_size(atom.exponent, naming)
        if isinstance(exponent, ast.Constant) and isinstance(exponent.value, int):
            return ast.Constant(atom.base**exponent.value)  # in a round that stands alone
        return operation("**", ast.Constant(atom.base), exponent)
    if isinstance(atom, Entry):
        return _entry(atom, naming)
    if isinstance(atom, Extreme):
        if atom.kind == "max" and len(atom.sizes) == 2 and atom.sizes[0] == -atom.sizes[1]:
            # Of the two, the one that reads better: `abs(depth - 5)`.
            positive = min(atom.sizes, key=lambda size: str(size).startswith("-"))
            return call(ast.Name("abs"), of_size(positive, naming))
        return extreme(atom.kind, [of_size(each, naming) for each in atom.sizes])
    return combined(
        of_size(atom.numerator, naming), ast.FloorDiv(), of_size(atom.denominator, naming)
    )  # fmt: skip


def _entry(entry: Entry, naming: Naming) -> ast.expr:
    """``widths[k]``, ``len(depths)``, ``sum(depths[:k])``."""
    found = naming.param(entry.param)
    for index in entry.path:
        inner: ast.expr
        if isinstance(index, Cut):
            bounds = (None if each is None else of_size(each, naming)
                      for each in (index.lower, index.upper))  # fmt: skip
            inner = ast.Slice(*bounds)
        else:
            inner = of_size(index, naming)
        found = ast.Subscript(found, inner, ast.Load())
    return call(ast.Name(entry.function), found) if entry.function else found


def of_static(static: ir.Static, naming: Naming) -> ast.expr:
    """A compile-time value: a literal, or an expression over params."""
    if isinstance(static, ir.Scalar):
        return _form(static.form, naming)
    if isinstance(static, ir.LayerChoice):
        from specc.emit.writing.chosen_layers import (
            written,  # a circle of two: it writes settings with this
        )

        return written(static, naming)
    if isinstance(static, ir.TupleParam):
        return _entry(static.entry, naming)
    if isinstance(static, tuple):
        return ast.Tuple([of_static(item, naming) for item in static], ast.Load())
    if isinstance(static, bool) or static is None or isinstance(static, str):
        return ast.Constant(static)
    if isinstance(static, float):
        if static < 0 and static != -math.inf:  # which is written in one: float("-inf")
            return ast.UnaryOp(ast.USub(), ast.Constant(-static))
        return ast.Constant(static)
    return of_size(static, naming)


def _form(form: ir.FormPart, naming: Naming) -> ast.expr:
    match form:
        case ir.ParamForm(param):
            return naming.param(param)
        case ir.EntryForm(entry):
            return _entry(entry, naming)
        case ir.LiteralForm(value):
            return _form(value, naming)
        case ir.UnaryForm(operator, operand):
            symbol: ast.unaryop = ast.Not() if operator == "not" else ast.USub()
            return ast.UnaryOp(symbol, _form(operand, naming))
        case ir.CallForm(function, operands):
            name = function if function in _BUILT_IN else f"math.{function}"
            return call(dotted(name), *(_form(operand, naming) for operand in operands))
        case ir.BinaryForm(operator, left, right):
            return _known(operation(operator, _form(left, naming), _form(right, naming)))
    return of_static(cast(ir.Static, form), naming)


def _known(node: ast.expr) -> ast.expr:
    """``True`` for ``0 < 1``: a position in a loop that is written out, compared to a number."""
    match node:
        case ast.Compare(ast.Constant(int(left)), [op], [ast.Constant(int(right))]):
            return ast.Constant(_COMPARED[type(op)](left, right))
        case _:
            return node


def operation(symbol: str, left: ast.expr, right: ast.expr) -> ast.expr:
    """``left symbol right`` for any of the language's operators."""
    if symbol in _OPERATORS:
        return ast.BinOp(left, _OPERATORS[symbol](), right)
    if symbol in _COMPARISONS:
        return ast.Compare(left, [_COMPARISONS[symbol]()], [right])
    return ast.BoolOp(ast.And() if symbol == "and" else ast.Or(), [left, right])


def of_operand(operand: ir.Operand, naming: Naming) -> ast.expr:
    """A tensor, a compile-time value, or a list of them."""
    if isinstance(operand, ir.Value):
        return naming.value(operand)
    if isinstance(operand, tuple) and any(isinstance(item, ir.Value) for item in operand):
        whole = naming.sequence(operand)
        if whole is not None:
            return whole
        return ast.List([of_operand(item, naming) for item in operand], ast.Load())
    return of_static(cast(ir.Static, operand), naming)


def of_arguments(
    row: Row, arguments: ir.Arguments, naming: Naming
) -> tuple[list[ast.expr], list[ast.keyword]]:
    """Arguments as a person writes them: what is required by place, what has a default by name."""
    given = dict(arguments)
    if isinstance(row, FunctionRow):
        given = _for_overloads(row, given)
    if isinstance(row, FunctionRow) and tuple(given) in row.positional:
        # An overload of its own: ``torch.arange(end)``.
        return [of_operand(operand, naming) for operand in given.values()], []
    positional: list[ast.expr] = []
    keywords: list[ast.keyword] = []
    by_place = True
    for argument in row.arguments:
        if argument.name not in given:
            by_place = False
            continue
        value = of_operand(given[argument.name], naming)
        if argument.variadic and "tensor" in argument.types:
            positional += value.elts if isinstance(value, ast.List) else [ast.Starred(value)]
            continue
        if argument.variadic and not isinstance(value, ast.Tuple | ast.List):
            value = ast.Tuple([value], ast.Load())
        if by_place and (argument.required or argument.inferred) and not argument.keyword_only:
            positional.append(value)
        else:
            by_place = False
            keywords.append(ast.keyword(argument.name, value))
    return positional, keywords


def _for_overloads(row: FunctionRow, given: dict[str, ir.Operand]) -> dict[str, ir.Operand]:
    """``given`` as one of torch's overloads takes it: none is said by leaving an argument out,
    ``keepdim`` goes with ``dim``, and a setting of a window with those before it."""
    defaults = row.defaults
    given = {n: v for n, v in given.items() if v is not None or defaults.get(n) is not None}
    if given.get("keepdim") is False and "dim" in defaults and "dim" not in given:
        del given["keepdim"]
    if row.family != "creation" or tuple(given) in row.positional:
        return given
    names = [each.name for each in row.arguments if not each.keyword_only]
    last = max((names.index(name) for name in given if name in names), default=-1)
    before = {name: defaults[name] for name in names[:last] if name not in given}
    filled = {n: v for n, v in before.items() if isinstance(v, int | float)}
    return {name: {**filled, **given}[name] for name in defaults if name in {**filled, **given}}


def of_node(node: Leaf, naming: Naming) -> ast.expr:
    """What computes the node's result."""
    if _turns_whole_numbers_to_floats(node) and not (naming.making and _promotes(node)):
        return _in_run_precision(node, naming)
    match node:
        case ir.LayerCall():
            inputs = [_layer_input(operand, naming) for operand in node.inputs]
            keywords = [
                ast.keyword(name, _layer_input(operand, naming)) for name, operand in node.keywords
            ]
            return ast.Call(naming.layer(node.layer), inputs, keywords)
        case ir.FunctionCall():
            return _function(node, naming)
        case ir.Operation():
            operands = [of_operand(operand, naming) for operand in node.operands]
            if len(operands) == 1:
                symbol: ast.unaryop = ast.Invert() if node.operator == "not" else ast.USub()
                return ast.UnaryOp(symbol, operands[0])
            return operation(node.operator, operands[0], operands[1])
        case ir.Subscript():
            value = naming.value(node.value)  # first, as Python computes it
            indices = [_index(index, naming) for index in node.indices]
            inner = indices[0] if len(indices) == 1 else ast.Tuple(indices, ast.Load())
            return ast.Subscript(value, inner, ast.Load())
        case ir.ParameterRead():
            return path_expression(naming.layer(node.layer), node.parameter)
        case ir.Transpose():
            return ast.Attribute(naming.value(node.value), node.attribute, ast.Load())
        case ir.Derivative():
            both = naming.value(node.of), naming.value(node.by)
            found = call(dotted("torch.autograd.grad"), *both, create_graph=ast.Constant(True))
            return ast.Subscript(found, ast.Constant(0), ast.Load())


def _tensors(node: ir.Operation | ir.FunctionCall) -> list[ir.Value]:
    """The tensors that a node reads, lists entered."""
    operands = node.operands if isinstance(node, ir.Operation) else dict(node.arguments).values()
    found: list[ir.Value] = []
    for operand in operands:
        items = operand if isinstance(operand, tuple) else (operand,)
        found += [item for item in items if isinstance(item, ir.Value)]
    return found


def _promotes(node: Leaf) -> bool:
    """Whether torch itself makes floats of its default precision of whole numbers here."""
    return isinstance(node, ir.Operation) or (
        isinstance(node, ir.FunctionCall) and node.row.family in ("elementwise", "pairwise")
    )


def _turns_whole_numbers_to_floats(node: Leaf) -> bool:
    """Whether floats come of tensors that have none: torch makes those of its default precision,
    and the spec means the run's."""
    if not isinstance(node, ir.Operation | ir.FunctionCall) or not isinstance(
        node.result, ir.Value
    ):
        return False
    if node.result.type.dtype != "float":
        return False
    if isinstance(node, ir.FunctionCall) and (node.kind != "function" or node.row.family == "cast"):
        return False
    tensors = _tensors(node)
    return bool(tensors) and not any(value.type.differentiable for value in tensors)


def _in_run_precision(node: Leaf, naming: Naming) -> ast.expr:
    """The node on operands (or, where none is a number, with a result) cast to the run's
    precision."""
    assert isinstance(node, ir.Operation | ir.FunctionCall)
    dtype: ast.expr = ast.Attribute(naming.precision(), "dtype", ast.Load())
    if naming.making:
        dtype = call(dotted("torch.get_default_dtype"))

    def cast(expression: ast.expr) -> ast.expr:
        return call(ast.Attribute(expression, "to", ast.Load()), dtype)

    whole = [value for value in _tensors(node) if value.type.dtype != "bool"]
    bools = isinstance(node, ir.Operation)
    if not whole and not bools:
        return cast(_function(node, naming))  # type: ignore[arg-type]  # not an Operation

    def value(item: ir.Value) -> ast.expr:
        written = naming.value(item)
        if not bools and item.type.dtype == "bool":
            return written
        return _counting_in(dtype, written) or cast(written)

    inner = replace(naming, value=value)
    if isinstance(node, ir.FunctionCall):
        return _function(node, inner)
    left, right = (of_operand(operand, inner) for operand in node.operands)
    return operation(node.operator, left, right)


def _counting_in(dtype: ast.expr, written: ast.expr) -> ast.expr | None:
    """``torch.arange(n, dtype=...)`` in place of a cast of what it gives; None for other calls."""
    if isinstance(written, ast.UnaryOp) and isinstance(written.op, ast.USub):
        inner = _counting_in(dtype, written.operand)
        return None if inner is None else ast.UnaryOp(ast.USub(), inner)
    if not isinstance(written, ast.Call) or not any(k.arg == "device" for k in written.keywords):
        return None
    keywords = [ast.keyword("dtype", dtype), *written.keywords]
    return ast.Call(written.func, written.args, keywords)


def _layer_input(operand: ir.Operand, naming: Naming) -> ast.expr:
    """A recurrent layer's ``(h, c)`` is a tuple, where a function's tensors are a list."""
    if isinstance(operand, tuple):
        return ast.Tuple([of_operand(item, naming) for item in operand], ast.Load())
    return of_operand(operand, naming)


def _function(node: ir.FunctionCall, naming: Naming) -> ast.expr:
    row = node.row
    if row.family == "cast":
        return _cast(node, naming)
    given = dict(node.arguments)
    alike = written_alike(
        node,
        lambda name: of_operand(given[name], naming),
        None if naming.making else naming.device,
    )
    if alike is not None:
        return alike
    positional, keywords = of_arguments(row, node.arguments, naming)
    if row.training:
        keywords.append(ast.keyword("training", dotted("self.training")))
    if row.family == "creation" and not naming.making:
        type_ = next(iter(ir.result_values(node.result))).type
        if type_.dtype == "float":
            dtype = ast.Attribute(naming.precision(), "dtype", ast.Load())
            keywords.append(ast.keyword("dtype", dtype))
        device = ast.Attribute(naming.device(), "device", ast.Load())
        keywords.append(ast.keyword("device", device))
    method = None
    if isinstance(next(iter(given.values()), None), ir.Value):
        method = as_method(row.torch, positional, keywords)
    return method or ast.Call(dotted(row.torch), positional, keywords)


def _cast(node: ir.FunctionCall, naming: Naming) -> ast.expr:
    """``x.long()``; into the precision that the run chooses, ``x.to(other.dtype)``."""
    ((_, operand),) = node.arguments
    value = of_operand(operand, naming)
    if node.function == "float":
        dtype = ast.Attribute(naming.precision(), "dtype", ast.Load())
        return call(ast.Attribute(value, "to", ast.Load()), dtype)
    if node.function in _NO_METHODS:
        return call(ast.Attribute(value, "to", ast.Load()), dotted(f"torch.{node.function}"))
    return call(ast.Attribute(value, node.row.torch.rpartition(".")[2], ast.Load()))


def _index(index: ir.Index, naming: Naming) -> ast.expr:
    match index:
        case ir.EllipsisIndex():
            return ast.Constant(...)
        case ir.SliceIndex():
            parts = [
                None if part is None else of_static(part, naming)
                for part in (index.lower, index.upper, index.step)
            ]
            return ast.Slice(*parts)
        case ir.Value():
            return naming.value(index)
        case _:
            return of_static(index, naming)


def static_naming(param: Callable[[str], ast.expr]) -> Naming:
    """For arguments of constructors and optimizers: compile-time values alone."""

    def nothing() -> ast.expr:
        raise AssertionError("compile-time values hold no tensors")

    return Naming(
        value=lambda value: nothing(),
        param=param,
        size=param,
        device=nothing,
        precision=nothing,
        layer=lambda path: nothing(),
        sequence=lambda operands: None,
    )
