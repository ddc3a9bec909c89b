"""What values and their derivatives depend on, held against autograd: of modules in numbers, and of
every row of the catalogue."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest
import torch
from breaking import RAN, REFUSED, tried
from torch import Tensor

from specc import front
from specc.catalog.examples import KINDS, Example, example_of, program_around, program_of
from specc.emit import emit
from specc.harness.cases import matrix
from specc.harness.cases.case import close
from specc.harness.running.hooks import flat_tensors
from specc.ir import Program
from specc.semantics.checks.slopes import of_module
from specc.targets.live import module_class

STEPS: Final = (
    "{a} + {b}", "{a} - {b}", "{a} * {b}", "{a} / 2", "2.0 / (3 + {a} ** 2)", "tanh({a})", "-{a}",
    "{a}[:, :4] @ weight", "detach({a})", "{a} * detach({b})", "ones_like({a})", "{a} * gamma",
    "{a} + shift", "{a} + fixed", "{a} -> Linear(4)", "{a} -> Linear(4, bias=false)", "sign({a})",
    "{a} -> LayerNorm", "where({a} > 0, {a}, {b})", "cat([{a}, {b}])[:2]",
    "float({a} > 0)", "{a} -> ReLU", "exp({a}) * {b}", "sum({a}) * {b}", "float(argmax({a})) * {b}",
    "{a} ** 2", "sqrt({a} ** 2 + 1)", "flip({a}, dims=1)", "softmax({a}, dim=-1)",
)  # fmt: skip
ROUNDS: Final = ("tanh({h}) + {b}", "detach({h}) * {b}", "{h} * {b}")
BLOCKS: Final = """
block Pair() {
  input x: float[N, D]
  input z: float[N, D]
  h = x -> Linear(D) -> Tanh
  output h, z * 3
}

block Cut() {
  input x: float[N, D]
  input z: float[N, D]
  for i in range(2) {
    z = z -> Linear(D)
    x = detach(x) * z
  }
  output x, z
}
"""


def program_in(number: int) -> str:
    """A model of two inputs and three outputs, made of parts drawn by ``number``."""
    draw = random.Random(number)
    names = ["x", "z"]
    lines = []
    for place in range(draw.randint(2, 7)):
        a, b = draw.choice(names), draw.choice(names)
        kind = draw.random()
        if kind < 0.15:
            lines.append(f"  p{place}, q{place} = {draw.choice(('Pair', 'Cut'))}()({a}, {b})")
            names += [f"p{place}", f"q{place}"]
            continue
        if kind < 0.25:
            names.append(f"h{place}")
            step = draw.choice(ROUNDS).format(h=f"h{place}", b=b)
            lines.append(f"  h{place} = {a}")
            lines.append(f"  for i in range(2) {{ h{place} = {step} }}")
            continue
        lines.append(f"  h{place} = {draw.choice(STEPS).format(a=a, b=b)}")
        names.append(f"h{place}")
    shown = (names[2:] or names)[-3:]
    outputs = ", ".join(f"{name} + 0.0" if name in ("x", "z") else name for name in shown)
    return (
        f"spec 1\n{BLOCKS}\nmodel Net {{\n  input x: float[2, 4]\n  input z: float[2, 4]\n"
        "  parameter gamma: float[4] = ones_\n  parameter shift: float[4] = ones_\n"
        "  parameter weight: float[4, 4] = normal_\n  buffer fixed = arange(4) / 4\n"
        + "\n".join(lines)
        + f"\n  output {outputs}\n}}\n"
    )


def read(text: str) -> tuple[Program, Any]:
    program, faults, _ = front.check_text(text, "m.spec")
    assert program is not None, (text, faults)
    torch.manual_seed(0)
    return program, module_class(emit(program), program.subject().name, "m")()


def reaches(of: Tensor, by: Tensor) -> bool:
    if not of.requires_grad:
        return False
    return torch.autograd.grad(of.sum(), by, retain_graph=True, allow_unused=True)[0] is not None


def slope(of: Tensor, by: Tensor) -> Tensor:
    return torch.autograd.grad(of.sum(), by, create_graph=True)[0]


@pytest.mark.parametrize("part", range(4))
def test_modules_depend_on_what_autograd_says(part: int) -> None:
    for number in range(part, 240, 4):
        text = program_in(number)
        program, module = read(text)
        model = program.models[0]
        learning = {name for name, _, _ in model.parameters()}
        inputs = [torch.rand(2, 4, requires_grad=True) for _ in model.inputs]
        results = flat_tensors(module(*inputs))
        for output, said in zip(results, of_module(model, learning, {}), strict=True):
            sources = [*inputs, *module.parameters()]
            found = [reaches(output, each) for each in sources]
            found = [*found[:2], any(found[2:])]
            assert [bool(said.sources >> bit & 1) for bit in range(3)] == found, text
            for bit, by in enumerate(inputs):
                if not found[bit]:
                    continue
                again = [reaches(slope(output, by), each) for each in sources]
                again = [*again[:2], any(again[2:])]
                mask = said.slopes[bit]
                assert [bool(mask >> other & 1) for other in range(3)] == again, (text, bit)


def examples() -> Iterator[tuple[str, str]]:
    """A program for each row, with what its example detaches let through."""
    for kind in ("function", "layer"):
        for name, row in KINDS[kind].items():
            found = example_of(kind, row)
            lines = [line.replace("detach(", "positive(") for line in found.lines]
            text = program_around(kind, row, Example(found.inputs, tuple(lines[:-1]), lines[-1]))
            if front.check_text(text, "m.spec")[0] is None:
                text = program_of(kind, row)
            yield name, text


@pytest.mark.parametrize("part", range(4))
def test_what_a_row_depends_on_is_what_autograd_says(part: int) -> None:
    for name, text in list(examples())[part::4]:
        if name in ("detach", "stop_gradient"):
            continue
        program, module = read(text)
        model = program.models[0]
        case = dataclasses.replace(matrix.cases(program)[0], steps=1)
        inputs = [tensor.clone() for _, tensor in close(program, case).batches[0].inputs]
        inputs = [t.to(torch.complex64) if t.is_complex() else t for t in inputs]
        inputs = [t.float() if t.is_floating_point() else t for t in inputs]
        for tensor in inputs:
            tensor.requires_grad_(tensor.is_floating_point() or tensor.is_complex())
        results = flat_tensors(module(*inputs))
        for output, said in zip(results, of_module(model, (), {}), strict=True):
            if not (output.is_floating_point() or output.is_complex()):
                continue
            real = torch.view_as_real(output.resolve_conj()) if output.is_complex() else output
            for bit, tensor in enumerate(inputs):
                if tensor.requires_grad:
                    told = bool(said.sources >> bit & 1)
                    assert told == reaches(real, tensor), (name, bit, text)


MADE: Final = ("detach({a})", "float({a})", "{a} * 2", "{a}[:, :]", "positive({a})")
USED: Final = ("tanh({by} * {b})", "{by} * {b}", "exp({b})", "Net({by}, {b})")
FREEZES: Final = ("", "", "  freeze on shift\n", "  freeze on *\n")


def training_in(number: int) -> str:
    """The model with a loss of derivatives, by what comes in and by what is made of it."""
    draw = random.Random(number)
    model = program_in(number)
    count = model.rpartition("output ")[2].count(",") + 1
    given = [f"o{place}" for place in range(count)]
    fed = draw.choice(("t, z", "t, z", "t, 2 * t"))
    lines = [f"{', '.join(given)} = Net({fed})"]
    pool = [*given, "t", "z"]
    total = []
    for place in range(draw.randint(1, 2)):
        by, of = draw.choice("ttz"), draw.choice(given)
        if draw.random() < 0.4:
            by, of = f"s{place}", f"w{place}"
            lines.append(f"{by} = {draw.choice(MADE).format(a=draw.choice(pool))}")
            used = draw.choice(USED).format(by=by, b=draw.choice(pool))
            several = [of, *(f"{of}{n}" for n in range(count - 1))]
            lines.append(f"{', '.join(several) if 'Net' in used else of} = {used}")
            pool += [by, of]
        power = draw.choice(("", " ** 2", " ** 3"))
        lines.append(f"g{place} = grad(sum({of}{power}), {by})")
        pool.append(f"g{place}")
        total.append(f"sum(g{place}{draw.choice(('', ' ** 2'))})")
    if draw.random() < 0.3:
        total.append(f"sum({draw.choice(given)})")
    body = "".join(f"  {line}\n" for line in lines)
    return (
        f"{model[:-2]}{draw.choice(FREEZES)}}}\n\n"
        f"train {{\n  input t: float[2, 4]\n  input z: float[2, 4]\n{body}"
        f"  loss = {' + '.join(total)}\n  optimizer SGD(lr=0.1) on Net\n}}\n"
    )


def test_losses_of_derivatives_are_refused_or_run() -> None:
    seen: Counter[str] = Counter()
    for number in range(300):
        text = training_in(number)
        found = tried(text)
        assert found in (RAN, REFUSED), f"{found}\n{text}"
        seen[found] += 1
    assert seen[RAN] > 40 and seen[REFUSED] > 40
