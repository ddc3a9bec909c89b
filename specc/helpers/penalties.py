"""What penalties are made of beside sums.

Non-goal: which parameters they are of.
"""

from __future__ import annotations

import torch
from torch import Tensor


def orthogonality(weight: Tensor) -> Tensor:
    """The squared distance of W W^T from the identity, a row of W for each output."""
    rows = weight.flatten(1)
    identity = torch.eye(len(rows), dtype=weight.dtype, device=weight.device)
    return (rows @ rows.T - identity).square().sum()
