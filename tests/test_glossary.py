"""Each concept has one word: the glossary of docs/architecture.md, and no old word in the tree.

A class has one name too. Stages may share one for the same thing seen twice: an ``Output`` of the
text and of the graph.

Non-goals: words in prose, names of variables."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest
from conftest import ROOT

DOCUMENT = ROOT / "docs" / "architecture.md"
ROW = re.compile(
    r"^\| `(?P<word>\w+)` \| (?P<meaning>.+) \| `(?P<room>[\w/]+)/(?P<old>\w+)` \|$", re.M
)
GLOSSARY = [
    (found["word"], found["room"], found["old"])
    for found in ROW.finditer(DOCUMENT.read_text(encoding="utf-8"))
]
CLASS = re.compile(
    r"^\| `(?P<word>\w+)` \| .+ \| `(?P<module>specc[\w.]+)\.(?P<old>\w+)` \|$", re.M
)
CLASSES = [
    (found["word"], found["module"], found["old"])
    for found in CLASS.finditer(DOCUMENT.read_text(encoding="utf-8"))
]
# The text, the graph and Python as it is written: the same things, a stage later.
STAGES = ("specc.syntax.tree.ast", "specc.ir.", "specc.emit.writing.statements")
# Two things by one name still: to be made fewer, and never more.
SHARED = {"Argument", "Group", "Precision", "Setting", "SpecFile", "Target"}
# A verb, its work and its table; what torch offers, what semantics reads of it and what is emitted.
ONE_THING_IN_SEVERAL_ROOMS = {
    "bench", "bisect", "bless", "catalogue", "checkpoints", "confusion", "corners", "counting",
    "derivatives", "dropout",
    "expressions", "inits", "kernels", "modules", "mutate", "optimizers", "penalties", "profile",
    "program", "progress", "show", "states", "threads",
}  # fmt: skip
MOST_FILES = 16


def python_files() -> list[Path]:
    return [path for folder in ("specc", "tests") for path in (ROOT / folder).rglob("*.py")]


def test_the_glossary_is_read() -> None:
    assert {"revisions", "floor_statistics", "per_layer"} <= {word for word, _, _ in GLOSSARY}


@pytest.mark.parametrize(("word", "room", "old"), GLOSSARY, ids=lambda value: str(value))
def test_a_word_of_the_glossary_names_one_file(word: str, room: str, old: str) -> None:
    found = list((ROOT / "specc").rglob(f"{word}.py"))
    assert len(found) == 1, found
    assert (ROOT / "specc" / room) in found[0].parents


def test_no_old_word_is_imported_or_named() -> None:
    # An old module stood in the room itself, and was imported from there.
    old = defaultdict(set)
    for _, room, name in GLOSSARY:
        assert not (ROOT / "specc" / room / f"{name}.py").exists(), f"{room}/{name}.py is back"
        old[room.replace("/", ".")].add(name)
    for path in python_files():
        text = path.read_text(encoding="utf-8")
        for room, names in old.items():
            wings = {child.name for child in (ROOT / "specc" / room.replace(".", "/")).iterdir()}
            some = "|".join(sorted(names - wings))
            assert not re.search(rf"\bspecc\.{re.escape(room)}\.({some})\b", text), path
            for imported in re.finditer(rf"from specc\.{re.escape(room)} import ([\w, ]+)", text):
                assert not (names - wings) & set(imported[1].split(", ")), path


def classes() -> dict[str, list[str]]:
    """The modules that define each public class."""
    found = defaultdict(list)
    for path in (ROOT / "specc").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(module)
    return found


def test_a_class_of_the_glossary_has_its_name_and_no_other() -> None:
    assert {"CallExpression", "TensorRow"} <= {word for word, _, _ in CLASSES}
    defined = classes()
    for word, module, old in CLASSES:
        text = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
        assert re.search(rf"^(class {word}\b|{word} = )", text, re.M), f"{module} has no {word}"
        assert len(defined[word]) <= 1, f"{word} is in {defined[word]}"
        assert module not in defined[old], f"{module}.{old} is back"


def test_no_two_things_have_a_class_of_one_name() -> None:
    shared = set()
    for name, modules in classes().items():
        others = [each for each in modules if not each.startswith(STAGES)]
        if len(modules) > 1 and others:
            shared.add(name)
    assert shared == SHARED


def test_no_two_files_that_say_different_things_have_one_name() -> None:
    rooms = defaultdict(set)
    for path in (ROOT / "specc").rglob("*.py"):
        # The catalogue's rows and the rules of their shapes go by families.
        parts = path.relative_to(ROOT / "specc").with_suffix("").parts
        if not parts[-1].startswith("__"):
            rooms[parts[-1]].add(parts[0] if parts[0] == "catalog" else "/".join(parts[:-1]))
    assert {name for name, found in rooms.items() if len(found) > 1} == ONE_THING_IN_SEVERAL_ROOMS


@pytest.mark.parametrize(
    "room", ["harness", "catalog", "catalog/shapes", "cli", "syntax", "report", "emit", "semantics"]
)
def test_the_folders_of_a_room_with_wings_stay_small(room: str) -> None:
    folder = ROOT / "specc" / room
    for each in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        assert len(list(each.glob("*.py"))) <= MOST_FILES, each
