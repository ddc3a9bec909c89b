"""What looks at a run changes nothing in it, and is seen by nobody."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from specc.harness.hooks import GradientHooks, Observer, copied, layer_hooks


class Counting(TorchDispatchMode):
    """Keeps the names of the operations that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        self.names.append(func._schema.name)
        return func(*args, **(kwargs or {}))


def test_a_copy_is_seen_by_no_mode() -> None:
    tensor = torch.randn(3, requires_grad=True)
    with Counting() as mode:
        found = copied(tensor)
    assert mode.names == [] and torch.equal(found, tensor) and not found.requires_grad
    assert found.data_ptr() != tensor.data_ptr()


def test_hooks_add_no_operation_and_change_no_number() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(5, 4)

    def step() -> list[str]:
        optimizer.zero_grad()
        with Counting() as mode:
            model(x).square().sum().backward()
        return mode.names

    plain = step()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]  # type: ignore[union-attr]  # backward has run
    seen: dict[str, torch.Tensor] = {}

    def see(name: str, tensor: torch.Tensor) -> None:
        seen[name] = copied(tensor)

    hooks = GradientHooks(model, {"": optimizer})
    with layer_hooks(model, ["0", "2"], see), hooks:
        assert step() == plain
        optimizer.step()
    assert set(seen) == {"layer/0", "layer/2"}
    for (name, _), expected in zip(model.named_parameters(), gradients, strict=True):
        assert torch.equal(hooks.raw[""][name], expected)
    assert set(hooks.raw[""]) == set(hooks.clipped[""]) == set(dict(model.named_parameters()))


def test_an_observer_is_not_copied_with_its_layer() -> None:
    observer = Observer(lambda *given: None)
    assert copy.deepcopy({"hook": observer})["hook"] is observer


def test_of_a_gradient_is_kept_what_is_asked_for() -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    hooks = GradientHooks(model, {"": optimizer}, keep=lambda gradient: tuple(gradient.shape))
    with hooks:
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
    assert hooks.raw[""] == hooks.clipped[""] == {"weight": (2, 2), "bias": (2,)}
