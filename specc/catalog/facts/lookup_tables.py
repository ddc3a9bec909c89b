"""What looks something up by whole numbers: which argument does, and in how many entries.

A number outside ends in torch's IndexError, or, on a GPU, in an assertion that takes the process
with it. Rows of data for ``specc.semantics.checks.lookups``. Non-goal: labels of losses, which may
hold what a loss ignores and so are no ``index(k)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from specc.catalog.shapes.common import product
from specc.ir import TensorType
from specc.sizes import Poly, Size

# The settings and the types of the tensors of a call, to the number of entries; None where open.
Settings: TypeAlias = Mapping[str, object]
Types: TypeAlias = Mapping[str, TensorType]
Entries: TypeAlias = Callable[[Settings, Types], "Size | None"]


def _setting(name: str) -> Entries:
    def entries(settings: Settings, types: Types) -> Size | None:
        found = settings.get(name)
        return found if isinstance(found, int | Poly) else None

    return entries


def _rows_of(name: str) -> Entries:
    return lambda settings, types: types[name].shape[0] if name in types else None


def _along(settings: Settings, types: Types) -> Size | None:
    shape, dim = types["input"].shape if "input" in types else (), settings.get("dim")
    if dim is None:
        return product(shape)
    return shape[dim] if isinstance(dim, int) and -len(shape) <= dim < len(shape) else None


# By the layer's name, or by what the function is to torch: the argument, and the entries.
LOOKUPS: Final[Mapping[str, tuple[str, Entries]]] = {
    "Embedding": ("input", _setting("num_embeddings")),
    "EmbeddingBag": ("input", _setting("num_embeddings")),
    "F.embedding": ("input", _rows_of("weight")),
    "F.embedding_bag": ("input", _rows_of("weight")),
    "F.one_hot": ("input", _setting("num_classes")),
    "torch.take_along_dim": ("indices", _along),
    **{
        f"torch.{name}": ("index", _along)
        for name in (
            "gather", "take", "scatter", "scatter_add", "scatter_reduce", "index_select",
            "index_add", "index_copy", "index_fill",
        )
    },
}  # fmt: skip
