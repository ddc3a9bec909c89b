"""The map of ``weights``: paths in a checkpoint, and what they are called in the model.

A path is a glob that stands for the tensors it matches and for all that is inside the modules it
matches: ``h.*.attn`` is ``h.0.attn.weight`` too. ``*`` is as few characters as will do, dots among
them, ``?`` is one; what they stand for goes to the other side of ``->``. Non-goal: reading a
checkpoint (``specc.targets.weights``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from specc import ir
from specc.semantics.naming.graph import Graph
from specc.suggestions import did_you_mean, meant, nearest
from specc.syntax.tree import ast

_MOST_STARS = 8
_LONGEST = 200
_WILD = re.compile(r"[*?]")


@dataclass(frozen=True, slots=True)
class Glob:
    """A path that is compared with names; see the file's head."""

    text: str
    expression: re.Pattern[str]

    def matches(self, name: str) -> bool:
        return self.expression.match(name) is not None

    def renamed(self, name: str, target: str) -> str | None:
        """``name`` with ``target`` for what the path stands for; None where it does not match."""
        found = self.expression.match(name)
        if found is None:
            return None
        held = iter(found.groups())
        return _WILD.sub(lambda _: next(held), target) + name[found.end() :]


@lru_cache(maxsize=512)
def glob(path: str) -> Glob:
    """The glob that ``path`` writes."""
    return Glob(path, re.compile(expression(path, atomic=True), re.DOTALL))


def expression(path: str, *, atomic: bool = False) -> str:
    """The regular expression of ``path``, from the beginning of a name to the end of one of its
    parts, a group for each wildcard.

    Each piece after a star is looked for where it comes first. No later piece can want it further
    on, for the star before that piece takes what lies between: ``atomic`` says so to the engine,
    which then never goes back, however long the name."""
    end = r"(?=\.|$)" if not atomic else r"(?=\.|\Z)"
    pieces = [re.escape(piece).replace(r"\?", "(.)") for piece in path.split("*")]
    pieces[-1] += end
    open_, close = ("(?>", ")") if atomic else ("", "")
    return pieces[0] + "".join(f"{open_}(.+?){piece}{close}" for piece in pieces[1:])


def read_map(
    graph: Graph, model: ir.Module, lines: Sequence[ast.MapLine]
) -> tuple[ir.MapLine, ...]:
    """The lines as far as they can be read; E0260 for a path that is none, for sides that do not go
    together and for lines in an order that cannot be, E0261 for a path that names nothing of
    ``model``."""
    names = tensor_names(model)
    # What was reported may be missing from the model.
    told = graph.collector.failed
    found: list[ir.MapLine] = []
    for place, line in enumerate(lines):
        # All are looked at, so that each is reported.
        fits = [_is_path(graph, pattern) for pattern in (*line.paths, *line.targets)]
        if not all(fits) or not _are_sides(graph, line) or not _is_in_order(graph, line, found):
            continue
        own = [*(line.paths if line.verb in ("fresh", "copy") else ())]
        own += line.targets if line.verb != "rename" else ()
        if not told and not all([_is_known(graph, pattern, names, model) for pattern in own]):
            continue
        if line.verb == "rename" and not told:
            behind = [each.text for later in lines[place + 1 :] for each in later.paths]
            if not any(_may_meet(line.targets[0].text, path) for path in behind):
                _is_known(graph, line.targets[0], names, model)
        paths = tuple(pattern.text for pattern in line.paths)
        targets = tuple(pattern.text for pattern in line.targets)
        found.append(ir.MapLine(line.verb, paths, targets, line.span))
    return tuple(found)


def tensor_names(model: ir.Module) -> list[str]:
    """The names in the ``state_dict`` of ``model``."""
    return [
        *(name for name, _, _ in model.parameters()),
        *(
            name
            for name, holder, _ in model.buffers()
            if isinstance(holder, ir.Layer) or holder.persistent
        ),
    ]


def _is_path(graph: Graph, pattern: ast.Pattern) -> bool:
    text = pattern.text
    if not text or len(text) > _LONGEST or not text.isprintable():
        problem = f"this is no path: it has 1 to {_LONGEST} printable characters"
    elif "**" in text:
        problem = "two `*` side by side say no more than one"
    elif len(_WILD.findall(text)) > _MOST_STARS:
        problem = f"this path has more than {_MOST_STARS} wildcards"
    elif "" in text.split("."):
        problem = "between two dots of a path stands a name"
    else:
        return True
    graph.error(
        "E0260", problem, pattern.span,
        'a path is the name of a tensor or of a module, such as `"encoder.*.norm"`',
    )  # fmt: skip
    return False


def _are_sides(graph: Graph, line: ast.MapLine) -> bool:
    """Whether both sides of ``->`` have the same wildcards and are not the same; of a ``cat`` or a
    ``split``, whether one side is of several."""
    if not line.targets:
        return True
    left, right = ([path.text for path in side] for side in (line.paths, line.targets))
    several = left if line.verb == "cat" else right
    twice = next((path for path in several if several.count(path) > 1), None)
    other = next(
        (path for path in (*left, *right) if _WILD.findall(path) != _WILD.findall(left[0])), None
    )
    if line.verb in ("cat", "split") and len(several) == 1:
        problem = f"`{line.verb}` of `{left[0]}` has one tensor on both sides"
        help_ = (
            'another name alone is `"old" -> "new"`; `cat` has several on the left, `split` on the'
            " right"
        )
    elif left == right:
        problem = f"both sides are `{left[0]}`: this changes nothing"
        help_ = "take the line away: what no line names keeps its name"
    elif twice is not None:
        problem = f"`{twice}` stands twice on one side of `{line.verb}`"
        help_ = "each part has a name of its own"
    elif other is not None:
        problem = f"`{left[0]}` and `{other}` do not have the same wildcards in the same order"
        help_ = 'what a `*` stands for goes to the other side: `"encoder.*" -> "*"`'
    else:
        return True
    graph.error("E0260", problem, line.span, help_)
    return False


def _is_in_order(graph: Graph, line: ast.MapLine, above: Sequence[ir.MapLine]) -> bool:
    """Whether no line above has made the model's own tensors of what ``line`` speaks of."""
    if line.verb not in ("rename", "drop", "transpose"):
        return True
    made = next((each for each in above if each.verb in ("cat", "split")), None)
    if made is None:
        return True
    graph.error(
        "E0260",
        f"what line {made.span.line} gives has its name in the model, and this line is about names"
        " in the file",
        line.span,
        f"put it above the lines of `{made.verb}`",
    )
    return False


def _may_meet(target: str, path: str) -> bool:
    """Whether a later line's ``path`` may speak of what a line calls ``target``: where the letters
    ahead of the wildcards leave that open."""
    ahead, other = (_WILD.split(text, maxsplit=1)[0] for text in (target, path))
    return ahead.startswith(other) or other.startswith(ahead)


def _is_known(
    graph: Graph, pattern: ast.Pattern, names: Sequence[str], model: ir.Module
) -> bool:  # fmt: skip
    """Whether ``pattern`` names something of the model."""
    if any(glob(pattern.text).matches(name) for name in names):
        return True
    modules = {name.rpartition(".")[0] for name in names}
    graph.error(
        "E0261", f"`{pattern.text}` names no tensor of {model.name}", pattern.span,
        did_you_mean(pattern.text, [*sorted(modules), *names])
        or _with_a_word_spelt(pattern.text, names)
        or "`specc show` lists its layers",
    )  # fmt: skip
    return False


def _with_a_word_spelt(path: str, names: Sequence[str]) -> str | None:
    """A ``path`` with wildcards as it was probably meant: one of its words spelt as the model's
    is."""
    words = path.split(".")
    inside = list(dict.fromkeys(word for name in names for word in name.split(".")))
    for place, word in enumerate(words):
        close = nearest(word, inside) if word not in inside and not _WILD.search(word) else None
        if close is not None:
            spelt = ".".join([*words[:place], close, *words[place + 1 :]])
            if any(glob(spelt).matches(name) for name in names):
                return meant(spelt)
    return None
