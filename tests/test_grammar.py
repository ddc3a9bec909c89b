"""The grammar file and its kept tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from specc.syntax.parsing import grammar
from specc.syntax.parsing.builder import Builder

SPEC = "spec 1\nmodel M {\n y = x -> Linear(2)\n}\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "specc"


def test_the_tables_are_kept_and_read_back(cache: Path) -> None:
    first = grammar.parser(Builder()).parse(SPEC)
    (kept,) = cache.glob("grammar-*.json")
    before = kept.stat().st_mtime_ns
    assert grammar.parser(Builder()).parse(SPEC) == first
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"data": {}, "memo": {}}', "\x00\xff"])
def test_damaged_tables_are_computed_again(cache: Path, damage: str) -> None:
    whole = grammar.parser(Builder()).parse(SPEC)
    (kept,) = cache.glob("grammar-*.json")
    kept.write_text(damage, encoding="latin-1")
    assert grammar.parser(Builder()).parse(SPEC) == whole
    assert json.loads(kept.read_text())["data"]


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert grammar.parser(Builder()).parse(SPEC) is not None
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/path")
    assert grammar.parser(Builder()).parse(SPEC) is not None


def test_the_grammar_file_says_its_names_once() -> None:
    lines = grammar.grammar_text().splitlines()
    heads = [line.split(":")[0].strip("? ") for line in lines if line[:1].isalpha()]
    assert len(heads) == len(set(heads))
