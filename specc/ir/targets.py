"""The table of targets: what a model can be run as. A target is a row here and its file in
``specc.targets``, by the same name, with the functions of ``specc.targets.Functions``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class TargetRow:
    """``suffix`` ends its artefact. ``made_by`` says in Python how torch makes it of `{model}` and
    `inputs`. ``keeps_ranges`` says that the ranges of a profile that are in the source run with it,
    and ``not_by_line`` what such a profile tells otherwise than by line."""

    name: str
    suffix: str
    made_by: str
    keeps_ranges: bool = False
    not_by_line: str = ""


TARGET_ROWS: Final = (
    TargetRow("eager", ".py", "{model}", keeps_ranges=True),
    TargetRow(
        "compile",
        "_compile.py",
        "torch.compile({model})",
        not_by_line="inductor fuses lines into kernels: the model's time is listed by kernel, and"
        " only what stays outside of it (loss, penalties, optimizer) by line",
    ),
    TargetRow(
        "torchscript",
        ".ts",
        "torch.jit.script({model})",
        keeps_ranges=True,
        not_by_line="TorchScript runs parts of the backward pass as one graph: those are listed by"
        " operation",
    ),
    TargetRow(
        "export",
        ".pt2",
        "torch.export.export({model}, tuple(inputs)).module()",
        not_by_line="the exported graph is run node by node, so that each can be timed",
    ),
)
TARGET_NAMES: Final = tuple(row.name for row in TARGET_ROWS)
