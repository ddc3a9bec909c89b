"""The parser's callbacks for what statements are made of: expressions, types and selectors.

One method a rule of the grammar, called with that rule's children. Non-goals: precedence, which is
``precedence``; what an expression means, which is ``specc.semantics``."""

from __future__ import annotations

from specc.errors import Span
from specc.syntax.parsing.literals import Children, Literals
from specc.syntax.tree import ast
from specc.syntax.tree.precedence import group


class Expressions(Literals):
    """The callbacks of expressions, types and selectors."""

    # ── expressions ──────────────────────────────────────────────────────────────────────────────

    def pipeline(self, children: Children) -> ast.Pipeline:
        source, *stages = children
        return ast.Pipeline(
            span=source.span.to(stages[-1].span), source=source, stages=tuple(stages)
        )

    def stage(self, children: Children) -> ast.Stage:
        label, target, *wrappers = children
        end = wrappers[-1].span if wrappers else target.span
        if label is None:
            return ast.Stage(
                span=target.span.to(end), label=None, target=target, wrappers=tuple(wrappers)
            )
        return ast.Stage(
            span=self.span(label).to(end),
            label=str(label),
            target=target,
            wrappers=tuple(wrappers),
        )

    def repeat(self, children: Children) -> ast.Repeat:
        keyword, count, name, target = children
        variable = None if name is None else ast.Name(span=self.span(name), name=str(name))
        span = self.span(keyword).to(target.span)
        return ast.Repeat(span=span, count=count, variable=variable, target=target)

    def chain(self, children: Children) -> ast.Chain:
        opening, *stages, closing = children
        return ast.Chain(span=self.span(opening).to(self.span(closing)), stages=tuple(stages))

    def wrapper(self, children: Children) -> ast.Expression:
        expression: ast.Expression = children[0]
        return expression

    def operation(self, children: Children) -> ast.Expression:
        return group(children, self.span)

    def call(self, children: Children) -> ast.CallExpression:
        callee, (arguments, closing) = children
        return ast.CallExpression(span=callee.span.to(closing), callee=callee, arguments=arguments)

    def arguments(self, children: Children) -> tuple[tuple[ast.Argument, ...], Span]:
        *given, closing = children
        arguments = tuple(
            item
            if isinstance(item, ast.Argument)
            else ast.Argument(span=item.span, name=None, value=item)
            for item in given
            if item is not None
        )
        return arguments, self.span(closing)

    def keyword(self, children: Children) -> ast.Argument:
        name, value = children
        return ast.Argument(span=self.span(name).to(value.span), name=str(name), value=value)

    def subscript(self, children: Children) -> ast.Subscript:
        value, *indices, closing = children
        return ast.Subscript(
            span=value.span.to(self.span(closing)), value=value, indices=tuple(indices)
        )

    def slice_index(self, children: Children) -> ast.Slice:
        lower, colon, upper, step = children
        return ast.Slice(span=self.span(colon), lower=lower, upper=upper, step=step)

    def ellipsis(self, children: Children) -> ast.Ellipsis:
        return ast.Ellipsis(span=self.span(children[0]))

    def attribute(self, children: Children) -> ast.Attribute:
        value, name = children
        return ast.Attribute(span=value.span.to(self.span(name)), value=value, name=str(name))

    def name(self, children: Children) -> ast.Name:
        token = children[0]
        return ast.Name(span=self.span(token), name=str(token))

    def parenthesised(self, children: Children) -> ast.Expression:
        opening, expression, closing = children
        grouped: ast.Expression = expression.model_copy(
            update={"span": self._through(opening, closing)}
        )
        return grouped

    def empty_tuple(self, children: Children) -> ast.Sequence:
        return ast.Sequence(span=self._through(*children), kind="tuple", items=())

    def tuple_literal(self, children: Children) -> ast.Sequence:
        opening, *items, closing = children
        kept = tuple(item for item in items if item is not None)
        return ast.Sequence(span=self._through(opening, closing), kind="tuple", items=kept)

    def list_literal(self, children: Children) -> ast.Sequence:
        opening, *items, closing = children
        kept = tuple(item for item in items if item is not None)
        return ast.Sequence(span=self._through(opening, closing), kind="list", items=kept)

    def comprehension(self, children: Children) -> ast.Comprehension:
        opening, element, variables, iterable, closing = children
        return ast.Comprehension(
            span=self._through(opening, closing),
            element=element,
            variables=variables,
            iterable=iterable,
        )

    def variables(self, children: Children) -> tuple[ast.Name, ...]:
        return tuple(ast.Name(span=self.span(child), name=str(child)) for child in children)

    # ── selectors, types ─────────────────────────────────────────────────────────────────────────

    def pattern(self, children: Children) -> ast.Pattern:
        return ast.Pattern(span=self.span(children[0]), text=str(children[0]))

    def exceptions(self, children: Children) -> tuple[ast.Pattern, ...]:
        return tuple(children)

    def selector(self, children: Children) -> ast.Selector:
        *patterns, excluded = children
        last = excluded[-1] if excluded else patterns[-1]
        return ast.Selector(
            span=patterns[0].span.to(last.span),
            patterns=tuple(patterns),
            excluded=excluded or (),
        )

    def type_expression(self, children: Children) -> ast.TypeExpression:
        name, argument, sizes = children
        span = self.span(name)
        if sizes is not None:
            span = span.to(sizes[1])
        elif argument is not None:
            span = span.to(argument.span)
        return ast.TypeExpression(
            span=span, name=str(name), argument=argument, sizes=sizes[0] if sizes else None
        )

    def dimensions(self, children: Children) -> tuple[tuple[ast.Expression, ...], Span]:
        *sizes, closing = children
        return tuple(size for size in sizes if size is not None), self.span(closing)
