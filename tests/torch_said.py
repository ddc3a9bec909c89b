"""A call of torch's, said as a spec: a model of one function, layer, loss or operator.

``said`` writes it, with a literal shape and a dtype of each tensor and every setting as given.
Non-goal: where the calls come from (``torch_samples``).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from specc.catalog.catalogue import BUILT_IN
from specc.catalog.rows import FunctionRow, LayerRow
from specc.catalog.signatures import Argument

DTYPES: Final = {
    torch.float32: "float", torch.float64: "float64", torch.float16: "float16",
    torch.bfloat16: "bfloat16", torch.complex64: "complex", torch.complex128: "complex128",
    torch.int64: "int64", torch.int32: "int32", torch.int16: "int16", torch.int8: "int8",
    torch.uint8: "uint8", torch.bool: "bool",
}  # fmt: skip


class Unsayable(Exception):
    """A value of a sample that the language has no form for; the text says of what kind."""


@dataclass
class Sample:
    """One call of ``name``, as the catalogue calls it; ``label`` says which of its samples.

    ``args`` and ``keywords`` are what it is called with, ``run`` is torch's own. A layer or loss
    has ``settings`` too, by name, and ``make`` makes torch's own of it. An operator has ``form``:
    where its operands go. ``faulty`` is one that torch's tests say it refuses."""

    name: str
    label: str
    args: tuple[Any, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    run: Callable[..., Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    make: Callable[[], nn.Module] | None = None
    form: str = ""
    training: bool = True
    faulty: bool = False

    @property
    def row(self) -> LayerRow | FunctionRow | None:
        """The catalogue's row; None of an operator."""
        if self.form:
            return None
        tables = (BUILT_IN.functions, BUILT_IN.layers, BUILT_IN.losses)
        found = next(table[self.name] for table in tables if self.name in table)
        assert isinstance(found, LayerRow | FunctionRow)
        return found

    @property
    def is_layer(self) -> bool:
        return self.name in BUILT_IN.layers

    @property
    def is_loss(self) -> bool:
        return self.name in BUILT_IN.losses


@dataclass
class Said:
    """A sample as a spec: the text, and the value of each input in order. ``padded`` is one that
    has no tensor, and so an input of its own, which is put out last."""

    text: str
    inputs: list[Tensor]
    padded: bool = False


@dataclass(frozen=True)
class Way:
    """How the tensors of a sample are said. ``bounded`` declares whole numbers that are not
    negative as an ``index`` of as many as the values need; ``detached`` detaches floats of which
    torch is asked no gradient, as a spec has to say it where torch has none."""

    bounded: bool = True
    detached: bool = False


PLAIN: Final = Way()
# What is said otherwise where it is refused: labels have the classes that are scored, not those
# that one batch has, and whole numbers may say nothing of what they count (E0306, E0309); what
# torch has no derivative by is to be detached (E0320).
OTHERWISE: Final[Mapping[str, Mapping[str, bool]]] = {
    "E0306": {"bounded": False},
    "E0309": {"bounded": False},
    "E0320": {"detached": True},
}


class _Writer:
    """Values to text; each tensor is an input, with a name."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.inputs: list[tuple[str, Tensor]] = []

    def argument(self, argument: Argument | None, given: Any) -> str:
        """What is ``given`` for ``argument``: where that is a tensor, whole numbers are one."""
        of_tensor = argument is not None and argument.types == ("tensor",)
        return self.value(torch.tensor(given) if of_tensor and _whole(given) else given)

    def place(self, given: Any) -> str:
        """What stands in the brackets of an index."""
        if isinstance(given, tuple):
            return ", ".join(map(self.place, given))
        if isinstance(given, slice):
            ends = ["" if end is None else str(end) for end in (given.start, given.stop)]
            return ":".join([*ends, *([] if given.step is None else [str(given.step)])])
        if given is Ellipsis:
            return "..."
        return self.value(torch.tensor(given) if _whole(given) else given)

    def value(self, given: Any) -> str:
        if isinstance(given, Tensor):
            return self._tensor(given)
        if given is None:
            return "none"
        if isinstance(given, bool):
            return "true" if given else "false"
        if isinstance(given, int):
            return str(int(given))
        if isinstance(given, float):
            return str(given)
        if isinstance(given, str):
            return json.dumps(given)
        if given in (F.relu, F.gelu):
            return json.dumps(given.__name__)
        if isinstance(given, list | tuple):
            items = [self.value(item) for item in given]
            if any(isinstance(item, Tensor) for item in given):
                return f"[{', '.join(items)}]"
            return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
        raise Unsayable(type(given).__name__)

    def _tensor(self, given: Tensor) -> str:
        for name, known in self.inputs:
            if known is given:
                return self._named(name, given)
        if given.layout != torch.strided:
            raise Unsayable("sparse")
        if given.dtype not in DTYPES:
            raise Unsayable(str(given.dtype).removeprefix("torch."))
        name = f"x{len(self.inputs)}"
        self.inputs.append((name, given))
        return self._named(name, given)

    def _named(self, name: str, tensor: Tensor) -> str:
        detached = self.way.detached and tensor.is_floating_point() and not tensor.requires_grad
        return f"detach({name})" if detached else name

    def declared(self) -> list[str]:
        lines = []
        for name, tensor in self.inputs:
            kind = DTYPES[tensor.dtype]
            if self.way.bounded and kind == "int64" and tensor.numel() and int(tensor.min()) >= 0:
                kind = f"index({int(tensor.max()) + 1})"
            lines.append(f"input {name}: {kind}[{', '.join(map(str, tensor.shape))}]")
        return lines


def _whole(given: Any) -> bool:
    """Whether it is a row of whole numbers."""
    plain = isinstance(given, list | tuple) and len(given) > 0
    return plain and all(isinstance(item, int) for item in given)


def said(sample: Sample, results: Any, way: Way = PLAIN) -> Said:
    """``sample`` as a spec that puts out everything that torch's call gives: ``results`` is that,
    or anything of its structure. Unsayable where it has something that no spec has."""
    writer = _Writer(way)
    settings = [f"{name}={writer.value(value)}" for name, value in sample.settings.items()]
    lines = []
    if sample.form:
        write = writer.place if "[" in sample.form else writer.value
        first, *rest = sample.args
        call = sample.form.format(writer.value(first), *map(write, rest))
    else:
        passed = ", ".join(_passed(sample, writer))
        if sample.is_loss:
            return _loss(sample, writer, ", ".join(filter(None, [passed, *settings])))
        if sample.is_layer:
            lines.append(f"layer made = {sample.name}({', '.join(settings)})")
        call = f"{'made' if sample.is_layer else sample.name}({passed})"
    counter = itertools.count()
    outputs: list[str] = []
    target = _pattern(results, counter, outputs)
    if isinstance(results, list | tuple) and len(results) == 1:
        lines.append(f"y = {call}")
        outputs = ["y[0]"]
    else:
        lines.append(f"{target.removeprefix('(').removesuffix(')')} = {call}")
    padded = not writer.inputs
    if padded:
        writer.value(torch.zeros(1))
        outputs.append("x0")
    body = [*writer.declared(), *lines, f"output {', '.join(outputs)}"]
    text = "\n".join(["spec 1", "", "model M {", *(f"  {line}" for line in body), "}", ""])
    return Said(text, [tensor for _, tensor in writer.inputs], padded)


def settings_of(sample: Sample) -> Iterator[str]:
    """The settings of an optimizer, none of which is a tensor: Unsayable."""
    for name, value in sample.settings.items():
        if isinstance(value, Tensor):
            raise Unsayable("Tensor")
        yield f"{name}={_Writer(PLAIN).value(value)}"


def _passed(sample: Sample, writer: _Writer) -> Iterator[str]:
    """The arguments of the call, those by name last."""
    row = sample.row
    assert row is not None
    arguments = row.forward_arguments if isinstance(row, LayerRow) else row.arguments
    by_name = {argument.name: argument for argument in arguments}
    for place, value in enumerate(sample.args):
        yield writer.argument(arguments[place] if place < len(arguments) else None, value)
    for name, value in sample.keywords.items():
        if not (name == "training" and isinstance(row, FunctionRow) and row.training):
            yield f"{name}={writer.argument(by_name.get(name), value)}"


def _loss(sample: Sample, writer: _Writer, passed: str) -> Said:
    """A loss: the first tensor is what a model gives, the others come with the batch."""
    head, *rest = writer.declared()
    body = [
        "spec 1", "", "model M {", f"  {head}", "  output x0", "}", "",
        "train {", *(f"  {line}" for line in rest),
        f"  each = {sample.name}({passed})", "  loss = sum(each)", "}", "",
    ]  # fmt: skip
    return Said("\n".join(body), [tensor for _, tensor in writer.inputs])


def _pattern(results: Any, counter: Iterator[int], outputs: list[str]) -> str:
    """Names for ``results``, nested as they are; those of tensors go to ``outputs``."""
    if isinstance(results, list | tuple):
        return f"({', '.join(_pattern(item, counter, outputs) for item in results)})"
    name = f"y{next(counter)}"
    outputs.append(name)
    return name
