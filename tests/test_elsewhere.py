"""Every row of the table of what people write elsewhere: it is needed, and what it proposes works.

A rename is put in place of the right name in the catalogue's own example; the message's fix is
applied, and what comes of it must check. What is told in words has its pieces of code checked.
"""

from __future__ import annotations

import re

import pytest

from specc import front
from specc.catalog.advice import elsewhere
from specc.catalog.examples import KINDS, program_of
from specc.errors import Diagnostic
from specc.syntax.recovery import habit_words

TABLES = [table for kind, table in KINDS.items() if kind not in ("parametrization", "clip")]
RENAMES = {
    **elsewhere.LAYER_NAMES,
    **elsewhere.FUNCTION_NAMES,
    **elsewhere.LOSS_NAMES,
    **elsewhere.OPTIMIZER_NAMES,
}
# Spelt as another framework does, and here already: the shapes say the number of dimensions.
OF_A_RANK = {name: found for name, found in RENAMES.items() if "{}" in found}
CODE = re.compile(r"`([^`]+)`")


def errors(text: str) -> list[Diagnostic]:
    _, found, _ = front.check_text(text)
    return [item for item in found if item.severity == "error"]


def mended(text: str, found: list[Diagnostic]) -> str:
    """``text`` with every fix of ``found`` in its place."""
    for item in sorted(found, key=lambda item: item.fix[0] if item.fix else 0, reverse=True):
        assert item.fix is not None, item
        text = text[: item.fix.start] + item.fix.text + text[item.fix.end :]
    return text


def kind_of(name: str) -> str:
    return next(kind for kind, table in KINDS.items() if name in table)


@pytest.mark.parametrize("name", sorted({*RENAMES, *elsewhere.ELSEWHERE, *elsewhere.IN_A_PIPE}))
def test_a_row_is_of_a_name_that_nothing_here_has(name: str) -> None:
    assert not any(name in table for table in TABLES)


@pytest.mark.parametrize("name", sorted(elsewhere.PUBLISHED))
def test_what_torch_lacks_is_no_misspelling(name: str) -> None:
    assert not any(name in table for table in TABLES)
    assert name not in RENAMES and name not in elsewhere.ELSEWHERE
    assert elsewhere.other_form(name) == elsewhere.EXTEND


@pytest.mark.parametrize(
    ("kind", "name", "meant"),
    [
        *(("metric", name, meant) for name, meant in elsewhere.METRIC_NAMES.items()),
        *(("initialiser", name, meant) for name, meant in elsewhere.INIT_NAMES.items()),
        *(
            (kind, name, meant)
            for name, meant in elsewhere.PENALTY_NAMES.items()
            for kind in ("regularizer", "constraint", "clip")
            if meant in KINDS[kind]
        ),
    ],
)
def test_a_rename_in_a_statement_is_proposed_and_checks(kind: str, name: str, meant: str) -> None:
    text = program_of(kind, KINDS[kind][meant])
    assert errors(text) == []
    wrong = re.sub(rf"(?m)^(?!#)(.*?)\b{meant}(?!\w)", rf"\g<1>{name}", text, count=1)
    (found,) = errors(wrong)
    assert f"`{meant}`" in (found.help or "")
    if kind != "initialiser":
        assert mended(wrong, [found]) == text


@pytest.mark.parametrize(("word", "meant"), sorted(elsewhere.WORD_NAMES.items()))
def test_a_word_of_a_test_is_known_by_its_other_names(word: str, meant: str) -> None:
    from specc.semantics.files.plan import CHOICES

    settings = [name for name, choices in CHOICES.items() if meant in choices]
    assert settings and not any(word in CHOICES[name] for name in settings)
    if word.isdigit():
        return  # told by the statement's form
    for name in settings:
        text = "spec 1\nmodel Net {\n  input x: float[N]\n  output x + 1\n}\n"
        text += f"test {{\n  {name} WORD\n}}\n"
        (found,) = errors(text.replace("WORD", word))
        assert found.code == "E0505" and found.help == f"did you mean `{meant}`?"
        assert errors(text.replace("WORD", meant)) == []


METHODS = [
    ("x.view(N, 2, 4)", "reshape(x, N, 2, 4)"),
    ("x.repeat(2, 2)", "tile(x, 2, 2)"),
    ("x.expand(3, N, 8)", "broadcast_to(x, 3, N, 8)"),
    ("x.clip(0, 1)", "clamp(x, 0, 1)"),
    ("x.absolute()", "abs(x)"),
    ("x.multiply(x)", "mul(x, x)"),
]


@pytest.mark.parametrize(("wrong", "right"), METHODS)
def test_a_method_is_the_function_of_its_other_name(wrong: str, right: str) -> None:
    text = f"spec 1\nmodel Net {{\n  input x: float[N, 8]\n  output {wrong}\n}}\n"
    (found,) = errors(text)
    assert found.help == f"write `{right}`"
    assert errors(mended(text, [found])) == []


# `repeat` in a pipe is the language's own.
@pytest.mark.parametrize("name", sorted(RENAMES.keys() - {"repeat"}))
def test_a_rename_is_proposed_and_checks(name: str) -> None:
    meant = RENAMES[name].format(2)
    kind = kind_of(meant)
    text = program_of(kind, KINDS[kind][meant])
    assert errors(text) == []
    wrong = re.sub(rf"(?m)^(?!#)(.*?)\b{meant}\b", rf"\g<1>{name}", text, count=1)
    found = errors(wrong)
    assert found and all(meant in (item.help or "") for item in found)
    assert errors(mended(wrong, found)) == []


@pytest.mark.parametrize("name", sorted(OF_A_RANK))
@pytest.mark.parametrize("rank", [3, 4, 5])
def test_a_rename_of_any_rank_takes_that_of_what_is_fed(name: str, rank: int) -> None:
    shape = ", ".join(["N", "4", *["9"] * (rank - 2)])
    arguments = {"C": "(4, 3)", "M": "(2)", "A": "(2)"}.get(name[0], "")
    arguments = "" if "Norm" in name or name == "BN" else arguments
    text = f"spec 1\nmodel Net {{\n  input x: float[{shape}]\n  output x -> {name}{arguments}\n}}\n"
    (found,) = errors(text)
    assert OF_A_RANK[name].format(rank - 2) in (found.help or "")
    assert errors(mended(text, [found])) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [(name, meant) for name, several in elsewhere.ARGUMENT_NAMES.items() for meant in several],
)
def test_an_arguments_other_name_is_proposed_and_checks(name: str, meant: str) -> None:
    """For some row that has the one and not the other, the example says it under both names."""
    for kind in ("layer", "function", "loss", "optimizer", "scheduler"):
        for row in KINDS[kind].values():
            wanted = [each for each in elsewhere.ARGUMENT_NAMES[name] if each in row.by_name]
            if name in row.by_name or wanted[:1] != [meant] or row.by_name[meant].inferred:
                continue
            right = with_argument(program_of(kind, row), row.name, meant)
            if right is None or errors(right):
                continue
            wrong = right.replace(f"{meant}=", f"{name}=", 1)
            (found,) = errors(wrong)
            assert found.code == "E0203" and f"`{meant}`" in (found.help or "")
            assert mended(wrong, [found]) == right
            return
    raise AssertionError(f"no row has `{meant}` and lacks `{name}`")


def with_argument(text: str, row: str, argument: str) -> str | None:
    """``text`` where the first call of ``row`` says ``argument`` by its name."""
    if f"{argument}=" in text:
        return text
    first = re.sub(rf"(?m)^(?!#)(.*?\b{row}\()(\d)", rf"\g<1>{argument}=\g<2>", text, count=1)
    if first != text and not errors(first):
        return first
    for value in ("0.1", "1", "true", "(0, 1)"):
        called = re.sub(rf"(?m)^(?!#)(.*?\b{row}\()", rf"\g<1>{argument}={value}, ", text, count=1)
        bare = re.sub(
            rf"(?m)^(?!#)(.*?\b{row}\b)(?!\()", rf"\g<1>({argument}={value})", text, count=1
        )
        after = re.sub(
            rf"(?m)^(?!#)(.*?\b{row}\([^()]*)\)", rf"\g<1>, {argument}={value})", text, count=1
        )
        for each in (called, bare, after):
            if each != text and not errors(each):
                return each
    return None


# ── in words ─────────────────────────────────────────────────────────────────────────────────────

MODEL = """spec 1

model Net {{
  input x: float[N, 8]
  input h: float[N, 8]
  input image: float[N, 3, 32, 32]
  input sequence: float[N, T, 8]
  layer fc = Linear(8)
  logits = fc(x)
{}
  output logits, x
}}

train {{
  input label: index(8)[N]
  input soft: unit[N, 8]
{}
}}

test {{
{}
}}
"""
# Where a model is called by its name.
CALLED = """spec 1

model Net {{
  input x: float[N, 8]
  output x -> Linear(1)
}}

train {{
  input x: float[N, 8]
  input mixed: float[N, 8]
  score = Net(mixed)
  {}
  loss = mean(score)
  optimizer SGD(lr=0.1) on Net
}}
"""
LOSS = "  loss = CrossEntropyLoss(logits, label)"
WORDS = {
    **elsewhere.ELSEWHERE,
    **elsewhere.METHODS_ELSEWHERE,
    **{name: f"write `x -> {said}`" for name, said in elsewhere.IN_A_PIPE.items()},
    **habit_words._WORDS,
}
# What is a word of the text around it, and no code that stands alone.
BARE = re.compile(r"\w+|specc .*|on .*|\{\}|Upsample\(.*\)|optimizer \.\.\.")


def places(code: str) -> list[str]:
    """The specs that ``code`` may be part of."""
    train, test = f"{LOSS}\n  {code}", f"  {code}"
    value = f"  probe = {code}\n  y = probe"
    given = MODEL.format("", f"  loss = mean({code})", "")
    return [
        CALLED.format(code),
        MODEL.format(f"  {code}", LOSS, ""),
        MODEL.format(f"  pairs = []\n  {code}", LOSS, ""),
        MODEL.format(value, LOSS, ""),
        MODEL.format(value.replace("x ->", "image ->"), LOSS, ""),
        MODEL.format(value.replace("x ->", "sequence ->"), LOSS, ""),
        MODEL.format(value.replace("p)", "exp(-x))").replace("(1 - p)", "(1 - x)"), LOSS, ""),
        MODEL.format("", f"  {code}", ""),
        given,
        given.replace(
            "  loss =", '  p = exp(-cross_entropy(logits, label, reduction="none"))\n  loss ='
        ),
        given.replace("  loss =", "  s = softmax(logits, dim=1)\n  loss ="),
        MODEL.format("", f"  loss = mean(x)\n  {code}", ""),
        MODEL.format("", f"{LOSS}\n  {code}", ""),
        MODEL.format("", f"{LOSS}\n  optimizer SGD(lr=0.1)\n  {code}", ""),
        MODEL.format("", train, ""),
        MODEL.format("", LOSS, test),
        MODEL.format("", LOSS, f"  sizes N=8, T=3\n{test.replace('sizes N=8', 'seed 0')}"),
        MODEL.format(f"  {code.replace('...', 'x = relu(x)')}", LOSS, ""),
        MODEL.format("  layer gamma = Embedding(8, num_embeddings=1)\n" + value, LOSS, ""),
        MODEL.format(f"  {code}\n  z = gamma(arange(1))", LOSS, ""),
        MODEL.format("", f"  loss = mean(x)\n  regularize L1(0.1) {code}", ""),
        MODEL.format("", LOSS, "").replace("spec 1\n", f"spec 1\n\n{code}\n"),
    ]


@pytest.mark.parametrize("words", sorted(set(WORDS.values())))
def test_what_is_told_in_words_checks(words: str) -> None:
    for code in CODE.findall(words):
        if BARE.fullmatch(code) or code.endswith("= ..."):
            continue
        assert any(not errors(text) for text in places(code)), code
