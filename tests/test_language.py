"""docs/language.md: every program on the page is checked, emitted, run and trained for a step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import specc
from specc.api import example_inputs
from specc.harness.case import close
from specc.harness.matrix import cases
from specc.semantics import analyse

PAGE = (Path(__file__).parent.parent / "docs" / "language.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```spec\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_has_programs() -> None:
    assert len(PROGRAMS) >= 3


@pytest.mark.parametrize("text", PROGRAMS, ids=range(len(PROGRAMS)))
def test_a_program_of_the_page_runs(text: str) -> None:
    program = analyse(text, "page.spec")
    module = specc.loads(text)
    model = program.model()
    result = module(*example_inputs(program, model, "cpu"))
    results = result if isinstance(result, tuple) else (result,)
    assert len(results) == len(model.outputs)
    if program.train is not None:
        batch = close(program, cases(program)[0]).batches[0]
        tensors = [
            tensor.float() if tensor.is_floating_point() else tensor
            for _, tensor in (*batch.inputs, *batch.labels)
        ]
        terms = module.training_step(module.configure_optimizers()["optimizer"], *tensors)
        assert torch.isfinite(terms["loss"])
