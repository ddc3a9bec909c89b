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


def test_what_the_page_says_is_not_built_yet_is_an_error() -> None:
    listed = re.search(r"\(E0190\), never left out:(.*?)\.\n", PAGE, re.DOTALL)
    assert listed is not None
    for word in re.findall(r"`(\w+)`", listed.group(1)):
        if word == "train":
            continue
        text = {
            "repeat": "y = x -> repeat(2) Linear(4)",
            "for": "for i in range(2) { x = x -> Linear(4) }",
            "if": "if true { y = x }",
            "init": "init zeros_ on *.bias",
            "weights": 'weights "a.safetensors"',
            "freeze": "freeze on *.bias",
            "with": "y = x -> Linear(4) with spectral_norm",
        }.get(word)
        inside = {
            "step": "step s {\n loss = mean(output)\n }",
            "copy": "copy target of M every 10",
            "ema": "ema average of M decay 0.9",
            "accumulate": "accumulate 4",
            "precision": "precision bfloat16",
        }.get(word)
        body = f"input x: float[N, 4]\n {text or ''}\n output x -> Linear(4)"
        spec = f"spec 1\nmodel M {{\n {body}\n}}\n"
        if inside:
            spec += f"train {{\n loss = mean(output)\n {inside}\n}}\n"
        if word == "use":
            spec = 'spec 1\nuse "other.spec"\n' + spec.removeprefix("spec 1\n")
        with pytest.raises(specc.SpecError) as caught:
            analyse(spec, "page.spec")
        assert "E0190" in [item.code for item in caught.value.diagnostics()], word
