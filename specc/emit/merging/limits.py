"""What a class is right for alone, as assertions of its constructor.

A number that was computed from a param, the rounds of an unrolled loop, the sides that were taken
together: with anything else the class would be another. Non-goal: what holds for any arguments."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from itertools import product
from typing import Final, TypeAlias

from specc import ir
from specc.emit.merging.param_names import distinct
from specc.emit.writing.expressions import Naming, of_static, operation
from specc.emit.writing.layout import flat
from specc.emit.writing.line_breaking import STEP, WIDTH
from specc.emit.writing.method_parts import Choice, Part
from specc.emit.writing.statements import Assert, Assign, Statement

ONE_CASE: Final = "only this case of `if` was built: build the spec again with these params"
_THESE_CASES: Final = "only these cases of `if` were built: build the spec again with these params"

# With so many conditions there are a thousand ways.
_MOST_ASKED: Final = 10
_LONGEST_CONDITION: Final = WIDTH - 2 * len(STEP) - len("assert , (")

# The params and sizes that went into numbers of a class, and the values that it was read with.
Fixed: TypeAlias = Sequence[tuple[str, tuple[ir.Static, ...]]]


def fixed_values(fixed: Fixed, naming: Naming, where: str) -> Iterator[Assert]:
    """That the params and sizes which went into numbers have a value that they had."""
    for name, values in fixed:
        shown = [of_static(value, naming) for value in values]
        known = operation("==", naming.param(name), shown[0])
        if len(shown) > 1:
            known = ast.Compare(naming.param(name), [ast.In()], [ast.Tuple(shown, ast.Load())])
        told = " or ".join(str(value) for value in values)
        message = f"built with {name}={told}: build the spec again with another"
        yield Assert(known, message, where)


def together(
    parts: Sequence[Part], variants: int, naming: Naming, taken: Collection[str], where: str
) -> Iterator[Statement]:
    """That the sides of several branches are taken together as in one of the readings: what comes
    after one may be another thing where no reading took its side with the other's. ``taken`` are
    the names that mean something in the constructor."""
    choices = list(_open_choices(parts))
    sides = [tuple(number in choice.takers for choice, _ in choices) for number in range(variants)]
    seen = set(sides)
    alike = [choice.alike for choice, _ in choices]
    beside = not any(way for _, way in choices)
    open_ = _possible(choices) - seen
    if not open_ or (beside and all(_is_told(case, sides, alike) for case in open_)):
        return
    here: ast.expr = ast.Tuple(
        [_reached(choice.condition, way, naming) for choice, way in choices], ast.Load()
    )
    cases: ast.expr = ast.Tuple(
        [
            ast.Tuple([ast.Constant(side) for side in case], ast.Load())
            for case in sorted(seen, reverse=True)
        ],
        ast.Load(),
    )
    one_of = ast.Compare(here, [ast.In()], [cases])
    if len(flat(one_of)) > _LONGEST_CONDITION:
        reached, built = distinct("sides", taken), distinct("built", taken)
        yield Assign(ast.Name(reached, ast.Store()), here, where)
        yield Assign(ast.Name(built, ast.Store()), cases)
        one_of = ast.Compare(ast.Name(reached), [ast.In()], [ast.Name(built)])
    yield Assert(one_of, _THESE_CASES, where)


def _is_told(
    case: tuple[bool, ...], sides: Sequence[tuple[bool, ...]], alike: Sequence[frozenset[int]]
) -> bool:
    """Whether the readings say what is made where no reading took just these sides: for each
    branch, and for what comes after all, one took its side, and speaks of what the others before it
    left in words that are right for either of their sides. Of branches inside one another it is
    not known."""
    if len(case) != len(alike):
        return False  # too many to go through
    return all(
        any(
            (place == len(case) or own[place] is case[place])
            and all(
                own[before] is case[before] or number in alike[before] for before in range(place)
            )
            for number, own in enumerate(sides)
        )
        for place in range(len(case) + 1)
    )


# The conditions around a branch, the outermost first, each with the side that the branch is on.
_Way: TypeAlias = tuple[tuple[ir.Static, bool], ...]


def _open_choices(parts: Sequence[Part], way: _Way = ()) -> Iterator[tuple[Choice, _Way]]:
    """The branches with two sides, outside loops, and how each is reached."""
    for part in parts:
        if not isinstance(part, Choice):
            continue
        if part.one_sided:
            yield from _open_choices(part.yes or part.no or (), way)
            continue
        yield part, way
        yield from _open_choices(part.yes or (), (*way, (part.condition, True)))
        yield from _open_choices(part.no or (), (*way, (part.condition, False)))


def _reached(condition: ir.Static, way: _Way, naming: Naming) -> ast.expr:
    """Whether a branch is reached and its condition true."""
    tests = [
        of_static(form, naming) if side else ast.UnaryOp(ast.Not(), of_static(form, naming))
        for form, side in (*way, (condition, True))
    ]
    return tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests)


def _possible(choices: Sequence[tuple[Choice, _Way]]) -> set[tuple[bool, ...]]:
    """What may be reached and true of the branches together; what is asked twice in the same words
    has one answer."""
    asked = list(dict.fromkeys(_words(choice.condition) for choice, _ in choices))
    if len(asked) > _MOST_ASKED:
        return {()}  # never seen: the many ways are not worth going through
    found = set()
    for answers in product((True, False), repeat=len(asked)):
        known = dict(zip(asked, answers, strict=True))
        found.add(
            tuple(
                known[_words(choice.condition)]
                and all(known[_words(form)] is side for form, side in way)
                for choice, way in choices
            )
        )
    return found


def _words(condition: ir.Static) -> str:
    return repr(condition.form) if isinstance(condition, ir.Scalar) else repr(condition)
