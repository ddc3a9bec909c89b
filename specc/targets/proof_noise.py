"""One set of draws for both sides of a proof, and for the float64 reference.

Both sides draw from torch's generator at the same seed. The reference cannot: at a seed float64
draws other numbers than float32. What eager drew is recorded, and handed to the reference in the
same order. Non-goals: draws that are the same on every machine (``specc.harness.numbers.noise``),
draws of a device's own generator beyond the proof's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from specc.errors import TargetError
from specc.targets.operation_mode import OperationMode

# Tagged as if they drew; on the CPU they never do, and elsewhere only with dropout of their own.
_ATTENTION = ("_scaled_dot_product", "_flash_attention", "_efficient_attention")
# These add many numbers up in libraries that every target calls alike, or only pick among them.
_NO_ORDER = frozenset(
    ("mm", "addmm", "bmm", "baddbmm", "convolution", "embedding", "index", "index_select", "gather",
     "max", "min", "amax", "amin", "argmax", "argmin")
)  # fmt: skip
# Of these every element of the result is made with a sum along a dimension: the argument's place.
_ALONG = {
    "_softmax": 1,
    "_log_softmax": 1,
    "_softmax_backward_data": 2,
    "_log_softmax_backward_data": 2,
}


@contextmanager
def seeded(device: torch.device, seed: int) -> Iterator[None]:
    """torch's generators at ``seed``, and back where they were afterwards."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        # torch.manual_seed would seed every device there is, forked or not.
        torch.default_generator.manual_seed(seed)
        if devices:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


@contextmanager
def compiled_as_eager_draws() -> Iterator[None]:
    """What inductor compiles meanwhile draws by torch's own operations, in the source's order."""
    import torch._inductor.config as inductor

    with inductor.patch(fallback_random=True, reorder_for_locality=False):
        yield


@dataclass(frozen=True, slots=True)
class Draw:
    """What one operation drew."""

    operation: str
    values: tuple[Tensor, ...]


class Recorded(OperationMode):
    """Runs everything as it is. ``draws`` are what was drawn, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.draws: list[Draw] = []
        # By the memory that a tensor lies in, which is held so that no other comes to lie there.
        self._terms: dict[int, tuple[torch.UntypedStorage, int]] = {}
        self._sizes: dict[int, float] = {}

    def terms(self, tensor: Tensor) -> int:
        """How many numbers a single operation added up into one, at most, among those that
        ``tensor`` comes from."""
        found = self._terms.get(_memory(tensor)._cdata)
        return found[1] if found is not None else 1

    def size(self, tensor: Tensor) -> float:
        """The root mean square of the terms of a sum that cancels, where eager's own error does not
        tell it: BatchNorm's running mean, which eager adds up in float64. Else 0."""
        return self._sizes.get(_memory(tensor)._cdata, 0.0)

    def run(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        result = func(*args, **kwargs)
        if _draws(func, args):
            values = tuple(each.clone() for each in _drawn(func, args, result))
            self.draws.append(Draw(str(func), values))
        before = _flat((args, tuple(kwargs.values())))
        terms = max([_terms(func, args, result), *map(self.terms, before)])
        for each in _flat(result):
            storage = _memory(each)
            # A view, or what is written in place: the rest of it stays what it was.
            terms_here = max(terms, self.terms(each))
            self._terms[storage._cdata] = storage, terms_here
            self._sizes[storage._cdata] = max(map(self.size, [each, *_same(func, before)]))
        for place, (each, size) in enumerate(_statistics(func, args)):
            storage = _memory(each)
            self._terms[storage._cdata] = storage, terms
            self._sizes[storage._cdata] = size if place == 0 else 0.0
        return result


class Replayed(OperationMode):
    """Runs everything as it is, in its own precision, but draws what was drawn before.

    Raises TargetError (E0904) where something else is drawn than what was recorded."""

    def __init__(self, draws: Sequence[Draw]) -> None:
        super().__init__()
        self._draws = iter(draws)

    def run(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        given = args[0].clone() if _is_rrelu(func) else None
        result = func(*args, **kwargs)
        if not _draws(func, args):
            return result
        draw = next(self._draws, None)
        places = _drawn(func, args, result)
        if draw is None or [each.shape for each in draw.values] != [each.shape for each in places]:
            raise TargetError("E0904", f"the reference draws otherwise than eager, in {func}")
        for place, value in zip(places, draw.values, strict=True):
            place.copy_(value)
        if given is not None:
            # Not a draw itself: the argument times the slopes that were drawn, 1 where positive.
            made = result[0] if isinstance(result, tuple) else result
            made.copy_(given * places[0])
        return result


def _draws(func: Any, args: Sequence[Any]) -> bool:
    if torch.Tag.nondeterministic_seeded not in getattr(func, "tags", ()):
        return False
    if _is_rrelu(func):
        return len(args) > 4 and bool(args[4])  # only where it trains
    return not _name(func).startswith(_ATTENTION)


def _name(func: Any) -> str:
    schema = getattr(func, "_schema", None)
    return schema.name.partition("::")[2] if schema is not None else str(func)


def _is_rrelu(func: Any) -> bool:
    return _name(func).startswith("rrelu_with_noise")


def _drawn(func: Any, args: Sequence[Any], result: Any) -> list[Tensor]:
    """The tensors that hold what was drawn: the slopes of an RReLU, or else what came out."""
    if _is_rrelu(func):
        return [result[1] if isinstance(result, tuple) else args[1]]
    return _tensors(result if isinstance(result, (tuple, list)) else (result,))


def _memory(tensor: Tensor) -> torch.UntypedStorage:
    """That of a tensor's numbers; of those of a sparse one."""
    return (tensor._values() if tensor.is_sparse else tensor).untyped_storage()


def _same(func: Any, given: list[Tensor]) -> list[Tensor]:
    """What a result has the numbers of: that which is copied."""
    return given if _name(func) in ("clone", "detach", "_to_copy", "copy_") else []


def _statistics(func: Any, args: Sequence[Any]) -> list[tuple[Tensor, float]]:
    """The running mean and variance that a BatchNorm in training writes, which its schema need not
    say, with the size of what it adds to them."""
    # (input, weight, bias, running_mean, running_var, training, momentum, eps)
    if not _name(func).endswith("batch_norm") or len(args) < 8 or not args[5]:
        return []
    size = float(args[6]) * float(args[0].square().mean().sqrt())
    return [(each, size) for each in args[3:5] if isinstance(each, Tensor)]


def _flat(values: Any) -> list[Tensor]:
    """The tensors of nested lists and tuples."""
    if isinstance(values, Tensor):
        return [values]
    if not isinstance(values, (list, tuple)):
        return []
    return [tensor for each in values for tensor in _flat(each)]


def _tensors(values: Sequence[Any]) -> list[Tensor]:
    return [each for each in values if isinstance(each, Tensor)]


def _terms(func: Any, args: Sequence[Any], result: Any) -> int:
    name = _name(func)
    schema = getattr(func, "_schema", None)
    # Views pick, and what writes in place has as many elements as it is given.
    if schema is None or name in _NO_ORDER or any(each.alias_info for each in schema.returns):
        return 1
    if name in _ALONG:
        given = args[0]
        return int(given.shape[args[_ALONG[name]]]) if given.dim() else 1
    made = [
        each.numel()
        for each in _tensors(result if isinstance(result, (tuple, list)) else (result,))
        if each.numel() and (each.is_floating_point() or each.is_complex())
    ]
    given = [each.numel() for each in _tensors(args)]
    return max(given) // min(made) if made and given else 1
