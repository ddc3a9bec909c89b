"""Which names the extensions that are installed offer, told without importing any of them.

A package has an entry point for each of its rows, in the group ``specc.catalog``, under the row's
name: the names stand in its metadata. Non-goal: loading rows (``sources``)."""

from __future__ import annotations

from typing import Final

from specc.extensions.project import PYPROJECT, SETTING, Project

GROUP: Final = "specc.catalog"


def advice(project: Project, name: str) -> str | None:
    """What to write so that ``name`` is known in ``project``; None where no installed package
    offers it."""
    packages = offering(name)
    if not packages:
        return None
    package = packages[0]
    listed = ", ".join(f'"{item}"' for item in (*project.extensions, package))
    file = PYPROJECT if project.root is None else str(project.root / PYPROJECT)
    place = f"a {file} beside the spec" if project.root is None else file
    return (
        f"{' and '.join(packages)}, installed, {'has' if len(packages) == 1 else 'have'} it: "
        f"write `{SETTING} = [{listed}]` under [tool.specc] of {place}"
    )


def offering(name: str) -> list[str]:
    """The installed packages that have a row called ``name``."""
    import importlib.metadata  # only an unknown name needs it

    found = importlib.metadata.entry_points(group=GROUP, name=name)
    return sorted({point.dist.name for point in found if point.dist is not None})
