"""The targets: each trains as eager does, saves, loads and proves itself, and refuses bad files."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from specc.errors import CallError, TargetError
from specc.harness.numbers.noise import make_portable, normal, set_step
from specc.targets import TARGETS, Target, buffers_of, notes_of, parameters_of
from specc.targets.live import module_class
from specc.targets.prove import prove

# Shaped as the emitter shapes its classes.
SOURCE = '''"""Models for a test."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Mlp(nn.Module):
    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.fc1 = nn.Linear(6, width)
        self.drop = nn.Dropout(0.5)
        self.fc2 = nn.Linear(width, 3)

    def forward(self, value: Tensor) -> Tensor:
        x = F.relu(self.fc1(value))
        x = self.drop(x)
        return self.fc2(x)


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 5, 3)
        self.norm = nn.BatchNorm2d(5)
        self.drop = nn.Dropout2d(0.3)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(5 * 36, 4), nn.Dropout(0.1))

    def forward(self, value: Tensor) -> Tensor:
        x = F.relu(self.norm(self.conv(value)))
        x = self.drop(x)
        return self.body(x)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 8, num_layers=2, batch_first=True, dropout=0.4)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(8, 3)

    def forward(self, value: Tensor) -> tuple[Tensor, Tensor]:
        states, (hidden, cell) = self.lstm(value)
        x = self.drop(states[:, -1])
        return self.head(x), hidden


class Unscriptable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3)
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.5)

    def forward(self, *values: Tensor) -> Tensor:
        (value,) = values
        return self.drop(self.norm(self.conv(value))).mean(dim=(2, 3))
'''

INPUTS: dict[str, tuple[int, ...]] = {
    "Mlp": (5, 6),
    "Convolutional": (4, 2, 8, 8),
    "Recurrent": (3, 7, 4),
    "Unscriptable": (4, 2, 6, 6),
}
EACH_TARGET = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
EACH_MODEL = pytest.mark.parametrize("name", ["Mlp", "Convolutional", "Recurrent"])


def fresh(name: str, dtype: torch.dtype = torch.float32) -> nn.Module:
    """The model with the generator's weights, in training mode."""
    module = module_class(SOURCE, name, "models")().to(dtype)
    for key, parameter in module.named_parameters():
        parameter.data = normal(0, key, tuple(parameter.shape), 0.0, 0.3, dtype)
    return module.train()


def inputs_of(name: str, dtype: torch.dtype = torch.float32, step: int = 0) -> tuple[Tensor, ...]:
    return (normal(1, "value", INPUTS[name], dtype=dtype, step=step),)


def first_of(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]


def train(name: str, target: Target, dtype: torch.dtype) -> dict[str, Tensor]:
    """Three SGD steps through the target's runnable: every output, gradient and final tensor."""
    module = fresh(name, dtype)
    make_portable(module, seed=5)
    initial = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    runnable = target.runnable(module, inputs_of(name, dtype))
    for key, tensor in module.state_dict().items():
        assert torch.equal(tensor, initial[key]), f"building moved {key}"
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    seen: dict[str, Tensor] = {}
    for step in range(3):
        set_step(runnable, step)
        (value,) = inputs_of(name, dtype, step)
        value.requires_grad_()
        output = first_of(runnable(value))
        optimizer.zero_grad()
        output.square().mean().backward()
        optimizer.step()
        assert value.grad is not None
        seen |= {f"{step}/output": output.detach(), f"{step}/gradient": value.grad}
    for key, tensor in {**parameters_of(runnable), **buffers_of(runnable)}.items():
        seen[key] = tensor.detach().clone()
    assert torch.equal(seen[next(iter(initial))], module.state_dict()[next(iter(initial))])
    return seen


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@EACH_MODEL
def test_every_target_trains_as_eager_does(name: str, dtype: torch.dtype) -> None:
    exact = train(name, TARGETS["eager"], torch.float64)
    eager = train(name, TARGETS["eager"], dtype)
    for target in TARGETS.values():
        found = train(name, target, dtype)
        assert found.keys() == eager.keys()
        for key, tensor in found.items():
            assert tensor.dtype == eager[key].dtype, key
            if not tensor.is_floating_point():
                assert torch.equal(tensor, eager[key]), (target.name, key)
                continue
            # Three steps of a small model lose a few tens of units; a mask that differs in one
            # element, or a lost update, is far beyond.
            scale = exact[key].square().mean().sqrt().item()
            unit = torch.finfo(dtype).eps
            error = (tensor.double() - exact[key]).abs().max().item()
            assert error <= 400 * unit * scale, (target.name, key, error / scale / unit)
    assert (eager["0/gradient"] != 0).any()


@EACH_TARGET
def test_the_runnable_shares_the_modules_tensors(target: Target) -> None:
    module = fresh("Convolutional")
    make_portable(module, seed=5)
    runnable = target.runnable(module, inputs_of("Convolutional"))
    runnable(*inputs_of("Convolutional"))
    mine = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    theirs = {**parameters_of(runnable), **buffers_of(runnable)}
    assert theirs.keys() == mine.keys()
    for key, tensor in theirs.items():
        assert tensor.data_ptr() == mine[key].data_ptr(), key
    assert module.get_buffer("norm.num_batches_tracked").item() == 1


def test_compile_says_what_it_leaves_to_eager() -> None:
    inputs = inputs_of("Recurrent")
    assert "lstm" in notes_of(TARGETS["compile"].runnable(fresh("Recurrent"), inputs))[0]
    assert notes_of(TARGETS["compile"].runnable(fresh("Mlp"), inputs_of("Mlp"))) == ()


@EACH_TARGET
def test_evaluation_mode_moves_nothing_and_repeats(target: Target) -> None:
    module = fresh("Convolutional").eval()
    before = copy.deepcopy(module.state_dict())
    runnable = target.runnable(module, inputs_of("Convolutional"))
    with torch.no_grad():
        first, again = (runnable(*inputs_of("Convolutional")) for _ in range(2))
    assert torch.equal(first, again)
    for key, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[key]), key
    expected = module(*inputs_of("Convolutional"))
    torch.testing.assert_close(first, expected)


@EACH_TARGET
def test_torchs_own_dropout_draws_in_every_target(target: Target) -> None:
    module = fresh("Mlp")
    runnable = target.runnable(module, inputs_of("Mlp"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, again = (runnable(*inputs_of("Mlp")) for _ in range(2))
    assert not torch.equal(first, again)


@EACH_TARGET
@EACH_MODEL
def test_an_artefact_is_written_read_and_proved(name: str, target: Target, tmp_path: Path) -> None:
    module = fresh(name)
    module(*inputs_of(name))  # statistics that a fresh module does not have
    path = target.artefact(tmp_path, "models")
    assert path.name == f"models{target.suffix}"
    source = SOURCE.partition("class Unscriptable")[0]
    source = module_source(source, name)
    assert target.save(module, inputs_of(name), source, path) == ()
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert all(each.training for each in module.modules())
    result = prove(target, module, inputs_of(name), path)
    assert result.exact == (target.name == "eager")
    assert all(each.error <= each.bound for each in result.comparisons)
    modes = {each.way.training for each in result.comparisons}
    assert modes == ({False} if target.name == "export" else {False, True})
    seen = {each.what for each in result.comparisons}
    assert {"output 0", "the gradient of input 0"} <= seen
    assert {f"the gradient of {key}" for key, _ in module.named_parameters()} <= seen
    assert {f"the buffer {key}" for key, _ in module.named_buffers()} <= seen or not modes - {False}


def module_source(source: str, name: str) -> str:
    """The header of a source and its class called ``name``."""
    header, *classes = source.split("\n\n\nclass ")
    body = next(each for each in classes if each.startswith(f"{name}("))
    return f"{header}\n\n\nclass {body}"


@EACH_TARGET
def test_a_proof_sees_other_weights_and_other_code(target: Target, tmp_path: Path) -> None:
    module = fresh("Mlp")
    path = target.artefact(tmp_path, "mlp")
    target.save(module, inputs_of("Mlp"), module_source(SOURCE, "Mlp"), path)
    if path.suffix == ".py":
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("F.relu", "F.gelu"), encoding="utf-8")
    else:
        with torch.no_grad():
            # One bias off by thirty units in the last place of the outputs.
            parameters_of(module)["fc2.bias"][0] += 3e-5
    with pytest.raises(TargetError, match=r"output 0 of .* differs from") as caught:
        prove(target, module, inputs_of("Mlp"), path)
    assert caught.value.code == "E0904"


@EACH_TARGET
def test_a_proof_in_float64(target: Target, tmp_path: Path) -> None:
    module = fresh("Mlp", torch.float64)
    path = target.artefact(tmp_path, "mlp")
    inputs = inputs_of("Mlp", torch.float64)
    target.save(module, inputs, module_source(SOURCE, "Mlp"), path)
    compared = prove(target, module, inputs, path).comparisons
    assert all(each.error <= each.bound <= 1e-13 for each in compared)
    if path.suffix != ".py":
        with torch.no_grad():
            parameters_of(module)["fc2.bias"][0] += 1e-12
        with pytest.raises(TargetError, match="differs"):
            prove(target, module, inputs, path)


@pytest.mark.parametrize("name", ["eager", "compile"])
def test_params_reach_the_constructor(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    module = module_class(SOURCE, "Mlp", "models")(width=4)
    path = target.artefact(tmp_path, "mlp")
    target.save(module, inputs_of("Mlp"), module_source(SOURCE, "Mlp"), path)
    prove(target, module, inputs_of("Mlp"), path, params={"width": 4})
    with pytest.raises(TargetError, match="weights do not fit"):
        prove(target, module, inputs_of("Mlp"), path)
    with pytest.raises(TargetError, match="wdth") as caught:
        prove(target, module, inputs_of("Mlp"), path, params={"wdth": 4})
    assert caught.value.code == "E0903"


def test_a_source_that_does_not_name_torch_is_compiled_too(tmp_path: Path) -> None:
    source = module_source(SOURCE, "Mlp").replace("import torch\n", "")
    path = TARGETS["compile"].artefact(tmp_path, "mlp")
    module = module_class(source, "Mlp", "models")()
    TARGETS["compile"].save(module, inputs_of("Mlp"), source, path)
    assert path.read_text().count("import torch\n") == 1
    TARGETS["compile"].load(path)


def test_what_cannot_be_scripted_is_traced(tmp_path: Path) -> None:
    target = TARGETS["torchscript"]
    module = fresh("Unscriptable")
    make_portable(module, seed=3)
    before = copy.deepcopy(module.state_dict())
    runnable = target.runnable(module, inputs_of("Unscriptable"))
    assert "traced" in notes_of(runnable)[0]
    for key, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[key]), f"tracing moved {key}"
    twin = copy.deepcopy(module)
    for step in range(2):
        set_step(runnable, step)
        set_step(twin, step)
        (value,) = inputs_of("Unscriptable", step=step)
        found, expected = runnable(value), twin(value)
        torch.testing.assert_close(found, expected)
        found.sum().backward()
        expected.sum().backward()
    for key, tensor in twin.state_dict().items():
        torch.testing.assert_close(module.state_dict()[key], tensor)
        torch.testing.assert_close(buffers_of(runnable).get(key, tensor), tensor)
    for key, parameter in twin.named_parameters():
        torch.testing.assert_close(module.get_parameter(key).grad, parameter.grad)
    path = target.artefact(tmp_path, "traced")
    notes = target.save(module, inputs_of("Unscriptable"), SOURCE, path, free_sizes=[{0: "N"}])
    assert "traced" in notes[0] and "bound to N=4" in notes[1]
    result = prove(target, module, inputs_of("Unscriptable"), path)
    assert not any(each.way.training for each in result.comparisons)
    with pytest.raises(TargetError, match="bound to N=4"):
        target.load(path)(normal(2, "other", (3, 2, 6, 6), dtype=torch.float32))


def test_torchscript_gives_no_warnings(tmp_path: Path) -> None:
    target = TARGETS["torchscript"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("Mlp", "Unscriptable"):
            path = tmp_path / f"{name}.ts"
            target.save(fresh(name), inputs_of(name), SOURCE, path)
            target.load(path)(*inputs_of(name))


def test_export_leaves_the_named_sizes_free(tmp_path: Path) -> None:
    target = TARGETS["export"]
    module = fresh("Mlp").eval()
    path = target.artefact(tmp_path, "mlp")
    assert target.save(module, inputs_of("Mlp"), "", path, free_sizes=[{0: "N"}]) == ()
    loaded = target.load(path)
    for count in (2, 3, 11):
        value = normal(2, "other", (count, 6), dtype=torch.float32)
        torch.testing.assert_close(loaded(value), module(value))
    fixed = target.artefact(tmp_path, "fixed")
    target.save(module, inputs_of("Mlp"), "", fixed)
    with pytest.raises((RuntimeError, AssertionError), match=r"[Gg]uard|size|shape|== 5"):
        target.load(fixed)(normal(2, "other", (11, 6), dtype=torch.float32))


def test_export_says_where_it_could_not_leave_a_size_free(tmp_path: Path) -> None:
    target = TARGETS["export"]
    module = fresh("Convolutional").eval()
    path = target.artefact(tmp_path, "convolutional")
    notes = target.save(module, inputs_of("Convolutional"), "", path, free_sizes=[{0: "N", 2: "H"}])
    assert notes == ("bound to H=8: it takes no other size",)
    loaded = target.load(path)
    assert notes_of(loaded) == notes
    value = normal(2, "other", (9, 2, 8, 8), dtype=torch.float32)
    torch.testing.assert_close(loaded(value), module(value))
    with pytest.raises(TargetError, match=r"bound to H=8, and input 0 .* has H=12") as caught:
        loaded(normal(2, "other", (9, 2, 12, 8), dtype=torch.float32))
    assert caught.value.code == "E0906"


def test_more_cases_than_torch_recompiles() -> None:
    # torch.compile gives up at its limit (eight) of recompilations of one code object.
    config = torch._dynamo.config
    limit = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"
    with config.patch({limit: 2}), torch.no_grad():
        for count in range(2, 6):
            module = fresh("Mlp").eval()
            value = normal(0, "value", (count, 6), dtype=torch.float32)
            runnable = TARGETS["compile"].runnable(module, (value,))
            torch.testing.assert_close(runnable(value), module(value))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    weights = fresh("Mlp").get_parameter("fc1.weight").detach().numpy().tobytes()
    data[data.index(weights) + 5] ^= 0x01
    path.write_bytes(bytes(data))


def unmark(path: Path) -> None:
    """The same archive without our marker."""
    with zipfile.ZipFile(path) as archive:
        entries = [(each, archive.read(each)) for each in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries:
            if not name.endswith("specc.json"):
                archive.writestr(name, data)


def remark(text: str) -> Callable[[Path], object]:
    """The same archive with another marker."""

    def spoil(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            entries = [(each, archive.read(each)) for each in archive.namelist()]
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in entries:
                old = json.loads(data) if name.endswith("specc.json") else {}
                new = json.dumps({**old, **json.loads(text)}) if old else data
                archive.writestr(name, new)

    return spoil


@pytest.mark.parametrize("name", ["torchscript", "export"])
@pytest.mark.parametrize(
    "spoil",
    [
        remark('{"specc": 1}'),
        remark('{"trains": "yes"}'),
        remark('{"bound": [[0, 0, "N"]]}'),
        remark('{"bound": [[0, -1, "N", 4]]}'),
        remark('{"bound": [[0, 0, "N", true]]}'),
        truncate,
        flip,
        unmark,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("not an archive"),
    ],
    ids="old mode short negative boolean truncated flipped foreign empty text".split(),
)
def test_a_spoilt_artefact_is_refused(
    name: str, spoil: Callable[[Path], object], tmp_path: Path
) -> None:
    target = TARGETS[name]
    path = target.artefact(tmp_path, "mlp")
    target.save(fresh("Mlp"), inputs_of("Mlp"), "", path)
    target.load(path)
    spoil(path)
    with pytest.raises(TargetError) as caught:
        target.load(path)
    assert caught.value.code == "E0901"
    assert str(path) in caught.value.message


def test_an_artefact_of_another_target_is_refused(tmp_path: Path) -> None:
    for mine, other in (("torchscript", "export"), ("export", "torchscript")):
        path = TARGETS[mine].artefact(tmp_path, "mlp")
        TARGETS[mine].save(fresh("Mlp"), inputs_of("Mlp"), "", path)
        with pytest.raises(TargetError, match=f"not written by specc for {other}"):
            TARGETS[other].load(path)
    path = tmp_path / "mlp.py"
    TARGETS["eager"].save(fresh("Mlp"), inputs_of("Mlp"), SOURCE, path)
    with pytest.raises(TargetError, match=r"has no load\(\)"):
        TARGETS["compile"].load(path)


@EACH_TARGET
def test_a_missing_artefact_is_the_calls_fault(target: Target, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="cannot read"):
        target.load(tmp_path / f"none{target.suffix}")


@EACH_TARGET
def test_a_folder_that_cannot_be_written(target: Target, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CallError, match="cannot write") as caught:
        target.save(
            fresh("Mlp"), inputs_of("Mlp"), SOURCE, tmp_path / "file" / f"mlp{target.suffix}"
        )
    assert caught.value.code == "E0703"


def test_a_failed_write_leaves_the_old_artefact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mlp.ts"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CallError, match="No space left"):
        TARGETS["torchscript"].save(fresh("Mlp"), inputs_of("Mlp"), SOURCE, path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["mlp.ts"]


def test_a_target_says_what_it_refuses() -> None:
    class Conditional(nn.Module):
        def forward(self, *values: Tensor) -> Tensor:
            return values[0] if values[0].sum() > 0 else -values[0].tolist()

    value = (torch.full((3,), -1.0),)
    for name in ("torchscript", "export"):
        with pytest.raises(TargetError, match="Conditional") as caught:
            TARGETS[name].runnable(Conditional(), value)
        assert caught.value.code == "E0902"


def test_the_table_is_read_without_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from specc.targets import TARGETS\n"
        "print(*TARGETS)\n"
        "print(*(each.suffix for each in TARGETS.values()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        *("eager", "compile", "torchscript", "export"),
        *(".py", "_compile.py", ".ts", ".pt2"),
    ]


def test_torchscript_traces_a_parametrized_layer_which_scripts_and_then_refuses_to_run() -> None:
    module = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))
    x = torch.randn(4, 3)
    made = TARGETS["torchscript"].runnable(module, (x,))
    assert "parametrized" in notes_of(made)[0]
    torch.testing.assert_close(made(x), module(x))
