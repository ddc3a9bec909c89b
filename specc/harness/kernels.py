"""Which kernels torch computes with on the CPU: fused ones hide roundings and products.

Non-goals: threads (``floor``), what a GPU computes with (``tf32``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def plain_kernels(active: bool) -> Iterator[None]:
    """While open and ``active``, oneDNN's fused kernels and fused attention are not used."""
    if not active:
        yield
        return
    from torch.nn.attention import SDPBackend, sdpa_kernel

    before = bool(torch.backends.mkldnn.enabled)
    _enable_onednn(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        _enable_onednn(before)


def _enable_onednn(enabled: bool) -> None:
    # The public flags() also sets a TF32 switch, and warns that this machine has no Intel GPU for
    # it.
    torch._C._set_mkldnn_enabled(enabled)
