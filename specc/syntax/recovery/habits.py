"""Lines in Python's form that do not parse: what each should be, and how the rest is read on.

A row is a pattern over the line at fault and what to say of it; ``re`` compiles and keeps those
that a fault asks for, so that a spec without one pays for none. Non-goals: expressions that parse
(``specc.semantics.proposals.python_habits``); faults that no habit explains (``messages``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from specc.syntax.recovery import habit_expressions as expressions
from specc.syntax.recovery import habit_headers as headers
from specc.syntax.recovery import habit_settings as settings
from specc.syntax.recovery import habit_statements as statements
from specc.syntax.recovery import habit_words as words
from specc.syntax.recovery.stopped_at import Line, Recovery, line_at

_Say = Callable[[Line, "re.Match[str]"], "Recovery | None"]

_NAME: Final = r"[A-Za-z_]\w*"
_TYPE: Final = r"(?:float|int|uint|bool|complex|bfloat|index|unit|normal|[\w.]*Tensor)\w*"
# What a mask's sign stands between, as far as it need not be read.
_OPERAND: Final = r"[\w.]+(?:\([^()]*\)|\[[^\[\]]*\])?|\([^()]*\)"
# What a whole line is, the likeliest first.
_ROWS: Final[tuple[tuple[str, _Say], ...]] = (
    (r"""[ \t]*(?P<quotes>\"{3}|'{3})""", statements.tell_docstring),
    (r"""[ \t]*(?P<whole>"[^"]*"|'[^']*')$""", statements.tell_string_alone),
    (
        rf"(?P<head>[ \t]*(?P<word>model|block|class)[ \t]+{_NAME})[ \t]*"
        r"(?P<base>\([ \t]*(?:[\w.]*Module|object|ABC)?[ \t]*\))[ \t]*\{",
        headers.tell_base_class,
    ),
    (
        rf"[ \t]*block[ \t]+(?P<name>{_NAME})[ \t]*(?P<params>\((?P<given>[^()]*)\))[ \t]*\{{",
        headers.tell_untyped_param,
    ),
    (r"[ \t]*(?P<whole>(?:import|from)[ \t]+\w.*)", statements.tell_import),
    (rf"[ \t]*(?P<word>class)[ \t]+(?P<name>{_NAME})", headers.tell_class),
    (rf"[ \t]*(?:async[ \t]+)?(?P<word>def)[ \t]+(?P<name>{_NAME})", headers.tell_def),
    (r"[ \t]*(?P<whole>@[ \t]*\w[\w.]*(\(.*\))?)$", statements.tell_decorator),
    (r"[ \t]*(?P<sign>//|/\*|--)", statements.tell_slashes),
    (r"""[^"';]*(?P<sign>;)""", statements.tell_several),
    (r"[ \t]+(?P<word>param|model|block|train|test|use)\b(?![ \t]*[=(.,])", headers.tell_of_files),
    (r"[ \t]*layer[ \t]+\w+[ \t]*(?P<sign>:)", statements.tell_layer_colon),
    (r"[ \t]*(?P<word>while|with|try)\b[^{:]*\{$", headers.tell_foreign_header),
    (
        rf"[ \t]*(?P<whole>(?P<name>{_NAME})\[(?P<index>.*)\][ \t]*(?P<sign>[-+*/@%]?)="
        r"(?P<value>[^=].*))$",
        expressions.tell_part,
    ),
    (
        rf"[ \t]*(?P<whole>(?P<name>(?!self\.\w+[ \t]*=){_NAME}(?:\.\w+)*)\.(?P<member>\w+)[ \t]*="
        r"(?P<value>[^=].*))$",
        expressions.tell_member,
    ),
    (
        r"[ \t]*(?P<whole>(?:\w+\.)*clip_grad_(?P<kind>norm|value)_\([^,]*,(?P<bound>[^,)]*)\))$",
        settings.tell_clipped,
    ),
    (
        r"[ \t]*(?P<whole>(?:torch\.)?(?:nn\.)?init\.(?P<name>\w+)\((?P<rest>.*)\))$",
        settings.tell_initialised,
    ),
    (
        r"[ \t]*(?P<whole>(?P<word>optimizer|scheduler|clip|regularize|constrain)[ \t]+"
        rf"(?P<name>{_NAME})[ \t]+(?P<rest>(?:{_NAME}[ \t]*=|[\d.]).*?)"
        r"(?P<tail>[ \t]+(?:on|per)\b.*)?)$",
        settings.tell_bare_settings,
    ),
    (
        r"[ \t]*(?P<whole>(?P<word>regularize|constrain)[ \t]+\w+(?:\([^()]*\))?)$",
        settings.tell_no_selector,
    ),
    (
        r"[ \t]*(?P<word>targets|devices|dtypes|modes|layouts|optimizers)[ \t]+"
        r"(?P<rest>\w+(?:[ \t]+\w+)+)$",
        settings.tell_no_commas,
    ),
    (
        r"[ \t]*(?P<word>sizes|params)[ \t]+(?P<rest>\w+=\w+(?:[ \t]+\w+=\w+)+)$",
        settings.tell_no_commas,
    ),
    (
        r"(?P<head>[ \t]*(?:\w+[ \t]*:[ \t]*)?(?P<word>model|block|train|test|step|for|if|else"
        r"|elif|while|with|try)\b[^{]*?)(?P<colon>:)$",
        headers.tell_colon,
    ),
    (
        r"[ \t]*(?P<whole>(?P<head>(?:for|if)\b[^{:]*[^{: \t])[ \t]*:[ \t]*"
        r"(?P<rest>[A-Za-z_][^{]*))$",
        headers.tell_one_line,
    ),
    (r"[ \t]*(?P<word>else)\b[^{]*\{", headers.tell_else_below),
    (r"[ \t]*(?P<word>model|block|train|test|step|for|if)\b[^{]*$", headers.tell_brace_below),
    (r"[ \t]*(?P<whole>return\b(?P<value>.*))", statements.tell_return),
    (
        r"[ \t]*(?P<head>(?P<self>self)\.(?P<name>\w+)[ \t]*=)(?P<value>[^=].*)",
        statements.tell_attribute,
    ),
    (
        r"[ \t]*(?P<word>optimizer|scheduler|metric|precision|output|accumulate)[ \t]*(?P<sign>=)"
        r"(?P<value>[^=].*)",
        statements.tell_assigned_word,
    ),
    (
        r"[ \t]*(?P<whole>(?P<word>sizes|params|seed|steps|targets|devices|dtypes|modes|layouts"
        r"|optimizers|nonfinite|accumulate)[ \t]*[=:](?P<value>[^=].*))",
        statements.tell_setting,
    ),
    (r"[ \t]*(?P<whole>loss(?:[ \t]*:[ \t]*|[ \t]+)(?P<value>[A-Za-z_].*))", statements.tell_loss),
    (rf"[ \t]*(?P<name>{_NAME})[ \t]*(?P<sign>:=|<-)(?P<value>.*)", statements.tell_walrus),
    (
        rf"[ \t]*(?P<whole>(?P<name>{_NAME})[ \t]*(?P<colon>:)[ \t]*{_TYPE}[^={{]*"
        r"(?:=(?P<value>[^=].*))?)$",
        statements.tell_typed,
    ),
    (
        rf"[ \t]*(?P<whole>(?P<name>{_NAME})[ \t]*:[ \t]*(?P<value>(?:(?:torch\.)?nn\.)?[A-Z]\w*"
        r"(?:\(.*\))?))$",
        statements.tell_named_layer,
    ),
    (
        r"[ \t]*(?P<word>let|var|const|val|auto|int|float|bool|str|tensor|Tensor)[ \t]+"
        r"(?P<rest>\w.*=.*)",
        statements.tell_declared,
    ),
    (r"[ \t]*(?P<word>pass|break|continue|assert|del|global|raise)\b", statements.tell_alone),
    (
        rf"[ \t]*(?P<whole>(?P<name>{_NAME})\.(?P<method>\w+)\((?P<rest>.*)\))$",
        statements.tell_method,
    ),
    (rf"[ \t]*(?P<whole>(?P<name>{_NAME})\(.*\))$", statements.tell_called),
    (rf"[ \t]*(?P<word>{_NAME})[ \t]*(?:[: \t]|$)(?![ \t]*[=(.,-])", words.tell_word),
)
# What stands at the place where the parser stopped.
_ANYWHERE: Final[tuple[tuple[str, _Say], ...]] = (
    (
        rf"(?P<whole>(?P<name>{_NAME})[ \t]*(?P<sign>\*\*|//|[-+*/@%])="
        r"(?P<value>[^=};][^};]*?))(?=[ \t]*(?:[};]|$))",
        statements.tell_in_place,
    ),
    (
        rf"(?P<whole>\b(?P<name>{_NAME})\.(?P<method>append|extend|insert)\((?P<rest>[^()]*)\))",
        statements.tell_method,
    ),
    # A name there is the position's, up to what cannot stand behind it.
    (
        r"(?P<call>\brepeat[ \t]*\((?P<count>[^,()]+),)(?:[ \t]*[A-Z]\w*\)?|[ \t]*\w*)",
        statements.tell_repeat,
    ),
    (r"(?P<word>\belif\b)", expressions.tell_elif),
    (r"""(?P<whole>\b[fFrRbBuU](?:"[^"]*"|'[^']*'))""", expressions.tell_formatted),
    (r"""(?P<sign>\{)[ \t]*(?:\}|["'][^"']*["'][ \t]*:)""", expressions.tell_dictionary),
    (r"\([^()]*(?P<word>\bfor\b)[^{]*$", expressions.tell_generator),
    (
        rf"(?P<whole>(?P<left>{_OPERAND})[ \t]*(?P<sign>&&?|\|\|?)(?!>)[ \t]*"
        rf"(?P<right>{_OPERAND}))",
        expressions.tell_mask,
    ),
    (rf"(?P<whole>(?P<sign>~|!)(?!=)[ \t]*(?P<value>{_OPERAND}))", expressions.tell_not),
    (
        "(?P<whole>[\u201c\u201d\u201e\u2018\u2019](?P<value>[^\u201c\u201d\u2018\u2019\"']*)"
        "[\u201c\u201d\u2018\u2019])",
        expressions.tell_curly_quotes,
    ),
    (r"""\bon[ \t]+(?P<quoted>["'](?P<value>[^"']*)["'])""", settings.tell_quoted_selector),
    (r"(?P<whole>\bon[ \t]+[\w.]*\bparameters\(\))", settings.tell_parameters),
    (r"\{[ \t]*(?P<whole>(?P<value>\w+[ \t]*=[^{}]*?)[ \t]+on\b)", settings.tell_group),
    (r"\bgroup\b.*(?P<word>\bgroup\b)", settings.tell_second_group),
    (
        r"scheduler\b.*\)[ \t]*(?P<whole>\b(?:every|each|on|by)[ \t]+"
        r"(?P<value>step|epoch|batch|iteration)\w*)",
        settings.tell_interval,
    ),
    (r"(?P<word>\blambda\b)[ \t]*", statements.tell_lambda),
    (r"(?P<word>\bis\b)[ \t]+(?:not[ \t]+)?[Nn]one", statements.tell_is_none),
    (r"(?P<word>\bif\b)[^{]+\belse\b", statements.tell_ternary),
    (r"(?P<sign>\|>|=>|>>)", statements.tell_arrow),
    (r"(?P<sign>//)[ \t]*\w+[ \t]+\w.*", statements.tell_slashes),
    (r"(?P<sign>;)", statements.tell_several),
    (rf"(?P<whole>\b{_TYPE}\([^()]*,[^()]*\))(?![ \t]*\[)", statements.tell_sizes),
    (r"""(?P<whole>'(?P<value>[^'"\\]*)')""", statements.tell_quoted),
    (rf"^[ \t]*(?P<word>{_NAME})\b(?![ \t]*[=(.,]).*", headers.tell_misspelt),
)


# Nobody writes a longer line by habit, and the patterns would go through it many times.
_LONGEST_LINE: Final = 1_000


def _is_long(text: str, position: int) -> bool:
    end = text.find("\n", position)
    start = text.rfind("\n", 0, position)
    return (len(text) if end < 0 else end) - start > _LONGEST_LINE


def find_habit(
    text: str, position: int, file: str, inserted: Sequence[int] = ()
) -> Recovery | None:
    """What the line at ``position`` of ``text`` was meant to be, if it is in a form of Python's.

    ``inserted`` are the places of braces that are not the text's own."""
    if _is_long(text, position):
        return None
    arrow = expressions.tell_sign_at_end(text, position, file)
    if arrow is not None:
        return arrow
    comma = statements.tell_comma(text, position, file)
    if comma is not None:
        return comma
    line = line_at(text, position, file, inserted)
    for pattern, say in _ROWS:
        match = re.match(pattern, line.said)
        found = say(line, match) if match is not None else None
        if found is not None:
            return found
    for pattern, say in _ANYWHERE:
        for match in re.finditer(pattern, line.said):
            if match.start() <= line.fault - line.start <= match.end():
                found = say(line, match)
                if found is not None:
                    return found
    return None
