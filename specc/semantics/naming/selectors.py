"""Selectors: ``*.bias``, ``LayerNorm.*``, ``encoder.*.weight except encoder.0.*`` to parameter
names.

A pattern is a glob over the parameters' full names (``*`` spans dots), ``Type.parameter`` for a
layer type, inside torch's composite layers too, or the model's name for everything. One that
matches nothing is an error, never an empty match."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from specc import ir
from specc.catalog import LAYERS
from specc.errors import Collector
from specc.suggestions import meant, nearest
from specc.syntax.tree import ast

# What a pattern that ends in `weight` or `bias` means: torch has other names for some of them.
_FORMS: Final = {
    "weight": re.compile(
        r"weight|in_proj_weight|[qkv]_proj_weight|weight_(?:ih|hh|hr)(?:_l\d+)?(?:_reverse)?"
    ),
    "bias": re.compile(r"bias|in_proj_bias|bias_[kv]|bias_(?:ih|hh)(?:_l\d+)?(?:_reverse)?"),
}

# Of a selector that a message proposes.
_MOST_PATTERNS: Final = 6

# What `with` makes of a parameter: one, or the two of weight_norm.
_PARAMETRIZED: Final = re.compile(r"parametrizations\.(\w+)\.original[01]?$")


@dataclass(frozen=True, slots=True)
class Among:
    """How selectors name the members of training: each model's name to its attribute, and the
    attributes that never learn. Without members, a selector is about the one model."""

    members: Mapping[str, str] = field(default_factory=dict)
    still: tuple[str, ...] = ()

    @property
    def several(self) -> bool:
        return len(self.members) > 1

    def learning(self, module: ir.Module) -> tuple[str, ...]:
        """The parameters that an optimizer may step."""
        return tuple(
            name for name, _, _ in module.parameters() if name.partition(".")[0] not in self.still
        )

    def patterns(self, pattern: str) -> tuple[str, ...]:
        """A pattern as the members' parameters are named: from the training module."""
        if not self.members:
            return (pattern,)
        head, _, rest = pattern.partition(".")
        if head in self.members:
            return (f"{self.members[head]}.{rest or '*'}",)
        if head in LAYERS or self.several:
            return (pattern,)
        return (pattern, f"{next(iter(self.members.values()))}.{pattern}")


def resolve(
    selector: ast.Selector, model: ir.Module, collector: Collector, among: Among | None = None,
    within: Collection[str] | None = None,
) -> ir.Selection | None:  # fmt: skip
    """The parameters that ``selector`` picks, in the model's order; None where it was reported.

    ``within`` are those that can be picked at all: what an optimizer steps, for its groups."""
    among = among or Among()
    chosen: set[str] = set()
    failed = False
    every = [name for name, _, _ in model.parameters()]
    for pattern in selector.patterns:
        collector.hold(len(every), pattern.span)
        names = among_matches(pattern.text, model, among)
        if not names:
            _nothing(pattern, model, collector, among)
            failed = True
        elif within is not None and names.isdisjoint(within):
            _outside(pattern, names, collector)
            failed = True
        chosen |= names if within is None else names.intersection(within)
    for pattern in selector.excluded:
        collector.hold(len(every), pattern.span)
        names = among_matches(pattern.text, model, among) & chosen
        if not names:
            _nothing(pattern, model, collector, among, " of what stands before `except`")
            failed = True
        chosen -= names
    if failed:
        return None
    ordered = tuple(name for name in every if name in chosen)
    if not ordered:
        collector.error(
            "E0401", "this selector leaves no parameter", selector.span, "widen it, or take it away"
        )
        return None
    text = ", ".join(pattern.text for pattern in selector.patterns)
    if selector.excluded:
        text += " except " + ", ".join(pattern.text for pattern in selector.excluded)
    return ir.Selection(text, ordered)


def among_matches(pattern: str, model: ir.Module, among: Among) -> set[str]:
    """As ``matches``, of training's members."""
    names: set[str] = set()
    for text in among.patterns(pattern):
        names |= matches(text, model)
    return {name for name in names if name.partition(".")[0] not in among.still}


def matches(pattern: str, model: ir.Module) -> set[str]:
    """The full names of the parameters that one pattern matches."""
    if pattern == model.name:
        return {name for name, _, _ in model.parameters()}
    head, _, rest = pattern.partition(".")
    inside = _matcher(rest or "*")
    owned = tuple(ir.owned_parameters(model))
    if head in LAYERS or any(head == type_ for each in owned for type_, _ in each.around):
        return {
            each.name
            for each in owned
            for type_, name in each.around
            if type_ == head and inside(name)
        }
    blocks = [(path, layer) for path, layer in model.all_blocks if layer.type == head]
    if blocks:
        return {
            f"{path}.{name}"
            for path, layer in blocks
            if layer.module is not None
            for name, _, _ in layer.module.parameters()
            if inside(name)
        }
    full = _matcher(pattern)
    return {each.name for each in owned if full(each.name)}


def picking(names: Collection[str], model: ir.Module) -> str | None:
    """A selector of ``names`` alone, by types of layers where those have no others; None where it
    would be a long one."""
    wanted, covered = set(names), set[str]()
    patterns: list[str] = []
    for each in ir.owned_parameters(model):
        if each.name not in wanted or each.name in covered:
            continue
        kinds = (f"{type_}.{name}" for type_, name in each.around if type_)
        pattern = next((kind for kind in kinds if matches(kind, model) <= wanted), each.name)
        covered |= {each.name} if pattern == each.name else matches(pattern, model)
        patterns.append(pattern)
        if len(patterns) > _MOST_PATTERNS:
            return None
    return ", ".join(patterns) or None


def in_two(selector: ast.Selector, model: ir.Module, among: Among | None = None) -> list[str]:
    """What of ``selector`` is a weight that ``weight_norm`` has made two parameters of, picked as
    the weight that it was: the names of the parameters."""
    forms = [each.text for each in selector.patterns if each.text.rpartition(".")[2] in _FORMS]
    names = set().union(*(among_matches(text, model, among or Among()) for text in forms))
    return sorted(name for name in names if name.endswith((".original0", ".original1")))


def could_match(pattern: str, kept: Collection[str] = ()) -> bool:
    """Whether the end of ``pattern`` is the name of a parameter that some layer has, or one of
    those that models and blocks have ``kept``."""
    last = pattern.rpartition(".")[2]
    return (
        last in kept
        or "*" in last
        or "?" in last
        or last.startswith(("weight", "bias", "in_proj_", "original"))
        or last.endswith(("_weight", "_bias"))
        or "." not in pattern
    )


def _matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a name is one that ``pattern`` means."""
    place, dot, last = pattern.rpartition(".")
    form = _FORMS.get(last)
    # Its expression never goes back over what a star has taken.
    glob = re.compile(fnmatch.translate(pattern if form is None else place))
    if form is None:
        return lambda name: glob.fullmatch(name) is not None

    def matches_form(name: str) -> bool:
        inside, between, own = _PARAMETRIZED.sub(r"\1", name).rpartition(".")
        return dot == between and bool(glob.fullmatch(inside)) and bool(form.fullmatch(own))

    return matches_form


def _outside(pattern: ast.Pattern, names: set[str], collector: Collector) -> None:
    """An E0402 for a pattern of a group, none of whose parameters its optimizer steps."""
    collector.error(
        "E0402",
        f"`{pattern.text}` matches `{min(names)}`, which is not among the optimizer's parameters",
        pattern.span,
        "a group changes settings for some of what its optimizer steps",
    )


def _nothing(
    pattern: ast.Pattern, model: ir.Module, collector: Collector, among: Among, of: str = ""
) -> None:
    names = [name for name, _, _ in model.parameters()]
    close = next(
        (each for each in _meant(pattern.text, model, among) if among_matches(each, model, among)),
        None,
    )
    if close is not None:
        advice = meant(close)
    elif not names:
        advice = f"{model.name} has no parameters"
    else:
        shown = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
        advice = _places(pattern.text, names) or f"{model.name} has {shown}"
    collector.error("E0401", f"`{pattern.text}` matches no parameter{of}", pattern.span, advice)


def _meant(pattern: str, model: ir.Module, among: Among) -> Iterator[str]:
    """The patterns that ``pattern`` may have been meant to be, the likeliest first: with one of its
    words spelt as a model, a block, a layer or a parameter is; all that is in a layer; what is
    deeper inside."""
    names = [name for name, _, _ in model.parameters()]
    types = sorted(
        {type_ for each in ir.owned_parameters(model) for type_, _ in each.around if type_}
    )
    blocks = sorted({layer.type for _, layer in model.all_blocks})
    heads = [*among.members, *([] if among.members else [model.name]), *blocks, *types]
    words = pattern.split(".")
    if words[0].lower() in ("self", "model", "net", "module", model.name.lower()) and words[1:]:
        yield ".".join(words[1:])  # Python's name of the whole
        yield ".".join([*words[1:], "*"])
    inside = list(dict.fromkeys(word for name in names for word in name.split(".")))
    for place, word in enumerate(words):
        close = nearest(word, [*heads, *inside] if place == 0 else inside)
        if close is not None and word not in inside and (place or word not in heads):
            yield (spelt := ".".join([*words[:place], close, *words[place + 1 :]]))
            yield f"{spelt}.*"
    whole = nearest(pattern, names)
    if whole is not None:
        yield whole
    yield f"{pattern}.*"
    deeper = [name for name in names if name.endswith(f".{pattern}")]
    yield deeper[0] if len(deeper) == 1 else f"*.{pattern}"


def _places(pattern: str, names: Sequence[str]) -> str | None:
    """Which numbers a list has, where the number in ``pattern`` is none of them."""
    words = pattern.split(".")
    for place, word in enumerate(words):
        if not word.isdigit():
            continue
        before, behind = ".".join(words[:place]), ".".join(words[place + 1 :])
        every = f"{before}.*" + (f".{behind}" if behind else "")
        full = re.compile(fnmatch.translate(every))
        found = {name.split(".")[place] for name in names if full.fullmatch(name)}
        numbers = sorted(int(each) for each in found if each.isdigit())
        if before and numbers:
            return f"`{before}` has {numbers[0]} to {numbers[-1]}"
    return None
