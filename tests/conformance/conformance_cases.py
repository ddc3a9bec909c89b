"""The cases of the conformance suite: for each row of the catalogue its spec, program and cells.

``python tests/conformance/conformance_cases.py`` writes the specs, ``specc bless
tests/conformance/specs`` then the goldens. Non-goal: running anything, which the tests do.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from specc import front
from specc.catalog import examples
from specc.catalog.rows import Row
from specc.ir import Program

ROOT = Path(__file__).resolve().parent
SPECS = ROOT / "specs"
GOLDEN = ROOT / "golden"

CASES = tuple(examples.cases())
IDS = tuple(f"{kind}-{row.name}" for kind, row in CASES)


def spec_path(kind: str, row: Row) -> Path:
    """Where the spec of ``row`` is. Layers and functions are in folders of their own: ``ELU`` and
    ``elu`` are one name on some file systems."""
    return SPECS / kind / f"{row.name}.spec"


@cache
def program_at(path: Path) -> Program:
    """The checked program of a spec; the cells of a case share it."""
    return front.read(path)


def family_of(kind: str, row: Row) -> str:
    """The rows of which one stands for all where a check is dear."""
    return f"{kind}-{getattr(row, 'family', '')}"


def one_a_family() -> tuple[tuple[str, Row], ...]:
    """The first row of each family, in the order of the tables."""
    found: dict[str, tuple[str, Row]] = {}
    for kind, row in CASES:
        found.setdefault(family_of(kind, row), (kind, row))
    return tuple(found.values())


def write() -> int:
    """Write every spec that is missing or another, and take away those without a row; how many
    changed."""
    changed = 0
    wanted = {spec_path(kind, row): examples.program_of(kind, row) for kind, row in CASES}
    for path in set(SPECS.rglob("*.spec")) - wanted.keys():
        path.unlink()
        changed += 1
    for path, text in wanted.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            changed += 1
    return changed


if __name__ == "__main__":
    print(f"{len(CASES)} specs in {SPECS.relative_to(Path.cwd())}, {write()} of them new")
