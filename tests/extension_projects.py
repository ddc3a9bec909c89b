"""Small projects with extensions, made for a test: files of a project, packages that are installed.

Non-goal: the example that docs/extensions.md explains, which lies in ``tests/extension``."""

from __future__ import annotations

from pathlib import Path

import pytest

from specc import front
from specc.errors import SpeccError

# A row file's head and a layer that is torch's own class under another name.
HEAD = """\
from specc.catalog.rows import *
from specc.catalog.rows import no_initial, no_tensors
from specc.ir import Distribution, TensorType


def same(call):
    return call.tensor()

"""
TWIN = 'LayerRow("Twin", "nn.Tanh", "", "as Tanh", shape=same)'
SPEC = "spec 1\n\nmodel Net {{\n  input x: float[N, 4]\n  y = x -> {use}\n  output y\n}}\n"


def project(folder: Path, rows: str | None = None, use: str = "Twin", *more: str) -> Path:
    """A project in ``folder`` with the row file ``rows.py`` (``rows`` behind ``HEAD``), which its
    pyproject.toml names, and after it ``more``; gives its spec, whose value is ``x -> use``."""
    folder.mkdir(parents=True, exist_ok=True)
    named = ([] if rows is None else ["rows.py"]) + [*more]
    listed = ", ".join(f'"{entry}"' for entry in named)
    (folder / "pyproject.toml").write_text(f"[tool.specc]\nextensions = [{listed}]\n", "utf-8")
    if rows is not None:
        (folder / "rows.py").write_text(HEAD + rows, encoding="utf-8")
    spec = folder / "net.spec"
    spec.write_text(SPEC.format(use=use), encoding="utf-8")
    return spec


def listed(*rows: str) -> str:
    """The line of a row file that registers ``rows``."""
    return f"ROWS = ({', '.join(rows)},)\n"


def installed(folder: Path, name: str, points: dict[str, str], **modules: str) -> Path:
    """A package in ``folder`` as pip leaves it: its ``modules``, and metadata with its entry
    ``points`` in the group ``specc.catalog``."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    info.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8"
    )
    lines = "".join(f"{key} = {value}\n" for key, value in points.items())
    info.joinpath("entry_points.txt").write_text(f"[specc.catalog]\n{lines}", encoding="utf-8")
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text, encoding="utf-8")
    return folder


def refusal(spec: Path) -> SpeccError:
    """What ``specc check`` says of a spec that it must refuse."""
    with pytest.raises(SpeccError) as caught:
        front.read(spec)
    return caught.value
