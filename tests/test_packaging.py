"""What is shipped: the packages, the grammar, the pins, README's commands that .ci/run takes."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest
from conftest import ROOT
from packaging.requirements import Requirement

from specc.catalog import METRICS, REGULARIZERS
from specc.targets import TARGETS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS = {
    Requirement(line).name.lower().replace("_", "-"): Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
}


def pin(name: str) -> Requirement:
    return PINS[name.lower().replace("_", "-")]


def test_every_folder_with_python_in_it_is_a_package_that_is_shipped() -> None:
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "specc").rglob("*.py")
    }
    assert folders | {"specc.grammars"} == set(PROJECT["tool"]["setuptools"]["packages"])
    for name in folders:
        assert (ROOT / name.replace(".", "/") / "__init__.py").is_file()


def test_every_dependency_is_pinned_to_a_version_that_it_allows() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [
        *PROJECT["project"]["dependencies"],
        *(item for group in extras.values() for item in group),
    ]
    for text in wanted:
        requirement = Requirement(text)
        (specifier,) = pin(requirement.name).specifier
        assert specifier.operator == "=="
        assert requirement.specifier.contains(specifier.version), text


def test_what_a_dependency_imports_is_pinned_too() -> None:
    seen: set[str] = set()
    todo = [Requirement(text).name for text in PROJECT["project"]["dependencies"]]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        assert pin(name)
        for text in requires(name) or ():
            requirement = Requirement(text)
            # A torch built for CUDA brings its own; constraints.txt is for the one without.
            if requirement.name.startswith(("nvidia-", "cuda-", "triton")):
                continue
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append(requirement.name)
    assert {"torch", "sympy", "pydantic-core", "pluggy"} <= seen


def test_the_version_stands_in_the_changelog() -> None:
    number = PROJECT["project"]["version"]
    assert re.search(rf"(?m)^## {re.escape(number)}\b", (ROOT / "CHANGELOG.md").read_text("utf-8"))


def test_ci_runs_the_two_commands_that_readme_shows() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"(?m)^(?:\$ )?(pip install -c constraints\.txt .*)$", readme)
    assert commands == [
        "pip install -c constraints.txt . && specc test specs/mlp.spec specs/mnist_cnn.spec"
        " specs/gru_tagger.spec",
        "pip install -c constraints.txt -e '.[dev]' && pytest -n auto --dist worksteal",
    ]
    # The first shows a few specs, within a minute or two; CI runs all of them after it.
    assert all((ROOT / name).is_file() for name in re.findall(r"specs/\w+\.spec", commands[0]))
    assert "`specc test specs`" in readme
    assert "specc test specs\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_no_file_of_the_project_names_where_it_was_made() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    own = Path(__file__).relative_to(ROOT).as_posix()
    for name in listed.stdout.splitlines():
        if name != own and (ROOT / name).suffix in {".py", ".md", ".toml", ".spec", ".json", ""}:
            text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
            assert not re.search(r"/(work|tmp/brief|home|root)/", text), name


def test_the_wheel_has_the_grammar_the_types_and_the_entry_points(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("specc", "grammars", "pyproject.toml", "README.md", "LICENSE"):
        source = ROOT / name
        if source.is_dir():
            for path in source.rglob("*"):
                if path.is_file() and "__pycache__" not in path.parts:
                    target = tree / path.relative_to(ROOT)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(path.read_bytes())
        else:
            (tree / name).write_bytes(source.read_bytes())
    subprocess.run(
        [sys.executable, "-c", "from setuptools import build_meta as b; b.build_wheel('..')"],
        cwd=tree,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("specc-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (points,) = (name for name in names if name.endswith("entry_points.txt"))
        declared = archive.read(points).decode()
        grammar = archive.read("specc/grammars/spec.lark")
    assert grammar == (ROOT / "grammars" / "spec.lark").read_bytes()
    assert "specc/py.typed" in names
    library = {path.name for path in (ROOT / "specc" / "std").iterdir()}
    assert {name.removeprefix("specc/std/") for name in names if "/std/" in name} == library
    assert not any(name.startswith(("tests/", "grammars/", "golden/", "specs/")) for name in names)
    assert "specc = specc.cli:main" in declared and "specc = specc.pytest_plugin" in declared
    # What serves maintainers alone stays outside: nothing is shipped that no user's call reaches.
    modules = {
        name.removesuffix("/__init__.py").removesuffix(".py").replace("/", "."): ROOT / name
        for name in names
        if name.startswith("specc/") and name.endswith(".py") and "grammars" not in name
    }
    assert not modules.keys() - reached_by_users(modules)


def reached_by_users(modules: dict[str, Path]) -> set[str]:
    """The modules that the command, the plugin, the calls of ``specc`` and the processes they start
    import, in functions too; what is imported by its name stands in a string."""
    reached: set[str] = set()
    todo = {"specc", "specc.__main__", "specc.pytest_plugin"}
    todo |= {"specc.bisect.runner", "specc.harness.judging.worker"}  # processes
    todo |= {f"specc.targets.{name}" for name in TARGETS} & modules.keys()
    for row in (*METRICS.values(), *REGULARIZERS.values()):  # read as text
        if not isinstance(row.helper, str):
            todo |= {f"specc.helpers.{row.helper.module}"}
    while todo:
        name = todo.pop()
        reached.add(name)
        found = {name.rpartition(".")[0]}
        for node in ast.walk(ast.parse(modules[name].read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                found.add(node.module)
                found |= {f"{node.module}.{each.name}" for each in node.names}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
        todo |= (found & modules.keys()) - reached
    return reached
