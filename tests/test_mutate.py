"""Each fault of the catalogue where it applies: caught by a golden, and named rightly.

Small specs, one for each kind of fault, blessed into a scratch folder. The zoo's own figures are in
docs/numerics.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

from specc import front
from specc.errors import CallError, TargetError
from specc.harness.blessing.bless import bless
from specc.mutate.fault import Fault, Injection, Subject, from_module, spread
from specc.mutate.faults import FAULTS
from specc.mutate.run import Result, mutate

HEAD = "spec 1\n\nmodel Net {\n"
TAIL = "\n\ntest {\n  sizes N=6\n  modes train\n  targets eager\n}\n"
MSE = "\n\ntrain {\n  input y: float[N, 2]\n  loss = MSELoss(output, y)\n  optimizer "
MLP = HEAD + "  input x: float[N, 6]\n  output x -> fc1: Linear(8) -> Tanh -> fc2: Linear(2)\n}"
IMAGE = HEAD + "  input x: float[N, 4, 9, 9]\n  output x -> "
TO_TWO = " -> Flatten -> fc: Linear(2)\n}"
CLASSES = "\n\ntrain {\n  input y: index(5)[N]\n  loss = CrossEntropyLoss(output, y"

SPECS = {
    "adam-denominator": MLP + MSE + "Adam(lr=0.01)\n}",
    "rmsprop-denominator": MLP + MSE + "RMSprop(lr=0.01, momentum=0.5, centered=true)\n}",
    "amsgrad-maximum": MLP + MSE + "Adam(lr=0.01, amsgrad=true)\n}",
    "momentum": MLP + MSE + "SGD(lr=0.1, momentum=0.9)\n}",
    "decay-after": MLP + MSE + "AdamW(lr=1e-4, weight_decay=1e-3)\n}",
    "no-eps": MLP + MSE + "Adam(lr=0.01)\n}",
    "not-rectified": MLP + MSE + "RAdam(lr=0.01, betas=(0.9, 0.8))\n}",
    "amsgrad-present": MLP + MSE + "AdamW(lr=0.01, amsgrad=true)\n}",
    "sign-remembered": MLP + MSE + "Rprop(lr=0.01)\n}",
    "not-averaged": MLP + MSE + "ASGD(lr=0.01, t0=0.0)\n}",
    "fused-scaled": MLP + MSE + "Adam(lr=0.01)\n  precision float16\n}",
    "restart-late": MLP + MSE + "SGD(lr=0.1)\n  scheduler CosineAnnealingWarmRestarts(T_0=2)\n}",
    "tf32": MLP + MSE + "SGD(lr=0.1)\n}",
    "half-accumulation": MLP + MSE + "SGD(lr=0.1)\n}",
    "one-pass-variance": HEAD
    + "  input x: float[N, 6]\n  output x + 300 -> norm: LayerNorm -> fc: Linear(2)\n}"
    + MSE
    + "SGD(lr=0.1)\n}",
    "running-statistics": IMAGE
    + "conv: Conv2d(4, 3) -> norm: BatchNorm2d"
    + TO_TWO
    + MSE
    + "SGD(lr=0.1)\n}",
    "eps": IMAGE + "conv: Conv2d(4, 3) -> norm: BatchNorm2d" + TO_TWO + MSE + "SGD(lr=0.1)\n}",
    "hidden-eps": IMAGE
    + "conv: Conv2d(4, 3) -> norm: BatchNorm2d(eps=1e-3)"
    + TO_TWO
    + MSE
    + "SGD(lr=0.1)\n}",
    "average-pool-backward": IMAGE
    + "conv: Conv2d(4, 3) -> AvgPool2d(3, padding=1)"
    + TO_TWO
    + MSE
    + "SGD(lr=0.1)\n}",
    "grouped-gradient": IMAGE + "conv: Conv2d(8, 3, groups=4)" + TO_TWO + MSE + "SGD(lr=0.1)\n}",
    "detached-weight": MLP + MSE + "SGD(lr=0.1)\n}",
    "label-smoothing": HEAD
    + "  input x: float[N, 6]\n  output x -> fc: Linear(5)\n}"
    + CLASSES
    + ", label_smoothing=0.1, ignore_index=0)\n  optimizer SGD(lr=0.1)\n}",
    "approximate-gelu": HEAD
    + "  input x: float[N, 6]\n"
    + '  output x -> fc1: Linear(8) -> GELU(approximate="tanh") -> Linear(2)\n}'
    + MSE
    + "SGD(lr=0.1)\n}",
    "one-by-one-linear": HEAD
    + "  input x: float[N, 1]\n  output x -> one: Linear(1) -> Tanh -> fc: Linear(2)\n}"
    + MSE
    + "SGD(lr=0.1)\n}",
    "padding-value": IMAGE + "conv: Conv2d(4, 3, padding=1)" + TO_TWO + MSE + "SGD(lr=0.1)\n}",
    "accumulation": MLP + MSE + "SGD(lr=0.1)\n  accumulate 2\n}",
    "shared-mask": HEAD
    + "  input x: float[N, 6]\n  output x -> fc1: Linear(8) -> Dropout(0.4) -> fc2: Linear(2)\n}"
    + MSE
    + "SGD(lr=0.1)\n}",
}
TOKENS = HEAD + "  input tokens: index(2000)[N, 3]\n  output tokens -> embed: Embedding(4"
SPECS |= {
    "padding-entry": TOKENS + ", padding_idx=7)" + TO_TWO + MSE + "SGD(lr=0.1)\n}",
    "ignored-label": HEAD
    + "  input x: float[N, 6]\n  output x -> fc: Linear(5)\n}"
    + CLASSES
    + ", ignore_index=1)\n  optimizer SGD(lr=0.1)\n}",
    "last-label": HEAD
    + "  input x: float[N, 6]\n  output x -> fc: Linear(300)\n}"
    + CLASSES.replace("(5)", "(300)")
    + ")\n  optimizer SGD(lr=0.1)\n}",
    "whole-row": HEAD
    + "  input x: float[N, 6]\n  input seen: bool[N, 6]\n"
    + "  output where(seen, x, 0.0) -> fc: Linear(2)\n}"
    + MSE
    + "SGD(lr=0.1)\n}",
    "impossible-alignment": HEAD
    + "  input x: float[9, N, 4]\n  output x -> fc: Linear(5) -> log_softmax(dim=-1)\n}"
    + "\n\ntrain {\n  input y: index(5)[N, 3]\n  input long: index(10)[N]\n"
    + "  input short: index(4)[N]\n  loss = CTCLoss(output, y, long, short, zero_infinity=true)\n"
    + "  optimizer SGD(lr=0.1)\n}",
    "last-of-ties": HEAD
    + "  input x: float[N, 4, 20]\n  output x -> pool: MaxPool1d(2)"
    + TO_TWO
    + MSE
    + "SGD(lr=0.1)\n}",
}
GENERIC = (
    "leading-dimension factor element channel sign-of-layer weight-factor weights-rounded"
    " gradient-halved gradient-changed without-hooks"
).split()
SIGNED = HEAD + "  input x: float[N, 6]\n  h = x -> Linear(6)\n  output x + h -> Linear(2)\n}"
SPECS |= dict.fromkeys(GENERIC, SPECS["momentum"]) | {"sign": SIGNED + MSE + "SGD(lr=0.1)\n}"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("faults")
    (root / "golden").mkdir()
    return root


@cache
def blessed(folder: Path, text: str) -> Path:
    path = folder / f"s{abs(hash(text))}.spec"
    path.write_text(text + TAIL)
    bless(front.read(path), folder)
    return path


def measured(folder: Path, text: str, *names: str) -> Result:
    program = front.read(blessed(folder, text))
    return mutate(program, folder, [fault for fault in FAULTS if fault.name in names])


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS if fault.name in SPECS])
def test_a_fault_is_caught_and_named(folder: Path, name: str) -> None:
    found = measured(folder, SPECS[name], name).faults
    assert found, "it does not apply"
    for outcome in found:
        assert outcome.caught["specc"], outcome
        assert outcome.named, outcome


def test_every_fault_has_a_spec_of_its_own() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)
    # What is beside these is tested with what it injects into, in test_initial_weights.py.
    assert {name for name in names if "native" not in name and "initial" not in name} <= set(SPECS)
    assert all(fault.summary[0].isupper() and fault.summary[-1] != "." for fault in FAULTS)


def test_what_a_step_computes_itself_it_may_leave_behind(folder: Path) -> None:
    text = MLP + MSE + "LBFGS(lr=0.1, max_iter=2)\n}"
    result = measured(folder, text, "gradient-changed")
    assert result.faults == [] and not any(each.caught["specc"] for each in result.honest)


@pytest.mark.parametrize(
    "name",
    [
        "amsgrad-maximum",
        "restart-late",
        "accumulation",
        "shared-mask",
        "decay-after",
        "fused-scaled",
    ],
)
def test_a_fault_that_cannot_be_there_is_not_injected(folder: Path, name: str) -> None:
    assert measured(folder, SPECS["tf32"], name).faults == []


@pytest.mark.parametrize(
    ("name", "ways"),
    [("decay-after", ["foreach", "fused"]), ("no-eps", ["foreach", "fused"]), ("momentum", [])],
)
def test_a_fault_of_one_implementation_is_in_that_alone(
    folder: Path, name: str, ways: list[str]
) -> None:
    found = measured(folder, SPECS[name], name).faults
    assert [each.where.partition(", ")[2] for each in found] == (ways or [""])


SEVERAL = (
    MLP
    + MSE
    + "RAdam(lr=0.01) on *.bias\n"
    + "  optimizer SGD(lr=0.1, momentum=0.9) on fc1.weight\n"
    + "  scheduler CosineAnnealingWarmRestarts(T_0=2)\n"
    + "  optimizer SGD(lr=0.05, momentum=0.8) on fc2.weight\n}"
)


def test_each_optimizer_of_a_step_is_faulted_by_itself(folder: Path) -> None:
    names = ("momentum", "gradient-changed", "restart-late")
    found = measured(folder, SEVERAL, *names).faults
    sites = [(each.what, each.where) for each in found]
    assert sorted(sites) == [
        ("gradient-changed", "RAdam"), ("gradient-changed", "SGD"),
        ("momentum", "sgd_1"), ("momentum", "sgd_2"), ("restart-late", "schedule"),
    ]  # fmt: skip
    assert all(each.caught["specc"] and each.named for each in found), found


def test_a_fault_in_a_group_of_an_optimizer_is_found(folder: Path) -> None:
    text = MLP + MSE + "AdamW(lr=1e-4, weight_decay=0.0) {\n"
    text += "    group(weight_decay=1e-3) on *.weight\n  }\n}"
    found = measured(folder, text, "decay-after").faults
    assert [each.where for each in found] == ["AdamW, foreach", "AdamW, fused"]
    assert all(each.caught["specc"] and each.named for each in found), found


def test_what_begins_after_the_last_step_cannot_be_wrong(folder: Path) -> None:
    few = SPECS["not-rectified"] + "\n\ntest {\n  sizes N=6\n  steps 3\n  modes train\n}\n"
    path = folder / "few.spec"
    path.write_text(few.replace("0.8", "0.999"))
    program = front.read(path)
    bless(program, folder)
    late = [fault for fault in FAULTS if fault.name in ("not-rectified", "no-eps")]
    assert mutate(program, folder, late).faults == []


def test_honest_variants_pass(folder: Path) -> None:
    found = measured(folder, SPECS["momentum"]).honest
    assert {"1 threads", "2 threads", "without oneDNN", "fused"} <= {each.what for each in found}
    assert not any(each.caught["specc"] for each in found)


def test_a_target_is_judged_by_what_it_shows(folder: Path) -> None:
    # It has no second run without hooks, which is nothing that it lacks.
    program = front.read(blessed(folder, SPECS["tf32"]))
    found = mutate(program, folder, [], targets=("torchscript",)).honest
    scripted = [each for each in found if each.what == "torchscript"]
    assert scripted and not any(any(each.caught.values()) for each in scripted)


def test_a_case_that_does_not_pass_cannot_be_measured(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = blessed(folder, SPECS["tf32"])
    import torch.nn.functional as functional

    honest = functional.linear
    monkeypatch.setattr(functional, "linear", lambda *given: 1.01 * honest(*given))
    with pytest.raises(TargetError, match="E0905"):
        mutate(front.read(path), folder, FAULTS)


class Doubled(Fault):
    """A weight doubled."""

    name = "doubled"

    def injections(self, subject: Subject) -> Iterable[Injection]:
        from dataclasses import replace

        name = next(iter(subject.closed.parameters))
        moved = {**subject.closed.parameters, name: 2 * subject.closed.parameters[name]}
        yield Injection(name, ("*",), closed=replace(subject.closed, parameters=moved))


def test_faults_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_faults.py").write_text(
        "from test_mutate import Doubled\n\nFAULTS = (Doubled(),)\n"
    )
    (tmp_path / "no_faults.py").write_text("FAULTS = (1,)\n")
    (tmp_path / "broken_faults.py").write_text("raise SystemError\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [fault.name for fault in from_module("my_faults")] == ["doubled"]
    for name in ("no_faults", "broken_faults", "not_there"):
        with pytest.raises(CallError) as caught:
            from_module(name)
        assert caught.value.code == "E0719" and caught.value.help


class Leaving:
    """A context that fails when it is left."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *raised: object) -> None:
        raise KeyError("nothing there")


def fails(*given: object) -> Any:
    raise KeyError("nothing there")


BROKEN: dict[str, dict[str, Any]] = {
    "prepare": {"prepare": fails},
    "around": {"around": fails},
    "inside": {"inside": fails},
    "leaving around": {"around": Leaving},
    "leaving inside": {"inside": Leaving},
    "no weights": {"closed": {}},
    "no Python": {"source": "def ("},
    "no class": {"source": "x = 1"},
}


class Broken(Fault):
    """A fault that cannot be put in."""

    name = "broken"

    def __init__(self, way: str) -> None:
        self.way = way

    def injections(self, subject: Subject) -> Iterable[Injection]:
        from dataclasses import replace

        what = dict(BROKEN[self.way])
        if "closed" in what:
            what["closed"] = replace(subject.closed, parameters={})
        yield replace(Injection("somewhere", ("*",)), **what)


@pytest.mark.parametrize("way", BROKEN)
def test_a_fault_that_fails_is_not_caught_by_a_golden(folder: Path, way: str) -> None:
    program = front.read(blessed(folder, SPECS["tf32"]))
    with pytest.raises(CallError, match=r"'broken' cannot be put in at somewhere: ") as e:
        mutate(program, folder, [Broken(way)])
    assert e.value.code == "E0719" and e.value.help


def test_faults_may_lie_where_one_is(folder: Path, specc: Run) -> None:
    path = blessed(folder, SPECS["tf32"])
    (folder / "here.py").write_text(
        "from specc.mutate.fault import Fault, Injection\n\n\n"
        "class Nothing(Fault):\n"
        '    """Nothing at all."""\n\n'
        '    name = "nothing"\n\n'
        "    def injections(self, subject):\n"
        "        return []\n\n\n"
        "FAULTS = (Nothing(),)\n"
    )
    done = specc("mutate", path, "--faults", "here", "--fault", "nothing", cwd=folder)
    assert done.returncode == 2 and "there is no place for nothing in these specs" in done.stderr
    missing = specc("mutate", path, "--faults", "there", cwd=folder)
    assert "name a module, without .py" in missing.stderr
    (folder / "here.py").write_text("import nowhere_at_all\n")
    broken = specc("mutate", path, "--faults", "here", cwd=folder)
    assert "mend here: it is found" in broken.stderr


def test_sites_are_spread() -> None:
    assert spread([1, 2]) == [1, 2]
    assert spread(list(range(11))) == [0, 5, 10]


def test_the_command(folder: Path, specc: Run) -> None:
    path = blessed(folder, SPECS["tf32"])
    out = folder / "out.json"
    chosen = ("--fault", "tf32,gradient-halved", "--json", str(out))
    done = specc("mutate", path, *chosen, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "first bad value named rightly: " in done.stdout
    told = json.loads(out.read_text())
    assert told["faults"]["count"] == told["faults"]["caught"]["specc"] > 0
    assert told["honest"]["alarms"]["specc"] == 0
    wrong = specc("mutate", path, "--fault", "elemnt", cwd=folder)
    assert wrong.returncode == 2 and "did you mean 'element'" in wrong.stderr
    assert "adam-denominator" in specc("mutate", "--list", cwd=folder).stdout
