"""docs/extensions.md is true: its files make a project that does what the page says.

How a block of the page is marked, after its fence: ``file PATH`` lies in the project, ``package
NAME`` is of the package that is installed, ``emitted`` stands in the source of ``net.spec``,
``console`` is run in the project, to the letter."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT, Run
from extension_projects import installed

from specc import front
from specc.codes import CODES
from specc.emit import emit

PAGE = (ROOT / "docs" / "extensions.md").read_text(encoding="utf-8")
BLOCKS = [
    (language, mark.strip(), text)
    for language, mark, text in re.findall(
        r"^```(\w*)([^\n]*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
    )
]


def marked(word: str) -> list[tuple[str, str]]:
    """The blocks with this mark: what stands behind it, and the text."""
    return [
        (mark.removeprefix(word).strip(), text) for _, mark, text in BLOCKS if mark.startswith(word)
    ]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The page's project."""
    for name, text in marked("file"):
        place = tmp_path / "own" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return tmp_path / "own"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Where the page's package is installed."""
    (declared,) = (tomllib.loads(text) for name, text in marked("package") if "." not in name)
    points = declared["project"]["entry-points"]["specc.catalog"]
    folder = installed(tmp_path / "site", declared["project"]["name"], points)
    for name, text in marked("package"):
        if name.endswith(".py"):
            (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    assert len(BLOCKS) >= 15
    for language, mark, _ in BLOCKS:
        assert language == "console" or mark.split()[0] in ("file", "package", "emitted"), mark


def test_the_commands_say_what_the_page_says(own: Path, site: Path, specc: Run) -> None:
    path = os.pathsep.join([str(site), str(ROOT)])
    shown = [text for language, _, text in BLOCKS if language == "console"]
    assert len(shown) == 4
    for text in shown:
        command, _, output = text.partition("\n")
        arguments = command.removeprefix("$ specc ").split()
        environment = {"PYTHONPATH": path, "COLUMNS": "200"}
        ended = specc(*arguments, cwd=own, environment=environment)
        # The page says the path as from the project.
        assert ended.stdout.replace(f"{own}{os.sep}", "") == output
        assert ended.returncode == (2 if "error" in output else 0)


def test_the_emitted_file_is_the_one_that_is_shown(own: Path) -> None:
    source = emit(front.read(own / "net.spec"))
    shown = [text for _, text in marked("emitted")]
    assert len(shown) == 3
    for text in shown:
        assert text in source


def test_the_spec_is_blessed_and_tested(own: Path, specc: Run) -> None:
    for verb in (("bless",), ("test", "--target", "eager")):
        ended = specc(*verb, "net.spec", cwd=own)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " passed" in ended.stdout and "failed" not in ended.stdout
    assert (own / "golden" / "net" / "train" / "golden.json").is_file()


def test_the_codes_of_the_page_are_those_of_extensions() -> None:
    told = set(re.findall(r"^\| (E\d{4}) \|", PAGE, re.MULTILINE))
    assert told == {code for code in CODES if code.startswith("E072")}
