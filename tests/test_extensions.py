"""Extensions of the catalogue: the example in ``tests/extension`` in every target, packages that
are installed, what is loaded and when.

Non-goal: extensions that are refused (``test_extension_faults``)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT, Run
from extension_projects import HEAD, SPEC, TWIN, installed, listed, project, refusal

import specc
from specc import front
from specc.emit import emit
from specc.extensions import catalogue_at, catalogue_of
from specc.harness.cases.matrix import cells
from specc.harness.goldens.fingerprint import fingerprint
from specc.harness.judging.judge import judge
from specc.ir import Program

EXAMPLE = ROOT / "tests" / "extension"
REGRESSOR = EXAMPLE / "specs" / "regressor.spec"


# ── the example ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def example() -> Program:
    return front.read(REGRESSOR)


def test_the_example_is_checked_without_torch(specc_without_torch: Run) -> None:
    ended = specc_without_torch("check", REGRESSOR)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "no faults" in ended.stdout


def test_the_emitted_file_imports_the_layer_and_carries_the_functions(example: Program) -> None:
    source = emit(example)
    head, _, rest = source.partition("\n\n\n")
    assert "import layers.swish\nimport torch\n" in head
    assert "specc" not in source.replace("written by specc", "")
    for name in ("gated_gelu", "log_cosh"):
        assert rest.count(f"def {name}(") == 1
    assert "self.swish = layers.swish.LearnedSwish(WIDTH)" in rest


@pytest.mark.parametrize(
    "target", ["eager", "torchscript", "export", pytest.param("compile", marks=pytest.mark.slow)]
)
def test_the_example_passes_against_its_golden(example: Program, target: str) -> None:
    own = [cell for cell in cells(example) if cell.target == target]
    assert {cell.mode for cell in own} == {"train", "eval"}
    for cell in own:
        verdict = judge(example, cell, EXAMPLE)
        assert verdict.passed, verdict.report()


def test_the_example_is_built_and_loaded(tmp_path: Path, specc: Run) -> None:
    out = tmp_path / "out"
    ended = specc("build", REGRESSOR, "-o", out, "--target", "torchscript")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    x = torch.linspace(-1, 1, 12).reshape(2, 6)
    scripted = torch.jit.load(str(out / "regressor.ts"))
    assert scripted(x).shape == (2, 1)
    # From the project's root the file runs by itself, as any that imports a neighbour.
    code = f"import sys; sys.path.insert(0, {str(out)!r}); import regressor as r; r.Regressor()"
    subprocess.run([sys.executable, "-c", code], cwd=EXAMPLE, check=True)


def test_the_module_is_the_projects_own(example: Program) -> None:
    model = specc.load(REGRESSOR)
    origin = sys.modules[type(model.get_submodule("swish")).__module__].__file__
    assert origin is not None and Path(origin) == EXAMPLE / "layers" / "swish.py"
    assert str(EXAMPLE) not in sys.path
    assert {name for name, _ in model.named_parameters()} == {
        name for name, _, _ in example.model().parameters()
    }


def test_the_other_verbs_take_the_example(specc: Run) -> None:
    ended = specc("show", REGRESSOR)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "LearnedSwish" in ended.stdout


def test_the_catalogue_of_the_project_shows_them(specc_without_torch: Run) -> None:
    ended = specc_without_torch("catalog", "LearnedSwish", cwd=EXAMPLE)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "layer · activation · of the extension layers/rows.py" in ended.stdout
    assert "x -> LearnedSwish(start=1.0)" in ended.stdout and "beta  [6]" in ended.stdout
    assert "LogCoshLoss" in specc_without_torch("catalog", "--kind", "loss", cwd=EXAMPLE).stdout
    assert specc_without_torch("catalog", "LearnedSwish", cwd=ROOT).returncode == 2


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the example, to be changed."""
    shutil.copytree(EXAMPLE, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "copy"


def replaced(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_another_default_makes_the_golden_stale(copy: Path, specc: Run) -> None:
    replaced(copy / "layers" / "rows.py", '"features: size = ?, start: float = 1.0"',
             '"features: size = ?, start: float = 1.5"')  # fmt: skip
    ended = specc("test", copy / "specs", "--target", "eager")
    assert ended.returncode == 3, ended.stdout
    assert "E0803" in ended.stdout


def test_another_computation_is_a_regression(copy: Path, specc: Run) -> None:
    replaced(copy / "layers" / "swish.py", "torch.sigmoid(self.beta * input)",
             "torch.sigmoid(self.beta * input * 1.001)")  # fmt: skip
    ended = specc("test", copy / "specs", "--target", "eager")
    assert ended.returncode == 1, ended.stdout
    assert "first bad value" in ended.stdout


def test_what_means_nothing_keeps_the_golden(copy: Path, example: Program) -> None:
    rows = copy / "layers" / "rows.py"
    replaced(rows, '"features: size = ?, start: float = 1.0"',
             '"features: size = ?,  start: float=1.0"')  # fmt: skip
    replaced(rows, "with a learned slope beta a feature", "with a slope beta")
    assert fingerprint(front.read(copy / "specs" / "regressor.spec")) == fingerprint(example)


# ── what is loaded, and when ─────────────────────────────────────────────────────────────────────


def test_a_check_without_extensions_reads_no_more_than_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "plain"\n', encoding="utf-8")
    (tmp_path / "net.spec").write_text(SPEC.format(use="ReLU"), encoding="utf-8")
    code = (
        "import sys\nfrom specc import front\nassert front.check(sys.argv[1])[0] is not None\n"
        "print(*sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "net.spec")],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(ended.stdout.split())
    assert "specc.extensions" in loaded
    assert not loaded & {"specc.extensions.sources", "specc.extensions.vet", "tomllib"}


def test_a_spec_alone_imports_nothing(tmp_path: Path) -> None:
    """A file beside it is code of nobody's: no pyproject.toml names it."""
    spec = project(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')\n" + listed(TWIN))
    (tmp_path / "pyproject.toml").unlink()
    assert refusal(spec).code == "E0201"
    assert not (tmp_path / "ran").exists()


def test_two_projects_have_their_own(tmp_path: Path) -> None:
    first = project(tmp_path / "one", listed(TWIN))
    second = project(tmp_path / "two", listed(TWIN.replace("Twin", "Other")))
    assert front.read(first).model().layers[0].type == "Twin"
    error = refusal(project(tmp_path / "two", listed(TWIN.replace("Twin", "Other"))))
    assert error.code == "E0201"
    assert [row.name for _, row, _ in catalogue_of(second).added()] == ["Other"]


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    spec = project(tmp_path, listed(TWIN))
    assert "nn.Tanh()" in emit(front.read(spec))
    project(tmp_path, listed(TWIN.replace("nn.Tanh", "nn.Sigmoid")))
    assert "nn.Sigmoid()" in emit(front.read(spec))


def test_the_file_that_is_nearest_above_speaks(tmp_path: Path) -> None:
    project(tmp_path, listed(TWIN))
    inner = tmp_path / "models" / "net.spec"
    inner.parent.mkdir()
    inner.write_text(SPEC.format(use="Twin"), encoding="utf-8")
    assert front.check(inner)[0] is not None
    (inner.parent / "pyproject.toml").write_text("[project]\nname = 'inner'\n", encoding="utf-8")
    assert refusal(inner).code == "E0201"


def test_a_row_file_imports_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "neighbour_of_rows.py").write_text("SUMMARY = 'as Tanh'\n", encoding="utf-8")
    row = TWIN.replace('"as Tanh"', "SUMMARY")
    spec = project(tmp_path, f"from neighbour_of_rows import SUMMARY\n{listed(row)}")
    before = list(sys.path)
    assert front.check(spec)[0] is not None
    assert sys.path == before


def test_the_catalogue_of_a_folder_tells_what_was_added() -> None:
    found = {(kind, row.name, origin) for kind, row, origin in catalogue_at(EXAMPLE).added()}
    assert found == {
        ("layer", "LearnedSwish", "layers/rows.py"),
        ("function", "gated_gelu", "layers/rows.py"),
        ("loss", "LogCoshLoss", "layers/rows.py"),
    }
    assert list(catalogue_at(ROOT / "specs").added()) == []


# ── packages ─────────────────────────────────────────────────────────────────────────────────────

PACKAGE_ROWS = f"""{HEAD}
import pathlib
pathlib.Path(__file__).with_name("ran").touch()
Swash = LayerRow("Swash", "acme_nn.Swash", "", "x times its sigmoid", shape=same, module="acme_nn")
swashed = FunctionRow("swashed", "acme_nn.swashed", "input: tensor", "the same", shape=same,
                      module="acme_nn")
"""
PACKAGE_NN = """\
import torch
from torch import Tensor, nn


def swashed(input: Tensor) -> Tensor:
    return input * torch.sigmoid(input)


class Swash(nn.Module):
    def forward(self, input: Tensor) -> Tensor:
        return swashed(input)
"""


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package ``acme-layers``, installed: gives its folder."""
    points = {"Swash": "acme_rows:Swash", "swashed": "acme_rows:swashed"}
    folder = installed(tmp_path / "site", "acme-layers", points, acme_rows=PACKAGE_ROWS,
                       acme_nn=PACKAGE_NN)  # fmt: skip
    monkeypatch.syspath_prepend(folder)
    for name in ("acme_rows", "acme_nn"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return folder


@pytest.mark.parametrize("name", ["acme-layers", "acme_layers", "Acme.Layers"])
def test_a_package_that_the_project_names_is_there(acme: Path, tmp_path: Path, name: str) -> None:
    spec = project(tmp_path / "own", None, "Swash -> swashed", name)
    source = emit(front.read(spec))
    assert "import acme_nn\n" in source and "acme_nn.swashed(self.swash_1(x))" in source
    model = specc.load(spec)
    x = torch.linspace(-2, 2, 8).reshape(2, 4)
    once = x * torch.sigmoid(x)
    assert torch.equal(model(x), once * torch.sigmoid(once))


@pytest.mark.parametrize("use", ["Swash", "swashed", "Linear(4) -> swashed"])
def test_a_package_that_it_does_not_name_is_offered_and_not_imported(
    acme: Path, tmp_path: Path, use: str
) -> None:
    error = refusal(project(tmp_path / "own", listed(TWIN), use))
    assert error.code == "E0724"
    assert error.help is not None
    assert 'extensions = ["rows.py", "acme-layers"]' in error.help
    assert str(tmp_path / "own" / "pyproject.toml") in error.help
    assert not (acme / "ran").exists() and "acme_rows" not in sys.modules


def test_a_call_and_a_declaration_are_told_of_it_too(acme: Path, tmp_path: Path) -> None:
    spec = project(tmp_path / "own", None, "relu\n  z = swashed(y)\n  layer deep = Swash")
    diagnostics = front.check(spec)[1]
    assert [item.code for item in diagnostics] == ["E0724", "E0724"]


def test_outside_any_project_it_is_offered_too(acme: Path, tmp_path: Path) -> None:
    spec = project(tmp_path / "own", None, "Swash")
    (spec.parent / "pyproject.toml").unlink()
    error = refusal(spec)
    assert error.code == "E0724" and "beside the spec" in str(error.help)
    assert not (acme / "ran").exists()


def test_the_command_line_says_what_to_write(acme: Path, tmp_path: Path, specc: Run) -> None:
    spec = project(tmp_path / "own", None, "Swash")
    ended = specc("check", spec, environment={"PYTHONPATH": f"{acme}:{ROOT}"})
    assert ended.returncode == 2
    assert "error[E0724]" in ended.stdout and "acme-layers" in ended.stdout
