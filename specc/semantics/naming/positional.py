"""Values of a call that have no name: which a row takes so, and what was meant where it does not.

A row says which of its arguments may stand without a name (``Row.unnamed``). What goes beyond it
has a reading or two: torch's own order, in which sizes that the shapes tell count, and the row's.
Each is tried, and what fits is proposed, as the whole call. Non-goal: binding a call that is well
formed (``bind``)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Final, TypeAlias

from specc import ir
from specc.catalog.rows import FunctionRow, Row
from specc.catalog.signatures import Argument
from specc.errors import Collector, Span
from specc.semantics.compile_time.entities import Entity, Items, describe
from specc.semantics.naming.bind import BoundArguments, Given, bind, bind_keyword, fits, signature
from specc.sizes import Poly, Size, evaluate
from specc.syntax.tree import ast
from specc.syntax.tree.written import written

# What the shapes tell of a reading's arguments; None where they refuse it.
Told: TypeAlias = Mapping[str, Entity]
Try: TypeAlias = Callable[[BoundArguments], Told | None]
# So many times torch's default, or so many times less, nobody sets a number without a word.
_MAGNITUDE: Final = 8
# Of a kernel, unless it moves by as much.
_WIDE: Final = 31


@dataclass(frozen=True, slots=True)
class Reading:
    """What the values of a call may have meant: each by the name of its argument, in the order of
    the text. ``told`` are those of them that the shapes tell; ``piped`` is what a pipe feeds."""

    values: Mapping[str, Given]
    span: Span
    told: tuple[str, ...] = ()
    piped: str = ""

    def without(self, names: Iterable[str]) -> Reading:
        """This reading with ``names`` left out."""
        kept = {name: item for name, item in self.values.items() if name not in names}
        return replace(self, values=kept, told=())


def bind_call(
    row: Row, given: list[Given], span: Span, collector: Collector, params: Mapping[str, Size], *,
    first: Entity | None = None, attempt: Try | None = None,
) -> BoundArguments:  # fmt: skip
    """As ``bind``, of what a spec writes: a value without a name is one that the row takes so.

    Where it is not, an E0208 says the call as it should be, and what that means is bound. Then
    ``attempt`` holds a reading against the shapes."""
    count = sum(item.name is None for item in given) + (first is not None)
    if misplaced(given) is None and _are_legal(row, count):
        return bind(row, given, span, collector, params, first=first)
    fed = [] if first is None else [Given(None, first, span)]
    strange = [item for item in given if item.name is not None and item.name not in row.by_name]
    for item in strange:
        bind_keyword(row, item, BoundArguments(), collector)
    elsewhere = any(item.node is None for item in given)
    found = (
        []
        if strange or elsewhere
        else _meant(row, [*fed, *given], bool(fed), span, params, attempt)
    )
    collector.error("E0208", _fault(row, given, count), span, _advice(row, found))
    return found[0].bound if found else BoundArguments(failed=True)


def misplaced(given: Sequence[Given]) -> Given | None:
    """The first value without a name that stands after a named one. What a param brings with the
    layer that it is has no place among those of the call."""
    named = False
    for item in given:
        if item.name is not None:
            named = named or item.node is not None
        elif named:
            return item
    return None


def _are_legal(row: Row, count: int) -> bool:
    if any(argument.variadic for argument in row.arguments):
        return True
    return any(len(names) == count for names in row.unnamed)


# ── what may have been meant ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Meant:
    """A reading that fits, ``whole`` and as it is written: bound, and with the arguments that it
    leaves to the shapes."""

    whole: Reading
    reading: Reading
    bound: BoundArguments
    left: tuple[str, ...] = ()
    # What the shapes tell of those, where the call says it otherwise.
    told: Mapping[str, str] = field(default_factory=dict)


def _meant(
    row: Row, given: list[Given], piped: bool, span: Span, params: Mapping[str, Size],
    attempt: Try | None,
) -> list[Meant]:  # fmt: skip
    """The readings that fit, the likeliest first; none where nothing tells them apart."""

    def tried(reading: Reading) -> tuple[BoundArguments, Told | None]:
        named = [replace(item, name=name) for name, item in reading.values.items()]
        bound = bind(row, named, span, Collector(), params)
        told: Told | None = None if bound.failed else {}
        if told is not None and attempt is not None:
            told = attempt(replace(bound, values=dict(bound.values), spans=dict(bound.spans)))
        return bound, told

    def known(told: Told, name: str) -> object:
        value = told.get(name)
        items = value.items if isinstance(value, Items) else (value,)
        return [evaluate(each, params) if isinstance(each, int | Poly) else each for each in items]

    def short(reading: Reading) -> Meant | None:
        """The reading without what the shapes tell, if they tell the same."""
        bound, told = tried(reading)
        bound_short, told_short = tried(reading.without(reading.told))
        if told is not None and told_short is not None:
            if all(known(told_short, name) == known(told, name) for name in reading.told):
                return Meant(reading, reading.without(reading.told), bound_short, reading.told)
        return None if told is None else Meant(reading, reading, bound)

    found: list[Meant] = []
    refused: list[Reading] = []
    odd = False
    for reading in _readings(row, given, piped, span, params):
        bound, told = tried(reading)
        if reading.told:
            meant = short(reading)
            found += [] if meant is None else [meant]
            refused += [reading] if meant is None and not bound.failed else []
        elif told is not None and _is_odd(row, reading, found, refused):
            odd = True  # what nobody asks for, where torch's order reads a size
        elif told is not None:
            found.append(Meant(reading, reading, bound))
    if not found:
        values = _by_type(row, given, params)
        guess = None if values is None else _reading(row, values, given, piped, span)
        if guess is not None and not _is_odd(row, guess, found, [guess]):
            bound, told = tried(guess)
            found += [] if told is None else [Meant(guess, guess, bound)]
    for reading in refused if not found else ():
        # Of another size than what comes in, which alone can tell it.
        rest = reading.without(reading.told)
        bound, told = tried(rest)
        sole = all(item.name is not None for item in rest.values.values())
        if told is not None and (sole or not odd) and not {*reading.told} & {*row.unnamed[-1]}:
            said = {name: reading.values[name] for name in reading.told if name in told}
            differs = {
                name: differing(name, written(item.node), told[name], params)
                for name, item in said.items()
                if item.node is not None and known(told, name) != known({name: item.value}, name)
            }
            found.append(Meant(reading, rest, bound, reading.told, differs))
    one_each = {_text(row, each.reading): each for each in reversed(found)}
    found = [*reversed(one_each.values())]
    if attempt is None and any(each.left for each in found[:-1]):
        return []
    return sorted(found[:2], key=lambda each: _oddness(row, each.reading))


def _oddness(row: Row, reading: Reading) -> float:
    """How unlike what people write a reading is, among those that fit: a kernel of even width that
    moves by 1 or leaves gaps, a fraction that is far from torch's default."""
    far = 0.0
    for name, item in reading.values.items():
        usual, value = row.by_name[name].default, item.value
        if isinstance(usual, float) and isinstance(value, float) and min(usual, value) > 0:
            far += abs(math.log10(value / usual)) if item.name is None else 0.0
    kernel, stride = (_number(reading, name) for name in ("kernel_size", "stride"))
    if kernel is None:
        return far
    step = 1 if stride is None else stride
    between = step == 1 and kernel % 2 == 0
    wide = kernel > _WIDE and step != kernel
    return float(between or wide or (step >= kernel > 1 and kernel % 2 == 1))


def _number(reading: Reading, name: str) -> int | None:
    item = reading.values.get(name)
    value = item.value if item is not None else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def differing(name: str, given: str, told: Entity, params: Mapping[str, Size]) -> str:
    """``in_features is told by the incoming value, which has width (16) and not 32``."""
    known = evaluate(told, params) if isinstance(told, Poly) else None
    shown = f"{told} ({known})" if isinstance(known, int) else describe(told)
    if isinstance(told, int | Poly) and not isinstance(known, int):
        shown = str(told)
    return f"{name} is told by the incoming value, which has {shown} and not {given}"


def _is_odd(row: Row, reading: Reading, found: Sequence[Meant], refused: Sequence[Reading]) -> bool:
    """Whether a whole number without a name would be what nobody asks for: an eps of 16, where a
    fraction is meant; or, where torch's order fits, 16 layers for 1, another order of magnitude
    than torch's default."""
    other = any(each.whole.told for each in found)
    for name, item in reading.values.items():
        value, argument = item.value, row.by_name[name]
        if item.name is not None or not isinstance(value, int | Poly) or isinstance(value, bool):
            continue
        if "float" in argument.types and "int" not in argument.types and (other or refused):
            return True
        usual = argument.default
        if other and isinstance(usual, int) and isinstance(value, int) and usual is not True:
            least, most = sorted((abs(usual), abs(value)))
            if most > _MAGNITUDE * max(least, 1):
                return True
    return False


def _readings(
    row: Row, given: list[Given], piped: bool, span: Span, params: Mapping[str, Size]
) -> Iterable[Reading]:
    """The orders that the values may be in: torch's, in which sizes that the shapes tell count, and
    that of what is left of it. One value alone, where none or two may stand without a name, is
    either of two arguments that take it: ``normal_(0.02)``, ``Upsample(2)``."""
    ours = [each for each in row.arguments if not each.inferred]
    torchs = [each for each in row.arguments if not each.keyword_only]
    both = [torchs, ours] if any(each.inferred for each in torchs) else [ours]
    for order in both:
        for values in orders([each.name for each in order], given):
            yield _reading(row, values, given, piped, span)
    single = [item for item in given if item.name is None]
    if len(single) == 1 and not piped and all(len(names) != 1 for names in row.unnamed):
        named = {item.name: item for item in given if item.name is not None}
        pair = row.unnamed[-1]
        takers = [
            each.name for each in ours
            if each.name not in named and _suits(row, each, single[0].value, params)
            and (len(pair) != 2 or each.name in pair)
        ]  # fmt: skip
        for name in takers if len(takers) == 2 else ():
            yield _reading(row, {name: single[0], **named}, given, piped, span)


def _reading(
    row: Row, values: dict[str, Given], given: list[Given], piped: bool, span: Span
) -> Reading:
    told = tuple(name for name in values if name in row.by_name and row.by_name[name].inferred)
    first = next((name for name, item in values.items() if item is given[0]), "") if piped else ""
    return Reading(values, span, told, first)


def orders(names: Sequence[str], given: list[Given]) -> Iterable[dict[str, Given]]:
    """What the values may be of the arguments ``names``, which stand in order."""
    for way in (_as_it_stands, _in_order) if misplaced(given) is not None else (_in_order,):
        values = way(names, given)
        if values is not None:
            yield values


def _in_order(names: Sequence[str], given: list[Given]) -> dict[str, Given] | None:
    """The values without a name as the first of ``names``; None where they do not fit in."""
    unnamed = [item for item in given if item.name is None]
    named = {item.name: item for item in given if item.name is not None}
    values = dict(zip(names, unnamed, strict=False))
    if len(values) < len(unnamed) or values.keys() & named.keys():
        return None
    return {**values, **named}


def _as_it_stands(names: Sequence[str], given: list[Given]) -> dict[str, Given] | None:
    """Each value as the argument of its own place, where those before it are the first as well:
    ``SGD(lr=0.1, 0.9)``."""
    values: dict[str, Given] = {}
    for place, item in enumerate(given):
        name = item.name
        if name is None:
            if place >= len(names) or values.keys() != set(names[:place]):
                return None
            name = names[place]
        if name in values:
            return None
        values[name] = item
    return values


def _by_type(row: Row, given: list[Given], params: Mapping[str, Size]) -> dict[str, Given] | None:
    """What may stand without a name by its place, and each value beyond it as the one argument
    that takes such a value: ``kaiming_normal_("fan_out")``."""
    named = {item.name: item for item in given if item.name is not None}
    unnamed = [item for item in given if item.name is None]
    legal = max(
        (n for n in row.unnamed if len(n) <= len(unnamed) and named.keys().isdisjoint(n)),
        key=len, default=None,
    )  # fmt: skip
    if legal is None:
        return None
    values: dict[str, Given] = dict(zip(legal, unnamed, strict=False))
    for item in unnamed[len(legal) :]:
        free = [
            a for a in row.arguments
            if not a.inferred and a.name not in values and a.name not in named
        ]  # fmt: skip
        suits = [a for a in free if _suits(row, a, item.value, params)]
        if len(suits) > 1:
            suits = [a for a in suits if _is_exact(a, item.value)]
        if len(suits) != 1:
            return None
        values[suits[0].name] = item
    return {**values, **named}


def _suits(row: Row, argument: Argument, value: Entity, params: Mapping[str, Size]) -> bool:
    choices = row.choices.get(argument.name)
    text = value.value if isinstance(value, ir.Scalar) else value
    if isinstance(text, str) and choices and text not in choices:
        return False
    return any(fits(value, kind, params) for kind in argument.types)


def _is_exact(argument: Argument, value: Entity) -> bool:
    plain = value.value if isinstance(value, ir.Scalar) else value
    if isinstance(plain, float):
        return "float" in argument.types
    whole = isinstance(plain, int | Poly)
    return whole and any(kind.startswith(("int", "size")) for kind in argument.types)


# ── what is said ─────────────────────────────────────────────────────────────────────────────────


def spelled(row: Row, reading: Reading) -> tuple[ast.Argument, ...]:
    """The arguments of ``reading`` as the language writes them: without a name what may stand so
    and had none."""
    bare = {name for name, item in reading.values.items() if item.name is None}
    legal: tuple[str, ...] = max((n for n in row.unnamed if bare.issuperset(n)), key=len)
    kept = {name: item for name, item in reading.values.items() if name != reading.piped}
    return _arguments(legal, kept)


def _arguments(legal: Sequence[str], values: Mapping[str, Given]) -> tuple[ast.Argument, ...]:
    order = [*(name for name in legal if name in values), *(n for n in values if n not in legal)]
    return tuple(
        ast.Argument(span=values[name].span, name=None if name in legal else name, value=node)
        for name in order
        if (node := values[name].node) is not None
    )


def spelled_use(name: str, order: Sequence[str], values: Mapping[str, Given], span: Span) -> str:
    """The use of a block whose params are ``order``: the first without a name, if they had none."""
    bare = takewhile(lambda each: each in values and values[each].name is None, order)
    callee = ast.Name(span=span, name=name)
    arguments = _arguments(tuple(bare), values)
    return written(ast.CallExpression(span=span, callee=callee, arguments=arguments))


def _text(row: Row, reading: Reading) -> str:
    arguments = spelled(row, reading)
    if not arguments:
        return row.name
    callee = ast.Name(span=reading.span, name=row.name)
    return written(ast.CallExpression(span=reading.span, callee=callee, arguments=arguments))


def _fault(row: Row, given: list[Given], count: int) -> str:
    late = misplaced(given)
    if late is not None:
        return late_fault(late)
    known = [each.name for each in row.arguments if not each.inferred]
    if not known and not row.unnamed[-1]:
        return f"{row.name} takes no arguments"
    if isinstance(row, FunctionRow) and len(known) == len(row.unnamed[-1]):
        return f"{row.name} takes {counted(len(known), 'argument')}, and {are_given(count)}"
    legal = _listed(row.unnamed[-1])
    if not legal:
        have = "1 value has none" if count == 1 else f"{count} values have none"
        return f"{row.name} takes its settings by name, and {have}"
    do = "1 value does" if count == 1 else f"{count} values do"
    if len(row.unnamed) == 2 and len(row.unnamed[-1]) > 1:
        return f"{legal} of {row.name} stand without a name together, and {do}"
    return f"only {legal} of {row.name} may stand without a name, and {do}"


def late_fault(late: Given) -> str:
    """What is wrong with a value without a name behind named ones."""
    shown = f"`{written(late.node)}`" if late.node is not None else "a value"
    return f"{shown} has no name, and stands after what has one"


def counted(number: int, noun: str, several: str = "") -> str:
    """``1 argument``, ``2 arguments``; ``several`` is a plural that is no `s`."""
    return f"{number} {noun if number == 1 else several or noun + 's'}"


def are_given(number: int) -> str:
    """``1 is given``, ``2 are given``."""
    return f"{number} {'is' if number == 1 else 'are'} given"


def _listed(names: Sequence[str]) -> str:
    *most, last = [f"`{name}`" for name in names] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def _advice(row: Row, found: Sequence[Meant]) -> str:
    if not row.arguments:
        return f"write `{row.name}`"
    if not found:
        told = [argument.name for argument in row.arguments if argument.inferred]
        return f"its form is {signature(row)}{told_by_shapes(told)}"
    if len(found) == 1:
        return f"write `{_text(row, found[0].reading)}`{_left_out(found[0])}"
    ways = [f"`{_text(row, each.reading)}`{_condition(each, found)}" for each in found]
    return f"write {' or '.join(ways)}"


def _left_out(meant: Meant) -> str:
    """The end of a sentence on the arguments that ``meant`` leaves to the shapes."""
    end = told_by_shapes([name for name in meant.left if name not in meant.told])
    return end + "".join(f"; {said}" for said in meant.told.values())


def _condition(meant: Meant, all_: Sequence[Meant]) -> str:
    """Under which condition a reading is the one that was meant: by the first value that another
    reads otherwise."""
    other = next(each for each in all_ if each is not meant)
    names = {id(item): name for name, item in other.whole.values.items()}
    for name, item in meant.whole.values.items():
        if item.node is not None and names.get(id(item)) != name:
            return f" if {written(item.node)} is `{name}`"
    return ""


def told_by_shapes(names: Sequence[str]) -> str:
    """The end of a sentence that says which arguments are left out, and why."""
    if not names:
        return ""
    return f"; {', '.join(names)} {'is' if len(names) == 1 else 'are'} told by the incoming value"
