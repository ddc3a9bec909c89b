"""What ``specc.load`` of ResNet-18 takes, next to making the module that a person would write.

Aim, with torch imported and specc read once: at most twice. Both run in turn; the very first load
of a process, which imports and builds the parser, is printed beside.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import specc
from specc.measure.timing import in_turn, ratios, spread

SPEC = Path(__file__).parent.parent.parent / "specs" / "resnet18.spec"
PUBLISHED = {"width": 64, "classes": 1000}
SECONDS = 15.0
FIRST = """
import time, torch
from torch import nn
nn.Linear(2, 2)
start = time.perf_counter()
import specc
specc.load({path!r}, params={params!r})
print(time.perf_counter() - start)
"""


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or inputs != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        h = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(h + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    def __init__(self, classes: int = 1000, width: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(BasicBlock(width, width), BasicBlock(width, width))
        self.layer2 = self._stage(width, 2 * width)
        self.layer3 = self._stage(2 * width, 4 * width)
        self.layer4 = self._stage(4 * width, 8 * width)
        self.fc = nn.Linear(8 * width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @staticmethod
    def _stage(inputs: int, channels: int) -> nn.Sequential:
        return nn.Sequential(BasicBlock(inputs, channels, 2), BasicBlock(channels, channels))

    def forward(self, image: Tensor) -> Tensor:
        x = self.pool(torch.relu(self.bn1(self.conv1(image))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        x = self.fc(x.mean((2, 3)))
        return x


def first_load() -> float:
    """The seconds of the first load in a process that has imported torch."""
    script = FIRST.format(path=str(SPEC), params=PUBLISHED)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(run.stdout)


def test_loading_resnet18(benchmark: Any) -> None:
    by_hand = ResNet18()
    loaded = specc.load(SPEC, params=PUBLISHED)
    theirs = [tuple(parameter.shape) for parameter in by_hand.parameters()]
    assert [tuple(parameter.shape) for parameter in loaded.parameters()] == theirs
    calls = {
        "load": lambda: specc.load(SPEC, params=PUBLISHED),
        "by hand": ResNet18,
    }
    times = benchmark.pedantic(in_turn, args=(calls, SECONDS), rounds=1, iterations=1)
    found = spread(ratios(times["load"], times["by hand"]))
    benchmark.extra_info.update({"ratio": found.median, "first": first_load()})
    print(
        f"\nload of ResNet-18: {found.median:.2f} of making it by hand"
        f" ({found.low:.2f} to {found.high:.2f}; {min(times['load']) * 1e3:.0f} ms against"
        f" {min(times['by hand']) * 1e3:.0f} ms), the first of a process"
        f" {benchmark.extra_info['first'] * 1e3:.0f} ms"
    )
    assert found.median <= 2
