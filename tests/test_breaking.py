"""What checks clean runs: programs that may be wrong are refused by the checks, or build and take a
step of training.

A few hundred here; twenty thousand, and every setting of every row, with ``--exhaustive``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from breaking import RAN, REFUSED, WARNED, broken, tried
from breaking_programs import generated, mutant, settings, zoo
from breaking_structures import structured

# oneDNN has an LSTM in float16 on some machines alone, and torch asks it wherever it is there.
OF_THE_MACHINE = ("could not create a primitive descriptor",)


def breaks(text: str) -> str | None:
    found = broken(text)
    if found is not None and any(part in found for part in OF_THE_MACHINE):
        return None
    return found


def failures(programs: Iterator[tuple[str, str]]) -> list[str]:
    found = []
    for name, text in programs:
        fault = breaks(text)
        if fault is not None:
            found.append(f"{name}: {fault}\n{text}")
    return found


def test_mutants_of_the_zoo_do_not_break() -> None:
    texts = zoo()
    assert failures(mutant(texts, number) for number in range(210)) == []


def test_rows_used_in_other_ways_do_not_break() -> None:
    assert failures(generated(number) for number in range(700)) == []


def test_enough_of_what_is_tried_runs() -> None:
    seen = Counter(tried(generated(number)[1]) for number in range(0, 3000, 17))
    assert seen[RAN] > 40 and seen[REFUSED] > 40


@pytest.mark.exhaustive
@pytest.mark.slow
def test_twenty_thousand_programs_do_not_break() -> None:
    texts = zoo()
    assert failures(mutant(texts, number) for number in range(8_000)) == []
    assert failures(generated(number) for number in range(12_000)) == []


@pytest.mark.exhaustive
@pytest.mark.slow
def test_no_value_of_a_setting_breaks() -> None:
    assert failures(settings()) == []


# ── what was clean, and broke ────────────────────────────────────────────────────────────────────

MODELS = {
    "x: float[N, 8]": (
        "(x -> Linear(8)) // 2",
        "2 // (x -> Linear(8))",
        "2 % (x -> Linear(8))",
        "heaviside(x -> Linear(8), x)",
        "zeta(x -> Linear(8), x + 2.0)",
        "gammainc(x -> Linear(8), x)",
        "(x > 0) - (x < 1)",
        "x - (x < 1)",
        "1 - (x < 1)",
        "(x > 0) // (x < 1)",
        "(x > 0) ** (x < 1)",
        "(x > 0) % (x < 1)",
        "true ** x",
        "x -> CELU(alpha=0.0)",
        "celu(x, alpha=0)",
        "renorm(x, 0.0, 0, 1.0)",
        "cdist(x, x, p=-1.0)",
        "isclose(x, x, rtol=-0.1)",
    ),
    "x: float[N, 4, 9]": (
        "x -> Conv1d(4, kernel_size=3, groups=0)",
        "x -> ConvTranspose1d(4, kernel_size=3, groups=0)",
    ),
    "k: int[N]": ("k // 0", "k % 0", "k ** -1", "floor_divide(k, 0)", "fmod(k, 0)"),
    "k: index(5)[N], x: float[3, 4]": ("x[k]", "x[:, k]", "take(x, k + 0) * take(x[0], k)"),
    "x: float[1, 8]": ("x -> BatchNorm1d(track_running_stats=false)",),
}


@pytest.mark.parametrize(
    ("inputs", "result"), [(inputs, each) for inputs, found in MODELS.items() for each in found]
)
def test_what_broke_is_refused(inputs: str, result: str) -> None:
    assert tried(model(inputs, result)) == REFUSED


@pytest.mark.parametrize(
    ("inputs", "result"),
    [
        ("k: int[N]", "one_hot(k, 5)"),
        ("k: int[N]", "k -> Embedding(5, 3)"),
        ("k: int[N], x: float[3, 4]", "x[k]"),
        ("k: int[N, 1], x: float[N, 4]", "gather(x, 1, k)"),
        ("k: int[N, 2], x: float[3, 4]", "x[k[:, 0]]"),
        ("k: int[N], x: float[4]", "take(x, k)"),
    ],
)
def test_any_whole_number_as_an_index_is_warned_of(inputs: str, result: str) -> None:
    from specc import front

    _, found, _ = front.check_text(model(inputs, result))
    assert [item.code for item in found] == ["W0320"]
    assert found[0].help is not None and "index(" in found[0].help
    bounded = inputs.replace("k: int", "k: index(3)")
    assert front.check_text(model(bounded, result))[1] == []


@pytest.mark.parametrize(
    "result",
    [
        "detach(x) // 2",
        "floor(x / 2)",
        "x % 2",
        "x % (x + 3.0)",
        "mean(x, keepdim=false)",
        "prod(x, dim=none)",
        "x * hamming_window(8, alpha=0.5)",
        "x * kaiser_window(8, beta=3.0)",
        "x * arange(end=8, step=1)",
        "((x > 0) * 1) - 1",
    ],
)
def test_what_is_right_runs(result: str) -> None:
    assert tried(model("x: float[N, 8]", result)) in (RAN, WARNED)


def test_a_derivative_is_asked_for_where_a_gradient_goes_alone() -> None:
    text = model("x: float[N, 8]", "x -> Linear(8)")
    counted = "\ntrain {\n  metric MeanAbsoluteError(output // 2, output)\n"
    loss = "  loss = mean(output ** 2)\n  optimizer SGD(lr=0.1)\n}\n"
    assert tried(text + counted + loss) == RAN
    assert tried(text + counted + loss.replace("output ** 2", "output // 2")) == REFUSED


def model(inputs: str, result: str) -> str:
    depth, pieces, piece = 0, [], ""
    for character in inputs:
        depth += (character in "([") - (character in ")]")
        if character == "," and not depth:
            pieces.append(piece.strip())
            piece = ""
        else:
            piece += character
    lines = [f"  input {each}" for each in (*pieces, piece.strip())]
    return "\n".join(["spec 1", "model M {", *lines, f"  output {result}", "}", ""])


# ── what generated structures found ──────────────────────────────────────────────────────────────


def trained(train: str, model: str = "y = x -> Linear(6)") -> str:
    return (
        f"spec 1\nmodel M {{\n  input x: float[N, 6]\n  {model}\n  output y\n}}\n"
        f"train {{\n  input t: float[N, 6]\n  {train}\n  optimizer SGD(lr=0.1)\n}}\n"
    )


@pytest.mark.parametrize(
    "train",
    [
        "loss = mean(y)\n  for i in range(0) { loss = loss + mean(y) }",
        "loss = mean(y)\n  for i in range(0) { loss = loss + i }\n  other = mean(t)",
        "s = sum(M(t))\n  for i in range(0) { s = s * 2 }\n  loss = s",
        "m = y * 2\n  for i in range(0) { m = m + 1 }\n  loss = mean(m)\n"
        "  metric MeanAbsoluteError(m, t)",
    ],
)
def test_a_loop_without_rounds_hands_on_what_it_was_given(train: str) -> None:
    assert tried(trained(train)) == RAN


def test_a_model_that_computes_with_no_parameter_is_no_loss() -> None:
    model = "parameter g: float[6] = ones_\n  y = x + 1"
    assert tried(trained("loss = mean(abs(M(t)))", model)) == REFUSED
    assert tried(trained("loss = mean(abs(M(t)))", model.replace("+ 1", "* g"))) == RAN


@pytest.mark.parametrize(
    ("frozen", "train", "found"),
    [
        ("freeze fc", "loss = mean(M(t))", REFUSED),
        ("freeze on *.bias", "loss = mean(M(t))\n  freeze on *.weight", REFUSED),
        ("freeze fc", "loss = mean(y)\n  regularize L2(0.1) on fc.weight", REFUSED),
        ("freeze on *.bias", "loss = mean(y)", RAN),
    ],
)
def test_a_loss_that_reaches_what_is_frozen_alone_is_none(
    frozen: str, train: str, found: str
) -> None:
    assert tried(trained(train, f"y = x -> fc: Linear(6)\n  {frozen}")) == found


@pytest.mark.parametrize(
    ("of", "found"),
    [
        ("sum(y - t)", REFUSED), ("sum(y * t)", REFUSED), ("sum(M(t))", REFUSED),
        ("mean(cat([t, y], dim=0))", REFUSED), ("sum(t @ t.mT)", RAN), ("sum(t ** 2)", RAN),
        ("sum(tanh(M(t)))", RAN), ("sum(t * M(t))", RAN), ("sum(t / 2.0)", REFUSED),
    ],
)  # fmt: skip
def test_the_slope_of_what_is_linear_has_none(of: str, found: str) -> None:
    train = (
        f"slope = grad({of}, t)\n  bend = grad(sum(slope ** 2), t)\n  loss = mean(BASE) + sum(bend)"
    )
    assert tried(trained(train.replace("BASE", "M(t)" if "M(" in of else "y"))) == found


def test_the_slope_of_a_model_that_bends_has_one() -> None:
    train = (
        "slope = grad(sum(M(t)), t)\n  bend = grad(sum(slope), t)\n  loss = mean(M(t)) + sum(bend)"
    )
    assert tried(trained(train, "y = x -> Linear(6) -> Tanh -> Linear(2)")) == RAN
    assert tried(trained(train, "y = x -> Linear(6) -> Dropout(0.1) -> Linear(2)")) == REFUSED


@pytest.mark.exhaustive
@pytest.mark.slow
def test_twenty_thousand_structures_do_not_break() -> None:
    assert failures(structured(number) for number in range(20_000)) == []


def test_structures_do_not_break() -> None:
    assert failures(structured(number) for number in range(150)) == []
