"""Lines in Python's form that do not parse: what each should be, and how the rest is read on.

A row is a pattern over the line at fault, what to say of it, and what is read in its place, so that
a header that is not the language's does not hide its body. Non-goals: expressions that parse
(``specc.semantics.habits``); faults that no habit explains (``messages``)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from specc.errors import Diagnostic, Span

_WORDS_OF_FILES: Final = "model block train test param use".split()
# Of models, blocks, `train` and `test` alike: which of them a line is in, its words do not tell.
_WORDS_OF_BODIES: Final = (
    "input output layer init weights freeze regularize constrain clip optimizer scheduler step copy"
    " ema accumulate precision metric group sizes seed steps targets devices dtypes modes layouts"
).split()
# Where a header can be read no other way, its body is read as this.
_SOME_BODY: Final = "if true {"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and how to go on: each of ``edits`` is read in place of a stretch of the text
    that is as long or longer, and a brace is put in at ``insertion``. ``words`` were not read."""

    diagnostic: Diagnostic
    edits: tuple[tuple[int, int, str], ...]
    insertion: tuple[int, str] | None = None
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Line:
    """The line at fault, and those that its brackets hold, without its comment: ``said`` is
    ``text[start:end]`` in one line; ``fault`` is where in it the parser stopped."""

    text: str
    start: int
    end: int
    fault: int
    file: str

    @property
    def said(self) -> str:
        return re.sub(r"[\r\n]", " ", self.text[self.start : self.end])

    def place(self, match: re.Match[str], group: str | int) -> tuple[int, int]:
        """Where ``group`` stands in the text."""
        start, end = match.span(group)
        return self.start + start, self.start + end

    def finding(
        self, match: re.Match[str], group: str | int, message: str, help: str, *,
        code: str = "E0102", words: tuple[str, ...] = (),
        edits: tuple[tuple[int, int, str], ...] | None = None,
    ) -> Finding:  # fmt: skip
        """A finding at ``group`` of ``match``; without ``edits`` the line is read as nothing."""
        span = _span(self.text, *self.place(match, group), self.file)
        diagnostic = Diagnostic(code, message, span, help)
        if edits is not None:
            return Finding(diagnostic, edits)
        unread = frozenset([*re.findall(r"[A-Za-z_]\w*", self.said), *words])
        return Finding(diagnostic, ((self.start, self.end, ""),), words=unread)


_Say = Callable[[_Line, "re.Match[str]"], "Finding | None"]


def find_habit(text: str, position: int, file: str, inserted: Sequence[int] = ()) -> Finding | None:
    """What the line at ``position`` of ``text`` was meant to be, if it is in a form of Python's.

    ``inserted`` are the places of braces that are not the text's own."""
    comma = _comma_before(text, position, file)
    if comma is not None:
        return comma
    line = _line_at(text, position, file, inserted)
    for pattern, say in _ROWS:
        match = pattern.match(line.said)
        found = say(line, match) if match is not None else None
        if found is not None:
            return found
    for pattern, say in _ANYWHERE:
        for match in pattern.finditer(line.said):
            if match.start() <= line.fault - line.start <= match.end():
                found = say(line, match)
                if found is not None:
                    return found
    return None


def _comma_before(text: str, position: int, file: str) -> Finding | None:
    """A comma that ends a line, where the next line does not go on with what it promises."""
    last = text[:position].rstrip()
    if re.compile(r",[ \t]*(?:#|\r?\n|$)").match(text, position):
        last = text[: position + 1]
    elif not last.endswith(",") or "\n" not in text[len(last) : position]:
        return None
    start = len(last) - 1
    return Finding(
        Diagnostic(
            "E0102",
            "after this `,` the statement goes on, and the next line does not go on with it",
            _span(text, start, start + 1, file),
            "take the comma away",
        ),
        ((start, start + 1, ""),),
    )


def broken_header(text: str, position: int) -> tuple[int, int, str] | None:
    """How to read on after a header at ``position`` that opens a brace and cannot be read: the
    stretch, and what to read there."""
    line = _line_at(text, position, "")
    if not line.said.rstrip().endswith("{") or line.said.count("{") - line.said.count("}") != 1:
        return None
    match = re.match(r"[ \t]*(?:(model|block|step)[ \t]+([A-Za-z_]\w*)|(train|test)\b)", line.said)
    if match is not None:
        head = f"{match[1]} {match[2]} {{" if match[1] else f"{match[3]} {{"
    elif re.match(r"[ \t]*(\w+[ \t]*:[ \t]*)?(for|if)\b", line.said):
        head = _SOME_BODY
    else:
        return None
    return (line.start, line.end, head) if len(head) <= line.end - line.start else None


# ── headers ──────────────────────────────────────────────────────────────────────────────────────


def _class(line: _Line, match: re.Match[str]) -> Finding | None:
    advice = f"write `model {match['name']} {{ ... }}`, with `input` and `output` lines in it"
    found = line.finding(match, "word", "there are no classes here", advice)
    return _opened(line, found, f"model {match['name']}")


def _def(line: _Line, match: re.Match[str]) -> Finding:
    advice = (
        "layers are made where they are fed: `y = x -> Linear(8)`; take this line away"
        if match["name"] == "__init__"
        else "what a model is fed it says itself, as in `input x: float[N, 8]`; its statements"
        " stand right in its braces; for a part that is used again, write a `block`"
    )
    return line.finding(
        match, "word", "there are no functions to define here", advice, words=("input",)
    )


def _colon(line: _Line, match: re.Match[str]) -> Finding | None:
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


def _brace_below(line: _Line, match: re.Match[str]) -> Finding | None:
    below = re.compile(r"\s*\{[ \t]*(?=\r?\n|#|$)").match(line.text, line.end)
    if below is None:
        return None
    brace = line.text.index("{", line.end)
    found = Diagnostic(
        "E0102",
        "a `{` stands on the line of what it opens",
        _span(line.text, brace, brace + 1, line.file),
        f"write `{line.said.strip()} {{`",
    )
    return Finding(found, ((brace, brace + 1, ""),), insertion=(line.end, "{"))


def _else_below(line: _Line, match: re.Match[str]) -> Finding | None:
    found = line.finding(
        match, "word", "`else` stands on the line of the `}` before it", "write `} else {`"
    )
    return _opened(line, found, _SOME_BODY.rstrip(" {"))


def _opened(line: _Line, found: Finding, head: str) -> Finding | None:
    """``found``, with the line read as ``head {`` and, where only indentation shows where the body
    ends, a ``}`` put there."""
    header = f"{head.strip()} {{"
    if len(header) > line.end - line.start:
        header = f"{head.strip()}{{"
    if len(header) > line.end - line.start:
        return found
    edits = ((line.start, line.end, header),)
    if line.said.rstrip().endswith("{"):
        return Finding(found.diagnostic, edits, words=found.words)
    closing = (_end_of_indented(line), "}")
    return Finding(found.diagnostic, edits, insertion=closing, words=found.words)


def _end_of_indented(line: _Line) -> int:
    """Where the last line that is indented more than ``line`` ends, without its comment."""
    own = _indent(line.said)
    end, position = line.end, line.text.find("\n", line.end)
    while position >= 0:
        below = _line_at(line.text, position + 1, line.file)
        if below.said.strip():
            if _indent(below.said) <= own:
                break
            end = below.end
        position = line.text.find("\n", max(below.end, position + 1))
    return end


def _indent(said: str) -> int:
    widened = said.expandtabs(8)
    return len(widened) - len(widened.lstrip())


# ── statements ───────────────────────────────────────────────────────────────────────────────────


def _return(line: _Line, match: re.Match[str]) -> Finding:
    value = match["value"].strip()
    start, _ = line.place(match, "whole")
    return line.finding(
        match, "whole", "a model does not return; it puts out",
        f"write `output {value}`" if value else "write `output y`", words=("output",),
        # The two words are of one length: what is put out is read where it stands.
        edits=((start, start + 6, "output"),) if value else None,
    )  # fmt: skip


def _import(line: _Line, match: re.Match[str]) -> Finding:
    return line.finding(
        match, "whole", "nothing is imported: torch's names are known",
        "take the line away; blocks of another file come by `use \"blocks.spec\"`",
    )  # fmt: skip


def _attribute(line: _Line, match: re.Match[str]) -> Finding:
    name, value = match["name"], " ".join(match["value"].split())
    start, end = line.place(match, "head")
    is_layer = re.match(r"(torch\.)?nn\.[A-Z]|[A-Z]", value)
    if is_layer and "Sequential" in value:
        advice = f"name the row where it is fed: `y = x -> {name}: {{ Linear(8) -> ReLU }}`"
        return line.finding(match, "self", "there is no `self` here", advice)
    # A layer behind `nn.` is reported by itself: what of its arguments the shapes tell.
    advice = f"write `layer {name} = {re.sub(r'^(torch[.])?nn[.]', '', value)}`"
    said = f"layer {name}="
    if not is_layer:
        advice, said = f"write `{name} = {value}`", f"{name}="
    return line.finding(
        match, "self", "there is no `self` here: layers and values are known by their names",
        advice, edits=((start, end, said),),
    )  # fmt: skip


def _in_place(line: _Line, match: re.Match[str]) -> Finding:
    name, sign, value = match["name"], match["sign"], match["value"].strip()
    if re.search(r"[-+*/%@]|->", value) and not re.fullmatch(r"[\w.]*\(.*\)", value):
        value = f"({value})"
    return line.finding(
        match, "whole", "nothing is changed in place; a name is bound again",
        f"write `{name} = {name} {sign} {value}`",
    )  # fmt: skip


def _repeat(line: _Line, match: re.Match[str]) -> Finding | None:
    start, comma = line.place(match, "call")
    inside = line.text[comma : line.end]
    depth = 1
    for offset, character in enumerate(inside):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0:
            span = _span(line.text, start, comma + offset + 1, line.file)
            what = " ".join(inside[:offset].split())
            advice = f"write `repeat({match['count'].strip()}) {what}`"
            message = "what `repeat` makes stands behind its parentheses"
            end = comma + offset
            return Finding(
                Diagnostic("E0102", message, span, advice),
                ((comma - 1, comma, ")"), (end, end + 1, "")),
            )
    return None


def _docstring(line: _Line, match: re.Match[str]) -> Finding:
    start = line.start + match.start("quotes")
    end = line.text.find(match["quotes"], start + 3)
    end = len(line.text) if end < 0 else end + 3
    return Finding(
        Diagnostic(
            "E0102" if match["quotes"] == '"""' else "E0101",
            "there are no docstrings",
            _span(line.text, start, start + 3, line.file),
            "write comments: `# ...`",
        ),
        ((start, end, ""),),
    )


def _string_alone(line: _Line, match: re.Match[str]) -> Finding:
    code = "E0101" if match["whole"][0] == "'" else "E0102"
    return line.finding(
        match, "whole", "a string by itself says nothing", "write comments: `# ...`", code=code
    )


def _base_class(line: _Line, match: re.Match[str]) -> Finding:
    start, end = line.place(match, "base")
    return line.finding(
        match, "base", f"a {match['word']} has no base class",
        f"write `{match['head'].strip()} {{`", edits=((start, end, ""),),
    )  # fmt: skip


def _sizes(line: _Line, match: re.Match[str]) -> Finding:
    start, end = line.place(match, "whole")
    said = match["whole"]
    opening = start + said.index("(")
    return line.finding(
        match, "whole", "sizes stand in square brackets",
        f"write `{said.replace('(', '[', 1)[:-1]}]`",
        edits=((opening, opening + 1, "["), (end - 1, end, "]")),
    )  # fmt: skip


def _ternary(line: _Line, match: re.Match[str]) -> Finding:
    return line.finding(
        match, "word", "`if` does not stand inside an expression",
        "choose a tensor by `where(condition, a, b)`, and what to compute by"
        " `if condition { y = a } else { y = b }`",
    )  # fmt: skip


def _typed(line: _Line, match: re.Match[str]) -> Finding | None:
    if match["value"] is None:
        return line.finding(
            match, "whole", "a name with a type is an input, and says so",
            f"write `input {match['whole'].strip()}`", words=("input",),
        )  # fmt: skip
    return line.finding(
        match, "colon", "values have no types of their own: what is computed tells them",
        f"write `{match['name']} = {match['value'].strip()}`",
    )  # fmt: skip


def _declared(line: _Line, match: re.Match[str]) -> Finding:
    return line.finding(
        match, "word", f"there is no `{match['word']}` here: a name is made by binding it",
        f"write `{match['rest'].strip()}`",
    )  # fmt: skip


def _walrus(line: _Line, match: re.Match[str]) -> Finding:
    return line.finding(
        match, "sign", "a name is bound by `=`",
        f"write `{match['name']} = {match['value'].strip()}`",
    )  # fmt: skip


def _arrow(line: _Line, match: re.Match[str]) -> Finding:
    return line.finding(
        match, "sign", f"`{match['sign']}` cannot stand here", "a value is fed on with `->`",
        code="E0101" if match["sign"] == "|>" else "E0102",
    )  # fmt: skip


def _alone(line: _Line, match: re.Match[str]) -> Finding:
    word = match["word"]
    return line.finding(match, "word", f"there is no `{word}` here", _INSTEAD_OF[word])


def _method(line: _Line, match: re.Match[str]) -> Finding:
    name, method = match["name"], match["method"]
    if method in ("backward", "step", "zero_grad"):
        advice = "take the line away: the steps are made from `loss = ...` and `optimizer ...`"
    else:
        rest = match["rest"].strip()
        said = method.rstrip("_")
        arguments = f"{name}, {rest}" if rest else name
        advice = f"bind what it gives: `{name} = {said}({arguments})`"
    return line.finding(match, "whole", "a call by itself changes nothing here", advice)


def _called(line: _Line, match: re.Match[str]) -> Finding:
    name = match["name"]
    if name in ("print", "assert_"):
        advice = "take the line away: `specc show` lists every value and its shape"
    elif name == "super":
        advice = "take the line away: there are no classes here"
    else:
        advice = f"bind what it gives: `y = {match['whole'].strip()}`"
    return line.finding(match, "whole", "a call by itself changes nothing here", advice)


def _decorator(line: _Line, match: re.Match[str]) -> Finding:
    return line.finding(
        match, "whole", "there are no decorators here",
        "take the line away: `specc build --target` chooses how a model is compiled",
    )  # fmt: skip


def _lambda(line: _Line, match: re.Match[str]) -> Finding:
    return line.finding(
        match, "word", "there is no `lambda` here",
        "write what it computes right in the pipe, or make it a `block`",
    )  # fmt: skip


def _slashes(line: _Line, match: re.Match[str]) -> Finding:
    return line.finding(
        match, "sign", f"`{match['sign']}` begins no comment here", "comments are written `# ...`"
    )


def _several(line: _Line, match: re.Match[str]) -> Finding:
    start, end = line.place(match, "sign")
    last = end == line.end
    shown = "take it away" if last else "put what follows on a line of its own"
    return line.finding(
        match, "sign", "`;` cannot stand here", f"a newline ends a statement: {shown}",
        code="E0101", edits=((start, end, ""),) if last else None,
    )  # fmt: skip


def _quoted(line: _Line, match: re.Match[str]) -> Finding:
    start, end = line.place(match, "whole")
    return line.finding(
        match, "whole", "`'` cannot stand here: strings are written with double quotes",
        f'write `"{match["value"]}"`', code="E0101",
        edits=((start, start + 1, '"'), (end - 1, end, '"')),
    )  # fmt: skip


def _is_none(line: _Line, match: re.Match[str]) -> Finding:
    return line.finding(match, "word", "there is no `is` here", "write `==`, as in `k == none`")


def _assigned_word(line: _Line, match: re.Match[str]) -> Finding:
    word, value = match["word"], match["value"].strip()
    start, end = line.place(match, "sign")
    return line.finding(
        match, "word", f"`{word}` is a word of the language here and cannot be a name",
        f"write `{word} {value}`, or call a value of your own `{word}_`", code="E0107",
        edits=((start, end, ""),),
    )  # fmt: skip


def _loss(line: _Line, match: re.Match[str]) -> Finding:
    return line.finding(
        match, "whole", "the loss is a name that is bound",
        f"write `loss = {match['value'].strip()}`", words=("loss",),
    )  # fmt: skip


def _misspelt(line: _Line, match: re.Match[str]) -> Finding | None:
    word = match["word"]
    inside = line.said[:1] in (" ", "\t")
    words = _WORDS_OF_BODIES if inside else _WORDS_OF_FILES
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.75)
    known = _FOREIGN_WORDS.get(word) or (close[0] if close else None)
    if known is None or known == word or known not in words:
        return None
    found = line.finding(
        match, "word", f"there is no `{word}` here", f"did you mean `{known}`?", words=(known,)
    )
    if line.said.rstrip().endswith("{"):
        indent = line.said[: match.start("word")]
        rest = line.said[match.end("word") :].rstrip().rstrip("{").rstrip()
        return _opened(line, found, f"{indent}{known}{rest}")
    return found


_INSTEAD_OF: Final = {
    "while": "the number of rounds is known: `for i in range(3) { ... }`",
    "with": "take the line away; `detach(x)` stops gradients",
    "try": "take the line away: nothing raises here",
    "pass": "take the line away; braces may be empty",
    "break": "the number of rounds is known: say it in `range(...)`",
    "continue": "decide with `if ... { ... }` inside the loop",
    "assert": "state sizes where they come in: `input x: float[N, T] where T > 1`",
    "del": "take the line away: what nothing reads is not kept",
    "global": "take the line away: a `param` of the file is seen everywhere",
    "raise": "take the line away: nothing raises here",
}
_FOREIGN_WORDS: Final = {
    "module": "model", "network": "model", "net": "model", "func": "block", "function": "block",
    "training": "train", "optim": "optimizer", "sched": "scheduler", "lr_scheduler": "scheduler",
    "out": "output", "outputs": "output", "inputs": "input", "in": "input", "metrics": "metric",
    "include": "use", "config": "param", "params": "param", "parameter": "param",
    "device": "devices", "dtype": "dtypes", "target": "targets", "mode": "modes",
    "regularizer": "regularize", "constraint": "constrain",
}  # fmt: skip


def _compiled(rows: Iterable[tuple[str, _Say]]) -> tuple[tuple[re.Pattern[str], _Say], ...]:
    return tuple((re.compile(pattern), say) for pattern, say in rows)


_NAME: Final = r"[A-Za-z_]\w*"
_TYPE: Final = r"(?:float|int|uint|bool|complex|bfloat|index|unit|normal|[\w.]*Tensor)\w*"
# What a whole line is, the likeliest first.
_ROWS: Final = _compiled(
    (
        (r"""[ \t]*(?P<quotes>\"{3}|'{3})""", _docstring),
        (r"""[ \t]*(?P<whole>"[^"]*"|'[^']*')$""", _string_alone),
        (
            rf"(?P<head>[ \t]*(?P<word>model|block|class)[ \t]+{_NAME})[ \t]*"
            r"(?P<base>\([ \t]*(?:[\w.]*Module|object|ABC)?[ \t]*\))[ \t]*\{",
            _base_class,
        ),
        (r"[ \t]*(?P<whole>(?:import|from)[ \t]+\w.*)", _import),
        (rf"[ \t]*(?P<word>class)[ \t]+(?P<name>{_NAME})", _class),
        (rf"[ \t]*(?:async[ \t]+)?(?P<word>def)[ \t]+(?P<name>{_NAME})", _def),
        (r"[ \t]*(?P<whole>@[ \t]*\w[\w.]*(\(.*\))?)$", _decorator),
        (r"[ \t]*(?P<sign>//|/\*|--)", _slashes),
        (
            r"(?P<head>[ \t]*(?:\w+[ \t]*:[ \t]*)?(?P<word>model|block|train|test|step|for|if|else"
            r"|elif|while|with|try)\b[^{]*?)(?P<colon>:)$",
            _colon,
        ),
        (r"[ \t]*(?P<word>else)\b[^{]*\{", _else_below),
        (r"[ \t]*(?P<word>model|block|train|test|step|for|if)\b[^{]*$", _brace_below),
        (r"[ \t]*(?P<whole>return\b(?P<value>.*))", _return),
        (r"[ \t]*(?P<head>(?P<self>self)\.(?P<name>\w+)[ \t]*=)(?P<value>[^=].*)", _attribute),
        (
            r"[ \t]*(?P<word>optimizer|scheduler|metric|precision|output)[ \t]*(?P<sign>=)"
            r"(?P<value>[^=].*)",
            _assigned_word,
        ),
        (r"[ \t]*(?P<whole>loss(?:[ \t]*:[ \t]*|[ \t]+)(?P<value>[A-Za-z_].*))", _loss),
        (rf"[ \t]*(?P<name>{_NAME})[ \t]*(?P<sign>:=)(?P<value>.*)", _walrus),
        (
            rf"[ \t]*(?P<whole>(?P<name>{_NAME})[ \t]*(?P<colon>:)[ \t]*{_TYPE}[^={{]*"
            r"(?:=(?P<value>[^=].*))?)$",
            _typed,
        ),
        (r"[ \t]*(?P<word>let|var|const|val|auto)[ \t]+(?P<rest>\w.*=.*)", _declared),
        (r"[ \t]*(?P<word>pass|break|continue|assert|del|global|raise)\b", _alone),
        (rf"[ \t]*(?P<whole>(?P<name>{_NAME})\.(?P<method>\w+)\((?P<rest>.*)\))$", _method),
        (rf"[ \t]*(?P<whole>(?P<name>{_NAME})\(.*\))$", _called),
    )
)
# What stands at the place where the parser stopped.
_ANYWHERE: Final = _compiled(
    (
        (
            rf"(?P<whole>(?P<name>{_NAME})[ \t]*(?P<sign>\*\*|//|[-+*/@%])="
            r"(?P<value>[^=}][^}]*?))(?=[ \t]*(?:\}|$))",
            _in_place,
        ),
        (r"(?P<call>\brepeat[ \t]*\((?P<count>[^,()]+),)", _repeat),
        (r"(?P<word>\blambda\b)[ \t]*", _lambda),
        (r"(?P<word>\bis\b)[ \t]+(?:not[ \t]+)?[Nn]one", _is_none),
        (r"(?P<word>\bif\b)[^{]+\belse\b", _ternary),
        (r"(?P<sign>\|>|=>|>>)", _arrow),
        (r"(?P<sign>//)[ \t]*\w+[ \t]+\w.*", _slashes),
        (r"(?P<sign>;)", _several),
        (rf"(?P<whole>\b{_TYPE}\([^()]*,[^()]*\))", _sizes),
        (r"""(?P<whole>'(?P<value>[^'"\\]*)')""", _quoted),
        (rf"^[ \t]*(?P<word>{_NAME})\b(?![ \t]*[=(.,]).*", _misspelt),
    )
)


def _line_at(text: str, position: int, file: str, inserted: Sequence[int] = ()) -> _Line:
    """The line of ``position`` and those that its parentheses and square brackets hold."""
    position = min(position, len(text))
    start = text.rfind("\n", 0, position) + 1
    end, quoted, depth = start, False, 0
    for place in range(start, len(text)):
        character = text[place]
        if place in inserted:
            break
        if (character == "#" and not quoted) or (character == "\n" and depth <= 0):
            break
        if (
            character == "\n"
            and re.match(r"\n[ \t]*[)\]\w\"'{*-]", text[place : place + 200]) is None
        ):
            break
        quoted = (character == '"') != quoted
        depth += (character in "([") - (character in ")]")
        if not character.isspace():
            end = place + 1
    return _Line(text, start, end, position, file)


def _span(text: str, start: int, end: int, file: str) -> Span:
    line = text.count("\n", 0, start) + 1
    return Span(file, start, end, line, start - text.rfind("\n", 0, start))
