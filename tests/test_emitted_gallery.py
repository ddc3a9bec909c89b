"""docs/emitted.md shows what is emitted beside what a person wrote, and both compute the same.

``python tests/test_emitted_gallery.py`` writes the emitted halves of the page anew. Non-goal:
whether the two read alike, which is for whoever reads the page."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from emit_support import emitted
from torch import Tensor, nn

from specc.api import example_inputs
from specc.semantics import analyse

PAGE = Path(__file__).parent.parent / "docs" / "emitted.md"
_ENTRY = re.compile(
    r"^## (?P<title>[^\n]+)\n\n"
    r"```spec\n(?P<spec>.*?)```\n\nBy a person:\n\n"
    r"```python\n(?P<hand>.*?)```\n\nEmitted:\n\n"
    r"```python\n(?P<made>.*?)```\n",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Entry:
    title: str
    spec: str
    hand: str
    made: str

    @property
    def name(self) -> str:
        """The class that is shown: the last by hand."""
        return re.findall(r"^class (\w+)", self.hand, re.MULTILINE)[-1]

    def __str__(self) -> str:
        return self.title


def entries() -> list[Entry]:
    text = PAGE.read_text(encoding="utf-8")
    return [Entry(**found.groupdict()) for found in _ENTRY.finditer(text)]


def shown(entry: Entry) -> str:
    """The class as it is emitted, without the notes of lines."""
    source = emitted(entry.spec)
    found = re.search(rf"^class {entry.name}\(.*?(?=^\S|\Z)", source, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[0].rstrip() + "\n"


def rewritten() -> str:
    """The page with each emitted half as it is emitted now."""

    def anew(found: re.Match[str]) -> str:
        whole, start = found[0], found.start()
        emitted_now = shown(Entry(**found.groupdict()))
        return whole[: found.start("made") - start] + emitted_now + "```\n"

    return _ENTRY.sub(anew, PAGE.read_text(encoding="utf-8"))


def _classes(source: str) -> dict[str, type[nn.Module]]:
    names: dict[str, object] = {"nn": nn, "torch": torch, "F": nn.functional, "Tensor": Tensor}
    exec(source, names)
    return {name: value for name, value in names.items() if isinstance(value, type)}


@dataclass
class Use:
    """A module of the class that is shown: what it was made with and what it was fed."""

    module: nn.Module
    made_with: tuple[Any, ...]
    fed: tuple[Tensor, ...] = ()


def _recording(shown_class: type[nn.Module], uses: list[Use]) -> None:
    """Lets the class note, from now on, each module that is made of it."""
    plain = shown_class.__init__
    signature = inspect.signature(plain)

    def noted(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        plain(self, *args, **kwargs)
        use = Use(self, tuple(bound.arguments.values())[1:])
        self.register_forward_pre_hook(lambda _, given: setattr(use, "fed", given))
        uses.append(use)

    shown_class.__init__ = noted  # type: ignore[method-assign]


def test_the_page_has_its_dozen() -> None:
    assert len(entries()) == 12
    assert PAGE.read_text(encoding="utf-8").count("\n## ") == 12


@pytest.mark.parametrize("entry", entries(), ids=str)
def test_what_is_shown_is_what_is_emitted(entry: Entry) -> None:
    assert entry.made == shown(entry)


@pytest.mark.parametrize("entry", entries(), ids=str)
def test_it_computes_what_the_class_by_hand_computes(entry: Entry) -> None:
    program = analyse(entry.spec, "m.spec")
    made, hand = _classes(emitted(entry.spec)), _classes(entry.hand)
    uses: list[Use] = []
    _recording(made[entry.name], uses)
    subject = program.subject()
    made[subject.name]().eval()(*example_inputs(program, subject, "cpu"))
    assert uses
    for use in uses:
        other = hand[entry.name](*use.made_with).eval()
        states = use.module.state_dict(), other.state_dict()
        ours, theirs = ([value.shape for value in state.values()] for state in states)
        assert ours == theirs
        other.load_state_dict(dict(zip(states[1], states[0].values(), strict=True)))
        assert torch.equal(other(*use.fed), use.module(*use.fed))


if __name__ == "__main__":
    PAGE.write_text(rewritten(), encoding="utf-8")
