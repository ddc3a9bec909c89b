"""The checkpoint that a model starts from: found inside the project, read as data, held against
the model.

A checkpoint is untrusted: safetensors, or torch's own format read without its code. What it holds
is compared before it is read into memory, as far as its format allows. Non-goal: writing
checkpoints."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from specc.catalog import suggest
from specc.errors import CallError
from specc.ir import Program
from specc.roots import project_root

if TYPE_CHECKING:
    from torch import Tensor, nn

_LABELS: Final = "labels are the names of the state_dict: give the layers the checkpoint's names"
_SHOWN: Final = 4
# By how much a file of torch's may be larger than the numbers in it.
_OVERHEAD: Final = 16 << 20


class _Form(NamedTuple):
    """What is asked of a tensor: its shape, and its dtype by torch's name."""

    shape: tuple[int, ...]
    dtype: str


def start_from(module: nn.Module, written: str, spec: str | os.PathLike[str]) -> None:
    """Loads the checkpoint ``written`` in the spec at ``spec`` into ``module``.

    Raises CallError (E0709) where the file is not there, lies outside the project, cannot be read,
    or holds other names, shapes or dtypes than the module: the message names the tensors."""
    path = _inside(written, spec)
    state = module.state_dict()
    wanted = {name: _form(tensor) for name, tensor in state.items()}
    if path.suffix == ".safetensors":
        found = _read_safetensors(path, written, wanted)
    else:
        most = 2 * sum(t.numel() * t.element_size() for t in state.values()) + _OVERHEAD
        found = _read_torch(path, written, wanted, most)
    module.load_state_dict(found)


def start_training(module: nn.Module, program: Program) -> None:
    """Loads, into the training ``module`` of ``program``, the checkpoint of each member that starts
    from one; its copies and averages start as it does. Raises as ``start_from``."""
    train = program.train
    assert train is not None
    loaded: set[str] = set()
    for member in train.members:
        weights = program.model(member.model).weights
        if member.kind == "model" and weights is not None:
            start_from(module.get_submodule(member.attribute), weights, program.file)
            loaded.add(member.attribute)
    for member in train.members:
        if member.kind != "model" and member.of in loaded:
            state = module.get_submodule(member.of).state_dict()
            module.get_submodule(member.attribute).load_state_dict(state)


# ── what fits ────────────────────────────────────────────────────────────────────────────────────


def _form(tensor: Tensor) -> _Form:
    return _Form(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def _require_fit(written: str, wanted: Mapping[str, _Form], found: Mapping[str, _Form]) -> None:
    """E0709, with the tensors that differ, unless ``found`` is what is ``wanted``."""
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    both = [(name, wanted[name], found[name]) for name in wanted if name in found]
    shapes = [(name, of, came) for name, of, came in both if of.shape != came.shape]
    dtypes = [(name, of, came) for name, of, came in both if of.dtype != came.dtype]
    problems = [f"it lacks {name}" for name in missing]
    problems += [f"the model has no {name[:80]!r}" for name in extra]
    problems += [
        f"{name} is {list(came.shape)}, and {list(of.shape)} in the model"
        for name, of, came in shapes
    ]
    problems += [
        f"{name} is {came.dtype}, and {of.dtype} in the model" for name, of, came in dtypes
    ]
    if not problems:
        return
    more = f", and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    raise CallError(
        "E0709",
        f"the checkpoint {written!r} does not fit: {'; '.join(problems[:_SHOWN])}{more}",
        help=_advice(missing, extra, bool(shapes), bool(dtypes)),
    )


def _advice(missing: Sequence[str], extra: Sequence[str], shapes: bool, dtypes: bool) -> str:
    if extra and missing:
        close = suggest(extra[0], missing)
        return f"{_LABELS}; is {extra[0][:80]!r} what the spec calls {close}?" if close else _LABELS
    if missing or extra:
        return _LABELS
    if shapes:
        return "give the layers the checkpoint's sizes, or take a checkpoint of this model"
    return "nothing is converted silently: save the tensors in the model's own dtypes"


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def _inside(written: str, spec: str | os.PathLike[str]) -> Path:
    root = project_root(Path(os.fspath(spec)))
    try:
        path = (Path(os.fspath(spec)).resolve().parent / written).resolve()
        there = path.is_file()
    except (OSError, ValueError) as fault:
        raise CallError("E0709", f"{written!r} is no path: {fault}") from None
    if Path(written).is_absolute() or not path.is_relative_to(root):
        raise CallError(
            "E0709",
            f"the checkpoint {written!r} lies outside the project",
            help="copy it into the project, and name it from the spec's folder",
        )
    if not there:
        raise CallError(
            "E0709",
            f"there is no checkpoint {written!r} beside the spec",
            help="put it there, or take `weights` away to start from fresh ones",
        )
    return path


def _read_safetensors(path: Path, written: str, wanted: Mapping[str, _Form]) -> dict[str, Tensor]:
    """The tensors of a file whose header says that they fit."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as opened:
            slices = {name: opened.get_slice(name) for name in opened.keys()}
            found = {
                name: _Form(tuple(each.get_shape()), _torch_name(each.get_dtype()))
                for name, each in slices.items()
            }
            _require_fit(written, wanted, found)
            return {name: opened.get_tensor(name) for name in wanted}
    except CallError:
        raise
    except Exception as fault:  # whatever a broken or hostile file makes its reader raise
        raise _unread(written, fault) from None


# How the format calls torch's dtypes.
_DTYPES: Final = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
}


def _torch_name(dtype: str) -> str:
    return _DTYPES.get(dtype, dtype)


def _read_torch(
    path: Path, written: str, wanted: Mapping[str, _Form], most: int
) -> dict[str, Tensor]:
    """The tensors of a file of torch's own format, which is read whole: not where it is much larger
    than the model's ``most`` bytes."""
    import torch

    try:
        size = _size(path)
        if size > most:
            raise CallError(
                "E0709",
                f"the checkpoint {written!r} has {size:,} bytes, and all that the model keeps has"
                f" fewer than {most:,}",
                help="save the model's state_dict alone, as safetensors",
            )
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except CallError:
        raise
    except Exception as fault:  # whatever a broken or hostile file makes its reader raise
        raise _unread(written, fault) from None
    if not isinstance(state, Mapping):
        raise _no_state_dict(written, f"it holds a {type(state).__name__}")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            held = f"{str(name)[:80]!r} is a {type(tensor).__name__}"
            raise _no_state_dict(written, f"{held}, not a tensor")
        plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
        if not plain or tensor.is_quantized:
            raise _no_state_dict(written, f"{name[:80]!r} is no plain tensor of numbers")
    _require_fit(written, wanted, {name: _form(tensor) for name, tensor in state.items()})
    return dict(state)


def _size(path: Path) -> int:
    """The bytes that reading a file would take: what a packed one holds, not what it takes."""
    import zipfile

    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as packed:
        return sum(item.file_size for item in packed.infolist())


def _no_state_dict(written: str, reason: str) -> CallError:
    return CallError(
        "E0709",
        f"the checkpoint {written!r} is no state_dict: {reason}",
        help="save the model's state_dict alone: names, and a tensor of numbers for each",
    )


def _unread(written: str, fault: Exception) -> CallError:
    text = str(fault).strip().splitlines()
    return CallError(
        "E0709",
        f"cannot read the checkpoint {written!r}: {text[0][:200] if text else 'no reason'}",
        help="save it as safetensors",
    )
