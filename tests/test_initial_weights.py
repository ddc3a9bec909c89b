"""Initial values and dropout as torch draws them: sound ones pass, each kind of fault is named."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from specc import front
from specc.emit import emit
from specc.harness.blessing.bless import bless
from specc.harness.cases.matrix import cells
from specc.harness.floors.machine import threads
from specc.harness.judging.judge import judge
from specc.harness.native.initial_weights import SEEDS, initial_faults, wanted_of
from specc.harness.native.native_checks import native_findings
from specc.harness.native.native_laws import Continuous, normal, truncated, uniform
from specc.ir import Program
from specc.mutate.faults import FAULTS
from specc.mutate.run import mutate
from specc.semantics import analyse
from specc.targets.live import module_class

SPEC = """spec 1

model Net(scale: float = 0.7) {
  input words: index(40)[N, 5]
  input x: float[N, 12]
  table = words -> embed: Embedding(40, 12, padding_idx=3) -> Flatten
  a = x -> one: Linear(48) -> drop: Dropout(0.3) -> two: Linear(48) -> ReLU -> three: Linear(60)
  b = table + a
  output b -> Unflatten(1, [1, 60]) -> conv: Conv1d(8, 3) -> Dropout1d(0.25) -> Flatten
      -> norm: LayerNorm -> back: Linear(16) with spectral_norm
      -> weighed: Linear(4) with weight_norm
  init trunc_normal_(std=scale, a=-0.7, b=1.4) on one.weight
  init orthogonal_(gain=2.0) on two.weight
  init sparse_(0.25, std=0.1) on three.weight
  init dirac_ on conv.weight
  init zeros_ on conv.bias
  init kaiming_normal_(nonlinearity="relu") on back.*original
}

train {
  input y: float[N, 4]
  loss = MSELoss(output, y)
  optimizer SGD(lr=0.1)
}

test {
  sizes N=4
  steps 1
  targets eager
  devices cpu
}
"""


SMALL = """spec 1

model Net {
  input x: float[N, 12]
  output x -> one: Linear(48) -> drop: Dropout(0.3) -> two: Linear(4)
  init trunc_normal_(a=-0.7, b=1.4) on one.weight
}

train {
  input y: float[N, 4]
  loss = MSELoss(output, y)
  optimizer SGD(lr=0.1)
}

test {
  sizes N=4
  steps 1
  targets eager
  devices cpu
}
"""


@pytest.fixture(scope="module")
def blessed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small spec, with its goldens beside it."""
    path = tmp_path_factory.mktemp("project") / "net.spec"
    path.write_text(SMALL)
    bless(front.read(path), path.parent)
    return path


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors this small take longer on several threads where others want them too."""
    with threads(1):
        yield


@pytest.fixture(scope="module")
def program() -> Program:
    return analyse(SPEC, "net.spec", {})


def made(program: Program, source: str | None = None) -> type[nn.Module]:
    source = source or emit(program)
    return module_class(source, program.subject().name, PurePath(program.file).stem)


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────

LAWS = {
    "uniform": (uniform(-0.2, 0.3), lambda t: t.uniform_(-0.2, 0.3)),
    "far uniform": (uniform(1000.0, 1000.5), lambda t: t.uniform_(1000.0, 1000.5)),
    "normal": (normal(1.0, 0.02), lambda t: t.normal_(1.0, 0.02)),
    "cut": (truncated(0.0, 1.0, -1.0, 2.0), lambda t: nn.init.trunc_normal_(t, a=-1.0)),
    "tail": (truncated(0.0, 1.0, 1.0, 3.0), lambda t: nn.init.trunc_normal_(t, a=1.0, b=3.0)),
    "hardly cut": (truncated(0.0, 0.02, -2.0, 2.0), lambda t: nn.init.trunc_normal_(t, std=0.02)),
}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("count", [1, 2, 3, 17, 300, 9001])
@pytest.mark.filterwarnings("ignore:mean is more than 2 std")
def test_sound_draws_pass(name: str, count: int) -> None:
    law, draw = LAWS[name]
    assert law is not None
    with torch.random.fork_rng(devices=[]):
        for seed in range(12):
            torch.manual_seed(seed)
            assert law.faults([draw(torch.empty(count)), draw(torch.empty(count))]) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda t: t.uniform_(-0.21, 0.3), "reaches from"),
        (lambda t: t.uniform_(-0.2, 0.28), "the mean"),
        (lambda t: t.uniform_(-0.19, 0.29), "the standard deviation"),
        (lambda t: t.uniform_(-0.2, 0.3).sign().mul(0.14434).add(0.05), "the distribution"),
        (lambda t: (t.uniform_(-0.2, 0.3) * 512).round() / 512, "numbers are"),
    ],
)
def test_another_law_is_found(wrong: Callable[[Tensor], Tensor], said: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        draws = [wrong(torch.empty(8000)) for _ in range(2)]
    assert any(said in fault for fault in uniform(-0.2, 0.3).faults(draws))


@pytest.mark.parametrize(("low", "high"), [(-1.0, 2.0), (1.0, 3.0), (-5.0, -1.5), (-0.1, 0.1)])
def test_the_moments_of_a_cut_normal_are_those_of_its_density(low: float, high: float) -> None:
    law = truncated(0.5, 2.0, 0.5 + 2 * low, 0.5 + 2 * high)
    assert isinstance(law, Continuous)
    z = torch.linspace(low, high, 200_001, dtype=torch.float64)
    weight = torch.exp(-z * z / 2)
    weight /= weight.sum()
    x = 0.5 + 2 * z
    mean = float((weight * x).sum())
    assert law.mean == pytest.approx(mean, rel=1e-4)
    assert law.std == pytest.approx(math.sqrt(float((weight * (x - mean) ** 2).sum())), rel=1e-3)
    assert law.fourth == pytest.approx(float((weight * (x - mean) ** 4).sum()), rel=1e-3)
    middle = float(x[torch.searchsorted(weight.cumsum(0), torch.tensor(0.5, dtype=torch.float64))])
    assert float(law.cdf(torch.tensor([middle], dtype=torch.float64))) == pytest.approx(
        0.5, abs=1e-4
    )
    assert float(law.cdf(x[-1:])) == pytest.approx(1.0)


# ── parameters ───────────────────────────────────────────────────────────────────────────────────


def test_torch_draws_what_the_spec_asks_for(program: Program) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert initial_faults(program, made(program)) == {}
    assert torch.equal(torch.get_rng_state(), before)
    names = {name for name, _, _ in program.subject().parameters()}
    # The norms of weight_norm are what their directions make them.
    assert names - wanted_of(program).keys() == {"weighed.parametrizations.weight.original0"}


def _smaller(tensor: Tensor, *given: Any, **settings: Any) -> Tensor:
    return nn.init.normal_(tensor, std=0.95 * math.sqrt(2 / math.prod(tensor.shape[1:])))


def _one_zero_less(tensor: Tensor, sparsity: float, std: float = 0.01) -> Tensor:
    with torch.no_grad():
        tensor.normal_(0.0, std)
        tensor[: int(sparsity * tensor.shape[0]) - 1] = 0.0
    return tensor


def _clamped(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> Tensor:
    with torch.no_grad():
        return tensor.normal_(mean, std).clamp_(a, b)


def _uncut(tensor: Tensor, *given: Any, a: float, b: float, **settings: Any) -> Tensor:
    return nn.init.uniform_(tensor, a, b)


def _of_length_one(tensor: Tensor, gain: float) -> Tensor:
    drawn = torch.linalg.qr(torch.randn(tensor.shape)).Q
    with torch.no_grad():
        return tensor.copy_(drawn)


def _almost_zero(tensor: Tensor) -> Tensor:
    with torch.no_grad():
        tensor.zero_()
        tensor[-1] = 1e-30
    return tensor


@pytest.mark.parametrize(
    ("name", "wrong", "parameter", "said"),
    [
        ("trunc_normal_", _clamped, "one.weight", "numbers are"),
        ("trunc_normal_", _uncut, "one.weight", "cut off at -0.7 and 1.4"),
        ("orthogonal_", _of_length_one, "two.weight", "not orthogonal"),
        ("sparse_", _one_zero_less, "three.weight", "zeros in each column"),
        ("dirac_", nn.init.ones_, "conv.weight", "elements of the identity"),
        ("zeros_", _almost_zero, "conv.bias", "should be 0 everywhere; 2 elements"),
        ("kaiming_normal_", _smaller, "back.parametrizations.weight.original", "deviation"),
    ],
)
def test_an_initialiser_that_draws_otherwise_is_found(
    program: Program,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    wrong: Callable[..., Tensor],
    parameter: str,
    said: str,
) -> None:
    monkeypatch.setattr(nn.init, name, wrong)
    found = initial_faults(program, made(program))
    # LayerNorm fills its bias by zeros_ as well.
    assert list(found) == [parameter, *(["norm.bias"] if name == "zeros_" else [])]
    message, span = found[parameter]
    assert said in message
    assert f"init {name}" in SPEC.splitlines()[span.line - 1]


def test_a_layer_that_fills_itself_otherwise_is_found(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn.Embedding, "_fill_padding_idx_with_zero", lambda layer: None)
    monkeypatch.setattr(nn.LayerNorm, "reset_parameters", lambda layer: nn.init.ones_(layer.bias))
    found = initial_faults(program, made(program))
    assert "row 3, the padding, should be 0" in found["embed.weight"][0]
    assert "should be 0 everywhere" in found["norm.bias"][0]


def test_equal_layers_and_seeds_that_mean_nothing_are_found(program: Program) -> None:
    whole = analyse(
        "spec 1\n\nmodel Net {\n  input x: float[N, 8]\n"
        "  output x -> a: Linear(8) -> b: Linear(8) -> c: Linear(8)\n}\n",
        "twins.spec",
        {},
    )
    kind = made(whole)

    def copied() -> nn.Module:
        module: Any = kind()
        module.c.load_state_dict(module.a.state_dict())
        return module

    assert initial_faults(whole, kind) == {}
    found = initial_faults(whole, copied)
    assert {name: text for name, (text, _) in found.items()} == {
        "c.weight": "has the numbers of a.weight",
        "c.bias": "has the numbers of a.bias",
    }

    def seeded() -> nn.Module:
        torch.manual_seed(3)
        return kind()

    assert "is the same under two seeds" in initial_faults(whole, seeded)["a.weight"][0]
    calls: list[int] = []

    def unrepeatable() -> nn.Module:
        calls.append(0)
        torch.manual_seed(len(calls))
        return kind()

    found = initial_faults(whole, unrepeatable)
    assert "drawn again under the same seed" in found["b.bias"][0]
    assert len(set(SEEDS)) == 2


def test_a_stack_of_copies_is_honest() -> None:
    text = (
        "spec 1\n\nmodel Net {\n  input x: float[N, 5, 8]\n"
        "  output x -> TransformerEncoder(nhead=2, dim_feedforward=16, num_layers=2)\n}\n"
    )
    program = analyse(text, "stack.spec", {})
    assert initial_faults(program, made(program)) == {}


# ── where they are judged ────────────────────────────────────────────────────────────────────────


def test_a_cell_that_is_eager_tells_of_both(blessed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, root = blessed, blessed.parent
    program = front.read(path)
    train, evaluation = cells(program)
    assert judge(program, train, root).passed
    monkeypatch.setattr(nn.init, "trunc_normal_", _clamped)
    honest = nn.functional.dropout
    monkeypatch.setattr(nn.functional, "dropout", lambda x, *given: honest(x, *given) * 1.01)
    # What was found of a program is kept for its other cells; another program is another matter.
    assert judge(program, train, root).passed
    program = front.read(path)
    verdict = judge(program, train, root)
    assert verdict.outcome == "regressed"
    assert [found.name for found in verdict.findings] == ["initial/one.weight", "dropout/drop"]
    assert "not scaled by 1 / (1 - p)" in verdict.findings[1].message
    line = SMALL.splitlines()[verdict.findings[0].line - 1]
    assert line == "  init trunc_normal_(a=-0.7, b=1.4) on one.weight"
    assert "initial/one.weight" in verdict.report()
    assert judge(program, evaluation, root).passed


def test_a_source_that_stops_is_a_finding(program: Program) -> None:
    source = emit(program).replace("nn.init.dirac_(", "nn.init.no_such_(")
    (found,) = native_findings(program, source)
    assert (found.name, found.what) == ("initial", "run") and "no_such_" in found.message


@pytest.mark.parametrize("name", ["initial-clamped", "native-shared-mask"])
def test_faults_in_what_torch_draws_are_caught_and_named(blessed: Path, name: str) -> None:
    program = front.read(blessed)
    result = mutate(program, blessed.parent, [fault for fault in FAULTS if fault.name == name])
    (outcome,) = result.faults
    assert outcome.caught == {"specc": True, "assert_close": False, "same": False}
    assert outcome.named, outcome
    assert any(each.what == "torch's own draws, eager" for each in result.honest)
    assert not any(each.caught["specc"] for each in result.honest)
