"""Indices of torch's that a spec has not: what a message proposes picks what torch would."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import specc
from specc import front
from specc.errors import Diagnostic

SPEC = """spec 1

model Net {{
  input x: float[3, 4, 5]
  input i: index(3)[7]
  input j: index(4)[7]
  input k: index(5)[7]
  input mask: bool[3, 4]
  output {}
}}
"""


def errors(text: str) -> list[Diagnostic]:
    _, found, _ = front.check_text(text)
    return [item for item in found if item.severity == "error"]


PICKED = [
    "x[i, j]", "x[i, j, 0]", "x[i, j, k]", "x[:, j, k]", "x[i, j][:, 1:]", "x[i, j, 1:3]",
    "x[[0, 1]]", "x[:, [1, 2, 3]]", "x[:, [0, 3]]", "x[[2, 0]]", "x[:, :, [4, 4]]",
    "x[::-1]", "x[:, ::-1]", "x[::-1, ::-1]",
]  # fmt: skip


@pytest.mark.parametrize("said", PICKED)
def test_what_is_proposed_picks_the_same(said: str) -> None:
    text = SPEC.format(said)
    (found,) = errors(text)
    assert found.fix is not None, found
    right = text[: found.fix.start] + found.fix.text + text[found.fix.end :]
    assert errors(right) == []
    torch.manual_seed(0)
    x = torch.randn(3, 4, 5)
    i, j, k = (torch.randint(0, size, (7,)) for size in (3, 4, 5))
    with torch.no_grad():
        picked = specc.loads(right)(x, i, j, k, torch.ones(3, 4, dtype=torch.bool))
    assert torch.equal(picked, wanted(said, x, i, j, k))


def wanted(said: str, x: Tensor, i: Tensor, j: Tensor, k: Tensor) -> Tensor:
    turned = [place for place, part in enumerate(said[2:-1].split(", ")) if part == "::-1"]
    if turned:
        return torch.flip(x, turned)
    return eval(said, {}, {"x": x, "i": i, "j": j, "k": k})  # a row of the table


@pytest.mark.parametrize(
    ("said", "code", "help"),
    [
        ("x[i, :, k]", "E0304", "join the dimensions and count through both"),
        ("x[mask]", "E0211", "`where(mask, x, 0.0)` keeps the shape"),
        ("x[x > 0]", "E0211", "`where(x > 0, x, 0.0)` keeps the shape"),
        ("x[1.5]", "E0211", "a whole number, a slice such as `0:2`"),
        ('x["a"]', "E0211", "a whole number, a slice such as `0:2`"),
        ("x[:, 4]", "E0304", "the last is 3, or -1"),
        ("x[0, 0, 0, 0]", "E0304", "say as many as there are, or fewer"),
    ],
)
def test_what_has_no_such_form_is_told_in_words(said: str, code: str, help: str) -> None:
    (found,) = errors(SPEC.format(said))
    assert found.code == code and help in (found.help or "")
    assert found.fix is None
