"""State as other frameworks declare it, said as a spec does: ``nn.Parameter(torch.zeros(8))`` as
``parameter name: float[8] = zeros_``, ``register_buffer("mask", ...)`` as ``buffer mask = ...``.

Non-goals: where such a line stands (``habit_statements``, ``semantics.models.models``); whether
what is made of it checks, which is tried."""

from __future__ import annotations

import re
from typing import Final

_PREFIX: Final = re.compile(
    r"\b(?:torch|nn|np|numpy|jnp|tf|jax|init|initializers|self)\.(?=[A-Za-z_])"
)
_DROPPED: Final = re.compile(r",\s*(?:requires_grad|dtype|device|trainable)\s*=\s*[\w.]+")
_MAKERS: Final = {"zeros": "zeros_", "ones": "ones_", "randn": "normal_", "rand": "uniform_"}
# Flax' and Keras' initialisers of what they call so.
_INITIALISERS: Final = {
    "zeros": "zeros_", "zeros_init": "zeros_", "ones": "ones_", "ones_init": "ones_",
    "normal": "normal_", "uniform": "uniform_", "xavier_uniform": "xavier_uniform_",
    "glorot_uniform": "xavier_uniform_", "glorot_normal": "xavier_normal_",
    "xavier_normal": "xavier_normal_", "he_normal": "kaiming_normal_",
    "he_uniform": "kaiming_uniform_", "truncated_normal": "trunc_normal_",
}  # fmt: skip
_NUMBER: Final = r"-?\d[\d.]*(?:[eE][-+]?\d+)?"
_MADE: Final = re.compile(
    rf"(?:(?P<before>{_NUMBER}|\w+)\s*\*\s*)?(?P<maker>zeros|ones|randn|rand)\((?P<sizes>.*)\)"
    rf"(?:\s*\*\s*(?P<after>{_NUMBER}|\w+))?"
)
_FULL: Final = re.compile(r"full\(\s*(?P<sizes>[\[(].*[\])]|\w+)\s*,\s*(?P<value>[^,]+)\)")
_SCALAR: Final = re.compile(rf"(?:tensor|as_tensor|array)\((?P<value>{_NUMBER})\)")
_GIVEN: Final = re.compile(r"(?:tensor|as_tensor|array|asarray|from_numpy|Tensor)\((?P<value>.*)\)")


def parameter(name: str, value: str) -> str | None:
    """``parameter name ...`` of what ``nn.Parameter`` is given; None where it is not understood."""
    said = _bare(value)
    made = _MADE.fullmatch(said)
    sizes = _sizes(made["sizes"]) if made is not None else None
    if made is not None and sizes is not None:
        scale = made["before"] or made["after"]
        filled = _filled(made["maker"], scale)
        return None if filled is None else f"parameter {name}: float[{sizes}] = {filled}"
    full = _FULL.fullmatch(said)
    sizes = _sizes(full["sizes"]) if full is not None else None
    if full is not None and sizes is not None:
        return f"parameter {name}: float[{sizes}] = constant_({full['value'].strip()})"
    scalar = _SCALAR.fullmatch(said)
    if scalar is not None:
        return f"parameter {name}: float[] = constant_({scalar['value']})"
    if re.match(r"(?:empty|Tensor)\((?!\[)", said) or said.isidentifier():
        return None  # what fills it stands elsewhere
    return f"parameter {name} = {_computed(said)}"


def buffer(arguments: str) -> str | None:
    """``buffer name = ...`` of the arguments of ``register_buffer``."""
    found = re.fullmatch(r"""\s*["'](\w+)["']\s*,\s*(.*?)\s*""", arguments, re.DOTALL)
    if found is None:
        return None
    value = found[2]
    switch = re.search(r",\s*persistent\s*=\s*([Tt]rue|[Ff]alse)\s*$", value)
    if switch is not None:
        value = value[: switch.start()]
    said = _computed(_bare(value))
    last = f", persistent={switch[1].lower()}" if switch is not None else ""
    return None if said in ("None", "none") else f"buffer {found[1]} = {said}{last}"


def flax_parameter(arguments: str) -> str | None:
    """``parameter name: float[...] = ...`` of the arguments of Flax' ``self.param``."""
    found = re.fullmatch(
        r"""\s*["'](\w+)["']\s*,\s*([\w.]+)(?:\(([^()]*)\))?\s*,\s*(\(.*\)|\[.*\])\s*""", arguments
    )
    if found is None:
        return None
    name = _INITIALISERS.get(found[2].rpartition(".")[2])
    sizes = _sizes(_bare(found[4]))
    if name is None or sizes is None:
        return None
    given = (found[3] or "").strip()
    if name == "normal_":
        # Flax' has a width of its own where none is said.
        name = f"normal_(std={given or '0.01'})" if "=" not in given else None
    elif given:
        name = None
    return None if name is None else f"parameter {found[1]}: float[{sizes}] = {name}"


def _filled(maker: str, scale: str | None) -> str | None:
    if scale is None or maker == "zeros":
        return _MAKERS[maker]
    if maker == "ones":
        return f"constant_({scale})"
    return f"normal_(std={scale})" if maker == "randn" else f"uniform_(0.0, {scale})"


def _bare(value: str) -> str:
    """``value`` without the prefixes of Python's modules, and what the run decides."""
    said = _DROPPED.sub("", " ".join(value.split()))
    said = _PREFIX.sub("", _PREFIX.sub("", said))
    return re.sub(r"'([^'\"]*)'", r'"\1"', said).strip()


def _computed(said: str) -> str:
    """An expression whose numbers, if it is nothing but numbers, stand in parentheses."""
    given = _GIVEN.fullmatch(said)
    if given is None:
        return said
    value = given["value"].strip()
    return f"({value[1:-1]})" if value.startswith("[") and "[" not in value[1:] else value


def _sizes(said: str) -> str | None:
    """What stands between the brackets of a type, of ``1, 16``, ``(1, 16)`` or ``size=(16,)``."""
    inside = re.sub(r"^\s*(?:size|shape)\s*=\s*", "", said).strip()
    if re.fullmatch(r"\(.*\)|\[.*\]", inside):
        inside = inside[1:-1].strip()
    inside = inside.rstrip(",").strip()
    return None if not inside or "=" in inside or inside.count("(") != inside.count(")") else inside
