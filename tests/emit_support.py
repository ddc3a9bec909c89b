"""What the tests of the emitter share: a text to its source, and to its class."""

from __future__ import annotations

from torch import nn

from specc.emit import emit
from specc.semantics import analyse
from specc.targets.live import module_class


def emitted(text: str) -> str:
    return emit(analyse(text, "m.spec"))


def class_of(source: str) -> type[nn.Module]:
    return module_class(source, "M", "m")
