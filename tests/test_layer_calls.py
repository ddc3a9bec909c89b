"""A layer's call is kept as it was, and running it again gives what torch gave."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from specc.harness.running.hooks import Observer, flat_tensors
from specc.harness.running.layer_calls import RecordedCall, again, calls_kept, state_of


class Net(nn.Module):
    """One layer under a name, called with what is given."""

    def __init__(self, layer: nn.Module, times: int = 1) -> None:
        super().__init__()
        self.layer = layer
        self.times = times

    def forward(self, *arguments: Any, **keywords: Any) -> Any:
        for _ in range(self.times):
            result = self.layer(*arguments, **keywords)
        return result


def kept(
    layer: nn.Module, *arguments: Any, times: int = 1, **keywords: Any
) -> tuple[RecordedCall, Any]:
    """The call, and what the layer gave; backward has run from the squares of it."""
    found: dict[str, RecordedCall] = {}
    net = Net(layer, times)
    with calls_kept(net, ["layer"], found):
        result = net(*arguments, **keywords)
    outputs = [each for each in flat_tensors(result) if each.requires_grad]
    torch.stack([each.square().sum() for each in outputs]).sum().backward()
    return found["layer"], result


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[Tensor, ...]]] = {
    "linear": (lambda: nn.Linear(6, 3), (drawn(4, 6),)),
    "convolution": (lambda: nn.Conv2d(3, 4, 3, padding=1), (drawn(2, 3, 5, 5),)),
    "batch norm": (lambda: nn.BatchNorm2d(3), (drawn(4, 3, 5, 5),)),
    "lstm": (lambda: nn.LSTM(6, 5, batch_first=True), (drawn(3, 7, 6),)),
    "bilinear": (lambda: nn.Bilinear(4, 5, 2), (drawn(3, 4), drawn(3, 5))),
    "embedding": (lambda: nn.Embedding(9, 4), (torch.tensor([[1, 5], [8, 0]]),)),
    "in place": (lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True)), (drawn(3, 4),)),
    "spectral norm": (
        lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(5, 4)),
        (drawn(3, 5),),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_again_gives_what_the_layer_gave(name: str) -> None:
    make, given = LAYERS[name]
    torch.manual_seed(0)
    layer = make()
    untouched = copy.deepcopy(layer)
    given = tuple(each.clone().requires_grad_(each.is_floating_point()) for each in given)
    call, result = kept(layer, *given)
    # The layer as it was before the call: its statistics have not moved.
    for key, tensor in state_of(untouched).items():
        assert torch.equal(state_of(call.layer)[key], tensor)
    found = again(call, call.tensors, call.gradients, {})
    for position, output in enumerate(flat_tensors(result)):
        assert torch.equal(found.outputs[position], output)
    for position, each in enumerate(given):
        if each.grad is not None:
            assert torch.equal(found.inputs[position], each.grad)
    for key, parameter in layer.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(found.parameters[key], parameter.grad)
    for key, buffer in layer.named_buffers():
        assert torch.equal(found.buffers[key], buffer)
    # Running it again has left the call as it was.
    repeated = again(call, call.tensors, call.gradients, {})
    assert torch.equal(repeated.outputs[0], found.outputs[0])


def test_what_is_named_is_put_in_its_place() -> None:
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    value = drawn(2, 5, 8).requires_grad_()
    call, result = kept(layer, value, value, value=value, need_weights=False)
    assert not call.positional and len(call.tensors) == 3
    found = again(call, call.tensors, call.gradients, {})
    assert list(found.outputs) == [0]
    torch.testing.assert_close(found.outputs[0], result[0])


SEVERAL: dict[str, Callable[[], nn.Module]] = {
    "lstm, sequence first": lambda: nn.LSTM(6, 5),
    "lstm, batch first": lambda: nn.LSTM(6, 5, batch_first=True, bidirectional=True),
    "gru": lambda: nn.GRU(6, 5),
    "rnn": lambda: nn.RNN(6, 5, num_layers=2),
}


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("read", [0, 1])
def test_a_result_that_nothing_reads_has_no_gradient(name: str, read: int) -> None:
    torch.manual_seed(0)
    layer, found = SEVERAL[name](), dict[str, RecordedCall]()
    net = Net(layer)
    with calls_kept(net, ["layer"], found):
        flat_tensors(net(drawn(3, 7, 6)))[read].square().sum().backward()
    call = found["layer"]
    assert [each is not None for each in call.gradients].count(True) == 1
    assert call.gradients[read] is not None
    repeated = again(call, call.tensors, call.gradients, {})
    for key, parameter in layer.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(repeated.parameters[key], parameter.grad)


def test_the_first_call_is_kept() -> None:
    call, _ = kept(nn.BatchNorm1d(3), drawn(4, 3), times=3)
    assert torch.equal(call.layer.get_buffer("running_mean"), torch.zeros(3))
    assert call.positional and call.results == [torch.float32]


def test_a_state_stands_in_for_the_layers_own() -> None:
    call, _ = kept(nn.Linear(3, 2), drawn(4, 3))
    state = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}
    found = again(call, [torch.ones(1, 3)], [], state)
    assert torch.equal(found.outputs[0], torch.full((1, 2), 3.0))
    assert found.parameters == {} and found.inputs == {}


def test_hooks_of_others_stay_and_ours_do_not() -> None:
    layer = nn.Linear(3, 2)
    layer.register_forward_hook(lambda layer, arguments, output: 2.0 * output)
    call, result = kept(layer, drawn(4, 3))
    assert torch.equal(again(call, call.tensors, [], {}).outputs[0], result)
    for each in call.layer.modules():
        hooks = (*each._forward_hooks.values(), *each._forward_pre_hooks.values())
        assert not any(isinstance(hook, Observer) for hook in hooks)
    # And the layer itself has none of ours left.
    assert len(layer._forward_hooks) == 1 and not layer._forward_pre_hooks


def test_autocast_is_as_it_was() -> None:
    net, found = Net(nn.Linear(3, 2)), dict[str, RecordedCall]()
    with calls_kept(net, ["layer"], found), torch.autocast("cpu", torch.bfloat16):
        net(drawn(4, 3))
    call = found["layer"]
    assert call.autocast == torch.bfloat16
    assert again(call, call.tensors, [], {}).outputs[0].dtype == torch.bfloat16


class Locked(nn.Linear):
    """Cannot be copied."""

    def __deepcopy__(self, memo: object) -> Locked:
        raise ValueError("an extension's own")


def test_what_cannot_be_kept_is_left_out() -> None:
    found: dict[str, RecordedCall] = {}
    net = Net(Locked(3, 2))
    with calls_kept(net, ["layer"], found):
        net(drawn(4, 3))
    assert found == {}
    table = Net(nn.Identity())
    with calls_kept(table, ["layer"], found):
        table(object())
    assert found == {}


class Plain(nn.Module):
    """Leaves torch where no gradient is asked for, as a layer of an extension may."""

    def forward(self, value: Tensor) -> Tensor:
        return torch.from_numpy(value.numpy() * 2)


def test_where_no_gradient_was_asked_for_none_is() -> None:
    net, found = Net(Plain()), dict[str, RecordedCall]()
    with calls_kept(net, ["layer"], found), torch.no_grad():
        net(drawn(4, 3))
    call = found["layer"]
    assert not call.grad and call.differentiated == [False]
    assert torch.equal(again(call, call.tensors, [], {}).outputs[0], 2 * drawn(4, 3))


def test_what_is_the_same_elsewhere_is_not_copied() -> None:
    net = Net(nn.Linear(4, 3))
    own = {id(each): each.detach().clone() for each in net.parameters()}
    weight = own[id(net.layer.weight)]
    found: dict[str, RecordedCall] = {}
    with calls_kept(net, ["layer"], found, own):
        net(drawn(2, 4)).sum().backward()
    with torch.no_grad():
        net.layer.weight.zero_()
    kept_weight = found["layer"].layer.weight
    assert isinstance(kept_weight, nn.Parameter) and kept_weight.data_ptr() == weight.data_ptr()
    assert kept_weight.grad is None and kept_weight.requires_grad
    again(found["layer"], [drawn(2, 4)], found["layer"].gradients, {"weight": torch.ones(3, 4)})
    assert torch.equal(kept_weight, weight) and float(weight.detach().abs().max()) < 1.0
