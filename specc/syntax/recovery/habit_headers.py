"""Headers in Python's form, and headers that cannot be read: how to read on into their bodies.

A ``class``, a colon with an indented body, a brace on the next line, a misspelt word. Non-goal: the
statements inside (``habit_statements``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from specc.errors import Diagnostic, Fix
from specc.suggestions import meant, nearest
from specc.syntax.recovery.stopped_at import Line, Recovery, line_at, span_of

_WORDS_OF_FILES: Final = "model block train test param use".split()
# Of models, blocks, `train` and `test` alike: which of them a line is in, its words do not tell.
_WORDS_OF_BODIES: Final = (
    "input output parameter buffer layer init weights freeze regularize constrain clip optimizer"
    " scheduler step copy ema accumulate precision metric group sizes seed steps targets devices"
    " dtypes modes layouts optimizers nonfinite params drop transpose fresh cat split"
).split()
# Where a header can be read no other way, its body is read as this.
_SOME_BODY: Final = "if true {"
_INSTEAD_OF: Final = {
    "while": "the number of rounds is known: `for i in range(3) { ... }`",
    "with": "take the line away; `detach(x)` stops gradients",
    "try": "take the line away: nothing raises here",
}
# What other languages call a word of this one.
_FOREIGN_WORDS: Final = {
    "module": "model", "network": "model", "net": "model", "func": "block", "function": "block",
    "training": "train", "optim": "optimizer", "sched": "scheduler", "lr_scheduler": "scheduler",
    "out": "output", "outputs": "output", "inputs": "input", "in": "input", "metrics": "metric",
    "include": "use", "config": "param", "params": "param", "parameter": "param",
    "target": "targets", "mode": "modes",
    "regularizer": "regularize", "constraint": "constrain",
}  # fmt: skip


def broken_header(
    text: str, position: int, inserted: Sequence[int] = ()
) -> tuple[int, int, str] | None:
    """How to read on after a header at ``position`` that opens a brace and cannot be read: the
    stretch, and what to read there."""
    line = line_at(text, position, "", inserted)
    if not line.said.rstrip().endswith("{") or line.said.count("{") - line.said.count("}") != 1:
        return None
    match = re.match(r"[ \t]*(?:(model|block|step)[ \t]+([A-Za-z_]\w*)|(train|test)\b)", line.said)
    if match is not None:
        head = f"{match[1]} {match[2]} {{" if match[1] else f"{match[3]} {{"
    elif re.match(r"[ \t]*(\w+[ \t]*:[ \t]*)?(for|if|while|with|try)\b", line.said):
        head = _SOME_BODY
    else:
        return None
    return (line.start, line.end, head) if len(head) <= line.end - line.start else None


def tell_class(line: Line, match: re.Match[str]) -> Recovery | None:
    """``class Net(nn.Module):`` is read as a model."""
    advice = f"write `model {match['name']} {{ ... }}`, with `input` and `output` lines in it"
    found = line.finding(match, "word", "there are no classes here", advice)
    return _opened(line, found, f"model {match['name']}")


def tell_def(line: Line, match: re.Match[str]) -> Recovery:
    """``def forward(self, x):`` is not read; its body is, as statements."""
    advice = (
        "layers are made where they are fed: `y = x -> Linear(8)`; take this line away"
        if match["name"] == "__init__"
        else "what a model is fed it says itself, as in `input x: float[N, 8]`; its statements"
        " stand right in its braces; for a part that is used again, write a `block`"
    )
    return line.finding(
        match, "word", "there are no functions to define here", advice, words=("input",)
    )


def tell_base_class(line: Line, match: re.Match[str]) -> Recovery:
    """``model Net(nn.Module) {`` is read without what is in the parentheses."""
    start, end = line.place(match, "base")
    return line.finding(
        match, "base", f"a {match['word']} has no base class",
        f"write `{match['head'].strip()} {{`", edits=((start, end, ""),),
    )  # fmt: skip


def tell_untyped_param(line: Line, match: re.Match[str]) -> Recovery | None:
    """``block Body(width, rate=0.1) {`` is read without its params."""
    start, _ = line.place(match, "given")
    items = list(re.finditer(r"[^,]+", match["given"]))
    for item in items:
        name = re.match(r"\s*([A-Za-z_]\w*)\s*(?:=\s*(.*\S))?\s*$", item[0])
        if name is None:
            continue
        default = name[2]
        kind = "int" if default is None else _kind(default)
        if kind is None:
            return None
        typed = f"{name[1]}: {kind}" + (f" = {default}" if default is not None else "")
        place = start + item.start() + name.start(1)
        told = Diagnostic(
            "E0102",
            f"the param `{name[1]}` has no type",
            span_of(line.text, place, place + len(name[1]), line.file),
            f"write `{typed}`",
        )
        # Neither the block nor what its params stand for is known from here on.
        unread = {match["name"], *(each[0].split(":")[0].split("=")[0].strip() for each in items)}
        return Recovery(told, ((*line.place(match, "params"), ""),), words=frozenset(unread))
    return None


def _kind(default: str) -> str | None:
    """The type of a default that is a literal; None of any other."""
    if default.lower() in ("true", "false"):
        return "bool"
    if re.fullmatch(r"-?\d+", default):
        return "int"
    return "float" if re.fullmatch(r"-?[\d.]+(?:[eE][+-]?\d+)?", default) else None


def tell_colon(line: Line, match: re.Match[str]) -> Recovery | None:
    """``for i in range(3):`` is read with braces around what is indented below."""
    head = match["head"].rstrip()
    word = match["word"]
    if word == "elif":
        return line.finding(
            match, "word", "there is no `elif` here", "write `} else if ... { ... }`"
        )
    if word in ("while", "with", "try"):
        return line.finding(match, "word", f"there is no `{word}` here", _INSTEAD_OF[word])
    advice = f"write `{head.strip()} {{`, and `}}` behind its last line"
    if word == "else":
        advice = "write `} else {`, with the `}` that ends the `if`"
    found = line.finding(match, "colon", "a body stands in braces", advice)
    return _opened(line, found, _SOME_BODY.rstrip(" {") if word == "else" else head)


def tell_foreign_header(line: Line, match: re.Match[str]) -> Recovery | None:
    """``while depth > 0 {`` is read as a branch."""
    word = match["word"]
    found = line.finding(match, "word", f"there is no `{word}` here", _INSTEAD_OF[word])
    return _opened(line, found, _SOME_BODY.rstrip(" {"))


def tell_one_line(line: Line, match: re.Match[str]) -> Recovery:
    """``for i in range(3): x = relu(x)``."""
    said = f"{match['head']} {{ {match['rest'].strip()} }}"
    found = line.finding(match, "whole", "a body stands in braces", f"write `{said}`")
    start, end = line.place(match, "whole")
    fix = Fix(start, end, said, f"write `{match['head']} {{ ... }}`")
    return replace(found, diagnostic=replace(found.diagnostic, fix=fix))


def tell_brace_below(line: Line, match: re.Match[str]) -> Recovery | None:
    """A brace below its header is read behind it."""
    below = re.compile(r"\s*\{[ \t]*(?=\r?\n|#|$)").match(line.text, line.end)
    if below is None:
        return None
    brace = line.text.index("{", line.end)
    found = Diagnostic(
        "E0102",
        "a `{` stands on the line of what it opens",
        span_of(line.text, brace, brace + 1, line.file),
        f"write `{line.said.strip()} {{`",
    )
    return Recovery(found, ((brace, brace + 1, ""),), insertion=(line.end, "{"))


def tell_else_below(line: Line, match: re.Match[str]) -> Recovery | None:
    """``else {`` on a line of its own is read as a branch of its own."""
    found = line.finding(
        match, "word", "`else` stands on the line of the `}` before it", "write `} else {`"
    )
    return _opened(line, found, _SOME_BODY.rstrip(" {"))


def tell_of_files(line: Line, match: re.Match[str]) -> Recovery | None:
    """``param k: int = 3`` and ``block Inner {`` inside of braces."""
    word = match["word"]
    advice = "write it there, outside of all braces"
    if word == "param":
        advice = "write it there, or in the head of a model: `width: int = 8`"
    found = line.finding(match, "word", f"`{word}` stands at the top of a file", advice)
    if not line.said.rstrip().endswith("{"):
        return found
    return _opened(line, found, _SOME_BODY.rstrip(" {"))


def tell_misspelt(line: Line, match: re.Match[str]) -> Recovery | None:
    """A first word that is nearly one of the language's."""
    word = match["word"]
    inside = line.said[:1] in (" ", "\t")
    words = _WORDS_OF_BODIES if inside else _WORDS_OF_FILES
    known = _FOREIGN_WORDS.get(word) or nearest(word, words)
    own = word in _WORDS_OF_FILES or word in _WORDS_OF_BODIES
    if known is None or own or known not in words:
        return None
    found = line.finding(match, "word", f"there is no `{word}` here", meant(known), words=(known,))
    if line.said.rstrip().endswith("{"):
        indent = line.said[: match.start("word")]
        rest = line.said[match.end("word") :].rstrip().rstrip("{").rstrip()
        return _opened(line, found, f"{indent}{known}{rest}")
    return found


def _opened(line: Line, found: Recovery, head: str) -> Recovery | None:
    """``found``, with the line read as ``head {`` and, where only indentation shows where the body
    ends, a ``}`` put there."""
    indent = line.said[: len(line.said) - len(line.said.lstrip())]
    wanted = (f"{indent}{head.strip()} {{", f"{indent}{head.strip()}{{", f"{head.strip()}{{")
    # What stands at its place is told at its place.
    header = next((each for each in wanted if len(each) <= line.end - line.start), None)
    if header is None:
        return found
    edits = ((line.start, line.end, header),)
    if line.said.rstrip().endswith("{"):
        return Recovery(found.diagnostic, edits, words=found.words)
    closing = (_end_of_indented(line), "}")
    return Recovery(found.diagnostic, edits, insertion=closing, words=found.words)


def _end_of_indented(line: Line) -> int:
    """Where the last line that is indented more than ``line`` ends, without its comment."""
    own = _indent(line.said)
    end, position = line.end, line.text.find("\n", line.end)
    while position >= 0:
        below = line_at(line.text, position + 1, line.file)
        if below.said.strip():
            if _indent(below.said) <= own:
                break
            end = below.end
        position = line.text.find("\n", max(below.end, position + 1))
    return end


def _indent(said: str) -> int:
    widened = said.expandtabs(8)
    return len(widened) - len(widened.lstrip())
