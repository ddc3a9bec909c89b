"""Statements of ``train`` and ``test`` in another form: settings without parentheses or commas,
selectors in quotes, calls of torch's that a statement does.

Each function says what is wrong with what a row of ``habits`` matched. Non-goals: words that are
no statement here (``habit_words``)."""

from __future__ import annotations

import re
from typing import Final

from specc.syntax.recovery.habit_expressions import proposed
from specc.syntax.recovery.stopped_at import Line, Recovery

_INITIALISER: Final = re.compile(r"\s*(?:self\.)?(?P<on>[\w.]+)\s*(?:,\s*(?P<rest>.*?))?\s*")


def tell_bare_settings(line: Line, match: re.Match[str]) -> Recovery:
    """``optimizer AdamW lr=1e-3``."""
    tail = match["tail"] or ""
    given = re.sub(r"[ \t]+(?=\w+[ \t]*=)", ", ", match["rest"].strip()).replace(",,", ",")
    said = f"{match['word']} {match['name']}({given}){' ' if tail else ''}{tail.strip()}"
    return proposed(
        line, match, "rest", "settings stand in parentheses", said, place="whole",
        otherwise=f"write `{match['word']} {match['name']}(...)`",
    )  # fmt: skip


def tell_no_selector(line: Line, match: re.Match[str]) -> Recovery:
    """``regularize L2(1e-4)``."""
    said = f"{match['whole'].strip()} on *.weight"
    message = f"`{match['word']}` says which parameters it is on"
    return proposed(line, match, "whole", message, said)


def tell_quoted_selector(line: Line, match: re.Match[str]) -> Recovery:
    """``on "head.*"`` is read as ``on head.*``."""
    start, end = line.place(match, "quoted")
    said = match["value"].strip()
    return line.finding(
        match, "quoted", "a selector stands without quotes", f"write `{said}`",
        edits=((start, end, said),),
    )  # fmt: skip


def tell_parameters(line: Line, match: re.Match[str]) -> Recovery:
    """``on model.parameters()``, ``on Critic.parameters()``."""
    start, end = line.place(match, "whole")
    words = re.findall(r"\w+", match["whole"])[1:-1]
    while words and words[0] in ("self", "model", "net", "module"):
        words.pop(0)
    if words:
        path = ".".join(words)
        said = f"on {path}" if words[0][0].isupper() else f"on {path}.*"
        return line.finding(
            match, "whole", "`on` selects parameters by their names", f"write `{said}`",
            edits=((start, end, said),),
        )  # fmt: skip
    return line.finding(
        match, "whole", "`on` selects parameters by their names",
        "take it away, for all parameters, or write `on *.weight`", edits=((start, end, ""),),
    )  # fmt: skip


def tell_group(line: Line, match: re.Match[str]) -> Recovery:
    """``{ weight_decay=0.0 on *.bias }``."""
    said = f"group({match['value'].strip()}) on"
    return proposed(line, match, "whole", "a group of parameters says so", said)


def tell_second_group(line: Line, match: re.Match[str]) -> Recovery:
    """Two groups in one line."""
    return line.finding(
        match, "word", "each group stands on a line of its own", "begin a new line before it"
    )


def tell_interval(line: Line, match: re.Match[str]) -> Recovery:
    """``scheduler StepLR(step_size=3) every step``."""
    each = "epoch" if match["value"].startswith("epoch") else "step"
    message = "how often a scheduler moves is said by `per`"
    return proposed(line, match, "whole", message, f"per {each}")


def tell_no_commas(line: Line, match: re.Match[str]) -> Recovery:
    """``sizes N=4 T=5``, ``targets eager compile``."""
    said = ", ".join(match["rest"].split())
    return proposed(line, match, "rest", f"what `{match['word']}` lists has commas between", said)


def tell_clipped(line: Line, match: re.Match[str]) -> Recovery:
    """``nn.utils.clip_grad_norm_(net.parameters(), 1.0)``."""
    kind = "GradNorm" if match["kind"] == "norm" else "GradValue"
    bound = match["bound"].strip()
    said = f"clip {kind}({bound})"
    return proposed(line, match, "whole", "gradients are cut by a statement of `train`", said)


def tell_initialised(line: Line, match: re.Match[str]) -> Recovery:
    """``nn.init.normal_(self.fc.weight, std=0.02)``."""
    found = _INITIALISER.fullmatch(match["rest"])
    form = "write `init xavier_uniform_ on *.weight`"
    message = "weights are filled by a statement of the model"
    if found is None:
        return line.finding(match, "whole", message, form)
    rest = (found["rest"] or "").strip()
    given = f"({rest})" if rest else ""
    said = f"init {match['name']}{given} on {found['on']}"
    return proposed(line, match, "whole", message, said, otherwise=form)
