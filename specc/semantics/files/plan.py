"""``test``: sizes, seed, steps, targets and the other axes of the test matrix to ``ir.TestPlan``.

Only what the words say is checked here; whether the sizes fit the model is the matrix's business,
which knows every shape. Everything has a default; that of the steps are as many as show all that
the optimizers do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from specc import ir
from specc.catalog import OPTIMIZERS
from specc.catalog.rows import Begin
from specc.catalog.training.optimizers import SOON
from specc.errors import Collector, Span
from specc.ir.targets import TARGET_NAMES
from specc.semantics.blocks.expressions import elaborate
from specc.semantics.calls.layer_choices import read_choice
from specc.semantics.compile_time import static
from specc.semantics.compile_time.entities import (
    POISON,
    Entity,
    describe,
    is_poisoned,
    is_static,
    to_static,
)
from specc.semantics.compile_time.param_values import article
from specc.semantics.models.params import converted
from specc.semantics.naming.foreign_names import meant_word
from specc.semantics.naming.graph import Graph
from specc.semantics.proposals.python_forms import last_name
from specc.suggestions import did_you_mean, listed
from specc.syntax.tree import ast
from specc.syntax.tree.written import written as said

CHOICES: Final = {
    "targets": TARGET_NAMES,
    "devices": ("cpu", "cuda"),
    "dtypes": ("float32", "float64", "tf32", "bfloat16", "float16"),
    "modes": ("train", "eval"),
    "layouts": ("contiguous", "channels_last"),
    "optimizers": ("default", "foreach", "for_loop", "fused"),
    "nonfinite": ("allowed", "refused"),
}
# Of these one is chosen, and not several.
_ONE: Final = ("nonfinite",)
_MOST_STEPS: Final = 1000
_LARGEST_SIZE: Final = 2**31
# More batches are followed where a spec asks for them alone: each is run some twenty times.
_MOST_BATCHES: Final = 2 * SOON


def build_plan(
    block: ast.Test,
    graph: Graph,
    inputs: Sequence[ir.Value],
    params: Mapping[str, ir.Static],
    collector: Collector,
) -> ir.TestPlan:
    """The plan; ``graph`` has the file's params in scope, ``inputs`` are what a test draws,
    ``params`` what ``test_params`` gave."""
    rows: list[tuple[tuple[tuple[str, int], ...], Span]] = []
    settings: dict[str, Any] = {}
    samples: dict[str, str] = {}
    for statement in block.body:
        match statement:
            case ast.Sizes():
                row = _row(statement, graph)
                if row is not None:
                    rows.append((row, statement.span))
            case ast.Setting():
                if statement.name in settings:
                    graph.error(
                        "E0503", f"`{statement.name}` is said twice", statement.span, "say it once"
                    )
                    continue
                value = _setting(statement, graph)
                if value is not None:
                    settings[statement.name] = value
            case ast.Sample():
                _sample(statement, graph, inputs, samples)
    return ir.TestPlan(
        params=tuple(params.items()),
        sizes=tuple(dict.fromkeys(row for row, _ in rows)),
        rows=tuple(rows),
        samples=tuple(samples.items()),
        **settings,
    )


def test_params(
    block: ast.Test, graph: Graph, declared: Mapping[str, str], inner: Mapping[str, str]
) -> dict[str, ir.Static]:
    """What ``params`` of a test says, before any param is in scope of ``graph``.

    ``declared`` are the params that can be set and their types, ``inner`` those of blocks and the
    block. Reports E0503, E0601, E0602."""
    found: dict[str, ir.Static] = {}
    said = [each for item in block.body if isinstance(item, ast.Params) for each in item.params]
    names = {each.name for each in said}
    free = [name for name in declared if name not in names]
    for number, given in enumerate(said):
        name = given.name
        if name in {each.name for each in said[:number]}:
            graph.error("E0503", f"`{name}` is said twice", given.span, "say it once")
        elif name not in declared:
            graph.error(
                "E0601",
                f"this spec has no param `{name}` to set",
                given.span,
                _other_param(name, free, declared, inner),
            )
        else:
            layer = declared[name] == "layer"
            entity = (
                read_choice(graph, given.value, elaborate)
                if layer
                else elaborate(graph, given.value)
            )
            if is_poisoned(entity):
                continue
            value: ir.Static = None
            problem: str | None = f"this is {describe(entity)}"
            if is_static(entity):
                try:
                    read = static.plain(to_static(entity), graph.params)
                    value, problem = converted(read, declared[name])
                except static.Undecided:
                    pass
            if problem is not None:
                kind = article(declared[name])
                graph.error("E0602", f"`{name}` is {kind}; {problem}", given.value.span)
                continue
            found[name] = value
    return found


def _other_param(
    name: str, free: Sequence[str], declared: Collection[str], inner: Mapping[str, str]
) -> str:
    """What to write for ``name``; ``free`` are the params that are not said yet."""
    if name in inner:
        return f"it is the block `{inner[name]}`'s, which is given it where it is used"
    said = "it has no params" if not declared else "every param that it has is said already"
    # A param of a model may be said with the model or without it.
    alike = [each for each in free if ("." in each) == ("." in name)]
    shown = [each for each in free if "." not in each]
    return did_you_mean(name, alike, listed(shown, "there is ", said)) or said


def with_steps(
    plan: ir.TestPlan, block: ast.Test | None, train: ir.Train, collector: Collector
) -> ir.TestPlan:
    """``plan`` with the steps that show all that the optimizers of ``train`` do, where ``block``
    does not say how many; a W0501 for what the steps do not show."""
    if "train" not in plan.modes:
        return plan
    begins = [
        (each.optimizer, begin)
        for step in train.steps
        for each in step.stepped
        for begin in _begins(each.optimizer)
    ]
    written = next(
        (each for each in (block.body if block is not None else ())
         if isinstance(each, ast.Setting) and each.name == "steps"),
        None,
    )  # fmt: skip
    if written is None:
        batches = [begin.step * train.accumulate for _, begin in begins if begin.step <= SOON]
        enough = [count for count in batches if count <= _MOST_BATCHES]
        plan = replace(plan, steps=max([plan.steps, *enough]))
    made = max(1, plan.steps // train.accumulate)
    late = [
        (optimizer, begin)
        for optimizer, begin in begins
        if begin.step > made and begin.step * train.accumulate <= _MOST_STEPS
    ]
    if late:
        optimizer, begin = max(late, key=lambda each: each[1].step)
        several = f" ({train.accumulate} batches each)" if train.accumulate > 1 else ""
        collector.warning(
            "W0501",
            f"{optimizer.type} is followed for {made} step{'s' if made > 1 else ''}{several}, and"
            f" {begin.what} counts from step {begin.step} on",
            optimizer.span if written is None else written.span,
            f"write `steps {begin.step * train.accumulate}`",
        )
    return plan


def _begins(optimizer: ir.Optimizer) -> Iterator[Begin]:
    """What ``optimizer`` begins with after its first step, with the settings of each of its
    groups."""
    row = OPTIMIZERS[optimizer.type]
    given = row.defaults | {name: ir.static_value(value, {}) for name, value in optimizer.arguments}  # type: ignore[arg-type]  # compile-time
    groups = [dict(group.arguments) for group in optimizer.groups]
    for own in ({}, *groups) if optimizer.rest.names or not groups else groups:
        changed = {name: ir.static_value(value, {}) for name, value in own.items()}  # type: ignore[arg-type]  # compile-time
        yield from row.begins({**given, **changed})


def _sample(
    statement: ast.Sample, graph: Graph, inputs: Sequence[ir.Value], samples: dict[str, str]
) -> None:
    """Adds the file of one input to ``samples``; the file itself is read when a test runs."""
    names = [value.name for value in inputs]
    if statement.name not in names:
        graph.error(
            "E0506",
            f"a test draws no input called `{statement.name}`",
            statement.span,
            did_you_mean(statement.name, names, listed(names, empty="every input is noise")),
        )
    elif statement.name in samples:
        graph.error(
            "E0503",
            f"`input {statement.name} from` is said twice",
            statement.span,
            "say it once",
        )
    else:
        samples[statement.name] = statement.path


def _row(statement: ast.Sizes, graph: Graph) -> tuple[tuple[str, int], ...] | None:
    row: dict[str, int] = {}
    for size in statement.sizes:
        value = _integer(elaborate(graph, size.value), graph)
        if value is None:
            return None
        if value is False or not 1 <= value < _LARGEST_SIZE:
            graph.error("E0504", "a size is a whole number of at least 1", size.value.span)
            return None
        if size.name in row:
            graph.error("E0503", f"`{size.name}` is said twice", size.span)
            return None
        row[size.name] = value
    return tuple(row.items())


def _setting(statement: ast.Setting, graph: Graph) -> Any:
    name = statement.name
    if name in ("seed", "steps"):
        value = _integer(elaborate(graph, statement.values[0]), graph)
        limits = (0, 2**31 - 1) if name == "seed" else (1, _MOST_STEPS)
        if value is None:
            return None
        if value is False or len(statement.values) != 1 or not limits[0] <= value <= limits[1]:
            graph.error(
                "E0504",
                f"`{name}` is one whole number from {limits[0]} to {limits[1]}",
                statement.span,
                f"write `{name} {max(limits[0], 3)}`",
            )
            return None
        return value
    chosen: list[str] = []
    for written in statement.values:
        word = _word(written)
        if word not in CHOICES[name]:
            none = "no word for" if name in _ONE else "none of the"
            graph.error(
                "E0505",
                f"`{word or said(written)}` is {none} {name}",
                written.span,
                meant_word(word or last_name(written), CHOICES[name]),
            )
            return None
        if word not in chosen:
            chosen.append(word)
    if name in _ONE:
        if len(chosen) > 1:
            graph.error("E0505", f"`{name}` is one word", statement.span, "keep one of the two")
            return None
        return chosen[0]
    return tuple(chosen)


def _word(written: ast.Expression) -> str | None:
    if isinstance(written, ast.Name):
        return written.name
    if isinstance(written, ast.Boolean):
        return str(written.value).lower()
    return written.value if isinstance(written, ast.String) else None


def _integer(entity: Entity, graph: Graph) -> Any:
    """The whole number; None where it was reported, False where it is something else."""
    if entity is POISON or is_poisoned(entity):
        return None
    if not is_static(entity):
        return False
    try:
        value = static.plain(to_static(entity), graph.params)
    except static.Undecided:
        return False
    return value if isinstance(value, int) and not isinstance(value, bool) else False
