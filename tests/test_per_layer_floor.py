"""Floors of layers by themselves: they repeat, hold honest machines, and stay close to them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from harness_support import EVERY

from specc import front
from specc.emit import emit
from specc.harness.cases.case import ClosedCase, close
from specc.harness.cases.matrix import cases
from specc.harness.floors.machine import random_rounding, threads
from specc.harness.floors.per_layer import LOST, Error, Exact, errors, exactly
from specc.harness.floors.per_layer_floor import AloneFloor, _floor, _with_jumps, alone_floors
from specc.harness.running.kernels import plain_kernels
from specc.harness.running.observe import Setting, observe
from specc.ir import Program
from specc.policy import K

Made = tuple[Program, ClosedCase, str, Exact]


def floors_in(made: Made, dtype: str) -> dict[str, AloneFloor]:
    program, closed, source, exact = made
    run = observe(program, closed, source, replace(SETTING, dtype=dtype))
    return alone_floors(program, exact, run, dtype)


SETTING = Setting("eager", "cpu", "float32", layers=True, calls=True)


@pytest.fixture(scope="module", params=EVERY)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    make, source = EVERY[request.param]
    program = make(tmp_path_factory.mktemp("project"))
    closed = close(program, cases(program)[0])
    return program, closed, source, exactly(program, closed, source)


@pytest.fixture(scope="module")
def floors(made: Made) -> dict[str, AloneFloor]:
    return floors_in(made, "float32")


def worst(found: dict[str, Error], floors: dict[str, AloneFloor]) -> float:
    counts = [
        max(error.rms / floor.rms, error.largest / floor.largest, error.gain / floor.gain)
        for name, floor in floors.items()
        if floor.rms * K < 1.0
        for error in [found[name]]
    ]
    return max(counts)


def test_floors_repeat(made: Made, floors: dict[str, AloneFloor]) -> None:
    assert floors_in(made, "float32") == floors


def test_floors_of_outputs_are_a_few_units(floors: dict[str, AloneFloor]) -> None:
    outputs = [floor for name, floor in floors.items() if "/alone/" in name]
    assert outputs
    for floor in outputs:
        assert 2.0**-25 <= floor.rms < 32 * 2.0**-23
        assert 2.0**-24 <= floor.gain <= 8 * floor.rms and floor.rms <= floor.largest


def test_honest_machines_are_within(made: Made, floors: dict[str, AloneFloor]) -> None:
    program, closed, source, exact = made
    run = observe(program, closed, source, SETTING)
    for count in (1, 2):
        for plain in (False, True):
            with threads(count), plain_kernels(plain):
                assert worst(errors(exact, run, SETTING), floors) < K / 2
    for seed in range(4):
        for lanes in (0, 1, 8):
            mode = random_rounding(program, "float32", 77_000 + seed, lanes=lanes)
            setting = replace(SETTING, around=lambda mode=mode: mode)
            with threads(1), plain_kernels(lanes > 0):
                assert worst(errors(exact, run, setting), floors) < K


def test_coarser_precisions_have_wider_floors(made: Made, floors: dict[str, AloneFloor]) -> None:
    coarse = floors_in(made, "bfloat16")
    assert coarse.keys() == floors.keys()
    for name, floor in coarse.items():
        if "/alone/" in name:
            assert floor.rms > 100 * floors[name].rms or floor.rms == 2.0**-9


def test_a_lost_sample_leaves_nothing_to_judge_by() -> None:
    nothing = AloneFloor(math.inf, math.inf, math.inf)
    some = Error(1e-7, 2e-7, 1e-8, 10, 2.0**-23)
    assert _floor([some, LOST, some]) == nothing
    assert _with_jumps(_floor([some] * 12), [LOST], 64.0) == nothing


def test_no_floor_is_below_the_last_rounding() -> None:
    exact = Error(0.0, 0.0, 0.0, 10, 2.0**-23)
    assert _floor([exact] * 12) == AloneFloor(
        2.0**-25, pytest.approx(2.0**-25 * math.sqrt(1 + 2 * math.log(10))), 2.0**-24
    )


def test_a_jump_raises_the_floor_that_it_passes() -> None:
    floor = AloneFloor(1e-7, 1e-6, 1e-8)
    assert _with_jumps(floor, [Error(60e-7, 60e-6, 60e-8)], 64.0) == floor
    raised = _with_jumps(floor, [Error(1e-3, 60e-6, 1e-4)], 64.0)
    assert raised == AloneFloor(5e-4, 1e-6, 5e-5)


UPSAMPLED = """spec 1

model Net {
  input x: float[N, 2, 5, 5]
  output x -> up: Upsample(scale_factor=1.7, mode="MODE") -> conv: Conv2d(2, 3)
}

test {
  sizes N=1
  modes eval
}
"""


@pytest.mark.parametrize(("mode", "shared"), [("bicubic", True), ("nearest", False)])
def test_coordinates_are_rounded_for_all_elements_together(
    tmp_path: Path, mode: str, shared: bool
) -> None:
    (tmp_path / "net.spec").write_text(UPSAMPLED.replace("MODE", mode))
    program = front.read(tmp_path / "net.spec")
    closed, source = close(program, cases(program)[0]), emit(program)
    found = floors_in((program, closed, source, exactly(program, closed, source)), "float32")
    up, conv = found["eval/alone/up"], found["eval/alone/conv"]
    assert up.gain == (max(up.rms, 2.0**-24) if shared else 2.0**-24)
    assert conv.gain < conv.rms


PRODUCT = """spec 1

model Net {
  input x: float[N, 8000]
  output x -> fc: Linear(40)
}

test {
  sizes N=32
  modes eval
  targets eager
}
"""


def test_what_accumulators_lose_is_in_the_floor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from specc.harness.floors import rounding

    (tmp_path / "net.spec").write_text(PRODUCT)
    program = front.read(tmp_path / "net.spec")
    closed, source = close(program, cases(program)[0]), emit(program)
    made = (program, closed, source, exactly(program, closed, source))
    whole = floors_in(made, "float32")["eval/alone/fc"]
    monkeypatch.setattr(rounding, "accumulated", lambda *given: None)
    assert whole.rms > 2 * floors_in(made, "float32")["eval/alone/fc"].rms
