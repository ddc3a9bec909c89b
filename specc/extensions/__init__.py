"""Extensions of the catalogue: layers, functions, losses and metrics that a project adds.

A project names them in its pyproject.toml: packages that are installed, files of its own. Nothing
else is loaded: a spec, a golden or a checkpoint never brings code with it. Imports no torch, but
for what an extension imports itself.

``catalogue_of`` is what a spec may name; ``imported_modules`` imports what its emitted source does.
Non-goals: sandboxing (who trusts a project's pyproject.toml trusts the code that it names);
optimizers, schedulers, initialisers and penalties, which are specc's own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType

from specc.catalog.catalogue import BUILT_IN, Catalogue
from specc.catalog.rows import FunctionRow, LayerRow
from specc.extensions.offers import advice
from specc.extensions.project import Project, project_at

__all__ = ["catalogue_at", "catalogue_of"]


def catalogue_of(spec: str | os.PathLike[str]) -> Catalogue:
    """What the spec at the path ``spec`` may name: torch's rows, and those of the extensions that
    its project names. The same project gives the same catalogue while its files are the same.

    Raises CallError: E0721 for an extension that cannot be had, E0722 for a faulty one, E0723 where
    two rows have one name."""
    return catalogue_at(Path(spec).resolve().parent)


def catalogue_at(folder: Path) -> Catalogue:
    """As ``catalogue_of``, for specs in ``folder``."""
    project = project_at(folder.resolve())
    offered = partial(advice, project)
    if not project.extensions:
        return replace(BUILT_IN, offered=offered)
    from specc.extensions.sources import stamps

    return replace(_extended(project, stamps(project)), offered=offered)


@lru_cache(maxsize=64)
def _extended(project: Project, stamps: tuple[str, ...]) -> Catalogue:
    """The catalogue of ``project``, whose files have the contents that ``stamps`` tell."""
    from specc.extensions.clashes import check_clashes
    from specc.extensions.sources import rows_of_entry
    from specc.extensions.vet import kind_of

    rows = [(row, entry) for entry in project.extensions for row in rows_of_entry(project, entry)]
    check_clashes(rows)
    layers = {row.name: row for row, _ in rows if isinstance(row, LayerRow)}

    def table(kind: str, of: Mapping[str, FunctionRow]) -> Mapping[str, FunctionRow]:
        own = [row for row, _ in rows if isinstance(row, FunctionRow) and kind_of(row) == kind]
        return MappingProxyType({**of, **{row.name: row for row in own}})

    return Catalogue(
        layers=MappingProxyType({**BUILT_IN.layers, **layers}),
        functions=table("function", BUILT_IN.functions),
        losses=table("loss", BUILT_IN.losses),
        metrics=table("metric", BUILT_IN.metrics),
        origins=MappingProxyType({row.name: entry for row, entry in rows}),
    )
