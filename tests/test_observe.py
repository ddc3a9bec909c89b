"""What a run shows: names and their order, presence, and that observing changes no number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from harness_support import (
    CNN_SOURCE,
    HEADER,
    LSTM_SOURCE,
    MLP_SOURCE,
    PLAIN_SOURCE,
    cnn,
    lstm,
    mlp,
    plain,
)
from torch import Tensor, nn

from specc.harness.cases.case import close
from specc.harness.cases.matrix import cases
from specc.harness.numbers.noise import make_portable, set_step
from specc.harness.running.live_module import bare
from specc.harness.running.observe import Run, RunFailed, Setting, observe
from specc.harness.running.observed_lines import with_hooks
from specc.harness.running.recorder import Observation
from specc.ir import Program
from specc.targets.live import module_class

EAGER = Setting("eager", "cpu", "float32", layers=True)


def run(
    program: Program, source: str, mode: str = "train", setting: Setting = EAGER
) -> dict[str, Observation]:
    case = next(case for case in cases(program) if case.mode == mode)
    found = observe(program, close(program, case), source, setting)
    names = [item.name for item in found.observations]
    assert len(names) == len(set(names))
    return {item.name: item for item in found.observations}


def test_a_training_run_shows_everything_in_order() -> None:
    names = list(run(mlp(), MLP_SOURCE))
    first = [name for name in names if name.startswith("step0/")]
    kinds = list(dict.fromkeys(name.split("/")[1] for name in first))
    assert kinds == [
        "layer",
        "output",
        "loss",
        "penalty",
        "grad",
        "input_grad",
        "clipped_grad",
        "lr",
        "delta",
        "state",
    ]
    assert [n for n in first if "/layer/" in n] == [
        "step0/layer/fc1",
        "step0/layer/drop",
        "step0/layer/fc2",
    ]
    assert [n for n in first if "/grad/" in n] == [
        "step0/grad/fc2.bias",
        "step0/grad/fc2.weight",
        "step0/grad/fc1.bias",
        "step0/grad/fc1.weight",
    ]
    assert "step2/state/momentum_buffer/fc1.weight" in names
    assert "step1/layer/fc1" not in names
    assert {"setting/drop.p", "option/group0/momentum", "end/schedule/group0"} <= set(names)


def test_lines_are_the_spec_s() -> None:
    found = run(mlp(), MLP_SOURCE)
    lines = {name: found[name].line for name in found}
    assert lines["step0/output/logits"] == 7
    assert lines["step0/layer/fc1"] == lines["step0/grad/fc1.weight"] == 5
    assert lines["step0/loss/loss"] == 12
    assert lines["step0/penalty/penalty"] == 13
    assert lines["step0/clipped_grad/fc1.weight"] == 14
    assert lines["step0/delta/fc1.weight"] == lines["option/group0/lr"] == 15
    assert lines["setting/drop.p"] == 6


def test_observing_changes_no_number() -> None:
    program = mlp()
    case = cases(program)[0]
    closed = close(program, case)
    module = module_class(MLP_SOURCE, "Mlp", "bare")()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(closed.parameters[name])
    make_portable(module, case.seed)
    configuration = module.configure_optimizers()
    start = {name: p.detach().clone() for name, p in module.named_parameters()}
    set_step(module, 0)
    x, label = dict(closed.batches[0].inputs)["x"], dict(closed.batches[0].labels)["label"]
    terms = module.training_step(configuration["optimizer"], x.float(), label)
    seen = run(program, MLP_SOURCE)
    assert seen["step0/loss/loss"].values == float(terms["loss"])
    for name, parameter in module.named_parameters():
        # As it is shown: rounded where a step is more than half of a weight.
        change = (parameter.detach() - start[name]).double().reshape(-1)
        shown = seen[f"step0/delta/{name}"].values
        assert shown is not None
        if shown.shape == change.shape:
            assert torch.equal(shown, change)


def test_clipping_is_seen_before_and_after() -> None:
    found = run(mlp(), MLP_SOURCE)
    raw, clipped = found["step0/grad/fc2.bias"].values, found["step0/clipped_grad/fc2.bias"].values
    assert raw is not None and clipped is not None
    ratios = clipped / raw
    assert float(ratios.max() - ratios.min()) < 1e-5 and float(ratios.max()) < 1
    assert "step0/clipped_grad/fc.bias" not in run(cnn(), CNN_SOURCE)


def test_a_clip_that_a_case_does_not_reach_is_seen_to_act() -> None:
    loose = MLP_SOURCE.replace("self.parameters(), 0.5", "self.parameters(), 500.0")
    found = run(mlp(), loose)
    for name in ("fc1.bias", "fc2.bias"):
        assert found[f"step0/grad/{name}"].values is not None
        raw, clipped = (found[f"step0/{kind}/{name}"].values for kind in ("grad", "clipped_grad"))
        assert raw is not None and clipped is not None and torch.equal(raw, clipped)
    squares = 0.0
    for name in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"):
        values = found[f"end/clipped_grad/{name}"].values
        assert values is not None
        squares += float(values.square().mean()) * {"fc1.weight": 320}.get(name, values.numel())
    assert squares**0.5 == pytest.approx(500, rel=0.1)  # fc1.weight is a sketch


def test_none_is_not_zero() -> None:
    detached = MLP_SOURCE.replace(
        "self.drop(F.relu(self.fc1(x)))", "self.drop(F.relu(self.fc1(x))).detach()"
    )
    without_penalty = detached.replace(
        "self.fc1.weight.square().sum()", "self.fc2.weight.square().sum()"
    )
    found = run(mlp(), without_penalty)
    assert found["step0/grad/fc1.bias"].values is None
    assert found["step0/input_grad/x"].values is None
    assert found["step0/grad/fc2.bias"].values is not None


def test_the_schedule_is_followed_further_than_the_steps() -> None:
    schedule = run(mlp(), MLP_SOURCE)["end/schedule/group0"]
    assert schedule.values is not None and schedule.exact
    assert schedule.values[:2].tolist() == [0.05 * 0.5**4, 0.05 * 0.5**5]


def test_batch_statistics_and_adam_s_state_are_seen() -> None:
    found = run(cnn(), CNN_SOURCE)
    assert {"step0/buffer/norm.running_mean", "step0/state/exp_avg_sq/conv1.weight"} <= set(found)
    assert found["step1/state/step/fc.bias"].values == 2.0
    tracked = found["step2/buffer/norm.num_batches_tracked"]
    assert tracked.values == 3.0 and tracked.dtype == "int64" and tracked.exact


def test_several_results_of_a_layer_are_all_seen() -> None:
    found = run(lstm(), LSTM_SOURCE)
    assert {f"step0/layer/encoder{end}" for end in ("", "/1", "/2")} <= set(found)


def test_evaluation_shows_outputs_loss_and_metrics() -> None:
    found = run(mlp(), MLP_SOURCE, "eval")
    assert {"eval/layer/fc1", "eval/output/logits", "eval/loss/loss"} <= set(found)
    assert not any("grad" in name for name in found)


def test_without_train_a_probe_gives_gradients() -> None:
    found = run(plain(), PLAIN_SOURCE)
    assert {"step0/output/y", "step0/grad/fc.weight", "step0/input_grad/x"} <= set(found)


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("self.fc2 = nn.Linear(16, 5)", "self.fc2 = nn.Linear(16, 6)", "build", "the spec's"),
        ("self.drop =", "self.more = nn.Linear(2, 2)\n        self.drop =", "build", "too many"),
        ("self.fc2(hidden)", "self.fc2(x)", "step0", "mat1 and mat2"),
        ("lr=0.05", "lr=-1.0", "configure", "Invalid learning rate"),
    ],
)
def test_a_run_that_stops_says_where(old: str, new: str, place: str, message: str) -> None:
    assert old in MLP_SOURCE
    with pytest.raises(RunFailed, match=message) as caught:
        run(mlp(), MLP_SOURCE.replace(old, new))
    assert caught.value.place == place


@pytest.mark.parametrize("target", ["torchscript", "export"])
def test_the_other_targets_show_the_same_leaves(target: str) -> None:
    eager = run(cnn(), CNN_SOURCE)
    other = run(cnn(), CNN_SOURCE, setting=Setting(target, "cpu", "float32"))
    assert [name for name in eager if "/layer/" not in name] == list(other)
    for name, item in other.items():
        assert (item.values is None) == (eager[name].values is None)


def test_the_time_in_torch_is_counted() -> None:
    program = mlp()
    found: Run = observe(program, close(program, cases(program)[0]), MLP_SOURCE, EAGER)
    assert 0 < found.seconds_torch < 60


def test_numbers_alone_are_the_numbers_that_rounding_moves() -> None:
    everything = run(mlp(), MLP_SOURCE)
    alone = run(mlp(), MLP_SOURCE, setting=replace(EAGER, numbers_alone=True))
    moved = {name for name, item in everything.items() if not item.exact}
    assert set(alone) == moved and len(moved) < len(everything)
    for name, item in alone.items():
        other = everything[name]
        assert (item.values is None) == (other.values is None)
        if item.values is not None and other.values is not None:
            assert torch.equal(item.values, other.values)


def test_a_module_is_built_without_torchs_random_numbers() -> None:
    program = cnn()
    closed = close(program, cases(program)[0])
    state = torch.get_rng_state()
    module = bare(program, closed, CNN_SOURCE, torch.float32)
    assert torch.equal(torch.get_rng_state(), state)
    found = dict(module.named_parameters())
    assert all(torch.equal(found[n].double(), value) for n, value in closed.parameters.items())
    assert all(each.requires_grad and each.is_leaf for each in found.values())


@pytest.mark.parametrize(
    ("make", "source"),
    [(mlp, MLP_SOURCE), (cnn, CNN_SOURCE), (lstm, LSTM_SOURCE), (plain, PLAIN_SOURCE)],
    ids=["mlp", "cnn", "lstm", "plain"],
)
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_run_without_hooks_shows_the_same_and_moves_nothing(
    make: Callable[[], Program], source: str, mode: str
) -> None:
    program = make()
    plain_run = run(program, source, mode)
    found = run(program, source, mode, replace(EAGER, without_hooks=True))
    beside = {name: item for name, item in found.items() if with_hooks(name)}
    kinds = {name.split("/")[1] for name in beside}
    assert kinds == ({"no_hooks"} if mode == "train" else {"no_hooks", "no_hooks_grad"})
    assert list(plain_run) == [name for name in found if name not in beside]
    for name, item in found.items():
        same = plain_run[with_hooks(name) or name]
        assert item.line == same.line and (item.shape, item.dtype) == (same.shape, same.dtype)
        assert item.values is None or torch.equal(item.values, same.values)  # type: ignore[arg-type]  # as present
    outputs = [name for name in plain_run if name.split("/")[1] in ("output", "loss")]
    first = [name for name in outputs if name.startswith(("step0/", "eval/"))]
    assert {with_hooks(name) for name in beside} == set(first) - {"step0/loss/penalty"}


class Counting(nn.Module):
    """Counts its calls in a buffer, and draws from torch."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.seen: list[tuple[float, float]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append((float(self.calls), float(torch.rand(()))))
        self.calls += 1
        return x


def test_a_run_without_hooks_gives_back_what_it_moved() -> None:
    program, counting = mlp(), Counting()
    case = next(case for case in cases(program) if case.mode == "train")

    def prepare(module: nn.Module) -> None:
        module.drop = nn.Sequential(module.drop, counting)

    setting = replace(EAGER, layers=False, without_hooks=True, prepare=prepare)
    observe(program, close(program, case), MLP_SOURCE, setting)
    beside, first, second = counting.seen[:3]
    assert beside == first and second[0] == 1.0 and second[1] != first[1]


FILLED = (
    HEADER
    + """class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.scale = nn.init.normal_(nn.Parameter(torch.empty(2)))
        self.register_buffer("drawn", torch.empty(4).normal_())
"""
)


def test_a_constructor_gets_its_parameter_back_and_keeps_its_buffers() -> None:
    program = plain()
    closed = close(program, cases(program)[0])
    closed.parameters["scale"] = torch.ones(2, dtype=torch.float64)
    module = bare(program, closed, FILLED, torch.float32)
    assert isinstance(module.scale, torch.nn.Parameter) and module.scale.tolist() == [1.0, 1.0]
    assert module.drawn.unique().numel() == 4
