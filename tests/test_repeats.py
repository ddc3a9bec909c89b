"""A class made with another depth selects what the spec selects at that depth, or says that it was
built for one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from specc.emit import emit
from specc.front import check_text
from specc.targets.live import module_class

DEPTHS = (1, 2, 4)
SELECTORS = (
    "*.out.weight",
    "*.out.*",
    "body.*.out.weight",
    "Linear.weight",
    "Unit.out.weight",
    "Unit.*",
    "*.weight except *.out.weight",
    "* except Unit.out.*",
    "* except *.norm.*, *.fc.*",
    "body.*",
    "b?dy.*.out.weight",
    "head.*, *.out.weight",
    "body.0.*",
)


def emitted(settings: str, training: str = "", depth: int = 2, nested: bool = False) -> type:
    body = "body: Tower(depth)" if nested else "body: repeat(depth) Unit"
    found, diagnostics, _ = check_text(
        "spec 1\n"
        "block Unit {\n  input x: float[N, D]\n"
        "  output x + (x -> norm: LayerNorm -> fc: Linear(D) -> ReLU -> out: Linear(D))\n}\n"
        + "block Tower(count: int) {\n  input x: float[N, D]\n"
        "  output x -> inner: repeat(count) Unit\n}\n"
        * nested
        + f"model Net(depth: int = {depth}) {{\n  input x: float[N, 8]\n"
        f"  y = x -> stem: Linear(16) -> {body} -> head: Linear(3)\n  {settings}\n"
        "  output y\n}\n"
        "train {\n  input label: index(3)[N]\n  loss = CrossEntropyLoss(y, label)\n"
        f"  {training or 'optimizer SGD(lr=0.1)'}\n}}\n"
    )
    assert found is not None, diagnostics
    return module_class(emit(found), "Net", "net")


def made(net: type, depth: int) -> nn.Module | None:
    """``net`` with ``depth`` units; None where it says that it was built for others."""
    torch.manual_seed(0)
    try:
        found: nn.Module = net(depth=depth)
    except AssertionError as refused:
        assert "build the spec again" in str(refused)
        return None
    return found


def frozen(module: nn.Module) -> set[str]:
    return {name for name, parameter in module.named_parameters() if not parameter.requires_grad}


def sevens(module: nn.Module) -> set[str]:
    return {name for name, p in module.named_parameters() if bool((p == 7.0).all())}


def grouped(module: nn.Module) -> set[str]:
    optimizer = module.configure_optimizers()["optimizer"]
    theirs = {id(p) for group in optimizer.param_groups if group["lr"] == 0.5
              for p in group["params"]}  # fmt: skip
    every = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert every == {id(p) for p in module.parameters()}
    return {name for name, parameter in module.named_parameters() if id(parameter) in theirs}


def constrained(module: nn.Module) -> set[str]:
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    module.constrain()
    return {n for n, p in module.named_parameters() if not torch.equal(before[n], p)}


def penalized(module: nn.Module) -> set[str]:
    module.penalty().backward()
    return {name for name, p in module.named_parameters() if p.grad is not None}


def clipped(module: nn.Module) -> set[str]:
    x, label = torch.randn(4, 8), torch.tensor([0, 1, 2, 0])
    module.training_step(torch.optim.SGD(module.parameters(), lr=0.0), x, label)
    return {
        n
        for n, p in module.named_parameters()
        if p.grad is not None and bool((p.grad.abs() < 2e-30).all())
    }


USES = {
    "freeze": ("freeze on {}", "", frozen),
    "init": ("init constant_(7.0) on {}", "", sevens),
    "group": ("", "optimizer SGD(lr=0.1) {{\n    group(lr=0.5) on {}\n  }}", grouped),
    "constrain": ("", "constrain Clamp(2.0, 3.0) on {}\n  optimizer SGD(lr=0.1)", constrained),
    "penalty": ("", "regularize L2(0.1) on {}\n  optimizer SGD(lr=0.1)", penalized),
    "clip": ("", "clip GradValue(1e-30) on {}\n  optimizer SGD(lr=0.1)", clipped),
}


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize("selector", SELECTORS)
@pytest.mark.parametrize("use", USES)
def test_a_selection_is_that_of_the_depth_or_the_depth_is_refused(
    use: str, selector: str, nested: bool
) -> None:
    if nested:
        selector = selector.replace("body.*.", "body.inner.*.").replace("body.0", "body.inner.0")
        selector = selector.replace("b?dy.*.", "b?dy.inner.*.")
    settings, training, seen = USES[use]
    settings, training = settings.format(selector), training.format(selector)
    for built in (1, 2):
        net = emitted(settings, training, built, nested)
        assert made(net, built) is not None
        for depth in DEPTHS:
            other = made(net, depth)
            if other is None:
                continue
            right = made(emitted(settings, training, depth, nested), depth)
            assert right is not None
            assert seen(other) == seen(right)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("selector", SELECTORS)
def test_only_what_no_rule_says_is_right_for_one_depth(use: str, selector: str) -> None:
    settings, training, _ = USES[use]
    net = emitted(settings.format(selector), training.format(selector), 2)
    listed = "?" in selector or "Unit.out" in selector
    assert (made(net, 3) is None) == listed


def recurrent(selector: str, depth: int) -> type:
    found, diagnostics, _ = check_text(
        f"spec 1\nmodel Net(depth: int = {depth}) {{\n  input x: float[N, T, 8]\n"
        "  h, (_, _) = x -> lstm: LSTM(4, num_layers=depth, batch_first=true)\n"
        f"  y = h -> head: Linear(3)\n  freeze on {selector}\n  output y\n}}\n"
    )
    assert found is not None, diagnostics
    return module_class(emit(found), "Net", "net")


@pytest.mark.parametrize(
    "selector",
    [
        "lstm.*",
        "l*",
        "lstm.weight",
        "lstm.weight_ih_*",
        "lstm.weight_ih_l0",
        "lstm.*_l?",
        "LSTM.bias",
        "LSTM.weight",
        "LSTM.*, *.bias",
        "*.weight",
        "head.*",
        "* except lstm.*",
        "* except lstm.bias_*",
    ],
)
def test_a_selection_in_a_layer_that_a_param_deepens_is_of_that_depth_or_refused(
    selector: str,
) -> None:
    for built in (1, 2):
        net = recurrent(selector, built)
        assert made(net, built) is not None
        for depth in DEPTHS:
            other = made(net, depth)
            if other is not None:
                right = made(recurrent(selector, depth), depth)
                assert right is not None and frozen(other) == frozen(right), (built, depth)
