"""Portable dropout: torch's dropout layers with their mask drawn from the portable generator.

``make_portable`` puts such layers, and those of ``noisy_layers``, in an instance's place of torch's
own, so that a case is trained with its noise on and the masks are equal to the bit in every target,
on every device. What draws inside a torch kernel and cannot be replaced is set to zero and
reported. Non-goals: ``torch.nn.functional`` calls; torch's own dropout, which ``native_dropout``
checks. A layer called twice within a step uses one mask twice.
"""

# torch.jit reads the annotations of attributes as types: no text stands in their place here.
import math
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from specc.harness.counter import STEP_BUFFER, key_of, stream
from specc.harness.noisy_layers import twin_of

# SELU's negative saturation, from which AlphaDropout's constants are made: alpha * scale of
# Klambauer et al., "Self-normalizing neural networks" (2017), as in torch's dropout.
_SATURATION = 1.7580993408473766


class PortableDropout(nn.Module):
    """``y = x * factor + shift`` where kept, ``shift_dropped`` where dropped, as in torch.

    Plain dropout has factor 1 / (1 - p) and no shifts; alpha dropout keeps mean and variance. The
    constants are rounded to each dtype beforehand: a compiler that keeps bfloat16 values in float32
    registers would otherwise compute with other ones than eager.
    """

    key: Final[int]
    p: Final[float]
    threshold: Final[int]
    channels: Final[bool]
    alpha: Final[bool]
    inplace: Final[bool]
    unbatched_dimensions: Final[int]
    noise_step: Tensor

    def __init__(
        self,
        key: int,
        p: float,
        *,
        channels: bool = False,
        alpha: bool = False,
        inplace: bool = False,
        unbatched_dimensions: int = -1,
    ) -> None:
        """``channels``: one draw a channel, not an element. ``unbatched_dimensions``: an input of
        so many dimensions has no batch dimension."""
        super().__init__()
        self.key = key
        self.p = p
        self.threshold = round(p * 2.0**53)
        self.channels = channels
        self.alpha = alpha
        self.inplace = inplace
        self.unbatched_dimensions = unbatched_dimensions
        factor, kept, dropped = _constants(p, alpha)
        self.factors = _roundings(factor)
        self.kept_shifts = _roundings(kept)
        self.dropped_shifts = _roundings(dropped)
        self.register_buffer(STEP_BUFFER, torch.zeros((), dtype=torch.int64), persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """Any shape; the same shape and dtype. The identity in evaluation mode and for p = 0."""
        if not self.training or self.p == 0.0:
            return input
        shape = list(input.shape)
        if self.channels:
            leading = 1 if len(shape) == self.unbatched_dimensions else 2
            for dimension in range(leading, len(shape)):
                shape[dimension] = 1
        count = 1
        for size in shape:
            count = count * size
        words = stream(self.key, self.noise_step, count)
        drawn = (words >> 11) & 0x1FFFFFFFFFFFFF
        kept = (drawn >= self.threshold).reshape(shape).to(input.dtype)
        which = 0
        if input.dtype == torch.float32:
            which = 1
        elif input.dtype == torch.bfloat16:
            which = 2
        elif input.dtype == torch.float16:
            which = 3
        noise = kept * self.factors[which]
        output = input.mul_(noise) if self.inplace else input * noise
        if self.alpha:
            # One product is exact and the other zero, so the shift is not rounded again.
            shift = kept * self.kept_shifts[which] + (1 - kept) * self.dropped_shifts[which]
            output = output.add_(shift) if self.inplace else output + shift
        return output

    def extra_repr(self) -> str:
        return f"p={self.p}, channels={self.channels}, alpha={self.alpha}"


def _constants(p: float, alpha: bool) -> tuple[float, float, float]:
    """(factor, shift where kept, shift where dropped): all zero for p = 1, as torch has it."""
    if p == 1.0:
        return 0.0, 0.0, 0.0
    if not alpha:
        return 1.0 / (1.0 - p), 0.0, 0.0
    factor = 1.0 / math.sqrt((_SATURATION**2 * p + 1.0) * (1.0 - p))
    shift = _SATURATION * factor * p
    return factor, shift, shift - _SATURATION * factor


def _roundings(value: float) -> tuple[float, float, float, float]:
    """The value rounded to float64, float32, bfloat16, float16."""

    def rounded(dtype: torch.dtype) -> float:
        return torch.tensor(value, dtype=torch.float64).to(dtype).item()

    return value, rounded(torch.float32), rounded(torch.bfloat16), rounded(torch.float16)


@dataclass(frozen=True, slots=True)
class Silenced:
    """Noise that was switched off: the module's name and type, the attribute and what it was."""

    name: str
    type: str
    attribute: str
    value: float

    def __str__(self) -> str:
        return f"{self.name or 'the model'} ({self.type}): {self.attribute} {self.value} set to 0"


@dataclass(frozen=True, slots=True)
class PortableReport:
    """What ``make_portable`` did: the layers replaced, and the noise switched off."""

    replaced: tuple[str, ...]
    silenced: tuple[Silenced, ...]


# Type -> (one draw a channel, alpha, number of dimensions of an input without batch).
_DROPOUTS: dict[type[nn.Module], tuple[bool, bool, int]] = {
    nn.Dropout: (False, False, -1),
    nn.Dropout1d: (True, False, 2),
    # torch reads the 3-D input of Dropout2d as [N, C, L].
    nn.Dropout2d: (True, False, -1),
    nn.Dropout3d: (True, False, 4),
    nn.AlphaDropout: (False, True, -1),
    nn.FeatureAlphaDropout: (True, True, -1),
}


def make_portable(module: nn.Module, seed: int) -> PortableReport:
    """Replace, in ``module`` itself, each layer that draws by its portable twin, keyed by its
    dotted name.

    Dropout inside LSTM, GRU, RNN (between layers) and MultiheadAttention is set to zero. Nothing is
    drawn from torch's generator, here or in the replaced layers. Raises ValueError when ``module``
    is itself such a layer, which cannot be replaced in place.
    """
    replaced: list[str] = []
    silenced: list[Silenced] = []
    # A layer under two names is two uses: each draws for itself.
    for name, each in list(module.named_modules(remove_duplicate=False)):
        kind = type(each)
        twin = _twin(each, key_of(seed, name))
        if twin is not None:
            owner, _, leaf = name.rpartition(".")
            if not leaf:
                raise ValueError("a layer that draws cannot be replaced in place where it is alone")
            setattr(module.get_submodule(owner), leaf, twin)
            replaced.append(name)
        elif isinstance(each, nn.RNNBase):
            if each.dropout > 0 and each.num_layers > 1:
                silenced.append(Silenced(name, kind.__name__, "dropout", float(each.dropout)))
                each.dropout = 0.0
        elif isinstance(each, nn.MultiheadAttention):
            if each.dropout > 0:
                silenced.append(Silenced(name, kind.__name__, "dropout", float(each.dropout)))
                each.dropout = 0.0
    return PortableReport(tuple(replaced), tuple(silenced))


def set_step(runnable: nn.Module, step: int) -> None:
    """Set the step that the portable layers of a module, or of any target's runnable, draw for."""
    for name, buffer in runnable.named_buffers():
        if name.rpartition(".")[2] == STEP_BUFFER:
            buffer.fill_(step)


def _twin(layer: Any, key: int) -> nn.Module | None:
    if type(layer) not in _DROPOUTS:
        return twin_of(layer, key)
    channels, alpha, unbatched = _DROPOUTS[type(layer)]
    twin = PortableDropout(
        key,
        layer.p,
        channels=channels,
        alpha=alpha,
        inplace=layer.inplace,
        unbatched_dimensions=unbatched,
    )
    return twin.train(layer.training)
