"""The form of each statement, told where a line begins with its word and cannot be read.

Each is a line that checks in a model, a training or a test that has what it names; ``tests/
test_statement_forms.py`` reads every one. Non-goal: lines in another language's form, which
``habits`` reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FORMS: Final[Mapping[str, str]] = {
    # a file
    "use": 'use "blocks.spec"',
    "param": "param width: int = 8",
    "model": "model Net(width: int = 8) {",
    "block": "block Unit(width: int) {",
    "train": "train {",
    "test": "test {",
    # a model
    "input": "input x: float[N, 8]",
    "output": "output y",
    "parameter": "parameter gamma: float[8] = ones_",
    "buffer": "buffer mask = tril(ones(8, 8))",
    "layer": "layer fc = Linear(8)",
    "init": "init zeros_ on *.bias",
    "weights": 'weights "start.safetensors"',
    "freeze": "freeze on fc.*",
    "if": "if width > 4 { y = x } else { y = 2 * x }",
    "for": "for i in range(3) { x = x -> Linear(8) }",
    # train
    "regularize": "regularize L2(1e-4) on *.weight",
    "constrain": "constrain MaxNorm(3.0) on *.weight",
    "clip": "clip GradNorm(1.0)",
    "optimizer": "optimizer AdamW(lr=1e-3)",
    "group": "group(lr=1e-4) on *.bias",
    "scheduler": "scheduler StepLR(step_size=5) per step",
    "step": "step first { ... }",
    "copy": "copy target of Net every 100",
    "ema": "ema average of Net decay 0.999",
    "accumulate": "accumulate 4",
    "precision": "precision bfloat16",
    "metric": "metric Accuracy(logits, label)",
    # test
    "params": "params width=4",
    "sizes": "sizes N=4, T=5",
    "seed": "seed 7",
    "steps": "steps 3",
    "targets": "targets eager, compile",
    "devices": "devices cpu, cuda",
    "dtypes": "dtypes float32, bfloat16",
    "modes": "modes train, eval",
    "layouts": "layouts contiguous, channels_last",
    "optimizers": "optimizers default, fused",
    "nonfinite": "nonfinite refused",
}
# In a test `input` takes its numbers from a file.
SAMPLE: Final = 'input x from "samples.safetensors"'


def form_of(word: str, part: str) -> str | None:
    """What is said of a line that begins with ``word`` in ``part``: ``model``, ``train``,
    ``test``."""
    form = SAMPLE if (word, part) == ("input", "test") else FORMS.get(word)
    return None if form is None else f"its form is `{form}`"
