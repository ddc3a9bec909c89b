"""The whole file: version, params, models, train and test put together into one ``ir.Program``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc import ir
from specc.errors import Collector, Span
from specc.semantics.entities import Entity
from specc.semantics.graph import Graph
from specc.semantics.lint import lint_model, lint_train
from specc.semantics.missing import not_yet
from specc.semantics.models import build_model
from specc.semantics.names import check_type_name
from specc.semantics.params import Settings, declare_param
from specc.semantics.plan import build_plan
from specc.semantics.train import TrainBuilder
from specc.syntax import ast
from specc.syntax.parse import Parsed

VERSION: Final = 1


def build_program(
    parsed: Parsed, file: str, params: Mapping[str, object], collector: Collector
) -> ir.Program | None:
    """The program as far as it could be read; its faults are with the collector."""
    tree = parsed.tree
    _check_version(tree, collector)
    settings = Settings(params)
    scope = _file_scope(tree, parsed.unread, collector)
    file_params = []
    for item in tree.items:
        if isinstance(item, ast.Parameter):
            param = declare_param(scope, item, settings, None)
            if param is not None:
                file_params.append(param)
    models: list[tuple[ir.Module, Graph]] = []
    for item in tree.items:
        if isinstance(item, ast.Module) and item.kind == "model":
            if check_type_name(item.name, item.name_span, collector):
                models.append(
                    build_model(
                        item, collector, tuple(file_params), scope.env, settings, scope.modules,
                        parsed.unread,
                    )
                )  # fmt: skip
        elif isinstance(item, ast.Module):
            not_yet(scope, "a block", item.name_span)
        elif isinstance(item, ast.Use):
            not_yet(scope, "`use`", item.span)
    settings.check_all_taken(_known_params(tree), collector)
    if not models:
        if not parsed.unread and not any(isinstance(item, ast.Module) for item in tree.items):
            collector.error(
                "E0108", "this file has no model", Span(file, 0, 1, 1, 1),
                "write `model Name { input ... output ... }`",
            )  # fmt: skip
        return None
    for model, graph in models:
        lint_model(model, graph, collector)
    train = _train(tree, models, scope, collector)
    plan = _plan(tree, models, scope, collector)
    return ir.Program(
        file=file,
        version=VERSION,
        params=tuple(file_params),
        models=tuple(model for model, _ in models),
        train=train,
        test=plan,
        warnings=tuple(item for item in collector.sorted() if item.severity == "warning"),
    )


def _check_version(tree: ast.SpecFile, collector: Collector) -> None:
    if tree.version is None:
        collector.error(
            "E0109",
            "a spec begins with the version of the language it is written in",
            Span(tree.span.file, 0, 1, 1, 1),
            f"write `spec {VERSION}` on the first line",
        )
    elif tree.version != VERSION:
        collector.error(
            "E0109",
            f"this is version {tree.version} of the language; this specc reads version {VERSION}",
            tree.version_span,
            "install a newer specc" if tree.version > VERSION else f"write `spec {VERSION}`",
        )


def _file_scope(tree: ast.SpecFile, unread: frozenset[str], collector: Collector) -> Graph:
    modules: dict[str, str] = {}
    for item in tree.items:
        if isinstance(item, ast.Module):
            if item.name in modules:
                collector.error(
                    "E0219",
                    f"there is already a {modules[item.name]} called `{item.name}`",
                    item.name_span,
                    "give it another name",
                )
            modules[item.name] = item.kind
    env: dict[str, Entity] = {}
    return Graph(
        kind="model", collector=collector, params={}, env=env, modules=modules, unread=unread
    )


def _known_params(tree: ast.SpecFile) -> list[str]:
    names = [item.name for item in tree.items if isinstance(item, ast.Parameter)]
    for item in tree.items:
        if isinstance(item, ast.Module):
            names += [parameter.name for parameter in item.parameters]
    return list(dict.fromkeys(names))


def _train(
    tree: ast.SpecFile, models: list[tuple[ir.Module, Graph]], scope: Graph, collector: Collector
) -> ir.Train | None:
    blocks = [item for item in tree.items if isinstance(item, ast.Train)]
    if not blocks:
        return None
    for block in blocks[1:]:
        collector.error(
            "E0409", "there is already a `train`", block.span._replace(end=block.span.start + 5)
        )
    if len(models) > 1:
        span = blocks[0].span._replace(end=blocks[0].span.start + 5)
        not_yet(scope, "training several models", span, "train each in a spec of its own")
        return None
    model, graph = models[0]
    train = TrainBuilder(model, graph, scope.env, collector).build(blocks[0])
    if not collector.failed:
        lint_train(model, train, collector)
    return train


def _plan(
    tree: ast.SpecFile, models: list[tuple[ir.Module, Graph]], scope: Graph, collector: Collector
) -> ir.TestPlan:
    blocks = [item for item in tree.items if isinstance(item, ast.Test)]
    for block in blocks[1:]:
        collector.error(
            "E0409", "there is already a `test`", block.span._replace(end=block.span.start + 4)
        )
    if not blocks:
        return ir.TestPlan()
    model, _ = models[0]
    return build_plan(blocks[0], scope, model, collector)
