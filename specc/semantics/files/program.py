"""The whole file: version, params, models, train and test put together into one ``ir.Program``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from specc import ir
from specc.catalog.catalogue import BUILT_IN, Catalogue
from specc.errors import Collector, Span
from specc.semantics.blocks.blocks import read_unfed
from specc.semantics.calls.emptiness import check_empty
from specc.semantics.checks.accumulation import lint_accumulation
from specc.semantics.checks.autocast_checks import check_autocast
from specc.semantics.checks.axes import lint_axes
from specc.semantics.checks.backward import check_derivatives
from specc.semantics.checks.batch_axes import lint_batch
from specc.semantics.checks.divisors import check_divisors
from specc.semantics.checks.feeding import FeedingLint
from specc.semantics.checks.half_precision import check_half
from specc.semantics.checks.lint import lint_model, lint_train
from specc.semantics.checks.lookups import check_lookups
from specc.semantics.checks.untrained import lint_untrained
from specc.semantics.compile_time.free_names import check_name, check_type_name
from specc.semantics.compile_time.library import Definition
from specc.semantics.compile_time.param_values import TYPES
from specc.semantics.files.plan import build_plan, test_params, with_steps
from specc.semantics.files.rows_of_sizes import check_conditions, check_names
from specc.semantics.files.silence import silence
from specc.semantics.files.used_files import ReadUsed, UsedFile, used_files
from specc.semantics.models.models import build_model, build_module, declare_input, run
from specc.semantics.models.params import (
    Settings,
    check_hides_no_layer,
    declare_param,
    type_advice,
)
from specc.semantics.naming.graph import Graph, Library
from specc.semantics.training.train import TrainBuilder
from specc.syntax.parsing.parse import Parsed
from specc.syntax.tree import ast
from specc.syntax.tree.written import written

VERSION: Final = 1


def build_program(
    parsed: Parsed,
    file: str,
    params: Mapping[str, object],
    collector: Collector,
    read_used: ReadUsed | None = None,
    catalogue: Catalogue = BUILT_IN,
    tested: bool = False,
) -> ir.Program | None:
    """The program as far as it could be read; its faults are with the collector.

    ``read_used`` reads a file that the spec uses; without it there is none to read. ``catalogue``
    is what the spec may name of torch and of extensions. The params that ``test`` says are put in
    where the program is ``tested``; ``params`` have the last word."""
    tree = parsed.tree
    library = Library(build=build_module, declare_input=declare_input, run=run, catalogue=catalogue)
    files = used_files(parsed, file, collector, read_used)
    library.complete = all(used.complete for used in files)
    of_test = _test_params(files, library, collector)
    settings = Settings({**_left_by(params, of_test), **params} if tested else params)
    settings.taken.update(of_test)
    file_params: list[ir.Param] = []
    known: list[str] = []
    scopes: list[Graph] = []
    for used in files:
        _check_version(used.tree, collector)
        scope = _file_scope(used, library, collector)
        scopes.append(scope)
        known += _known_params(used.tree)
        for item in used.tree.items:
            if isinstance(item, ast.Parameter):
                if any(param.name == item.name for param in file_params):
                    scope.error("E0220", f"`{item.name}` is declared twice", item.span,
                                "two files of a spec cannot have one param")  # fmt: skip
                    continue
                param = declare_param(scope, item, settings, None)
                if param is not None:
                    file_params.append(param)
                    library.file_params[param.name] = used.name
        _define(used.tree, scope)
    scope = scopes[-1]
    models: list[tuple[ir.Module, Graph]] = []
    for item, home in [
        (item, home)
        for used, home in zip(files, scopes, strict=True)
        for item in used.tree.items
        if isinstance(item, ast.Module) and item.kind == "model"
    ]:
        if library.definitions.get(item.name) is None or (
            library.definitions[item.name].tree is not item
        ):
            continue
        models.append(build_model(item, home, tuple(file_params), settings))
        library.reported.note(collector)
    read_unfed(scope)
    settings.check_all_taken(list(dict.fromkeys(known)), collector)
    own = [entry for entry in models if entry[0].span.file == file]
    if not own:
        if not parsed.unread and not any(
            isinstance(item, ast.Module) and item.kind == "model" for item in tree.items
        ):
            collector.error(
                "E0108", "this file has no model", Span(file, 0, 1, 1, 1),
                "write `model Name { input ... output ... }`",
            )  # fmt: skip
        return None
    for model, graph in models:
        lint_model(model, graph, collector)
    train = _train(tree, own, scope, collector)
    # A loss is a block that `train` alone uses.
    _warn_of_unused(tree, library, collector, bool(parsed.unread))
    if not collector.failed:
        check_empty([model for model, _ in own], train, collector)
        check_derivatives([model for model, _ in own], train, collector)
        check_lookups([model for model, _ in own], train, collector)
        check_divisors([model for model, _ in own], train, collector)
        _lint(own, train, collector)
    plan = _plan(tree, own, train, scope, of_test, collector)
    silence((ignore for used in files for ignore in used.ignores), file, collector)
    program = ir.Program(
        file=file,
        version=VERSION,
        params=tuple(file_params),
        models=tuple(model for model, _ in own),
        train=train,
        test=plan,
        warnings=tuple(item for item in collector.sorted() if item.severity == "warning"),
    )
    if not collector.failed:
        check_half(program, collector)
        check_autocast(program, collector)
    return program


def _lint(
    models: Sequence[tuple[ir.Module, Graph]], train: ir.Train | None, collector: Collector
) -> None:
    """What the whole program shows that no statement alone does."""
    library = models[0][1].library
    feeding = FeedingLint(collector, library.trails, library.calls)
    for model, _ in models:
        feeding.model(model)
    if train is not None:
        model = next(model for model, _ in models if model.name == train.model)
        lint_train(model, train, collector)
        feeding.train(model, train)
        lint_untrained([each for each, _ in models], models[0][1].library.used, train, collector)
        lint_accumulation(model, train, collector)
    lint_batch([model for model, _ in models], train, collector)
    lint_axes([model for model, _ in models], train, collector)


def _warn_of_unused(
    tree: ast.SpecFile, library: Library, collector: Collector, unread: bool
) -> None:
    """A block that nothing uses was not checked either, and is not emitted: that is said."""
    if unread or collector.failed:
        return
    for item in tree.items:
        if isinstance(item, ast.Module) and item.kind == "block" and item.name not in library.used:
            collector.warning(
                "W0202",
                f"nothing uses the block `{item.name}`: it was not checked, and is not emitted",
                item.name_span,
                "use it, or take it away",
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


def _file_scope(used: UsedFile, library: Library, collector: Collector) -> Graph:
    return Graph(
        kind="model", collector=collector, params={}, env={}, library=library, unread=used.unread
    )


def _define(tree: ast.SpecFile, scope: Graph) -> None:
    """Puts the file's models and blocks into the library, where no other has the name."""
    definitions = scope.library.definitions
    for item in tree.items:
        if not isinstance(item, ast.Module):
            continue
        known = definitions.get(item.name)
        if known is not None:
            there = known.tree.name_span
            scope.error(
                "E0219",
                f"there is already a {known.kind} called `{item.name}`"
                + (f" in {there.file}" if there.file != item.name_span.file else ""),
                item.name_span,
                "give it another name",
            )
        elif check_type_name(item.name, item.name_span, scope.collector, scope.catalogue.globals):
            definitions[item.name] = Definition(item, scope.env, scope.params, scope.unread)
            names = set(scope.env)
            for parameter in item.parameters if item.kind == "block" else ():
                if parameter.name in names:
                    of_file = parameter.name in scope.env
                    scope.error(
                        "E0220", f"`{parameter.name}` is a param already, which this would hide",
                        parameter.span,
                        "give one another name, or leave this out: a block sees the file's params"
                        if of_file else "give one another name",
                    )  # fmt: skip
                names.add(parameter.name)
                _check_parameter(parameter, scope)


def _check_parameter(parameter: ast.Parameter, scope: Graph) -> None:
    """A block's params are read where it is used; that they are of a type is told here."""
    type_ = parameter.type
    if type_.name not in TYPES or type_.sizes is not None or type_.argument is not None:
        scope.error(
            "E0603",
            f"a param is one of {', '.join(TYPES)}, not `{written(type_)}`",
            type_.span,
            type_advice(parameter),
        )
    check_name(parameter.name, parameter.span, scope.collector, "param", scope.catalogue.globals)
    check_hides_no_layer(scope, parameter)


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
    return TrainBuilder(models, scope.env, collector).build(blocks[0])


def _plan(
    tree: ast.SpecFile,
    models: list[tuple[ir.Module, Graph]],
    train: ir.Train | None,
    scope: Graph,
    of_test: Mapping[str, ir.Static],
    collector: Collector,
) -> ir.TestPlan:
    blocks = [item for item in tree.items if isinstance(item, ast.Test)]
    for block in blocks[1:]:
        collector.error(
            "E0409", "there is already a `test`", block.span._replace(end=block.span.start + 4)
        )
    plan = ir.TestPlan()
    if blocks:
        # What a test runs: the one model that is trained, the training of several, or the last.
        name = train.model if train is not None else models[-1][0].name
        model = next(model for model, _ in models if model.name == name)
        alone = train is None or train.module is None
        inputs = (*(model.inputs if alone else ()), *(train.inputs if train is not None else ()))
        plan = build_plan(blocks[0], scope, inputs, of_test, collector)
        subject = model if train is None or train.module is None else train.module
        trained = any(isinstance(item, ast.Train) for item in tree.items)
        if train is not None or not trained:
            _check_rows(tree, blocks[0], plan, subject, inputs, train, collector)
    if train is None or collector.failed:
        return plan
    return with_steps(plan, blocks[0] if blocks else None, train, collector)


def _check_rows(
    tree: ast.SpecFile,
    block: ast.Test,
    plan: ir.TestPlan,
    subject: ir.Module,
    inputs: Sequence[ir.Value],
    train: ir.Train | None,
    collector: Collector,
) -> None:
    """Holds the rows of sizes against what could be read of the program, faulty or not."""
    read = {value.name for value in inputs}
    bodies = [item.body for item in tree.items if isinstance(item, ast.Module | ast.Train)]
    unread = [item for body in bodies for item in body
              if isinstance(item, ast.Input) and item.name not in read]  # fmt: skip
    hidden = {size.name for item in unread for size in item.type.sizes or ()
              if isinstance(size, ast.Name)}  # fmt: skip
    failed = collector.failed
    check_names(block, inputs, subject.values, hidden if failed else (), collector)
    if failed:
        conditions = (*subject.conditions, *(train.conditions if train is not None else ()))
        check_conditions(plan.rows, conditions, subject.values, collector)


def _left_by(params: Mapping[str, object], of_test: dict[str, ir.Static]) -> dict[str, ir.Static]:
    """What ``of_test`` says of params that ``params`` does not say, of one model or of all."""
    return {
        name: value
        for name, value in of_test.items()
        if name not in params and name.rpartition(".")[2] not in params
    }


def _test_params(
    files: Sequence[UsedFile], library: Library, collector: Collector
) -> dict[str, ir.Static]:
    """What the spec's `test` says of params; that of a used file is not the spec's."""
    blocks = [item for item in files[-1].tree.items if isinstance(item, ast.Test)]
    declared: dict[str, str] = {}
    inner: dict[str, str] = {}
    for item in (item for used in files for item in used.tree.items):
        if isinstance(item, ast.Parameter):
            declared.setdefault(item.name, item.type.name)
        elif isinstance(item, ast.Module):
            for each in item.parameters:
                if item.kind == "model":
                    declared.setdefault(each.name, each.type.name)
                    declared.setdefault(f"{item.name}.{each.name}", each.type.name)
                else:
                    inner.setdefault(each.name, item.name)
    if not blocks:
        return {}
    return test_params(blocks[0], _file_scope(files[-1], library, collector), declared, inner)
