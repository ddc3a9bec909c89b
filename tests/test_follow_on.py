"""A name that could not be resolved is reported; what follows from that alone is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT

import specc


def codes(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "pyproject.toml").touch()
    file = tmp_path / "m.spec"
    file.write_text(text, encoding="utf-8")
    return [item.code for item in specc.check(file)]


BLOCKS = """
block Unit {
  input x: float[N, C, H, W]
  output x + (x -> conv: Conv2d(C, 3, padding=1) -> DropPath2d(0.1))
}

model Net {
  input image: float[N, 3, H, W]
  x = image -> stem: Conv2d(6, 3) -> units: repeat(2) Unit
  x = x -> flatten(2) -> transpose(1, 2) -> mix: Linear(4)
  output x
}
"""


@pytest.mark.parametrize("used", ["", 'use "std/drop_pth.spec"\n', 'use "mine/none.spec"\n'])
def test_a_block_of_a_missing_file_gives_no_value_of_a_wrong_shape(
    tmp_path: Path, used: str
) -> None:
    found = codes(tmp_path, f"spec 1\n{used}{BLOCKS}")
    assert found == (["E0240"] if used else ["E0201"])


@pytest.mark.parametrize(
    ("body", "train", "expected"),
    [
        # An output under another name: `train` speaks of what is inside.
        ("h = x -> fc: Linear(4)\n  output hh8", "loss = CrossEntropyLoss(h, label)", ["E0201"]),
        ("logit = x -> fc: Linear(4)\n  output zz", "loss = CrossEntropyLoss(logit, label)",
         ["E0201"]),
        ("h = x -> fc: Linear(4)\n  output h", "loss = CrossEntropyLoss(h9, label)\n  "
         "metric Accuracy(h9, label)", ["E0201"]),
        # A layer that is declared, and called by another name.
        ("layer decode = Linear(4)\n  h = other(x)\n  output h",
         "loss = CrossEntropyLoss(h, label)", ["E0201"]),
        # Its parameters are nobody's.
        ("h = x -> fc: Linner9(4)\n  output h",
         "loss = CrossEntropyLoss(h, label)\n  regularize L2(1e-4) on fc.in_proj_weight",
         ["E0201"]),
        ("h = x -> fc: Linear(4)\n  output h * gamma",
         "loss = CrossEntropyLoss(output, label)\n  regularize L2(1e-4) on gamma", ["E0201"]),
        # The same name again.
        ("h = x -> fc: Linear(depth)\n  h = h -> Linear(depth) -> Linear(depth)\n  output h",
         "loss = CrossEntropyLoss(h, label)", ["E0201"]),
        # Two names are two faults.
        ("h = x -> fc: Linear(depth)\n  h = h -> Linear(breadth)\n  output h",
         "loss = CrossEntropyLoss(h, label)", ["E0201", "E0201"]),
        ("h = x -> fc: Linear(4)\n  output h",
         "loss = CrossEntropyLoss(h, label)\n  regularize L2(1e-4) on fc9.weight", ["E0401"]),
    ],
)  # fmt: skip
def test_what_follows_is_not_told(
    tmp_path: Path, body: str, train: str, expected: list[str]
) -> None:
    text = (
        f"spec 1\n\nmodel Net {{\n  input x: float[N, 8]\n  {body}\n}}\n\n"
        f"train {{\n  input label: index(4)[N]\n  {train}\n  optimizer SGD(lr=0.1)\n}}\n"
    )
    assert codes(tmp_path, text) == expected


SEVERAL = """spec 1

model Actor {
  input seen: float[N, 8]
  output seen -> Linear(4)
}

train {
  input seen: float[N, 8]
  input label: index(4)[N]
  copy target of Actor every 10
  loss = CrossEntropyLoss(Actor(seen), label) + mean(target(seen))
  optimizer SGD(lr=0.1) on Actor
}
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("model Actor", "model Player", ["E0413"]),
        ("  copy target of Actor every 10\n", "", ["E0201"]),
        ("Actor(seen), label", "Plaxer(seen), label", ["E0201"]),
        ("on Actor", "on Player", ["E0401"]),
    ],
)
def test_a_model_that_is_not_there(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    assert codes(tmp_path, SEVERAL) == []
    assert codes(tmp_path, SEVERAL.replace(old, new)) == expected


@pytest.mark.parametrize(
    ("input_", "row", "expected"),
    [
        ("x: float[N, T, 8]", "N=2, T=3", []),
        ("x: float[N, S, 8]", "N=2, T=3", ["E0502"]),
        ("x: float[N, S, 8] where T > 1", "N=2, T=3", ["E0201"]),
        ("x: float[N, T, D]", "N=2, T=3", ["E0308"]),
        ("x: float[N, T, 8]", "N=2", ["E0502"]),
        ("x: float[N, T, 8]", "N=2, T=3, K=4", ["E0502"]),
    ],
)
def test_a_row_of_sizes_is_told_once(
    tmp_path: Path, input_: str, row: str, expected: list[str]
) -> None:
    text = (
        f"spec 1\n\nmodel Net {{\n  input {input_}\n  output x -> Linear(4)\n}}\n\n"
        f"test {{\n  sizes {row}\n}}\n"
    )
    assert codes(tmp_path, text) == expected


@pytest.mark.parametrize(
    "call", ["SqueezeExcite(4, gaate9=Hardsigmoid)", "Squeezed(4, gate=Hardsigmoid)"]
)
def test_what_an_argument_that_there_is_not_is_given_is_no_news(tmp_path: Path, call: str) -> None:
    text = (
        'spec 1\n\nuse "std/squeeze_excite.spec"\n\nmodel Net {\n'
        f"  input x: float[N, 8, H, W]\n  output x -> {call}\n}}\n"
    )
    assert len(codes(tmp_path, text)) == 1


def test_each_library_file_of_the_zoo_left_out_is_one_kind_of_fault(tmp_path: Path) -> None:
    tried = 0
    for file in sorted((ROOT / "specs").rglob("*.spec")):
        text = file.read_text(encoding="utf-8")
        if 'use "std/' in text:
            tried += 1
            assert set(codes(tmp_path, text.replace('use "std/', 'use "std/no_'))) == {"E0240"}
    assert tried > 8


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("rotary_positions", "CrossEntropyLoss(flatten(", "CrossEntropyLoss(faltten("),
        ("window_attention", "CrossEntropyLoss(", "CrossEntropyLos("),
        ("patch_embedding", "CrossEntropyLoss(logits", "CrossEntropyLoss(logit_"),
    ],
)
def test_a_loss_that_cannot_be_read_beside_a_missing_file(
    tmp_path: Path, name: str, right: str, wrong: str
) -> None:
    text = (ROOT / "specs" / "library" / f"{name}.spec").read_text(encoding="utf-8")
    assert right in text
    found = codes(tmp_path, text.replace('.spec"', '.spe"').replace(right, wrong))
    assert found[0] == "E0240" and "E0790" not in found
