"""Selected parameters as a person would pick them: all, a few by name, many by what they are.

``LayerNorm.*, *.bias`` over many layers is a condition on the module and the name; a few are
written out. Non-goal: what a selector matches (``specc.semantics.naming.selectors``)."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from specc import ir
from specc.catalog import LAYERS
from specc.emit.constructor.open_lists import (
    has_open_length,
    is_item,
    is_open,
    is_pinned,
    may_have_more,
    open_lists,
)
from specc.emit.writing.expressions import call, dotted, path_expression
from specc.emit.writing.statements import For, If, Statement

# Whether a name passes, and how that is written.
NameTest: TypeAlias = tuple[Callable[[str], bool], ast.expr]
# So many are still pleasant to read one after the other.
FEW: Final = 8


def parameters(module: ir.Module, on: ir.Selection, *, listed: bool = False) -> ast.expr:
    """The selected parameters of ``self``; ``listed`` asks for a list, not an iterator."""
    everything = on.names == _everything(module)
    if everything and not is_pinned(module, on) and not may_have_more(module, on, ""):
        inside: str | None = ""
    else:
        inside = all_inside(module, on)
    if inside is not None and (not listed or are_many(module, on)):
        whole = call(ast.Attribute(path_expression(ast.Name("self"), inside), "parameters"))
        return call(ast.Name("list"), whole) if listed else whole
    if are_many(module, on):
        found = by_condition(module, on) or by_name(module, on)
        if found is not None:
            return found
    return ast.List([path_expression(ast.Name("self"), name) for name in on.names], ast.Load())


def for_each(chosen: ast.expr, name: str, body: Sequence[Statement]) -> Statement:
    """``body`` for each of ``chosen``, which ``parameters`` gave, called ``name`` in it."""
    if not isinstance(chosen, ast.ListComp):
        return For(ast.Name(name), chosen, body)
    renamed = [_Renamed(name).visit(each) for each in copy.deepcopy(chosen.generators)]
    for loop in reversed(renamed):
        for test in reversed(loop.ifs):
            body = [If(test, body)]
        body = [For(loop.target, loop.iter, body)]
    return body[0]


class _Renamed(ast.NodeTransformer):
    """``parameter`` under another name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def visit_Name(self, node: ast.Name) -> ast.Name:  # ast's own name for it
        return ast.Name(self._name, node.ctx) if node.id == "parameter" else node


def are_many(module: ir.Module, on: ir.Selection) -> bool:
    """Whether a rule says what is selected better than a list does, or alone is right."""
    return len(on.names) > FEW or has_open_length(module, on)


def unclaimed(module: ir.Module, optimizer: ir.Optimizer) -> ast.expr:
    """What the optimizer steps and none of its groups does, where ``claimed`` holds the identities
    of what they do."""
    names = {*optimizer.rest.names, *(n for group in optimizer.groups for n in group.on.names)}
    stepped = tuple(name for name in _everything(module) if name in names)
    everything = ir.Selection(optimizer.rest.text, stepped)
    loop = ast.comprehension(
        ast.Name("parameter", ast.Store()),
        parameters(module, everything),
        [
            ast.Compare(
                call(ast.Name("id"), ast.Name("parameter")), [ast.NotIn()], [ast.Name("claimed")]
            )
        ],
        0,
    )
    return ast.ListComp(ast.Name("parameter"), [loop])


def of_what_learns(module: ir.Module, on: ir.Selection) -> ir.Selection:
    """``on`` without what the model itself freezes."""
    names = tuple(name for name in on.names if name not in module.frozen_names)
    if names == on.names:
        return on
    wanted, _, excluded = on.text.partition(" except ")
    held = [excluded] if excluded else []
    for each in module.frozen:
        if isinstance(each, ir.Still):
            held += [f"{path}.*" for path in each.paths]
        else:
            held.append(each.text.partition(" except ")[0])
    return ir.Selection(f"{wanted} except {', '.join(held)}", names)


def all_inside(module: ir.Module, on: ir.Selection) -> str | None:
    """The outermost path whose parameters are just those selected."""
    path = on.names[0].rpartition(".")[0] if on.names else ""
    chosen = set(on.names)
    found: str | None = None
    while path:
        inside = {name for name in _everything(module) if name.startswith(f"{path}.")}
        if not inside <= chosen or is_pinned(module, on, path):
            break
        if (
            inside == chosen
            and not is_item(module, on, path)
            and not may_have_more(module, on, path)
        ):
            found = path
        path = path.rpartition(".")[0]
    elsewhere = (held for held, _ in open_lists(module) if not f"{held}.".startswith(f"{found}."))
    return None if any(is_open(on, held) for held in elsewhere) else found


def by_condition(module: ir.Module, on: ir.Selection) -> ast.expr | None:
    """``[parameter for module in self.modules() ... if ...]``; None where no condition says it."""
    modules = ast.comprehension(
        ast.Name("module", ast.Store()), call(dotted("self.modules")), [], 0
    )
    whole = _whole_layers(module, on)
    if whole is not None:
        modules.ifs.append(whole)
        inside = ast.comprehension(
            ast.Name("parameter", ast.Store()), call(dotted("module.parameters")), [], 0
        )
        return ast.ListComp(ast.Name("parameter"), [modules, inside])
    test = condition(module, on)
    if test is None:
        return None
    own = ast.comprehension(
        ast.Tuple([ast.Name("name", ast.Store()), ast.Name("parameter", ast.Store())], ast.Store()),
        call(dotted("module.named_parameters"), recurse=ast.Constant(False)),
        [test],
        0,
    )
    return ast.ListComp(ast.Name("parameter"), [modules, own])


def _whole_layers(module: ir.Module, on: ir.Selection) -> ast.expr | None:
    """The test of ``module`` where the selection is all that composite layers of one type have
    inside, as ``TransformerEncoderLayer.*`` is; None where it is not."""
    head, _, rest = on.text.partition(".")
    if rest not in ("", "*") or head not in types_inside(module):
        return None
    inside = [
        (each.name, each.name.removesuffix(name))
        for each in ir.owned_parameters(module)
        for type_, name in each.around
        if type_ == head
    ]
    if tuple(name for name, _ in inside) != on.names or all(
        "." not in name.removeprefix(path) for name, path in inside
    ):
        return None
    return _is_one_of([head])


def by_name(module: ir.Module, on: ir.Selection) -> ast.expr | None:
    """``[parameter for name, parameter in self.named_parameters() if ...]``; None where the
    selector speaks of more than names that begin, end or go on alike."""
    wanted, _, excluded = on.text.partition(" except ")
    tests: list[NameTest] = []
    for texts in (wanted, excluded):
        read = [_name_test(pattern) for pattern in texts.split(", ") if pattern]
        if texts == "*":
            read = [((lambda name: True), ast.Constant(True))]
        if (
            any(test is None for test in read)
            or texts[:1].isupper()
            or re.search(r", [A-Z]", texts)
        ):
            return None  # what may be a type
        tests.append(_either([test for test in read if test is not None]))
    (matches, test), (left_out, exception) = tests
    chosen = tuple(n for n in _everything(module) if matches(n) and not left_out(n))
    if chosen != on.names:
        return None  # a pattern that is about types, or about one of several models
    if excluded:
        exception = ast.UnaryOp(ast.Not(), exception)
        test = exception if wanted == "*" else ast.BoolOp(ast.And(), [test, exception])
    loop = ast.comprehension(
        ast.Tuple([ast.Name("name", ast.Store()), ast.Name("parameter", ast.Store())], ast.Store()),
        call(dotted("self.named_parameters")),
        [test],
        0,
    )
    return ast.ListComp(ast.Name("parameter"), [loop])


def _name_test(pattern: str) -> NameTest | None:
    text = pattern.strip("*")
    begins, ends = not pattern.startswith("*"), not pattern.endswith("*")
    head, star, tail = text.partition("*")
    if star and begins and not {"*", "?"} & {*head, *tail}:
        first, second = _name_test(f"{head}*"), _name_test(f"*{tail}{'' if ends else '*'}")
        if first is None or second is None:
            return None
        (starts, one), (goes_on, other) = first, second
        return (lambda name: starts(name) and goes_on(name)), ast.BoolOp(ast.And(), [one, other])
    if not text or star or "?" in text:
        return None
    word = ast.Constant(text)
    if begins and ends:
        return (lambda name: name == text), _named([text], text, ())
    if begins:
        return (lambda name: name.startswith(text)), call(dotted("name.startswith"), word)
    if ends:
        return (lambda name: name.endswith(text)), call(dotted("name.endswith"), word)
    return (lambda name: text in name), ast.Compare(word, [ast.In()], [ast.Name("name")])


def _either(tests: list[NameTest]) -> NameTest:
    written = _together([test for _, test in tests])
    whole = written[0] if len(written) == 1 else ast.BoolOp(ast.Or(), written)
    return (lambda name: any(matches(name) for matches, _ in tests)), whole


def _together(tests: list[ast.expr]) -> list[ast.expr]:
    """``tests`` with those of the same method as one: ``name.endswith((".bias", ".scale"))``."""
    found: list[ast.expr] = []
    texts: dict[str, list[ast.expr]] = {}
    for test in tests:
        if not isinstance(test, ast.Call) or not isinstance(test.func, ast.Attribute):
            found.append(test)
            continue
        method = test.func.attr
        if method not in texts:
            found.append(call(test.func, ast.Tuple(texts.setdefault(method, []), ast.Load())))
        texts[method] += test.args
    for test in found:
        if isinstance(test, ast.Call) and isinstance(test.args[0], ast.Tuple):
            listed = test.args[0].elts
            test.args = [*listed] if len(listed) == 1 else test.args
    return found


def condition(module: ir.Module, on: ir.Selection) -> ast.expr | None:
    """The selection as a condition on ``module`` and ``name``, a parameter's name inside it; None
    where it would pick others too, such as those of a copy."""
    if " except " in on.text:
        return None
    known, chosen = types_inside(module), set(on.names)
    # What torch's `named_parameters` of the innermost module says: its type, the name in it.
    there = [
        (each.name, each.around[-1][0] if each.direct else "", each.name.rpartition(".")[2])
        for each in ir.owned_parameters(module)
    ]
    tests: list[ast.expr] = []
    types: dict[str, list[str]] = {}
    picked: set[str] = set()
    for pattern in on.text.split(", "):
        named = _named_so(pattern, there)
        if named is not None:
            picked |= named[0]
            tests.append(named[1])
            continue
        head, _, rest = pattern.partition(".")
        if head not in known and head != "*":
            return None
        of_type = [each for each in there if head == each[1] or (head == "*" and "." in each[0])]
        if rest not in ("", "*"):
            meant = {own for name, _, own in of_type if name in chosen and _means(rest, own)}
            every = of_type
            of_type = [each for each in of_type if each[2] in meant]
        elif head == "*":
            return None
        picked |= {name for name, _, _ in of_type}
        owns = sorted({own for _, _, own in of_type})
        if head == "*":
            test = _named(owns, rest, there)
            if any(name == own and own in owns for name, _, own in there):
                test = ast.BoolOp(ast.And(), [_compared("module", ast.IsNot(), "self"), test])
            tests.append(test)
        elif rest in ("", "*"):
            types.setdefault("*", []).append(head)
        elif owns == [rest]:
            types.setdefault(rest, []).append(head)
        else:
            tests.append(ast.BoolOp(ast.And(), [_is_one_of([head]), _meant(owns, rest, every)]))
    if picked != chosen:
        return None
    for rest, heads in types.items():
        test = _is_one_of(heads)
        if rest != "*":
            test = ast.BoolOp(ast.And(), [test, _named([rest], rest, there)])
        tests.append(test)
    return tests[0] if len(tests) == 1 else ast.BoolOp(ast.Or(), tests)


def _named_so(
    pattern: str, there: Sequence[tuple[str, str, str]]
) -> tuple[set[str], ast.expr] | None:
    """What a pattern without a dot picks, and the test for it: ``*bias``, or the name of what the
    model keeps itself. None where it is neither."""
    text = pattern.removeprefix("*")
    if not text or "." in text or "*" in text or "?" in text:
        return None
    if text != pattern:
        ends = call(dotted("name.endswith"), ast.Constant(text))
        return {name for name, _, own in there if own.endswith(text)}, ends
    if all(name != pattern for name, *_ in there):
        return None
    test: ast.expr = ast.Compare(ast.Name("name"), [ast.Eq()], [ast.Constant(pattern)])
    if sum(own == pattern for *_, own in there) > 1:
        test = ast.BoolOp(ast.And(), [_compared("module", ast.Is(), "self"), test])
    return {pattern}, test


def _compared(one: str, operator: ast.cmpop, other: str) -> ast.expr:
    return ast.Compare(ast.Name(one), [operator], [ast.Name(other)])


def types_inside(module: ir.Module) -> frozenset[str]:
    """The types that ``isinstance`` tells apart among the layers with parameters inside ``module``,
    those inside torch's own too. Empty where extensions add layers: what these derive from, and
    have inside, is theirs to know."""
    owned = tuple(ir.owned_parameters(module))
    layers = [each.holder for each in owned if isinstance(each.holder, ir.Layer)]
    if any(layer.row is None or layer.type not in LAYERS for layer in layers):
        return frozenset()
    return frozenset(type_ for each in owned for type_, _ in each.around if type_ in LAYERS)


def _means(pattern: str, own: str) -> bool:
    """Whether a selector's ``weight`` or ``bias`` may mean a parameter that torch calls ``own``."""
    return own == pattern or (pattern in ("weight", "bias") and pattern in own.split("_"))


def _is_one_of(types: list[str]) -> ast.expr:
    rows = [dotted(LAYERS[type_].torch) for type_ in types]
    kind = rows[0] if len(rows) == 1 else ast.Tuple(rows, ast.Load())
    return call(ast.Name("isinstance"), ast.Name("module"), kind)


def _meant(owns: list[str], word: str, there: Sequence[tuple[str, str, str]]) -> ast.expr:
    """As ``_named``, of layers of one type: where the ``word`` means just ``owns`` it says them,
    for a layer that is made deeper has others of that meaning."""
    if len(owns) > 1 and all((own in owns) == _means(word, own) for *_, own in there):
        words = call(dotted("name.split"), ast.Constant("_"))
        return ast.Compare(ast.Constant(word), [ast.In()], [words])
    return _named(owns, word, there)


def _named(owns: list[str], word: str, there: Sequence[tuple[str, str, str]]) -> ast.expr:
    """The test that ``name`` is one of ``owns``, said by the ``word`` where that says it."""
    if len(owns) == 1:
        return ast.Compare(ast.Name("name"), [ast.Eq()], [ast.Constant(owns[0])])
    if all(word in own for own in owns) and all(own in owns for *_, own in there if word in own):
        return ast.Compare(ast.Constant(word), [ast.In()], [ast.Name("name")])
    names = ast.Tuple([ast.Constant(own) for own in owns], ast.Load())
    return ast.Compare(ast.Name("name"), [ast.In()], [names])


def _everything(module: ir.Module) -> tuple[str, ...]:
    return tuple(name for name, _, _ in module.parameters())
