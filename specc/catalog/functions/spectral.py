"""Rows of Fourier transforms (torch.fft, by the last part of each name) and of complex numbers."""

from __future__ import annotations

from functools import partial

from specc.catalog.functions.family import Family
from specc.catalog.rows import FunctionRow
from specc.catalog.shapes.of_functions import creation, elementwise, pairwise
from specc.catalog.shapes.of_functions import spectral as rules

_complex = Family("complex", example="z: complex[N, 6] | {}(z)")
_spectral = Family("spectral")
_creation = Family("creation")

_NORMS = ("forward", "backward", "ortho")
# (names, what each does, kind of the last dimension, the example's input)
_TRANSFORMS = (
    ("fft", "the Fourier transform", "", "z: complex"),
    ("ifft", "the inverse Fourier transform", "", "z: complex"),
    ("rfft", "the Fourier transform of real numbers, half of it", "halved", "z: float"),
    ("irfft", "the inverse of rfft", "doubled", "z: complex"),
    ("hfft", "the Fourier transform of what is Hermitian, given by half", "doubled", "z: complex"),
    ("ihfft", "the inverse of hfft", "halved", "z: float"),
)
_SIZES = "s: size | sizes | none = None, dim: int | ints{} = {}, norm: str | none = None"


def _transform(name: str, summary: str, kind: str, example: str) -> tuple[FunctionRow, ...]:
    row = partial(_spectral, choices={"norm": _NORMS})
    return (
        row(
            f"torch.fft.{name}",
            f"{summary}, along dim",
            partial(rules.transformed, kind=kind),
            "input: tensor, n: size | none = None, dim: int = -1, norm: str | none = None",
            example=f"{example}[N, 6] | {{}}(z)",
        ),
        row(
            f"torch.fft.{name}2",
            f"{summary}, over two dimensions",
            partial(rules.transformed_along, kind=kind),
            f"input: tensor, {_SIZES.format('', (-2, -1))}",
            example=f"{example}[N, 4, 6] | {{}}(z)",
        ),
        row(
            f"torch.fft.{name}n",
            f"{summary}, over several dimensions",
            partial(rules.transformed_along, kind=kind),
            f"input: tensor, {_SIZES.format(' | none', None)}",
            example=f"{example}[N, 4, 6] | {{}}(z, dim=(1, 2))",
        ),
    )


_SHIFT = "input: tensor, dim: int | ints | none = None"

ROWS = (
    *(row for transform in _TRANSFORMS for row in _transform(*transform)),
    _spectral(
        "torch.fft.fftshift",
        "the frequency 0 moved to the middle",
        rules.shifted,
        _SHIFT,
        example="x -> fftshift",
    ),
    _spectral(
        "torch.fft.ifftshift",
        "the inverse of fftshift",
        rules.shifted,
        _SHIFT,
        example="x -> ifftshift",
    ),
    *(
        _creation(
            f"torch.fft.{name}",
            f"the frequencies of {of}, with samples d apart",
            partial(creation.frequencies, halved=name == "rfftfreq"),
            "n: size, d: float = 1.0",
            example=f"x: float[N, {6 if name == 'fftfreq' else 4}] | x * {{}}(6, d=0.5)",
        )
        for name, of in (("fftfreq", "fft"), ("rfftfreq", "rfft"))
    ),
    _complex(
        "torch.complex",
        "complex numbers of two parts",
        partial(pairwise.alike, takes="f", gives="complex"),
        "real: tensor, imag: tensor",
        example="x: float[N, 6], y: float[N, 6] | complex(x, y)",
    ),
    _complex(
        "torch.polar",
        "complex numbers of size and angle",
        partial(pairwise.alike, takes="f", gives="complex"),
        "abs: tensor, angle: tensor",
        example="x: unit[N, 6], y: float[N, 6] | polar(x + 0.5, y)",
    ),
    _complex("torch.real", "the real part", rules.real),
    _complex("torch.imag", "the imaginary part", rules.imaginary),
    _complex("torch.angle", "the angle", partial(elementwise.mapped, gives="angle")),
    _complex("torch.conj", "the conjugate", elementwise.mapped),
    _complex("torch.view_as_real", "the parts, in a last dimension of 2", rules.pairs),
    _complex(
        "torch.view_as_complex",
        "complex numbers of the parts in a last dimension of 2",
        rules.from_pairs,
        example="x: float[N, 6, 2] | {}(x)",
    ),
)
