"""A function's body: nodes to statements, named and nested as a person would write them.

A value used once, on the line of the spec that made it, is written inside the expression that uses
it; any other gets a variable: its own name, or ``x``. A name is taken over by a later value only
when nothing reads the earlier one any more. Loops and branches are ``flow``'s. Non-goal: what the
nodes mean."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from specc import ir
from specc.emit.forward.flow import Flow, write_choice, write_list, write_loop
from specc.emit.forward.nesting import Collected, Pending
from specc.emit.merging.reads import (
    Reader,
    called_names,
    differentiated,
    is_its_own,
    readers,
    sizes_read,
)
from specc.emit.merging.scopes import Scope
from specc.emit.writing.expressions import (
    Naming,
    call,
    dotted,
    of_node,
    of_size,
    operation,
    path_expression,
)
from specc.emit.writing.layout import flat
from specc.emit.writing.line_breaking import links
from specc.emit.writing.marks import because, mark
from specc.emit.writing.method_parts import Choice, Cycle, Kept, Leaf, Part, Sequential
from specc.emit.writing.methods import METHODS
from specc.emit.writing.statements import Assert, Assign, Evaluate, Statement
from specc.errors import Span
from specc.sizes import symbols

_LONGEST_NESTED: Final = 56
_LONGEST_CHAIN: Final = 160


class Body(Flow):
    """Builds the statements of one function whose parameters are ``parameters``.

    ``params`` says how each of the spec's params is written there: ``self.width``, ``WIDTH``;
    ``flags`` are the attributes
    that tell which side of a choice was taken, ``optional`` those that are a layer or None;
    ``precision`` gives what has the run's precision where no parameter has it; ``making`` says that
    the function is a constructor, ``kept`` what is written there for values of others; ``inputs``
    are the parameters that the caller made, and whose own gradients are the caller's business."""

    def __init__(
        self,
        parameters: Sequence[ir.Value],
        parts: Sequence[Part],
        results: Sequence[ir.Value],
        params: Mapping[str, str],
        *,
        taken: Iterable[str] = (),
        flags: Mapping[int, str] | None = None,
        optional: Iterable[str] = (),
        precision: Callable[[], ast.expr] | None = None,
        making: bool = False,
        kept: Mapping[int, ast.expr] | None = None,
        inputs: Collection[ir.Value] = (),
    ) -> None:
        self.flags = flags or {}
        self.optional = frozenset(optional)
        self.scope = Scope()
        super().__init__(
            parameters, parts, Counter(id(value) for value in results),
            {*taken, *called_names(parts)},
        )  # fmt: skip
        self._precision = precision or _first_parameter
        self._elements.update(kept or {})
        self._results = len(results)
        self._parts = parts
        self._parameters = parameters
        self._params = dict(params)
        self._readers: dict[int, Reader] = {}
        readers(parts, self._readers)
        for value in parameters:
            self.claim(value, value.name)
        self._inputs = {id(value) for value in inputs}
        self._differentiated = differentiated(parts)
        self._sizes: dict[str, str] = {}
        # The variables of the loops around, as they are written.
        self._bound: dict[str, ast.expr] = {}
        self.naming = Naming(
            value=self.value,
            param=self._param,
            size=self._size,
            device=lambda: self._like(floating=False),
            precision=lambda: self._like(floating=True),
            layer=self.layer,
            sequence=self.sequence,
            making=making,
        )

    def parameter_names(self) -> list[str]:
        """What the function's parameters are called: their own names, where Python leaves them."""
        return [self._names[id(value)] for value in self._parameters]

    def state(self, conditions: Iterable[ir.Condition]) -> None:
        """Asserts the conditions on the parameters' sizes, before anything is computed."""
        listed = [condition for condition in conditions if not condition.refused_by_torch]
        wanted: set[str] = set()
        for condition in listed:
            wanted |= symbols(condition.left) | symbols(condition.right)
        self.bind_sizes(wanted | set(sizes_read(self._parts)))
        for condition in listed:
            test = operation(
                condition.relation,
                of_size(condition.left, self.naming),
                of_size(condition.right, self.naming),
            )
            self.statements.append(Assert(test, because(condition), mark(condition.span)))

    def build(self) -> None:
        """Writes every node; what is left pending is written by ``expression``."""
        self.bind_sizes(sizes_read(self._parts))
        for value in self._parameters:
            if id(value) in self._inputs & self._differentiated:
                detached = call(dotted(f"{self._names[id(value)]}.detach"))
                name = ast.Name(self._names[id(value)], ast.Store())
                self.statements.append(Assign(name, _followed(detached)))
            else:
                self.follow(value)
        self.write(self._parts)

    def follow(self, *values: ir.Value, own: bool = False) -> None:
        """Lets derivatives by those of ``values`` be taken that one is taken by. What may be held
        elsewhere too (an input, a buffer, a frozen parameter) stays as it is there, unless they
        are known to be each its ``own`` tensor."""
        for value in values:
            if id(value) not in self._differentiated:
                continue
            name = self._elements.get(id(value)) or ast.Name(self._names[id(value)], ast.Load())
            if own:
                self.statements.append(Evaluate(_followed(name)))
                continue
            seen = call(ast.Attribute(name, "view_as", ast.Load()), name)
            target = copy.copy(name)
            assert isinstance(target, ast.Name | ast.Attribute | ast.Subscript)
            target.ctx = ast.Store()
            self.statements.append(Assign(target, _followed(seen)))

    def write(self, parts: Sequence[Part]) -> None:
        """Writes ``parts`` where ``statements`` stands now."""
        for part in parts:
            if isinstance(part, Choice | Cycle) and self.effects.of(part):
                self.settle()
            match part:
                case ir.Make():
                    continue
                case Kept():
                    self._read(part)
                case Choice():
                    write_choice(self, part)
                    self.follow(*(() if part.one_sided else part.branch.results))
                case Cycle() if part.loop.kind == "list":
                    write_list(self, part)
                    self.follow(*part.loop.results)
                case Cycle() if part.loop.kind == "for":
                    write_loop(self, part)
                    self.follow(*part.loop.results)
                case _:
                    self._write(part, id(parts))

    def _read(self, kept: Kept) -> None:
        """A parameter or buffer of the module itself is ``self.gamma`` wherever it is read; what a
        parametrization computes is read once, where it stands."""
        held = path_expression(ast.Name("self"), kept.name)
        if not kept.wrappers:
            self._elements[id(kept.state.result)] = held
            return
        self.settle()
        target = self.target(kept.state.result)
        self.statements.append(Assign(target, held, mark(kept.state.span)))

    # ── nodes ────────────────────────────────────────────────────────────────────────────────────

    def _write(self, node: Leaf | Sequential | Cycle, place: int) -> None:
        span = node.loop.span if isinstance(node, Cycle) else node.span
        result: ir.Result
        if isinstance(node, Cycle):
            (result,) = node.loop.results
        else:
            result = node.result
        if self.effects.of(node):
            self.number += 1
        expression, found = self._expression(node)
        nests = self._nests(result, node, span, expression, place)
        if self.is_out_of_order(found.effects, nests):
            self.pending.update(found.taken)
            self.settle()
            expression, found = self._expression(node)
            nests = self._nests(result, node, span, expression, place)
        if nests:
            self.pending[id(result)] = Pending(expression, found.reads, found.effects, span)
            return
        for read in found.reads:
            self.reads[read] -= 1
        target = self.target(result)
        if isinstance(node, ir.Derivative) and isinstance(expression, ast.Subscript):
            # `(slope,) = torch.autograd.grad(...)`, which has one result.
            target, expression = ast.Tuple([target], ast.Store()), expression.value
        self.statements.append(Assign(target, expression, mark(span)))
        self.follow(*ir.result_values(result), own=is_its_own(node))

    def _expression(self, node: Leaf | Sequential | Cycle) -> tuple[ast.expr, Collected]:
        self.collected = found = Collected()
        if isinstance(node, Sequential):
            expression: ast.expr = call(self.layer(node.path), self.value(node.input))
        elif isinstance(node, Cycle):
            expression = call(self.layer(node.loop.path), self.value(node.initial[0]))
        else:
            expression = of_node(node, self.naming)
        if self.effects.of(node):
            found.effects.append(self.number)
        return expression, found

    def _nests(
        self, value: ir.Result, node: Leaf | Sequential | Cycle, span: Span, expression: ast.expr,
        place: int,
    ) -> bool:  # fmt: skip
        if not isinstance(value, ir.Value):
            return False
        if value.named or self.reads[id(value)] != 1 or id(value) in self.wanted:
            return False
        found = self._readers.get(id(value))
        if found is None and self._results == 1:
            return True  # returned at once
        if len(flat(expression)) > _LONGEST_NESTED and not self._goes_on(value, expression):
            return False
        if found is None:
            return True
        reader, where = found
        if where != place:
            return False  # read inside a loop or a branch, or at its end
        simple = isinstance(node, ir.ParameterRead | ir.Transpose)
        line = reader.loop.span.line if isinstance(reader, Cycle) else (
            reader.branch.span.line if isinstance(reader, Choice) else reader.span.line
        )  # fmt: skip
        return simple or line == span.line

    def _goes_on(self, value: ir.Value, expression: ast.expr) -> bool:
        """Whether a chain of methods, which is broken at its dots, goes on with one more."""
        found = self._readers.get(id(value))
        if found is None or not links(expression) or len(flat(expression)) > _LONGEST_CHAIN:
            return False
        reader = found[0]
        return (
            isinstance(reader, ir.FunctionCall)
            and reader.row.torch.removeprefix("torch.") in METHODS
            and bool(reader.arguments)
            and reader.arguments[0][1] is value
        )

    def layer(self, path: str) -> ast.expr:
        """The layer at ``path`` as it is reached here."""
        scope: Scope | None = self.scope
        while scope is not None and scope.cycle is not None:
            local = scope.local(path)
            if local is not None:
                head, _, rest = local.partition(".")
                return path_expression(scope.reached[head], rest)
            scope = scope.outer
        return path_expression(ast.Name("self"), path)

    @contextmanager
    def stretch(self, scope: Scope | None = None) -> Iterator[list[Statement]]:
        """While open, statements go to a list of their own, and layers are those of ``scope``."""
        before = self.statements, self.scope
        self.statements = []
        self.scope = scope or self.scope
        try:
            yield self.statements
        finally:
            self.statements, self.scope = before

    @contextmanager
    def variable(self, symbol: str, meaning: ast.expr) -> Iterator[None]:
        """While open, the symbol of a loop's variable is written ``meaning``: a name, or, in
        a round that stands alone, its value."""
        before = self._bound.get(symbol)
        self._bound[symbol] = meaning
        try:
            yield
        finally:
            if before is None:
                del self._bound[symbol]
            else:
                self._bound[symbol] = before

    def _param(self, param: str) -> ast.expr:
        if param in self._bound:
            return self._bound[param]
        return dotted(self._params[param])

    def _size(self, symbol: str) -> ast.expr:
        if symbol in self._bound:
            return self._bound[symbol]
        if symbol in self._sizes:
            return ast.Name(self._sizes[symbol], ast.Load())
        return self._param(symbol)

    def bind_sizes(self, wanted: Iterable[str]) -> None:
        """Names the sizes, each read off the first parameter that has it alone in a dimension."""
        found: dict[int, list[str]] = {}
        for symbol in sorted(set(wanted) - self._params.keys() - set(self._sizes)):
            for index, parameter in enumerate(self._parameters):
                if symbol in [str(size) for size in parameter.type.shape]:
                    found.setdefault(index, []).append(symbol)
                    name = symbol
                    while name in self._taken or name in self._user_names:
                        name += "_"
                    self._taken.add(name)
                    self._sizes[symbol] = name
                    break
        for index, names in found.items():
            self._unpack(self._parameters[index], names)

    def _unpack(self, parameter: ir.Value, names: list[str]) -> None:
        """``N, T, D = x.shape``, or ``N = x.shape[0]`` for a single size."""
        sizes = [str(size) for size in parameter.type.shape]
        shape = ast.Attribute(ast.Name(self._names[id(parameter)], ast.Load()), "shape", ast.Load())
        if len(names) > 1:
            firsts = {name: sizes.index(name) for name in names}
            targets: list[ast.expr] = [
                ast.Name(self._sizes[size] if firsts.get(size) == position else "_", ast.Store())
                for position, size in enumerate(sizes)
            ]
            self.statements.append(Assign(ast.Tuple(targets, ast.Store()), shape))
            return
        dimension = ast.Constant(sizes.index(names[0]))
        self.statements.append(
            Assign(
                ast.Name(self._sizes[names[0]], ast.Store()),
                ast.Subscript(shape, dimension, ast.Load()),
            )
        )

    def _like(self, *, floating: bool) -> ast.expr:
        """Something that has the device (and the precision) that a made tensor wants."""
        # Parameters keep their name while anything reads them; a rebound one must not be asked.
        kept = [
            parameter
            for parameter in self._parameters
            if self._holders.get(self._names[id(parameter)]) == id(parameter)
        ]
        for parameter in kept:
            if not floating or parameter.type.floating:
                return ast.Name(self._names[id(parameter)], ast.Load())
        for parameter in kept:
            if parameter.type.is_complex:
                name = ast.Name(self._names[id(parameter)], ast.Load())
                return ast.Attribute(name, "real", ast.Load())
        return self._precision()


def _followed(tensor: ast.expr) -> ast.expr:
    return call(ast.Attribute(tensor, "requires_grad_", ast.Load()))


def _first_parameter() -> ast.expr:
    """``next(self.parameters())``: what trains has some."""
    return call(ast.Name("next"), call(dotted("self.parameters")))
