"""The sizes that a model is shown or measured on: the test's first row, with what the call says
instead.

Non-goals: reading the call's words (``specc.run_choice``), which rows a test has
(``specc.harness.cases.matrix``), what is asked of them (``demands``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from specc import ir
from specc.errors import CallError
from specc.harness.cases import matrix
from specc.harness.cases.demands import demands_of
from specc.ir.size_bounds import margin
from specc.sizes import Atom, Entry, Extreme, Power, Size, as_remainder, evaluate, symbols
from specc.suggestions import did_you_mean, listed


def alone(program: ir.Program, model: ir.Module) -> ir.Program:
    """``program`` as if ``model`` were its only one, with its training where that is of it
    alone."""
    keep = program.train is not None and program.subject() is model
    return replace(program, models=(model,), train=program.train if keep else None)


def names(program: ir.Program) -> tuple[str, ...]:
    """The unknown sizes of the inputs."""
    return matrix.input_symbols(program)


def check_asked(asked: Mapping[str, int], known: Collection[str]) -> None:
    """CallError (E0712) for a size that the call gives and no input has; ``known`` are theirs."""
    for name in asked:
        if name not in known:
            there = listed(known, "there are ", "no size of the inputs is open")
            raise CallError(
                "E0712",
                f"--size {name}: no input has a size of that name",
                help=did_you_mean(name, known, there, "{!r}"),
            )


def choose(whole: ir.Program, program: ir.Program, asked: Mapping[str, int]) -> dict[str, int]:
    """A number for every unknown size of ``program``, which is one model of ``whole``.

    Raises SpecError: E0501 where the sizes break a condition or leave nothing of a tensor."""
    wanted = names(program)
    written = dict(whole.test.sizes[0]) if whole.test.sizes else {}
    row = {name: value for name, value in {**written, **asked}.items() if name in wanted}
    if not wanted:
        return {}
    if len(row) < len(wanted):
        default = matrix.cases(replace(program, test=replace(whole.test, sizes=())))[0]
        row = {**dict(default.sizes), **row}
    ordered = tuple((name, row[name]) for name in wanted)
    matrix.cases(replace(program, test=replace(whole.test, sizes=(ordered,))))
    return dict(ordered)


def conditions(program: ir.Program) -> tuple[ir.Condition, ...]:
    """What is asked of the sizes of ``program``, its blocks' conditions in its inputs' terms; what
    no sizes can break is left out."""
    demands = demands_of(program)
    return _distinct(ir.joined(demands.conditions.values()), demands.known)


def asked(program: ir.Program) -> dict[str, tuple[ir.Condition, ...]]:
    """What each model of ``program`` asks of the sizes of its inputs, and what its training asks of
    a batch, by the name of the model or of the class that trains; without those that ask
    nothing."""
    train = program.train
    whole = train.module if train is not None and train.module is not None else None
    found: dict[str, tuple[ir.Condition, ...]] = {}
    for module in (*program.models, *(() if whole is None else (whole,))):
        stated = module.conditions
        if train is not None and whole is None and module.name == train.model:
            # What the model asks for already is told where it does.
            own = {(item.left, item.relation, item.right): item for item in stated}
            both = ir.joined((*stated, *train.conditions))
            stated = tuple(own.get((item.left, item.relation, item.right), item) for item in both)
        conditions = _distinct(stated, module.values)
        if conditions:
            found[module.name] = conditions
    return found


def _distinct(
    stated: Sequence[ir.Condition], known: Mapping[str, Size]
) -> tuple[ir.Condition, ...]:
    """``stated`` without what always holds, and each once: a block says of numbers what the model
    says of its params."""
    least: dict[str, Size] = {}
    for condition in stated:
        remainder = as_remainder(condition.left)
        if remainder is not None and condition.relation == "==" and condition.right == 0:
            least[str(remainder[0])] = remainder[1]
    said: dict[object, ir.Condition] = {}
    for condition in stated:
        left, right = (evaluate(size, known) for size in (condition.left, condition.right))
        inner = replace(condition, left=left, right=right)
        bound = margin(inner)
        if inner.holds({}) is None and left != right and not _always(condition, least):
            key = (condition.relation, left - right) if bound is None else bound
            said.setdefault(key, condition)
    return tuple(said.values())


def _always(condition: ir.Condition, least: Mapping[str, Size]) -> bool:
    """Whether ``condition`` asks for no less than a size that only grows has at its least, where
    every unknown is 1, or the number that divides it."""
    if condition.relation not in (">=", ">") or not isinstance(condition.right, int):
        return False
    lowest: dict[str, Size] = {**dict.fromkeys(symbols(condition.left), 1), **least}
    return _grows(condition.left) and bool(condition.holds(lowest))


def _grows(size: Size) -> bool:
    """Whether ``size`` is never less where an unknown is more, as far as its form shows it."""
    if isinstance(size, int):
        return True
    return all(
        (factor > 0 or not monomial) and all(_atom_grows(atom) for atom in monomial)
        for monomial, factor in size.terms
    )


def _atom_grows(atom: Atom) -> bool:
    if isinstance(atom, str):
        return True
    if isinstance(atom, Power):
        return _grows(atom.exponent)
    if isinstance(atom, Extreme):
        return all(_grows(size) for size in atom.sizes)
    if isinstance(atom, Entry):
        return False
    below = atom.denominator
    return isinstance(below, int) and below > 0 and _grows(atom.numerator)
