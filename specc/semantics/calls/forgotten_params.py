"""Params that a shape rule has forgotten: ``mean(x, dim=d)`` of another ``d`` has other sizes than
those that this reading knows, in no symbol.

The rule is asked again, with each param that an argument speaks of one greater (or one less, where
that is none of its values), or the other way round: where it then says anything else than its first
answer does with that value in it, the module is right for the value alone, and says so. Non-goal:
what a rule computes."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import replace

from specc import ir
from specc.catalog.rows import Call, RuleError
from specc.semantics.naming.graph import Graph
from specc.sizes import Entry, Poly, Size, entries_of, evaluate, opened, symbols

# What open sizes are for a while, to compare two answers: none divides another.
_DRAWS = ((97, 89, 83, 79), (211, 223, 227, 229))


def fix_forgotten(
    graph: Graph, call: Call, rule: Callable[[Call], ir.ResultType], found: ir.ResultType,
    told: Container[str] = (),
) -> None:  # fmt: skip
    """Notes the params that ``rule`` put into ``found``, its answer to ``call``, as numbers.
    ``told`` are arguments that the shapes tell, and no param."""
    entries = {str(entry): entry for value in call.args.values() for entry in _entries(value)}
    if entries:
        known = {name: evaluate(_sized(entry), call.params) for name, entry in entries.items()}
        args = {name: _opened(value) for name, value in call.args.items()}
        call = replace(call, args=args, params={**call.params, **known})
    for name, value in call.args.items():
        if name in told:
            continue
        if isinstance(value, ir.Scalar):
            if isinstance(value.value, bool) and _answers(call, rule, found, name, not value.value):
                graph.fix(value)
        elif isinstance(value, Poly | tuple):
            if isinstance(value, ir.TupleParam) and _counts(call, rule, found, name):
                graph.fix(_sized(value.entry))
            for symbol in sorted(_symbols(value)):
                if _forgets(graph, call, rule, found, symbol):
                    entry = entries.get(symbol)
                    graph.fix(Poly({(symbol,): 1}) if entry is None else _sized(entry))


def _counts(
    call: Call, rule: Callable[[Call], ir.ResultType], found: ir.ResultType, name: str
) -> bool:
    """Whether ``rule`` answers otherwise where the tuple ``name`` has an item more, or less."""
    held = call.args[name]
    assert isinstance(held, ir.TupleParam)
    return any(
        _answers(call, rule, found, name, other) for other in (held[:-1], (*held, *held[-1:]))
    )


def _entries(value: ir.Static) -> Iterator[Entry]:
    """What of the tuples of params an argument speaks of."""
    if isinstance(value, tuple):
        for item in value:
            yield from _entries(item)
    elif isinstance(value, Poly):
        yield from entries_of(value)


def _opened(value: ir.Static) -> ir.Static:
    """An argument with symbols in place of those."""
    if isinstance(value, ir.TupleParam):
        return ir.TupleParam(map(_opened, value), value.entry)
    if isinstance(value, tuple):
        return tuple(map(_opened, value))
    return opened(value) if isinstance(value, Poly) else value


def _sized(entry: Entry) -> Poly:
    return Poly({(entry,): 1})


def _symbols(value: ir.Static) -> set[str]:
    if isinstance(value, tuple):
        return set().union(*(_symbols(item) for item in value))
    return set(symbols(value)) if isinstance(value, Poly) else set()


def _answers(
    call: Call,
    rule: Callable[[Call], ir.ResultType],
    found: ir.ResultType,
    name: str,
    other: ir.Static,
) -> bool:
    """Whether ``rule`` answers with other sizes where the argument ``name`` is ``other``."""
    try:
        again = rule(_undecided(call, {**call.args, name: other}, call.params))
    except (RuleError, ArithmeticError):
        return False
    return not _same(_sizes(found), _sizes(again), {})


def _forgets(
    graph: Graph, call: Call, rule: Callable[[Call], ir.ResultType], found: ir.ResultType,
    symbol: str,
) -> bool:  # fmt: skip
    known = call.params.get(symbol)
    if not isinstance(known, int) or symbol in graph.variables:
        return False
    for other in (known + 1, known - 1):
        try:
            again = rule(_undecided(call, call.args, {**call.params, symbol: other}))
        except (RuleError, ArithmeticError):
            continue
        return not _same(_sizes(found), _sizes(again), {symbol: other})
    return False


def _undecided(call: Call, args: Mapping[str, ir.Static], params: Mapping[str, Size]) -> Call:
    """The same call that states no conditions."""

    def nothing(left: Size, right: Size, refusal: RuleError) -> None:
        return None

    return replace(call, args=args, params=params, require_equal=nothing, require_at_least=nothing)


def _sizes(found: ir.ResultType) -> list[tuple[Size, ...]]:
    if isinstance(found, tuple):
        return [shape for item in found for shape in _sizes(item)]
    return [tuple(map(opened, found.shape))]


def _same(
    ours: list[tuple[Size, ...]], theirs: list[tuple[Size, ...]], known: Mapping[str, Size]
) -> bool:
    if [len(shape) for shape in ours] != [len(shape) for shape in theirs]:
        return False
    pairs = [
        (left, right)
        for mine, other in zip(ours, theirs, strict=True)
        for left, right in zip(mine, other, strict=True)
    ]
    return all(left == right or _equal(left, right, known) for left, right in pairs)


def _equal(left: Size, right: Size, known: Mapping[str, Size]) -> bool:
    return all(
        _number(left, known, draw) == _number(right, known, draw) for draw in _draws(left, right)
    )


def _draws(left: Size, right: Size) -> Iterator[dict[str, int]]:
    names = sorted(_symbols(left) | _symbols(right))
    for draw in _DRAWS:
        yield {name: draw[place % len(draw)] + 12 * place for place, name in enumerate(names)}


def _number(size: Size, known: Mapping[str, Size], draw: Mapping[str, int]) -> Size | None:
    try:
        return evaluate(size, {**draw, **known})
    except ZeroDivisionError:
        return None
