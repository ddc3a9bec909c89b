"""Inputs read from a file: the numbers that are taken, and every file that is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from harness_support import MLP_SOURCE, mlp
from safetensors.torch import save_file
from torch import Tensor

from specc.errors import CallError, GoldenStale, SpecError
from specc.harness.blessing.bless import bless
from specc.harness.cases.case import close
from specc.harness.cases.matrix import cases, cells
from specc.harness.judging.judge import judge
from specc.ir import Program
from specc.semantics import analyse

FILE = "samples.safetensors"


def sampled(folder: Path, path: str = FILE, name: str = "x") -> Program:
    (folder / "golden").mkdir(exist_ok=True, parents=True)
    program = mlp(folder)
    return replace(program, test=replace(program.test, samples=((name, path),)))


def rows(count: int) -> Tensor:
    return torch.randn(count, 20, generator=torch.Generator().manual_seed(count))


def test_rows_are_dealt_to_the_steps(tmp_path: Path) -> None:
    data = rows(12)
    save_file({"x": data}, tmp_path / FILE)
    program = sampled(tmp_path)
    batches = close(program, cases(program)[0]).batches
    seen = [dict(batch.inputs)["x"] for batch in batches]
    assert all(x.dtype == torch.float64 for x in seen)
    assert torch.equal(torch.cat(seen), data.double())
    other = dict(close(mlp(tmp_path), cases(program)[0]).batches[0].labels)["label"]
    assert torch.equal(dict(batches[0].labels)["label"], other)  # what has no file is drawn


def test_a_file_of_one_batch_serves_every_step(tmp_path: Path) -> None:
    save_file({"x": rows(4)}, tmp_path / FILE)
    program = sampled(tmp_path)
    first, *others = close(program, cases(program)[0]).batches
    assert all(torch.equal(dict(each.inputs)["x"], dict(first.inputs)["x"]) for each in others)


def test_samples_are_on_the_grid_of_the_lowest_precision(tmp_path: Path) -> None:
    save_file({"x": rows(4)}, tmp_path / FILE)
    program = sampled(tmp_path)
    (batch, *_) = close(program, cases(program)[0], grid="bfloat16").batches
    x = dict(batch.inputs)["x"]
    assert torch.equal(x, x.to(torch.bfloat16).double())


def _write(folder: Path, **tensors: Tensor) -> None:
    save_file(tensors, folder / FILE)


REFUSED: list[tuple[Callable[[Path], object], str, str, str, str]] = [
    (lambda f: None, FILE, "x", "E0806", "no such file"),
    (lambda f: (f / FILE).write_bytes(b"\x80\x02pickle"), FILE, "x", "E0806", "no safetensors"),
    (lambda f: (f / FILE).mkdir(), FILE, "x", "E0806", "no such file"),
    (lambda f: None, "../" * 40 + "etc/passwd", "x", "E0806", "out of the project"),
    (lambda f: None, "/etc/passwd", "x", "E0806", "out of the project"),
    (lambda f: (f / FILE).symlink_to("/etc/passwd"), FILE, "x", "E0806", "out of the project"),
    (lambda f: _write(f, y=rows(4)), FILE, "x", "E0807", "no tensor called 'x'"),
    (lambda f: _write(f, x=rows(3)), FILE, "x", "E0807", r"\[3, 20\].*asks for \[4, 20\]"),
    (lambda f: _write(f, x=rows(4)[:, :7].contiguous()), FILE, "x", "E0807", r"\[4, 7\]"),
    (lambda f: _write(f, x=rows(4).long()), FILE, "x", "E0807", "int64"),
    (lambda f: _write(f, x=rows(4) / 0), FILE, "x", "E0807", "NaN or infinity"),
    (lambda f: _write(f, label=torch.tensor([0, 1, 5, 2])), FILE, "label", "E0807", "0 to 5"),
    (lambda f: _write(f, label=torch.zeros(4)), FILE, "label", "E0807", "float32"),
]


@pytest.mark.parametrize(("prepare", "path", "name", "code", "text"), REFUSED)
def test_a_file_that_does_not_do_is_refused(
    prepare: Callable[[Path], object], path: str, name: str, code: str, text: str, tmp_path: Path
) -> None:
    program = sampled(tmp_path, path, name)
    prepare(tmp_path)
    with pytest.raises(CallError, match=text) as caught:
        close(program, cases(program)[0])
    assert caught.value.code == code and caught.value.help


def test_a_changed_file_makes_the_golden_stale(tmp_path: Path) -> None:
    save_file({"x": rows(12)}, tmp_path / FILE)
    program = sampled(tmp_path)
    bless(program, tmp_path, MLP_SOURCE)
    (cell, *_) = cells(program, ["eager"], ["cpu"])
    assert judge(program, cell, tmp_path, MLP_SOURCE).passed
    save_file({"x": rows(12) * 2}, tmp_path / FILE)
    with pytest.raises(GoldenStale, match="the samples of x have changed"):
        judge(program, cell, tmp_path, MLP_SOURCE)
    drawn = replace(program, test=replace(program.test, samples=()))
    with pytest.raises(GoldenStale, match="the samples of x have changed"):
        judge(drawn, cell, tmp_path, MLP_SOURCE)
    (tmp_path / FILE).unlink()
    with pytest.raises(CallError) as caught:
        judge(program, cell, tmp_path, MLP_SOURCE)
    assert caught.value.code == "E0806"


KINDS = """spec 1
model Net {
  input x: float[N, 2]
  input share: unit[N, 2]
  input wave: complex64[N, 2]
  input byte: uint8[N]
  input mask: bool[N]
  input token: index(300)[N]
  output x, share, wave * 2, byte, mask, token
}
test { sizes N=2 }
"""


def taken(folder: Path, name: str, path: str = FILE) -> Tensor:
    program = analyse(KINDS, str(folder / "m.spec"))
    program = replace(program, test=replace(program.test, samples=((name, path),)))
    return dict(close(program, cases(program)[0]).batches[0].inputs)[name]


UNSIGNED = [torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int16]
SMALL = [torch.float8_e4m3fn, torch.float8_e5m2, torch.float16, torch.float64]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        *(("token", torch.tensor([7, 250]).to(dtype)) for dtype in UNSIGNED),
        *(("byte", torch.tensor([7, 250]).to(dtype)) for dtype in UNSIGNED),
        *(("x", torch.tensor([[0.5, -1.5], [2.0, 0.0]]).to(dtype)) for dtype in SMALL),
        *(("share", torch.tensor([[0.5, 1.0], [0.25, 0.0]]).to(dtype)) for dtype in SMALL),
        ("wave", torch.tensor([[1 + 2j, 0], [3, -1j]])),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.dtype)[6:],
)
def test_numbers_are_taken_in_whatever_precision_the_file_has(
    name: str, data: Tensor, tmp_path: Path
) -> None:
    _write(tmp_path, **{name: data})
    kind = torch.complex128 if data.is_complex() else torch.float64
    assert torch.equal(taken(tmp_path, name).to(kind), data.to(kind))


def _header(folder: Path, dtype: str) -> None:
    """A file of a tensor ``x``, of a dtype that the format may know and torch does not."""
    head = json.dumps({"x": {"dtype": dtype, "shape": [2, 2], "data_offsets": [0, 2]}}).encode()
    (folder / FILE).write_bytes(len(head).to_bytes(8, "little") + head + bytes(2))


@pytest.mark.parametrize(
    ("prepare", "name", "path", "code", "text"),
    [
        (lambda f: _write(f, token=torch.tensor([7, 300]).to(torch.uint16)), "token", FILE, "E0807",
         "from 7 to 300"),
        (lambda f: _write(f, token=torch.tensor([7, 2**64 - 1], dtype=torch.uint64)), "token", FILE,
         "E0807", "to 18446744073709551615"),
        (lambda f: _write(f, byte=torch.tensor([-1, 255])), "byte", FILE, "E0807", "from -1 to"),
        (lambda f: _write(f, share=torch.tensor([[0, 2.0]] * 2).to(torch.float8_e5m2)), "share",
         FILE, "E0807", "from 0.0 to 2.0"),
        (lambda f: _write(f, x=torch.full((2, 2), torch.nan).to(torch.float8_e4m3fn)), "x", FILE,
         "E0807", "NaN or infinity"),
        (lambda f: _write(f, wave=torch.full((2, 2), complex(0, torch.inf))), "wave", FILE, "E0807",
         "NaN or infinity"),
        (lambda f: _write(f, x=torch.ones(2, 2) + 1j), "x", FILE, "E0807", "complex64"),
        (lambda f: _write(f, wave=torch.ones(2, 2)), "wave", FILE, "E0807", "float32"),
        (lambda f: _write(f, mask=torch.ones(2).to(torch.uint8)), "mask", FILE, "E0807", "uint8"),
        (lambda f: _header(f, "F4"), "x", FILE, "E0806", "of its type 'F4'"),
        (lambda f: _header(f, "WAT"), "x", FILE, "E0806", "no safetensors"),
        (lambda f: (f / FILE).write_bytes((2**62).to_bytes(8, "little")), "x", FILE, "E0806",
         "no safetensors"),
        (lambda f: None, "x", "a\0b.safetensors", "E0806", "no path"),
        (lambda f: None, "x", "a\ud800.safetensors", "E0806", "no path"),
        (lambda f: None, "x", "a" * 5000, "E0806", "too long"),
    ],
)  # fmt: skip
def test_numbers_and_paths_that_do_not_do_are_refused(
    prepare: Callable[[Path], object], name: str, path: str, code: str, text: str, tmp_path: Path
) -> None:
    prepare(tmp_path)
    with pytest.raises(CallError, match=text) as caught:
        taken(tmp_path, name, path)
    assert caught.value.code == code and caught.value.help


SPEC = """spec 1
model Net {
  input image: float[N, 8]
  y = image -> fc: Linear(4)
  output y
}
train {
  input label: index(4)[N]
  loss = CrossEntropyLoss(y, label)
  optimizer SGD(lr=0.1)
}
test {
  %s
}
"""


def test_a_spec_names_the_file() -> None:
    plan = analyse(
        SPEC % 'input image from "data/a.safetensors"\n  layouts channels_last', "m.spec"
    ).test
    assert plan.samples == (("image", "data/a.safetensors"),)
    assert plan.layouts == ("channels_last",)
    both = 'input label from "b.safetensors"\n  dtypes bfloat16, float16'
    assert analyse(SPEC % both, "m.spec").test.dtypes == ("bfloat16", "float16")


@pytest.mark.parametrize(
    ("line", "code", "help"),
    [
        ('input imgae from "a.safetensors"', "E0506", "did you mean `image`?"),
        ('input y from "a.safetensors"', "E0506", "one of image, label"),
        ('input image from "a.safetensors"\n  input image from "b.safetensors"', "E0503", "once"),
    ],
)
def test_a_spec_that_names_it_wrongly_is_refused(line: str, code: str, help: str) -> None:
    with pytest.raises(SpecError) as caught:
        analyse(SPEC % line, "m.spec")
    assert caught.value.code == code and help in str(caught.value.help)
