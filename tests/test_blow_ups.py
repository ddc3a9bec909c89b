"""A few lines that ask for more than a machine has: each a clear error, within two seconds."""

from __future__ import annotations

import itertools
import time

import pytest

from specc import front
from specc.errors import MOST_FAULTS, Diagnostic, SpecError
from specc.harness.cases import matrix
from specc.report.terminal.diagnostics import LONGEST_MESSAGE, MOST_SHOWN, render

HEAD = "spec 1\nmodel M {\n  input x: float[N, 8]\n"
WIDE = "spec 1\nmodel M {\n  input x: float[1000000000, 2]\n"
SIZES = "ABCDEFGHIJKLMNOPQRST"
OUTER = "  x = reshape(unsqueeze(x, 2) * unsqueeze(x, 1), (N, -1))\n"
ROUNDS = "  for i in range(1000) {{\n    for j in range(1000) {{\n      {}\n    }}\n  }}\n"


def doubled(start: str, step: str) -> str:
    return (
        f"{HEAD}  k = {start}\n  for i in range(64) {{\n    k = {step}\n  }}\n  output x * k\n}}\n"
    )


def chosen(count: int) -> str:
    more = "".join(f" else if k == {i} {{ x = x + {i} }}" for i in range(1, count))
    head = HEAD.replace("M {", "M(k: int = 5000) {")
    return f"{head}  if k == 0 {{ x = x + 1 }}{more}\n  output x\n}}\n"


BLOCK = "spec 1\nblock B(n: int) {\n  input x: float[N, 8]\n  for i in range(n) { x = x + i }\n"
SQUARES = f"{BLOCK}  output x\n}}\nmodel M {{\n  input x: float[N, 8]\n" + (
    "  for i in range(1000) { x = x -> B(i) }\n  output x\n}\n"
)
MANY = f"{HEAD}  for i in range(300) {{ x = x -> fc: Linear(8) }}\n"


def chain(inputs: int) -> str:
    """``inputs`` tensors of which every size is one more than the next."""
    names = [f"A{i}" for i in range(2_000)]
    each = len(names) // inputs
    lines = [
        f"  input x{i}: float[{', '.join(names[i * each : (i + 1) * each])}]" for i in range(inputs)
    ]
    lines[-1] += " where " + ", ".join(f"{a} == {b} + 1" for a, b in itertools.pairwise(names))
    return "\n".join(["spec 1", "model M {", *lines, "  output x0", "}", ""])


SLOPES = (
    HEAD.replace("{", "{{")
    + "  output x -> Linear(1) -> squeeze(-1)\n}}\ntrain {{\n  input z: float[N, 8]\n"
    "  g = sum(M(z) ** 9)\n  for i in range({rounds}) {{ {line} }}\n  loss = g\n"
    "  optimizer SGD(lr=0.1)\n}}\n"
)

BLOWN = {
    "squares": (doubled("3", "k * k"), "E0225"),
    "squares of a param": (doubled("3", "k * k").replace("M {", "M(k0: int = 3) {"), "E0225"),
    "squares of a size": (doubled("N + 1", "k * k + N"), "E0250"),
    "strings": (doubled('"ab"', "k + k"), "E0225"),
    "tuples": (doubled("(1, 2)", "k + k"), "E0225"),
    "nested tuples": (doubled("(1, 2)", "(k, k)"), "E0250"),
    "nested lists": (doubled("[1, 2]", "[k, k]"), "E0250"),
    "quotients": (doubled("N", "(k + N) // 3 + N").replace("64", "2000"), "E0250"),
    "a product of sums": (
        f"spec 1\nmodel M {{\n  input x: float[{', '.join(SIZES)}]\n  output reshape(x, "
        + " * ".join(f"({SIZES[2 * i]} + {SIZES[2 * i + 1]})" for i in range(10))
        + ")\n}\n",
        "E0250",
    ),
    "outer products": (HEAD + OUTER * 14 + "  output x\n}\n", "E0250"),
    "outer products of a size": (
        (HEAD + OUTER * 14 + "  output x\n}\n").replace("8]", "D]"),
        "E0250",
    ),
    "kron": (HEAD + "  for i in range(90) { x = kron(x, x) }\n  output x\n}\n", "E0250"),
    **{
        call: (f"{WIDE}  a = {call}\n  output a[0]\n}}\n", "E0307")
        for call in (
            "split(x, 1)", "chunk(x, 1000000000)", "unbind(x)", "tensor_split(x, 500000000)",
            "vsplit(x, 500000000)", "combinations(x[:, 0], 500000000)",
        )
    },
    "rounds": (HEAD + ROUNDS.format("x = x + i * j") + "  output x\n}\n", "E0235"),
    "empty rounds": (HEAD + ROUNDS.format("") + "  output x\n}\n", "E0235"),
    "rounds of numbers": (
        HEAD + "  k = 0\n" + ROUNDS.format("k = k + 1") + "  output x\n}\n",
        "E0235",
    ),
    "rounds in lists": (
        HEAD + "  k = [[i * j for i in range(9000)] for j in range(9000)]\n  output x\n}\n",
        "E0235",
    ),
    "rounds in blocks": (SQUARES, "E0235"),
    "heavy rounds": (
        HEAD + ROUNDS.format("x = x + i * j * 2 * 3 * 4 + x - x + x - x") + "  output x\n}\n",
        "E0250",
    ),
    "else if": (chosen(1000), "E0104"),
    "a long file": (HEAD + "  y = rlu(x)\n" * 100_000 + "  output x\n}\n", "E0705"),
    "selectors": (MANY + "  init zeros_ on *f*c*w*e*i*g*t*\n" * 3_000 + "  output x\n}\n", "E0250"),
    "frozen": (MANY + "  freeze on fc.*\n" * 3_000 + "  output x\n}\n", "E0250"),
    "groups": (
        f"{MANY}  output x\n}}\ntrain {{\n  loss = mean(x)\n"
        "  optimizer SGD(lr=0.1) { group(lr=0.2)"
        f" on {', '.join(f'*f*c*.{i}*w*' for i in range(3_000))} }}\n}}\n",
        "E0250",
    ),
    "sizes": (chain(1), "E0250"),
    "sizes of many inputs": (chain(40), "E0250"),
    "minus": (f"{HEAD}  output {'-' * 300_000}x\n}}\n", "E0104"),
    "not": (f"{HEAD}  if {'not ' * 100_000}true {{ x = x + 1 }}\n  output x\n}}\n", "E0104"),
    "powers": (f"{HEAD}  output x * 2{' ** 1' * 300_000}\n}}\n", "E0104"),
    "a long line": (f"{HEAD}  output x{' + x' * 1_000_000}\n}}\n", "E0705"),
    "derivatives of derivatives": (
        SLOPES.format(rounds=1000, line="g = sum(grad(g, z) ** 2)"),
        "E0250",
    ),
    "derivatives in lines": (
        SLOPES.replace("for i in range({rounds}) {{ {line} }}", "{line}\n" * 2000)
        .replace("{line}", "g = sum(grad(g, z) ** 2)").replace("{{", "{").replace("}}", "}"),
        "E0250",
    ),
    "no sizes that fit": (
        "spec 1\nmodel M {\n  input x: float[A, B, C, D, E, F, G, H] where A % 7 == 0,"
        " B % 11 == 0, C % 13 == 0, D % 17 == 0, E % 19 == 0, A > B, B > C\n  output x\n}\n",
        "E0501",
    ),
}  # fmt: skip


def checked(text: str) -> tuple[list[Diagnostic], float]:
    start = time.process_time()
    program, found, sources = front.check_text(text, "m.spec")
    if program is not None:
        try:
            matrix.cases(program)
        except SpecError as error:
            found = [*found, *error.diagnostics()]
    shown = render(found, sources or {"m.spec": text})
    assert len(shown) < 60_000
    return found, time.process_time() - start


@pytest.mark.parametrize("name", BLOWN)
def test_a_blow_up_is_an_error_in_its_place(name: str) -> None:
    text, code = BLOWN[name]
    found, seconds = checked(text)
    assert code in [item.code for item in found]
    assert all(item.span is not None for item in found)
    assert seconds < 2


@pytest.mark.parametrize(("count", "codes"), [(2_000, []), (10_000, ["E0250"])])
def test_thousands_of_blocks_in_a_row_are_read_or_too_many(count: int, codes: list[str]) -> None:
    block = "spec 1\nblock B {\n  input x: float[N, D]\n  output x -> Linear(D)\n}\n"
    text = f"{block}model M {{\n  input x: float[N, 8]\n  output x{' -> B' * count}\n}}\n"
    found, seconds = checked(text)
    assert [item.code for item in found] == codes and seconds < 3


def test_the_first_hundred_faults_are_shown_and_the_others_counted() -> None:
    text = HEAD + "".join(f"  y{i} = nothing_{i}\n" for i in range(5_000)) + "  output x\n}\n"
    found, seconds = checked(text)
    assert len(found) == MOST_FAULTS + 1 and seconds < 3
    shown = render(found, {"m.spec": text})
    assert shown.count("error[") == MOST_SHOWN
    assert f"... and {MOST_FAULTS + 1 - MOST_SHOWN} more" in shown


@pytest.mark.parametrize(
    "line",
    [
        'y = x -> Conv1d(3, 3, padding_mode="{}")', '{}(x)', 'y = x ? "{}"', 'y = {} @@ x',
        'y = einsum("{}->a", x)', "y = x * {}",
    ],
)  # fmt: skip
def test_a_long_line_has_a_short_message(line: str) -> None:
    text = f"{HEAD}  {line.format('a' * 16_000)}\n  output x\n}}\n"
    found, seconds = checked(text)
    assert found and seconds < 2
    assert max(map(len, render(found, {"m.spec": text}).splitlines())) <= LONGEST_MESSAGE + 100
