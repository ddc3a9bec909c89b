"""Programs that may be wrong, in numbers: mutants of whole specs, and rows of the catalogue used in
ways that their examples are not.

A mutant differs from a spec in a character or two, or in a word. A generated program is a row's
example with other types, sizes, settings and operators, alone, behind a layer or in a loss. Each is
made from a number alone, so that one that breaks can be made again. Non-goal: what becomes of them
(``breaking``).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from specc.catalog.examples import Example, ExampleInput, cases, example_of, program_around
from specc.catalog.rows import FunctionRow, LayerRow, Row
from specc.catalog.signatures import Argument

ROOT: Final = Path(__file__).resolve().parent.parent
# What a slip of the finger may put in the place of a character.
_CHARACTERS: Final = "0123456789abehklnprstxNTCDLM_-+*/%.,:=()[]{}<>\"' \n#"
_WORD: Final = re.compile(r"[A-Za-z_]\w*|\d+(?:\.\d+)?(?:e-?\d+)?|\*\*|//|->|[-+*/%@<>=]+")
_NUMBERS: Final = ("0", "1", "2", "3", "-1", "4", "7", "0.0", "0.5", "1.5", "-0.5", "true", "none")


# ── mutants ──────────────────────────────────────────────────────────────────────────────────────


def zoo() -> Mapping[str, str]:
    """The texts of the specs by their names, whose steps are small enough to be tried often."""
    return {path.stem: path.read_text("utf-8") for path in sorted((ROOT / "specs").rglob("*.spec"))}


def mutant(texts: Mapping[str, str], number: int) -> tuple[str, str]:
    """The mutant of that number: of which of the ``texts``, and its own."""
    rng = random.Random(f"mutant {number}")
    names = sorted(texts)
    name = names[number % len(names)]
    text = texts[name]
    vocabulary = sorted({word for other in texts.values() for word in _WORD.findall(other)})
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        change = rng.choice((_character, _character, _number, _word, _line))
        text = change(rng, text, vocabulary)
    return name, text


def _character(rng: random.Random, text: str, vocabulary: Sequence[str]) -> str:
    at = rng.randrange(len(text))
    other = rng.choice(_CHARACTERS)
    match rng.randrange(4):
        case 0:
            return text[:at] + text[at + 1 :]
        case 1:
            return text[:at] + other + text[at:]
        case 2:
            return text[:at] + other + text[at + 1 :]
        case _:
            return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]


def _number(rng: random.Random, text: str, vocabulary: Sequence[str]) -> str:
    found = list(re.finditer(r"(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?", text))
    if not found:
        return text
    chosen = rng.choice(found)
    return text[: chosen.start()] + rng.choice(_NUMBERS) + text[chosen.end() :]


def _word(rng: random.Random, text: str, vocabulary: Sequence[str]) -> str:
    chosen = rng.choice(list(_WORD.finditer(text)))
    own = rng.random() < 0.6
    other = rng.choice(_WORD.findall(text) if own else vocabulary)
    return text[: chosen.start()] + other + text[chosen.end() :]


def _line(rng: random.Random, text: str, vocabulary: Sequence[str]) -> str:
    lines = text.splitlines(keepends=True)
    at, to = rng.randrange(len(lines)), rng.randrange(len(lines))
    line = lines.pop(at)
    if rng.random() < 0.5:
        lines.insert(to, line)
    return "".join(lines)


# ── programs around a row ────────────────────────────────────────────────────────────────────────

_ROWS: Final = [(kind, row) for kind, row in cases()]
_TYPES: Final = (
    "float", "float", "int", "bool", "unit", "index(5)", "index(2)", "complex", "float16",
    "bfloat16", "float64", "int32", "uint8", "normal",
)  # fmt: skip
_SIZES: Final = ("N", "1", "2", "3", "6", "T", "5", "8")
_OPERATORS: Final = ("+", "-", "*", "/", "//", "%", "**", "@", "==", "<", ">=")
_VALUES: Final[Mapping[str, Sequence[str]]] = {
    "int": ("0", "1", "2", "3", "-1", "-2", "5", "100"),
    "size": ("0", "1", "2", "3", "-1", "6"),
    "float": ("0.0", "0.5", "1.0", "-1.0", "2.5", "1e-9", "1e9", "3", "0"),
    "bool": ("true", "false"),
    "none": ("none",),
    "ints": ("()", "(0,)", "(1, 2)", "(0, 1)", "(-1, 0)", "(2, 2, 2)", "(0, 0)"),
    "sizes": ("(2, 3)", "(6,)", "(N, 6)", "(1,)", "(2, 3, 1)"),
    "floats": ("(0.5, 0.5)", "(1.0,)", "(0.0, 2.0)", "(-1.0, 1.0)"),
    "dtype": ('"float16"', '"int64"', '"bool"'),
}
_FUNCTIONS: Final = sorted(row.name for kind, row in _ROWS if kind == "function")
_PLAIN_LAYERS: Final = sorted(
    row.name
    for kind, row in _ROWS
    if isinstance(row, LayerRow) and not any(argument.required for argument in row.arguments)
)


def generated(number: int) -> tuple[str, str]:
    """The generated program of that number: the row that it is around, and its text."""
    rng = random.Random(f"generated {number}")
    kind, row = _ROWS[number % len(_ROWS)]
    example = example_of(kind, row)
    inputs, statements, result = list(example.inputs), list(example.statements), example.result
    for _ in range(rng.choice((1, 1, 2, 2, 3))):
        match rng.randrange(7):
            case 0 | 1 if inputs:
                at = rng.randrange(len(inputs))
                inputs[at] = _retyped(rng, inputs[at])
            case 2 if inputs:
                at = rng.randrange(len(inputs))
                inputs[at] = _resized(rng, inputs[at])
            case 3 | 4:
                result = _reset(rng, row, result)
            case 5 if kind in ("layer", "function", "loss"):
                result = _around_it(rng, result, [each.name for each in inputs])
            case _ if kind in ("layer", "function"):
                result = f"({result}) -> {rng.choice((*_FUNCTIONS, *_PLAIN_LAYERS))}"
            case _:
                result = _reset(rng, row, result)
    changed = Example(tuple(inputs), tuple(statements), result)
    if kind in ("layer", "function") and "=" not in result.partition("(")[0] and rng.random() < 0.6:
        return row.name, _in_a_loss(rng, changed)
    if kind in ("loss", "metric") and not any(each.floating or each.unit for each in inputs):
        changed = Example(example.inputs, changed.statements, changed.result)
    text = program_around(kind, row, changed)
    if "train {" in text and rng.random() < 0.4:
        text = text.replace("train {", f"train {{\n  {rng.choice(_EXTRAS)}", 1)
    return row.name, text


_EXTRAS: Final = (
    "precision bfloat16", "precision float16", "accumulate 2", "clip GradNorm(1.0)",
    "clip GradValue(0.5)",
)  # fmt: skip


def _retyped(rng: random.Random, given: ExampleInput) -> ExampleInput:
    shape = "[" + given.type.partition("[")[2]
    return ExampleInput(given.name, rng.choice(_TYPES) + shape)


def _resized(rng: random.Random, given: ExampleInput) -> ExampleInput:
    head, _, rest = given.type.partition("[")
    sizes = [size.strip() for size in rest.rstrip("]").split(",") if size.strip()]
    match rng.randrange(3):
        case 0 if sizes:
            sizes[rng.randrange(len(sizes))] = rng.choice(_SIZES)
        case 1 if sizes:
            sizes.pop(rng.randrange(len(sizes)))
        case _:
            sizes.insert(rng.randrange(len(sizes) + 1), rng.choice(_SIZES))
    return ExampleInput(given.name, f"{head}[{', '.join(sizes)}]")


def _value(rng: random.Random, row: Row, argument: Argument) -> str | None:
    if argument.name in row.choices and rng.random() < 0.8:
        return f'"{rng.choice(row.choices[argument.name])}"'
    type_ = rng.choice(argument.types).removesuffix("?")
    base = type_.partition(" ")[0]
    values = _VALUES.get(base)
    if values is None:
        return None
    if " x" in type_ and base in ("int", "float") and rng.random() < 0.4:
        counts = [int(count) for count in type_.rpartition("x")[2].split("/")]  # `int x1/2`
        count = counts[0] if len(counts) == 1 else rng.choice(counts)
        items = [rng.choice(values) for _ in range(count)]
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    return rng.choice(values)


def settings() -> Iterator[tuple[str, str]]:
    """Every row with each of its settings at each of the values of its type, one at a time."""
    for kind, row in _ROWS:
        example = example_of(kind, row)
        forward = row.forward_arguments if isinstance(row, LayerRow) else ()
        for argument in (*row.arguments, *forward):
            if argument.is_tensor and len(argument.types) == 1:
                continue
            choices = row.choices.get(argument.name, ())
            values = [f'"{choice}"' for choice in choices]
            for type_ in argument.types:
                values += _VALUES.get(type_.removesuffix("?").partition(" ")[0], ())
            for value in dict.fromkeys(values):
                changed = _with(row, argument, value, example.result)
                if changed is not None:
                    result = Example(example.inputs, example.statements, changed)
                    yield f"{row.name}({argument.name}={value})", program_around(kind, row, result)


def _with(row: Row, argument: Argument, value: str, result: str) -> str | None:
    """``result`` with the row's ``argument`` at ``value``; None where it cannot be put in."""
    at = re.search(rf"\b{row.name}\b", result)
    if at is None:
        return None
    said = re.search(rf"\b{argument.name}=(\((?:[^()]*)\)|[^,()]+)", result)
    if said is not None:
        return f"{result[: said.start()]}{argument.name}={value}{result[said.end() :]}"
    setting = f"{argument.name}={value}"
    if not result[at.end() :].startswith("("):
        return f"{result[: at.end()]}({setting}){result[at.end() :]}"
    close = _closing(result, at.end())
    inside = result[at.end() + 1 : close].strip()
    given = _pieces(inside)
    free = [each.name for each in row.arguments if not each.inferred and not each.keyword_only]
    by_place = [piece for piece in given if not re.match(r"\w+=", piece)]
    places = [*free]
    if isinstance(row, FunctionRow) and result[: at.start()].rstrip().endswith("->"):
        places = places[1:]
    if argument.name in places and places.index(argument.name) < len(by_place):
        given[places.index(argument.name)] = value
    else:
        given.append(setting)
    return f"{result[: at.end()]}({', '.join(given)}){result[close + 1 :]}"


def _pieces(text: str) -> list[str]:
    pieces, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth:
            pieces.append(text[start:position].strip())
            start = position + 1
    return [piece for piece in [*pieces, text[start:].strip()] if piece]


def _reset(rng: random.Random, row: Row, result: str) -> str:
    """``result`` with another value for an argument of the row, or one more."""
    forward = row.forward_arguments if isinstance(row, LayerRow) else ()
    own = [each for each in (*row.arguments, *forward) if not each.is_tensor]
    at = re.search(rf"\b{row.name}\b", result)
    if not own or at is None:
        return result
    argument = rng.choice(own)
    value = _value(rng, row, argument)
    if value is None:
        return result
    said = re.search(rf"\b{argument.name}=(\((?:[^()]*)\)|[^,()]+)", result)
    if said is not None:
        return f"{result[: said.start()]}{argument.name}={value}{result[said.end() :]}"
    setting = f"{argument.name}={value}"
    if not result[at.end() :].startswith("("):
        return f"{result[: at.end()]}({setting}){result[at.end() :]}"
    close = _closing(result, at.end())
    inside = result[at.end() + 1 : close].strip()
    numbers = list(re.finditer(r"(?<![\w.=(])-?\d+(?:\.\d+)?(?![\w.])", inside))
    if numbers and rng.random() < 0.4:
        chosen = rng.choice(numbers)
        inside = f"{inside[: chosen.start()]}{rng.choice(_NUMBERS)}{inside[chosen.end() :]}"
    else:
        inside = f"{inside}, {setting}" if inside else setting
    return f"{result[: at.end()]}({inside}){result[close + 1 :]}"


def _closing(text: str, start: int) -> int:
    depth = 0
    for position in range(start, len(text)):
        depth += (text[position] in "([") - (text[position] in ")]")
        if not depth:
            return position
    return len(text) - 1


def _around_it(rng: random.Random, result: str, names: Sequence[str]) -> str:
    other = rng.choice((*names, "2", "0", "1", "0.5", "-1", "true", f"({result})"))
    pair = (f"({result})", other) if rng.random() < 0.6 else (other, f"({result})")
    match rng.randrange(6):
        case 0:
            return f"-({result})"
        case 1 if names:
            return f"{rng.choice(names)}[{rng.choice(names)}]"
        case _:
            return f" {rng.choice(_OPERATORS)} ".join(pair)


def _in_a_loss(rng: random.Random, example: Example) -> str:
    """A training whose loss goes through the example, behind a layer that learns."""
    lines = [f"  input {each.name}: {each.type}" for each in example.inputs]
    for each in example.inputs:
        last = each.type.partition("[")[2].rstrip("]").rpartition(",")[2].strip()
        floating = each.type.startswith(("float[", "unit[", "normal["))
        if floating and last.isdigit() and rng.random() < 0.8:
            learnt = f"{each.name} -> Linear({last})"
            lines.append(f"  {each.name} = {learnt}{' -> Sigmoid' if each.unit else ''}")
    lines += [f"  {line}" for line in example.statements]
    lines += [f"  y = {example.result}", "  output y"]
    loss = rng.choice(("mean(y)", "sum(y)", "mean(y ** 2)", "mean(abs(y))", "MSELoss(y, y + 1.0)"))
    train = [f"  {rng.choice(_EXTRAS)}"] if rng.random() < 0.4 else []
    train += [f"  loss = {loss}", f"  optimizer {rng.choice(_OPTIMIZERS)}"]
    sizes = {name: str(2 if name == "N" else 3) for each in example.inputs for name in each.sizes}
    plan = [f"  sizes {', '.join(f'{name}={size}' for name, size in sizes.items())}"]
    if not sizes or rng.random() < 0.2:
        plan = []
    tested = ["", "test {", *plan, "}"] if plan else []
    return "\n".join(
        ["spec 1", "", "model M {", *lines, "}", "", "train {", *train, "}", *tested, ""]
    )


_OPTIMIZERS: Final = ("SGD(lr=0.1)", "AdamW(lr=0.01)", "Adam(lr=0.01)", "LBFGS(lr=0.1)")
