"""The matrix: names of cells, default sizes, and what is refused before anything runs."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from harness_programs import block_layer, blocks, residual
from harness_support import N, lstm, mlp, plain, span

from specc.errors import SpecError
from specc.harness.cases.matrix import cases, cells, input_symbols
from specc.harness.goldens.fingerprint import fingerprint
from specc.ir import Condition, LayerCall, Make, Member, Node, Optimizer, Program, Selection
from specc.semantics import analyse
from specc.sizes import symbol


def test_cells_are_targets_by_devices_by_dtypes_by_modes() -> None:
    ids = [cell.id for cell in cells(mlp())]
    assert len(ids) == len(set(ids)) == 4 * 2 * 1 * 2
    assert "compile-cpu-float32-train" in ids
    assert "eager-cuda-float32-eval" in ids


def test_the_call_overrides_the_spec() -> None:
    ids = [cell.id for cell in cells(mlp(), ["eager"], ["cpu"], ["float32", "bfloat16"])]
    assert ids == [
        "eager-cpu-float32-train",
        "eager-cpu-bfloat16-train",
        "eager-cpu-float32-eval",
        "eager-cpu-bfloat16-eval",
    ]


def test_several_rows_of_sizes_are_told_apart() -> None:
    rows = ((("N", 2), ("T", 16)), (("T", 5), ("N", 1)))
    ids = [cell.id for cell in cells(lstm(sizes=rows), ["compile"], ["cpu"])]
    assert ids == [
        "compile-cpu-float32-train-N2-T16",
        "compile-cpu-float32-eval-N2-T16",
        "compile-cpu-float32-train-N1-T5",
        "compile-cpu-float32-eval-N1-T5",
    ]


def test_without_sizes_a_batch_of_four_of_one_and_of_seven() -> None:
    found = cases(lstm(sizes=()))
    assert [case.sizes for case in found if case.mode == "eval"] == [
        (("N", 4), ("T", 8)),
        (("N", 1), ("T", 8)),
        (("N", 7), ("T", 7)),
    ]
    assert input_symbols(lstm()) == ("N", "T")


def test_default_sizes_meet_the_conditions() -> None:
    steps = Condition(symbol("T") % 5, "==", 0, "T must be a multiple of 5", span(5))
    spec = lstm(sizes=())
    spec = replace(spec, models=(replace(spec.models[0], conditions=(steps,)),))
    assert {dict(case.sizes)["T"] for case in cases(spec)} == {5}


SQUARES = [
    ("", {"N": 7, "H": 7, "W": 7}),
    (" where H % 8 == 0", {"N": 7, "H": 8, "W": 8}),
    (" where H % 4 == 0, W % 3 == 0", {"N": 7, "H": 12, "W": 12}),
    (" where H > W", {"N": 7, "H": 7, "W": 6}),
]


@pytest.mark.parametrize(("conditions", "last"), SQUARES)
def test_the_last_row_is_as_square_as_it_can_be(conditions: str, last: dict[str, int]) -> None:
    text = f"spec 1\n\nmodel M {{\n  input x: float[N, 3, H, W]{conditions}\n  output x * 2\n}}\n"
    rows = list(dict.fromkeys(case.sizes for case in cases(analyse(text, "m.spec"))))
    assert [dict(row)["N"] for row in rows] == [4, 1, 7]
    assert len({dict(rows[0])[name] for name in "NHW"}) == 3
    assert dict(rows[-1]) == last


def test_a_batch_that_breaks_a_condition_is_left_out_of_the_defaults() -> None:
    least = Condition(N, ">", 1, "needs two", span(5))
    assert [dict(case.sizes)["N"] for case in cases(plain(conditions=(least,), sizes=()))] == [
        4,
        4,
        7,
        7,
    ]


def test_a_row_that_breaks_a_condition_is_refused_with_its_numbers() -> None:
    even = Condition(N % 2, "==", 0, "two halves are concatenated", span(5))
    spec = plain(conditions=(even,), sizes=((("N", 3),),))
    with pytest.raises(SpecError) as caught:
        cells(spec)
    assert caught.value.code == "E0501"
    assert "N=3" in caught.value.message and "1 == 0 is false" in caught.value.message
    assert caught.value.help == "two halves are concatenated"


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_below_one_is_refused(size: int) -> None:
    with pytest.raises(SpecError, match="at least 1") as caught:
        cells(plain(sizes=((("N", size),),)))
    assert caught.value.code == "E0501"


def test_an_empty_shape_is_refused() -> None:
    spec = lstm(sizes=((("N", 2), ("T", 3)),))
    model = spec.models[0]
    shorter = replace(model.inputs[0].type, shape=(symbol("N"), symbol("T") - 3, 6))
    shrunk = replace(model, inputs=(replace(model.inputs[0], type=shorter),))
    with pytest.raises(SpecError, match=r"leave nothing of 'series'.*= 0") as caught:
        cells(replace(spec, models=(shrunk,)))
    assert caught.value.code == "E0501"


def test_unknown_and_missing_symbols_are_both_reported() -> None:
    with pytest.raises(SpecError) as caught:
        cells(lstm(sizes=((("N", 2), ("Tt", 3)),)))
    found = caught.value.diagnostics()
    assert [item.code for item in found] == ["E0502", "E0502"]
    assert {item.help for item in found} == {"did you mean 'T'?", "add T=4"}


def test_the_meaning_is_hashed_and_not_the_place() -> None:
    first, again = mlp(), mlp(Path("elsewhere"))
    assert fingerprint(first) == fingerprint(again)
    train = first.train
    assert train is not None and train.optimizer is not None

    def trained_by(optimizer: Optimizer) -> Program:
        step = replace(train.steps[0], optimizer=optimizer)
        return replace(first, train=replace(train, steps=(step,)))

    faster = replace(train.optimizer, arguments=(("lr", 0.06), ("momentum", 0.9)))
    assert fingerprint(trained_by(faster)) != fingerprint(first)
    moved = replace(train.optimizer, span=span(99))
    assert fingerprint(trained_by(moved)) == fingerprint(first)


def test_collecting_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import specc.harness.cases.matrix, specc.harness.cases.verdict\n"
        "import specc.harness.goldens.fingerprint, specc.harness.cases.golden_folder\n"
        "import specc.harness.running.observed_lines, specc.harness.goldens.atomic_folder"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_tensor_that_no_machine_holds_is_refused() -> None:
    text = (
        "spec 1\nmodel M {\n input x: float[N, 4]\n output x\n}\ntest {\n sizes N=2147483647\n}\n"
    )
    with pytest.raises(SpecError, match="elements large"):
        cases(analyse(text, "m.spec"))


def test_what_computes_nothing_makes_no_golden_stale() -> None:
    program = lstm()
    assert program.train is not None
    condition = Condition(N, ">=", 1, "for a test", span(9))
    stated = replace(program, train=replace(program.train, conditions=(condition,)))
    assert fingerprint(stated) == fingerprint(program)


def test_layouts_are_cells_and_share_their_case() -> None:
    found = cells(mlp(layouts=("contiguous", "channels_last")), ["eager"], ["cpu"])
    assert [cell.id for cell in found[:2]] == [
        "eager-cpu-float32-train",
        "eager-cpu-float32-channels_last-train",
    ]
    assert found[0].case == found[1].case


def _nested(depth: int, line: int = 1) -> Program:
    """Blocks ``depth`` deep, each holding the next twice."""
    inner = residual()
    for level in range(depth):
        made = tuple(block_layer(name, "Deeper", inner, line + level) for name in ("a", "b"))
        calls = tuple(
            LayerCall(each.name, (inner.inputs[0],), inner.outputs[0].value, span(line + level))
            for each in made
        )
        nodes: tuple[Node, ...] = (*(Make(each, each.span) for each in made), *calls)
        inner = replace(inner, nodes=nodes, name=f"Level{level}", conditions=())
    return replace(plain(), models=(inner,))


def test_a_block_is_hashed_once_whatever_its_depth() -> None:
    start = time.perf_counter()
    found = fingerprint(_nested(400))  # 2 ** 400 instances
    assert time.perf_counter() - start < 5
    assert found == fingerprint(_nested(400, line=7)) != fingerprint(_nested(401))


def test_what_a_block_says_is_hashed() -> None:
    program = blocks()
    changed = BLOCKS_SPEC_CHANGES
    hashes = {fingerprint(change(program)) for change in changed}
    assert len(hashes) == len(changed) and fingerprint(program) not in hashes


def _with_block(program: Program, **changes: object) -> Program:
    """``program`` with its block changed, in the first of its two layers alone."""
    model = program.models[0]
    first = model.nodes[1]
    assert isinstance(first, Make) and first.layer.module is not None
    block = replace(first.layer.module, **changes)  # type: ignore[arg-type]  # fields of a Module
    made = replace(first, layer=replace(first.layer, module=block))
    nodes = (model.nodes[0], made, *model.nodes[2:])
    return replace(program, models=(replace(model, nodes=nodes),))


def _members_changed(program: Program) -> Program:
    train = program.train
    assert train is not None
    copied = Member("target", "Net", "copy", "net", 7)
    return replace(program, train=replace(train, members=(copied,)))


BLOCKS_SPEC_CHANGES = [
    lambda p: _with_block(p, name="Other"),
    lambda p: _with_block(p, frozen=(Selection("fc.*", ("fc.weight",)),)),
    lambda p: _with_block(p, weights="a.safetensors"),
    lambda p: _with_block(p, conditions=()),
    lambda p: replace(p, train=replace(p.train, accumulate=2)),
    lambda p: replace(p, train=replace(p.train, precision="bfloat16")),
    _members_changed,
]
