"""Statements in Python's form: what each should be, and how much of it can be read all the same.

Each function says what is wrong with a line that a row of ``habits`` matched. Non-goals: headers
(``habit_headers``); which line is which."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from specc.catalog.advice.elsewhere import other_form
from specc.errors import Diagnostic, Fix
from specc.syntax.recovery import habit_states
from specc.syntax.recovery.stopped_at import Line, Recovery, span_of

_INSTEAD_OF: Final = {
    "pass": "take the line away; braces may be empty",
    "break": "the number of rounds is known: say it in `range(...)`",
    "continue": "decide with `if ... { ... }` inside the loop",
    "assert": "state sizes where they come in: `input x: float[N, T] where T > 1`",
    "del": "take the line away: what nothing reads is not kept",
    "global": "take the line away: a `param` of the file is seen everywhere",
    "raise": "take the line away: nothing raises here",
}


def tell_comma(text: str, position: int, file: str) -> Recovery | None:
    """A comma that ends a line, where the next line does not go on with what it promises."""
    last = text[:position].rstrip()
    if re.compile(r",[ \t]*(?:#|\r?\n|$)").match(text, position):
        last = text[: position + 1]
    elif not last.endswith(",") or "\n" not in text[len(last) : position]:
        return None
    start = len(last) - 1
    return Recovery(
        Diagnostic(
            "E0102",
            "after this `,` the statement goes on, and the next line does not go on with it",
            span_of(text, start, start + 1, file),
            "take the comma away",
        ),
        ((start, start + 1, ""),),
    )


def tell_return(line: Line, match: re.Match[str]) -> Recovery:
    """``return x`` is read as ``output x``."""
    value = match["value"].strip()
    start, _ = line.place(match, "whole")
    if value.startswith("{"):
        return line.finding(
            match, "whole", "a model does not return; it puts out",
            "put values out by their names: `output logits`", words=("output",),
        )  # fmt: skip
    return line.finding(
        match, "whole", "a model does not return; it puts out",
        f"write `output {value}`" if value else "write `output y`", words=("output",),
        # The two words are of one length: what is put out is read where it stands.
        edits=((start, start + 6, "output"),) if value else None,
    )  # fmt: skip


def tell_import(line: Line, match: re.Match[str]) -> Recovery:
    """``import torch``, ``from torch import nn``."""
    return line.finding(
        match, "whole", "nothing is imported: torch's names are known",
        "take the line away; blocks of another file come by `use \"blocks.spec\"`",
    )  # fmt: skip


def tell_attribute(line: Line, match: re.Match[str]) -> Recovery:
    """``self.fc = nn.Linear(8)`` is read as ``layer fc = ...``."""
    name, value = match["name"], " ".join(match["value"].split())
    start, end = line.place(match, "head")
    is_layer = re.match(r"(torch\.)?nn\.[A-Z]|[A-Z]", value)
    if is_layer and "Sequential" in value:
        advice = f"name the row where it is fed: `y = x -> {name}: {{ Linear(8) -> ReLU }}`"
        return line.finding(match, "self", "there is no `self` here", advice)
    state = re.fullmatch(r"(?:torch\.)?(?:nn\.|tf\.)?(?:Parameter|Variable)\((.*)\)", value)
    said = habit_states.parameter(name, state[1]) if state is not None else None
    if said is None and (flax := re.fullmatch(r"self\.param\((.*)\)", value)) is not None:
        said = habit_states.flax_parameter(flax[1])
    if said is not None:
        return _declared(line, match, "there is no `self` here", said)
    made = re.match(r"(?:torch\.)?nn\.(\w+)", value)
    form = other_form(made[1]) if made is not None else None
    if form is not None:
        return line.finding(match, "self", "there is no `self` here", form)
    # A layer behind `nn.` is reported by itself: what of its arguments the shapes tell.
    advice = f"write `layer {name} = ...`" if made else f"write `layer {name} = {value}`"
    said = f"layer {name}="
    if not is_layer:
        advice, said = f"write `{name} = {value}`", f"{name}="
    return line.finding(
        match, "self", "there is no `self` here: layers and values are known by their names",
        advice, edits=((start, end, said),),
    )  # fmt: skip


def tell_in_place(line: Line, match: re.Match[str]) -> Recovery:
    """``x += y``."""
    name, sign, value = match["name"], match["sign"], match["value"].strip()
    if re.search(r"[-+*/%@]|->", value) and not re.fullmatch(r"[\w.]*\(.*\)", value):
        value = f"({value})"
    return line.finding(
        match, "whole", "nothing is changed in place; a name is bound again",
        f"write `{name} = {name} {sign} {value}`",
    )  # fmt: skip


def tell_repeat(line: Line, match: re.Match[str]) -> Recovery | None:
    """``repeat(3, Linear(8))`` is read as ``repeat(3) Linear(8)``."""
    start, comma = line.place(match, "call")
    inside = line.text[comma : line.end]
    depth = 1
    for offset, character in enumerate(inside):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0:
            span = span_of(line.text, start, comma + offset + 1, line.file)
            what = " ".join(inside[:offset].split())
            advice = f"write `repeat({match['count'].strip()}) {what}`"
            message = "what `repeat` makes stands behind its parentheses"
            end = comma + offset
            return Recovery(
                Diagnostic("E0102", message, span, advice),
                ((comma - 1, comma, ")"), (end, end + 1, "")),
            )
    return None


def tell_docstring(line: Line, match: re.Match[str]) -> Recovery:
    """A docstring in three quotes, to its end."""
    start = line.start + match.start("quotes")
    end = line.text.find(match["quotes"], start + 3)
    end = len(line.text) if end < 0 else end + 3
    return Recovery(
        Diagnostic(
            "E0102" if match["quotes"] == '"""' else "E0101",
            "there are no docstrings",
            span_of(line.text, start, start + 3, line.file),
            "write comments: `# ...`",
        ),
        ((start, end, ""),),
    )


def tell_string_alone(line: Line, match: re.Match[str]) -> Recovery:
    """A string that is a line."""
    code = "E0101" if match["whole"][0] == "'" else "E0102"
    return line.finding(
        match, "whole", "a string by itself says nothing", "write comments: `# ...`", code=code
    )


def tell_sizes(line: Line, match: re.Match[str]) -> Recovery:
    """``float(N, 8)`` is read as ``float[N, 8]``."""
    start, end = line.place(match, "whole")
    said = match["whole"]
    opening = start + said.index("(")
    return line.finding(
        match, "whole", "sizes stand in square brackets",
        f"write `{said.replace('(', '[', 1)[:-1]}]`",
        edits=((opening, opening + 1, "["), (end - 1, end, "]")),
    )  # fmt: skip


def tell_ternary(line: Line, match: re.Match[str]) -> Recovery:
    """``a if condition else b``."""
    return line.finding(
        match, "word", "`if` does not stand inside an expression",
        "choose a tensor by `where(condition, a, b)`, and what to compute by"
        " `if condition { y = a } else { y = b }`",
    )  # fmt: skip


def tell_typed(line: Line, match: re.Match[str]) -> Recovery | None:
    """``x: float[N, 8]``, ``y: float = relu(x)``."""
    if match["value"] is None:
        return line.finding(
            match, "whole", "a name with a type is an input, and says so",
            f"write `input {match['whole'].strip()}`", words=("input",),
        )  # fmt: skip
    return line.finding(
        match, "colon", "values have no types of their own: what is computed tells them",
        f"write `{match['name']} = {match['value'].strip()}`",
    )  # fmt: skip


def tell_declared(line: Line, match: re.Match[str]) -> Recovery:
    """``let y = x``."""
    return line.finding(
        match, "word", f"there is no `{match['word']}` here: a name is made by binding it",
        f"write `{match['rest'].strip()}`",
    )  # fmt: skip


def tell_layer_colon(line: Line, match: re.Match[str]) -> Recovery:
    """``layer fc: Linear(8)`` is read with a ``=``."""
    start, end = line.place(match, "sign")
    said = re.sub(r"[ \t]*:", " =", line.said.strip(), count=1)
    return line.finding(
        match, "sign", "a layer is declared by `=`", f"write `{said}`", edits=((start, end, "="),)
    )


def tell_named_layer(line: Line, match: re.Match[str]) -> Recovery:
    """``fc: Linear(8)``."""
    name, value = match["name"], match["value"]
    return line.finding(
        match, "whole", "a label names a layer where it is fed",
        f"write `x -> {name}: {value}`, or declare it: `layer {name} = {value}`",
    )  # fmt: skip


def tell_walrus(line: Line, match: re.Match[str]) -> Recovery:
    """``y := x``."""
    return line.finding(
        match, "sign", "a name is bound by `=`",
        f"write `{match['name']} = {match['value'].strip()}`",
    )  # fmt: skip


def tell_arrow(line: Line, match: re.Match[str]) -> Recovery:
    """``x => relu``, ``x |> relu``."""
    return line.finding(
        match, "sign", f"`{match['sign']}` cannot stand here", "a value is fed on with `->`",
        code="E0101" if match["sign"] == "|>" else "E0102",
    )  # fmt: skip


def tell_alone(line: Line, match: re.Match[str]) -> Recovery:
    """``pass`` and its like."""
    word = match["word"]
    return line.finding(match, "word", f"there is no `{word}` here", _INSTEAD_OF[word])


def tell_method(line: Line, match: re.Match[str]) -> Recovery:
    """``loss.backward()``, ``x.relu_()``: a method called for what it changes."""
    name, method = match["name"], match["method"]
    if name == "self" and method == "register_buffer":
        said = habit_states.buffer(match["rest"])
        if said is not None:
            return _declared(line, match, "a call by itself changes nothing here", said)
    if method in ("backward", "step", "zero_grad"):
        advice = "take the line away: the steps are made from `loss = ...` and `optimizer ...`"
    else:
        rest = match["rest"].strip()
        if method in ("append", "extend") and rest:
            more = f"[{rest}]" if method == "append" else rest
            said = f"{name} = {name} + {more}"
            return _bound(line, match, said, other_form(method, method=True) or "")
        form = other_form(method, method=True)
        if form is not None:
            return line.finding(match, "whole", "a call by itself changes nothing here", form)
        said = method.rstrip("_")
        arguments = f"{name}, {rest}" if rest else name
        return _bound(line, match, f"{name} = {said}({arguments})")
    return line.finding(match, "whole", "a call by itself changes nothing here", advice)


def _declared(line: Line, match: re.Match[str], message: str, said: str) -> Recovery:
    """State of another framework, with its declaration in the line's place."""
    found = line.finding(
        match, "self" if "self" in match.re.groupindex else "whole", message, f"write `{said}`"
    )
    start = line.start + len(line.said) - len(line.said.lstrip())
    kind = "Parameter" if said.startswith("parameter") else "register_buffer"
    fix = Fix(start, line.end, said, other_form(kind))
    return replace(found, diagnostic=replace(found.diagnostic, fix=fix))


def _bound(
    line: Line, match: re.Match[str], said: str,
    otherwise: str = "name what it gives, as in `y = relu(x)`, or take it away",
) -> Recovery:  # fmt: skip
    """A call whose result is not named, with ``said`` in its place, or ``otherwise`` where that
    does not check."""
    found = line.finding(
        match, "whole", "a call by itself changes nothing here", f"bind what it gives: `{said}`"
    )
    start, end = line.place(match, "whole")
    fix = Fix(start, end, said, otherwise)
    return replace(found, diagnostic=replace(found.diagnostic, fix=fix))


def tell_called(line: Line, match: re.Match[str]) -> Recovery:
    """``print(x)``, ``super().__init__()``."""
    name = match["name"]
    if name == "register_buffer":
        said = habit_states.buffer(match["whole"].strip()[len(name) :].strip()[1:-1])
        if said is not None:
            return _declared(line, match, "a call by itself changes nothing here", said)
    if name in ("print", "assert_"):
        advice = "take the line away: `specc show` lists every value and its shape"
    elif name == "super":
        advice = "take the line away: there are no classes here"
    else:
        form = other_form(name)
        if form is None:
            return _bound(line, match, f"y = {match['whole'].strip()}")
        advice = form
    return line.finding(match, "whole", "a call by itself changes nothing here", advice)


def tell_decorator(line: Line, match: re.Match[str]) -> Recovery:
    """``@torch.compile``."""
    return line.finding(
        match, "whole", "there are no decorators here",
        "take the line away: `specc build --target` chooses how a model is compiled",
    )  # fmt: skip


def tell_lambda(line: Line, match: re.Match[str]) -> Recovery:
    """``lambda a: a``."""
    return line.finding(
        match, "word", "there is no `lambda` here",
        "write what it computes right in the pipe, or make it a `block`",
    )  # fmt: skip


def tell_slashes(line: Line, match: re.Match[str]) -> Recovery:
    """``// a comment``, ``/* another``."""
    return line.finding(
        match, "sign", f"`{match['sign']}` begins no comment here", "comments are written `# ...`"
    )


def tell_several(line: Line, match: re.Match[str]) -> Recovery:
    """A semicolon; one that ends its line is read over."""
    start, end = line.place(match, "sign")
    last = end == line.end
    shown = "take it away" if last else "put what follows on a line of its own"
    return line.finding(
        match, "sign", "`;` cannot stand here", f"a newline ends a statement: {shown}",
        code="E0101", edits=((start, end, ""),) if last else None,
    )  # fmt: skip


def tell_quoted(line: Line, match: re.Match[str]) -> Recovery:
    """A string in single quotes is read as one in double quotes."""
    start, end = line.place(match, "whole")
    return line.finding(
        match, "whole", "`'` cannot stand here: strings are written with double quotes",
        f'write `"{match["value"]}"`', code="E0101",
        edits=((start, start + 1, '"'), (end - 1, end, '"')),
    )  # fmt: skip


def tell_is_none(line: Line, match: re.Match[str]) -> Recovery:
    """``x is None``."""
    return line.finding(match, "word", "there is no `is` here", "write `==`, as in `k == none`")


def tell_assigned_word(line: Line, match: re.Match[str]) -> Recovery:
    """``optimizer = Adam(lr=0.1)`` is read without the ``=``."""
    word, value = match["word"], match["value"].strip()
    start, end = line.place(match, "sign")
    return line.finding(
        match, "word", f"`{word}` is a word of the language here and cannot be a name",
        f"write `{word} {value}`, or call a value of your own `{word}_`", code="E0107",
        edits=((start, end, ""),),
    )  # fmt: skip


def tell_loss(line: Line, match: re.Match[str]) -> Recovery:
    """``loss: MSELoss(y, z)``."""
    return line.finding(
        match, "whole", "the loss is a name that is bound",
        f"write `loss = {match['value'].strip()}`", words=("loss",),
    )  # fmt: skip


def tell_setting(line: Line, match: re.Match[str]) -> Recovery | None:
    """``steps=5``, ``targets = ["eager", "compile"]`` of a test, read as ``steps 5`` and ``targets
    eager, compile``."""
    word, value = match["word"], match["value"].strip()
    if word in ("sizes", "params"):
        inside = re.fullmatch(r"[\w.]*\((.*)\)", value)
        said = inside[1].strip() if inside is not None else value
        if not re.match(r"\w+[ \t]*=", said):
            return None
    elif re.fullmatch(r"[\s\w,\"'()\[\]]+", value):
        said = ", ".join(re.findall(r"\w+", value))
    else:
        said = value
    start, end = line.place(match, "whole")
    return line.finding(
        match, "whole", f"`{word}` is a word of the language here: what it says follows it",
        f"write `{word} {said}`", edits=((start, end, f"{word} {said}"),),
    )  # fmt: skip
