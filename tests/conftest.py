"""What several test files share: a run of the command line, and a run of it without torch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import settings

from specc.catalog.rows import Row

# A change is judged by the same examples on every machine; `--hypothesis-profile=default` explores.
settings.register_profile("fixed", derandomize=True, database=None)
settings.load_profile("fixed")

# Before torch is there: on several processes each test has its share of the cores.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    share = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, share)))

pytest_plugins = ["pytester"]
# They are there to be refused: tests/test_invalid.py reads them.
# Specs that are material of tests, and not cases with goldens of their own.
collect_ignore_glob = [
    "invalid/*",
    "parity/*.spec",
    "published/*.spec",
    "extension/*",
    "stored_goldens/*",
    "conformance/specs/*",
]

ROOT = Path(__file__).resolve().parent.parent
# Makes `import torch` fail in a process that starts with it.
WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; from specc.cli import main; main()"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def _run(
    arguments: tuple[str, ...], cwd: Path, code: tuple[str, ...], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COV_")) and name not in ("NO_COLOR", "FORCE_COLOR")
    }
    path = os.pathsep.join(filter(None, [str(ROOT), inherited.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, *code, *arguments],
        cwd=cwd,
        env={**inherited, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )


@pytest.fixture
def specc(tmp_path: Path) -> Run:
    """``specc(*arguments, cwd=..., environment=...)``: the command line in a process of its own."""

    def run(
        *arguments: str | Path, cwd: Path = tmp_path, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return _run(tuple(map(str, arguments)), cwd, ("-m", "specc"), environment or {})

    return run


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """What a test draws from torch's own generator does not depend on the tests before it."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture
def specc_without_torch(tmp_path: Path) -> Run:
    """As ``specc``, where any import of torch fails."""

    def run(*arguments: str | Path, cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        return _run(tuple(map(str, arguments)), cwd, ("-c", WITHOUT_TORCH), {})

    return run


def pytest_addoption(parser: pytest.Parser) -> None:
    """``pytest --catalogue-cases 5000 tests/test_catalog_*.py`` and ``pytest --exhaustive`` are the
    longer modes."""
    parser.addoption(
        "--exhaustive", action="store_true", help="run every one of many, and not some of them"
    )
    parser.addoption(
        "--catalogue-cases",
        type=int,
        default=100,
        help="generated cases of each family of the catalogue (default: 100)",
    )


class CasesOf(Protocol):
    """How many cases to generate for ``row``, so that its family has at least ``--catalogue-cases``
    among ``rows``, the table that it is in; a table without families is one. A row of a large
    family has ``least``, whatever the option says."""

    def __call__(self, row: Row, rows: Iterable[Row], *, least: int = 40) -> int: ...


@pytest.fixture(scope="session")
def catalogue_cases(pytestconfig: pytest.Config) -> int:
    """Generated cases of each family of the catalogue, as the option says."""
    wanted: int = pytestconfig.getoption("catalogue_cases")
    return wanted


@pytest.fixture(scope="session")
def cases_of(catalogue_cases: int) -> CasesOf:
    def family(row: Row) -> str:
        return getattr(row, "family", "")

    def count(row: Row, rows: Iterable[Row], *, least: int = 40) -> int:
        kin = sum(family(other) == family(row) for other in rows)
        return max(least, -(-catalogue_cases // kin))

    return count


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Benchmarks run when asked for: ``pytest tests/benchmarks --benchmark-only -s``; so do tests
    that are exhaustive."""
    if not config.getoption("exhaustive"):
        some = pytest.mark.skip(reason="one of many, of which some are run: run with --exhaustive")
        for item in items:
            if item.get_closest_marker("exhaustive"):
                item.add_marker(some)
    if config.getoption("benchmark_only", False):
        return
    skip = pytest.mark.skip(reason="a benchmark: run with --benchmark-only")
    for item in items:
        if ROOT / "tests" / "benchmarks" in item.path.parents:
            item.add_marker(skip)
