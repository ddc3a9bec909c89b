"""Each layer by itself: its error is its own, whatever reached it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from harness_support import EVERY
from torch import nn

from specc.errors import SpeccError
from specc.harness.cases.case import ClosedCase, close
from specc.harness.cases.matrix import cases
from specc.harness.floors.per_layer import LOST, Error, Exact, Expected, errors, exactly
from specc.harness.running.observe import Run, Setting, observe
from specc.ir import Program

SETTING = Setting("eager", "cpu", "float32", layers=True, calls=True)


@pytest.fixture(scope="module", params=EVERY)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Program, ClosedCase, str]:
    make, source = EVERY[request.param]
    program = make(tmp_path_factory.mktemp("project"))
    return program, close(program, cases(program)[0]), source


@pytest.fixture(scope="module")
def seen(made: tuple[Program, ClosedCase, str]) -> tuple[Exact, Run]:
    """The float64 run, and one in float32."""
    return found_in(made, SETTING)


def found_in(made: tuple[Program, ClosedCase, str], setting: Setting) -> tuple[Exact, Run]:
    program, closed, source = made
    return exactly(program, closed, source), observe(program, closed, source, setting)


def test_honest_layers_err_by_a_few_units(
    made: tuple[Program, ClosedCase, str], seen: tuple[Exact, Run]
) -> None:
    exact, run = seen
    found = errors(exact, run, SETTING)
    assert {name.split("/")[1] for name in found if name.startswith("step0/")} >= {
        "alone",
        "alone_grad",
        "alone_input_grad",
    }
    for name, error in found.items():
        if "/alone/" in name:
            assert error.rms < 2e-6 and error.gain <= error.rms * 1.0001, (name, error)


def test_float64_errs_by_nothing(made: tuple[Program, ClosedCase, str]) -> None:
    setting = replace(SETTING, dtype="float64")
    exact, run = found_in(made, setting)
    for name, error in errors(exact, run, setting).items():
        assert error.largest == 0.0, name


@pytest.mark.parametrize("dtype", ["bfloat16", "tf32"])
def test_a_coarser_precision_errs_by_its_own_units(
    made: tuple[Program, ClosedCase, str], dtype: str
) -> None:
    setting = replace(SETTING, dtype=dtype)
    exact, run = found_in(made, setting)
    found = errors(exact, run, setting)
    outputs = [error for name, error in found.items() if "/alone/" in name]
    assert 1e-5 < max(error.rms for error in outputs) < 0.02
    assert {error.unit for error in outputs} == {2.0**-7 if dtype == "bfloat16" else 2.0**-23}


def test_a_fault_shows_in_its_layer_alone(
    made: tuple[Program, ClosedCase, str], seen: tuple[Exact, Run]
) -> None:
    program, closed, source = made
    exact, plain = seen
    path = next(p for p, call in plain.calls.items() if isinstance(call.layer, nn.Linear))

    def spoil(module: nn.Module) -> None:
        hook = lambda layer, arguments, output: output * (1 + 2e-6)  # noqa: E731  # a hook
        module.get_submodule(path).register_forward_hook(hook)

    setting = replace(SETTING, prepare=spoil)
    found = errors(exact, observe(program, closed, source, setting), setting)
    honest = errors(exact, plain, SETTING)
    assert found[f"step0/alone/{path}"].gain > 1.5e-6
    changed = [name for name, error in found.items() if error != honest[name]]
    # Whatever follows in the model is given what it should be given.
    assert changed and all(name.split("/")[2].startswith(path) for name in changed)


@contextmanager
def in_float32_alone() -> Iterator[None]:
    """A product that is wrong in float32, as a kernel may be."""
    honest = nn.functional.linear

    def linear(input: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        result = honest(input, *rest)
        return result * (1 + 2e-6) if result.dtype == torch.float32 else result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.functional, "linear", linear)
        yield


def test_a_kernel_is_held_against_float64(made: tuple[Program, ClosedCase, str]) -> None:
    with in_float32_alone():
        exact, run = found_in(made, SETTING)
        found = errors(exact, run, SETTING)
    path = next(p for p, call in run.calls.items() if isinstance(call.layer, nn.Linear))
    assert found[f"step0/alone/{path}"].gain > 1.5e-6


def test_a_layer_is_judged_with_the_weights_that_it_should_have(
    made: tuple[Program, ClosedCase, str], seen: tuple[Exact, Run]
) -> None:
    program, closed, source = made
    name = next(iter(closed.parameters))
    moved = closed.parameters | {name: closed.parameters[name] * 1.5}
    run = observe(program, replace(closed, parameters=moved), source, SETTING)
    found = errors(seen[0], run, SETTING)
    assert all(error.rms < 2e-6 for key, error in found.items() if "/alone/" in key)


def test_a_layer_that_was_given_something_else_is_left_out(seen: tuple[Exact, Run]) -> None:
    exact, run = seen
    path, call = next(iter(run.calls.items()))
    other = replace(call, given=[call.tensors[0][:1], *call.given[1:]])
    run = replace(run, calls=run.calls | {path: other})
    assert not any(f"/{path}" in name for name in errors(exact, run, SETTING) if "alone" in name)


def test_a_gradient_that_is_lost_is_infinitely_wrong(seen: tuple[Exact, Run]) -> None:
    exact, run = seen
    path, call = next(
        (p, each) for p, each in run.calls.items() if isinstance(each.layer, nn.Linear)
    )
    frozen = replace(call, layer=copy.deepcopy(call.layer))
    frozen.layer.get_parameter("weight").requires_grad_(False)
    found = errors(exact, replace(run, calls={path: frozen}), SETTING)
    assert found[f"step0/alone_grad/{path}.weight"] is LOST


def test_a_mask_of_infinities_is_right_where_it_is() -> None:
    wanted = torch.tensor([1.0, -math.inf, 2.0], dtype=torch.float64)
    expected = Expected("x", wanted)
    assert expected.error(wanted.float()) == Error(0.0, 0.0, 0.0, 2, 2.0**-23)
    assert expected.error(torch.tensor([1.0, math.inf, 2.0])) is LOST
    assert expected.error(torch.tensor([1.0, -math.inf, math.nan])) is LOST
    assert expected.error(torch.ones(2)) is LOST
    assert expected.error(None) is LOST
    zero = Expected("x", torch.zeros(1, dtype=torch.float64)).error(torch.tensor([0.5]))
    assert (zero.rms, zero.largest, zero.gain) == (0.5, 0.5, 0.0)


def test_a_source_that_does_not_run_in_float64_says_so(
    made: tuple[Program, ClosedCase, str],
) -> None:
    from specc.harness.running.observe import RunFailed

    program, closed, source = made
    with pytest.raises((RunFailed, SpeccError)):
        exactly(program, closed, source.replace("super().__init__()", "raise ValueError('no')", 1))


def test_what_float64_calls_hold_is_the_case_itself_and_stays_it(
    made: tuple[Program, ClosedCase, str],
) -> None:
    closed = made[1]
    before = {name: value.clone() for name, value in closed.parameters.items()}
    exact, run = found_in(made, Setting("eager", "cpu", "float32", layers=True, calls=True))
    errors(exact, run, Setting("eager", "cpu", "float32"))
    own = {value.data_ptr() for value in closed.parameters.values()}
    for call in exact.run.calls.values():
        assert {each.data_ptr() for each in call.layer.parameters()} <= own
    assert all(torch.equal(value, before[name]) for name, value in closed.parameters.items())


def test_what_a_layer_should_make_is_kept_if_asked_for(
    made: tuple[Program, ClosedCase, str],
) -> None:
    exact, run = found_in(made, Setting("eager", "cpu", "float32", layers=True, calls=True))
    calls = list(run.calls.values())
    assert all(exact.alone(call, keep=False) is not None for call in calls)
    assert not exact._expected
    first, second = (exact.alone(calls[0]) for _ in range(2))
    assert first is not None and second is not None and first.expected is second.expected
