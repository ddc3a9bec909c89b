"""``weights``: checkpoints that are loaded, into a model and into what trains it, and the refused,
with the tensor that is at fault."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import specc
from specc.errors import CallError

MODEL = """spec 1

model Net {
  input x: float[N, 4]
  weights "FILE"
  output x -> body: Linear(3) -> norm: BatchNorm1d -> head: Linear(2)
}
"""

SEVERAL = """spec 1

model Encoder {
  input x: float[N, 4]
  weights "encoder.safetensors"
  output x -> body: Linear(3)
}

model Decoder {
  input z: float[N, 3]
  output z -> body: Linear(4)
}

train {
  input x: float[N, 4]
  copy target of Encoder every 2
  ema average of Encoder decay 0.9
  loss = MSELoss(Decoder(Encoder(x)), x) + 0.1 * mean((target(x) - average(x)) ** 2)
  optimizer SGD(lr=0.1) on Encoder, Decoder
}
"""


def written(folder: Path, file: str, text: str = MODEL) -> Path:
    path = folder / "net.spec"
    path.write_text(text.replace("FILE", file), encoding="utf-8")
    return path


def state() -> dict[str, Tensor]:
    torch.manual_seed(5)
    body, norm, head = nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)
    parts = {"body": body, "norm": norm, "head": head}
    return {f"{k}.{n}": t for k, part in parts.items() for n, t in part.state_dict().items()}


def same(module: nn.Module, wanted: dict[str, Tensor], prefix: str = "") -> bool:
    found = module.state_dict()
    return all(torch.equal(found[prefix + name], tensor) for name, tensor in wanted.items())


@pytest.mark.parametrize("file", ["net.safetensors", "net.pt"])
def test_a_model_starts_from_its_checkpoint(file: str, tmp_path: Path) -> None:
    path, tensors = written(tmp_path, file), state()
    save_file(tensors, tmp_path / file) if file.endswith("s") else torch.save(
        tensors, tmp_path / file
    )
    assert same(specc.load(path), tensors)


def test_what_trains_models_starts_from_their_checkpoints(tmp_path: Path) -> None:
    path = written(tmp_path, "", SEVERAL)
    tensors = {"body.weight": torch.randn(3, 4), "body.bias": torch.randn(3)}
    save_file(tensors, tmp_path / "encoder.safetensors")
    training: Any = specc.load(path, model="Training")
    for name in ("encoder", "target", "average"):
        assert same(training, tensors, f"{name}.")
    x = torch.randn(6, 4)
    training.training_step(training.configure_optimizers()["optimizer"], 0, x)
    assert same(training, tensors, "target.") and not same(training, tensors, "encoder.")
    assert same(specc.load(path, model="Encoder"), tensors)
    with pytest.raises(CallError, match="Training is what trains") as caught:
        specc.load(path, model="Training", target="export")
    assert caught.value.code == "E0707"
    (tmp_path / "encoder.safetensors").unlink()
    with pytest.raises(CallError) as caught:
        specc.load(path, model="Training")
    assert caught.value.code == "E0709"


def change(**changed: Tensor | None) -> dict[str, Tensor]:
    found = state()
    for name, tensor in changed.items():
        if tensor is None:
            del found[name.replace("__", ".")]
        else:
            found[name.replace("__", ".")] = tensor
    return found


MISFITS = [
    (change(body__weight=torch.ones(3, 5)), r"body.weight is \[3, 5\], and \[3, 4\] in", "sizes"),
    (change(body__weight=torch.ones(3, 4).half()), "body.weight is float16, and float32", "dtypes"),
    (change(head__bias=torch.ones(2).double()), "head.bias is float64, and float32", "dtypes"),
    (change(head__bias=torch.ones(2).long()), "head.bias is int64, and float32", "dtypes"),
    (change(norm__num_batches_tracked=torch.tensor(1.0)), "num_batches_tracked is float32", "dtyp"),
    (change(head__bias=None), "it lacks head.bias", "labels"),
    (change(fc__bias=torch.ones(2)), "the model has no 'fc.bias'", "labels"),
    (change(head__bias=None, heads__bias=torch.ones(2)), "it lacks head.bias", "calls head.bias"),
    ({}, "it lacks body.weight; it lacks body.bias.* and 5 more", "labels"),
]  # fmt: skip


@pytest.mark.parametrize("file", ["net.safetensors", "net.pt"])
@pytest.mark.parametrize(("tensors", "said", "advice"), MISFITS)
def test_a_checkpoint_that_does_not_fit_is_refused(
    tensors: dict[str, Tensor], said: str, advice: str, file: str, tmp_path: Path
) -> None:
    if file.endswith(".pt"):
        torch.save(tensors, tmp_path / file)
    else:
        save_file(tensors, tmp_path / file)
    with pytest.raises(CallError, match=said) as caught:
        specc.load(written(tmp_path, file))
    assert caught.value.code == "E0709" and advice in str(caught.value.help)


def _header(path: Path, text: bytes, length: int | None = None, body: int = 0) -> None:
    count = len(text) if length is None else length
    path.write_bytes(count.to_bytes(8, "little") + text + bytes(body))


def _cut(path: Path) -> None:
    save_file(state(), path)
    path.write_bytes(path.read_bytes()[:-20])


def _cut_torch(path: Path) -> None:
    torch.save(state(), path)
    path.write_bytes(path.read_bytes()[:-200])


def _one(dtype: str) -> bytes:
    return json.dumps({"a": {"dtype": dtype, "shape": [2], "data_offsets": [0, 2]}}).encode()


def _bomb(path: Path) -> None:
    """Little on disk, and a hundred megabytes once it is unpacked."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("archive/data.pkl", bytes(100 << 20))


class _Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("this ran",))


BROKEN: list[tuple[str, Callable[[Path], object], str]] = [
    ("a.safetensors", lambda p: p.write_bytes(b""), "cannot read"),
    ("a.safetensors", lambda p: p.write_bytes(b"\x80\x02pickle"), "cannot read"),
    ("a.safetensors", _cut, "cannot read"),
    ("a.safetensors", lambda p: _header(p, b"{}", 2**62), "cannot read.*header"),
    ("a.safetensors", lambda p: _header(p, b"[" * 9000), "cannot read"),
    ("a.safetensors", lambda p: _header(p, b"{}" + b" " * (17 << 20)), "header.*17,825,794 bytes"),
    ("a.safetensors", lambda p: _header(p, _one("WAT"), body=2), "cannot read"),
    ("a.safetensors", lambda p: _header(p, _one("F8_E4M3"), body=2), "it lacks body.weight"),
    ("a.safetensors", lambda p: p.mkdir(), "no checkpoint"),
    ("a.pt", lambda p: p.write_bytes(b""), "cannot read"),
    ("a.pt", _cut_torch, "cannot read"),
    ("a.pt", lambda p: torch.save(_Runs(), p), "cannot read"),
    ("a.pt", lambda p: torch.save({"model": state(), "epoch": 3}, p), "'model' is a dict"),
    ("a.pt", lambda p: torch.save([torch.ones(2)], p), "holds a list"),
    ("a.pt", lambda p: torch.save({1: torch.ones(2)}, p), "'1' is a Tensor"),
    ("a.pt", lambda p: torch.save(change(body__weight=torch.eye(3, 4).to_sparse()), p),
     "'body.weight' is no plain tensor"),
    ("a.pt", lambda p: torch.save(change(extra=torch.zeros(6 << 20)), p), "25,1.* bytes, and all"),
    ("a.pt", _bomb, "104,857,600 bytes, and all"),
    ("a\0b.pt", lambda p: None, "no path"),
    ("../a.pt", lambda p: None, "outside the project"),
    ("/etc/passwd", lambda p: None, "outside the project"),
    ("b.pt", lambda p: None, "no checkpoint"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "prepare", "said"), BROKEN)
def test_a_broken_or_hostile_checkpoint_is_refused(
    file: str, prepare: Callable[[Path], object], said: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "pyproject.toml").write_text("")
    prepare(tmp_path / Path(file).name.replace("\0", ""))
    with pytest.raises(CallError, match=said) as caught:
        specc.load(written(tmp_path, file.replace("\0", "\\u0000")))
    assert caught.value.code == "E0709" and "this ran" not in capsys.readouterr().out
