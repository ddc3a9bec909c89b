"""What an emitted module costs, next to the same model written by hand: forward and training step.

Both run in turn within one benchmark, as the targets of ``specc bench`` do; the ratio of each pair
is taken, and its median printed with its quartiles. Aim: 1.00 ± 0.02.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import specc
from specc.measure.timing import in_turn, ratios, spread

SECONDS = 15.0
SPECS = Path(__file__).parent.parent.parent / "specs"


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(128, 10)

    def forward(self, image: Tensor) -> Tensor:
        x: Tensor = self.fc2(self.relu(self.fc1(image)))
        return x


class Cifar10Cnn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(64)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(64 * 8 * 8, 128)
        self.relu3 = nn.ReLU()
        self.fc2 = nn.Linear(128, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.conv1(image)))
        x = self.pool2(self.relu2(self.norm(self.conv2(x))))
        x = self.relu3(self.fc1(self.flatten(x)))
        x = self.fc2(x)
        return x


CASES: dict[str, tuple[type[nn.Module], tuple[int, ...]]] = {
    "mlp": (Mlp, (16, 784)),
    "cifar10_cnn": (Cifar10Cnn, (8, 3, 32, 32)),
}


def decayed_adamw(module: nn.Module) -> torch.optim.Optimizer:
    """AdamW as specs/cifar10_cnn.spec asks for it: no decay on biases and the norm."""
    named = dict(module.named_parameters())
    free = [p for n, p in named.items() if n.endswith("bias") or n.startswith("norm")]
    decayed = [p for n, p in named.items() if n.endswith("weight") and not n.startswith("norm")]
    groups = [{"params": decayed}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.05)


OPTIMIZERS: dict[str, Callable[[nn.Module], torch.optim.Optimizer]] = {
    "mlp": lambda module: torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9),
    "cifar10_cnn": decayed_adamw,
}


def step_by_hand(
    module: nn.Module, optimizer: torch.optim.Optimizer, image: Tensor, label: Tensor
) -> dict[str, Tensor]:
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(module(image), label)
    loss.backward()
    optimizer.step()
    return {"loss": loss.detach()}


@pytest.mark.parametrize("what", ["forward", "training step"])
@pytest.mark.parametrize("name", list(CASES))
def test_emitted_against_by_hand(name: str, what: str, benchmark: Any) -> None:
    by_hand, shape = CASES[name]
    ours = specc.load(SPECS / f"{name}.spec")
    theirs = by_hand()
    named = zip(theirs.parameters(), ours.parameters(), strict=True)
    for mine, yours in named:
        mine.data.copy_(yours)
    image, label = torch.rand(shape), torch.randint(10, shape[:1])
    if what == "forward":
        runs: tuple[Callable[[], Any], Callable[[], Any]] = (
            lambda: ours(image),
            lambda: theirs(image),
        )
    else:
        optimizer = ours.configure_optimizers()["optimizer"]
        same = OPTIMIZERS[name](theirs)
        runs = (
            lambda: ours.training_step(optimizer, image, label),
            lambda: step_by_hand(theirs, same, image, label),
        )
    calls = dict(zip(("emitted", "by hand"), runs, strict=True))
    times = benchmark.pedantic(in_turn, args=(calls, SECONDS), rounds=1, iterations=1)
    found = spread(ratios(times["emitted"], times["by hand"]))
    pairs = len(times["emitted"])
    benchmark.extra_info.update({"ratio": found.median, "pairs": pairs})
    print(
        f"\n{name} {what}: {found.median:.3f} of by hand"
        f" ({found.low:.3f} to {found.high:.3f}, {pairs} pairs)"
    )
