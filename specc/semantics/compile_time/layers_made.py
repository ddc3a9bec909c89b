"""Where layers are made in statements, found by their form alone, before anything is read.

Non-goal: what the layers are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from specc.syntax.tree import ast

IsLayer = Callable[[str], bool]


class Site(NamedTuple):
    """A place that makes a layer: its label, where it starts in the text, what it makes."""

    label: str | None
    start: int
    type: str
    # How many loops without a label, and lists, it is in: there may be any number of it.
    depth: int = 0
    # Of a labelled loop, what is in it.
    inside: tuple[Site, ...] = ()


def sites(statements: Iterable[ast.Statement], is_layer: IsLayer) -> Iterator[Site]:
    """Each place of the statements that makes a layer, whatever is decided when they are read;
    ``is_layer`` tells of a name whether it is a layer's or a block's. A labelled loop is one
    place."""
    for statement in statements:
        match statement:
            case ast.LayerDeclaration():
                yield Site(statement.name, statement.span.start, _kind(statement.stage.target))
            case ast.Assign():
                yield from expression_sites(statement.value, is_layer)
            case ast.Output():
                for value in statement.values:
                    yield from expression_sites(value, is_layer)
            case ast.If():
                yield from sites(statement.body + statement.otherwise, is_layer)
            case ast.For():
                if statement.label is not None:
                    inside = tuple(sites(statement.body, is_layer))
                    yield Site(statement.label, statement.span.start, "for", inside=inside)
                else:
                    for site in sites(statement.body, is_layer):
                        yield site._replace(depth=site.depth + 1)


def expression_sites(expression: ast.Expression, is_layer: IsLayer) -> Iterator[Site]:
    """As ``sites``, of one expression."""
    match expression:
        case ast.Pipeline():
            yield from expression_sites(expression.source, is_layer)
            for stage in expression.stages:
                yield from _stage_sites(stage, is_layer)
        case ast.Binary():
            yield from expression_sites(expression.left, is_layer)
            yield from expression_sites(expression.right, is_layer)
        case ast.Unary():
            yield from expression_sites(expression.operand, is_layer)
        case ast.CallExpression():
            # `Linear(4)(x)` makes a layer.
            head = (
                _head(expression.callee)
                if isinstance(expression.callee, ast.CallExpression)
                else None
            )
            for argument in expression.arguments:
                yield from expression_sites(argument.value, is_layer)
            if head is not None and is_layer(head):
                yield Site(None, expression.span.start, head)
        case ast.Sequence():
            for item in expression.items:
                yield from expression_sites(item, is_layer)
        case ast.Subscript():
            yield from expression_sites(expression.value, is_layer)
        case ast.Attribute():
            yield from expression_sites(expression.value, is_layer)
        case ast.Comprehension():
            for site in expression_sites(expression.element, is_layer):
                yield site._replace(depth=site.depth + 1)


def _stage_sites(stage: ast.Stage, is_layer: IsLayer) -> Iterator[Site]:
    target = stage.target
    if isinstance(target, ast.CallExpression):
        for argument in target.arguments:
            yield from expression_sites(argument.value, is_layer)
    made = isinstance(target, ast.Repeat | ast.Chain) or is_layer(_head(target) or "")
    if stage.label is not None or made:
        yield Site(stage.label, target.span.start, _kind(target))


def _head(target: ast.Expression) -> str | None:
    if isinstance(target, ast.CallExpression):
        target = target.callee
    return target.name if isinstance(target, ast.Name) else None


def _kind(target: ast.Expression) -> str:
    """What a stage without a label is called by: its type, that of what it repeats."""
    while isinstance(target, ast.Repeat):
        target = target.target
    return _head(target) or "sequential"


def site_names(found: Iterable[Site]) -> dict[int, str]:
    """The name of each layer of one stretch that has no label, by where it starts: its type in
    lower case, counted from 1. Nothing that is decided when the statements are read renames one."""
    listed = list(found)
    labels = {site.label for site in listed}
    counts: dict[str, int] = {}
    names: dict[int, str] = {}
    for site in listed:
        if site.label is not None:
            continue
        base = site.type.lower()
        while True:
            counts[base] = counts.get(base, 0) + 1
            name = f"{base}_{counts[base]}"
            if name not in labels:
                break
        names[site.start] = name
    return names


def site_order(found: Iterable[Site], prefix: str = "") -> Iterator[str]:
    """The paths of the layers of one stretch in the order of the text, ``*`` for every position in
    a loop: ``conv1``, ``blocks``, ``blocks.*.attn``."""
    listed = list(found)
    names = site_names(listed)
    for site in listed:
        path = prefix + (site.label or names[site.start])
        yield path
        yield from site_order(site.inside, f"{path}{'.*' * (site.depth + 1)}.")


def assigned_names(statements: Iterable[ast.Statement]) -> Iterator[str]:
    """The names that the statements bind, those of their loops and branches among them."""
    for statement in statements:
        match statement:
            case ast.Assign():
                for target in leaves(statement.targets):
                    if target.name is not None:
                        yield target.name
            case ast.LayerDeclaration():
                yield statement.name
            case ast.If():
                yield from assigned_names(statement.body + statement.otherwise)
            case ast.For():
                yield from assigned_names(statement.body)


def keeps_something(module: ast.Module, is_layer: IsLayer) -> bool:
    """Whether a model or block has a parameter or buffer of its own, or makes what may have some:
    it can do without an input then."""

    kept = any(True for _ in kept_names(module.body))
    return kept or any(True for _ in sites(module.body, is_layer))


def kept_names(statements: Iterable[ast.Statement]) -> Iterator[str]:
    """The names of the parameters and buffers that ``statements`` declare."""
    for item in statements:
        if isinstance(item, ast.State):
            yield item.name
        elif isinstance(item, ast.If):
            yield from kept_names(item.body + item.otherwise)


def operands_named(expression: ast.Expression) -> Iterator[ast.Name]:
    """The names that arithmetic is done on, in order."""
    match expression:
        case ast.Name():
            yield expression
        case ast.Binary():
            yield from operands_named(expression.left)
            yield from operands_named(expression.right)
        case ast.Unary():
            yield from operands_named(expression.operand)


def leaves(targets: Iterable[ast.Target]) -> Iterator[ast.Target]:
    """The names of an assignment, nested ones among them."""
    for target in targets:
        if target.name is None:
            yield from leaves(target.items)
        else:
            yield target


def is_pure_chain(module: ast.Module) -> bool:
    """Whether a block is nothing but its input piped through stages without labels."""
    inputs = [item for item in module.body if isinstance(item, ast.Input)]
    outputs = [item for item in module.body if isinstance(item, ast.Output)]
    if len(inputs) != 1 or len(outputs) != 1 or len(module.body) != 2:
        return False
    if inputs[0].iterable is not None:
        return False
    if len(outputs[0].values) != 1:
        return False
    value = outputs[0].values[0]
    return (
        isinstance(value, ast.Pipeline)
        and isinstance(value.source, ast.Name)
        and value.source.name == inputs[0].name
        and all(stage.label is None for stage in value.stages)
    )


def all_layers(stages: Iterable[ast.Stage], is_layer: IsLayer) -> bool:
    """Whether each stage makes a layer, or several in a row."""
    for stage in stages:
        target: ast.Expression = stage.target
        while isinstance(target, ast.Repeat):
            target = target.target
        if isinstance(target, ast.Chain):
            if not all_layers(target.stages, is_layer):
                return False
        elif not is_layer(_head(target) or ""):
            return False
    return True
