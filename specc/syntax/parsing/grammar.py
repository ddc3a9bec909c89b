"""The grammar file as a parser, quickly: its tables are computed once a machine and kept as JSON.

Computing the tables takes a fifth of a second, reading them back about 15 ms. They are kept in the
user's own cache folder under a digest of the grammar, lark's version and Python's; JSON, so that
reading them runs nothing. Where the folder cannot be used the tables are computed each time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, Final

import lark
from lark import Lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

from specc.syntax.parsing.builder import Builder
from specc.syntax.tree.newlines import Newlines

PACKAGE: Final = "specc.grammars"
FILE: Final = "spec.lark"


def grammar_text() -> str:
    """The text of the grammar; FileNotFoundError where the package was built without it."""
    try:
        return resources.files(PACKAGE).joinpath(FILE).read_text(encoding="utf-8")
    except ModuleNotFoundError:
        # Imported from a source tree, where the grammar stands beside the package.
        beside = Path(__file__).parents[3] / "grammars" / FILE
        return beside.read_text(encoding="utf-8")


def parser(builder: Builder) -> Lark:
    """The LALR(1) parser that calls ``builder`` for each rule."""
    text = grammar_text()
    options: dict[str, Any] = {"transformer": builder, "postlex": Newlines()}
    path = _cache_path(text)
    if path is not None:
        # Whatever is wrong with a cached file, the grammar itself still stands.
        with contextlib.suppress(Exception):
            return _from_tables(json.loads(path.read_text(encoding="utf-8")), options)
    tables = _compute(text)
    if path is not None:
        _keep(path, json.dumps(tables, separators=(",", ":")))
    return _from_tables(json.loads(json.dumps(tables)), options)


def _compute(text: str) -> dict[str, Any]:
    built = Lark(text, parser="lalr", lexer="contextual", maybe_placeholders=True)
    data, memo = built.memo_serialize([TerminalDef, Rule])
    return {"data": data, "memo": memo}


def _from_tables(tables: dict[str, Any], options: dict[str, Any]) -> Lark:
    data, memo = tables["data"], tables["memo"]
    table = data["parser"]["parser"]
    table["tokens"] = _with_int_keys(table["tokens"])
    table["states"] = {
        int(state): _with_int_keys(actions) for state, actions in table["states"].items()
    }
    # lark's own stand-alone parsers are loaded by this method; it has no public name and no types.
    load: Callable[..., Lark] = Lark._load_from_dict
    return load(data, _with_int_keys(memo), **options)


def _with_int_keys(mapping: dict[str, Any]) -> dict[int, Any]:
    return {int(key): value for key, value in mapping.items()}


def _cache_path(text: str) -> Path | None:
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    if not os.path.isabs(root):
        return None
    identity = "\0".join([text, lark.__version__, sys.version])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
    return Path(root) / "specc" / f"grammar-{digest}.json"


def _keep(path: Path, text: str) -> None:
    """Writes the tables aside and renames them; a cache that cannot be written is no error."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(name, path)
        except OSError:
            os.unlink(name)
            raise
