"""Where the layers of a module are: how each is named, alone, in a chain, in a loop.

The rules are LANGUAGE's: a label is the name; without one the position inside a pure chain, and
elsewhere the lower-case type with a counter. Non-goal: whether two layers want one name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from specc.emitted_names import MEMBER_ATTRIBUTES, ROW_ATTRIBUTES


@dataclass(slots=True)
class Namespace:
    """The naming of one stretch of statements.

    ``module``: a name is a path. ``members``: one time round a labelled loop, ``path.<k>.<name>``.
    ``single``: the same where the loop makes one unlabelled layer, ``path.<k>``. ``each``: one time
    round a loop without a label, ``<name>.<k>``. ``positions``: a row of layers, ``path.<n>``.
    """

    form: Literal["module", "members", "single", "each", "positions"] = "module"
    path: str = ""
    index: int = 0
    parent: Namespace | None = None
    # What the layers without labels are called, by where they start in the text.
    names: Mapping[int, str] = field(default_factory=dict)
    position: int = 0
    # Whether a `repeat` here stands among the stages of the row itself.
    splices: bool = False

    @property
    def attributes(self) -> frozenset[str]:
        """What the container of the layers here calls its own."""
        if self.form == "each" and self.parent is not None:
            return self.parent.attributes
        if self.form == "members":
            return MEMBER_ATTRIBUTES
        return ROW_ATTRIBUTES if self.form == "positions" else frozenset()

    def made_up(self, start: int) -> str:
        """The name of the layer without a label that starts at ``start``."""
        if self.form == "positions":
            self.position += 1
            return str(self.position - 1)
        if self.form == "each" and self.parent is not None:
            return self.parent.made_up(start)
        return self.names.get(start, "")

    def lists(self, name: str) -> list[str]:
        """The paths of the lists that the layer called ``name`` here is in, by loops without a
        label."""
        if self.form != "each" or self.parent is None:
            return []
        return [*self.parent.lists(name), self.parent.locate(name)]

    def locate(self, name: str) -> str:
        """The path, in the module, of what is called ``name`` here."""
        match self.form:
            case "module":
                return name
            case "members":
                return f"{self.path}.{self.index}.{name}"
            case "single":
                return f"{self.path}.{self.index}"
            case "positions":
                return f"{self.path}.{name}" if self.path else name
            case "each":
                head, dot, rest = name.partition(".")
                inner = f"{head}.{self.index}{dot}{rest}"
                return inner if self.parent is None else self.parent.locate(inner)
