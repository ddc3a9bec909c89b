"""Symbolic sizes: exact integer arithmetic on the unknown ``N``, ``T``, ``H`` of a spec.

A size is an ``int``, or a ``Poly``: an integer polynomial over atoms, where an atom is a symbol,
a floor quotient that does not simplify, a number to a symbolic power, or the largest or smallest of
several sizes. ``H % 4`` is ``H - 4 * (H
// 4)``, so two sizes are equal for every value of their symbols exactly when their polynomials are.
Symbols stand for integers of at least 1. Non-goal: solving; what two polynomials leave open is for
the caller to state as a condition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from math import gcd
from typing import Any, Literal, TypeAlias, Union

from specc.errors import TooLarge

# What stays below them is computed in a moment. A model's sizes have a few terms of a few factors.
_MOST_TERMS = 300
_MOST_PRODUCTS = 5_000
_MOST_ATOMS = 1_500
_LARGEST_FACTOR = 2**200
_DEEPEST = 40

Size: TypeAlias = Union[int, "Poly"]
Atom: TypeAlias = Union[str, "Quotient", "Power", "Extreme", "Entry"]
Monomial: TypeAlias = tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class Quotient:
    """``numerator // denominator``, kept whole because it does not divide evenly."""

    numerator: Size
    denominator: Size

    def __str__(self) -> str:
        return f"{_grouped(self.numerator)} // {_grouped(self.denominator)}"


@dataclass(frozen=True, slots=True)
class Power:
    """``base ** exponent`` for a base of at least 2: the dilation of a level, the width of a stage.

    Where it is written the exponent is not negative."""

    base: int
    exponent: Size

    def __str__(self) -> str:
        return f"{self.base} ** {_grouped(self.exponent)}"


@dataclass(frozen=True, slots=True)
class Extreme:
    """The largest, or smallest, of sizes none of which always is: ``max(C // 4, 8)``."""

    kind: Literal["max", "min"]
    sizes: tuple[Size, ...]

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(str(size) for size in self.sizes)})"


# What is said of all that a tuple of numbers holds.
_OF_ALL: Mapping[str, Callable[[Any], int]] = {"len": len, "sum": sum, "max": max, "min": min}


@dataclass(frozen=True, slots=True)
class Cut:
    """``lower:upper``: which items of a tuple are meant."""

    lower: Size | None
    upper: Size | None

    def __str__(self) -> str:
        return ":".join("" if bound is None else str(bound) for bound in (self.lower, self.upper))


@dataclass(frozen=True, slots=True)
class Entry:
    """A number that a tuple of a param says: the one at ``path``, ``widths[k]``, or how many there
    are, their sum, the largest, the smallest. ``whole`` is what the param is now."""

    param: str
    path: tuple[Size | Cut, ...]
    function: Literal["", "len", "sum", "max", "min"] = ""
    whole: tuple[Any, ...] = field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        text = self.param + "".join(f"[{index}]" for index in self.path)
        return f"{self.function}({text})" if self.function else text

    def put_in(self, values: Mapping[str, Size]) -> Size:
        """The number with ``values`` put in: it is one where they say all of the path, and that
        the param is known."""
        path: list[Size | Cut] = []
        for index in self.path:
            if isinstance(index, Cut):
                bounds = [None if bound is None else evaluate(bound, values)
                          for bound in (index.lower, index.upper)]  # fmt: skip
                path.append(Cut(*bounds))
            else:
                path.append(evaluate(index, values))
        moved = replace(self, path=tuple(path))
        held: Any = moved.held() if is_known(self.param) in values else None
        if held is not None:
            return int(_OF_ALL[self.function](held) if self.function else held)
        return Poly({(moved,): 1})

    def held(self) -> Any:
        """What is at the path now; None where the path has symbols."""
        value: Any = self.whole
        for index in self.path:
            if isinstance(index, Cut):
                if isinstance(index.lower, Poly) or isinstance(index.upper, Poly):
                    return None
                value = value[index.lower : index.upper]
            elif isinstance(index, Poly):
                return None
            else:
                value = value[index]
        return value

    def sizes(self) -> tuple[Size, ...]:
        """The sizes that the path is made of."""
        bounds = [(each.lower, each.upper) if isinstance(each, Cut) else (each,)
                  for each in self.path]  # fmt: skip
        return tuple(size for each in bounds for size in each if size is not None)


def is_known(param: str) -> str:
    """What stands among known values for a tuple that a param holds: no name of a spec."""
    return f"{param}[]"


def entries_of(size: Size) -> Iterator[Entry]:
    """The numbers of tuples among the atoms of ``size``, however deep."""
    for monomial, _ in size.terms if isinstance(size, Poly) else ():
        for atom in monomial:
            if isinstance(atom, Entry):
                yield atom
            elif not isinstance(atom, str):
                for inner in _inside(atom):
                    yield from entries_of(inner)


def opened(size: Size) -> Size:
    """``size`` with a symbol in place of each number that a tuple says."""
    if isinstance(size, int):
        return size
    if not any(True for _ in entries_of(size)):
        return size
    total: Size = 0
    for monomial, factor in size.terms:
        product: Size = factor
        for atom in monomial:
            product = product * _opened(atom)
        total = total + product
    return total


def _opened(atom: Atom) -> Size:
    match atom:
        case str() | Entry():
            return symbol(str(atom))
        case Power():
            return power(atom.base, opened(atom.exponent))
        case Extreme():
            return extreme(atom.kind, [opened(size) for size in atom.sizes])
        case Quotient():
            return floor_divide(opened(atom.numerator), opened(atom.denominator))


class Poly:
    """A sum of integer multiples of products of atoms; immutable, hashable, in canonical form."""

    __slots__ = ("_hash", "_text", "atoms", "depth", "terms", "written")

    def __init__(self, terms: Mapping[Monomial, int]) -> None:
        if len(terms) > _MOST_TERMS:
            raise TooLarge("a size of this spec is a sum of too many terms to be computed with")
        self.terms: tuple[tuple[Monomial, int], ...] = tuple(
            terms.items()
            if len(terms) == 1
            else sorted(
                terms.items(), key=lambda item: (-len(item[0]), [str(atom) for atom in item[0]])
            )
        )
        # How the author wrote it, where he did: an operator between two sizes. Two sizes that are
        # written otherwise are the same size.
        self.written: tuple[str, Size, Size] | None = None
        self._hash = hash(self.terms)
        # Written when it is first asked for: sorting terms asks again and again.
        self._text = ""
        # How many atoms there are, and how deep quotients and powers stand in one another.
        atoms = depth = 0
        for monomial, factor in self.terms:
            atoms += len(monomial)
            for atom in monomial:
                if not isinstance(atom, str):
                    atoms += _atoms(atom)
                    depth = max(depth, _depth(atom))
            if not -_LARGEST_FACTOR < factor < _LARGEST_FACTOR:
                atoms = _MOST_ATOMS + 1
        self.atoms, self.depth = atoms, depth
        if depth > _DEEPEST or atoms > _MOST_ATOMS:
            raise TooLarge("a size of this spec is too large to be computed with")

    def as_written(self, symbol: str, left: Size, right: Size) -> Poly:
        """The same size, which keeps that it is written ``left symbol right``: all that these name
        must be in it, and what is not simply itself."""
        if symbols(left) | symbols(right) != symbols(self) or self in (left, right):
            return self
        copy = object.__new__(Poly)
        copy.terms, copy.atoms, copy.depth = self.terms, self.atoms, self.depth
        copy._hash, copy._text = self._hash, self._text
        copy.written = (symbol, left, right)
        return copy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Poly) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def __add__(self, other: Size) -> Size:
        total = dict(self.terms)
        for monomial, factor in _terms(other):
            total[monomial] = total.get(monomial, 0) + factor
        return _simplest(total)

    def __neg__(self) -> Size:
        return _simplest({monomial: -factor for monomial, factor in self.terms})

    def __sub__(self, other: Size) -> Size:
        return self + -other

    def __rsub__(self, other: int) -> Size:
        return -self + other

    def __mul__(self, other: Size) -> Size:
        if len(self.terms) * len(_terms(other)) > _MOST_PRODUCTS:
            raise TooLarge("a size of this spec is a sum of too many terms to be computed with")
        product: dict[Monomial, int] = {}
        for left, left_factor in self.terms:
            for right, right_factor in _terms(other):
                monomial = tuple(sorted(left + right, key=str))
                product[monomial] = product.get(monomial, 0) + left_factor * right_factor
        return _simplest(product)

    __radd__ = __add__
    __rmul__ = __mul__

    def __floordiv__(self, other: Size) -> Size:
        return floor_divide(self, other)

    def __rfloordiv__(self, other: int) -> Size:
        return floor_divide(other, self)

    def __mod__(self, other: Size) -> Size:
        return self - floor_divide(self, other) * other

    def __rmod__(self, other: int) -> Size:
        return other - floor_divide(other, self) * self

    def __pow__(self, exponent: int) -> Size:
        result: Size = 1
        for _ in range(exponent):
            result = result * self
        return result

    def __repr__(self) -> str:
        return f"Poly({self})"

    def __str__(self) -> str:
        if not self._text:
            self._text = self._written()
        return self._text

    def _written(self) -> str:
        multiple = as_multiple_of_remainder(self)
        if multiple is not None:
            times = multiple[1]
            alone = isinstance(_only_atom(times), Quotient)
            return f"{multiple[0]} * {_grouped(times) if alone else times}"
        remainder = as_remainder(self)
        if remainder is not None:
            return f"{_grouped(remainder[0])} % {_grouped(remainder[1])}"
        pieces: list[str] = []
        for monomial, factor in self.terms:
            alone = len(monomial) == 1 and factor == 1
            body = " * ".join(
                (f"({atom})" if _is_compound(atom, power, alone) else str(atom))
                + (f" ** {power}" if power > 1 else "")
                for atom, power in powers(monomial)
            )
            size = abs(factor)
            text = f"{size} * {body}" if body and size != 1 else body or str(size)
            if not pieces:
                pieces.append(f"-{text}" if factor < 0 else text)
            else:
                pieces.append(f" {'-' if factor < 0 else '+'} {text}")
        return "".join(pieces)


def _is_compound(atom: Atom, power: int, alone: bool) -> bool:
    """Whether ``atom`` wants parentheses, ``alone`` or among other factors."""
    return (isinstance(atom, Quotient) and not alone) or (isinstance(atom, Power) and power > 1)


def powers(monomial: Monomial) -> list[tuple[Atom, int]]:
    """The atoms of ``monomial``, each with how often it stands in it."""
    return [(atom, len(list(same))) for atom, same in groupby(monomial)]


def as_remainder(size: Size) -> tuple[Size, Size] | None:
    """(x, k) where ``size`` is ``x % k``, which is ``x - k * (x // k)``; None where it is not."""
    if isinstance(size, int):
        return None
    for monomial, factor in size.terms:
        if factor > 0 or sum(isinstance(atom, Quotient) for atom in monomial) != 1:
            continue
        rest = tuple(atom for atom in monomial if not isinstance(atom, Quotient))
        divisor = _simplest({rest: -factor})
        whole = size - Poly({monomial: factor})
        if divisor != 1 and whole - floor_divide(whole, divisor) * divisor == size:
            return whole, divisor
    return None


def as_multiple_of_remainder(size: Size) -> tuple[Size, Size] | None:
    """(``x % k``, m) where ``size`` is ``x % k * m`` for an ``m`` that is a product of atoms; None
    where it is not."""
    if isinstance(size, int) or len(size.terms) < 2:
        return None
    shared = Counter(size.terms[0][0])
    for monomial, _ in size.terms:
        shared &= Counter(monomial)
    if not shared:
        return None
    rest: dict[Monomial, int] = {}
    for monomial, factor in size.terms:
        left = Counter(monomial) - shared
        rest[tuple(sorted(left.elements(), key=str))] = factor
    remainder = _simplest(rest)
    if as_remainder(remainder) is None:
        return None
    return remainder, _simplest({tuple(sorted(shared.elements(), key=str)): 1})


def symbol(name: str) -> Poly:
    """The unknown size called ``name``."""
    return Poly({(name,): 1})


def power(base: int, exponent: Size) -> Size:
    """``base ** exponent`` for a base of at least 2, rounded down: 0 for a negative exponent."""
    if isinstance(exponent, int):
        return int(base**exponent) if exponent >= 0 else 0
    constant = dict(exponent.terms).get((), 0)
    # What is left without it may be negative, and rounded down to nothing: `2 ** (2 - k)`.
    if constant > 0 and never_negative(exponent - constant):
        return int(base**constant) * power(base, exponent - constant)
    return Poly({(Power(base, exponent),): 1})


def extreme(kind: Literal["max", "min"], sizes: Sequence[Size]) -> Size:
    """The largest or smallest of ``sizes``, of which there is one at least; one of them where that
    holds for all symbols."""
    found: list[Size] = []
    for size in sizes:
        inner = _only_atom(size)
        same = isinstance(inner, Extreme) and inner.kind == kind
        for each in inner.sizes if same and isinstance(inner, Extreme) else (size,):
            if not any(_beats(kind, other, each) for other in found):
                found = [other for other in found if not _beats(kind, each, other)]
                found.append(each)
    if len(found) == 1:
        return found[0]
    found.sort(key=lambda size: (isinstance(size, int), str(size)))
    return Poly({(Extreme(kind, tuple(found)),): 1})


def _beats(kind: str, left: Size, right: Size) -> bool:
    """Whether ``left`` is at least as large as ``right`` (as small) whatever the symbols are: the
    variable of a loop, or a param, may well be 0."""
    difference = left - right if kind == "max" else right - left
    return isinstance(difference, int) and difference >= 0


def _only_atom(size: Size) -> Atom | None:
    if isinstance(size, Poly) and len(size.terms) == 1:
        ((monomial, factor),) = size.terms
        if factor == 1 and len(monomial) == 1:
            return monomial[0]
    return None


def floor_divide(left: Size, right: Size) -> Size:
    """``left // right``, divided out as far as it holds for every value of the symbols.

    ``(c * q + r) // c`` is ``q + r // c``, ``(g * x + r) // (g * c)`` with ``0 <= r < g`` is ``x //
    c``, and ``(x // a + c) // b`` is ``(x + a * c) // (a * b)`` for ``b > 0``. Factors common to
    every term are divided out. Raises ZeroDivisionError when ``right`` is zero."""
    if isinstance(left, int) and isinstance(right, int):
        return left // right
    if right == 0:
        raise ZeroDivisionError("a size is divided by zero")
    if right == 1:
        return left
    if left == right:
        return 1
    if left == 0:
        return 0
    if isinstance(right, int):
        return _divide_by_integer(left, right)
    # A size is at least 1, so that a common symbol cancels; a quotient may be 0, and stays.
    common = _common_symbols(left, right)
    if common:
        return floor_divide(_divided(left, common), _divided(right, common))
    multiple = _multiple(left, right)
    if multiple is not None:
        return multiple
    whole, rest = _whole_multiples(left, right)
    return _quotient(left, right) if whole == 0 else whole + floor_divide(rest, right)


def _divide_by_integer(left: Size, right: int) -> Size:
    if right < 0:
        return _divide_by_integer(-left, -right)
    whole = _simplest({monomial: factor // right for monomial, factor in _terms(left)})
    rest = {monomial: factor % right for monomial, factor in _terms(left)}
    constant = rest.pop((), 0)
    rest = {monomial: factor for monomial, factor in rest.items() if factor}
    if not rest:
        return whole
    shared = gcd(right, *rest.values())
    remainder = {monomial: factor // shared for monomial, factor in rest.items()}
    remainder[()] = constant // shared
    if right == shared:
        return whole + _simplest(remainder)
    return whole + _quotient(_simplest(remainder), right // shared)


def _common_symbols(*sizes: Size) -> Monomial:
    """The symbols, with their powers, that divide every term of ``sizes``."""
    monomials = [monomial for size in sizes for monomial, _ in _terms(size)]
    shared = [atom for atom in monomials[0] if isinstance(atom, str)]
    for monomial in monomials[1:]:
        rest, kept = list(monomial), []
        for atom in shared:
            if atom in rest:
                rest.remove(atom)
                kept.append(atom)
        shared = kept
    return tuple(shared)


def _divided(size: Size, divisor: Monomial) -> Size:
    """``size`` over a monomial that divides each of its terms."""
    result: dict[Monomial, int] = {}
    for monomial, factor in _terms(size):
        rest = list(monomial)
        for atom in divisor:
            rest.remove(atom)
        result[tuple(rest)] = factor
    return _simplest(result)


def _multiple(left: Size, right: Poly) -> Size | None:
    """q where ``left`` is ``q * right`` term by term, for a q of one term; none otherwise."""
    (first, factor), *_ = right.terms
    (top, top_factor), *_ = _terms(left)
    rest = list(top)
    for atom in first:
        if atom not in rest:
            return None
        rest.remove(atom)
    if top_factor % factor:
        return None
    candidate = _simplest({tuple(rest): top_factor // factor})
    return candidate if candidate * right == left else None


def _whole_multiples(left: Size, right: Poly) -> tuple[Size, Size]:
    """``left`` as ``whole * right`` and the rest, for a ``right`` of one term: what of ``left`` is
    a multiple of it, term by term."""
    if len(right.terms) > 1:
        return 0, left
    whole: Size = 0
    for monomial, factor in _terms(left):
        term = _simplest({monomial: factor})
        found = _multiple(term, right)
        if found is not None:
            whole, left = whole + found, left - term
    return whole, left


def evaluate(size: Size, values: Mapping[str, Size]) -> Size:
    """``size`` with the symbols of ``values`` put in; an ``int`` when none is left."""
    if isinstance(size, int):
        return size
    total: Size = 0
    for monomial, factor in size.terms:
        product: Size = factor
        for atom in monomial:
            if isinstance(atom, str):
                known = values.get(atom)
                product = product * (symbol(atom) if known is None else known)
            elif isinstance(atom, Power):
                product = product * power(atom.base, evaluate(atom.exponent, values))
            elif isinstance(atom, Extreme):
                inner = [evaluate(each, values) for each in atom.sizes]
                product = product * extreme(atom.kind, inner)
            elif isinstance(atom, Entry):
                product = product * atom.put_in(values)
            else:
                product = product * floor_divide(
                    evaluate(atom.numerator, values), evaluate(atom.denominator, values)
                )
        total = total + product
    return total


def symbols(size: Size) -> frozenset[str]:
    """The names of the unknown sizes in ``size``."""
    if isinstance(size, int):
        return frozenset()
    found: set[str] = set()
    for monomial, _ in size.terms:
        for atom in monomial:
            if isinstance(atom, str):
                found.add(atom)
            elif isinstance(atom, Power):
                found |= symbols(atom.exponent)
            elif isinstance(atom, Extreme):
                found = found.union(*(symbols(each) for each in atom.sizes))
            elif isinstance(atom, Entry):
                found = found.union([atom.param], *(symbols(each) for each in atom.sizes()))
            else:
                found |= symbols(atom.numerator) | symbols(atom.denominator)
    return frozenset(found)


def never_negative(size: Size) -> bool:
    """Whether ``size`` is at least 0 for all symbols of at least 1, as far as its form shows it."""
    if not _grows(size):
        if is_positive(size + 1):
            return True
        # What is left of a division by something positive.
        remainder = as_remainder(size)
        if remainder is not None and is_positive(remainder[1]):
            return True
        least = _with_least_quotients(size)
        return least != size and never_negative(least)
    lowest = evaluate(size, dict.fromkeys(symbols(size), 1))
    return isinstance(lowest, int) and lowest >= 0


def _with_least_quotients(size: Size) -> Size:
    """``size`` with 1 for each quotient of positive numbers that is rounded up, than which it is no
    less: ``-(-x // k)``, or ``x - a * x // k`` with a below k, as the canonical form has it."""
    total = size
    for monomial, factor in _terms(size):
        rest = tuple(atom for atom in monomial if not isinstance(atom, Quotient))
        quotients = [atom for atom in monomial if isinstance(atom, Quotient)]
        times = _simplest({rest: -factor})
        if len(quotients) != 1 or not is_positive(times):
            continue
        (quotient,) = quotients
        above, below = quotient.numerator, quotient.denominator
        if is_positive(-above) and is_positive(below):
            total = total - _simplest({monomial: factor}) + times
        elif isinstance(below, int) and isinstance(above, Poly):
            share = gcd(*(each for _, each in above.terms))
            whole = _simplest({each: count // share for each, count in above.terms})
            if share < below and is_positive(whole):
                total = total - _simplest({monomial: factor}) - times * whole + times
    return total


def _grows(size: Size) -> bool:
    """Whether no symbol makes ``size`` smaller as it grows, as far as its form shows it."""
    for monomial, factor in _terms(size):
        if monomial and factor < 0:
            return False
        for atom in monomial:
            if isinstance(atom, Power) and not _grows(atom.exponent):
                return False
            if isinstance(atom, Extreme) and not _extreme_grows(atom, len(monomial)):
                return False
            if isinstance(atom, Entry):
                return False
            if isinstance(atom, Quotient):
                fixed = isinstance(atom.denominator, int) and atom.denominator > 0
                # A product with a quotient that may be negative need not grow.
                if not fixed or not _grows(atom.numerator):
                    return False
                if len(monomial) > 1 and not never_negative(Poly({(atom,): 1})):
                    return False
    return True


def _extreme_grows(extreme_: Extreme, factors: int) -> bool:
    """Whether a largest or smallest grows; among other factors it must not be negative."""
    if not all(_grows(size) for size in extreme_.sizes):
        return False
    return factors == 1 or never_negative(Poly({(extreme_,): 1}))


def _terms(size: Size) -> tuple[tuple[Monomial, int], ...]:
    return size.terms if isinstance(size, Poly) else (((), size),)


def _simplest(terms: Mapping[Monomial, int]) -> Size:
    kept = {monomial: factor for monomial, factor in terms.items() if factor}
    if not kept:
        return 0
    if len(kept) == 1 and () in kept:
        return kept[()]
    return Poly(kept)


def _quotient(numerator: Size, denominator: Size) -> Size:
    if isinstance(numerator, Poly) and is_positive(denominator):
        # A number beside the inner quotient goes into it: x // a + c is (x + a * c) // a.
        terms = dict(numerator.terms)
        more = terms.pop((), 0)
        if len(terms) == 1:
            ((monomial, factor),) = terms.items()
            if factor == 1 and len(monomial) == 1 and isinstance(monomial[0], Quotient):
                inner = monomial[0]
                if more == 0 or isinstance(inner.denominator, int):
                    whole = inner.numerator + inner.denominator * more
                    return floor_divide(whole, inner.denominator * denominator)
    return Poly({(Quotient(numerator, denominator),): 1})


def _inside(atom: Quotient | Power | Extreme | Entry) -> tuple[Size, ...]:
    """The sizes that ``atom`` is made of."""
    match atom:
        case Entry():
            return atom.sizes()
        case Quotient():
            return atom.numerator, atom.denominator
        case Power():
            return (atom.exponent,)
        case Extreme():
            return atom.sizes


def _depth(atom: Quotient | Power | Extreme | Entry) -> int:
    return 1 + max((size.depth for size in _inside(atom) if isinstance(size, Poly)), default=0)


def _atoms(atom: Quotient | Power | Extreme | Entry) -> int:
    return sum(size.atoms for size in _inside(atom) if isinstance(size, Poly))


def is_positive(size: Size) -> bool:
    """Whether ``size`` is at least 1 for all symbols of at least 1, as far as its form shows it."""
    return all(_is_positive(monomial, factor) for monomial, factor in _terms(size))


def _is_positive(monomial: Monomial, factor: int) -> bool:
    others = [atom for atom in monomial if not isinstance(atom, str)]
    if not others:
        return factor > 0
    # What is less than nothing, divided and rounded down, is -1 at most: `-((-H) // w)`, H padded.
    (first, *more) = others
    if not isinstance(first, Quotient) or more or factor > 0:
        return False
    return is_positive(-1 * first.numerator) and is_positive(first.denominator)


def _grouped(size: Size) -> str:
    simple = isinstance(size, int) or (
        len(size.terms) == 1
        and size.terms[0][1] == 1
        and len(size.terms[0][0]) == 1
        and isinstance(size.terms[0][0][0], str | Extreme | Entry)
    )
    return str(size) if simple else f"({size})"
