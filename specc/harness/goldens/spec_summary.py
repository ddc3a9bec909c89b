"""What a spec says, in words that a golden keeps: its losses, its values by name, its inits. A
golden of another meaning names by them what no number shows. Torch-free.

Non-goals: whether the meaning is another (``fingerprint``); what the numbers tell
(``staleness``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from specc import ir
from specc.catalog import INITS
from specc.harness.goldens.stale_names import few
from specc.inspect import program_notation, training_summary

_LONGEST: Final = 400
_MOST: Final = 300
# What other comparisons name by their numbers.
_KINDS: Final = {"term": "", "value": "", "init": "init ", "regularize": "", "constrain": "",
                 "clip": "", "scheduler": "", "metric": "", "computes": ""}  # fmt: skip


def said(program: ir.Program) -> dict[str, str]:
    """What ``program`` says, by ``kind/where``: ``term/loss``, ``init/Net.1``."""
    found: dict[str, str] = {}
    for key, text in _said(program):
        if len(found) >= _MOST:
            break
        while key in found:
            key += "'"
        found[key[:_LONGEST]] = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return found


def _said(program: ir.Program) -> Iterator[tuple[str, str]]:
    facts = training_summary.facts(program)
    for name, text in facts.shared if facts is not None else ():
        yield f"value/{name}", text
    for step in facts.steps if facts is not None else ():
        place = f"{step.name}." if step.name else ""
        yield from ((f"term/{place}{name}", text) for name, text in step.terms)
        yield from ((f"value/{place}{name}", text) for name, text in step.values)
        for kind, text in step.others:
            if kind in _KINDS:
                yield f"{kind}/{place}", text.partition(": ")[0]
    if facts is not None:
        yield from ((f"metric/{name}", text) for name, text in facts.metrics)
    subject = program.subject()
    modules = {subject.name: subject}
    for _, layer in subject.all_blocks:
        if layer.module is not None:
            modules.setdefault(layer.type, layer.module)
    for owner, module in modules.items():
        for count, each in enumerate(module.initializers, 1):
            text = program_notation.call(each.type, each.arguments, INITS.get(each.type), {})
            yield f"init/{owner}.{count}", f"{text} on {each.on.text}"
    for owner, module in modules.items():
        yield from ((f"computes/{owner}.{name}", text) for name, text in _values(module))


def _values(module: ir.Module) -> Iterator[tuple[str, str]]:
    """The values of a module that have a name, and what it puts out."""
    flat = list(ir.flat_nodes(module.nodes))
    made = {id(value): node for node in flat for value in ir.result_values(node.result)}
    values = [value for node in flat for value in ir.result_values(node.result) if value.named]
    named = {id(value) for value in (*values, *module.inputs)}
    outputs = [(output.name, output.value) for output in module.outputs]
    for name, value in (*((value.name, value) for value in values), *outputs):
        if id(value) in made:
            yield name, program_notation.expression(value, made, named)


def differences(before: Mapping[str, str], now: Mapping[str, str], *, alone: bool) -> Iterator[str]:
    """What of ``before`` is said otherwise ``now``; what models compute only where nothing else is
    told (``alone``), for each layer that is called otherwise changes it."""
    if not before:
        return  # of an older golden, which has none
    for kinds in (("term", "value"), ("init",), ("regularize", "constrain", "clip", "scheduler"),
                  ("metric",), ("computes",) if alone else ()):  # fmt: skip
        told = list(_of_kinds(kinds, before, now))
        if told:
            yield few(told, "")
            alone = False
        if "metric" in kinds and not alone:
            return


def _of_kinds(
    kinds: Iterable[str], before: Mapping[str, str], now: Mapping[str, str]
) -> Iterator[str]:
    for key in dict.fromkeys((*before, *now)):
        kind, _, where = key.partition("/")
        was, is_ = before.get(key), now.get(key)
        if kind not in kinds or was == is_ or was == "" or is_ == "":
            continue
        what = {"init": "init"}.get(kind, where.partition(".")[2] or where or kind)
        if kind in ("regularize", "constrain", "clip", "scheduler", "metric"):
            what = kind
        if was is None:
            yield f"`{what} {is_}` is new" if kind == "init" else f"`{what}` is new"
        elif is_ is None:
            yield f"`{what} {was}` is gone" if kind == "init" else f"`{what}` is gone"
        else:
            yield f"`{what}` was `{was}` and is `{is_}`"
