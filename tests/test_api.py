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


SEVERAL = TEXT.replace("model Net(width: int = 8)", "param width: int = 8\nmodel Net") + (
    "model Other {\n input x: float[N, 4]\n output x -> b: Linear(2)\n}\n"
)


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("eager", ["net.py"]),
        ("torchscript", ["net.py", "net.Net.ts", "net.Other.ts"]),
        ("export", ["net.py", "net.Net.pt2", "net.Other.pt2"]),
    ],
)
def test_each_of_several_models_is_built(
    spec: Path, tmp_path: Path, target: str, names: list[str]
) -> None:
    spec.write_text(SEVERAL)
    written = specc.build(spec, tmp_path / "out", target=target)
    assert [path.name for path in written] == names
    chosen = specc.build(spec, tmp_path / "one", target=target, model="Other")
    assert [path.name for path in chosen] == [name for name in names if "Net" not in name]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)
    if target != "eager":
        x = torch.randn(3, 4)
        for path in written[1:]:
            assert specc.load(path)(x).shape == (3, 2)


def test_each_of_several_models_has_a_file_that_python_can_import(tmp_path: Path) -> None:
    from specc.targets import TARGETS

    compiled = TARGETS["compile"]
    assert compiled.artefact(tmp_path, "net", "Other").name == "net_Other_compile.py"
    assert compiled.artefact(tmp_path, "net").name == "net_compile.py"


CONVOLUTIONAL = (
    "spec 1\nmodel Net {\n input image: float[N, 3, H, W]\n"
    " output image -> Conv2d(4, 3) -> MaxPool2d(2) -> AdaptiveAvgPool2d(1) -> Flatten -> Linear(2)"
    "\n}\n"
)


@pytest.mark.parametrize(
    "sizes",
    ["", "N=1, H=16, W=16", "N=4, H=4, W=8", "N=8, H=8, W=9"],
    ids=["none", "ones and squares", "one inside", "equal to another"],
)
def test_an_exported_artefact_takes_any_size(spec: Path, tmp_path: Path, sizes: str) -> None:
    """Whatever the sizes of the test are: 1 and sizes that are equal would be taken for facts."""
    spec.write_text(CONVOLUTIONAL + (f"test {{\n sizes {sizes}\n}}\n" if sizes else ""))
    said: list[str] = []
    *_, path = specc.build(spec, tmp_path / "out", target="export", say=said.append)
    assert said == []
    loaded = specc.load(path)
    for shape in ((17, 3, 31, 12), (1, 3, 9, 9), (2, 3, 20, 20)):
        assert loaded(torch.randn(shape)).shape == (shape[0], 2)


def test_an_artefact_that_is_bound_to_a_size_says_so(spec: Path, tmp_path: Path) -> None:
    spec.write_text(
        "spec 1\nmodel Net {\n input x: float[N, T, 4]\n"
        " states, last = x -> GRU(3, batch_first=true)\n output states\n}\n"
        "test {\n sizes N=1, T=5\n}\n"
    )
    said: list[str] = []
    *_, path = specc.build(spec, tmp_path / "out", target="export", say=said.append)
    size = int(said[0].partition("T=")[2].partition(":")[0])
    why = "torch.export fixes the steps of a recurrent layer"
    assert said == [f"{path}: bound to T={size}: it takes no other size ({why})"]
    with pytest.warns(UserWarning, match=f"bound to T={size}"):
        loaded = specc.load(path)
    assert loaded(torch.randn(17, size, 4)).shape == (17, size, 3)
    with pytest.raises(specc.SpeccError, match=f"bound to T={size}, and input 0") as caught:
        loaded(torch.randn(2, size + 1, 4))
    assert caught.value.code == "E0906"


def test_a_size_that_is_twice_another_stays_free(spec: Path, tmp_path: Path) -> None:
    spec.write_text(
        "spec 1\nmodel Net {\n input x: float[N, 4]\n input y: float[2 * N, 4]\n"
        " output x -> a: Linear(2), y -> b: Linear(3)\n}\n"
    )
    said: list[str] = []
    *_, path = specc.build(spec, tmp_path / "out", target="export", say=said.append)
    assert said == []
    loaded = specc.load(path)
    assert loaded(torch.randn(9, 4), torch.randn(18, 4))[1].shape == (18, 3)


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


def test_a_build_that_fails_leaves_the_folder_as_it_was(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from specc.targets import export

    folder = tmp_path / "out"
    specc.build(spec, folder, target="export")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert [*before] and sorted(before) == ["net.pt2", "net.py"]

    def wrong(program: torch.export.ExportedProgram) -> torch.nn.Module:
        made = program.module()
        for parameter in made.parameters():
            parameter.data *= 1.01
        return made

    monkeypatch.setattr(export, "_as_module", wrong)
    spec.write_text(spec.read_text().replace("width: int = 8", "width: int = 6"))
    with pytest.raises(specc.SpeccError) as caught:
        specc.build(spec, folder, target="export")
    assert caught.value.code == "E0904"
    assert str(folder / "net.pt2") in caught.value.message
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    with pytest.raises(specc.SpeccError, match="E0904"):
        specc.build(spec, tmp_path / "new" / "out", target="export")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("target", ["eager", "export"])
def test_a_folder_in_the_place_of_an_artefact_is_told(
    spec: Path, tmp_path: Path, target: str
) -> None:
    name = "net.py" if target == "eager" else "net.pt2"
    (tmp_path / "out" / name).mkdir(parents=True)
    with pytest.raises(specc.SpeccError, match=f"E0703: cannot write .*{name}: it is a folder"):
        specc.build(spec, tmp_path / "out", target=target)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


def test_a_file_in_the_place_of_the_folder_is_told(spec: Path) -> None:
    for folder in (spec, spec / "out"):
        with pytest.raises(specc.SpeccError, match="E0703: cannot write to the folder"):
            specc.build(spec, folder)


def test_an_artefact_whose_packed_bytes_are_damaged_is_told(spec: Path, tmp_path: Path) -> None:
    """The code of a script is deflated: damaged, it does not come to a checksum."""
    import zipfile

    *_, path = specc.build(spec, tmp_path / "out", target="torchscript")
    good = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        packed = [each for each in archive.infolist() if each.compress_type]
    assert packed
    for each in packed:
        start = (
            each.header_offset
            + 30
            + int.from_bytes(good[each.header_offset + 26 : each.header_offset + 28], "little")
            + int.from_bytes(good[each.header_offset + 28 : each.header_offset + 30], "little")
        )
        path.write_bytes(
            good[:start] + b"\xff" * each.compress_size + good[start + each.compress_size :]
        )
        with pytest.raises(specc.SpeccError, match="E0901"):
            specc.load(path)
