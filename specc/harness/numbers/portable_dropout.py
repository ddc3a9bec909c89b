"""Portable dropout: torch's dropout layers with their mask drawn from the portable generator.

``make_portable`` puts such layers, and those of ``noisy_layers``, in an instance's place of torch's
own, so that a case is trained with its noise on and the masks are equal to the bit in every target,
on every device. What draws inside a torch kernel and cannot be replaced is set to zero and
reported. Non-goals: the arithmetic, which is ``draws``'; torch's own dropout, which
``native_dropout`` checks. A layer called twice within a step uses one mask twice.
"""

# torch.jit reads the annotations of attributes as types: no text stands in their place here.
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from specc.harness.numbers.counter import STEP_BUFFER, key_of
from specc.harness.numbers.draws import portable_dropout
from specc.harness.numbers.noisy_layers import twin_of


class PortableDropout(nn.Module):
    """``draws.portable_dropout`` as a layer, which has its key and its counter for itself."""

    key: Final[int]
    p: Final[float]
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
        self.p = float(p)
        self.channels = channels
        self.alpha = alpha
        self.inplace = inplace
        self.unbatched_dimensions = unbatched_dimensions
        self.register_buffer(STEP_BUFFER, torch.zeros((), dtype=torch.int64), persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """Any shape; the same shape and dtype. The identity in evaluation mode and for p = 0."""
        return portable_dropout(
            input,
            self.key,
            self.noise_step,
            self.p,
            self.training,
            self.inplace,
            self.channels,
            self.alpha,
            self.unbatched_dimensions,
        )

    def extra_repr(self) -> str:
        return f"p={self.p}, channels={self.channels}, alpha={self.alpha}"


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
