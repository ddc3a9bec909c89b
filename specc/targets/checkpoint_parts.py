"""What one tensor of a model is made of: tensors of a checkpoint, transposed, joined or split.

Its form is told before a number is read. Non-goals: what a map says
(``specc.semantics.naming.checkpoint_tensors``), files (``weights``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from specc.errors import CallError
from specc.semantics.naming.checkpoint_tensors import Account, Made, Source

if TYPE_CHECKING:
    from torch import Tensor


class TensorForm(NamedTuple):
    """What is asked of a tensor: its shape, and its dtype by torch's name."""

    shape: tuple[int, ...]
    dtype: str


def _turned(form: TensorForm, source: Source) -> TensorForm:
    return form._replace(shape=form.shape[::-1]) if source.transposed else form


def made_form(
    name: str, made: Made, wanted: Mapping[str, TensorForm], found: Mapping[str, TensorForm]
) -> TensorForm:  # fmt: skip
    """What ``made`` gives for the model's ``name``. Parts that do not go together are told as the
    shapes or dtypes that they have, side by side."""
    parts = [_turned(found[source.name], source) for source in made.parts]
    first = parts[0]
    if made.siblings:
        stretches = [wanted[each].shape[:1] for each in made.siblings if each in wanted]
        total = sum(length for stretch in stretches for length in stretch)
        whole = len(stretches) == len(made.siblings) and all(stretches)
        if whole and first.shape[:1] == (total,):
            return first._replace(shape=(*wanted[name].shape[:1], *first.shape[1:]))
        return first
    if len(parts) == 1:
        return first
    if any(not part.shape or part.shape[1:] != first.shape[1:] for part in parts):
        return first._replace(shape=tuple(size for part in parts for size in part.shape))
    if any(part.dtype != first.dtype for part in parts):
        return first._replace(dtype=" and ".join(part.dtype for part in parts))
    return first._replace(shape=(sum(part.shape[0] for part in parts), *first.shape[1:]))


def made_tensors(
    written: str, names: Account, wanted: Mapping[str, TensorForm], read: Callable[[str], Tensor]
) -> dict[str, Tensor]:  # fmt: skip
    """What the model takes, by its own names; E0709 where the two tensors of one name differ."""
    import torch

    found = {}
    for name, ways in names.taken.items():
        tensors = [_read_made(name, made, wanted, read) for made in ways]
        first, *others = (tensor.contiguous().reshape(-1) for tensor in tensors)
        for made, other in zip(ways[1:], others, strict=True):
            # To the bit, so that a NaN is equal to itself.
            if not torch.equal(first.view(torch.uint8), other.view(torch.uint8)):
                raise CallError(
                    "E0709",
                    f"the checkpoint {written!r} has two tensors for {name}, which differ:"
                    f" {ways[0].parts[0].name[:80]!r} and {made.parts[0].name[:80]!r}",
                    help='keep one of them: `drop "..."` the other',
                )
        found[name] = tensors[0]
    return found


def _read_made(
    name: str, made: Made, wanted: Mapping[str, TensorForm], read: Callable[[str], Tensor]
) -> Tensor:  # fmt: skip
    import torch

    parts = [_read_turned(source, read) for source in made.parts]
    if not made.siblings:
        return parts[0] if len(parts) == 1 else torch.cat(parts)
    lengths = [wanted[each].shape[0] for each in made.siblings]
    piece: Tensor = parts[0].split(lengths)[made.siblings.index(name)]
    return piece


def _read_turned(source: Source, read: Callable[[str], Tensor]) -> Tensor:
    tensor = read(source.name)
    return tensor.T if source.transposed else tensor
