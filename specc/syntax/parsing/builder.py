"""The parser's callbacks: each grammar rule to its AST node, while the parser runs.

One method a rule, called with that rule's children; no tree of the parser's own is ever built. Here
stand the file, its items and their statements; what these are made of is in ``expressions`` and
``literals``. Non-goal: deciding what is legal beyond the grammar."""

from __future__ import annotations

from typing import Any, Final

from specc.errors import Span
from specc.syntax.parsing.expressions import Expressions
from specc.syntax.parsing.literals import Children
from specc.syntax.tree import ast

MOST_ELSE_IFS: Final = 100


class Builder(Expressions):
    """Builds the nodes of one file at a time; ``begin`` it before each parse."""

    # ── file, items ──────────────────────────────────────────────────────────────────────────────

    def start(self, children: Children) -> ast.SpecFile:
        version: int | None = None
        version_span = None
        if children and isinstance(children[0], tuple):
            version, version_span = children.pop(0)
        span = children[0].span.to(children[-1].span) if children else None
        return ast.SpecFile(
            span=span or version_span or Span(self._file, 0, 0, 1, 1),
            version=version,
            version_span=version_span,
            items=tuple(children),
        )

    def version(self, children: Children) -> tuple[int, Span]:
        keyword, number = children
        return int(number.replace("_", "")[:9]), self.span(keyword).to(self.span(number))

    def use(self, children: Children) -> ast.Use:
        keyword, path = children
        return ast.Use(span=self._through(keyword, path), path=self._text(path))

    def param(self, children: Children) -> ast.Parameter:
        parameter: ast.Parameter = children[1]
        return parameter

    def parameter(self, children: Children) -> ast.Parameter:
        name, type_, default = children
        return ast.Parameter(
            span=self.span(name).to((default or type_).span),
            name=str(name),
            type=type_,
            default=default,
        )

    def parameters(self, children: Children) -> tuple[ast.Parameter, ...]:
        return tuple(child for child in children if child is not None)

    def model(self, children: Children) -> ast.Module:
        return self._module("model", children)

    def block(self, children: Children) -> ast.Module:
        return self._module("block", children)

    def _module(self, kind: Any, children: Children) -> ast.Module:
        keyword, name, *head, (body, closing) = children
        return ast.Module(
            span=self.span(keyword).to(closing),
            kind=kind,
            name=str(name),
            name_span=self.span(name),
            parameters=head[0] if head else (),
            body=body,
        )

    def body(self, children: Children) -> tuple[tuple[ast.Statement, ...], Span]:
        return tuple(children[1:-1]), self.span(children[-1])

    train_body = step_body = test_body = body

    def train(self, children: Children) -> ast.Train:
        keyword, (body, closing) = children
        return ast.Train(span=self.span(keyword).to(closing), body=body)

    def test(self, children: Children) -> ast.Test:
        keyword, (body, closing) = children
        return ast.Test(span=self.span(keyword).to(closing), body=body)

    # ── statements of models ─────────────────────────────────────────────────────────────────────

    def input(self, children: Children) -> ast.Input:
        keyword, name, said, conditions = children
        type_, variables, iterable, end = (
            said if isinstance(said, tuple) else (said, (), None, said.span)
        )
        return ast.Input(
            span=self.span(keyword).to(end),
            name=str(name),
            type=type_,
            conditions=conditions or (),
            variables=variables,
            iterable=iterable,
        )

    def list_type(
        self, children: Children
    ) -> tuple[ast.TypeExpression, tuple[ast.Name, ...], ast.Expression, Span]:
        _, type_, variables, iterable, closing = children
        return type_, variables, iterable, self.span(closing)

    def where(self, children: Children) -> tuple[ast.Expression, ...]:
        return tuple(children)

    def output(self, children: Children) -> ast.Output:
        keyword, *values = children
        return ast.Output(span=self.span(keyword).to(values[-1].span), values=tuple(values))

    def targets(self, children: Children) -> tuple[ast.Target, ...]:
        return tuple(children)

    def target_name(self, children: Children) -> ast.Target:
        return ast.Target(span=self.span(children[0]), name=str(children[0]), items=())

    def target_tuple(self, children: Children) -> ast.Target:
        items = children[0]
        return ast.Target(span=items[0].span.to(items[-1].span), name=None, items=items)

    def assign(self, children: Children) -> ast.Assign:
        targets, value = children
        return ast.Assign(span=targets[0].span.to(value.span), targets=targets, value=value)

    def layer(self, children: Children) -> ast.LayerDeclaration:
        keyword, name, stage = children
        return ast.LayerDeclaration(
            span=self.span(keyword).to(stage.span), name=str(name), stage=stage
        )

    def state(self, children: Children) -> ast.State:
        keyword, name, type_, value, *wrappers, persistence = children
        persistent, end = persistence or (None, (wrappers or [value])[-1].span)
        return ast.State(
            span=self.span(keyword).to(end),
            kind=str(keyword),  # type: ignore[arg-type]  # one of the two, by the grammar
            name=str(name),
            name_span=self.span(name),
            type=type_,
            value=value,
            wrappers=tuple(wrappers),
            persistent=persistent,
        )

    def persistence(self, children: Children) -> tuple[bool, Span]:
        _, truth = children
        return truth.type == "TRUE", self.span(truth)

    def init(self, children: Children) -> ast.Init:
        keyword, call, selector = children
        return ast.Init(span=self.span(keyword).to(selector.span), call=call, on=selector)

    def weights(self, children: Children) -> ast.Weights:
        keyword, path, mappings = children
        return ast.Weights(
            span=self._through(keyword, path), path=self._text(path), mappings=mappings or ()
        )

    def weight_map(self, children: Children) -> tuple[ast.MapLine, ...]:
        return tuple(children[1:-1])

    def renamed(self, children: Children) -> ast.MapLine:
        path, target = children
        return self._line_of_map("rename", path.span, (path,), (target,))

    def copied(self, children: Children) -> ast.MapLine:
        keyword, path, target = children
        return self._line_of_map("copy", self.span(keyword), (path,), (target,))

    def joined(self, children: Children) -> ast.MapLine:
        keyword, *paths, target = children
        return self._line_of_map("cat", self.span(keyword), tuple(paths), (target,))

    def divided(self, children: Children) -> ast.MapLine:
        keyword, path, *targets = children
        return self._line_of_map("split", self.span(keyword), (path,), tuple(targets))

    def picked(self, children: Children) -> ast.MapLine:
        keyword, *paths = children
        return self._line_of_map(str(keyword), self.span(keyword), tuple(paths))

    def _line_of_map(
        self, verb: Any, start: Span, paths: tuple[ast.Pattern, ...],
        targets: tuple[ast.Pattern, ...] = (),
    ) -> ast.MapLine:  # fmt: skip
        end = (targets or paths)[-1]
        return ast.MapLine(span=start.to(end.span), verb=verb, paths=paths, targets=targets)

    def path(self, children: Children) -> ast.Pattern:
        return ast.Pattern(span=self.span(children[0]), text=self._text(children[0]))

    def freeze(self, children: Children) -> ast.Freeze:
        keyword, selector = children
        return ast.Freeze(span=self.span(keyword).to(selector.span), on=selector)

    def freeze_whole(self, children: Children) -> ast.Freeze:
        keyword, *paths = children
        return ast.Freeze(span=self.span(keyword).to(paths[-1].span), on=None, whole=tuple(paths))

    def layer_path(self, children: Children) -> ast.Pattern:
        span = self._through(children[0], children[-1])
        return ast.Pattern(span=span, text=".".join(map(str, children)))

    def if_statement(self, children: Children) -> ast.If:
        keyword, condition, (body, closing), otherwise = children
        below = otherwise[0] if otherwise and len(otherwise) == 1 else None
        depth = self._else_ifs.pop(id(below), 0) + 1 if isinstance(below, ast.If) else 0
        if depth > MOST_ELSE_IFS:
            if depth == MOST_ELSE_IFS + 1:
                self._collector.error(
                    "E0104",
                    f"more than {MOST_ELSE_IFS} `else if` follow each other here",
                    self.span(keyword),
                    "choose by a tuple: `widths[k]`",
                )
            otherwise = ()
        made = ast.If(
            span=self.span(keyword).to(closing),
            condition=condition,
            body=body,
            otherwise=otherwise or (),
        )
        self._else_ifs[id(made)] = depth
        return made

    def else_branch(self, children: Children) -> tuple[ast.Statement, ...]:
        (child,) = children
        if isinstance(child, ast.If):
            return (child,)
        body: tuple[ast.Statement, ...] = child[0]
        return body

    def for_statement(self, children: Children) -> ast.For:
        label, keyword, variables, iterable, (body, closing) = children
        return ast.For(
            span=self.span(label or keyword).to(closing),
            label=str(label) if label else None,
            variables=variables,
            iterable=iterable,
            body=body,
        )

    if_train = if_step = if_statement
    else_train = else_step = else_branch

    def for_train(self, children: Children) -> ast.For:
        return self.for_statement([None, *children])

    for_step = for_train

    # ── statements of train ──────────────────────────────────────────────────────────────────────

    def regularize(self, children: Children) -> ast.Regularize:
        keyword, call, selector = children
        return ast.Regularize(span=self.span(keyword).to(selector.span), call=call, on=selector)

    def constrain(self, children: Children) -> ast.Constrain:
        keyword, call, selector = children
        return ast.Constrain(span=self.span(keyword).to(selector.span), call=call, on=selector)

    def clip(self, children: Children) -> ast.Clip:
        keyword, call, selector = children
        return ast.Clip(span=self.span(keyword).to((selector or call).span), call=call, on=selector)

    def optimizer(self, children: Children) -> ast.Optimizer:
        keyword, call, selector, groups = children
        return ast.Optimizer(
            span=self.span(keyword).to((selector or call).span),
            call=call,
            on=selector,
            groups=groups or (),
        )

    def groups(self, children: Children) -> tuple[ast.Group, ...]:
        return tuple(children[1:-1])

    def group(self, children: Children) -> ast.Group:
        keyword, (arguments, _), selector = children
        return ast.Group(
            span=self.span(keyword).to(selector.span), arguments=arguments, on=selector
        )

    def scheduler(self, children: Children) -> ast.Scheduler:
        keyword, call, interval = children
        return ast.Scheduler(
            span=self.span(keyword).to(call.span),
            call=call,
            interval=str(interval) if interval else None,
        )

    def step(self, children: Children) -> ast.Step:
        keyword, name, (body, closing) = children
        return ast.Step(span=self.span(keyword).to(closing), name=str(name), body=body)

    def copy(self, children: Children) -> ast.Copy:
        keyword, name, of, every = children
        span = self.span(keyword).to(every.span)
        return ast.Copy(span=span, name=str(name), of=str(of), every=every)

    def ema(self, children: Children) -> ast.Ema:
        keyword, name, of, decay = children
        span = self.span(keyword).to(decay.span)
        return ast.Ema(span=span, name=str(name), of=str(of), decay=decay)

    def accumulate(self, children: Children) -> ast.Accumulate:
        keyword, count, by = children
        name = None if by is None else ast.Name(span=self.span(by), name=str(by))
        span = self.span(keyword).to((name or count).span)
        return ast.Accumulate(span=span, count=count, by=name)

    def precision(self, children: Children) -> ast.Precision:
        keyword, name = children
        return ast.Precision(span=self._through(keyword, name), name=str(name))

    def metric(self, children: Children) -> ast.Metric:
        keyword, call = children
        return ast.Metric(span=self.span(keyword).to(call.span), call=call)

    # ── statements of test ───────────────────────────────────────────────────────────────────────

    def params(self, children: Children) -> ast.Params:
        keyword, *params = children
        return ast.Params(span=self.span(keyword).to(params[-1].span), params=tuple(params))

    def sizes(self, children: Children) -> ast.Sizes:
        keyword, *sizes = children
        return ast.Sizes(span=self.span(keyword).to(sizes[-1].span), sizes=tuple(sizes))

    def size(self, children: Children) -> ast.Size:
        name, value = children
        return ast.Size(span=self.span(name).to(value.span), name=str(name), value=value)

    def chosen(self, children: Children) -> ast.Size:
        owner, name, value = children
        said = str(owner) if name is None else f"{owner}.{name}"
        return ast.Size(span=self.span(owner).to(value.span), name=said, value=value)

    def setting(self, children: Children) -> ast.Setting:
        keyword, *values = children
        return ast.Setting(
            span=self.span(keyword).to(values[-1].span), name=str(keyword), values=tuple(values)
        )

    def sample(self, children: Children) -> ast.Sample:
        keyword, name, path = children
        return ast.Sample(span=self._through(keyword, path), name=str(name), path=self._text(path))
