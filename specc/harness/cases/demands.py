"""What a program asks of the sizes of a case: its conditions, and that no shape is empty or larger
than a machine.

Gathered once, in terms of the inputs' own sizes and without repeats: a block that ten thousand
layers share asks the same ten thousand times. Torch-free. Non-goal: choosing sizes (``matrix``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from specc.errors import Collector, Diagnostic, Span
from specc.harness.cases import subject
from specc.ir import Condition, LayerCall, Program, Value, input_sizes, result_values
from specc.sizes import Size, evaluate

# In float64 this is 16 GiB.
MOST_ELEMENTS = 2**31

Shape = tuple[Size, ...]
Sizes = Mapping[str, Size]


@dataclass(slots=True)
class Demands:
    """``conditions`` by what they say, ``shapes`` with the first value that has each, both in the
    inputs' sizes; ``statistics`` are pairs of a normalised value's shape and its channels."""

    known: dict[str, Size]
    conditions: dict[tuple[Size, str, Size], Condition] = field(default_factory=dict)
    shapes: dict[Shape, Value] = field(default_factory=dict)
    statistics: set[tuple[Shape, Shape]] = field(default_factory=set)

    def single_value_statistics(self, sizes: dict[str, int]) -> bool:
        """Whether a layer would take batch statistics of one value a channel, which torch
        refuses."""
        values: dict[str, Size] = {**self.known, **sizes}
        return any(
            numel(result, values) == numel(channels, values) for result, channels in self.statistics
        )


def demands_of(program: Program) -> Demands:
    """What ``program`` asks of its sizes."""
    found = Demands(subject.known_sizes(program))
    whole, train = program.subject(), program.train
    _state(found, (*whole.conditions, *(train.conditions if train else ())), {})
    for step in subject.steps(program):
        _state(found, step.conditions, {})
    for value in (*subject.model_inputs(program), *subject.train_inputs(program)):
        _shape(found, value, {})
    for node, place in subject.nodes(program, {}):
        for value in result_values(node.result):
            _shape(found, value, place.values)
        if not isinstance(node, LayerCall):
            continue
        layer = place.module.by_path.get(node.layer)
        if layer is None:
            continue
        if layer.module is not None:
            inner = input_sizes(layer.module, node.inputs, place.values)
            _state(found, layer.module.conditions, {**layer.module.values, **inner})
        # Told by the running mean in its buffers, of one entry a channel.
        full = f"{place.prefix}{layer.name}"
        if any(full == path or full.startswith(f"{path}.") for path in whole.still_paths):
            continue  # as in evaluation, where one example will do
        for name, shape in layer.buffers:
            if name == "running_mean":
                result = next(result_values(node.result)).type.shape
                channels = _seen(shape, {**place.values, **layer.values})
                found.statistics.add((_seen(result, place.values), channels))
    return found


def _state(found: Demands, conditions: Sequence[Condition], values: Sizes) -> None:
    for condition in conditions:
        left, right = _seen((condition.left, condition.right), values)
        stated = replace(condition, left=left, right=right)
        found.conditions.setdefault((left, condition.relation, right), stated)


def _shape(found: Demands, value: Value, values: Sizes) -> None:
    found.shapes.setdefault(_seen(value.type.shape, values), value)


def _seen(shape: Shape, values: Sizes) -> Shape:
    """``shape`` in the inputs' sizes; as it is where that divides by zero, which is said later."""
    try:
        return tuple(evaluate(size, values) for size in shape)
    except ZeroDivisionError:
        return shape


def sizes_text(sizes: Mapping[str, int]) -> str:
    """``N=4, T=8``."""
    return ", ".join(f"{name}={value}" for name, value in sizes.items())


def violations(program: Program, demands: Demands, sizes: dict[str, int]) -> list[Diagnostic]:
    """E0501 for each condition and each shape that does not hold on ``sizes``: where the test says
    them, if it does, and where the model asks for something else."""
    text = sizes_text(sizes)
    values: dict[str, Size] = {**demands.known, **sizes}
    collector = Collector()
    for name, size in sizes.items():
        if size < 1:
            _refuse(
                collector,
                f"sizes {text}: {name} must be at least 1",
                program.subject().span,
                f"try {name}=4",
            )
    if not collector.failed:
        _check_demands(demands, values, text, collector)
    said = program.test.place_of(tuple(sizes.items()))
    if said is not None:
        return [told_at(item, said) for item in collector.sorted()]
    return collector.sorted()


def told_at(fault: Diagnostic, said: Span) -> Diagnostic:
    """``fault`` where the test says the sizes, and in second place where the model does."""
    related = () if fault.span is None else (fault.span,)
    return replace(fault, span=said, related=related)


def _check_demands(
    demands: Demands, values: dict[str, Size], text: str, collector: Collector
) -> None:
    broken: set[Span] = set()
    for condition in demands.conditions.values():
        if _check_condition(condition, values, text, collector):
            broken.add(condition.span)
    for shape, value in demands.shapes.items():
        # What a condition says of the line is not said twice.
        if value.span not in broken:
            _check_shape(shape, value, values, text, collector)
    if not collector.failed:
        _check_memory(demands, values, text, collector)


def conditions_hold(demands: Demands, sizes: Mapping[str, int]) -> bool:
    """Whether every condition holds on ``sizes``, as far as it is decided."""
    values: dict[str, Size] = {**demands.known, **sizes}
    try:
        return all(each.holds(values) is not False for each in demands.conditions.values())
    except ZeroDivisionError:
        return False


def _refuse(collector: Collector, message: str, span: Span, help: str) -> None:
    collector.error("E0501", message, span, help=help)


def _check_condition(
    condition: Condition, values: dict[str, Size], text: str, collector: Collector
) -> bool:
    """Whether ``condition`` is broken, which is reported."""
    numbers = condition.broken_by(values)
    if numbers is None:
        return False
    message = f"sizes {text} break {condition}: {numbers}"
    _refuse(collector, message, condition.span, condition.reason)
    return True


def _check_shape(
    shape: Shape, value: Value, values: dict[str, Size], text: str, collector: Collector
) -> None:
    for position, size in enumerate(shape):
        try:
            number = evaluate(size, values)
        except ZeroDivisionError:
            number = 0
        if isinstance(number, int) and number < 1:
            left = f"sizes {text} leave nothing of {value.name!r}: dimension {position} is {size} ="
            if isinstance(size, int):  # whatever the sizes of a run are
                left = f"nothing is left of {value.name!r}: dimension {position} is"
            _refuse(
                collector,
                f"{left} {number}",
                value.span,
                "choose larger sizes, or a smaller kernel, stride or slice",
            )
            return


def _check_memory(
    demands: Demands, values: dict[str, Size], text: str, collector: Collector
) -> None:
    """E0501 for a tensor that no test machine could hold, rather than an end without a word."""
    for shape, value in demands.shapes.items():
        known = [evaluate(size, values) for size in shape]
        count = math.prod(size for size in known if isinstance(size, int))
        if count > MOST_ELEMENTS:
            _refuse(
                collector,
                f"sizes {text or 'of this model'} make {value.name!r} {count:,} elements large",
                value.span,
                f"a test holds at most {MOST_ELEMENTS:,} in one tensor: choose smaller sizes",
            )
            return


def numel(shape: Shape, values: Mapping[str, Size]) -> int:
    """The number of elements of a tensor of this shape, where its symbols have ``values``."""
    total = 1
    for size in shape:
        number = evaluate(size, values)
        assert isinstance(number, int), f"{size} is not decided by {values}"
        total *= number
    return total
