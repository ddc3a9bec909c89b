"""Where a spec's goldens are; torch-free. Non-goal: reading or writing them (``golden``)."""

from __future__ import annotations

from pathlib import Path

from specc.errors import CallError
from specc.harness.cases.matrix import Case
from specc.ir import Program
from specc.roots import GOLDEN, project_root

__all__ = ["FOLDER", "golden_folder", "project_root"]

FOLDER = GOLDEN
JSON_NAME = "golden.json"
TENSORS_NAME = "reference.safetensors"


def golden_folder(program: Program, case: Case, root: Path) -> Path:
    """``<root>/golden/<the spec's path from root, without suffix>/<case id>``.

    Raises CallError (E0805) when the spec is not under ``root``.
    """
    base = root.resolve()
    spec = Path(program.file)
    resolved = (spec if spec.is_absolute() else Path.cwd() / spec).resolve()
    try:
        relative = resolved.relative_to(base)
    except ValueError:
        raise CallError(
            "E0805",
            f"{program.file} is not under {base}, so its goldens have no place there",
            help="keep the spec inside the project",
        ) from None
    return base / FOLDER / relative.with_suffix("") / case.id
