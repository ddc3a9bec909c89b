"""How many steps show all that an optimizer does: what its row says, held against torch; that its
implementations are one step; and how many steps a case follows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from specc import ir
from specc.catalog import OPTIMIZERS
from specc.catalog.rows import OptimizerRow
from specc.harness.running.kernels import in_float64, stepping
from specc.semantics import analyse

Gradients = Sequence[Tensor]


def settings_of(row: OptimizerRow, **given: Any) -> dict[str, Any]:
    return {each.name: each.default for each in row.arguments} | given


def last_begin(name: str, **given: Any) -> int:
    """The last step that begins something, as the row says."""
    row = OPTIMIZERS[name]
    return max((begin.step for begin in row.begins(settings_of(row, **given))), default=1)


def normals(steps: int, *shape: int, seed: int = 0) -> list[Tensor]:
    numbers = torch.Generator().manual_seed(seed)
    size = shape or (6, 4)
    return [torch.randn(size, generator=numbers, dtype=torch.float64) for _ in range(steps)]


def changes(
    name: str, gradients: Gradients, seen: Callable[[Any], Any] | None = None, **given: Any
) -> list[Any]:
    """What each step does to a parameter that is put back before the next; or ``seen`` of what the
    optimizer keeps of it."""
    start = normals(1, *gradients[0].shape, seed=7)[0]
    parameter = torch.nn.Parameter(start.clone())
    optimizer = getattr(torch.optim, name)([parameter], **given)
    in_float64(optimizer)
    found = []
    for gradient in gradients:
        parameter.grad = gradient.clone()
        if name == "SparseAdam":
            parameter.grad = gradient.to_sparse(1)
        if OPTIMIZERS[name].closure:
            optimizer.step(lambda: torch.tensor(1.0))
        else:
            optimizer.step()
        state = optimizer.state[parameter]
        found.append(seen(state) if seen else (parameter.detach() - start))
        with torch.no_grad():
            parameter.copy_(start)
    return found


def first_difference(one: Sequence[Any], other: Sequence[Any]) -> int | None:
    """The first step, counted from 1, in which two runs do something else."""
    for step, (left, right) in enumerate(zip(one, other, strict=True), 1):
        if not torch.allclose(left, right, rtol=1e-9, atol=0.0):
            return step
    return None


# ── the rows against torch ───────────────────────────────────────────────────────────────────────


def known(name: str) -> bool:
    return hasattr(torch.optim, name)  # an older torch has fewer


@pytest.mark.parametrize(
    "name", [name for name in OPTIMIZERS if name not in ("SGD", "ASGD", "Rprop", "LBFGS")]
)
def test_the_second_step_depends_on_the_first_gradient(name: str) -> None:
    if not known(name):
        pytest.skip(f"this torch has no {name}")
    second = normals(2)
    first = [3.0 * second[0].flip(0), second[1]]
    found = first_difference(changes(name, second)[1:], changes(name, first)[1:])
    assert found == 1
    assert last_begin(name) >= 2


def test_without_momentum_it_does_not() -> None:
    second = normals(2)
    first = [3.0 * second[0].flip(0), second[1]]
    assert first_difference(changes("SGD", second)[1:], changes("SGD", first)[1:]) is None
    assert last_begin("SGD") == 1


def test_momentum_counts_from_the_second_step_on() -> None:
    plain, heavy = changes("SGD", normals(4)), changes("SGD", normals(4), momentum=0.9)
    damped = changes("SGD", normals(4), momentum=0.9, dampening=0.5)
    begin = last_begin("SGD", momentum=0.9)
    assert begin == 2
    assert first_difference(plain, heavy) == first_difference(heavy, damped) == begin


@pytest.mark.parametrize("decay", [0.999, 0.9999, 0.99, 0.9, 0.8, 0.7, 0.6, 0.5])
def test_radam_is_rectified_from_its_step_on(decay: float) -> None:
    steps = normals(40)
    plain = changes("RAdam", steps, betas=(0.9, decay))
    wide = changes("RAdam", steps, betas=(0.9, decay), eps=1.0)
    found = first_difference(plain, wide)  # eps is read there alone
    begin = last_begin("RAdam", betas=(0.9, decay))
    assert (found or 2) == begin
    assert begin == 6 or decay < 0.9


@pytest.mark.parametrize("start", [-5.0, 0.0, 2.0, 2.5, 7.0])
def test_asgd_averages_from_its_step_on(start: float) -> None:
    gradients = normals(14)
    settings: dict[str, Any] = {"lr": 0.1, "t0": start}
    averages = changes("ASGD", gradients, lambda state: state["ax"].clone(), **settings)
    parameters = changes("ASGD", gradients, **settings)
    moved = [normals(1, 6, 4, seed=7)[0] + change for change in parameters]
    assert first_difference(averages, moved) == last_begin("ASGD", t0=start)


def test_asgds_rate_falls_from_the_second_step_on() -> None:
    one, other = (changes("ASGD", normals(3), lambd=0.1, alpha=a) for a in (0.75, 0.5))
    assert first_difference(one, other) == last_begin("ASGD") == 2


def test_rprop_forgets_a_gradient_of_another_sign() -> None:
    ones = torch.ones(3, dtype=torch.float64)
    sizes = changes("Rprop", [ones, -ones, -ones, -ones], lambda s: s["step_size"].clone())
    grown = [float(after[0] / before[0]) for before, after in pairwise(sizes)]
    assert grown == pytest.approx([0.5, 1.0, 1.2])
    assert last_begin("Rprop") == 3


@pytest.mark.parametrize("most", [0.011, 0.012, 0.03, 0.05])
def test_rprops_largest_step_is_met(most: float) -> None:
    ones = [torch.ones(3, dtype=torch.float64)] * 14
    free, bound = (changes("Rprop", ones, step_sizes=(1e-9, top)) for top in (50.0, most))
    met = first_difference(free, bound)
    # A size that is the bound exactly is not yet cut.
    assert met is not None
    assert last_begin("Rprop", step_sizes=(1e-9, most)) in (max(3, met), max(3, met - 1))


def test_rprops_smallest_step_is_met() -> None:
    ones = torch.ones(3, dtype=torch.float64)
    turns = [ones if k % 4 in (0, 3) else -ones for k in range(12)]
    assert last_begin("Rprop", step_sizes=(0.003, 50.0)) == 4
    free, bound = (
        changes("Rprop", turns, lambda s: s["step_size"].clone(), step_sizes=(low, 50.0))
        for low in (1e-9, 0.003)
    )
    assert first_difference(free, bound) == 4


@pytest.mark.skipif(not known("Adafactor"), reason="this torch has no Adafactor")
@pytest.mark.parametrize("rate", [0.95, 0.6, 0.49, 0.35])
def test_adafactors_rate_falls_from_its_step_on(rate: float) -> None:
    gradients = normals(14)
    one, other = (changes("Adafactor", gradients, lr=each) for each in (rate, rate * 1.001))
    same = [torch.allclose(left, right, rtol=1e-9) for left, right in zip(one, other, strict=True)]
    # Once it falls by itself it is another's no more.
    assert same.index(True) + 1 == last_begin("Adafactor", lr=rate)


@pytest.mark.parametrize("decay", [0.999, 0.99, 0.9])
@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_amsgrads_maximum_is_another_in_an_element_of_twelve(name: str, decay: float) -> None:
    begin = last_begin(name, amsgrad=True, betas=(0.9, decay))
    gradients = normals(begin, 100_000)
    plain, largest = (
        changes(name, gradients, amsgrad=each, betas=(0.9, decay)) for each in (False, True)
    )
    shares, seen = [], torch.zeros(100_000, dtype=torch.bool)
    for one, other in zip(plain, largest, strict=True):
        seen |= one != other
        shares.append(float(seen.double().mean()))
    assert shares[-1] >= 1 / 12 > shares[-2]


@pytest.mark.parametrize(("history", "iterations"), [(2, 2), (3, 2), (1, 1), (8, 4), (9, 8)])
def test_lbfgs_forgets_when_its_history_is_full(history: int, iterations: int) -> None:
    begin = last_begin("LBFGS", history_size=history, max_iter=iterations)
    kept = []
    for size in (history, 100):
        parameter = torch.nn.Parameter(normals(1, 8)[0])
        optimizer = torch.optim.LBFGS(
            [parameter], lr=0.1, max_iter=iterations, history_size=size, tolerance_change=0.0
        )

        def loss(parameter: Tensor = parameter) -> Tensor:
            parameter.grad = None
            value = (parameter**4 + torch.arange(1, 9) * parameter**2).sum()
            value.backward()
            return value

        seen = []
        for _ in range(begin + 1):
            optimizer.step(loss)
            seen.append(parameter.detach().clone())
        kept.append(seen)
    assert first_difference(*kept) == begin


# ── the implementations ──────────────────────────────────────────────────────────────────────────

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.1, "weight_decay": 0.1, "maximize": True},
        {"momentum": 0.9, "nesterov": True},
    ],
    "Adam": [{}, {"amsgrad": True}, {"weight_decay": 0.1, "maximize": True}],
    "AdamW": [{}, {"amsgrad": True, "maximize": True}],
    "RMSprop": [{}, {"centered": True, "momentum": 0.9, "weight_decay": 0.1, "maximize": True}],
    "Adagrad": [{"lr_decay": 0.1}, {"weight_decay": 0.1, "maximize": True}],
    "Adadelta": [{}, {"weight_decay": 0.1, "maximize": True}],
    "Adamax": [{}, {"weight_decay": 0.1, "maximize": True}],
    "NAdam": [{}, {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}],
    "RAdam": [{}, {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}],
    "Rprop": [{}, {"maximize": True, "step_sizes": (1e-3, 0.012)}],
    "ASGD": [{}, {"lambd": 0.1, "t0": 2.0}, {"weight_decay": 0.1, "maximize": True}],
    "Adafactor": [{}, {"lr": 0.9, "weight_decay": 0.1, "maximize": True}],
}


def test_every_optimizer_with_several_implementations_is_among_them() -> None:
    assert VARIANTS.keys() == {n for n, row in OPTIMIZERS.items() if "foreach" in row.by_name}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_implementations_are_one_step_in_float64(name: str) -> None:
    """What a golden holds is the for-loop's, which torch takes on the CPU where nothing is said."""
    if not known(name):
        pytest.skip(f"this torch has no {name}")
    row = OPTIMIZERS[name]
    for settings in VARIANTS[name]:
        steps = normals(max(last_begin(name, **settings), 8))
        found = {}
        for way in ("", "foreach", "for_loop", "fused"):
            if way in ("", "for_loop") or way in row.by_name:
                with stepping(way):
                    found[way] = changes(name, steps, **settings)
        assert len(found) == 3 + bool(row.fused_on)
        for way, each in found.items():
            for one, other in zip(found["for_loop"], each, strict=True):
                assert torch.allclose(one, other, rtol=1e-11, atol=1e-14), (way, settings)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_row_says_whether_torch_has_a_fused_step(name: str) -> None:
    assert bool(OPTIMIZERS[name].fused_on) == ("fused" in OPTIMIZERS[name].by_name)


def test_an_optimizer_is_made_as_it_is_asked_for() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    bias = torch.nn.Parameter(torch.ones(2))
    groups: list[dict[str, Any]] = [{"params": [weight], "fused": False}, {"params": [bias]}]
    honest = torch.optim.Adam.__init__
    with stepping("fused"):
        made = torch.optim.AdamW(groups)
        late = torch.optim.Adadelta([weight], 1.0, 0.9, 1e-6, 0.0, True)
    assert torch.optim.Adam.__init__ is honest
    assert made._step_supports_amp_scaling
    assert [group["fused"] for group in made.param_groups] == [True, True]
    assert [group["foreach"] for group in made.param_groups] == [False, False]
    assert late.param_groups[0]["foreach"] is False and "fused" not in late.param_groups[0]
    with stepping("for_loop"):
        made = torch.optim.AdamW([weight], fused=True)
    assert not hasattr(made, "_step_supports_amp_scaling")
    with stepping(""):
        assert torch.optim.SGD([weight], foreach=True).param_groups[0]["foreach"] is True
    with stepping("foreach"), pytest.raises(TypeError, match="params"):
        torch.optim.SGD()  # type: ignore[call-arg]  # what is tested
    assert "foreach" in inspect.signature(torch.optim.SGD).parameters


def test_a_step_that_stops_leaves_torchs_default_precision() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    in_float64(optimizer)
    weight.grad = torch.ones(2)
    optimizer.param_groups[0]["lr"] = "no"
    with pytest.raises(Exception, match=r".+"):
        optimizer.step()
    assert torch.get_default_dtype() == torch.float32


# ── how many steps a case follows ────────────────────────────────────────────────────────────────


def program(optimizer: str, test: str = "", train: str = "") -> ir.Program:
    return analyse(
        "spec 1\nparam late: float = 2.0\nmodel Net {\n  input x: float[N, 4]\n"
        "  output x -> fc: Linear(2)\n}\n"
        "train {\n  input y: float[N, 2]\n  loss = MSELoss(output, y)\n"
        f"  optimizer {optimizer}\n{train}}}\n{test}",
        "m.spec",
    )


def warned(found: ir.Program) -> list[str]:
    return [item.message for item in found.warnings if item.code == "W0501"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("optimizer", "train", "steps"),
    [
        ("SGD(lr=0.1)", "", 3),
        ("Adam(lr=0.1)", "", 3),
        ("Adam(lr=0.1, amsgrad=true)", "", 4),
        ("Adam(lr=0.1) { group(amsgrad=true) on *.bias }", "", 4),
        ("RAdam(lr=0.1)", "", 6),
        ("RAdam(lr=0.1, betas=(0.9, 0.5))", "", 3),
        ("ASGD(lr=0.1, t0=late)", "", 5),
        ("Rprop(lr=0.1, step_sizes=(1e-6, 0.2))", "", 5),
        ("Adam(lr=0.1)", "  accumulate 4\n", 8),
        ("SGD(lr=0.1)", "  accumulate 4\n", 3),
        ("RAdam(lr=0.1)", "  accumulate 4\n", 24),
    ],
)
def test_a_case_has_as_many_as_show_everything(optimizer: str, train: str, steps: int) -> None:
    for test in ("", "test { seed 3 }"):
        found = program(optimizer, test, train)
        assert found.test.steps == steps
        assert warned(found) == []
    said = program(optimizer, f"test {{ steps {steps} }}", train)
    assert warned(said) == []
    assert program(optimizer, "test { modes eval }", train).test.steps == 3


def test_fewer_are_warned_of_where_they_are_written() -> None:
    found = program("RAdam(lr=0.1)", "test {\n  steps 5\n}")
    assert found.test.steps == 5
    assert warned(found) == [
        "RAdam is followed for 5 steps, and its rectified step counts from step 6 on"
    ]
    item: Any = next(iter(found.warnings))
    assert (item.span.line, item.help) == (13, "write `steps 6`")
    assert warned(program("Adam(lr=0.1)", "test { steps 1 }")) == [
        "Adam is followed for 1 step, and what it keeps of the step before counts from step 2 on"
    ]
    assert warned(program("SGD(lr=0.1)", "test { steps 1 }")) == []
    assert warned(program("RAdam(lr=0.1)", "test {\n  steps 5\n  modes eval\n}")) == []
    several = warned(program("SGD(lr=0.1, momentum=0.9)", "test { steps 3 }", "  accumulate 3\n"))
    assert several == [
        "SGD is followed for 1 step (3 batches each), and its momentum counts from step 2 on"
    ]


def test_what_is_too_far_to_be_followed_unasked_is_said() -> None:
    found = program("ASGD(lr=0.1, t0=50.0)")
    assert found.test.steps == 3
    assert warned(found) == [
        "ASGD is followed for 3 steps, and its average of the parameters counts from step 53 on"
    ]
    assert warned(program("ASGD(lr=0.1, t0=50.0)", "test { steps 53 }")) == []
    # As it is unless it is said, it begins where no run comes.
    assert warned(program("ASGD(lr=0.1)")) == []
    assert warned(program("Adam(lr=0.1)", "", "  accumulate 32\n")) != []
