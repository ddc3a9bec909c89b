"""Whole numbers divided by what may be 0, which torch stops at: ``7 // k``, ``k % j``.

The ends of whole numbers are followed from what declares them through moves, sums, products and
blocks; what nothing is known of is left to the run. Non-goals: floats, whose quotient by 0 is
infinite; numbers, which the shape rules see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from specc import ir
from specc.errors import Collector, Span

_MOVING: Final = frozenset(["arrangement", "joining"])
_TAKING: Final = frozenset("gather take take_along_dim index_select repeat_interleave".split())
_PLACES: Final = frozenset(["reduction", "order"])
_DIVIDING: Final = frozenset(["//", "%"])
_QUOTIENTS: Final = frozenset(["floor_divide", "fmod", "remainder", "div"])


class Ends(NamedTuple):
    """The least and the most that whole numbers may be, None where there is no end. ``declared``
    are those of an input, or of a range, as it is."""

    low: int | None
    high: int | None
    declared: bool = False

    @property
    def hold_zero(self) -> bool:
        return (self.low is None or self.low <= 0) and (self.high is None or self.high >= 0)


def check_divisors(
    models: Sequence[ir.Module], train: ir.Train | None, collector: Collector
) -> None:
    """Reports (E0313) whole numbers divided by what is declared to hold 0, and warns (W0322) of
    what may."""
    found = _Divisors(collector)
    for model in models:
        found.enter(model, [_of_input(value) for value in model.inputs])
    if train is not None:
        subject = train.module or next(each for each in models if each.name == train.model)
        for value in train.inputs:
            found.know(value, _of_input(value))
        found.go(train.shared, subject)
        for step in train.steps:
            found.go(step.nodes, subject)
        found.go(train.metric_nodes, subject)


def _of_input(value: ir.Value) -> Ends | None:
    """What the type of ``value`` says of its whole numbers."""
    if not _whole(value):
        return None
    if value.type.meaning != "index":
        return Ends(None, None, declared=True)
    classes = value.type.classes
    return Ends(0, classes - 1 if isinstance(classes, int) else None, declared=True)


def _whole(value: ir.Value) -> bool:
    return value.type.dtype.startswith(("int", "uint"))


class _Divisors(ir.Follower[Ends | None]):
    def __init__(self, collector: Collector) -> None:
        super().__init__()
        self._collector = collector
        self._said: set[Span] = set()

    def know(self, value: ir.Value, ends: Ends | None) -> None:
        """Notes what is known of ``value``, if anything is."""
        super().know(value, ends if _whole(value) else None)

    def unknown(self, value: ir.Value) -> Ends | None:
        """Nothing."""
        return None

    def of(self, operand: ir.Operand, module: ir.Module) -> Ends | None:
        """What is known of an operand; of several, the ends of all."""
        if isinstance(operand, ir.Value):
            return self.fact(operand)
        if isinstance(operand, tuple):
            found = [self.of(item, module) for item in operand]
            return _all_of(found) if found else None
        number = ir.static_value(operand, module.values)
        whole = isinstance(number, int) and not isinstance(number, bool)
        return Ends(number, number) if whole else None  # type: ignore[arg-type]  # an int

    def _call(self, node: ir.LayerCall, module: ir.Module) -> None:
        layer = module.by_path.get(node.layer)
        if layer is None or layer.module is None:
            return
        fed = [self.of(each, module) for each in node.inputs]
        results = self.enter(layer.module, fed)
        for value, ends in zip(ir.result_values(node.result), results, strict=False):
            self.know(value, ends)

    def compute(self, node: ir.Leaf, module: ir.Module) -> None:
        """Notes the ends of what ``node`` gives, and judges what it divides by."""
        made: Ends | None = None
        match node:
            case ir.LayerCall():
                return self._call(node, module)
            case ir.State():
                self.go(node.nodes, module)
                made = self.of(node.value, module)
            case ir.Operation():
                ends = [self.of(each, module) for each in node.operands]
                if node.operator in _DIVIDING and _whole(node.result):
                    self._judge(node.operands[1], ends[1], node.span)
                made = _operated(node.operator, ends)
            case ir.Subscript() | ir.Transpose():
                made = self.of(node.value, module)
            case ir.FunctionCall():
                made = self._called(node, module)
            case _:
                return
        for value in ir.result_values(node.result):
            self.know(value, made)

    def _called(self, node: ir.FunctionCall, module: ir.Module) -> Ends | None:
        given = dict(node.arguments)
        first = next(ir.result_values(node.result))
        if node.function in _QUOTIENTS and "other" in given and _whole(first):
            self._judge(given["other"], self.of(given["other"], module), node.span)
        if node.row.family in _MOVING:
            tensors = [each for each in given.values() if ir.holds_values(each)]
            return _all_of([self.of(each, module) for each in tensors])
        if node.function in _TAKING:
            return self.of(given.get("input"), module)
        if node.function in ("clamp", "clamp_min", "clamp_max"):
            return _clamped(*(self.of(given.get(n), module) for n in ("input", "min", "max")))
        if node.function in ("abs", "square"):
            return Ends(0, None) if self.of(given["input"], module) is not None else None
        if node.function in ("arange", "zeros", "zeros_like") and _whole(first):
            known = _of_input(first) if first.type.meaning == "index" else None
            return Ends(0, 0, declared=True) if node.function.startswith("zeros") else known
        if node.row.family in _PLACES and first.type.meaning == "index":
            found = _of_input(first)
            return found._replace(declared=False) if found is not None else None
        return None

    def _judge(self, divisor: ir.Operand, ends: Ends | None, span: Span) -> None:
        if not isinstance(divisor, ir.Value) or ends is None or not ends.hold_zero:
            return
        known = ends.low is not None
        if span in self._said or not (ends.declared or (known and ends.high is not None)):
            return
        self._said.add(span)
        name = divisor.name if divisor.named else "k"
        shown = f"`{divisor.name}`, {divisor.type}" if divisor.named else str(divisor.type)
        said = f"whole numbers are divided by {shown}"
        advice = (
            f"keep 0 out: `clamp({name}, min=1)`, or `where({name} == 0, 1, {name})`;"
            f" as floats, `... / float({name})`, it is infinite"
        )
        if ends.declared and known:
            self._collector.error("E0313", f"{said}: 0 is among them", span, advice)
        else:
            self._collector.warning("W0322", f"{said}: 0 may be among them", span, advice)


def _all_of(found: Sequence[Ends | None]) -> Ends | None:
    """The ends of several together; None where those of one are not known."""
    known = [each for each in found if each is not None]
    if not known or len(known) < len(found):
        return None
    lows, highs = [each.low for each in known], [each.high for each in known]
    return Ends(
        None if None in lows else min(low for low in lows if low is not None),
        None if None in highs else max(high for high in highs if high is not None),
        any(each.declared for each in known),
    )


def _clamped(of: Ends | None, least: Ends | None, most: Ends | None) -> Ends | None:
    if of is None:
        return None
    low = _extreme(max, of.low, None if least is None else least.low)
    high = _extreme(min, of.high, None if most is None else most.high)
    return Ends(low, high, of.declared and (low, high) == (of.low, of.high))


def _extreme(which: object, one: int | None, other: int | None) -> int | None:
    found = [each for each in (one, other) if each is not None]
    return which(found) if found else None  # type: ignore[operator]  # `min` or `max`


def _operated(operator: str, ends: Sequence[Ends | None]) -> Ends | None:
    """The ends of what an operator makes of whole numbers."""
    known = [each for each in ends if each is not None]
    if len(known) < len(ends):
        return None
    if len(known) == 1:
        one = known[0]
        return Ends(_negated(one.high), _negated(one.low)) if operator == "-" else None
    one, other = known
    if operator == "+":
        return Ends(_sum(one.low, other.low), _sum(one.high, other.high))
    if operator == "-":
        return Ends(_sum(one.low, _negated(other.high)), _sum(one.high, _negated(other.low)))
    if operator == "*":
        corners = [a * b for a in one[:2] for b in other[:2] if a is not None and b is not None]
        if len(corners) == 4:
            return Ends(min(corners), max(corners))
        positive = one.low is not None and other.low is not None and min(one.low, other.low) >= 0
        return Ends(one.low * other.low, None) if positive else None  # type: ignore[operator]
    if operator == "%" and other.low == other.high and other.low is not None and other.low > 0:
        return Ends(0, other.low - 1)
    return None


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _negated(one: int | None) -> int | None:
    return None if one is None else -one
