"""torch's own dropout: sound in every target, and each known fault of it found."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from harness_support import HEADER
from torch import Tensor

from specc import front
from specc.emit import emit
from specc.harness.blessing.bless import bless
from specc.harness.cases.matrix import cells
from specc.harness.judging.judge import judge
from specc.harness.native.native_checks import drops, kept_dropout_check, native_findings
from specc.harness.native.native_dropout import Kind, native_dropout_check
from specc.harness.native.native_masks import masks_of
from specc.mutate.faults.dropout import FAULTS, Native, wrong
from specc.mutate.run import mutate
from specc.targets import TARGETS
from specc.targets.live import module_class

LAYERS = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"]
FUNCTIONS = "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout".split()
NAMES = [*LAYERS, *(f"F.{name}" for name in FUNCTIONS)]
NATIVE = [fault for fault in FAULTS if isinstance(fault, Native)]
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("p", [0.02, 0.1, 0.5, 0.8, 0.97])
def test_every_kind_is_sound(p: float) -> None:
    before = torch.get_rng_state()
    kinds = [Kind(name, p) for name in NAMES] + [Kind("Dropout", p, True)]
    found = native_dropout_check(kinds)
    assert {kind: each.faults for kind, each in found.items()} == dict.fromkeys(kinds, ())
    for each in found.values():
        assert each.masks.rate == pytest.approx(p, rel=0.1) and each.draws >= 1 << 16
        assert {"calls", "0", "1", "distance"} <= each.masks.correlations.keys()
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_kind_is_sound_in_other_dtypes(dtype: torch.dtype) -> None:
    kinds = [Kind(name, p) for name in NAMES for p in (0.3, 0.9)]
    assert not any(each.faults for each in native_dropout_check(kinds, dtype=dtype).values())
    rare = [Kind("Dropout", p) for p in (1e-5, 0.99999)]  # 1 / (1 - p) overflows in float16
    assert not any(each.faults for each in native_dropout_check(rare, dtype=dtype).values())


@pytest.mark.parametrize("target", TARGETS)
def test_every_kind_is_sound_in_every_target(target: str) -> None:
    kinds = [Kind(name, 0.3) for name in (NAMES if target != "compile" else NAMES[::3])]
    assert not any(each.faults for each in native_dropout_check(kinds, target).values())


# What a report says of each; inductor compiles anew for each, so that two stand for all there.
SAID = {
    "native-shared-mask": "along dimension 2 are correlated",
    "native-fresh-backward": "backward used another mask",
    "native-shared-channels": "along dimension 1 are correlated",
    "native-shared-rows": "along dimension 0 are correlated",
    "native-repeated": "successive calls are correlated",
    "native-period": "successive calls are correlated, 0 and 2",
    "native-reused-half": "along dimension 2 are correlated",
    "native-rate": "drops 5",
    "native-evaluation": "evaluation is not the identity",
}


@pytest.mark.parametrize("fault", NATIVE, ids=lambda fault: fault.name)
@pytest.mark.parametrize("target", ["eager", "torchscript", "export"])
def test_a_fault_is_found_in_every_kind(fault: Native, target: str) -> None:
    kinds = [Kind(name, 0.5) for name in NAMES[::2] + NAMES[1::2]]
    with wrong(fault):
        found = native_dropout_check(kinds, target)
        alone = native_dropout_check([Kind("F.dropout", 0.5)], target)
    assert all(each.faults for each in found.values()), found
    (said,) = alone.values()
    assert any(SAID[fault.name] in text for text in said.faults), said.faults
    assert not any(each.faults for each in native_dropout_check(kinds, target).values())


@pytest.mark.parametrize(
    "name",
    [
        "native-fresh-backward",
        pytest.param("native-reused-half", marks=pytest.mark.slow),
        pytest.param("native-repeated", marks=pytest.mark.slow),
    ],
)
def test_a_fault_is_found_in_a_compiled_graph(name: str) -> None:
    (fault,) = (each for each in NATIVE if each.name == name)
    with wrong(fault):
        found = native_dropout_check([Kind("Dropout", 0.4), Kind("F.dropout2d", 0.4)], "compile")
    assert all(each.faults for each in found.values())


@pytest.mark.parametrize("kind", [Kind("Dropout", 0.0), Kind("F.dropout", 1.0), Kind("ReLU", 0.5)])
def test_what_cannot_be_checked_is_refused(kind: Kind) -> None:
    with pytest.raises(ValueError, match="cannot check"):
        native_dropout_check([kind])


# ── the laws ─────────────────────────────────────────────────────────────────────────────────────


def fair(seed: int, p: float, shape: tuple[int, ...] = (4, 16, 16, 16)) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) >= p


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_fair_masks_pass(p: float) -> None:
    assert not any(masks_of(fair(seed, p), p).faults for seed in range(40))


@pytest.mark.parametrize("distance", [1, 7, 64, 1000, 4096, 5000])
def test_masks_that_repeat_at_a_distance_are_found(distance: int) -> None:
    flat = fair(1, 0.3).flatten()
    for begin in range(distance, flat.numel(), 2 * distance):
        part = flat[begin : begin + distance]
        part.copy_(flat[begin - distance : begin - distance + part.numel()])
    found = masks_of(flat.reshape(4, 16, 16, 16), 0.3)
    assert f"draws {distance} elements apart" in found.faults[-1]
    assert 0.4 < found.correlations["distance"] < 0.7


@pytest.mark.parametrize("dimension", [0, 1, 2, 3])
def test_two_slices_that_share_or_mirror_a_mask_are_found(dimension: int) -> None:
    for mirrored in (False, True):
        kept = fair(2, 0.5)
        first = kept.select(dimension, 1)
        kept.select(dimension, 3).copy_(~first if mirrored else first)
        name = "calls" if dimension == 0 else str(dimension - 1)
        found = masks_of(kept, 0.5)
        assert found.faults and abs(found.correlations[name]) > 0.9, found


# ── where they are judged ────────────────────────────────────────────────────────────────────────

SPEC = """spec 1

param q: float = 0.2

block Inner(rate: float) {
  input x: float[N, C]
  output dropout(x -> Linear(C), p=rate / 2)
}

model Net {
  input x: float[N, 12]
  h = x -> Inner(0.8) -> Dropout(0.3)
  g = alpha_dropout(h, q) -> AlphaDropout(q)
  output dropout(g, p=0.4) -> two: Linear(4)
}

train {
  input y: float[N, 4]
  loss = MSELoss(output, y)
  optimizer SGD(lr=0.1)
}

test {
  sizes N=4
  steps 1
  targets eager, torchscript
  devices cpu
}
"""


@pytest.fixture(scope="module")
def blessed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("project") / "net.spec"
    path.write_text(SPEC)
    bless(front.read(path), path.parent)
    return path


def test_layers_and_functions_are_known_once_for_each_kind_and_rate(blessed: Path) -> None:
    program = front.read(blessed)
    made = module_class(emit(program), "Net", "net")()
    assert {(str(kind), name) for kind, name, _ in drops(program, made)} == {
        ("Dropout(p=0.3)", "dropout_1"),
        ("AlphaDropout(p=0.2)", "alphadropout_1"),
        ("F.dropout(p=0.4)", "inner_1.dropout"),
        ("F.alpha_dropout(p=0.2)", "alpha_dropout"),
    }


@pytest.mark.parametrize("target", ["eager", "torchscript"])
def test_a_cell_tells_of_its_own_target(blessed: Path, target: str) -> None:
    (fault,) = (each for each in NATIVE if each.name == "native-fresh-backward")
    root = blessed.parent
    cell = next(each for each in cells(front.read(blessed)) if each.target == target)
    assert judge(front.read(blessed), cell, root).passed
    kept_dropout_check.cache_clear()  # type: ignore[attr-defined]  # lru_cache gives it
    with wrong(fault):
        verdict = judge(front.read(blessed), cell, root)
    kept_dropout_check.cache_clear()  # type: ignore[attr-defined]  # as above
    names = [found.name for found in verdict.findings]
    assert verdict.outcome == "regressed" and "dropout/inner_1.dropout" in names
    assert len(names) == 4 and all(name.startswith("dropout/") for name in names)
    (found,) = (each for each in verdict.findings if each.name == "dropout/inner_1.dropout")
    assert found.line == 7 and "another mask" in found.message
    assert ("in the torchscript target" in found.message) is (target == "torchscript")


def test_faults_are_put_into_each_target_and_caught(blessed: Path) -> None:
    names = ("native-reused-half", "native-evaluation")
    program = front.read(blessed)
    faults = [fault for fault in FAULTS if fault.name in names]
    result = mutate(program, blessed.parent, faults, targets=("torchscript",))
    assert [each.where for each in result.faults] == 2 * [
        "F.dropout, eager",
        "F.dropout, torchscript",
    ]
    for outcome in result.faults:
        assert outcome.caught == {"specc": True, "assert_close": False, "same": False}
        assert outcome.named, outcome
    assert not any(each.caught["specc"] for each in result.honest)


DROPS = "F.dropout(g, p=0.4, training=self.training)"


@pytest.mark.parametrize(
    "edit",
    [
        "F.dropout(g, p=0.4)",
        "F.dropout(g, p=0.44, training=self.training)",
        "g * self.mask",
        "F.dropout(g, p=0.4, training=self.training).detach() + g - g.detach()",
        "(g * (torch.rand(g.shape) >= 0.4) / 0.6 if self.training else g)",
    ],
)
def test_an_edited_source_is_found_by_its_cases(blessed: Path, edit: str) -> None:
    program = front.read(blessed)
    source = emit(program)
    assert DROPS in source
    edited = source.replace(DROPS, edit)
    if "mask" in edit:
        mask = "        self.mask = F.dropout(torch.ones(12), 0.4)\n"
        edited = edited.replace("        self.q = Q\n", mask + "        self.q = Q\n")
    eager = [each for each in cells(program) if each.target == "eager"]
    assert all(judge(program, cell, blessed.parent, source).passed for cell in eager)
    # What draws in evaluation shows there alone.
    found = [judge(program, cell, blessed.parent, edited) for cell in eager]
    assert any(each.outcome == "regressed" and each.findings for each in found)


def test_a_source_that_stops_is_a_finding(blessed: Path) -> None:
    program = front.read(blessed)
    source = HEADER + "class Net(nn.Module):\n    def __init__(self):\n        self.no()\n"
    (found,) = native_findings(program, source, target="torchscript")
    assert (found.name, found.what) == ("dropout", "run")
