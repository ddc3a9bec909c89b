"""``freeze teacher``: layers, blocks and models kept whole as in evaluation.

Their parameters, running statistics and dropout stay as they are while the rest trains. Non-goal:
``freeze on``, which holds parameters alone (``selectors``)."""

from __future__ import annotations

from collections.abc import Sequence

from specc import ir
from specc.errors import Collector
from specc.semantics.naming.selectors import matches
from specc.suggestions import did_you_mean, listed
from specc.syntax.tree import ast


def frozen_whole(
    named: Sequence[ast.Pattern], module: ir.Module, collector: Collector
) -> ir.Still | None:
    """What ``freeze`` names of ``module``; None where an E0401 was reported."""
    places = _places(module)
    paths: list[str] = []
    failed = False
    for pattern in named:
        collector.hold(len(places), pattern.span)
        found = _found(pattern.text, module, places)
        if not found:
            _report(pattern, module, places, collector)
            failed = True
        paths += found
    if failed:
        return None
    return still(", ".join(pattern.text for pattern in named), tuple(dict.fromkeys(paths)), module)


def still(text: str, paths: tuple[str, ...], module: ir.Module) -> ir.Still:
    """The layers at ``paths``, with all parameters in them."""
    heads = tuple(f"{path}." for path in paths)
    names = tuple(name for name, _, _ in module.parameters() if name.startswith(heads))
    return ir.Still(text, names, paths)


def _found(text: str, module: ir.Module, places: dict[str, None]) -> list[str]:
    if text in places:
        return [text]
    inside = (*module.all_layers, *module.all_blocks)
    return [path for path, layer in inside if layer.type == text]


def _places(module: ir.Module) -> dict[str, None]:
    """Every path at which a layer, a block or a list of them is."""
    found: dict[str, None] = {}
    for path, _ in (*module.all_layers, *module.all_blocks):
        while path:
            found[path] = None
            path = path.rpartition(".")[0]
    return found


def _report(
    pattern: ast.Pattern, module: ir.Module, places: dict[str, None], collector: Collector
) -> None:
    advice = did_you_mean(pattern.text, places, listed(places, f"{module.name} has "))
    if matches(pattern.text, module):
        advice = f"write `freeze on {pattern.text}`, which holds parameters alone"
    collector.error(
        "E0401", f"`{pattern.text}` is no layer, block or model here", pattern.span, advice
    )


def warn_of_statistics(
    statement: ast.Freeze, on: ir.Selection, module: ir.Module, collector: Collector
) -> None:
    """A W0321 where parameters are held whose layer goes on moving its running statistics."""
    kept = {path for each in module.frozen if isinstance(each, ir.Still) for path in each.paths}
    names = set(on.names)
    for path, layer in module.all_layers:
        own = [f"{path}.{name}" for name, _ in layer.parameters]
        if not own or not names.issuperset(own) or "running_mean" not in dict(layer.buffers):
            continue
        if any(path == each or path.startswith(f"{each}.") for each in kept):
            continue
        whole = [p.text.removesuffix(".*") for p in statement.on.patterns] if statement.on else []
        heads = [head for head in whole if path == head or path.startswith(f"{head}.")]
        advice = f"write `freeze {heads[0] if heads else path}`, which keeps them too"
        collector.warning(
            "W0321",
            f"`{path}` learns nothing, and its running statistics still move in training",
            statement.span, advice,
        )  # fmt: skip
        return
