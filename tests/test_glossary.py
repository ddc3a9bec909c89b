"""Each concept has one word: the glossary of docs/architecture.md, and no old word in the tree.

Non-goals: words in prose, names of variables."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    "room", ["harness", "catalog", "catalog/shapes", "cli", "syntax", "report", "emit", "semantics"]
)
def test_the_folders_of_a_room_with_wings_stay_small(room: str) -> None:
    folder = ROOT / "specc" / room
    for each in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        assert len(list(each.glob("*.py"))) <= MOST_FILES, each
