"""What the rows of one family of functions have in common, so that a row says only what is its own.

Non-goals: layers, losses and metrics, whose rows have little in common; the rules (``shapes``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from specc.catalog.rows import FunctionRow, ShapeRule


@dataclass(frozen=True, slots=True)
class Family:
    """Makes the rows of the family ``name``.

    ``leads`` begins every signature; ``signature`` follows where a row has none of its own.
    ``example`` and ``shape`` are those of rows without one. In an example ``{}`` is the function's
    name.
    """

    name: str
    leads: str = ""
    signature: str = "input: tensor"
    example: str = ""
    shape: ShapeRule | None = None

    def __call__(
        self,
        torch: str,
        summary: str,
        shape: ShapeRule | None = None,
        signature: str | None = None,
        *,
        name: str = "",
        example: str = "",
        choices: Mapping[str, tuple[str, ...]] | None = None,
        refuses: Mapping[str, str] | None = None,
        since: str = "2.0",
        stochastic: bool = False,
        training: bool = False,
    ) -> FunctionRow:
        """The row of ``torch``, such as ``torch.linalg.det``: named by its last part, if not by
        ``name``.

        ValueError where neither the row nor its family has a shape rule."""
        name = name or torch.rpartition(".")[2]
        rule = shape or self.shape
        if rule is None:
            raise ValueError(f"{torch} has no shape rule")
        parts = (self.leads, self.signature if signature is None else signature)
        return FunctionRow(
            name,
            torch,
            ", ".join(part for part in parts if part),
            summary,
            choices=choices or {},
            example=(example or self.example).format(name),
            since=since,
            refuses=refuses or {},
            shape=rule,
            stochastic=stochastic,
            training=training,
            family=self.name,
        )
