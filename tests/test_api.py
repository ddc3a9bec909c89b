"""The Python API: load, loads, check, build, and what they refuse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import specc

TEXT = (
    "spec 1\nmodel Net(width: int = 8) {\n input x: float[N, 4]\n"
    " output x -> a: Linear(width) -> BatchNorm1d -> ReLU -> b: Linear(2)\n}\n"
)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "net.spec"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize("target", ["eager", "compile", "torchscript", "export"])
def test_every_target_loads_and_computes_the_same(spec: Path, target: str) -> None:
    eager = specc.load(spec).eval()
    loaded = specc.load(spec, target=target)
    assert isinstance(loaded, torch.nn.Module)
    from specc.targets import buffers_of, parameters_of

    for of in (parameters_of, buffers_of):
        mine, theirs = of(loaded), of(eager)
        assert list(mine) == list(theirs)
        for name, tensor in mine.items():
            tensor.data.copy_(theirs[name])
    if target != "export":
        loaded.eval()
    x = torch.randn(6, 4)
    torch.testing.assert_close(loaded(x), eager(x))


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("eager", ["net.py"]),
        ("torchscript", ["net.py", "net.ts"]),
        ("export", ["net.py", "net.pt2"]),
    ],
)
def test_build_writes_what_it_says(
    spec: Path, tmp_path: Path, target: str, names: list[str]
) -> None:
    written = specc.build(spec, tmp_path / "deep" / "out", target=target)
    assert [path.name for path in written] == names
    assert sorted(path.name for path in (tmp_path / "deep" / "out").iterdir()) == sorted(names)


def test_params_are_set(spec: Path) -> None:
    assert specc.load(spec, params={"width": 3}).a.weight.shape == (3, 4)
    assert specc.loads(TEXT, params={"Net.width": "5"}).a.weight.shape == (5, 4)


def test_check_gives_diagnostics_and_never_torch(spec: Path) -> None:
    assert specc.check(spec) == [] or [d.severity for d in specc.check(spec)] == ["warning"]
    spec.write_text(TEXT.replace("ReLU", "RLU"))
    found = specc.check(spec)
    assert [item.code for item in found if item.severity == "error"] == ["E0201"]
    code = (
        "import sys; sys.modules['torch'] = None; import specc;"
        f" assert specc.check({str(spec)!r}); assert specc.__version__"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_faults_come_as_one_error_with_all_of_them() -> None:
    with pytest.raises(specc.SpecError) as caught:
        specc.loads(TEXT.replace("ReLU", "RLU").replace("Linear(2)", "Linear(2, biass=true)"))
    errors = [item.code for item in caught.value.diagnostics() if item.severity == "error"]
    assert errors == ["E0201", "E0203"]
    assert caught.value.code == "E0201"


def test_a_fault_of_the_call_names_the_file(spec: Path) -> None:
    with pytest.raises(specc.SpecError) as caught:
        specc.load(spec, params={"widht": 3})
    assert str(caught.value).startswith(f"{spec}: E0601: ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"target": "eagre"}, "E0707"),
        ({"model": "Nett"}, "E0706"),
        ({"device": "warp"}, "E0708"),
    ],
)
def test_a_call_at_fault_says_so(spec: Path, arguments: dict[str, str], code: str) -> None:
    with pytest.raises(specc.CallError) as caught:
        specc.load(spec, **arguments)  # type: ignore[arg-type]  # the names are strings
    assert caught.value.code == code


def test_every_public_name_is_there() -> None:
    assert {name for name in specc.__all__ if not hasattr(specc, name)} == set()
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        specc.laod  # noqa: B018  # the access is what is tested
