"""``groups`` of a convolution with a given weight may be a size of the run: each sample then has a
weight of its own, as in StyleGAN 2."""

from __future__ import annotations

import torch
from torch.nn import functional

import specc
from specc import front

TEXT = """spec 1
model Modulated(channels: int = 5) {
  input x: float[N, C, H, W] where C == 4
  input style: float[N, 4]
  parameter weight: float[channels, 4, 3, 3] = normal_
  w = weight * reshape(style, N, 1, 4, 1, 1)
  w = w * rsqrt(sum(w ** 2, dim=(2, 3, 4), keepdim=true) + 1e-8)
  w = reshape(w, N * channels, 4, 3, 3)
  y = conv2d(reshape(x, 1, N * 4, H, W), w, padding=1, groups=N)
  z = conv_transpose2d(y, w, groups=N)
  output reshape(y, N, channels, H, W), reshape(z, N, 4, H + 2, W + 2)
}
"""


def test_a_weight_for_each_sample() -> None:
    torch.manual_seed(0)
    net = specc.loads(TEXT)
    x, style = torch.randn(3, 4, 6, 7), torch.randn(3, 4)
    given, turned = net(x, style)
    for k in range(3):
        w = net.weight * style[k].reshape(1, 4, 1, 1)  # type: ignore[operator]  # a tensor
        w = w * torch.rsqrt(w.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8)
        alone = functional.conv2d(x[k : k + 1], w, padding=1)
        torch.testing.assert_close(given[k : k + 1], alone)
        torch.testing.assert_close(turned[k : k + 1], functional.conv_transpose2d(alone, w))


def test_groups_that_do_not_divide_the_channels_are_told() -> None:
    text = TEXT.replace("padding=1, groups=N", "padding=1, groups=N + 1")
    assert {each.code for each in front.check_text(text)[1]} & {"E0302", "E0303", "E0311"}
