"""Corners of what is drawn: ends, padding, ignored labels, whole rows, ties, alignments."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

from specc import front
from specc.harness.blessing.bless import bless
from specc.harness.cases.case import DRAWS, Batch, close
from specc.harness.cases.corners import levels
from specc.harness.cases.matrix import cases, cells
from specc.harness.judging.judge import judge
from specc.ir import Program
from specc.semantics import analyse

HEAD = "spec 1\n\nmodel Net {\n"


def spec(model: str, train: str = "", test: str = "") -> Program:
    """A program of one model; ``train`` without its optimizer."""
    training = f"train {{\n{train}\n  optimizer SGD(lr=0.1)\n}}\n" if train else ""
    plan = f"test {{\n{test}\n  steps 4\n}}\n" if test else ""
    return analyse(f"{HEAD}{model}\n}}\n{training}{plan}", "net.spec")


def batches(program: Program, draw: int = 0) -> list[dict[str, Tensor]]:
    """The values of every batch of the first case, by name."""
    found: list[Batch] = list(close(program, cases(program)[0], draw).batches)
    return [dict((*batch.inputs, *batch.labels)) for batch in found]


LINEAR = "  input x: float[N, 6]\n  y = x -> Linear(300)\n  output y"


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_at_both_ends(seed: int) -> None:
    program = spec(
        LINEAR,
        "  input label: index(300)[N]\n  loss = CrossEntropyLoss(y, label)",
        f"  sizes N=3\n  seed {seed}",
    )
    for batch in batches(program):
        assert {0, 299} < set(batch["label"].tolist())


def test_a_single_label_is_at_an_end_in_turn() -> None:
    program = spec(
        LINEAR,
        "  input label: index(300)[N]\n  loss = CrossEntropyLoss(y, label)",
        "  sizes N=1",
    )
    assert {0, 299} <= {int(batch["label"]) for batch in batches(program)}


@pytest.mark.parametrize("ignored", ["3", "0", "299"])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_an_ignored_label_is_there_and_never_alone(ignored: str, size: int) -> None:
    program = spec(
        LINEAR,
        "  input label: index(300)[N]\n"
        f"  loss = CrossEntropyLoss(y, label, ignore_index={ignored})",
        f"  sizes N={size}",
    )
    for batch in batches(program):
        held = set(batch["label"].tolist())
        assert held != {int(ignored)}
        assert size < 3 or int(ignored) in held


@pytest.mark.parametrize(
    ("loss", "mark"),
    [
        ("CrossEntropyLoss(y, label)", -100),
        ("CrossEntropyLoss(y, label, ignore_index=-1)", -1),
        ("NLLLoss(y -> log_softmax(dim=-1), label, ignore_index=-7)", -7),
    ],
)
def test_whole_numbers_as_labels_hold_the_mark_and_no_more_than_the_classes(
    loss: str, mark: int
) -> None:
    program = spec(LINEAR, f"  input label: int[N]\n  loss = {loss}", "  sizes N=5")
    for batch in batches(program):
        held = set(batch["label"].tolist())
        assert {mark, 0, 299} < held and min(held - {mark}) == 0


def test_a_mark_is_not_drawn_where_something_else_reads_the_labels() -> None:
    embedded = "  input label: int[N]\n  y = label -> Embedding(40, 8)\n  output y"
    program = spec(embedded, "  loss = CrossEntropyLoss(y, label)", "  sizes N=5")
    assert all(int(batch["label"].min()) == 0 for batch in batches(program))
    assert all(int(batch["label"].max()) == 7 for batch in batches(program))


def test_rows_of_labels_end_somewhere() -> None:
    program = spec(
        "  input x: float[N, 6]\n  y = x -> Linear(5)\n  output y",
        "  input label: int[N, 5]\n  loss = MultiLabelMarginLoss(y, label)",
        "  sizes N=4",
    )
    for batch in batches(program):
        assert set(batch["label"].unique().tolist()) <= {-1, 0, 1, 2, 3, 4}
        assert -1 in batch["label"]


PADDED = [
    "  output tokens -> Embedding(4, padding_idx=7)",
    "  output tokens -> Embedding(4, padding_idx=-1993)",
    "  output tokens -> EmbeddingBag(4, padding_idx=7)",
    "  output tokens -> reshape(3, N) -> Embedding(4, padding_idx=7)",
]


@pytest.mark.parametrize("output", PADDED)
def test_padding_is_drawn_and_not_everywhere(output: str) -> None:
    program = spec(f"  input tokens: index(2000)[N, 3]\n{output}", test="  sizes N=2")
    for batch in batches(program):
        assert 0 < int((batch["tokens"] == 7).sum()) < 6


def test_padding_is_seen_through_blocks_and_loops() -> None:
    text = (
        "spec 1\n\nblock Table(k: int, pad: int) {\n  input ids: index(k)[N, T]\n"
        "  output ids -> flatten -> Embedding(4, padding_idx=pad)\n}\n\n"
        "model Net {\n  input tokens: index(2000)[N, 3]\n  x = tokens\n"
        "  for i in range(2) { x = flip(x, [1]) }\n"
        "  output x -> Table(2000, 7)\n}\n\ntest {\n  sizes N=2\n}\n"
    )
    program = analyse(text, "net.spec")
    assert all(7 in batch["tokens"] for batch in batches(program))


MASK = "  input x: float[N, 5]\n  input mask: bool[N, 5]\n  output where(mask, x -> Linear(5), 0.0)"


@pytest.mark.parametrize("size", [3, 4, 8])
def test_a_mask_has_a_whole_row_of_each_and_both_in_the_others(size: int) -> None:
    program = spec(MASK, test=f"  sizes N={size}")
    for batch in batches(program):
        counts = batch["mask"].sum(-1).tolist()
        assert counts.count(0) == 1 and counts.count(5) == 1 and len(counts) == size


def test_masks_of_few_rows_have_them_in_turn() -> None:
    for size in (1, 2):
        counts = [
            count
            for batch in batches(spec(MASK, test=f"  sizes N={size}"))
            for count in batch["mask"].sum(-1).tolist()
        ]
        assert {0, 5} < set(counts)


def test_whole_rows_are_left_out_level_by_level() -> None:
    program = spec(MASK, test="  sizes N=6")
    assert levels(program) == (0, 1, 2, 3)
    for level, wanted in enumerate(({0, 5}, {0}, {5}, set())):
        for turned in range(3):
            for batch in batches(program, level * DRAWS + turned):
                counts = set(batch["mask"].sum(-1).tolist())
                assert counts & {0, 5} == wanted


@pytest.mark.parametrize("size", [1, 2, 9])
def test_bools_hold_both_values(size: int) -> None:
    model = "  input x: float[N]\n  input done: bool[N]\n  output where(done, x, 0.0)"
    found = batches(spec(model, test=f"  sizes N={size}"))
    assert levels(spec(model)) == (0,)
    for one, next_one in pairwise(found):
        both = torch.cat([one["done"], next_one["done"]]) if size == 1 else one["done"]
        assert both.any() and not both.all()


def test_probabilities_are_at_their_ends_where_a_loss_takes_them() -> None:
    loss = "  input p: unit[N]\n  loss = {}"
    model = "  input x: float[N, 6]\n  y = x -> Linear(1) -> squeeze(-1)\n  output y"
    ended = spec(model, loss.format("BCEWithLogitsLoss(y, p)"), "  sizes N=3")
    assert levels(ended) == (0, 3)
    for batch in batches(ended):
        assert {0.0, 1.0} < set(batch["p"].tolist())
    inside = spec(model, loss.format("mean((y - log(p)) ** 2)"), "  sizes N=3")
    assert levels(inside) == (0,)
    for batch in batches(inside):
        assert 0 < float(batch["p"].min()) and float(batch["p"].max()) < 1


def test_pixels_are_at_their_ends_where_a_layer_takes_them() -> None:
    program = spec("  input x: unit[N, 3, 4, 4]\n  output x -> Conv2d(2, 3)", test="  sizes N=2")
    for batch in batches(program):
        assert float(batch["x"].min()) == 0 and float(batch["x"].max()) == 1


def test_neighbours_before_a_pool_are_equal() -> None:
    pooled = "  input x: float[N, 2, 8, 8]\n  output x -> MaxPool2d(2)"
    x = batches(spec(pooled, test="  sizes N=2"))[0]["x"]
    assert torch.equal(x[..., 0], x[..., 1]) and not torch.equal(x[..., 2], x[..., 3])
    averaged = spec(pooled.replace("Max", "Avg"), test="  sizes N=2")
    x = batches(averaged)[0]["x"]
    assert not torch.equal(x[..., 0], x[..., 1])


CTC = (
    "  input y: index(5)[N, 3]\n  input long: index(10)[N]\n  input short: index(4)[N]\n"
    "  loss = CTCLoss(output -> log_softmax(dim=-1), y, long, short{})"
)
SCORES = "  input x: float[9, N, 4]\n  output x -> Linear(5)"


def _losses(program: Program, seed: int) -> list[Tensor]:
    found = []
    for batch in batches(program, seed):
        scores = torch.zeros(9, len(batch["y"]), 5, dtype=torch.float64).log_softmax(-1)
        found.append(
            torch.nn.functional.ctc_loss(
                scores, batch["y"], batch["long"], batch["short"], reduction="none"
            )
        )
        assert 0 not in batch["y"]  # the blank
    return found


@pytest.mark.parametrize("draw", range(4))
def test_one_alignment_cannot_be_where_the_loss_zeroes_its_infinity(draw: int) -> None:
    kept = spec(SCORES, CTC.format(""), "  sizes N=4")
    assert all(bool(loss.isfinite().all()) for loss in _losses(kept, draw))
    zeroed = spec(SCORES, CTC.format(", zero_infinity=true"), "  sizes N=4")
    assert all(int(loss.isinf().sum()) == 1 for loss in _losses(zeroed, draw))


def test_whole_numbers_without_a_bound_are_small() -> None:
    program = spec("  input n: int[N]\n  output n * 2", test="  sizes N=6")
    for batch in batches(program):
        assert {0, 9} < set(batch["n"].tolist()) <= set(range(10))


def test_many_elements_cost_no_sorting(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object, **named: object) -> Tensor:
        raise AssertionError("sorted")

    monkeypatch.setattr(torch, "argsort", refuse)
    program = spec("  input n: index(1000)[N]\n  output n", test="  sizes N=100000")
    assert {0, 999} <= set(batches(program)[0]["n"].tolist())


TIED = (
    "spec 1\n\nmodel Pool {\n  input x: unit[N, 2, 9, 9]\n"
    "  h = x -> MaxPool2d(2) -> Conv2d(4, 2) -> ReLU -> MaxPool2d(2, stride=1)\n"
    "  output h -> Flatten -> Linear(2)\n}\n\n"
    "test {\n  sizes N=3\n  modes train\n  targets eager\n  devices cpu\n"
    "  dtypes bfloat16\n  layouts contiguous, channels_last\n}\n"
)


def test_ties_of_a_pool_and_of_its_rounding_are_no_alarm(tmp_path: Path) -> None:
    path = tmp_path / "pool.spec"
    path.write_text(TIED)
    program = front.read(path)
    bless(program, tmp_path)
    x = batches(program)[0]["x"]
    windows = torch.nn.functional.unfold(x[:, :, :8, :8], 2, stride=2).view(3, 2, 4, 16)
    highest = windows == windows.amax(2, keepdim=True)
    assert bool((highest.sum(2) > 1).any())
    for cell in cells(program):
        assert judge(program, cell, tmp_path).passed, cell.id
