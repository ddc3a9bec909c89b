"""The checkpoint that a model starts from: found inside the project, read as data, held against
the model, as the spec's map names its tensors.

A checkpoint is untrusted: safetensors, or torch's own format read without its code. What it holds
is compared before it is read into memory, as far as its format allows. Non-goals: writing
checkpoints, and what becomes of a name
(``specc.semantics.naming.checkpoint_tensors``)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from specc.errors import CallError
from specc.ir import MapLine, Module, Program
from specc.semantics.naming.checkpoint_tensors import (
    LONGEST_HEADER,
    Account,
    Source,
    account,
    inside,
)
from specc.suggestions import nearest
from specc.targets.checkpoint_parts import TensorForm, made_form, made_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

_LABELS: Final = (
    "labels are the names of the state_dict: give the layers the checkpoint's names, or say in a"
    " map what they are called"
)
_SHOWN: Final = 4
# By how much a file of torch's may be larger than the numbers in it.
_OVERHEAD: Final = 16 << 20


def start_from(module: nn.Module, model: Module, spec: str | os.PathLike[str]) -> Account:
    """Loads the checkpoint that ``model`` of the spec at ``spec`` starts from into ``module``, and
    gives an account of its tensors.

    Raises CallError (E0709) where the file is not there, lies outside the project, cannot be read,
    or holds, once its map has been gone through, other names, shapes or dtypes than the module:
    the message names the tensors. Warns of a square matrix that the map leaves as it is, where it
    transposes others of its kind: no shape would tell."""
    written = model.weights
    assert written is not None
    path = inside(written, spec)
    state = module.state_dict()
    wanted = {name: _form(tensor) for name, tensor in state.items()}
    if path.suffix == ".safetensors":
        found, names = _read_safetensors(path, written, model.weight_map, wanted)
    else:
        most = 2 * sum(t.numel() * t.element_size() for t in state.values()) + _OVERHEAD
        found, names = _read_torch(path, written, model.weight_map, wanted, most)
    module.load_state_dict({**{name: state[name] for name in names.fresh}, **found})
    _warn_of_squares(module, written, names)
    return names


def start_training(module: nn.Module, program: Program) -> None:
    """Loads, into the training ``module`` of ``program``, the checkpoint of each member that starts
    from one; its copies and averages start as it does. Raises as ``start_from``."""
    train = program.train
    assert train is not None
    loaded: set[str] = set()
    for member in train.members:
        model = program.model(member.model)
        if member.kind == "model" and model.weights is not None:
            start_from(module.get_submodule(member.attribute), model, program.file)
            loaded.add(member.attribute)
    for member in train.members:
        if member.kind != "model" and member.of in loaded:
            state = module.get_submodule(member.of).state_dict()
            module.get_submodule(member.attribute).load_state_dict(state)


# ── what fits ────────────────────────────────────────────────────────────────────────────────────


def _form(tensor: Tensor) -> TensorForm:
    return TensorForm(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def _require_fit(
    written: str, wanted: Mapping[str, TensorForm], found: Mapping[str, TensorForm],
    lines: Sequence[MapLine],
) -> Account:  # fmt: skip
    """E0709, with the tensors that differ, unless ``found``, called as ``lines`` say, is what is
    ``wanted``."""
    names = account(lines, found, wanted, written)
    missing = [name for name in wanted if name not in names.taken and name not in names.fresh]
    extra = [name for name in names.taken if name not in wanted]
    # Each with the form that is wanted and the one that comes.
    both = [
        (name, wanted[name], made_form(name, made, wanted, found))
        for name, ways in names.taken.items()
        if name in wanted
        for made in ways
    ]
    shapes = [(name, of, came) for name, of, came in both if of.shape != came.shape]
    dtypes = [(name, of, came) for name, of, came in both if of.dtype != came.dtype]
    problems = list(names.problems)
    problems += [
        f"{source.name[:80]!r} is {list(found[source.name].shape)}, and a matrix is transposed"
        for source in {source: None for name in names.taken for source in names.sources(name)}
        if source.transposed and len(found[source.name].shape) != 2
    ]
    problems += [f"it lacks {name}" for name in missing]
    problems += [_not_in_model(name, names.sources(name)) for name in extra]
    problems += [
        f"{name} is {list(came.shape)}, and {list(of.shape)} in the model"
        for name, of, came in shapes
    ]
    problems += [
        f"{name} is {came.dtype}, and {of.dtype} in the model" for name, of, came in dtypes
    ]
    if not problems and wanted and not names.taken:
        problems.append("the model takes nothing of it")
    if not problems:
        return names
    more = f", and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    turned = next((name for name, of, came in shapes if of.shape == came.shape[::-1]), None)
    raise CallError(
        "E0709",
        f"the checkpoint {written!r} does not fit: {'; '.join(problems[:_SHOWN])}{more}",
        help=_advice(
            missing,
            extra,
            bool(dtypes),
            shapes[0][0] if shapes else None,
            turned,
            {name: names.sources(name)[0].name for name in extra if names.sources(name)},
        )
        if missing or extra or shapes or dtypes
        else "a map speaks of the names in the checkpoint as the lines above left them",
    )


def _not_in_model(name: str, sources: Sequence[Source]) -> str:
    before = next((source.name for source in sources if source.name != name), None)
    return f"the model has no {name[:80]!r}" + (f" ({before[:80]!r} in it)" if before else "")


def _advice(
    missing: Sequence[str], extra: Sequence[str], dtypes: bool, shape: str | None,
    turned: str | None, in_file: Mapping[str, str],
) -> str:  # fmt: skip
    line = _prefix(missing, extra)
    if line is not None:
        return f"all of them are there under a prefix: write {line} in the map of `weights`"
    if extra and missing:
        close = nearest(extra[0], missing)
        return f"{_LABELS}; is {extra[0][:80]!r} what the spec calls {close}?" if close else _LABELS
    if missing:
        return f'{_LABELS}; what is not in the checkpoint is `fresh "{missing[0]}"`'
    if extra:
        named = in_file.get(extra[0], "...")[:80]
        dropped = f'`drop "{named}"`'
        return f"{_LABELS}; what the model does not have is dropped by its name there: {dropped}"
    if turned is not None:
        return f'kernels that are stored the other way round are named: `transpose "..."`: {turned}'
    if shape is not None:
        return "give the layers the checkpoint's sizes, or take a checkpoint of this model"
    return "nothing is converted silently: save the tensors in the model's own dtypes"


def _prefix(missing: Sequence[str], extra: Sequence[str]) -> str | None:
    """The line of a map that takes a prefix away that all names in the file have, or puts one
    before them that all of the model's have; None where it would leave one of either."""
    for short, long, line in (
        (missing, extra, '`"{}.*" -> "*"`'), (extra, missing, '`"*" -> "{}.*"`'),
    ):  # fmt: skip
        if not short or len(short) != len(long):
            continue
        names = set(long)
        heads = (name.removesuffix(short[0]) for name in long if name.endswith(f".{short[0]}"))
        for head in heads:
            if all(f"{head}{name}" in names for name in short):
                return line.format(head[:-1])
    return None


def _warn_of_squares(module: nn.Module, written: str, names: Account) -> None:
    from torch import nn

    if not names.transposed:
        return
    kept = [
        f"{path}.weight"
        for path, layer in module.named_modules()
        if isinstance(layer, nn.Linear)
        and layer.weight.shape[0] == layer.weight.shape[1]
        and any(not source.transposed for source in names.sources(f"{path}.weight"))
    ]
    if kept:
        warnings.warn(
            f"{written}: the map transposes matrices, but not {kept[0]}, which is square: no shape"
            " tells which way round it is stored",
            stacklevel=2,
        )


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def _read_safetensors(
    path: Path, written: str, lines: Sequence[MapLine], wanted: Mapping[str, TensorForm]
) -> tuple[dict[str, Tensor], Account]:
    """The tensors of a file whose header says that they fit."""
    from safetensors import safe_open

    try:
        with open(path, "rb") as file:
            header = int.from_bytes(file.read(8), "little")
        if LONGEST_HEADER < header <= path.stat().st_size:
            raise CallError(
                "E0709",
                f"the header of the checkpoint {written!r} has {header:,} bytes, more than"
                f" {LONGEST_HEADER:,}",
                help="save the model's state_dict alone",
            )
        with safe_open(path, framework="pt") as opened:
            slices = {name: opened.get_slice(name) for name in opened.keys()}
            found = {
                name: TensorForm(tuple(each.get_shape()), _torch_name(each.get_dtype()))
                for name, each in slices.items()
            }
            names = _require_fit(written, wanted, found, lines)
            return made_tensors(written, names, wanted, opened.get_tensor), names
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
    path: Path, written: str, lines: Sequence[MapLine], wanted: Mapping[str, TensorForm], most: int
) -> tuple[dict[str, Tensor], Account]:
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
    found = {name: _form(tensor) for name, tensor in state.items()}
    names = _require_fit(written, wanted, found, lines)
    return made_tensors(written, names, wanted, lambda name: state[name]), names


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
