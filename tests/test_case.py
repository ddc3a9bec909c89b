"""Closing a case: distributions, meanings, the grid, and that the same case is the same numbers."""

from __future__ import annotations

import torch
from harness_support import N, cnn, lstm, mlp, plain, program, span, value

from specc.harness.cases.case import JITTER, close, lowest_precision
from specc.harness.cases.matrix import Case
from specc.ir import Module, Output, TensorType, Value

TRAIN = Case((("N", 6),), 3, 4, "train")


def test_weights_follow_the_spec_and_constants_are_moved_off() -> None:
    closed = close(cnn(), TRAIN)
    assert set(closed.parameters) == {name for name, _, _ in cnn().model().parameters()}
    weight = closed.parameters["fc.weight"]
    assert weight.shape == (6, 144)
    assert 0.075 < float(weight.abs().max()) <= 1 / 12
    scale, shift = closed.parameters["norm.weight"], closed.parameters["norm.bias"]
    assert 0 < float((scale - 1).abs().max()) <= JITTER
    assert 0 < float(shift.abs().min()) and float(shift.abs().max()) <= JITTER
    assert set(closed.buffers) == {"norm.running_mean", "norm.running_var"}
    assert float(closed.buffers["norm.running_var"].min()) > 0


def test_every_number_is_one_that_the_lowest_precision_holds() -> None:
    for grid in ("float32", "bfloat16"):
        closed = close(mlp(), TRAIN, grid=grid)
        numbers = [*closed.parameters.values(), *(t for b in closed.batches for _, t in b.inputs)]
        for tensor in numbers:
            assert tensor.dtype == torch.float64
            assert torch.equal(tensor, tensor.to(getattr(torch, grid)).to(torch.float64))
    assert lowest_precision(["float32", "bfloat16"]) == "bfloat16"
    assert lowest_precision(["float64"]) == "float32"


def test_labels_are_classes_and_batches_differ() -> None:
    closed = close(mlp(), TRAIN)
    assert len(closed.batches) == 4
    labels = torch.cat([dict(batch.labels)["label"] for batch in closed.batches])
    assert labels.dtype == torch.int64 and 0 <= int(labels.min()) and int(labels.max()) < 5
    assert len(set(labels.tolist())) > 2
    first, second = (dict(batch.inputs)["x"] for batch in closed.batches[:2])
    assert first.shape == (6, 20) and not torch.equal(first, second)


def test_inputs_are_what_their_type_means() -> None:
    kinds = {
        "pixels": TensorType("float", (N, 500), "unit"),
        "noise": TensorType("float", (N, 500), "normal"),
        "mask": TensorType("bool", (N, 500)),
        "count": TensorType("int", (N, 500)),
    }
    inputs = tuple(Value(name, kind, span(4)) for name, kind in kinds.items())
    out = value("out", N, 500)
    model = Module("M", (), inputs, (), (Output("out", out),), (), span(1))
    spec = program(model, None, None, "m", {})
    made = dict(close(spec, TRAIN).batches[0].inputs)
    assert 0 <= float(made["pixels"].min()) and float(made["pixels"].max()) <= 1
    assert abs(float(made["pixels"].mean()) - 0.5) < 0.05
    assert abs(float(made["noise"].std()) - 1) < 0.05
    assert made["mask"].dtype == torch.bool and 0.4 < float(made["mask"].double().mean()) < 0.6
    assert made["count"].dtype == torch.int64 and set(made["count"].unique().tolist()) == set(
        range(10)
    )


def test_the_same_case_is_the_same_numbers_and_another_draw_is_not() -> None:
    one, same, other = (
        close(lstm(), Case((("N", 2), ("T", 3)), 1, 1, "eval"), d) for d in (0, 0, 1)
    )
    for name, tensor in one.parameters.items():
        assert torch.equal(tensor, same.parameters[name])
        assert not torch.equal(tensor, other.parameters[name])


def test_an_evaluation_has_one_batch() -> None:
    assert len(close(plain(), Case((("N", 2),), 0, 5, "eval")).batches) == 1
