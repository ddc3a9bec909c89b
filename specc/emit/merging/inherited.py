"""What a class takes over from the branches of the blocks inside it.

Where a block gives other shapes by the side that it takes, the sizes of what comes after the block
were read with one of them: the class around is right while that side is taken. Non-goal: blocks
whose shapes are said alike whatever they take."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Protocol

from specc import ir
from specc.emit.merging.branch_sides import is_size
from specc.emit.merging.common_forms import Different, Standpoint, agree
from specc.emit.merging.reads import symbols_of
from specc.sizes import Poly, evaluate

_OPPOSITE: Final = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_HOLDS: Final[dict[str, Callable[[int, int], bool]]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">=": operator.ge,
    ">": operator.gt, "<=": operator.le,
}  # fmt: skip


class ReadOften(Protocol):
    """A class as this asks of it: its readings, and where each is read from."""

    @property
    def variants(self) -> list[ir.Module]: ...

    @property
    def standpoints(self) -> list[Standpoint]: ...


class Inheritance:
    """What is taken over by each class of ``by_module``, a block's class by its reading."""

    def __init__(self, by_module: Mapping[int, ReadOften]) -> None:
        self._by_module = by_module
        self._said: dict[int, list[tuple[ir.Static, ...] | None]] = {}
        self._found: dict[int, dict[str, tuple[ir.FormPart, bool]]] = {}

    def of(self, variants: Iterable[ir.Module]) -> list[ir.Scalar]:
        """What must hold of the params and sizes of a class that is read as ``variants``: the
        conditions of blocks inside, which were decided alike in all of them."""
        first, *rest = [self._of_blocks(variant) for variant in variants]
        return [
            ir.Scalar(True, _form(form) if taken else _denied(form))
            for key, (form, taken) in first.items()
            if all(other.get(key, (form, not taken))[1] is taken for other in rest)
        ]

    def _of_blocks(self, module: ir.Module) -> dict[str, tuple[ir.FormPart, bool]]:
        """The conditions, by their text, in the terms of ``module``, with the side taken."""
        if id(module) not in self._found:
            found: dict[str, tuple[ir.FormPart, bool]] = {}
            for layer in _blocks(module.nodes):
                inner = layer.module
                if inner is None or self._says_the_same(inner):
                    continue
                meaning = _meaning(layer)
                own = [(branch.condition, branch.taken) for branch in _branches(inner.nodes)]
                for form, taken in (*own, *self._of_blocks(inner).values()):
                    here = _put(form, meaning)
                    if not isinstance(here, bool) and _speaks_of(here, module):
                        found[repr(here)] = (here, taken)
            self._found[id(module)] = found
        return self._found[id(module)]

    def _says_the_same(self, module: ir.Module) -> bool:
        """Whether the reading says its shapes in the words that are right for all of its class."""
        made = self._by_module[id(module)]
        if id(made) not in self._said:
            self._said[id(made)] = [
                _agreed(made, position) for position in range(len(module.outputs))
            ]
        said = self._said[id(made)]
        return all(
            output.value.type.shape == shape
            for output, shape in zip(module.outputs, said, strict=True)
        )


def _agreed(made: ReadOften, position: int) -> tuple[ir.Static, ...] | None:
    shapes = [variant.outputs[position].value.type.shape for variant in made.variants]
    try:
        found = agree(list(zip(shapes, made.standpoints, strict=True)))
    except Different:
        return None
    assert isinstance(found, tuple)
    return found


def _blocks(nodes: Iterable[ir.Node]) -> Iterator[ir.Layer]:
    return (layer for layer in ir.made_layers(nodes) if layer.module is not None)


def _branches(nodes: Iterable[ir.Node]) -> Iterator[ir.Branch]:
    """The branches outside loops; those in loops are asserted where they stand."""
    for node in nodes:
        if isinstance(node, ir.Branch):
            yield node
            yield from _branches(node.nodes)


def _meaning(layer: ir.Layer) -> dict[str, ir.Static]:
    assert layer.module is not None
    found: dict[str, ir.Static] = {param.name: param.value for param in layer.module.params}
    found |= {name: value for name, value in layer.arguments}  # type: ignore[misc]  # compile-time
    return found | dict(layer.sizes)


def _speaks_of(form: ir.FormPart, module: ir.Module) -> bool:
    """Whether ``form`` speaks of what the module's constructor is given, and of no loop's round."""
    spoken = symbols_of(ir.Scalar(True, _form(form)))
    return bool(spoken) and all(spoken.isdisjoint(loop.variables) for loop in _loops(module.nodes))


def _loops(nodes: Iterable[ir.Node]) -> Iterator[ir.Loop]:
    for node in nodes:
        match node:
            case ir.Loop():
                yield node
                for iteration in node.iterations[:1]:
                    yield from _loops(iteration.nodes)
            case ir.Branch() | ir.Chain():
                yield from _loops(node.nodes)
            case _:
                continue


def _form(part: ir.FormPart) -> ir.Form:
    return part if isinstance(part, ir.Form) else ir.LiteralForm(part)


def _denied(form: ir.FormPart) -> ir.Form:
    match form:
        case ir.UnaryForm("not", ir.Form() as operand):
            return operand
        case ir.BinaryForm(sign, left, right) if sign in _OPPOSITE:
            return ir.BinaryForm(_OPPOSITE[sign], left, right)
    return ir.UnaryForm("not", form)


def _put(form: ir.FormPart, meaning: Mapping[str, ir.Static]) -> ir.FormPart:
    """``form`` with what its symbols mean put in; True or False where that decides it."""
    match form:
        case ir.Scalar():
            return _put(form.form, meaning)
        case Poly():
            sizes = {name: size for name, size in meaning.items() if is_size(size)}
            return evaluate(form, sizes)
        case ir.ParamForm(name):
            value = meaning.get(name)
            if isinstance(value, ir.Scalar):
                return value.form
            if value is None:
                return form
            return value if isinstance(value, bool) or is_size(value) else ir.LiteralForm(value)
        case ir.UnaryForm("not", operand):
            inner = _put(operand, meaning)
            return not inner if isinstance(inner, bool) else ir.UnaryForm("not", inner)
        case ir.BinaryForm("and" | "or" as word, left, right):
            return _joined(word, _put(left, meaning), _put(right, meaning))
        case ir.BinaryForm(sign, left, right):
            return _compared(sign, _put(left, meaning), _put(right, meaning))
        case ir.CallForm(name, operands):
            return ir.CallForm(name, tuple(_put(operand, meaning) for operand in operands))
        case ir.UnaryForm(sign, operand):
            return ir.UnaryForm(sign, _put(operand, meaning))
    return form


def _joined(word: str, left: ir.FormPart, right: ir.FormPart) -> ir.FormPart:
    decisive = word == "or"
    if left is decisive or right is decisive:
        return decisive
    if isinstance(left, bool):
        return right
    return left if isinstance(right, bool) else ir.BinaryForm(word, left, right)


def _compared(sign: str, left: ir.FormPart, right: ir.FormPart) -> ir.FormPart:
    if sign in _HOLDS and is_size(left) and is_size(right):
        difference = left - right
        if isinstance(difference, int):
            return _HOLDS[sign](difference, 0)
        if isinstance(left, int) and sign in ("==", "!="):
            return ir.BinaryForm(sign, right, left)
    return ir.BinaryForm(sign, left, right)
