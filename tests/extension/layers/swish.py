"""The project's own layer, as any of torch's: nothing here knows of specc."""

import torch
from torch import Tensor, nn


class LearnedSwish(nn.Module):
    """``x * sigmoid(beta * x)`` (Ramachandran et al., "Searching for activation functions", 2017)
    with a slope a feature: ``[..., features]`` to the same shape."""

    def __init__(self, features: int, start: float = 1.0) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.full((features,), start))

    def forward(self, input: Tensor) -> Tensor:
        return input * torch.sigmoid(self.beta * input)
