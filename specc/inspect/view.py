"""All that is shown of one spec: its models on their sizes, and its training.

Non-goals: counting (``tree``, ``training_summary``), layout (``specc.report``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from specc import front, ir
from specc.errors import CallError
from specc.inspect import checkpoint, computation_graph, shown_sizes, training_summary, tree
from specc.inspect.drawing import Drawing
from specc.sizes import Size
from specc.suggestions import did_you_mean, listed


@dataclass(frozen=True, slots=True)
class ModelView:
    """One model. ``conditions`` are those of its blocks as well, in its inputs' own sizes;
    ``changed`` are the params that ``--set`` gave."""

    file: str
    model: ir.Module
    params: tuple[ir.Param, ...]
    changed: frozenset[str]
    sizes: Mapping[str, int]
    dtype: str
    tree: tree.TreeLine
    conditions: tuple[ir.Condition, ...]
    checkpoint: checkpoint.CheckpointFacts | None = None

    @property
    def values(self) -> dict[str, Size]:
        """Every size that a condition may name, as a number."""
        return {**self.model.values, **self.sizes}


@dataclass(frozen=True, slots=True)
class ProgramView:
    """One spec. ``training`` is none where it trains nothing, or where one model was asked for
    that is not what it trains."""

    program: ir.Program
    models: tuple[ModelView, ...]
    training: training_summary.TrainingFacts | None
    chosen: ir.Module | None

    def graph(self, depth: int = 99, apart: bool = False) -> Drawing:
        """The graph of all that is shown; see ``computation_graph.graph``."""
        return computation_graph.graph(self.program, self.chosen, depth=depth, apart=apart)


def view(
    path: str | os.PathLike[str],
    *,
    model: str | None = None,
    params: Mapping[str, object] | None = None,
    asked: Mapping[str, int] | None = None,
    dtype: str | None = None,
) -> ProgramView:
    """The spec at ``path``: every model of it, or the one called ``model``.

    ``params`` are set as by ``--set``, ``asked`` are sizes in place of the test's first row,
    ``dtype`` what ``float`` is (the test's first precision otherwise). Raises SpecError with every
    fault of the spec, and E0501 where it does not hold on the sizes; CallError for a model (E0706),
    a size or a precision (E0712) that there is not."""
    program = front.read(path, params)
    chosen = _model(program, model)
    models = program.models if chosen is None else (chosen,)
    alone = [shown_sizes.alone(program, each) for each in models]
    known = dict.fromkeys(name for each in alone for name in shown_sizes.names(each))
    shown_sizes.check_asked(asked or {}, known)
    precision = dtype or program.test.dtypes[0]
    if precision not in tree.FLOATS:
        raise CallError(
            "E0712",
            f"--dtype {precision!r} is no precision of floats",
            help=f"there are {', '.join(tree.FLOATS)}",
        )
    views = []
    for each, program_of_one in zip(models, alone, strict=True):
        chosen_sizes = shown_sizes.choose(program, program_of_one, asked or {})
        views.append(
            ModelView(
                os.fspath(path),
                each,
                (*program.params, *each.params),
                frozenset(params or {}),
                chosen_sizes,
                precision,
                tree.tree(each, chosen_sizes, precision),
                shown_sizes.conditions(program_of_one),
                checkpoint.facts(each, program.file),
            )
        )
    trained = chosen is None or (program.train is not None and program.train.model == chosen.name)
    facts = training_summary.facts(program) if trained else None
    return ProgramView(program, tuple(views), facts, None if trained else chosen)


def _model(program: ir.Program, name: str | None) -> ir.Module | None:
    if name is None:
        return None
    names = [model.name for model in program.models]
    if name not in names:
        raise CallError(
            "E0706",
            f"{program.file} has no model called {name!r}",
            help=did_you_mean(name, names, listed(names, "there are "), "{!r}"),
        )
    return program.model(name)
