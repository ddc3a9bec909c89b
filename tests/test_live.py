"""The live class: source as a real module, for inspection, tracebacks, scripting and deepcopy."""

from __future__ import annotations

import copy
import inspect
import linecache
import sys
import traceback
import warnings
from pathlib import Path

import pytest
import torch

from specc.errors import CallError, TargetError
from specc.targets.live import live_module, module_class, module_from_file

SOURCE = '''"""Made for a test."""

import torch
from torch import Tensor, nn


class Half(nn.Module):
    """Halves."""

    def forward(self, value: Tensor) -> Tensor:
        return value / 2


class Double(nn.Module):
    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.fc = nn.Linear(width, 2)
        self.halve = Half()

    def forward(self, value: Tensor) -> Tensor:
        if value.dim() != 2:
            raise ValueError("two dimensions are wanted")
        return self.fc(value) * 2
'''


def test_a_source_gives_one_class() -> None:
    first = module_class(SOURCE, "Double", "twice")
    assert module_class(SOURCE, "Double", "twice") is first
    assert module_class(SOURCE + "\n", "Double", "twice") is not first
    assert module_class(SOURCE, "Double", "other") is not first
    assert sys.modules[first.__module__] is live_module(SOURCE, "twice")


def test_the_source_can_be_inspected() -> None:
    found = module_class(SOURCE, "Double", "inspected")
    assert inspect.getsource(found).startswith("class Double(nn.Module):")
    assert inspect.getsource(found.forward).strip().startswith("def forward(self, value: Tensor)")
    linecache.clearcache()
    assert "class Half" in inspect.getsource(live_module(SOURCE, "inspected"))
    # checkcache drops entries whose file does not exist; the loader must answer again.
    linecache.checkcache()
    assert inspect.getsource(found.forward).rstrip().endswith("* 2")


def test_a_traceback_shows_the_line() -> None:
    module = module_class(SOURCE, "Double", "failing")()
    with pytest.raises(ValueError, match="two dimensions") as caught:
        module(torch.zeros(3))
    text = "".join(traceback.format_exception(caught.value))
    assert 'raise ValueError("two dimensions are wanted")' in text
    assert "failing.py" in text


def test_scripting_and_deepcopy_work() -> None:
    module = module_class(SOURCE, "Double", "scripted")()
    twin = copy.deepcopy(module)
    with warnings.catch_warnings():
        # torch says of every call that TorchScript is deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.script(twin)
    value = torch.ones(2, 3)
    assert torch.equal(scripted(value), module(value))


def test_names_that_are_no_identifiers_do_not_matter() -> None:
    assert module_class(SOURCE, "Half", "my model-2 (ünï)").__name__ == "Half"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import sys\nsys.exit(0)\n", "does not execute: SystemExit"),
        ("class Double(:\n", "SyntaxError"),
        ("raise RuntimeError('no')\n", "RuntimeError: no"),
        ("import torch\nx = 1\n", "no module class called Double"),
        ("from torch.nn import Linear as Double\n", "no module class called Double"),
    ],
)
def test_a_bad_source_is_reported(source: str, message: str) -> None:
    before = set(sys.modules)
    with pytest.raises(TargetError, match=message) as caught:
        module_class(source, "Double", "bad")
    assert caught.value.code == "E0903"
    left = [name for name in set(sys.modules) - before if name.startswith("_specc_live_bad")]
    # What does not execute is not left half made; what lacks the class did execute.
    assert bool(left) == ("no module class" in message)


def test_a_file_of_the_users(tmp_path: Path) -> None:
    path = tmp_path / "twice.py"
    path.write_text(SOURCE, encoding="utf-8")
    assert module_from_file(path).__name__ == "Double"
    assert module_from_file(path, "Half").__name__ == "Half"
    with pytest.raises(TargetError, match="Treble") as caught:
        module_from_file(path, "Treble")
    assert caught.value.help == "it defines Half, Double"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", "folder"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "model.py"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(CallError, match="cannot read") as caught:
        module_from_file(path)
    assert caught.value.code == "E0701"
