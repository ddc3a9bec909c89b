"""Extensions that are refused: not there, outside the project, faulty, in another's way.

Each is one message with a code that names the extension, and never a traceback."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from conftest import Run
from extension_projects import HEAD, TWIN, installed, listed, project, refusal

from specc import front
from specc.errors import TargetError
from specc.extensions.imported_modules import import_modules

# ── not there, or not to be had ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("missing.py", "cannot be read"),
        ("../outside.py", "leads out of the project"),
        ("inner/../../outside.py", "leads out of the project"),
        ("/etc/passwd.py", "it is absolute"),
        ("C:/rows.py", "it is absolute"),
        ("~/rows.py", "it is absolute"),
        ("inner\\\\rows.py", "has `/` between"),
        ("inner/rows.txt", "no Python file"),
        ("link.py", "is a link"),
        ("linked/rows.py", "is a link"),
        ("folder.py", "no regular file"),
        ("pipe.py", "no regular file"),
        ("no-such-package", "no package of that name is installed"),
        ("no such package", "no package of that name is installed"),
        ("pytest", "has no extension"),
    ],
)
def test_what_cannot_be_had_is_refused(tmp_path: Path, entry: str, reason: str) -> None:
    marks = f"open({str(tmp_path / 'ran')!r}, 'w')\n{HEAD}{listed(TWIN)}"
    (tmp_path / "outside.py").write_text(marks, encoding="utf-8")
    own = tmp_path / "own"
    spec = project(own, None, "Twin", entry)
    (own / "inner").mkdir()
    (own / "inner" / "rows.py").write_text(marks, encoding="utf-8")
    (own / "link.py").symlink_to(own / "inner" / "rows.py")
    (own / "linked").symlink_to(own / "inner")
    (own / "folder.py").mkdir()
    os.mkfifo(own / "pipe.py")
    error = refusal(spec)
    assert error.code == "E0721"
    assert reason in error.message
    assert entry.replace("\\\\", "\\") in error.message.replace("\\\\", "\\")
    assert not (tmp_path / "ran").exists()


def test_a_link_to_the_project_is_the_project(tmp_path: Path) -> None:
    """Links above the project are how its user came there."""
    project(tmp_path / "own", listed(TWIN))
    (tmp_path / "way").symlink_to(tmp_path / "own")
    assert front.check(tmp_path / "way" / "net.spec")[0] is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[tool.specc]\nextensions = [", "is no TOML"),
        ("[tool.specc]\nextentions", "is no TOML: Expected '=' after a key"),
        ("[tool.ruff]\n\n[tool . 'specc'\n", "(at line 3, column 16)"),
        ("tool.specc.roots = [1,,]", "(at line 1, column 23)"),
        ('[tool.specc]\nextentions = ["rows.py"]', "no setting `extentions`"),
        ('[tool.specc]\nextensions = "rows.py"', "no list of strings"),
        ("[tool.specc]\nextensions = [1]", "no list of strings"),
        ('[tool.specc]\nextensions = [""]', "no list of strings"),
        ('[tool.specc]\nextension = ["rows.py"]', "no setting `extension`"),
        ('[tool.specc]\nextensions = ["rows.py", "rows.py"]', "names rows.py twice"),
        ('[tool]\nspecc = "extensions"', "no table"),
    ],
)
def test_a_setting_of_another_form_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    spec = project(tmp_path, listed(TWIN))
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    error = refusal(spec)
    assert error.code == "E0721" and reason in error.message
    assert "pyproject.toml" in error.message


@pytest.mark.parametrize("text", ["[tool.ruff\n", "[project]\ndependencies = ['specc',,]\n"])
def test_a_broken_file_that_does_not_speak_of_specc_is_others_affair(
    tmp_path: Path, text: str
) -> None:
    spec = project(tmp_path, None, "Tanh")
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    program, diagnostics, _ = front.check(spec)
    assert program is not None and not diagnostics


def test_the_package_that_is_meant_is_proposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(installed(tmp_path / "site", "acme-layers", {"Swash": "a:b"}))
    error = refusal(project(tmp_path / "own", None, "Swash", "acme-layer"))
    assert error.code == "E0721" and error.help == "did you mean 'acme-layers'?"


# ── faulty ───────────────────────────────────────────────────────────────────────────────────────


def helper(torch: str, text: str) -> str:
    return (
        f'FunctionRow("twin", "{torch}", "input: tensor", "as Tanh", shape=same, helper={text!r})'
    )


def layer(torch: str = "nn.Tanh", signature: str = "", **given: str) -> str:
    more = "".join(f", {name}={value}" for name, value in given.items())
    return f'LayerRow("Twin", "{torch}", "{signature}", "as Tanh", shape=same{more})'


FAULTS = {
    "an import that is not there": ("import nothing_of_the_kind\n", "ModuleNotFoundError"),
    "a fault of its syntax": ("ROWS = (\n", "SyntaxError"),
    "an end": ("raise SystemExit(0)\n", "SystemExit"),
    "a fault while it runs": ("ROWS = 1 / 0\n", "ZeroDivisionError: division by zero (rows.py:"),
    "no rows": ("rows = ()\n", "it has no `ROWS`"),
    "one row": (f"ROWS = {TWIN}\n", "it has a LayerRow for its `ROWS`"),
    "a string": (listed('"Twin"'), "ROWS[0] is a str, and no row"),
    "a module": (listed("TensorType"), "ROWS[0] is a type, and no row"),
    "an optimizer": (
        listed('OptimizerRow("AcmeSGD", "acme.SGD", "", "")'),
        "ROWS[0] is an OptimizerRow; extensions add layers, functions, losses and metrics",
    ),
    "a name of no spec": (listed(TWIN.replace("Twin", "two words")), "no spec could write"),
    "a name of Python": (listed(TWIN.replace("Twin", "lambda")), "no spec could write"),
    "no summary": (listed(TWIN.replace("as Tanh", " ")), "it has no `summary`"),
    "a number for a text": (listed(layer(family="3")), "`family` is 3, and no text"),
    "a rule that is none": (listed(layer(initial="()")), "`initial` is no function"),
    "a signature": (listed(layer(signature="width")), "not an argument: 'width'"),
    "a default": (listed(layer(signature="width: int = nothing()")), "ValueError"),
    "a type": (listed(layer(signature="width: integer")), "the type 'integer', which there is not"),
    "a forward": (listed(layer(forward="'switch: bool'")), "its `forward` takes no tensor"),
    "two arguments": (listed(layer(signature="a: int, a: int")), "two of its arguments"),
    "a choice": (listed(layer(choices="{'mode': ('a',)}")), "speaks of `mode`"),
    "an inferred argument": (listed(layer(signature="n: size = ?")), "`infer` has a rule for each"),
    "an example": (listed(layer(example="'nonsense |'")), "is not `inputs | expression`"),
    "injected code": (listed(layer("nn.Tanh()")), "is 'nn.Tanh()', and no dotted name"),
    "nothing to import": (listed(layer("acme.Tanh")), "nothing gives acme.Tanh"),
    "another module": (listed(layer("acme.Tanh", module="'other'")), "does not begin with"),
    "a module called self": (listed(layer("self.Tanh", module="'self'")), "a `self` of its own"),
    "both": (
        listed(layer("acme.Tanh", module="'acme'", helper="'x = 1'")),
        "one of them",
    ),
    "a helper of no text": (listed(helper("twin", "def twin(")), "SyntaxError"),
    "a helper of another name": (
        listed(helper("twin", "def twins(input): ...")),
        "does not define twin",
    ),
    "a helper with a hole": (
        listed(helper("twin", "def twin(input):\n    return math.pi * np.ones(input)\n")),
        "uses math, np, which an emitted file does not have",
    ),
    "a helper that hides": (
        listed(helper("twin", "def twin(input):\n    return input\n\nF = 3\n")),
        "defines F",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_extension_is_one_message(tmp_path: Path, fault: str) -> None:
    rows, told = FAULTS[fault]
    error = refusal(project(tmp_path, rows))
    assert error.code == "E0722"
    assert error.message.startswith("the extension rows.py is faulty: ")
    assert told in error.message, error.message


RULES = {
    "raises": ("1 / 0", "the rule `shape` of Twin, of the extension rows.py, failed: ZeroDiv"),
    "gives nothing": ("None", "gives a TensorType, or a tuple of them, and gave None"),
    "gives a list": ("[call.tensor()]", "and gave [TensorType("),
    "gives a shape of floats": ('TensorType("float", (1.5,))', "and gave TensorType("),
    "has a code of its own": (
        '(_ for _ in ()).throw(RuleError("ACME1", "no"))',
        "refuses with the code 'ACME1', which specc has not: no",
    ),
}


@pytest.mark.parametrize("fault", RULES)
def test_a_faulty_rule_is_reported_where_it_is_used(tmp_path: Path, fault: str) -> None:
    rule, told = RULES[fault]
    spec = project(tmp_path, listed(TWIN.replace("shape=same", f"shape=lambda call: {rule}")))
    (found,) = front.check(spec)[1]
    assert found.code == "E0722" and told in found.message, found.message
    assert found.span is not None and found.span.line == 5


def test_the_catalogue_says_why_there_are_no_shapes(
    tmp_path: Path, specc_without_torch: Run
) -> None:
    project(tmp_path, listed(TWIN.replace("shape=same", "shape=lambda call: 1 / 0")))
    ended = specc_without_torch("catalog", "Twin", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    shapes = ended.stdout.partition("\nshapes\n")[2].partition("\nexample\n")[0]
    assert "x  float[N, 6]\n" in shapes
    assert "the example does not check: E0722 the rule `shape` of Twin" in shapes
    assert "ZeroDivisionError" in shapes


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("parameters=lambda call: (('w', (3,)),)", "`initial` does not say how each"),
        ("parameters=lambda call: [('w', (3,))]", "the rule `parameters` of Twin"),
        ("buffers=lambda call: (('w', 3),)", "the rule `buffers` of Twin"),
        ("initial=lambda call: (('w', 0.0),)", "the rule `initial` of Twin"),
    ],
)
def test_rules_about_weights_are_held_to_their_form(tmp_path: Path, rules: str, told: str) -> None:
    (found,) = front.check(project(tmp_path, listed(TWIN[:-1] + f", {rules})")))[1]
    assert found.code == "E0722" and told in found.message, found.message


def test_a_refusal_of_a_rule_is_the_specs_fault(tmp_path: Path) -> None:
    rule = '(_ for _ in ()).throw(RuleError("E0302", "Twin takes no such shape", help="reshape"))'
    spec = project(tmp_path, listed(TWIN.replace("shape=same", f"shape=lambda call: {rule}")))
    (found,) = front.check(spec)[1]
    assert (found.code, found.message, found.help) == (
        "E0302", "Twin takes no such shape", "reshape",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("points", "told"),
    [
        ({"Swash": "acme_faulty:Other"}, "leads to a row that is called 'Other'"),
        ({"Swash": "acme_faulty:missing"}, "AttributeError"),
        ({"Swash": "acme_nowhere:Swash"}, "ModuleNotFoundError"),
        ({"Swash": "acme_faulty:NUMBER"}, "the entry point 'Swash' is an int, and no row"),
    ],
)
def test_a_faulty_package_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: dict[str, str], told: str
) -> None:
    text = f"{HEAD}Other = {TWIN.replace('Twin', 'Other')}\nNUMBER = 3\n"
    monkeypatch.syspath_prepend(
        installed(tmp_path / "site", "acme-faulty", points, acme_faulty=text)
    )
    monkeypatch.delitem(sys.modules, "acme_faulty", raising=False)
    error = refusal(project(tmp_path / "own", None, "Swash", "acme-faulty"))
    assert error.code == "E0722" and "acme-faulty" in error.message
    assert told in error.message, error.message


def test_no_traceback_reaches_the_terminal(tmp_path: Path, specc: Run) -> None:
    spec = project(tmp_path / "own", "import nothing_of_the_kind\n")
    for verb in ("check", "show", "bless", "test"):
        ended = specc(verb, spec)
        told = ended.stdout + ended.stderr
        assert ended.returncode != 0
        assert "E0722" in told and "rows.py" in told, told
        assert "Traceback" not in told


# ── in another's way ─────────────────────────────────────────────────────────────────────────────


def with_helper(name: str, defines: str) -> str:
    text = f"def {defines}(input: Tensor) -> Tensor:\n    return input * 1  # {name}\n"
    return helper(defines, text).replace('"twin"', f'"{name}"', 1)


CLASHES = {
    "a layer of torch's": ((TWIN.replace("Twin", "ReLU"),), "`ReLU`, which the catalogue has too"),
    "an optimizer's name": ((TWIN.replace("Twin", "Adam"),), "`Adam`, which the catalogue"),
    "itself": ((TWIN, TWIN), "has two rows called `Twin`"),
    "another helper": (
        (with_helper("one", "shared"), with_helper("two", "shared")),
        "`shared` is two things in an emitted file: of rows.py, and of `two` of rows.py",
    ),
    "a helper of specc's": (
        (with_helper("one", "accuracy"),),
        "`accuracy` is two things in an emitted file: of the catalogue",
    ),
    "a module": (
        (with_helper("one", "acme"), layer("acme.Tanh", module="'acme'")),
        "`acme` is two things",
    ),
}


@pytest.mark.parametrize("clash", CLASHES)
def test_two_of_one_name_are_refused(tmp_path: Path, clash: str) -> None:
    rows, told = CLASHES[clash]
    error = refusal(project(tmp_path, listed(*rows)))
    assert error.code == "E0723" and "rows.py" in error.message
    assert told in error.message, error.message
    assert error.help is not None


def test_two_extensions_of_one_name_are_refused(tmp_path: Path) -> None:
    spec = project(tmp_path, listed(TWIN), "Twin", "more.py")
    (tmp_path / "more.py").write_text(HEAD + listed(TWIN), encoding="utf-8")
    error = refusal(spec)
    assert error.code == "E0723"
    assert error.message == "the extensions rows.py and more.py both have `Twin`"


def test_rows_may_share_a_helper(tmp_path: Path) -> None:
    text = "def one(input: Tensor) -> Tensor:\n    return input\n\n\n" \
        "def two(input: Tensor) -> Tensor:\n    return one(input)\n"  # fmt: skip
    rows = (helper("one", text).replace('"twin"', '"one"', 1),
            helper("two", text).replace('"twin"', '"two"', 1))  # fmt: skip
    from specc.emit import emit

    program = front.read(project(tmp_path, listed(*rows), "one -> two"))
    assert emit(program).count("def one(") == 1


# ── modules that the emitted source imports ──────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("module", "text", "told"),
    [
        ("acme_missing", None, "cannot import acme_missing, for acme_missing.Tanh"),
        ("acme_broken", "1 / 0\n", "ZeroDivisionError"),
        ("acme_empty", "\n", "the module acme_empty has no `Tanh`"),
    ],
)
def test_a_module_that_is_not_as_its_row_says(
    tmp_path: Path, module: str, text: str | None, told: str
) -> None:
    if text is not None:
        (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
    spec = project(tmp_path, listed(layer(f"{module}.Tanh", module=repr(module))))
    program = front.read(spec)
    before = list(sys.path)
    with pytest.raises(TargetError) as caught:
        import_modules(program)
    assert caught.value.code == "E0725" and told in caught.value.message
    assert sys.path == before


def test_a_module_of_another_project_is_not_taken_for_its_own(tmp_path: Path) -> None:
    programs = []
    for name in ("one", "two"):
        spec = project(
            tmp_path / name,
            listed(layer("shared_folder.acme_act.Tanh", module="'shared_folder.acme_act'")),
        )
        (spec.parent / "shared_folder").mkdir()
        (spec.parent / "shared_folder" / "acme_act.py").write_text(
            "from torch.nn import Tanh\n", encoding="utf-8"
        )
        programs.append(front.read(spec))
    import_modules(programs[0])
    with pytest.raises(TargetError) as caught:
        import_modules(programs[1])
    assert caught.value.code == "E0725"
    assert str(tmp_path / "one") in caught.value.message
    assert "processes of their own" in str(caught.value.help)


def test_the_faults_of_modules_end_a_build_with_one_message(tmp_path: Path, specc: Run) -> None:
    spec = project(tmp_path, listed(layer("acme_missing.Tanh", module="'acme_missing'")))
    assert specc("check", spec).returncode == 0
    ended = specc("build", spec, "-o", tmp_path / "out")
    assert ended.returncode == 1
    assert "E0725" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
