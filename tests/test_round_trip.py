"""What the emitted source of each spec in ``specs/`` is: a file that imports alone, is formatted,
and computes what the live module computes, to the bit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from specc import ir
from specc.api import example_inputs, stem_of
from specc.emit import emit
from specc.front import read
from specc.harness.running.hooks import flat_tensors
from specc.targets.live import module_class, module_from_file

ROOT = Path(__file__).parent.parent
SPECS = sorted((ROOT / "specs").glob("*.spec"))
WIDTH = 88


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, tuple[ir.Program, Path]]:
    """Every spec's program and the file that its source is in."""
    folder = tmp_path_factory.mktemp("emitted")
    found = {}
    for spec in SPECS:
        program = read(spec)
        file = folder / f"{stem_of(spec)}.py"
        file.write_text(emit(program), encoding="utf-8")
        found[spec] = (program, file)
    return found


def test_there_are_specs() -> None:
    assert len(SPECS) >= 8


def test_the_files_are_formatted_and_without_a_name_too_much_or_too_little(
    emitted: dict[Path, tuple[ir.Program, Path]],
) -> None:
    files = [str(file) for _, file in emitted.values()]
    ruff = [sys.executable, "-m", "ruff"]
    width = ["--isolated", "--line-length", str(WIDTH)]
    formatted = subprocess.run(
        [*ruff, "format", "--check", "--diff", *width, *files], capture_output=True, text=True
    )
    assert formatted.returncode == 0, formatted.stdout
    checked = subprocess.run(
        [*ruff, "check", *width, "--select", "F,E9,I", *files], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout


def test_the_files_import_alone(emitted: dict[Path, tuple[ir.Program, Path]]) -> None:
    folder = next(iter(emitted.values()))[1].parent
    names = ", ".join(file.stem for _, file in emitted.values())
    alone = (
        f"import sys; import {names}; assert not any(n.startswith('specc') for n in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", alone], cwd=folder, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_the_file_equals_the_live_module_to_the_bit(
    spec: Path, emitted: dict[Path, tuple[ir.Program, Path]]
) -> None:
    program, file = emitted[spec]
    source = file.read_text(encoding="utf-8")
    for model in program.models:
        inputs = example_inputs(program, model, "cpu")
        with seeded():
            live = module_class(source, model.name, stem_of(spec))()
        with seeded():
            written = module_from_file(file, model.name)()
        assert list(live.state_dict()) == list(written.state_dict())
        assert [(name, tuple(p.shape)) for name, p in live.named_parameters()] == [
            (name, shape) for name, _, shape in model.parameters()
        ]
        same(run(live, inputs), run(written, inputs))


def run(module: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """Outputs, gradients of parameters and floating inputs, and the state afterwards."""
    given = [value.clone().requires_grad_(value.is_floating_point()) for value in inputs]
    with seeded():
        outputs = flat_tensors(module(*given))
    learned = [output for output in outputs if output.requires_grad]
    if learned:
        sum((output.square().sum() for output in learned), torch.zeros(())).backward()
    gradients = [p.grad for p in (*module.parameters(), *given) if p.grad is not None]
    return [*outputs, *gradients, *module.state_dict().values()]


def same(left: list[Tensor], right: list[Tensor]) -> None:
    assert len(left) == len(right) > 0
    for one, other in zip(left, right, strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other, rtol=0.0, atol=0.0, equal_nan=True)


@contextmanager
def seeded() -> Iterator[None]:
    """While open, torch draws from the same numbers each time."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        yield
