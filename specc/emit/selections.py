"""Selected parameters as a person would pick them: all, a few by name, many by what they are.

``LayerNorm.*, *.bias`` over many layers is a condition on the module and the name; a few are
written out. Non-goal: what a selector matches (``specc.semantics.selectors``)."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Final, TypeAlias

from specc import ir
from specc.catalog.rows import LayerRow
from specc.emit.expressions import call, dotted, path_expression

# Whether a name passes, and how that is written.
NameTest: TypeAlias = tuple[Callable[[str], bool], ast.expr]
# So many are still pleasant to read one after the other.
FEW: Final = 8


def parameters(module: ir.Module, on: ir.Selection, *, listed: bool = False) -> ast.expr:
    """The selected parameters of ``self``; ``listed`` asks for a list, not an iterator."""
    if not listed and on.names == _everything(module):
        return call(dotted("self.parameters"))
    inside = _all_inside(module, on)
    if inside is not None and (not listed or len(on.names) > FEW):
        whole = call(ast.Attribute(path_expression(ast.Name("self"), inside), "parameters"))
        return call(ast.Name("list"), whole) if listed else whole
    if len(on.names) > FEW:
        found = by_condition(module, on) or by_name(module, on)
        if found is not None:
            return found
    return ast.List([path_expression(ast.Name("self"), name) for name in on.names], ast.Load())


def unclaimed(module: ir.Module, optimizer: ir.Optimizer) -> ast.expr:
    """What the optimizer steps and none of its groups does, where ``claimed`` holds the identities
    of what they do."""
    names = {*optimizer.rest.names, *(n for group in optimizer.groups for n in group.on.names)}
    everything = ir.Selection("*", tuple(n for n in _everything(module) if n in names))
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


def _all_inside(module: ir.Module, on: ir.Selection) -> str | None:
    """The outermost path whose parameters are just those selected."""
    path = on.names[0].rpartition(".")[0] if on.names else ""
    chosen = set(on.names)
    found: str | None = None
    while path:
        inside = {name for name in _everything(module) if name.startswith(f"{path}.")}
        if not inside <= chosen:
            break
        if inside == chosen:
            found = path
        path = path.rpartition(".")[0]
    return found


def by_condition(module: ir.Module, on: ir.Selection) -> ast.expr | None:
    """``[parameter for module in self.modules() ... if ...]``; None where no condition says it."""
    test = condition(module, on)
    if test is None:
        return None
    loops = [
        ast.comprehension(ast.Name("module", ast.Store()), call(dotted("self.modules")), [], 0),
        ast.comprehension(
            ast.Tuple(
                [ast.Name("name", ast.Store()), ast.Name("parameter", ast.Store())], ast.Store()
            ),
            call(dotted("module.named_parameters"), recurse=ast.Constant(False)),
            [test],
            0,
        ),
    ]
    return ast.ListComp(ast.Name("parameter"), loops)


def by_name(module: ir.Module, on: ir.Selection) -> ast.expr | None:
    """``[parameter for name, parameter in self.named_parameters() if ...]``; None where the
    selector speaks of more than names that begin, end or go on alike."""
    wanted, _, excluded = on.text.partition(" except ")
    tests: list[NameTest] = []
    for texts in (wanted, excluded):
        read = [_name_test(pattern) for pattern in texts.split(", ") if pattern]
        if any(test is None for test in read):
            return None
        tests.append(_either([test for test in read if test is not None]))
    (matches, test), (left_out, exception) = tests
    chosen = tuple(n for n in _everything(module) if matches(n) and not left_out(n))
    if chosen != on.names:
        return None  # a pattern that is about types, or about one of several models
    if excluded:
        test = ast.BoolOp(ast.And(), [test, ast.UnaryOp(ast.Not(), exception)])
    loop = ast.comprehension(
        ast.Tuple([ast.Name("name", ast.Store()), ast.Name("parameter", ast.Store())], ast.Store()),
        call(dotted("self.named_parameters")),
        [test],
        0,
    )
    return ast.ListComp(ast.Name("parameter"), [loop])


def _name_test(pattern: str) -> NameTest | None:
    text = pattern.strip("*")
    if not text or "*" in text or "?" in text:
        return None
    word = ast.Constant(text)
    begins, ends = not pattern.startswith("*"), not pattern.endswith("*")
    if begins and ends:
        return (lambda name: name == text), _named(text)
    if begins:
        return (lambda name: name.startswith(text)), call(dotted("name.startswith"), word)
    if ends:
        return (lambda name: name.endswith(text)), call(dotted("name.endswith"), word)
    return (lambda name: text in name), ast.Compare(word, [ast.In()], [ast.Name("name")])


def _either(tests: list[NameTest]) -> NameTest:
    written = [test for _, test in tests]
    whole = written[0] if len(written) == 1 else ast.BoolOp(ast.Or(), written)
    return (lambda name: any(matches(name) for matches, _ in tests)), whole


def condition(module: ir.Module, on: ir.Selection) -> ast.expr | None:
    """The selection as a condition on ``module`` and ``name``, a parameter's name inside it; None
    where it would pick others too, such as those of a copy."""
    if " except " in on.text or any("." in name for _, layer in module.all_layers
                                    for name, _ in layer.parameters):  # fmt: skip
        return None
    tests: list[ast.expr] = []
    types: dict[str, list[ast.expr]] = {}
    picks: list[tuple[str, str]] = []
    known = layer_rows(module)
    for pattern in on.text.split(", "):
        head, _, rest = pattern.partition(".")
        if "*" in rest.strip("*") or "?" in pattern or "." in rest:
            return None
        if head in known:
            types.setdefault(rest or "*", []).append(dotted(known[head].torch))
            picks.append((head, rest or "*"))
        elif head == "*" and rest and "*" not in rest:
            tests.append(_named(rest))
            picks.append(("*", rest))
        else:
            return None
    picked = {
        f"{path}.{name}"
        for path, layer in module.all_layers
        for name, _ in layer.parameters
        if any(head in ("*", layer.type) and rest in ("*", name) for head, rest in picks)
    }
    if picked != set(on.names):
        return None
    for rest, rows in types.items():
        kind = rows[0] if len(rows) == 1 else ast.Tuple(rows, ast.Load())
        test: ast.expr = call(ast.Name("isinstance"), ast.Name("module"), kind)
        if rest != "*":
            if "*" in rest:
                return None
            test = ast.BoolOp(ast.And(), [test, _named(rest)])
        tests.append(test)
    return tests[0] if len(tests) == 1 else ast.BoolOp(ast.Or(), tests)


def layer_rows(module: ir.Module) -> dict[str, LayerRow]:
    """The rows of the types of layers inside ``module``."""
    return {layer.type: layer.row for _, layer in module.all_layers if layer.row is not None}


def _named(name: str) -> ast.expr:
    return ast.Compare(ast.Name("name"), [ast.Eq()], [ast.Constant(name)])


def _everything(module: ir.Module) -> tuple[str, ...]:
    return tuple(name for name, _, _ in module.parameters())
