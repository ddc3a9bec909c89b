"""Which sizes an exported graph takes: what is bound is told, also where a guard alone knows of it,
and what can be free is free."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import specc
from specc import front
from specc.errors import TargetError
from specc.harness.cases import build_sizes
from specc.targets import TARGETS
from specc.targets.accepted_sizes import refused


class Graph(nn.Module):
    """Takes what ``takes`` says of the shape, and counts its calls in a buffer."""

    def __init__(self, takes: Callable[..., bool] = lambda *shape: True, guard: str = "") -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.takes, self.guard = takes, guard

    def forward(self, value: Tensor) -> Tensor:
        self.calls.add_(1)
        if not self.takes(*value.shape):
            raise AssertionError(self.guard or "no")
        return value


def tried(
    takes: Callable[..., bool], *shapes: tuple[int, int], eager: nn.Module | None = None
) -> tuple[dict[str, str], tuple[str, ...]]:
    made = Graph(takes, "Guard failed: 1 + (-1 + value.size()[1]) // 2 == 4")
    found = refused(
        made,
        eager or Graph(),
        (torch.zeros(3, 8),),
        [{0: "N", 1: "T"}],
        [(torch.zeros(shape),) for shape in shapes],
    )
    assert made.calls == 0
    return found.bound, found.notes()


def test_a_size_is_bound_where_a_greater_one_is_refused() -> None:
    asked = "1 + (-1 + T) // 2 == 4"
    derived = tried(lambda n, t: (t + 1) // 2 == 4, (1, 8), (9, 8), (3, 7), (3, 16))
    assert derived == ({"T": asked}, ())
    assert tried(lambda n, t: t <= 16, (3, 4), (3, 16), (3, 32)) == ({"T": asked}, ())
    assert tried(lambda n, t: n * t == 24, (3, 4), (6, 8)) == ({"N": asked, "T": asked}, ())


def test_small_sizes_that_are_refused_are_told_and_bind_nothing() -> None:
    bound, notes = tried(lambda n, t: n > 1 and t > 2, (1, 8), (6, 8), (3, 2), (3, 16))
    assert bound == {}
    assert notes == (
        "refuses small sizes, such as N=1, T=2 (its graph asks 1 + (-1 + T) // 2 == 4)",
    )
    assert tried(lambda n, t: n > 1, (1, 8))[0].keys() == {"N"}  # no other was taken


def test_what_the_model_refuses_too_binds_nothing() -> None:
    def takes(n: int, t: int) -> bool:
        return t != 16

    assert tried(takes, (3, 16), (3, 32), eager=Graph(takes)) == ({}, ())


MODEL = "spec 1\nmodel Net {{\n  input x: float[N, {shape}] where {where}\n{body}\n}}\n"
STRIDED = "transpose(transpose(x, 1, 2) -> Conv1d(4, 3, stride=2, padding=1), 1, 2)"
BOUND = {
    "GRU behind a stride": ("T, 3", "T >= 4", f"  s, _ = {STRIDED} -> GRU(4, batch_first=true)",
                            "1 + (-1 + T) // 2 =="),
    "LSTM of a half without its first": (
        "T, 3", "T >= 6",
        "  h = transpose(transpose(x, 1, 2) -> AvgPool1d(2), 1, 2)\n"
        "  s, _ = h[:, 1:] -> LSTM(4, batch_first=true, bidirectional=true)", "-1 + T // 2 =="),
    "RNN of a spectrum": ("T", "T >= 8",
                          "  s, _ = unsqueeze(abs(rfft(x)), -1) -> RNN(4, batch_first=true)",
                          "1 + T // 2 =="),
    "LSTM over an image's columns": (
        "1, 8, W", "W >= 8",
        "  h = x -> Conv2d(2, 3, stride=2, padding=1)\n"
        "  s, _ = permute(flatten(h, 1, 2), 2, 0, 1) -> LSTM(4)", "1 + (-1 + W) // 2 =="),
    "GRU of whole groups of four": (
        "T, 3", "T >= 9", "  g = reshape(x[:, :(T - 1) // 4 * 4], (N, (T - 1) // 4, 12))\n"
        "  s, _ = g -> GRU(4, batch_first=true)", "+ T) // 4 =="),
}  # fmt: skip
FREE = {
    "padded to a multiple": ("3, H, W", "H >= 5, W >= 5",
        "  s = pad(x, (0, (4 - W % 4) % 4, 0, (4 - H % 4) % 4)) -> Conv2d(2, 4, stride=4)"),
    "cut and reshaped": ("T, 6", "T >= 9",
        "  s = reshape(x[:, :(T - 1) // 4 * 4], (N, (T - 1) // 4, 24)) -> Linear(5)"),
    "unfolded": ("T, 6", "T >= 9",
        "  y = transpose(x, 1, 2) -> Conv1d(4, 4, stride=2)\n"
        "  s = unfold(unsqueeze(y, 2), (1, 3), stride=(1, 2)) -> Flatten(0)"),
    "half and back": ("3, H, W", "H >= 8, W >= 8",
        "  b = x -> Conv2d(4, 3, stride=2, padding=1)\n"
        '  s = cat([x, interpolate(b, (H, W), mode="nearest")], dim=1)'),
    "rolled by a quarter": ("T, 4", "T >= 8, T % 4 == 0",
        "  a, b = chunk(x, 2, dim=1)\n"
        "  s = pad(roll(a + b, T // 4, dims=1), (0, 0, T // 2, 0)) -> Linear(3)"),
}  # fmt: skip


def write(folder: Path, shape: str, where: str, body: str) -> Path:
    spec = folder / "net.spec"
    spec.write_text(MODEL.format(shape=shape, where=where, body=f"{body}\n  output s"))
    return spec


@pytest.mark.parametrize("case", BOUND.values(), ids=BOUND.keys())
def test_a_size_that_is_fixed_by_what_is_made_of_it_is_told(
    case: tuple[str, str, str, str], tmp_path: Path
) -> None:
    *parts, guard = case
    spec, said = write(tmp_path, *parts), []
    _, path = specc.build(spec, tmp_path / "out", target="export", say=said.append)
    known = front.read(spec)
    sizes = build_sizes.first(known, known.model()).values()
    name = parts[0].partition(",")[0] if "W" not in parts[0] else "W"
    bound = TARGETS["export"].facts(path).sizes()
    assert bound == {name: sizes[name]}
    assert f"bound to {name}={sizes[name]}: it takes no other size" in said[0]
    assert guard in said[0] and "recurrent layer" in said[0]
    with pytest.warns(UserWarning, match="bound to"):
        loaded = specc.load(path)
    other = {**sizes, name: sizes[name] + 1}  # of which the same size inside may be made
    shape = (other["N"], *(other.get(word) or int(word) for word in parts[0].split(", ")))
    with pytest.raises(TargetError, match="bound to") as caught:
        loaded(torch.zeros(shape))
    assert caught.value.code == "E0906"
    shape = (7, *(sizes.get(word) or int(word) for word in parts[0].split(", ")))
    assert loaded(torch.zeros(shape)).dim() == 3  # the batch is free


@pytest.mark.parametrize("target", ["export", "torchscript"])
@pytest.mark.parametrize("case", FREE.values(), ids=FREE.keys())
def test_a_size_of_which_others_are_made_stays_free(
    case: tuple[str, str, str], target: str, tmp_path: Path
) -> None:
    spec, said = write(tmp_path, *case), []
    _, path = specc.build(spec, tmp_path / "out", target=target, say=said.append)
    assert TARGETS[target].facts(path).sizes() == {}
    assert not any("bound" in note for note in said)


SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.spec"))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_every_size_is_tried_in_greater_and_smaller(spec: Path) -> None:
    program = front.read(spec)
    for model in program.models:
        first = build_sizes.first(program, model)
        before, known = first.values(), dict(first.sizes)
        changed: dict[str, list[int]] = {}
        for case in build_sizes.others(program, model, first):
            sizes = dict(case.sizes)
            for name in known:
                if sizes[name] != before[name]:
                    changed.setdefault(name, []).append(sizes[name])
        assert changed.keys() == known.keys()
        assert all(len(set(sizes)) == len(sizes) for sizes in changed.values())
