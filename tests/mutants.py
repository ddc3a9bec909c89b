"""Mutation testing of what decides: does a test fail where a decision is made otherwise?

    python tests/mutants.py judge --sample 200      # or emit
    python tests/mutants.py judge --only compare.py --sample 1000

Mutants of a room are drawn by ``--seed``; of each run the tests that reach the mutated line, the
quickest first, until one fails (killed) or none is left (survived). pytest collects once; each
mutant is tried in a fork, where the functions of the mutated file have their new code. Non-goals:
what a mutant is (``mutations``), which tests reach a line (``mutants_reached``).
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import gc
import os
import random
import re
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutants_reached import Map, Reached
from mutations import Mutant, mutants_of

ROOT = Path(__file__).resolve().parent.parent
# What is mutated, by room: names of files, wherever in the folder they lie; all of them where none
# is named.
JUDGING = (
    "compare refine locate judge verdict floor per_layer_floor floor_statistics error_pattern kinks"
    " blessable"
)
ROOMS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "judge": (("specc/harness", JUDGING), ("specc", "policy")),
    "emit": (("specc/emit", ""),),
}
TRACED = ("specc/harness", "specc/emit")
# Of other rooms, compiled, in other processes, or longer than their use for this.
NOT_RUN = (
    "catalog_",
    "torch_",
    "compiled_",
    "build_zoo",
    "zoo",
    "elsewhere",
    "invalid",
    "multiply",
)
NOT_RUN += ("packaging", "readme", "pytest_plugin", "bench", "profile", "other_params", "cli")
# The end of a fork whose mutant could not be put in place: nothing was tried.
BROKEN = 3
# Tests of a file that run before another file has its turn.
SOME = 6
# Seconds of a core for a mutant's tests, and on a clock for a test file's in the map.
BUDGET = 8.0
MOST = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("room", choices=sorted(ROOMS))
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of the place, such as compare.py:93")
    parser.add_argument("--again", type=Path, help="what was printed: try what has survived again")
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds of a core, of each")
    parser.add_argument("--tests", default="", help="test files, in place of all quick ones")
    parser.add_argument("--map", type=Path, default=ROOT / ".pytest_cache" / "mutants.json")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    files = [
        path
        for path in sorted((ROOT / "tests").glob("test_*.py"))
        if not path.stem.removeprefix("test_").startswith(NOT_RUN)
    ]
    if options.tests:
        files = [ROOT / "tests" / name for name in options.tests.split(",")]
    arguments = [
        "-q",
        "--no-summary",
        "-W",
        "ignore",
        "-p",
        "no:xdist",
        "-p",
        "no:cacheprovider",
        "-m",
        "not slow",
    ]
    os.chdir(ROOT)
    sys.exit(pytest.main([*arguments, *map(str, files)], plugins=[Session(options)]))


def mutated(room: str) -> list[Path]:
    found = []
    for folder, names in ROOMS[room]:
        paths = sorted((ROOT / folder).rglob("*.py"))
        found += [path for path in paths if not names or path.stem in names.split()]
    return found


class Session:
    """The plugin: in place of running the tests once it runs them for each mutant."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options

    def pytest_sessionstart(self) -> None:
        # A busy machine is no failure.
        quiet = settings.get_profile("fixed")
        settings.register_profile("mutants", parent=quiet, deadline=None)
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self) -> tuple[str, str, str]:
        return "", "", ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        with contextlib.redirect_stdout(sys.__stdout__):
            self._loop(session)
        return True

    def _loop(self, session: pytest.Session) -> None:
        options = self._options
        by_file: dict[Path, list[pytest.Item]] = {}
        for item in session.items:
            by_file.setdefault(item.path, []).append(item)
        traced = [path for room in TRACED for path in sorted((ROOT / room).rglob("*.py"))]
        reached = Map(options.map, traced, MOST).fill(by_file, forked)
        items = {item.nodeid: item for item in session.items}
        reached = {test: each for test, each in reached.items() if test in items}
        everything = [m for path in mutated(options.room) for m in mutants_of(path)]
        everything = [mutant for mutant in everything if options.only in str(mutant)]
        if options.again is not None:
            left = {
                _anywhere(line.split("  [")[0].split(maxsplit=1)[1])
                for line in options.again.read_text(encoding="utf-8").splitlines()
                if line.startswith(("survived", "unreached"))
            }
            everything = [mutant for mutant in everything if _anywhere(_told(mutant)) in left]
        draw = random.Random(options.seed)
        chosen = draw.sample(range(len(everything)), min(options.sample, len(everything)))
        counts = {"killed": 0, "survived": 0, "unreached": 0, "broken": 0}
        for k in chosen:
            mutant = everything[k]
            tests = [items[test] for test in tests_of(mutant, reached)]
            result = tried(mutant, tests, options.budget)
            counts[result.split()[0]] += 1
            print(
                f"{result.split()[0]:9} {_told(mutant)}  [{result}; {len(tests)} tests]", flush=True
            )
        total = sum(counts.values())
        share = counts["killed"] / total if total else 1.0
        said = ", ".join(f"{count} {name}" for name, count in counts.items())
        print(f"{total} of {len(everything)} mutants: {said}; {share:.1%} killed", flush=True)


def _told(mutant: Mutant) -> str:
    return str(mutant).replace(f"{ROOT}/", "")


def _anywhere(text: str) -> str:
    """Without the line, which an edit above it moves."""
    return re.sub(r":\d+:", ":", text, count=1)


# ── which tests ──────────────────────────────────────────────────────────────────────────────────


def tests_of(mutant: Mutant, reached: Mapping[str, Reached]) -> list[str]:
    """Tests that reach the mutant, in the order in which they are run: those beside its module's
    name first, then some of each file, the quickest first."""
    beside = f"tests/test_{mutant.path.stem}"
    where = {str(mutant.path): {*range(mutant.first, mutant.last + 1)}}
    if mutant.names:
        where = readers(mutant)
    found = [
        test
        for test, each in reached.items()
        if any(not numbers.isdisjoint(each.lines.get(file, ())) for file, numbers in where.items())
        # A constant is read by its own tests, not in a function.
        or (mutant.names and test.startswith(beside))
    ]
    # The first test of a file makes what its fixtures share: whichever of them runs pays for it.
    shared: dict[str, float] = {}
    for test, each in reached.items():
        shared.setdefault(test.split("::")[0], each.seconds)
    found.sort(key=lambda test: reached[test].seconds)
    before: Counter[str] = Counter()
    order = []
    for test in found:
        file = test.split("::")[0]
        cost = max(reached[test].seconds, shared[file])
        order.append((not file.startswith(beside), before[file] // SOME, cost, test))
        before[file] += 1
    return [test for *_, test in sorted(order)]


def readers(mutant: Mutant) -> dict[str, set[int]]:
    """The lines of functions that read one of the mutant's constants, or one made of it."""
    names = set(mutant.names)
    own = ast.parse(mutant.path.read_text(encoding="utf-8"))
    for statement in own.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and _loads(statement) & names:
            names |= {
                each.id
                for each in ast.walk(statement)
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
            }
    found: dict[str, set[int]] = {}
    for room in TRACED:
        for path in (ROOT / room).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef) and _loads(node) & names:
                    lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                    found.setdefault(str(path), set()).update(lines)
    return found


def _loads(node: ast.AST) -> set[str]:
    return {
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)
    }


# ── a mutant in a process of its own ─────────────────────────────────────────────────────────────


def tried(mutant: Mutant, tests: Sequence[pytest.Item], budget: float) -> str:
    """What became of the mutant, and which test killed it."""
    if not tests:
        return "unreached"
    told, tell = os.pipe()

    def run() -> int:
        put(mutant)
        session = tests[0].session
        start = time.process_time()
        for item, following in zip(tests, [*tests[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                os.write(tell, item.nodeid[-2000:].encode())
                return 1
            if time.process_time() - start > budget:
                break
        return 0

    rc = forked(run, 60.0 + budget)
    os.close(tell)
    with os.fdopen(told, "rb") as file:
        killer = file.read().decode(errors="replace")
    if rc == 0:
        return "survived"
    if rc == BROKEN:
        return "broken"
    return f"killed by {killer or 'time' if rc is None else killer or f'a stop, {rc}'}"


def forked(job: Callable[[], int], most: float) -> int | None:
    """What ``job`` comes to in a fork of this process; None after ``most`` seconds of a core, or
    ten times as many on a clock, for one that waits."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        rc = BROKEN
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (int(most), int(most) + 5))
            nowhere = os.open(os.devnull, os.O_WRONLY)
            sys.stdout = sys.__stdout__ = open(os.devnull, "w")
            for number in (1, 2):
                os.dup2(nowhere, number)
            rc = job()
        finally:
            os._exit(rc)
    end = time.monotonic() + 10 * most
    pause = 0.005
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            rc = os.waitstatus_to_exitcode(status)
            return None if rc in (-signal.SIGXCPU, -signal.SIGKILL) else rc
        time.sleep(pause)
        pause = min(0.1, pause * 1.3)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def put(mutant: Mutant) -> None:
    """Give this process's functions and constants of the mutated file what the mutant says."""
    module = next(
        each
        for each in [*sys.modules.values()]
        if isinstance(each, ModuleType) and getattr(each, "__file__", None) == str(mutant.path)
    )
    code = compile(mutant.tree(), str(mutant.path), "exec")
    if mutant.names:
        _put_constants(module, code)
        return
    new = {_place(each): each for each in _inside(code)}
    for function in [*filter(_is_function, gc.get_objects())]:
        old = function.__code__
        if old.co_filename == str(mutant.path):
            own = new.get(_place(old))
            if own is not None and own.co_freevars == old.co_freevars:
                function.__code__ = own


def _is_function(thing: object) -> bool:
    return type(thing) is FunctionType


def _place(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _inside(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _inside(each)


def _put_constants(module: ModuleType, code: CodeType) -> None:
    fresh = {**vars(module)}
    exec(code, fresh)
    for name, value in [*vars(module).items()]:
        if name.startswith("__") or isinstance(value, type | FunctionType | ModuleType):
            continue
        if _said(fresh[name]) == _said(value):
            continue
        for other in [*sys.modules.values()]:
            if isinstance(other, ModuleType) and vars(other).get(name) is value:
                setattr(other, name, fresh[name])


def _said(value: object) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(
            sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"}
        )
    main()
