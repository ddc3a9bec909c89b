"""The syntax tree: frozen pydantic nodes, each with its span; what the text says, not what it
means.

Nodes hold children by their base class (``Expression``, ``Statement``): pydantic then checks an
instance without trying the members of a union, which keeps building a tree as fast as lexing it.
Non-goals: names, types and values of params; those are ``specc.semantics``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, SkipValidation

from specc.errors import Span


class Node(BaseModel):
    """Base of every node. Two nodes are equal when they say the same at the same place."""

    # Most files use a third of the kinds: each is built when it is first made.
    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True
    )

    span: SkipValidation[Span]


# ── expressions ──────────────────────────────────────────────────────────────────────────────────


class Expression(Node):
    """Anything with a value."""


class Number(Expression):
    value: int | float


class String(Expression):
    value: str


class Boolean(Expression):
    value: bool


class NoneLiteral(Expression):
    """``none``."""


class Name(Expression):
    name: str


class Sequence(Expression):
    """A tuple ``(a, b)`` or a list ``[a, b]``."""

    kind: Literal["tuple", "list"]
    items: tuple[Expression, ...]


class Comprehension(Expression):
    """``[element for variables in iterable]``."""

    element: Expression
    variables: tuple[Name, ...]
    iterable: Expression


class Unary(Expression):
    operator: Literal["-", "not"]
    operand: Expression


class Binary(Expression):
    """Arithmetic, comparison, ``and`` and ``or``."""

    operator: str
    left: Expression
    right: Expression


class Argument(Node):
    """One argument of a call; ``name`` is None where it is positional."""

    name: str | None
    value: Expression


class CallExpression(Expression):
    """``callee(arguments)``; ``closing`` is the place of the closing parenthesis."""

    callee: Expression
    arguments: tuple[Argument, ...]


class Slice(Node):
    lower: Expression | None
    upper: Expression | None
    step: Expression | None


class Ellipsis(Node):
    """``...`` in a subscript."""


class Subscript(Expression):
    value: Expression
    indices: tuple[Expression | Slice | Ellipsis, ...]


class Attribute(Expression):
    value: Expression
    name: str


class Repeat(Expression):
    """``repeat(count) target``, ``repeat(count, variable) target``."""

    count: Expression
    variable: Name | None
    target: Expression


class Chain(Expression):
    """``{ A -> B }``: layers in a row, as ``nn.Sequential``."""

    stages: tuple[Stage, ...]


class Stage(Node):
    """One stop of a pipe: ``label: target with wrapper``."""

    label: str | None
    target: Expression
    wrappers: tuple[Expression, ...]


class Pipeline(Expression):
    """``source -> stage -> stage``."""

    source: Expression
    stages: tuple[Stage, ...]


# ── types, selectors ─────────────────────────────────────────────────────────────────────────────


class TypeExpression(Node):
    """``float[N, 3]``, ``index(10)[N]``, or a param's ``int``; ``sizes`` None means no brackets."""

    name: str
    argument: Expression | None
    sizes: tuple[Expression, ...] | None


class Pattern(Node):
    """One glob of a selector, as written."""

    text: str


class Selector(Node):
    """What stands after ``on``: any of ``patterns`` but none of ``excluded``."""

    patterns: tuple[Pattern, ...]
    excluded: tuple[Pattern, ...]


# ── statements of models and blocks ──────────────────────────────────────────────────────────────


class Statement(Node):
    """Anything that stands on a line of its own."""


class Parameter(Statement):
    """``width: int = 128``, at the top of a file or in the head of a model or block."""

    name: str
    type: TypeExpression
    default: Expression | None


class Input(Statement):
    """``name: float[N, 3]``; a list is ``name: [float[N, k] for variables in iterable]``."""

    name: str
    type: TypeExpression
    conditions: tuple[Expression, ...]
    variables: tuple[Name, ...] = ()
    iterable: Expression | None = None


class Output(Statement):
    values: tuple[Expression, ...]


class Target(Node):
    """What an assignment binds: a name, or a tuple of targets."""

    name: str | None
    items: tuple[Target, ...]


class Assign(Statement):
    targets: tuple[Target, ...]
    value: Expression


class LayerDeclaration(Statement):
    """``layer emb = Embedding(dim)``."""

    name: str
    stage: Stage


class State(Statement):
    """``parameter gamma: float[C] = ones_``, ``buffer mask = tril(ones(T, T)), persistent=false``.

    ``persistent`` is None where it is not said."""

    kind: Literal["parameter", "buffer"]
    name: str
    name_span: SkipValidation[Span]
    type: TypeExpression | None
    value: Expression
    wrappers: tuple[Expression, ...]
    persistent: bool | None


class Init(Statement):
    call: Expression
    on: Selector


class MapLine(Statement):
    """One line of the map of ``weights``: what becomes of ``paths`` in the file, and what that is
    called. ``drop``, ``transpose`` and ``fresh`` pick paths and have no ``targets``; ``cat`` makes
    one of several, ``split`` several of one, any other one of one."""

    verb: Literal["rename", "copy", "cat", "split", "drop", "transpose", "fresh"]
    paths: tuple[Pattern, ...]
    targets: tuple[Pattern, ...]


class Weights(Statement):
    path: str
    mappings: tuple[MapLine, ...]


class Freeze(Statement):
    """``freeze on stem.*``, or ``freeze teacher``: then ``on`` is None, and ``whole`` has paths."""

    on: Selector | None
    whole: tuple[Pattern, ...] = ()


class If(Statement):
    condition: Expression
    body: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]


class For(Statement):
    """``label: for variables in iterable { }``: one variable, or one for each item of a row."""

    label: str | None
    variables: tuple[Name, ...]
    iterable: Expression
    body: tuple[Statement, ...]


# ── statements of train ──────────────────────────────────────────────────────────────────────────


class Regularize(Statement):
    call: Expression
    on: Selector


class Constrain(Statement):
    call: Expression
    on: Selector


class Clip(Statement):
    call: Expression
    on: Selector | None


class Group(Node):
    arguments: tuple[Argument, ...]
    on: Selector


class Optimizer(Statement):
    call: Expression
    on: Selector | None
    groups: tuple[Group, ...]


class Scheduler(Statement):
    call: Expression
    interval: str | None


class Step(Statement):
    name: str
    body: tuple[Statement, ...]


class Copy(Statement):
    name: str
    of: str
    every: Expression


class Ema(Statement):
    name: str
    of: str
    decay: Expression


class Accumulate(Statement):
    """``accumulate 4 by tokens``; ``by`` is None where each batch counts alike."""

    count: Expression
    by: Name | None


class Precision(Statement):
    name: str


class Metric(Statement):
    call: Expression


# ── statements of test ───────────────────────────────────────────────────────────────────────────


class Size(Node):
    name: str
    value: Expression


class Params(Statement):
    """``params depth=2, Net.width=64`` of a test."""

    params: tuple[Size, ...]


class Sizes(Statement):
    sizes: tuple[Size, ...]


class Setting(Statement):
    """``seed 7``, ``targets eager, compile``."""

    name: str
    values: tuple[Expression, ...]


class Sample(Statement):
    """``input image from "samples.safetensors"``."""

    name: str
    path: str


# ── the file ─────────────────────────────────────────────────────────────────────────────────────


class Use(Statement):
    path: str


class Module(Statement):
    """A ``model`` or a ``block``."""

    kind: Literal["model", "block"]
    name: str
    name_span: SkipValidation[Span]
    parameters: tuple[Parameter, ...]
    body: tuple[Statement, ...]


class Train(Statement):
    body: tuple[Statement, ...]


class Test(Statement):
    __test__ = False  # pytest collects classes called Test*

    body: tuple[Statement, ...]


class SpecFile(Node):
    """A whole file; ``version`` is None where the first line does not say it."""

    version: int | None
    version_span: SkipValidation[Span | None]
    items: tuple[Statement, ...]


# ── walking ──────────────────────────────────────────────────────────────────────────────────────


def inner(node: Node) -> Iterator[Node]:
    """The nodes that ``node`` is made of, in the order of their fields."""
    for value in node.__dict__.values():
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple) and not isinstance(value, Span):
            yield from (item for item in value if isinstance(item, Node))
