"""Python's forms said in a spec's: each expression as a tree, which ``syntax.tree.written`` writes
out.

Methods become functions of their whole receiver, ``Sequential`` a row in braces, sizes their names;
of ``nn.Linear(8, 4)``, whose arguments are in torch's order, the 8 is left out, for the shapes tell
it. Non-goal: reporting (``python_habits``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from specc import ir
from specc.catalog import INITS, OPTIMIZERS, SCHEDULERS
from specc.catalog.advice.elsewhere import (
    ELSEWHERE,
    EXTEND,
    GRADIENT,
    IN_A_PIPE,
    OPERATORS,
    TRUTH,
    left_out,
    other_form,
)
from specc.catalog.rows import LayerRow, OptimizerRow, Row
from specc.errors import Span
from specc.semantics.calls.grad_calls import GRAD
from specc.semantics.compile_time.entities import Entity
from specc.semantics.naming.foreign_names import meant_argument, near, other_name
from specc.semantics.naming.graph import Elaborate, Graph, Hint
from specc.semantics.proposals.call_forms import (
    activation_of,
    as_stage,
    binary,
    called,
    is_of_a_place,
    is_the_runs,
    literal,
    named,
    stack,
    static_index,
)
from specc.semantics.proposals.other_frameworks import (
    call_of,
    cast_to,
    settings_of_keras,
)
from specc.semantics.proposals.other_indices import size_of
from specc.semantics.proposals.python_forms import (
    OF_TENSORS,
    endless_number,
    holds_habit,
    infinity,
    is_length,
    is_sequential,
    last_name,
    root,
)
from specc.sizes import Size
from specc.suggestions import nearest
from specc.syntax.tree import ast

# What methods cast by.
_CASTING: Final = frozenset("to type type_as astype".split())
# Arguments whose words are types and devices.
_NOT_READ: Final = frozenset("dtype device generator key".split())
# What torch's makers of constants give here without a cast around them, where no floats.
_MADE: Final = {"arange": "long", "randint": "long"}
# They change nothing that a spec says: where and how a run keeps its tensors is the run's affair.
_DROPPED: Final = frozenset("cpu cuda to contiguous clone requires_grad_".split())


@dataclass(slots=True)
class Translation:
    """Makes the trees of what to write. ``unknown`` says what could not be told, and why."""

    graph: Graph
    elaborate: Elaborate
    rank: int | None = None
    unknown: list[str] = field(default_factory=list)
    # What was read for its type already, by the place of the node.
    read: set[tuple[int, int]] = field(default_factory=set)

    def expression(self, node: ast.Expression) -> ast.Expression:
        """``node`` in the spec's form."""
        match node:
            case ast.Name():
                return self._name(node)
            case ast.CallExpression():
                return self._call(node)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Subscript(value=ast.Attribute(name="shape") as shape, indices=(index,)):
                return self._size(shape.value, index, node)
            case ast.Subscript():
                return node.model_copy(update={"value": self.expression(node.value)})
            case ast.Unary():
                return node.model_copy(update={"operand": self.expression(node.operand)})
            case ast.Binary():
                left, right = self.expression(node.left), self.expression(node.right)
                return node.model_copy(update={"left": left, "right": right})
            case ast.Sequence():
                items = tuple(self.expression(item) for item in node.items)
                return node.model_copy(update={"items": items})
            case ast.Pipeline():
                stages = tuple(
                    stage.model_copy(update={"target": self.stage(stage.target)})
                    for stage in node.stages
                )
                return node.model_copy(
                    update={"source": self.expression(node.source), "stages": stages}
                )
        return node

    def stage(self, target: ast.Expression) -> ast.Expression:
        """A stage's target: a layer of another framework with its activation behind it."""
        if isinstance(target, ast.CallExpression):
            activation = activation_of(target)
            if activation is not None and isinstance(activation.value, ast.String):
                kept = tuple(item for item in target.arguments if item is not activation)
                layer = self.stage(target.model_copy(update={"arguments": kept}))
                name = nearest(activation.value.value, self.graph.catalogue.layers)
                if name is not None:
                    behind = ast.Name(span=target.span, name=name)
                    return ast.Pipeline(span=target.span, source=layer, stages=(as_stage(behind),))
        if isinstance(target, ast.CallExpression) and isinstance(target.callee, ast.Attribute):
            inner, method = target.callee.value, target.callee.name
            if self.graph.is_layer(last_name(inner)) and self._function(method):
                named = ast.Name(span=target.span, name=method)
                fed_on = target.model_copy(update={"callee": named})
                stages = (as_stage(self.stage(fed_on)),)
                return ast.Pipeline(span=target.span, source=self.stage(inner), stages=stages)
        name = last_name(target)
        if name in IN_A_PIPE and not self._known(name):
            return ast.Name(span=target.span, name=IN_A_PIPE[name])
        said = self.expression(target)
        if isinstance(said, ast.CallExpression) and not said.arguments:
            return said.callee
        return said

    def read_the_rest(self, node: ast.Node) -> None:
        """Reads the parts of ``node`` that are in the spec's form, for the faults in them."""
        if isinstance(node, ast.Name | ast.Chain | ast.Repeat | ast.Comprehension):
            return
        place = (node.span.start, node.span.end)
        if isinstance(node, ast.Expression) and not holds_habit(self.graph, node):
            if place not in self.read and not isinstance(node, ast.CallExpression):
                self.elaborate(self.graph, node)
            return
        match node:
            case ast.CallExpression(
                callee=ast.Attribute(value=value, name=name), arguments=arguments
            ):
                prefix = root(self.graph, node.callee)
                if prefix is None:
                    self._receiver(value)
                # What a cast is to, and what goes away with the whole call, is read by nobody.
                gone = name in _CASTING or (prefix is not None and name in ELSEWHERE)
                for argument in () if gone else arguments:
                    if argument.name not in _NOT_READ:
                        self._receiver(argument.value)
            case ast.CallExpression(callee=ast.Name(), arguments=arguments):
                for argument in arguments:
                    if argument.name not in _NOT_READ:
                        self._receiver(argument.value)
            case ast.CallExpression(
                callee=ast.CallExpression(callee=ast.Attribute()), arguments=arguments
            ):
                for argument in arguments:
                    self._receiver(argument.value)

    def _receiver(self, node: ast.Expression) -> None:
        """Reads a value that the expression is made from."""
        if (
            isinstance(node, ast.Chain | ast.Repeat)
            or (node.span.start, node.span.end) in self.read
        ):
            return
        if holds_habit(self.graph, node):
            self.read_the_rest(node)
        elif not (isinstance(node, ast.CallExpression) and self.graph.is_layer(last_name(node))):
            self.elaborate(self.graph, node)

    # ── names ────────────────────────────────────────────────────────────────────────────────────

    def _known(self, name: str) -> bool:
        return name in self.graph.env or name in self.graph.modules or self._of_torch(name)

    def _of_torch(self, name: str) -> bool:
        return name in self.graph.catalogue or any(
            name in table for table in (OPTIMIZERS, SCHEDULERS, INITS)
        )

    def _function(self, name: str) -> bool:
        return name in self.graph.catalogue.functions

    def _operator(self, name: str, arguments: tuple[ast.Argument, ...]) -> str | None:
        """The sign that says what the function ``name`` does to these; `@` reads no better."""
        own = name in self.graph.env or name in self.graph.modules or name == "matmul"
        by_name = any(argument.name is not None for argument in arguments)
        return None if own or by_name else OPERATORS.get(name)

    def _row(self, name: str) -> Row | None:
        known = self.graph.catalogue
        return known.layers.get(name) or known.functions.get(name) or OPTIMIZERS.get(name)

    def _name(self, node: ast.Name) -> ast.Expression:
        if node.name in ("True", "False"):
            return ast.Boolean(span=node.span, value=node.name == "True")
        if node.name in TRUTH:
            return ast.NoneLiteral(span=node.span)
        name = node.name
        if not self._known(name):
            name = other_name(name, self.rank) or name
        return node if name == node.name else ast.Name(span=node.span, name=name)

    def _callee(self, name: str, span: Span, *, method: bool = False) -> ast.Name:
        """The function or layer that ``name`` was meant to be; the function, of a ``method``."""
        known = self._function(name) if method else self._known(name)
        if known or name in OPERATORS or name in self.graph.unread:
            return ast.Name(span=span, name=name)
        if name == GRAD and self.graph.kind == "train" and not method:
            return ast.Name(span=span, name=name)
        elsewhere = GRADIENT if name == GRAD else other_form(name, method=method)
        found = None if elsewhere else self._meant(name, method)
        if found is None:
            what = "function" if method or not name[:1].isupper() else "layer"
            reason = elsewhere or left_out(name) or f"there is no {what} `{name}` either; {EXTEND}"
            self.unknown.append(reason)
        return ast.Name(span=span, name=found or name)

    def _meant(self, name: str, method: bool) -> str | None:
        bare = name.rstrip("_") or name
        if self._function(bare) or (not method and self._known(bare)):
            return bare
        found = other_name(name, self.rank)
        if found is not None or left_out(name):
            return found if found is None or not method or self._function(found) else None
        if method:
            return nearest(name, self.graph.catalogue.functions)
        return near(self.graph, name, "stage")

    # ── calls ────────────────────────────────────────────────────────────────────────────────────

    def _call(self, node: ast.CallExpression) -> ast.Expression:
        callee = node.callee
        if is_length(self.graph, callee) and len(node.arguments) == 1:
            return self._size(node.arguments[0].value, literal(0, node.span), node)
        if self._sequential(callee):
            return self._chain(node)
        if isinstance(callee, ast.Name) and (endless := endless_number(node)) is not None:
            return endless
        if isinstance(callee, ast.CallExpression):
            made = self.stage(callee) if activation_of(callee) else self._call(callee)
            arguments = self._arguments(node, None)
            if isinstance(made, ast.Chain | ast.Pipeline) and len(arguments) == 1:
                return ast.Pipeline(
                    span=node.span, source=arguments[0].value, stages=(as_stage(made),)
                )
            return node.model_copy(update={"callee": made, "arguments": arguments})
        if isinstance(callee, ast.Attribute) and root(self.graph, callee) is None:
            return self._method(node, callee)
        if isinstance(callee, ast.Attribute) and callee.name in ("cast", "asarray", "array"):
            cast = self._cast(node, node.arguments[0].value) if node.arguments else None
            if cast is not None:
                return cast
        other = call_of(self.graph, node, self.expression, self._rank_of)
        if other is not None:
            return other
        if isinstance(callee, ast.Attribute):
            own = root(self.graph, callee) == "self"
            name = (
                ast.Name(span=callee.span, name=callee.name)
                if own
                else self._callee(callee.name, callee.span)
            )
        elif isinstance(callee, ast.Name):
            name = self._callee(callee.name, callee.span)
        else:
            return node
        row = self._row(name.name)
        node = stack(node, name.name)
        arguments = self._arguments(node, row)
        if name.name in OPTIMIZERS and arguments and last_name(arguments[0].value) == "parameters":
            arguments = arguments[1:]
        if isinstance(row, LayerRow):
            arguments = settings_of_keras(self.graph, callee, name.name, arguments)
        of_torch = root(self.graph, callee) in ("torch", "nn")
        if isinstance(row, OptimizerRow) or (isinstance(row, LayerRow) and of_torch):
            arguments = named(row, arguments)
        operator = self._operator(name.name, arguments)
        if operator and len(arguments) == 2:
            return binary(operator, arguments[0].value, arguments[1].value, node)
        return self._of_dtype(
            node, node.model_copy(update={"callee": name, "arguments": arguments})
        )

    def _of_dtype(self, node: ast.CallExpression, said: ast.CallExpression) -> ast.Expression:
        """``zeros(4, dtype=torch.long)`` as ``long(zeros(4))``: what is made has the type that the
        language gives it, and a cast stands around it."""
        dtype = next((item for item in node.arguments if item.name == "dtype"), None)
        row = self._row(last_name(said))
        if dtype is None or row is None or "dtype" in row.by_name:
            return said
        kept = tuple(item for item in said.arguments if item.name != "dtype")
        bare = said.model_copy(update={"arguments": kept})
        cast = cast_to(self.graph, dtype.value, self._entity)
        if cast is None:
            self.unknown.append(ELSEWHERE["cast"])
        if cast is None or cast == _MADE.get(row.name, "float"):
            return bare
        return called(cast, [(None, bare)], node.span)

    def _cast(self, node: ast.CallExpression, value: ast.Expression) -> ast.Expression | None:
        """``tf.cast(x, tf.float32)``, ``x.to(torch.half)``, ``x.type_as(y)`` as the cast; None
        where what it casts to cannot be told."""
        wanted = [
            item.value for item in node.arguments
            if item.name in (None, "dtype", "other") and item.value is not value
        ]  # fmt: skip
        for each in wanted:
            cast = cast_to(self.graph, each, self._entity)
            if cast is not None:
                return called(cast, [(None, self.expression(value))], node.span)
        return None

    def _entity(self, node: ast.Expression) -> Entity:
        """What ``node`` stands for, read once; nothing where it is in Python's form."""
        if self.elaborate is nothing_read or holds_habit(self.graph, node):
            return None
        self.read.add((node.span.start, node.span.end))
        return self.elaborate(self.graph, node)

    def _rank_of(self, node: ast.Expression) -> int | None:
        entity = self._entity(node)
        return len(entity.type.shape) if isinstance(entity, ir.Value) else None

    def _method(self, node: ast.CallExpression, callee: ast.Attribute) -> ast.Expression:
        """``value.method(...)`` as a function of the whole value."""
        name = callee.name
        if name == "parameters":
            return node
        if name in ("size", "dim", "ndimension") and not self._function(name):
            index = node.arguments[0].value if node.arguments and name == "size" else None
            return self._size(callee.value, index, node, rank=name != "size")
        if name in _CASTING and not (name == "to" and is_of_a_place(node)):
            cast = self._cast(node, callee.value)
            if cast is None:
                self.unknown.append(ELSEWHERE["cast"])
            return cast if cast is not None else node
        value = self.expression(callee.value)
        if name in _DROPPED and not self._function(name):
            return value
        if name == "t" and not node.arguments:
            return ast.Attribute(span=node.span, value=value, name="T")
        if name == "neg":
            return ast.Unary(span=node.span, operator="-", operand=value)
        operator = self._operator(name.rstrip("_"), node.arguments)
        if operator and len(node.arguments) == 1:
            return binary(operator, value, self.expression(node.arguments[0].value), node)
        function = self._callee(name, callee.span, method=True)
        first = ast.Argument(span=value.span, name=None, value=value)
        arguments = (first, *self._arguments(node, self._row(function.name)))
        return node.model_copy(update={"callee": function, "arguments": arguments})

    def _arguments(self, node: ast.CallExpression, row: Row | None) -> tuple[ast.Argument, ...]:
        return tuple(
            argument.model_copy(
                update={
                    "name": self._keyword(argument.name, row),
                    "value": self.expression(argument.value),
                }
            )
            for argument in node.arguments
            if not is_the_runs(argument.name, row)
        )

    def _keyword(self, name: str | None, row: Row | None) -> str | None:
        if name is None or row is None or name in row.by_name:
            return name
        return meant_argument(row, name) or name

    # ── rows of layers ───────────────────────────────────────────────────────────────────────────

    def _sequential(self, callee: ast.Expression) -> bool:
        if isinstance(callee, ast.Attribute):
            return callee.name == "Sequential" and root(self.graph, callee) is not None
        return is_sequential(self.graph, callee)

    def _chain(self, node: ast.CallExpression) -> ast.Expression:
        """``Sequential(A, B)`` as ``{ A -> B }``."""
        items = [argument.value for argument in node.arguments]
        if len(items) == 1 and isinstance(items[0], ast.Sequence):
            items = list(items[0].items)
        stages: list[ast.Stage] = []
        for item in items:
            said = self.stage(item)
            if isinstance(said, ast.Pipeline):
                stages += [as_stage(said.source), *said.stages]
            else:
                stages.append(as_stage(said))
        if not stages:
            self.unknown.append("layers in a row stand in braces: `x -> { Linear(8) -> ReLU }`")
        return ast.Chain(span=node.span, stages=tuple(stages))

    # ── attributes, sizes ────────────────────────────────────────────────────────────────────────

    def _attribute(self, node: ast.Attribute) -> ast.Expression:
        prefix = root(self.graph, node)
        if prefix == "self" and isinstance(node.value, ast.Name):
            return ast.Name(span=node.span, name=node.name)
        if prefix is not None and prefix != "self":
            if node.name == "newaxis":
                return ast.NoneLiteral(span=node.span)
            return infinity(node.name, node.span) or self._callee(node.name, node.span)
        if node.name in ("shape", "ndim"):
            return self._size(node.value, None, node, rank=node.name == "ndim")
        value = self.expression(node.value)
        if node.name in ("values", "indices"):
            place = literal(int(node.name == "indices"), node.span)
            return ast.Subscript(span=node.span, value=value, indices=(place,))
        if node.name == "data":
            return called("detach", [(None, value)], node.span)
        if node.name in _DROPPED:
            return value
        if node.name == GRAD:
            self.unknown.append(GRADIENT)
        elif node.name in OF_TENSORS:
            self.unknown.append("a run chooses where its tensors are, and of which precision")
        return node.model_copy(update={"value": value})

    def _size(
        self, of: ast.Expression, index: ast.Node | None, node: ast.Expression,
        *, rank: bool = False,
    ) -> ast.Expression:  # fmt: skip
        """A size of ``of`` by its name; all of them without ``index``; how many with ``rank``."""
        entity = None
        if not holds_habit(self.graph, of) and self.elaborate is not nothing_read:
            self.read.add((of.span.start, of.span.end))
            entity = self.elaborate(self.graph, of)
        position = static_index(index)
        if isinstance(entity, ir.Value):
            shape = entity.type.shape
            if rank:
                return literal(len(shape), node.span)
            names = [self._size_name(size, node) for size in shape]
            if index is None and all(names):
                kept = tuple(name for name in names if name is not None)
                return ast.Sequence(span=node.span, kind="tuple", items=kept)
            if position is not None and -len(names) <= position < len(names):
                found = names[position]
                if found is not None:
                    return found
        self.unknown.append(
            "sizes are the names in an input's type: after `input x: float[N, 8]`, write `N`"
        )
        return node

    def _size_name(self, size: Size, node: ast.Expression) -> ast.Expression | None:
        return size_of(self.graph, size, node)


def nothing_read(graph: Graph, expression: ast.Expression, hint: Hint = None) -> Entity:
    """Where nothing can be read, nothing is known of a value."""
    return None
