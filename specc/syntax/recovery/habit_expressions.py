"""Forms of Python's inside a line, and lines that set a part of something: what each should be.

Each function says what is wrong with what a row of ``habits`` matched; where a proposal is text it
is a ``Fix``, and tried. Non-goals: whole statements (``habit_statements``), headers
(``habit_headers``)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from specc.errors import Diagnostic, Fix
from specc.syntax.recovery.stopped_at import Line, Recovery, span_of

_IN_PLACE: Final = (
    "make a new value: `where(mask, a, x)`, `masked_fill(x, mask, 0.0)`, `cat([a, b], dim=1)`, or"
    " `slice_scatter(x, part, dim=1, start=0, end=2)`"
)
_NUMBER: Final = re.compile(r"-?\d[\d.]*(?:[eE][-+]?\d+)?|-?inf")
_BEGINS: Final = re.compile(
    r"[ \t]*(?:\}|[A-Za-z_]\w*(?:[ \t]*,[ \t]*\w+)*[ \t]*=(?!=)|(?:input|output|layer|init|freeze"
    r"|if|for|parameter|buffer|weights|optimizer|scheduler|metric|clip|regularize|constrain|step"
    r"|copy|ema|accumulate|precision)\b)"
)
# What goes on in the next line, where it ends one; and how far above its end may be.
_SIGN_AT_END: Final = re.compile(
    r"(->|\*\*|//|==|!=|<=|>=|[-+*/%@<>=]|\band\b|\bor\b|\bnot\b)\s*\Z"
)
_FURTHEST: Final = 2_000


def proposed(
    line: Line, match: re.Match[str], group: str, message: str, said: str, *,
    otherwise: str | None = None, place: str | None = None, code: str = "E0102",
) -> Recovery:  # fmt: skip
    """A finding at ``group`` that proposes ``said`` in the place of ``place``."""
    found = line.finding(match, group, message, f"write `{said}`", code=code)
    start, end = line.place(match, place or group)
    fix = Fix(start, end, said, otherwise)
    return replace(found, diagnostic=replace(found.diagnostic, fix=fix))


def tell_sign_at_end(text: str, position: int, file: str) -> Recovery | None:
    """An ``->`` or an operator that ends a line, where the next line begins another statement."""
    start = text.rfind("\n", 0, position) + 1
    above = text[max(start - _FURTHEST, 0) : start]
    bare = re.sub(r"#[^\n]*", lambda comment: " " * len(comment[0]), above)
    before = _SIGN_AT_END.search(bare)
    if before is None or _BEGINS.match(text[start:]) is None:
        return None
    sign = before[1]
    place = max(start - _FURTHEST, 0) + before.start(1)
    advice = "write what follows it, or take it away"
    if sign == "->":
        advice = "write the stage that takes the value, or take the arrow away"
    return Recovery(
        Diagnostic(
            "E0102",
            f"nothing stands behind this `{sign}`",
            span_of(text, place, place + len(sign), file),
            advice,
        ),
        # Without a value a name is bound to nothing, and not read.
        ((text.rfind("\n", 0, place) + 1 if sign == "=" else place, place + len(sign), ""),),
    )


def tell_elif(line: Line, match: re.Match[str]) -> Recovery:
    """``} elif condition {``."""
    return line.finding(match, "word", "there is no `elif` here", "write `else if`")


def tell_formatted(line: Line, match: re.Match[str]) -> Recovery:
    """``f"layer{i}"``."""
    return line.finding(
        match, "whole", "strings are plain here: nothing is put into them",
        "write the text itself, `\"layer\"`; the layers of a loop are numbered by themselves",
    )  # fmt: skip


def tell_dictionary(line: Line, match: re.Match[str]) -> Recovery:
    """``{"a": 1}``, ``{}``."""
    advice = "give each value a name, or make a list: `[x, y]`"
    if re.match(r"[ \t]*optimizer\b", line.said):
        advice = "other settings for some parameters: `{ group(lr=1e-4) on *.bias }` behind it"
    return line.finding(match, "sign", "there are no dictionaries here", advice)


def tell_part(line: Line, match: re.Match[str]) -> Recovery:
    """``x[:, 0] = y``, ``x[mask] = 0``."""
    name, value = match["name"], match["value"].strip()
    said = None if match["sign"] else _with_part(name, match["index"].strip(), value)
    message = "nothing is changed in place, in part or as a whole"
    if said is None:
        return line.finding(match, "whole", message, _IN_PLACE)
    return proposed(line, match, "whole", message, f"{name} = {said}", otherwise=_IN_PLACE)


def _with_part(name: str, index: str, value: str) -> str | None:
    """``name`` with ``value`` at ``index``."""
    items = [item.strip() for item in index.split(",")]
    number = _NUMBER.fullmatch(value) is not None
    if len(items) == 1 and not re.fullmatch(r"-?\d+|[^()]*:[^()]*", index):
        if number:
            return f"masked_fill({name}, {index}, {value})"
        return f"where({index}, {value}, {name})"
    cut = [place for place, item in enumerate(items) if item not in (":", "...")]
    if len(cut) != 1 or ("..." in items[:-1] and items[0] != "..."):
        return None
    dim = cut[0] - len(items) if items[0] == "..." else cut[0]
    item = items[cut[0]]
    ends = re.fullmatch(r"(\w*):(\w*)", item)
    if number:
        first, last = (ends[1] or "0", ends[2]) if ends else (item, "")
        if not ends and first.isdigit():
            last = str(int(first) + 1)
        if not first.isalnum() or not last:
            return None
        return f"index_fill({name}, {dim}, arange({first}, {last}), {value})"
    if ends is not None:
        bounds = f", start={ends[1]}" if ends[1] else ""
        bounds += f", end={ends[2]}" if ends[2] else ""
        return f"slice_scatter({name}, {value}, dim={dim}{bounds})"
    return f"select_scatter({name}, {value}, {dim}, {item})"


def tell_member(line: Line, match: re.Match[str]) -> Recovery:
    """``fc.weight.requires_grad = False``, ``fc.bias = x``."""
    name = match["name"]
    if match["member"] == "requires_grad":
        on = name if name.endswith((".weight", ".bias")) else f"{name}.*"
        on = on.removeprefix("self.")
        if match["value"].strip().lower() == "false":
            return proposed(
                line, match, "whole", "what is not trained is frozen", f"freeze on {on}",
                otherwise="what is not trained is frozen: `freeze on fc.*`",
            )  # fmt: skip
    return line.finding(
        match, "whole", "nothing has members that could be set",
        "bind a name to a new value: `y = x`",
    )  # fmt: skip


def tell_generator(line: Line, match: re.Match[str]) -> Recovery:
    """``sum(x for k in range(3))``."""
    return line.finding(
        match, "word", "`for` stands in square brackets here, or begins a line",
        "make a list: `[relu(x) for k in range(3)]`",
    )  # fmt: skip


# What is seen to be a mask, where it stands.
_MASKS: Final = re.compile(r"[<>=!]|\b(?:not|logical_\w+|is\w+|bool|mask\w*)\b|\w+_mask\b")


def tell_mask(line: Line, match: re.Match[str]) -> Recovery:
    """``a & b``, ``a || b``: of masks a function, of whole numbers another, which ``&`` of tensors
    is, and of what is known while compiling a word."""
    word = "and" if match["sign"][0] == "&" else "or"
    left, right = match["left"], match["right"]
    sign = match["sign"]
    form = (
        f"of masks, `logical_{word}(a, b)`; of whole numbers, `bitwise_{word}(a, b)`; of what is"
        f" known while compiling, `a {word} b`"
    )
    kind = "logical" if len(sign) > 1 or _MASKS.search(f"{left} {right}") else "bitwise"
    said = f"{kind}_{word}({_without_parentheses(left)}, {_without_parentheses(right)})"
    message = f"`{sign}` cannot stand here"
    if re.match(r"[ \t]*(?:if|param)\b", line.said):
        return proposed(line, match, "sign", message, word, code="E0101")
    beside = line.said[: match.start()].rstrip()[-1:] + line.said[match.end() :].lstrip()[:1]
    if any(character in "<>=!+-*/%@." for character in beside.replace("=", "", 1)):
        return line.finding(match, "sign", message, form, code="E0101")
    return proposed(
        line, match, "sign", message, said, otherwise=form, place="whole", code="E0101"
    )  # fmt: skip


def _without_parentheses(said: str) -> str:
    return said[1:-1] if said.startswith("(") else said


def tell_not(line: Line, match: re.Match[str]) -> Recovery:
    """``~mask``, ``!flag``."""
    value = match["value"]
    return proposed(
        line, match, "sign", f"`{match['sign']}` cannot stand here", f"not {value}",
        otherwise="of masks, `not mask`; of whole numbers, `bitwise_not(k)`", place="whole",
        code="E0101",
    )  # fmt: skip


def tell_curly_quotes(line: Line, match: re.Match[str]) -> Recovery:
    """A string in typographic quotes is read as one in straight ones."""
    start, end = line.place(match, "whole")
    return line.finding(
        match, "whole", "strings are written with straight double quotes",
        f'write `"{match["value"]}"`', code="E0101",
        edits=((start, start + 1, '"'), (end - 1, end, '"')),
    )  # fmt: skip
