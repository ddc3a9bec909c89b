"""Lists of tensors in and out of blocks, loops and branches; sizes of the run in arguments."""

from __future__ import annotations

import pytest
import torch
from emit_support import class_of, emitted
from semantics_support import faults, model_of

from specc.errors import SpecError
from specc.semantics import analyse

FUSE = """spec 1
block Fuse(widths: tuple) {
  input xs: [float[N, widths[k], H // 2 ** k, W // 2 ** k] for k in range(len(widths))]
  full = [x -> Conv2d(widths[0], 1) for x in xs]
  total = full[0]
  for k in range(1, len(widths)) { total = total + interpolate(full[k], size=(H, W)) }
  down = [total -> Conv2d(c, 1) for c in widths]
  output [relu(xs[k] + avg_pool2d(down[k], 2 ** k)) for k in range(len(widths))]
}
block Split(c: int) {
  input x: float[N, C, H, W]
  output x, [x -> Conv2d(c, 1), x -> AvgPool2d(2) -> Conv2d(2 * c, 1)]
}
"""
NET = (
    FUSE
    + """model M(deep: bool = true) {
  input image: float[N, 3, H, W] where H % 4 == 0, W % 4 == 0
  kept, branches = image -> Split(4)
  branches = branches -> Fuse((4, 8)) -> Fuse((4, 8))
  branches = branches + [branches[-1] -> AvgPool2d(2) -> Conv2d(16, 1)]
  for i in range(2) { branches = Fuse((4, 8, 16))(branches) }
  layer last = Fuse((4, 8, 16))
  branches = last(last(branches))
  if deep { branches = [relu(b) for b in branches] } else { branches = [tanh(b) for b in branches] }
  pooled = [mean(b, dim=(2, 3)) for b in branches[1:]]
  output kept, cat(pooled, dim=1) / len(branches)
}
"""
)


def _runs(text: str, *inputs: torch.Tensor) -> list[torch.Tensor]:
    made = class_of(emitted(text))().eval()
    names = [name for name, _, _ in analyse(text, "m.spec").model().parameters()]
    assert names == [name for name, _ in made.named_parameters()]
    found = made(*inputs)
    scripted = torch.jit.script(made)(*inputs)
    found, scripted = [(f,) if isinstance(f, torch.Tensor) else f for f in (found, scripted)]
    for one, other in zip(found, scripted, strict=True):
        torch.testing.assert_close(one, other)
    return list(found)


def test_branches_of_a_multi_resolution_network() -> None:
    kept, pooled = _runs(NET, torch.randn(2, 3, 8, 12))
    assert kept.shape == (2, 3, 8, 12) and pooled.shape == (2, 24)


def test_a_list_computes_what_its_items_do() -> None:
    text = """spec 1
block Both {
  input xs: [float[N, D] for k in range(2)]
  input y: float[N, D]
  output xs[0] * 2 + y, [xs[1] * 3, y]
}
model M {
  input a: float[N, 4]
  input b: float[N, 4]
  xs = [a, b]
  for k in range(3) {
    first, xs = Both()(xs, a)
    a = first + a
  }
  total = a
  for x in xs { total = total + x }
  output total, first_of(xs) if false else xs[0]
}
""".replace(", first_of(xs) if false else xs[0]", ", xs[0], xs[1]")
    a, b = torch.randn(2, 3, 4).unbind()
    xs, value = [a, b], a
    for _ in range(3):
        first, xs = xs[0] * 2 + value, [xs[1] * 3, value]
        value = first + value
    for one, other in zip(_runs(text, a, b), [value + xs[0] + xs[1], *xs], strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("taken", [True, False])
def test_a_branch_rebinds_a_list(taken: bool) -> None:
    text = f"""spec 1
block Side(deep: bool) {{
  input x: float[N, D]
  xs = [x, 2 * x]
  if deep {{ xs = [xs[1], xs[0] + 1] }}
  output xs
}}
model M {{
  input x: float[N, 4]
  a = Side({str(taken).lower()})(x)
  b = Side({str(not taken).lower()})(x)
  output a[0], a[1], b[0], b[1]
}}
"""
    assert emitted(text).count("class Side") == 1
    x = torch.randn(3, 4)
    sides = [[2 * x, x + 1], [x, 2 * x]]
    wanted = [*sides[not taken], *sides[taken]]
    for one, other in zip(_runs(text, x), wanted, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("  input x: float[N, 4, H, W]\n  y = x -> Fuse((4,))\n  output y[0]", "E0224"),
        ("  input x: float[N, 4, H, W]\n  y = [x, x, x] -> Fuse((4, 8))\n  output y[0]", "E0224"),
        ("  input x: float[N, 4, H, W]\n  y = [x, x] -> Fuse((4, 8))\n  output y[0]", "E0242"),
        ("  input x: float[N, 4, H, W]\n  output [x, x] -> Split(2)", "E0224"),
        (
            "  input x: float[N, 4]\n  xs = [x]\n  for k in range(2) { xs = [x, x] }\n"
            "  output xs[0]",
            "E0238",
        ),
        ("  input x: float[N, 4]\n  output x + [x, x]", "E0225"),
    ],
)
def test_lists_that_do_not_fit_are_said(body: str, code: str) -> None:
    rest = FUSE.removeprefix("spec 1\n")
    assert code in {each for each, _ in faults(body, rest)}


def test_a_size_that_no_item_tells_is_said() -> None:
    text = """spec 1
block B {
  input xs: [float[N, 2 * D] for k in range(2)]
  output xs[0]
}
model M {
  input x: float[N, 4]
  output [x, x] -> B
}
"""
    with pytest.raises(SpecError) as caught:
        analyse(text, "m.spec")
    assert "E0223" in [item.code for item in caught.value.diagnostics()]


WINDOW = """spec 1
block Window(window: int = 7, shift: int = 0) {
  input x: float[N, C, H, W]
  down = (window - H % window) % window
  right = (window - W % window) % window
  y = pad(x, (0, right, 0, down)) -> roll((-shift, -shift), dims=(2, 3))
  y = reshape(y, N, C, (H + down) // window, window, (W + right) // window, window)
  y = permute(y, 0, 2, 4, 3, 5, 1) -> reshape(-1, window * window, C) -> softmax(dim=1)
  y = reshape(y, N, (H + down) // window, (W + right) // window, window, window, C)
  y = permute(y, 0, 5, 1, 3, 2, 4) -> reshape(N, C, H + down, W + right)
  output narrow(narrow(roll(y, (shift, shift), dims=(2, 3)), 2, 0, H), 3, 0, W) + x
}
model M(window: int = 3) {
  input x: float[N, 4, H, W]
  input t: float[N, T]
  z = roll(t, -(T // 2), dims=1) * arange(T) + arange(-T, 0) + arange(0, 2 * T, 2)
  z = z + narrow(pad(t, (T, 0)), 1, T, T)
  output x -> Window(window) -> Window(window, 1) -> Window, z, pad(t, (0, (4 - T % 4) % 4))
}
"""


@pytest.mark.parametrize("size", [(8, 5), (6, 6), (1, 7)])
def test_windows_of_any_image_size(size: tuple[int, int]) -> None:
    model = analyse(WINDOW, "m.spec").model()
    assert not model.conditions  # what is padded to windows fits, whatever the sizes are
    x, z, padded = _runs(WINDOW, torch.randn(2, 4, *size), torch.ones(2, 6))
    assert x.shape == (2, 4, *size) and padded.shape == (2, 8)
    counted = torch.arange(6) + torch.arange(-6, 0) + torch.arange(0, 12, 2) + 1.0
    torch.testing.assert_close(z, counted.expand(2, 6))


def test_a_padding_that_cuts_is_a_condition() -> None:
    model = model_of("  input x: float[N, T]\n  output pad(x, (0, 4 - T))")
    assert model.outputs[0].value.type.shape[1] == 4
    model = model_of(
        "  input x: float[N, T]\n  input y: float[N, S]\n  output pad(x, (0, S - T - 1)), y"
    )
    assert [str(condition) for condition in model.conditions] == ["S >= 2"]
