"""Which extensions a project names: ``extensions`` under ``[tool.specc]`` of its pyproject.toml.

Read at each check, so it is quick where there is nothing to read: a file that does not speak of
specc's settings is not parsed, and whether it is TOML is not asked. Non-goal: loading what is named
(``sources``)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from specc.errors import CallError
from specc.suggestions import meant, nearest

PYPROJECT: Final = "pyproject.toml"
SETTING: Final = "extensions"
_WRITE: Final = f'write `{SETTING} = ["acme-layers", "layers/rows.py"]` under [tool.specc]'
# A line where [tool.specc] may begin: also ``[tool]``, ``tool = {``.
_TABLE: Final = re.compile(
    rb"""^\s*\[{0,2}\s*["']?tool["']?\s*([\]=]|\.\s*["']?specc\b)""", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Project:
    """The folder of the nearest pyproject.toml, links resolved (None where there is none), and the
    extensions that it names."""

    root: Path | None
    extensions: tuple[str, ...] = ()


def project_at(folder: Path) -> Project:
    """The project that ``folder``, which is absolute, is in. Raises CallError (E0721) where its
    pyproject.toml cannot be read, or names extensions in another form."""
    for root in (folder, *folder.parents):
        file = root / PYPROJECT
        # False, and no error, for a folder that may not be entered.
        if os.path.isfile(file):
            return Project(root, _extensions(file))
    return Project(None)


def _extensions(file: Path) -> tuple[str, ...]:
    try:
        data = file.read_bytes()
    except OSError as fault:
        raise _refusal(file, f"cannot be read: {fault.strerror or fault}") from None
    # A key could be written with escapes: such a file names no extensions.
    if b"specc" not in data or not _TABLE.search(data):
        return ()
    import tomllib  # only a project that has settings of specc's waits for it

    try:
        tool = tomllib.loads(data.decode("utf-8")).get("tool", {})
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise _refusal(file, f"is no TOML: {fault}") from None
    table = tool.get("specc", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise _refusal(file, "has a `specc` under [tool] that is no table", _WRITE)
    for key in table:
        if key != SETTING and nearest(key, (SETTING,)):
            raise _refusal(file, f"has no setting `{key}` under [tool.specc]", meant(SETTING))
    named = table.get(SETTING, [])
    if not isinstance(named, list) or not all(isinstance(item, str) and item for item in named):
        raise _refusal(file, f"names `{SETTING}` that are no list of strings", _WRITE)
    twice = {item for item in named if named.count(item) > 1}
    if twice:
        raise _refusal(file, f"names {', '.join(sorted(twice))} twice", "name each once")
    return tuple(named)


def _refusal(file: Path, reason: str, help: str | None = None) -> CallError:
    return CallError("E0721", f"{file} {reason}", help=help)
