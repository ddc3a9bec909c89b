"""The library written in the language itself: ``use "std/drop_path.spec"``.

Which blocks it has, each with the file that it is in. The files are beside the package's code, in
``specc/std``; they are specs as any other. Non-goals: what a block computes, which its file says;
reading it (``specc.front``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

# What `specc catalog` calls what stands here.
KIND: Final = "block"
PREFIX: Final = "std/"
FOLDER: Final = Path(__file__).resolve().parent.parent / "std"
# How places in the library's files are told: no folder of a project is called so.
SHOWN: Final = "<specc>/std/"


@dataclass(frozen=True, slots=True)
class LibraryBlock:
    """One block. ``example`` is how a model or, of a loss, ``train`` uses it: ``inputs | use``."""

    name: str
    file: str
    kind: Literal["layer", "loss"]
    summary: str
    example: str

    @property
    def path(self) -> str:
        """What ``use`` takes: ``std/drop_path.spec``."""
        return f"{PREFIX}{self.file}.spec"


_ROWS: Final = (
    LibraryBlock(
        "DropPath", "drop_path", "layer",
        "stochastic depth: drops whole sequences of a batch",
        "x: float[N, T, 6] | x + (x -> Linear(6) -> DropPath(0.2))",
    ),
    LibraryBlock(
        "DropPath2d", "drop_path", "layer",
        "stochastic depth: drops whole images of a batch",
        "image: float[N, 3, H, W] | image + (image -> Conv2d(3, 1) -> DropPath2d(0.2))",
    ),
    LibraryBlock(
        "SqueezeExcite", "squeeze_excite", "layer",
        "weighs channels by what they are on average",
        "image: float[N, 8, H, W] | image -> SqueezeExcite(4)",
    ),
    LibraryBlock(
        "PatchEmbedding", "patch_embedding", "layer",
        "cuts images into patches, each a token",
        "image: float[N, 3, 8, 12] | image -> PatchEmbedding(6, patch=4)",
    ),
    LibraryBlock(
        "RotaryPositions", "rotary_positions", "layer",
        "turns queries and keys by their position, halves apart",
        "q: float[N, 2, T, 8] | q -> RotaryPositions",
    ),
    LibraryBlock(
        "InterleavedRotaryPositions", "rotary_positions", "layer",
        "turns queries and keys by their position, neighbours together",
        "q: float[N, 2, T, 8] | q -> InterleavedRotaryPositions",
    ),
    LibraryBlock(
        "SinusoidalPositions", "sinusoidal_positions", "layer",
        "adds sines and cosines of the position to tokens",
        "x: float[N, T, 6] | x -> SinusoidalPositions",
    ),
    LibraryBlock(
        "TimestepEmbedding", "sinusoidal_positions", "layer",
        "sines and cosines of a number: the time of a diffusion",
        "t: float[N] | t -> TimestepEmbedding(8)",
    ),
    LibraryBlock(
        "WindowAttention", "window_attention", "layer",
        "attention inside a window, with a table of biases by distance",
        "x: float[N, 6, 8] | x -> WindowAttention(2, window=(2, 3))",
    ),
    LibraryBlock(
        "MaskedWindowAttention", "window_attention", "layer",
        "the same where a mask parts the windows",
        "x: float[N, 6, 8], mask: float[N, 6, 6] | MaskedWindowAttention(2, window=(2, 3))"
        "(x, mask)",
    ),
    LibraryBlock(
        "SwiGLU", "swiglu", "layer",
        "a gated feed-forward layer",
        "x: float[N, T, 6] | x -> SwiGLU(16)",
    ),
    LibraryBlock(
        "FocalLoss", "focal_loss", "loss",
        "cross-entropy that turns to what is hard, one class of several",
        "logits: float[N, 3], label: index(3)[N] | FocalLoss(logits, label, gamma=1.5)",
    ),
    LibraryBlock(
        "BinaryFocalLoss", "focal_loss", "loss",
        "cross-entropy that turns to what is hard, of yes and no",
        "logits: float[N, 3], target: unit[N, 3] | BinaryFocalLoss(logits, target, alpha=0.4)",
    ),
    LibraryBlock(
        "DiceLoss", "dice_loss", "loss",
        "one minus the overlap of regions, a class for each pixel",
        "logits: float[N, 3, H, 4], label: index(3)[N, H, 4] | DiceLoss(logits, label)",
    ),
    LibraryBlock(
        "BinaryDiceLoss", "dice_loss", "loss",
        "one minus the overlap of regions, of yes and no",
        "logits: float[N, 3, H, 4], target: unit[N, 3, H, 4] | BinaryDiceLoss(logits, target)",
    ),
    LibraryBlock(
        "NTXentLoss", "nt_xent_loss", "loss",
        "two views of a sample find each other among all of a batch",
        "first: float[N, 6], second: float[N, 6] | NTXentLoss(first, second, temperature=0.2)",
    ),
)  # fmt: skip
BLOCKS: Final[Mapping[str, LibraryBlock]] = {row.name: row for row in _ROWS}
# What others call a block, and what of the library is it.
NAMES: Final[Mapping[str, str]] = {
    **{name: name for name in BLOCKS},
    **dict.fromkeys(("StochasticDepth", "drop_path", "stochastic_depth"), "DropPath"),
    **dict.fromkeys(
        ("SELayer", "SEModule", "SEBlock", "SqueezeExcitation", "SqueezeAndExcitation"),
        "SqueezeExcite",
    ),
    **dict.fromkeys(("PatchEmbed", "PatchEmbeddings"), "PatchEmbedding"),
    **dict.fromkeys(
        ("RoPE", "RotaryEmbedding", "RotaryPositionalEmbedding", "apply_rotary_pos_emb"),
        "RotaryPositions",
    ),
    **dict.fromkeys(
        ("PositionalEncoding", "SinusoidalEmbedding", "SinusoidalPositionalEncoding",
         "SinusoidalPositionalEmbedding"),
        "SinusoidalPositions",
    ),
    "SinusoidalTimeEmbedding": "TimestepEmbedding",
    **dict.fromkeys(("SwishGLU",), "SwiGLU"),
    **dict.fromkeys(("SigmoidFocalLoss", "sigmoid_focal_loss"), "BinaryFocalLoss"),
    "focal_loss": "FocalLoss",
    "dice_loss": "DiceLoss",
    **dict.fromkeys(("NTXent", "NT_Xent", "nt_xent_loss"), "NTXentLoss"),
}  # fmt: skip
PATHS: Final = tuple(dict.fromkeys(row.path for row in _ROWS))


def is_path(path: str) -> bool:
    """Whether ``use`` of ``path`` may mean a file of the library."""
    return path.startswith(PREFIX)


def shown(path: str) -> str:
    """The name that spans of the library's file at ``path`` have."""
    return SHOWN + path.removeprefix(PREFIX)


def text(path: str) -> str | None:
    """What the library's file at ``path`` says; None where there is none of that name."""
    if path not in PATHS and f"{PREFIX}{path}" not in PATHS:
        return None
    return (FOLDER / path.removeprefix(PREFIX)).read_text(encoding="utf-8")


def using(name: str) -> str:
    """What to write to have the block called ``name``, and those that its file has beside it."""
    path = BLOCKS[name].path
    others = [each.name for each in _ROWS if each.path == path and each.name != name]
    beside = f", beside {' and '.join(f'`{each}`' for each in others)}" if others else ""
    return f'the library has `{name}`{beside}: write `use "{path}"` above the models'
