"""What may not import torch does not: each room, and each verb that answers without it.

Non-goal: the direction of the imports between the rooms, which import-linter checks.
"""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Run

GOOD = "spec 1\n\nmodel Net {\n  input x: float[N, 4]\n  y = x -> fc: Linear(2)\n  output y\n}\n"
HEAVY = ("torch", "numpy", "safetensors")


def modules_of(*rooms: str) -> Iterator[str]:
    """The dotted names of the modules in ``rooms``."""
    for room in rooms:
        yield f"specc.{room}"
        folder = ROOT / "specc" / room
        if folder.is_dir():
            for module in pkgutil.walk_packages([str(folder)], f"specc.{room}."):
                yield module.name


TORCH_FREE = sorted(
    [
        *modules_of("errors", "emitted_names", "codes", "sizes", "ir", "syntax", "catalog"),
        *modules_of("semantics", "front"),
        *modules_of("extensions"),
        *modules_of("emit", "inspect", "report", "run_choice", "api", "cli", "pytest_plugin"),
        "specc",
        "specc.targets",
        "specc.harness",
        *(
            f"specc.harness.{name}"
            for name in (
                "cases.build_sizes cases.cell_result cases.demands cases.golden_folder"
                " cases.matrix cases.input_roles cases.subject cases.verdict goldens.golden_formats"
                " goldens.atomic_folder judging.isolated running.observed_lines running.process"
            ).split()
        ),
        "specc.measure",
        "specc.measure.attribute",
        "specc.measure.costs",
        "specc.measure.lines",
    ]
)


def test_every_torch_free_module_is_imported_without_torch() -> None:
    assert "specc.semantics.files.plan" in TORCH_FREE and "specc.cli.verbs.test" in TORCH_FREE
    blocked = "".join(f"sys.modules[{name!r}] = None\n" for name in HEAVY)
    # One process for all: the first that fails is named by its traceback.
    imports = "".join(f"importlib.import_module({name!r})\n" for name in TORCH_FREE)
    ended = subprocess.run(
        [sys.executable, "-c", f"import importlib, sys\n{blocked}{imports}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--help",), 0),
        (("--version",), 0),
        (("check", "good.spec"), 0),
        (("check", "bad.spec"), 2),
        (("show", "good.spec"), 0),
        (("check", "--help"), 0),
        (("build", "--help"), 0),
        (("test", "--help"), 0),
        (("bless", "--help"), 0),
        (("profile", "--help"), 0),
        (("bench", "--help"), 0),
        (("explain", "E0203"), 0),
        (("explain",), 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_verb_answers_without_torch(
    specc_without_torch: Run, tmp_path: Path, arguments: tuple[str, ...], status: int
) -> None:
    (tmp_path / "good.spec").write_text(GOOD, encoding="utf-8")
    (tmp_path / "bad.spec").write_text(GOOD.replace("Linear", "Linaer"), encoding="utf-8")
    ended = specc_without_torch(*arguments)
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout


def test_emitting_a_spec_needs_no_torch(tmp_path: Path) -> None:
    (tmp_path / "good.spec").write_text(GOOD, encoding="utf-8")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from specc import front\nfrom specc.emit import emit\n"
        "from specc.harness.cases import matrix\n"
        "program = front.read(sys.argv[1])\n"
        "print(len(matrix.cells(program)))\nprint(emit(program))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "good.spec")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert "class Net(nn.Module)" in ended.stdout


def test_the_package_itself_imports_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; before = set(sys.modules); import specc\n"
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('_')))"
    )
    ended = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(ended.stdout.split())
    assert "specc" in loaded
    assert not {name for name in loaded if name.startswith("specc.")}
    assert not loaded & {*HEAVY, "lark", "pydantic", "typer", "rich", "pytest"}
