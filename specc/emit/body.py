"""A function's body: nodes to statements, named and nested as a person would write them.

A value used once, on the line of the spec that made it, is written inside the expression that uses
it; any other gets a variable: its own name, or ``x``. A name is taken over by a later value only
when nothing reads the earlier one any more. Non-goal: what the nodes mean."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from specc import ir
from specc.emit.expressions import Naming, dotted, of_node, of_size, operation
from specc.emit.layout import flat
from specc.emit.names import RESERVED
from specc.emit.statements import Assert, Assign, Statement
from specc.errors import Span
from specc.sizes import Poly, symbols

_TEMPORARIES: Final = ("x", "h", "y", "z", "u", "v")
_LONGEST_NESTED: Final = 56


class Body:
    """Builds the statements of one function whose parameters are ``parameters``.

    ``params`` says how each of the spec's params is written there: ``self.width``, ``WIDTH``."""

    def __init__(
        self,
        parameters: Sequence[ir.Value],
        nodes: Sequence[ir.Node],
        results: Sequence[ir.Value],
        params: Mapping[str, str],
        *,
        taken: Iterable[str] = (),
    ) -> None:
        self.statements: list[Statement] = []
        self._nodes = tuple(ir.flat_nodes(nodes))
        self._parameters = parameters
        self._params = dict(params)
        self._reads = Counter(id(value) for value in results)
        for node in self._nodes:
            for operand in ir.node_operands(node):
                if isinstance(operand, ir.Value):
                    self._reads[id(operand)] += 1
        self._by_id = {
            id(value): value for node in self._nodes for value in ir.result_values(node.result)
        }
        self._readers = self._only_readers()
        # What each value is called, who holds each name, and the expressions not yet written.
        self._names: dict[int, str] = {}
        self._holders: dict[str, int] = {}
        self._pending: dict[int, ast.expr] = {}
        self._pending_reads: dict[int, list[int]] = {}
        self._collected: list[int] = []
        self._taken = set(taken) | RESERVED
        self._user_names = {value.name for value in parameters} | {
            value.name for value in self._by_id.values() if value.named
        }
        for value in parameters:
            self._claim(value, value.name)
        self._sizes: dict[str, str] = {}
        self.naming = Naming(
            value=self._value,
            param=self._param,
            size=self._size,
            device=lambda: self._like(floating=False),
            precision=lambda: self._like(floating=True),
        )

    def parameter_names(self) -> list[str]:
        """What the function's parameters are called: their own names, where Python leaves them."""
        return [self._names[id(value)] for value in self._parameters]

    def state(self, conditions: Iterable[ir.Condition]) -> None:
        """Asserts the conditions on the parameters' sizes, before anything is computed."""
        listed = list(conditions)
        for condition in listed:
            self.bind_sizes(symbols(condition.left) | symbols(condition.right))
        for condition in listed:
            test = operation(
                condition.relation,
                of_size(condition.left, self.naming),
                of_size(condition.right, self.naming),
            )
            message = f"{condition}: {condition.reason}"
            self.statements.append(Assert(test, message, mark(condition.span)))

    def build(self) -> None:
        """Writes every node; what is left pending is written by ``expression``."""
        self._bind_sizes()
        for node in self._nodes:
            self._write(node)

    def expression(self, value: ir.Value) -> ast.expr:
        """``value`` where the function returns it or goes on with it."""
        return self._value(value)

    # ── nodes ────────────────────────────────────────────────────────────────────────────────────

    def _write(self, node: ir.Leaf) -> None:
        self._collected = []
        expression = of_node(node, self.naming)
        reads = self._collected
        if isinstance(node.result, ir.Value) and self._nests(node.result, node, expression):
            self._pending[id(node.result)] = expression
            self._pending_reads[id(node.result)] = reads
            return
        for read in reads:
            self._reads[read] -= 1
        target = self._target(node.result)
        self.statements.append(Assign(target, expression, mark(node.span)))

    def _nests(self, value: ir.Value, node: ir.Leaf, expression: ast.expr) -> bool:
        if value.named or self._reads[id(value)] != 1:
            return False
        if len(flat(expression)) > _LONGEST_NESTED:
            return False
        reader = self._readers.get(id(value))
        if reader is None:
            return True  # returned at once
        simple = isinstance(node, ir.ParameterRead | ir.Transpose)
        return simple or reader.span.line == node.span.line

    def _only_readers(self) -> dict[int, ir.Leaf]:
        readers: dict[int, ir.Leaf] = {}
        for node in self._nodes:
            for operand in ir.node_operands(node):
                if isinstance(operand, ir.Value):
                    readers[id(operand)] = node
        return readers

    def _target(self, result: ir.Result) -> ast.expr:
        if isinstance(result, tuple):
            return ast.Tuple([self._target(item) for item in result], ast.Store())
        wanted = result.name if result.named else self._temporary()
        return ast.Name(self._claim(result, wanted), ast.Store())

    def _temporary(self) -> str:
        for candidate in _TEMPORARIES:
            if candidate not in self._user_names and not self._held(candidate):
                return candidate
        return _TEMPORARIES[0]

    # ── names ────────────────────────────────────────────────────────────────────────────────────

    def _claim(self, value: ir.Value, wanted: str) -> str:
        """A name for ``value``: the wanted one, or the next that nothing living holds."""
        name, number = wanted, 1
        while name in self._taken or self._held(name):
            number += 1
            name = f"{wanted}_{number}"
        self._names[id(value)] = name
        self._holders[name] = id(value)
        return name

    def _held(self, name: str) -> bool:
        holder = self._holders.get(name)
        return holder is not None and self._reads[holder] > 0

    def _value(self, value: ir.Value) -> ast.expr:
        identity = id(value)
        if identity in self._pending:
            self._collected.extend([*self._pending_reads.pop(identity), identity])
            return self._pending.pop(identity)
        self._collected.append(identity)
        return ast.Name(self._names[identity], ast.Load())

    def _param(self, param: str) -> ast.expr:
        return dotted(self._params[param])

    def _size(self, symbol: str) -> ast.expr:
        if symbol in self._params:
            return self._param(symbol)
        return ast.Name(self._sizes[symbol], ast.Load())

    def _bind_sizes(self) -> None:
        """``N = image.shape[0]`` for each size that the nodes speak of."""
        wanted: set[str] = set()
        for node in self._nodes:
            for operand in ir.node_operands(node):
                if isinstance(operand, Poly):
                    wanted |= symbols(operand)
        self.bind_sizes(wanted)

    def bind_sizes(self, wanted: Iterable[str]) -> None:
        """Names the sizes, each read off the first parameter that has it alone in a dimension."""
        for symbol in sorted(set(wanted) - self._params.keys() - set(self._sizes)):
            for parameter in self._parameters:
                sizes = [str(size) for size in parameter.type.shape]
                if symbol in sizes:
                    name = symbol
                    while name in self._taken or name in self._user_names:
                        name += "_"
                    self._taken.add(name)
                    self._sizes[symbol] = name
                    shape = ast.Attribute(
                        ast.Name(self._names[id(parameter)], ast.Load()), "shape", ast.Load()
                    )
                    dimension = ast.Constant(sizes.index(symbol))
                    self.statements.append(
                        Assign(
                            ast.Name(name, ast.Store()),
                            ast.Subscript(shape, dimension, ast.Load()),
                        )
                    )
                    break

    def _like(self, *, floating: bool) -> ast.expr:
        """Something that has the device (and the precision) that a made tensor wants."""
        for parameter in self._parameters:
            # Parameters keep their name while anything reads them; a rebound one must not be asked.
            name = self._names[id(parameter)]
            if self._holders.get(name) == id(parameter) and (
                not floating or parameter.type.floating
            ):
                return ast.Name(name, ast.Load())
        return ast.Call(
            ast.Name("next", ast.Load()),
            [ast.Call(dotted("self.parameters"), [], [])],
            [],
        )


def mark(span: Span) -> str:
    """``mnist_cnn.spec:9``: where in the spec a statement comes from."""
    file = span.file.replace("\\", "/").rsplit("/", 1)[-1]
    return f"{file}:{span.line}"
