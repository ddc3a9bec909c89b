"""A small spec around each row: what ``specc catalog`` shows, and the row's case in the conformance
suite.

A row's ``example`` says ``inputs | expression``; this file puts a model, a training and a test plan
around it, as one formatted program. What is not written is the default of the row's kind. Torch-
free, and text alone: whether the program checks is ``specc.front``'s to say. Non-goals: numbers,
and any knowledge of a single row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from specc import catalog
from specc.catalog import std
from specc.catalog.rows import FunctionRow, InitRow, LayerRow, OptimizerRow, Row, no_tensors

# What each kind is called on the command line and in docs/catalogue.md, with its table, in the
# order of the page.
KINDS: Final[Mapping[str, Mapping[str, Row]]] = {
    "layer": catalog.LAYERS,
    "loss": catalog.LOSSES,
    "function": catalog.FUNCTIONS,
    "optimizer": catalog.OPTIMIZERS,
    "scheduler": catalog.SCHEDULERS,
    "initialiser": catalog.INITS,
    "parametrization": catalog.WRAPPERS,
    "metric": catalog.METRICS,
    "regularizer": catalog.REGULARIZERS,
    "constraint": catalog.CONSTRAINTS,
    "clip": catalog.CLIPS,
}

# The sizes of a test: small, so that a golden is, and no two alike where a shape has two.
_SIZES: Final = {"N": 3, "T": 5, "S": 4, "C": 4, "D": 6, "H": 8, "W": 7, "L": 9}
_OTHER_SIZE: Final = 2

_INPUT: Final = re.compile(r"(\w+)\s*:\s*(\w+(?:\([^()]*\))?\[[^\[\]]*\])")
_ASSIGNED: Final = re.compile(r"\(?\w+(?:\s*,\s*\(?\w+\)*)*\)*\s*=(?!=)")
_NAME: Final = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class ExampleInput:
    """One input of an example; ``type`` is written in full: ``float[N, 6]``."""

    name: str
    type: str

    @property
    def floating(self) -> bool:
        """Whether it is a plain ``float``, which a layer may give as well."""
        return self.type.startswith("float[")

    @property
    def unit(self) -> bool:
        return self.type.startswith("unit[")

    @property
    def sizes(self) -> tuple[str, ...]:
        """The names of the unknown sizes in its shape, in order."""
        shape = self.type.partition("[")[2].rstrip("]")
        return tuple(dict.fromkeys(_NAME.findall(shape)))


@dataclass(frozen=True, slots=True)
class Example:
    """A row's example, read: inputs, the statements before the last line, and that line."""

    inputs: tuple[ExampleInput, ...]
    statements: tuple[str, ...]
    result: str

    @property
    def lines(self) -> tuple[str, ...]:
        return (*self.statements, self.result)


def example_of(kind: str, row: Row) -> Example:
    """The example of ``row``, its own or its kind's; ValueError where it is written wrongly.

    Without ``|`` an example is what stands in place of the row's name in that of its kind: the call
    of an optimizer, ``SGD(lr=0.1)``, or ``x -> Linear(4)``."""
    written = row.example or row.name
    if "|" not in written:
        written = _around(kind, row, written)
    return _example(kind, row.name, written)


def _example(kind: str, name: str, written: str) -> Example:
    inputs, _, body = written.partition("|")
    found = tuple(ExampleInput(name, type_) for name, type_ in _INPUT.findall(inputs))
    rest = _INPUT.sub("", inputs).replace(",", "").strip()
    lines = tuple(line.strip() for line in body.strip().splitlines() if line.strip())
    if rest or not lines:
        raise ValueError(f"the example of {name} is not `inputs | expression`: {written!r}")
    return Example(found, lines[:-1], lines[-1].removeprefix(f"{kind} "))


def _around(kind: str, row: Row, call: str) -> str:
    """The example of a ``kind`` that uses ``row`` as ``call`` says."""
    inputs = "x: float[N, 6]"
    match kind:
        case "layer" | "function":
            return f"{inputs} | {call if '->' in call else f'x -> {call}'}"
        case "loss" | "metric":
            return f"{inputs}, y: float[N, 6] | {call if '(' in call else f'{call}(x, y)'}"
        case "parametrization":
            return f"{inputs} | x -> Linear(4) with {call}"
        case "initialiser":
            assert isinstance(row, InitRow)
            if row.rank > 2:
                return f"x: float[N, 4, 5] | x -> Conv1d(3, kernel_size=3)\ninit {call} on *.weight"
            return f"{inputs} | x -> Linear(4)\ninit {call} on *.weight"
        case "optimizer":
            return f"{inputs} | {call if '(' in call else f'{call}(lr=0.01)'}"
        case _:
            return f"{inputs} | {call}"


def program_of(kind: str, row: Row) -> str:
    """A whole spec around ``row``, formatted: a model, a training where the row belongs to one, and
    the plan of its test.

    ValueError where the row's example is written wrongly."""
    return program_around(kind, row, example_of(kind, row))


def program_around(kind: str, row: Row, example: Example) -> str:
    """As ``program_of``, around ``example``."""
    parts = _PARTS[kind](row, example)
    sizes = dict.fromkeys(name for each in example.inputs for name in each.sizes)
    plan = [f"sizes {', '.join(f'{name}={size_of(name)}' for name in sizes)}"] if sizes else []
    plan += _plan(kind, row)
    head = f"# {row.name}: {row.summary}."
    blocks = [*parts, _block("test", plan)]
    return "\n".join(["spec 1", "", head, "", "\n\n".join(blocks), ""])


def program_using(block: std.LibraryBlock) -> str:
    """A whole spec that uses a block of the library as its example says."""
    example = _example(block.kind, block.name, block.example)
    parts = _computed(None, example) if block.kind == "layer" else _weighed(None, example)
    use = f'use "{block.path}"'
    return "\n".join(["spec 1", "", use, "", "\n\n".join(parts), ""])


def lines_using(block: std.LibraryBlock) -> tuple[str, ...]:
    """What such a spec says of the block: its ``use``, the inputs, the line with its name."""
    example = _example(block.kind, block.name, block.example)
    clause = "output" if block.kind == "layer" else "loss ="
    use = f'use "{block.path}"'
    return (use, *_inputs(example.inputs), f"{clause} {example.result}")


def size_of(name: str) -> int:
    """The number that the tests of examples put in for an unknown size."""
    return _SIZES.get(name, _OTHER_SIZE)


def cases() -> Iterator[tuple[str, Row]]:
    """Every row of the catalogue with its kind, in the order of the tables."""
    for kind, table in KINDS.items():
        for row in table.values():
            yield kind, row


# ── the parts of a program ───────────────────────────────────────────────────────────────────────


def _block(head: str, lines: list[str]) -> str:
    return "\n".join([f"{head} {{", *(f"  {line}" if line else "" for line in lines), "}"])


def _model(inputs: tuple[ExampleInput, ...], lines: list[str]) -> str:
    return _block("model Example", [*_inputs(inputs), *lines])


def _inputs(inputs: tuple[ExampleInput, ...]) -> list[str]:
    return [f"input {each.name}: {each.type}" for each in inputs]


def _computed(row: Row | None, example: Example) -> list[str]:
    """A model that computes the example and puts out its result."""
    inits = [line for line in example.lines if line.startswith("init ")]
    lines = [line for line in example.lines if line not in inits]
    return [_model(example.inputs, [*lines[:-1], *_put_out(lines[-1]), *inits])]


def _put_out(line: str) -> list[str]:
    """``line`` and the output of what it gives: the names that it binds, or its value."""
    bound = _ASSIGNED.match(line)
    if bound is None:
        return [f"output {line}"]
    names = [name for name in _NAME.findall(bound.group()) if name != "_"]
    return [line, f"output {', '.join(names)}"]


def _weighed(row: Row | None, example: Example) -> list[str]:
    """A model that gives the floats, each through a layer of its own, and a training that computes
    the example of them and of what the batch brings."""
    given = [each for each in example.inputs if each.floating]
    given = given or [each for each in example.inputs if each.unit][:1]
    lines = [f"{each.name} = {each.name} -> {_affine(each)}" for each in given]
    lines.append(f"output {', '.join(each.name for each in given)}")
    brought = tuple(each for each in example.inputs if each not in given)
    training = [*_inputs(brought), *example.statements]
    if isinstance(row, FunctionRow) and row.family == "metric":
        losses = " + ".join(f"mean({each.name} ** 2)" for each in given)
        training += [f"metric {example.result}", f"loss = {losses}"]
    elif _BARE_NUMBERS.search(example.result):
        training += [f"loss = mean({example.result})"]
    else:
        training += [f"loss = {example.result}"]
    training += ["optimizer SGD(lr=0.1)"]
    return [_model(tuple(given), lines), _block("train", training)]


_BARE_NUMBERS: Final = re.compile(r"reduction\s*=\s*\"none\"")


def _affine(given: ExampleInput) -> str:
    """A layer that keeps the shape, and the range of what is in 0..1."""
    last = given.type.partition("[")[2].rstrip("]").rpartition(",")[2].strip()
    if last.isdigit():
        layer = f"Linear({last})"
    else:
        layer = "unsqueeze(-1) -> Linear(1) -> squeeze(-1)"
    return f"{layer} -> Sigmoid" if given.unit else layer


def _trained(clause: Callable[[str], list[str]]) -> Callable[[Row, Example], list[str]]:
    """A regression whose training has ``clause`` of the example's last line. Its model is linear,
    or what the example's statements bind to ``y``, of shape ``[N, 2]``."""

    def parts(row: Row, example: Example) -> list[str]:
        body = list(example.statements) or [f"y = {example.inputs[0].name} -> fc: Linear(2)"]
        model = _model(example.inputs, [*body, "output y"])
        lines = ["input target: float[N, 2]", "loss = MSELoss(y, target)"]
        return [model, _block("train", [*lines, *clause(example.result)])]

    return parts


_SGD: Final = "optimizer SGD(lr=0.1, momentum=0.9)"
_PARTS: Final[Mapping[str, Callable[[Row, Example], list[str]]]] = {
    "layer": _computed,
    "function": _computed,
    "initialiser": _computed,
    "parametrization": _computed,
    "loss": _weighed,
    "metric": _weighed,
    "optimizer": _trained(lambda call: [f"optimizer {call}"]),
    "scheduler": _trained(lambda call: [_SGD, f"scheduler {call} per step"]),
    "regularizer": _trained(lambda call: [f"regularize {call} on *.weight", _SGD]),
    "constraint": _trained(lambda call: [f"constrain {call} on *.weight", _SGD]),
    "clip": _trained(lambda call: [f"clip {call}", _SGD]),
}


def _plan(kind: str, row: Row) -> list[str]:
    """The lines of the test that follow the sizes: no more is run than shows something new."""
    match kind:
        case "layer" | "function":
            assert isinstance(row, LayerRow | FunctionRow)
            moves = isinstance(row, LayerRow) and row.buffers is not no_tensors
            return [f"modes {'train, eval' if moves or row.stochastic else 'train'}"]
        case "metric":
            return ["modes eval"]
        case "loss":
            return ["steps 1", "modes train"]
        case "optimizer":
            assert isinstance(row, OptimizerRow)
            begins = row.begins(row.defaults)
            # Without a number there are as many as it needs.
            late = any(begin.step > 2 for begin in begins)
            return ["modes train"] if late else ["steps 2", "modes train"]
        case _:
            return ["steps 2", "modes train"] if kind in _OF_TRAINING else ["modes train"]


_OF_TRAINING: Final = ("scheduler", "regularizer", "constraint", "clip")


def explained(kind: str, row: Row) -> tuple[str, ...]:
    """The lines of ``program_of`` that are about ``row``: inputs as comments of types, and what
    uses it."""
    example = example_of(kind, row)
    own = [line for line in program_of(kind, row).splitlines() if row.name in line]
    shown = [line.strip() for line in own if not line.startswith("#")]
    inputs = _inputs(example.inputs) if kind in ("layer", "function", "loss", "metric") else []
    return (*inputs, *(line for line in example.statements if line not in shown), *shown)


__all__ = [
    "KINDS",
    "Example",
    "ExampleInput",
    "cases",
    "example_of",
    "explained",
    "lines_using",
    "program_around",
    "program_of",
    "program_using",
    "size_of",
]
