"""Two environments, one of them with a fault: the value and the operation that are named, and
environments that are of no use.

An environment here is this interpreter, started by a script that puts a ``sitecustomize`` in its
way. Non-goal: two versions of torch, which docs/numerics.md reports.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import stat
import sys
import textwrap
from pathlib import Path

import pytest
from conftest import Run

from specc import front
from specc.bisect import results
from specc.bisect.bisect import Bisection, _as_reference, _loaded, bisect
from specc.bisect.environment import Environment, environment
from specc.bisect.results import Request
from specc.errors import CallError
from specc.harness.blessing.bless import bless
from specc.harness.cases.matrix import cases
from specc.harness.cases.verdict import Finding
from specc.harness.goldens.golden import read
from specc.harness.judging.compare import compare
from specc.harness.running.observed_lines import Lines
from specc.report.results.bisect import as_json, told
from specc.report.terminal.style import plain

SPEC = """spec 1

model Net {
  input x: float[N, 5]
  h = x -> a: Linear(8)
  g = h -> GELU
  y = g -> b: Linear(3)
  output y
}

train {
  input label: index(3)[N]
  loss = CrossEntropyLoss(y, label)
  optimizer SGD(lr=0.1)
}

test {
  sizes N=4
  steps 2
  modes train
}
"""
LIBRARY = "import torch\nlib = torch.library.Library('aten', 'IMPL')\n"
# x Phi(x), and its derivative; in float64 as well, or in float32 alone.
GELU = "x * 0.5 * (1 + torch.erf(x * 0.5 ** 0.5))"
SLOPE = (
    "g * (0.5 * (1 + torch.erf(x * 0.5 ** 0.5)) + x * torch.exp(-x * x / 2) / 2.5066282746310002)"
)


def python(folder: Path, code: str, interpreter: str = sys.executable) -> Path:
    """An interpreter that runs ``code`` as it starts."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(textwrap.dedent(code))
    return script(folder, f'PYTHONPATH="{folder}" exec "{interpreter}" "$@"')


def script(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "golden").mkdir()
    (root / "net.spec").write_text(SPEC)
    return root


@pytest.fixture(scope="module")
def blessed(project: Path) -> Path:
    """The same with a golden."""
    root = project / "blessed"
    (root / "golden").mkdir(parents=True)
    (root / "net.spec").write_text(SPEC)
    bless(front.read(root / "net.spec"), root)
    return root


def bisected(
    project: Path, tmp_path: Path, bad: Path, good: Path = Path(sys.executable), **more: str
) -> Bisection:
    program = front.read(project / "net.spec")
    return bisect(
        program,
        cases(program)[0],
        Environment("good", good, 200),
        Environment("bad", bad, float(more.get("seconds", 200))),
        target=more.get("target", "eager"),
        dtype="float32",
        settings={},
        root=project,
        scratch=tmp_path,
    )


# ── faults ───────────────────────────────────────────────────────────────────────────────────────


def test_an_operation_with_a_fault_is_named(project: Path, tmp_path: Path) -> None:
    code = f"def gelu(x, approximate='none'): return ({GELU}) * (1 + 1e-4)\n"
    bad = python(tmp_path / "bad", f"{LIBRARY}{code}lib.impl('gelu', gelu, 'CPU')\n")
    found = bisected(project, tmp_path / "scratch", bad)
    assert found.first is not None and found.operation is not None
    assert found.first.name == "step0/layer/gelu_1" and found.first.line == 6
    assert found.first.floors and found.first.floors > 100
    assert found.operation.name == "aten.gelu.default"
    assert (found.operation.phase, found.operation.layer) == ("forward", "gelu_1")
    assert found.operation.mark == "net.spec:6"
    text = plain(told(found))
    assert "how it looks: every element times (1 +1.00e-04)" in text
    assert "float32[4, 8] -> float32[4, 8]" in text and "another computation" in text
    assert "floors measured in the good environment" in text
    assert json.loads(as_json(found))["operation"]["mark"] == "net.spec:6"


FAULTS = {
    # An operation that is worse in float32 alone.
    "worse": (
        LIBRARY + f"def gelu(x, approximate='none'):\n y = {GELU}\n"
        " return y if x.dtype == torch.float64 else y.bfloat16().to(x.dtype)\n"
        "lib.impl('gelu', gelu, 'CPU')\n",
        ("step0/layer/gelu_1", 6, "aten.gelu.default", "forward", "gelu_1", "net.spec:6"),
        "bad computes it worse",
    ),
    # A fault in backward alone: the first value is a gradient of what lies before it.
    "backward": (
        LIBRARY + f"def back(g, x, approximate='none'): return ({SLOPE}) * (1 + 1e-4)\n"
        "lib.impl('gelu_backward', back, 'CPU')\n",
        ("step0/grad/a.bias", 5, "aten.gelu_backward.default", "backward", "gelu_1", "net.spec:6"),
        "every element times (1 +1.00e-04)",
    ),
    # Python of the optimizer, which calls the operation with another number.
    "optimizer": (
        "import torch.optim.sgd as s\nright = s._single_tensor_sgd\n"
        "def wrong(*a, lr, **k): return right(*a, lr=lr * 1.0001, **k)\n"
        "s._single_tensor_sgd = wrong\n",
        ("step0/delta/a.weight", 14, "aten.add_.Tensor", "optimizer", "", "net.spec:14"),
        "but for alpha=-0.1 in good, -0.10001 in bad",
    ),
    # Python around the operation, which is right: an operation more.
    "more": (
        "import torch.nn.functional as F\nright = F.gelu\n"
        "F.gelu = lambda x, approximate='none': right(x, approximate=approximate) * 1.0001\n",
        ("step0/layer/gelu_1", 6, "aten.mul.Tensor", "forward", "gelu_1", "net.spec:6"),
        "good runs nothing where bad runs aten.mul.Tensor",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found_where_they_are(blessed: Path, tmp_path: Path, fault: str) -> None:
    code, expected, text = FAULTS[fault]
    found = bisected(blessed, tmp_path / "scratch", python(tmp_path / "bad", code))
    assert found.first is not None and found.operation is not None, found
    first, each = found.first, found.operation
    assert (first.name, first.line, each.name, each.phase, each.layer, each.mark) == expected
    assert text in plain(told(found))


@pytest.mark.slow
def test_what_is_alike_does_not_differ(blessed: Path, specc: Run, tmp_path: Path) -> None:
    """What the environment prints is no result, and does no harm; the golden gives the floors."""
    noisy = python(tmp_path / "noisy", 'print(\'{"kind": "done"}\' * 1000, flush=True)')
    spec = str(blessed / "net.spec")
    arguments = ("bisect", spec, "--good", sys.executable, "--bad", str(noisy))
    ended = specc(*arguments, "--json", str(tmp_path / "found.json"), cwd=blessed)
    assert ended.returncode == 0, ended.stderr
    assert "nothing differs: " in ended.stdout
    assert "floors of the golden, blessed with torch" in ended.stdout
    told = json.loads((tmp_path / "found.json").read_text())
    assert told["differs"] is False and told["compared"] > 20 and told["furthest"] == 0.0


# ── environments that are of no use ──────────────────────────────────────────────────────────────


def test_what_is_no_python_is_refused(tmp_path: Path, project: Path, specc: Run) -> None:
    for given, text in ((tmp_path / "nowhere", "is not there"), (tmp_path, "no virtual env")):
        with pytest.raises(CallError, match=text) as caught:
            environment("bad", str(given), None)
        assert caught.value.code == "E0717"
    spec = str(project / "net.spec")
    ended = specc("bisect", spec, "--good", "no-such-python", "--bad", sys.executable)
    assert ended.returncode == 2 and "[E0717]" in ended.stderr and "--good" in ended.stderr
    ended = specc("bisect", spec, "--good", sys.executable, "--bad", sys.executable,
                      "--case", "trian")  # fmt: skip
    assert ended.returncode == 2 and "did you mean 'train'" in ended.stderr


def test_a_folder_and_a_name_mean_a_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = script(tmp_path / "venv" / "bin", "exit 0")
    assert environment("good", str(tmp_path / "venv"), None).python == place
    monkeypatch.setenv("PATH", str(place.parent) + os.pathsep + os.environ["PATH"])
    assert environment("good", "python", None).python == place


def asked(tmp_path: Path, python: Path, seconds: float | None = 60) -> results.Reply:
    request = Request(what="values", file="net.spec", settings={}, case="train", target="eager",
                      dtype="float32", source="")  # fmt: skip
    return Environment("bad", python, seconds).ask(request, tmp_path / "bad-values")


USELESS = {
    "lacks torch": ("import sys; sys.modules['torch'] = None", "it has no torch"),
    "lacks lark": ("import sys; sys.modules['lark'] = None", "it has no lark"),
    "is broken": (
        "import sys\nclass Broken:\n def find_spec(self, name, path=None, target=None):\n"
        "  if name == 'torch': raise OSError('libcublas.so.12: no such file')\n"
        "sys.meta_path.insert(0, Broken())",
        "its torch cannot be imported: OSError",
    ),
    "hangs": ("import time; time.sleep(60)", "it took longer than 2 s and was stopped"),
    "dies": ("import os; os.abort()", "it crashed the interpreter: SIGABRT"),
    "is old": ("import sys; sys.version_info = (3, 9, 1)", "it is Python 3.9.1"),
}


@pytest.mark.parametrize("what", USELESS)
def test_an_environment_that_is_of_no_use_says_why(tmp_path: Path, what: str) -> None:
    code, text = USELESS[what]
    seconds = 2 if what == "hangs" else 100
    with pytest.raises(CallError, match=text) as caught:
        asked(tmp_path, python(tmp_path / "env", code), seconds)
    assert caught.value.code == "E0717" and "--bad" in caught.value.message
    if "has no" in text:
        assert "pip install specc" in (caught.value.help or "")


def test_what_only_looks_like_a_python_is_told(tmp_path: Path) -> None:
    garbage = script(tmp_path / "a", 'echo \'{"kind": "done"}\'; exit 0')
    with pytest.raises(CallError, match=r"status 0 and no answer\n +\{\"kind\""):
        asked(tmp_path, garbage)
    plain_file = tmp_path / "file"
    plain_file.write_text("no program")
    with pytest.raises(CallError, match="cannot be started"):
        Environment("good", plain_file).ask(
            Request(what="values", file="", settings={}, case="", target="", dtype="", source=""),
            tmp_path / "good-values",
        )


@pytest.mark.slow
def test_a_bad_environment_that_crashes_or_hangs_is_a_finding(
    project: Path, tmp_path: Path
) -> None:
    harm = "def gelu(x, approximate='none'):\n import os; os.abort()\nlib.impl('gelu', gelu, 'CPU')"
    crashing = python(tmp_path / "crash", LIBRARY + harm)
    found = bisected(project, tmp_path / "one", crashing)
    assert found.first is not None and "bad crashed the interpreter: SIGABRT" in found.first.message
    assert "Fatal Python error: Aborted" in plain(told(found))
    with pytest.raises(CallError, match="the good environment does not run") as caught:
        bisected(project, tmp_path / "two", Path(sys.executable), good=crashing)
    assert caught.value.code == "E0718"
    stop = harm.replace("import os; os.abort()", "raise RuntimeError('no kernel')")
    found = bisected(project, tmp_path / "three", python(tmp_path / "stop", LIBRARY + stop))
    assert found.first is not None and found.first.name == "step0"
    assert "no kernel" in found.first.message
    hang = harm.replace("import os; os.abort()", "import time; time.sleep(600)")
    hanging = python(tmp_path / "hang", LIBRARY + hang)
    found = bisected(project, tmp_path / "four", hanging, seconds="25")
    assert found.first is not None and "took longer than 25 s" in found.first.message


# ── values ───────────────────────────────────────────────────────────────────────────────────────


def test_a_runner_that_dies_as_it_ends_has_said_what_it_found(tmp_path: Path) -> None:
    dying = python(tmp_path / "env", "import atexit, os\natexit.register(os._exit, 9)\n")
    reply = asked(tmp_path, dying)
    assert (reply.kind, reply.code) == ("error", "E0701")


def test_what_is_not_finite_has_a_form_in_json() -> None:
    first = Finding("step0/loss/loss", "values", "net.spec", 12, "off by inf floors", math.inf)
    found = Bisection("net.spec", "train", "eager", "float32", "a", "b", first=first,
                      furthest=math.nan)  # fmt: skip
    told = json.loads(as_json(found), parse_constant=lambda name: pytest.fail(name))
    assert told["first"]["floors"] is None and told["furthest"] is None
    assert told["first"]["line"] == 12


def test_a_setting_that_one_torch_has_more_is_no_difference(blessed: Path, tmp_path: Path) -> None:
    """As a newer optimizer's options: the golden knows of it or does not."""
    program = front.read(blessed / "net.spec")
    golden = read(program, cases(program)[0], blessed)
    leaves = tuple(leaf.reference for leaf in golden.leaves)
    lines = Lines(program)
    fewer = tuple(leaf for leaf in leaves if not leaf.name.startswith("option/group0/"))
    assert len(fewer) < len(leaves)
    for good, bad in ((fewer, leaves), (leaves, fewer)):
        made = _as_reference(golden, good)
        assert not compare(made, bad, "float32", lines.of, layers=True).findings
    lost = tuple(leaf for leaf in leaves if leaf.name != "step0/loss/loss")
    (finding,) = compare(
        _as_reference(golden, lost), leaves, "float32", lines.of, layers=True
    ).findings
    assert finding.name == "step0/loss/loss"


def test_values_that_are_none_are_refused(blessed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bad-values" / "values"
    shutil.copytree(blessed / "golden" / "net" / "train", folder)
    assert len(_loaded(folder).leaves) > 20
    (folder / "reference.safetensors").write_bytes(b"garbage")
    with pytest.raises(CallError, match="environment wrote to values cannot be used: it is trunc"):
        _loaded(folder)
