"""Programs written at random: what is emitted computes what the graph says, and reads as written.

The outputs equal a direct reading of the graph to the bit, the parameters have the graph's names
and shapes, ruff's formatter leaves the source as it is, and pyflakes' rules find nothing in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from ir_interpreter import interpret
from program_strategies import specs
from torch import nn

from specc import ir
from specc.emit import emit
from specc.errors import SpecError
from specc.semantics import analyse
from specc.targets.live import module_class

RUFF = Path(sys.executable).parent / "ruff"
EXAMPLES = int(os.environ.get("SPECC_EXAMPLES", "60"))
# What a text written at random may be refused for: names that meet by chance.
BY_CHANCE = {"E0206", "E0207", "E0230", "E0238"}


def read(text: str) -> ir.Program:
    try:
        return analyse(text, "m.spec")
    except SpecError as error:
        faults = {item.code for item in error.diagnostics() if item.severity == "error"}
        assert faults <= BY_CHANCE, f"{error}\n{text}"
        assume(False)
        raise


def agrees(model: ir.Module, live: nn.Module, batch: int) -> None:
    """Holds the module ``live`` against the graph of ``model``."""
    found = [(name, tuple(parameter.shape)) for name, parameter in live.named_parameters()]
    assert found == [(name, shape) for name, _, shape in model.parameters()]
    width = ir.static_value(model.inputs[0].type.shape[1], model.values)
    assert isinstance(width, int)
    torch.manual_seed(0)
    inputs = [torch.randn(batch, width) for _ in model.inputs]
    given = [tensor.clone() for tensor in inputs]
    state = {name: tensor.clone() for name, tensor in live.state_dict().items()}
    with torch.no_grad():
        torch.manual_seed(1)
        result = live(*inputs)
        torch.manual_seed(1)
        wanted = interpret(model, given, state)
    results = result if isinstance(result, tuple) else (result,)
    assert len(results) == len(wanted)
    after = live.state_dict()
    assert after.keys() == state.keys()
    pairs = [*zip(results, wanted, strict=True), *((after[name], state[name]) for name in after)]
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)


def ruff(source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [RUFF, *arguments, "--isolated", "-"], input=source, capture_output=True, text=True
    )


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(specs())
def test_what_is_emitted_computes_what_the_graph_says(text: str) -> None:
    program = read(text)
    source = emit(program)
    try:
        agrees(program.model(), module_class(source, "Net", "m")(), 3)
    except Exception as fault:
        fault.add_note(f"{text}\n{source}")
        raise


@settings(
    max_examples=EXAMPLES // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(specs(), st.integers(2, 6), st.integers(1, 5))
def test_made_with_other_params_it_is_what_they_say_or_says_that_it_is_not(
    text: str, dim: int, width: int
) -> None:
    source = emit(read(text))
    try:
        model = analyse(text, "m.spec", {"dim": dim, "width": width}).model()
    except SpecError:
        assume(False)
        raise
    try:
        live = module_class(source, "Net", "m")(dim=dim, width=width)
    except AssertionError as refused:
        assert "build the spec again" in str(refused), f"{text}\n{source}"
        return
    try:
        agrees(model, live, 3)
    except Exception as fault:
        fault.add_note(f"dim={dim}, width={width}\n{text}\n{source}")
        raise


@settings(
    max_examples=EXAMPLES // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(specs())
@pytest.mark.skipif(not RUFF.exists(), reason="ruff is not installed here")
def test_what_is_emitted_is_formatted_and_clean(text: str) -> None:
    source = emit(read(text))
    formatted = ruff(source, "format", "--line-length", "88")
    assert formatted.returncode == 0, formatted.stderr
    assert formatted.stdout == source
    # A value that the spec computes and never reads is one of the source, too.
    checked = ruff(source, "check", "--select", "F,E9", "--ignore", "F841")
    assert checked.returncode == 0, f"{checked.stdout}\n{source}"
