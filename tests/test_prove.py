"""The proof of an artefact: the same draws on both sides, both modes, gradients, buffers, sizes;
and faults that it must see in each of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from specc.errors import TargetError
from specc.targets import TARGETS, prove
from specc.targets.live import module_class
from specc.targets.proof_noise import Recorded, Replayed, seeded

HEADER = '''"""A model for a test."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.4)
        self.head = nn.Linear(4, 3)

    def forward(self, value: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.norm(self.conv(value)))
        x = self.drop(x.mean(dim=(2, 3)))
        return self.head(x), x
'''
SHAPE = (5, 2, 7, 6)


def changed(statement: str) -> str:
    """The source with a statement more before its end."""
    end = "return self.head(x), x"
    return HEADER.replace(end, f"{statement}\n        {end}")


def model(source: str = HEADER) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return module_class(source, "Model", "models")()


def value(*shape: int) -> tuple[Tensor, ...]:
    return (torch.randn(shape or SHAPE, generator=torch.Generator().manual_seed(2)),)


def proved(
    name: str,
    folder: Path,
    *,
    artefact: str = HEADER,
    eager: str = HEADER,
    inputs: tuple[Tensor, ...] | None = None,
    others: tuple[tuple[Tensor, ...], ...] = (),
) -> prove.ProofResult:
    """The proof of ``artefact``'s source as if it had been ``eager``'s."""
    target, module, inputs = TARGETS[name], model(eager), inputs or value()
    path = target.artefact(folder, "model")
    target.save(model(artefact), inputs, artefact, path, free_sizes=[{0: "N"}])
    return prove.prove(target, module, inputs, path, others=others)


NOISES = {
    "normal_like": "x + torch.randn_like(x) * torch.rand_like(x)",
    "functional dropout": "F.dropout(x, 0.3) * 2 + F.dropout(x.exp(), 0.6)",
    "in place": "x + torch.empty_like(x).normal_() * torch.empty_like(x).exponential_()",
    "feature dropout": "F.dropout1d(x.unsqueeze(-1), 0.5).squeeze(-1) + F.alpha_dropout(x, 0.2)",
    "rrelu": "F.rrelu(x - 1.0, training=True)",
    "discrete": "x * torch.bernoulli(torch.sigmoid(x)) + torch.poisson(x.detach().abs())",
    "gumbel": "F.gumbel_softmax(x, 0.7) + torch.randn_like(x)",
}


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
@pytest.mark.parametrize("name", ["eager", "torchscript", "export"])
def test_both_sides_draw_the_same(name: str, noise: str, tmp_path: Path) -> None:
    source = changed(f"x = {noise}")
    result = proved(name, tmp_path, artefact=source, eager=source, others=(value(3, 2, 7, 6),))
    assert {each.way.gradients for each in result.comparisons} == {False, True}
    assert any(each.what == "the gradient of conv.weight" for each in result.comparisons)


def test_a_compiled_module_draws_as_eager_does(tmp_path: Path) -> None:
    noise = "F.dropout(x, 0.3) + torch.randn_like(x)"
    source = changed(f"x = {noise}")
    proved("compile", tmp_path, artefact=source, eager=source)
    other = source.replace("F.dropout(x, 0.3)", "F.dropout(x, 0.25)")
    with pytest.raises(TargetError, match="output 0") as caught:
        proved("compile", tmp_path, artefact=other, eager=source)
    assert caught.value.code == "E0904"


def test_the_module_and_the_generator_stay_as_they_were(tmp_path: Path) -> None:
    module, path = model(), tmp_path / "model.py"
    TARGETS["eager"].save(module, value(), HEADER, path)
    module.drop.eval()
    before, state = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    modes = [each.training for each in module.modules()]
    prove.prove(TARGETS["eager"], module, value(), path)
    assert torch.equal(state, torch.get_rng_state())
    assert [each.training for each in module.modules()] == modes
    assert all(each.grad is None for each in module.parameters())
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name]), name


# What is wrong of an artefact alone, and the value that must show it.
FAULTS: dict[str, tuple[str, str, str]] = {
    "a rate of dropout": ("nn.Dropout(0.4)", "nn.Dropout(0.3)", "output 0 .* in training mode"),
    "a detached branch": (
        "x.mean(dim=(2, 3))",
        "(0.5 * x + 0.5 * x.detach()).mean(dim=(2, 3))",
        "the gradient of .* in evaluation mode",
    ),
    "a momentum": (
        "nn.BatchNorm2d(4)",
        "nn.BatchNorm2d(4, momentum=0.2)",
        "the buffer norm.running_mean .* in training mode",
    ),
    "a mode that is fixed": ("F.relu(self.norm(", "F.relu(self.norm.eval()(", "in training mode"),
    "an output without a gradient": (
        "return self.head(x), x",
        "return self.head(x), x.detach()",
        "can be differentiated in outputs 0 where eager can in 0, 1",
    ),
    "a frozen weight": (
        "self.conv(value)",
        "F.conv2d(value, self.conv.weight.detach())",
        "only eager has a gradient of conv.weight",
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("name", ["eager", "torchscript", "export"])
def test_a_fault_of_one_way_to_run_is_seen(
    name: str, fault: tuple[str, str, str], tmp_path: Path
) -> None:
    before, after, message = fault
    source = HEADER.replace(before, after)
    assert source != HEADER
    if name == "export" and "training" in message:
        pytest.skip("an exported graph is of evaluation mode: there is no training to be wrong")
    if name == "torchscript" and "norm.eval()" in source:
        pytest.skip("TorchScript cannot script a change of mode")
    with pytest.raises(TargetError, match=message) as caught:
        proved(name, tmp_path, artefact=source)
    assert caught.value.code == "E0904"


def test_a_size_that_is_not_free_is_seen(tmp_path: Path) -> None:
    # The number of rows at export, written into the graph as a number: right for that batch alone.
    source, wrong = changed("x = x + x.size(0)"), changed("x = x + 5")
    proved("torchscript", tmp_path, artefact=wrong, eager=source)
    with pytest.raises(TargetError, match=r"on inputs of \[3, 2, 7, 6\] differs"):
        proved("torchscript", tmp_path, artefact=wrong, eager=source, others=(value(3, 2, 7, 6),))


def test_a_gradient_that_is_rounding_alone_is_no_fault(tmp_path: Path) -> None:
    """The bias before a BatchNorm: its gradient is a sum that is 0, of one channel."""
    source = HEADER.replace("nn.Conv2d(2, 4, 3, bias=False)", "nn.Conv2d(2, 1, 3)")
    source = source.replace("nn.BatchNorm2d(4)", "nn.BatchNorm2d(1)").replace("(4, 3)", "(1, 3)")
    for seed in range(5):
        inputs = (torch.randn(8, 2, 16, 16, generator=torch.Generator().manual_seed(seed)),)
        proved("torchscript", tmp_path, artefact=source, eager=source, inputs=inputs)


def test_sums_of_equal_numbers_may_be_added_one_after_the_other(tmp_path: Path) -> None:
    """Behind an average pool BatchNorm's bias has thousands of equal numbers as its gradient, which
    inductor adds one after the other: every addition rounds the same way."""
    inputs = (torch.randn(4, 2, 50, 50, generator=torch.Generator().manual_seed(3)),)
    proved("compile", tmp_path, inputs=inputs)


DRAWS: dict[str, Callable[[Tensor], Tensor]] = {
    "randn": lambda x: x + torch.randn_like(x),
    "dropout": lambda x: F.dropout(x, 0.3),
    "rrelu": lambda x: F.rrelu(x, training=True),
    "rrelu in place": lambda x: F.rrelu_(x.clone(), training=True),
    "rrelu that does not train": lambda x: F.rrelu(x, training=False),
    "multinomial": lambda x: x[torch.multinomial(x.detach().abs(), 3)[0]],
    "a normal of tensors": lambda x: torch.normal(x.detach(), x.detach().abs() + 1.0) * x,
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
def test_a_reference_draws_what_was_drawn(draw: Callable[[Tensor], Tensor]) -> None:
    (x,) = value(16, 16)
    with seeded(torch.device("cpu"), 0), Recorded() as record:
        eager = draw(x)
    with Replayed(record.draws):
        exact = draw(x.double())
    assert exact.dtype == torch.float64
    torch.testing.assert_close(exact, eager.double(), rtol=1e-6, atol=1e-6)


def test_a_reference_that_draws_something_else_says_so() -> None:
    with Recorded() as record:
        torch.randn(3)
    with Replayed(record.draws), pytest.raises(TargetError, match="draws otherwise") as caught:
        torch.randn(4)
    assert caught.value.code == "E0904"


@pytest.mark.parametrize(
    ("run", "terms"),
    [
        (lambda: torch.ones(6, 50).sum(dim=1), 50),
        (lambda: torch.softmax(torch.ones(6, 50), dim=1), 50),
        (lambda: torch.ones(6, 50) * 2, 1),
        (lambda: torch.ones(6, 50)[0], 1),
        (lambda: torch.ones(6, 50) @ torch.ones(50, 2), 1),
        (lambda: F.batch_norm(torch.ones(4, 3, 5), None, None, training=True), 20),
    ],
    ids=["sum", "softmax", "product", "view", "matrix", "batch norm"],
)
def test_how_many_numbers_are_added_into_one(run: Callable[[], Tensor], terms: int) -> None:
    with Recorded() as record:
        found = run()
    assert record.terms(found) == terms


def test_what_comes_from_no_long_sum_is_held_to_no_long_sum() -> None:
    x = torch.ones(6, 500)
    with Recorded() as record:
        total = x.sum(dim=1)
        beside, behind = x.tanh(), (total * 2).exp()
        x[0] = total[0]
    assert record.terms(beside) == 1
    assert record.terms(behind) == record.terms(x) == 500


def test_what_a_batch_norm_keeps_is_a_long_sum_that_cancels() -> None:
    """Eager adds it up in float64, so that its own error tells nothing of the order."""
    norm, x = torch.nn.BatchNorm1d(3, momentum=0.5), torch.randn(4, 3, 50) * 8.0
    with Recorded() as record:
        norm(x)
        mean, variance = norm.running_mean.clone(), norm.running_var.clone()
    assert record.terms(mean) == record.terms(variance) == 200
    assert record.size(mean) == pytest.approx(4.0, rel=0.2) and record.size(variance) == 0.0
    norm.eval()
    with Recorded() as record:
        norm(x)
        assert record.size(norm.running_mean) == 0.0
