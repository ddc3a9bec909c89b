"""Sizes whose name is another one typed wrong are asked about; honest ones are not."""

from __future__ import annotations

import pytest

from specc.errors import SpecError
from specc.semantics import analyse
from specc.semantics.compile_time.size_names import meant


@pytest.mark.parametrize(
    ("name", "param"),
    [
        ("boservations", "observations"),
        ("obsevations", "observations"),
        ("observation", "observations"),
        ("bservations", "observations"),
        ("widht", "width"),
        ("wudth", "width"),
        ("Width", "width"),
        ("dmi", "dim"),
        ("dimm", "dim"),
        ("chanells", "channels"),
        ("num_haeds", "num_heads"),
        ("numheads", "num_heads"),
        ("vocba", "vocab"),
        ("n_classes", "num_classes"),
        ("seq_len", "sequence_len"),
        ("sequnece_length", "sequence_length"),
        ("featrues", "features"),
        ("hiden", "hidden"),
        ("chanels_in", "channels_in"),
        ("in_chanels", "in_channels"),
        ("emb_dmi", "emb_dim"),
        ("num_class", "num_classes"),
    ],
)
def test_a_slip_of_the_fingers_is_asked_about(name: str, param: str) -> None:
    assert meant(name, [param]) == param
    assert meant(name, ["T", param, "depth"]) == param


@pytest.mark.parametrize(
    ("name", "param"),
    [
        ("N", "n"),
        ("T", "t"),
        ("T1", "T2"),
        ("frames", "frame"),
        ("batch", "patch"),
        ("q_len", "k_len"),
        ("src_len", "tgt_len"),
        ("in_dim", "out_dim"),
        ("dim2", "dim1"),
        ("kdim", "dim"),
        ("time", "tile"),
        ("states", "stages"),
        ("depth", "width"),
        ("sentences", "sequences"),
        ("num_layers", "num_labels"),
        ("t_len", "s_len"),
        ("height", "weight"),
        ("rows", "cols"),
        ("words", "world"),
        ("heads_per_group", "heads"),
        ("in_features", "out_features"),
        ("users", "items"),
        ("user", "used"),
        ("points", "joints"),
        ("views", "news"),
        ("tokens", "token"),
        ("H", "h"),
        ("k1", "k2"),
        ("tasks", "masks"),
        ("bins", "dims"),
        ("pairs", "parts"),
        ("src", "seq"),
        ("dim_in", "dim_out"),
    ],
)
def test_an_honest_name_is_not(name: str, param: str) -> None:
    assert meant(name, [param]) is None


def test_two_free_sizes_may_be_a_thing_and_how_many() -> None:
    assert meant("frame", [], ["frames"]) is None
    assert meant("tiem", [], ["time"]) == "time"


TEXT = "spec 1\nparam observations: int = 4\n{}\nmodel M(classes: int = 3) {{\n{}\n}}\n{}"


@pytest.mark.parametrize(
    ("before", "body", "rest", "line"),
    [
        ("", " input x: float[N, boservations]\n output tanh(x)", "", 5),
        ("", " input x: float[N, claases]\n output tanh(x)", "", 5),
        ("block B(hidden: int) {\n input x: float[N, hiden]\n output tanh(x)\n}",
         " input x: float[N, 4]\n output x -> B(4)", "", 4),
        ("", " input x: float[N, time]\n input y: float[N, tiem]\n output tanh(x), tanh(y)", "", 6),
        ("", " input x: float[N, 4]\n y = x -> Linear(3)\n output y",
         "train {\n input z: float[N, clsases]\n loss = mean(y) + mean(z)\n}", 10),
    ],
)  # fmt: skip
def test_it_is_asked_wherever_shapes_are_written(
    before: str, body: str, rest: str, line: int
) -> None:
    with pytest.raises(SpecError) as caught:
        analyse(TEXT.format(before, body, rest), "m.spec")
    found = [(item.code, item.span.line) for item in caught.value.diagnostics() if item.span]
    assert found == [("E0312", line)]
