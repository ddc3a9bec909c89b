"""One name, one meaning: an extension's rows share no name with the catalogue or another extension,
and what they bring into an emitted file shares none there.

Non-goal: a single row (``vet``)."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from specc import catalog
from specc.catalog.rows import FunctionRow, LayerRow, Row
from specc.errors import CallError


def check_clashes(rows: Sequence[tuple[LayerRow | FunctionRow, str]]) -> None:
    """Raises CallError (E0723) where two of the rows, each with its extension, or one of them and a
    row of the catalogue, have one name."""
    own: dict[str, Row] = {}
    for table in (
        catalog.LAYERS, catalog.FUNCTIONS, catalog.LOSSES, catalog.METRICS, catalog.OPTIMIZERS,
        catalog.SCHEDULERS, catalog.REGULARIZERS, catalog.CONSTRAINTS, catalog.CLIPS, catalog.INITS,
        catalog.WRAPPERS,
    ):  # fmt: skip
        own.update(table)
    seen: dict[str, str] = {}
    for row, entry in rows:
        if row.name in own:
            raise _clash(f"the extension {entry} has a `{row.name}`, which the catalogue has too")
        if row.name in seen:
            both = f"the extension {entry} has two rows called"
            if seen[row.name] != entry:
                both = f"the extensions {seen[row.name]} and {entry} both have"
            raise _clash(f"{both} `{row.name}`")
        seen[row.name] = entry
    _check_globals(rows, own)


def _check_globals(rows: Sequence[tuple[Row, str]], own: dict[str, Row]) -> None:
    """The names that helpers define and imports bind, which are those of one emitted file."""
    # Specc's own helpers define what their rows name, and are read where a name is taken alone.
    origins: dict[str, tuple[Row, str]] = {
        row.torch: (row, "the catalogue") for row in own.values() if row.helper
    }
    for row, entry in rows:
        names = defined(row.source) if row.helper else [row.module.partition(".")[0]]
        for name in filter(None, names):
            known = origins.setdefault(name, (row, entry))
            if known[0].source.strip() != row.source.strip():
                raise _clash(
                    f"`{name}` is two things in an emitted file: of {known[1]}, and of `{row.name}`"
                    f" of {entry}"
                )


def defined(helper: str) -> list[str]:
    """The names that the source of a helper defines at its top."""
    found: list[str] = []
    for item in ast.parse(helper).body:
        if isinstance(item, ast.FunctionDef | ast.ClassDef):
            found.append(item.name)
        elif isinstance(item, ast.Assign):
            found += [target.id for target in item.targets if isinstance(target, ast.Name)]
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            found.append(item.target.id)
    return found


def _clash(message: str) -> CallError:
    return CallError(
        "E0723", message, help="give the extension's a name of its own, such as `AcmeReLU`"
    )
