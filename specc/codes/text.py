"""Rows of the table of codes. E01: text and syntax."""

from specc.codes.form import Code

ROWS = {
    "E0101": Code(
        "a character that the language does not have",
        (
            "Outside strings and comments a spec is made of ASCII letters, digits, `_` and the "
            "language's own signs. Quotes are double, and a string ends on its line."
        ),
        "y = x -> Linear(10) ; relu",
        "Take the character away, or put the text in double quotes.",
    ),
    "E0102": Code(
        "a word where another was expected",
        (
            "The text stops making sense at the caret: the words before it can only be followed "
            "by what the message lists."
        ),
        "y = x -> -> relu",
        (
            "Write one of the words that the message lists, or look for what is missing just "
            "before the caret."
        ),
    ),
    "E0103": Code(
        "a bracket without its partner",
        "Every ( [ { is closed by its own kind, in the order in which they were opened.",
        "y = x -> Linear(10",
        "Close the bracket, or take away the one too many.",
    ),
    "E0104": Code(
        "an expression nested too deeply",
        (
            "No more than some hundred brackets are open at once, so that a hostile file cannot "
            "exhaust the machine's stack."
        ),
        "y = x + ((((((((((((((((((((((((((((((((((((((((",
        "Give the inner parts names, and use those.",
    ),
    "E0105": Code(
        "a number out of range",
        "A whole number has at most eighteen digits, and a fraction must fit a double.",
        "y = x * 1e999",
        "Write a smaller number.",
    ),
    "E0106": Code(
        "an escape that strings do not have",
        "Strings are JSON's: the escapes are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX.",
        'y = x -> gelu(approximate="\\q")',
        "Write a backslash as \\\\.",
    ),
    "E0107": Code(
        "a word of the language used as a name",
        "Where a statement can begin, the words that begin statements are not names.",
        "output = x -> relu",
        "Call it something else; with an underscore behind it, for example.",
    ),
    "E0108": Code(
        "a file without a model",
        "A spec says how at least one model computes its outputs.",
        "spec 1",
        "Write `model Name { input ... output ... }`.",
    ),
    "E0109": Code(
        "no version of the language, or another one",
        (
            "The first line says in which version of the language the file is written, so that "
            "the file keeps its meaning when the language grows."
        ),
        "spec 2",
        "Begin the file with `spec 1`, or install a specc that reads its version.",
    ),
    "E0110": Code(
        "an empty file",
        "There is nothing in it to check.",
        "specc check empty.spec",
        "Begin with `spec 1` and a model.",
    ),
}
