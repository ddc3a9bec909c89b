"""What looks at a run changes nothing in it, and is seen by nobody."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from specc.catalog import OPTIMIZERS
from specc.harness.running.hooks import GradientHooks, Observer, copied, layer_hooks


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


WAYS: tuple[dict[str, bool], ...] = ({}, {"foreach": True}, {"foreach": False}, {"fused": True})


def stepped(optimizer: torch.optim.Optimizer, model: nn.Module, count: int = 2) -> GradientHooks:
    """Hooks after ``count`` steps of an ``optimizer`` that has them."""
    hooks = GradientHooks(model, {}, stepping={"": optimizer})
    with hooks:
        for _ in range(count):
            optimizer.zero_grad()
            hooks.clear()
            model(torch.randn(5, 4)).square().sum().backward()
            optimizer.step()
    return hooks


def known_to(kind: str) -> Mapping[str, Any]:
    return inspect.signature(getattr(torch.optim, kind)).parameters


# SparseAdam takes other gradients, and has a test of its own.
IMPLEMENTED = [
    (kind, way)
    for kind, row in OPTIMIZERS.items()
    for way in WAYS
    if not row.closure and kind != "SparseAdam" and all(name in known_to(kind) for name in way)
]


@pytest.mark.parametrize(("kind", "way"), IMPLEMENTED, ids=str)
def test_honest_steps_leave_gradients_as_they_find_them(kind: str, way: dict[str, bool]) -> None:
    maker, known = getattr(torch.optim, kind), known_to(kind)
    more = [{}, {"weight_decay": 0.1}, {"maximize": True}, {"momentum": 0.9, "nesterov": True}]
    for settings in more:
        if any(name not in known for name in settings):
            continue
        model = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Linear(3, 2, bias=False))
        optimizer = maker(model.parameters(), lr=0.01, **settings, **way)
        assert stepped(optimizer, model).changed == {}, settings


def test_sparse_gradients_are_held_as_well() -> None:
    table = nn.Embedding(7, 3, sparse=True)
    optimizer = torch.optim.SparseAdam(table.parameters())
    hooks = GradientHooks(table, {}, stepping={"": optimizer})
    with hooks:
        table(torch.tensor([1, 5, 1])).square().sum().backward()
        optimizer.step()
    assert hooks.changed == {}


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW", "Adagrad"])
def test_a_fused_step_takes_the_scale_from_its_gradients(kind: str) -> None:
    model = nn.Linear(4, 3)
    optimizer = getattr(torch.optim, kind)(model.parameters(), lr=0.1, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
    hooks = GradientHooks(model, {}, stepping={"": optimizer})
    with hooks:
        loss: Any = scaler.scale(model(torch.randn(5, 4)).square().sum())
        loss.backward()
        scaler.step(optimizer)
    assert hooks.changed == {}


class Spoiling(torch.optim.SGD):
    """Does to gradients what ``spoil`` does, after the step."""

    spoil: Any = None

    def step(self, closure: Any = None) -> Any:
        super().step(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                type(self).spoil(parameter)


def halve(parameter: nn.Parameter) -> None:
    parameter.grad.mul_(0.5)  # type: ignore[union-attr]  # backward has run


def halve_unseen(parameter: nn.Parameter) -> None:
    parameter.grad.data.mul_(0.5)  # type: ignore[union-attr]  # as above


def replace(parameter: nn.Parameter) -> None:
    parameter.grad = parameter.grad * 1.5  # type: ignore[operator]  # as above


def drop(parameter: nn.Parameter) -> None:
    parameter.grad = None


@pytest.mark.parametrize(
    ("spoil", "size"), [(halve, 0.5), (halve_unseen, 0.5), (replace, 0.5), (drop, 1.0)]
)
def test_a_step_that_changes_gradients_is_seen(
    spoil: Any, size: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spoiling, "spoil", staticmethod(spoil))
    model = nn.Linear(4, 3)
    hooks = stepped(Spoiling(model.parameters(), lr=0.1), model)
    assert set(hooks.changed[""]) == {"weight", "bias"}
    for change in hooks.changed[""].values():
        assert float(change.square().mean().sqrt()) == pytest.approx(size)


def test_small_gradients_that_a_fused_step_changes_are_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Spoiling, "spoil", staticmethod(halve))
    model = nn.Linear(4, 3)
    optimizer = Spoiling(model.parameters(), lr=0.1, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
    hooks = GradientHooks(model, {}, stepping={"": optimizer})
    with hooks:
        loss: Any = scaler.scale(1e-9 * model(torch.randn(5, 4)).square().sum())
        loss.backward()
        scaler.step(optimizer)
    assert set(hooks.changed[""]) == {"weight", "bias"}


def test_nan_is_no_change() -> None:
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    hooks = GradientHooks(model, {}, stepping={"": optimizer})
    with hooks:
        (model(torch.randn(5, 4)).sum() * float("nan")).backward()
        optimizer.step()
    assert hooks.changed == {}


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
