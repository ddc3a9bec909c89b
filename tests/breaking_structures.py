"""Programs of structure, in numbers: state of a block's own, lists, choices of layers, tables,
loops and branches of a training, derivatives, casts, freezing; put together from parts that may not
fit.

Each is made from a number alone. Non-goals: rows of the catalogue (``breaking_programs``), and what
becomes of the programs (``breaking``).
"""

from __future__ import annotations

import random
from typing import Final

# Of a value `x: float[N, D]` one of a shape that is most often the same.
_STEPS: Final = (
    "x -> Linear({d})", "x -> {layer}", "x -> {layer} -> {layer}", "x * gamma", "x + table[0]",
    "x -> Unit({d})", "x -> Unit({d}, {layer})", "x -> Scaled", "x -> repeat(2, k) Unit({d} + k)",
    "x -> Fork -> Join", "[x, x -> Linear({d})] -> Join", "cat([x, x], dim={i})",
    "float({cast}(x))", "float(x > {f}) * x", "where(x > {f}, x, {f})", "x[:, {i}:]",
    "x @ (weight() if false else x.mT) @ x", "softmax(x @ x.mT, dim=-1) @ x", "x ** {f}",
    "x / {f}", "x // {i}", "pad(x, (0, ({i} - {d} % {i}) % {i}))", "roll(x, {i}, dims=1)",
    "narrow(x, 1, {i}, {d} - {i})", "x + arange({d})", "x * long(x)", "x - bool(x)", "x + inf * 0",
    "clamp(x, min={f}, max=inf)", "x -> Unit({d}, Scaled)", "one_hot(long(x) % {i}, {i})[:, :, 0]",
    "lerp(x, x -> Linear({d}), {f})", "x -> Unit({d}, act={layer})", "stack([x, x])[{i}]",
    "x.mT.mT", "flip(x, dims={i})", "index_select(x, 1, place)", "x -> Noise",
)  # fmt: skip
_LAYERS: Final = (
    "ReLU", "GELU", "Dropout(0.1)", "LayerNorm", "BatchNorm1d", "Identity", "Softmax(dim=-1)",
    "LeakyReLU(0.1)", "Linear(6)", "PReLU", "Tanh", "GLU", "Embedding(5, 6)", "LSTM(6)",
)  # fmt: skip
_FRAMES: Final = (
    "  x = {step}", "  x = {step}", "  x = {step}",
    "  for i in range({i}) {{ x = {step} }}", "  for c, s in stages {{ x = {step} }}",
    "  for c, _ in stages {{ x = x -> Linear(c) -> {layer} }}",
    "  if {i} > 1 {{ x = {step} }} else {{ x = {step} }}",
    "  if deep and {d} == 6 {{ x = {step} }}",
    "  parts = [{step} for i in range(2)]\n  x = parts[0] + parts[{i}]",
    "  parts = [x, {step}]\n  for i in range(2) {{ parts = parts -> Fuse }}\n  x = parts[0]",
    "  many = [c * {i} for c, _ in stages]\n  x = x -> Linear(max(many)) -> Linear(len(many))",
    "  layer shared = {layer}\n  x = shared(x) + shared(x)",
)  # fmt: skip
_STATES: Final = (
    "  parameter gamma: float[6] = ones_", "  parameter gamma = ones({i})",
    "  buffer gamma: bool[6] = arange(6) > {i}", "  buffer gamma = arange(6), persistent=false",
    "  parameter gamma: float[6] = constant_({f})", "  buffer gamma = sum(ones(2, 6), dim=0)",
    "  parameter gamma: float[N] = zeros_", "  buffer gamma: index({i})[6] = arange(6)",
    "  parameter gamma: float[6, 6] = normal_ with orthogonal",
)  # fmt: skip
_TRAINS: Final = (
    "  loss = {loss}", "  loss = {loss}",
    "  loss = {loss}\n  for i in range({i}) {{ loss = loss + {f} * {loss} }}",
    "  if {i} > 1 {{ loss = {loss} }} else {{ loss = {loss} }}",
    "  slope = grad(sum({score}), t)\n  loss = {loss} + mean(slope ** 2)",
    "  slope = grad(sum({score}), t)\n  bend = grad(sum(slope {operator} 2), t)\n"
    "  loss = {loss} + mean(abs(bend))",
    "  weight = float(t > {f})\n  loss = sum(weight * {score}) / sum(weight)",
    "  losses = [{loss} for i in range(2)]\n  loss = losses[0] + losses[{i}]",
)  # fmt: skip
_SCORES: Final = (
    "(y - t)", "(y - t) ** 2", "y * t", "exp(-abs(y - t))", "M(t)", "M(t) ** 2", "y // t",
    "softmax(y, dim=-1) * t", "where(t > 0, y, t)", "t ** y", "y - float(t > 0)",
)  # fmt: skip
_LOSSES: Final = (
    "mean({score})", "sum({score})", "MSELoss(y, t)", "mean(abs({score}))", "max({score})",
    "CrossEntropyLoss(y, softmax(t, dim=-1))", "L1Loss(y, t)", "norm({score})",
)  # fmt: skip
_EXTRAS: Final = (
    "", "", "", "  freeze on *.weight", "  precision bfloat16", "  accumulate 2",
    "  clip GradNorm(1.0)", "  regularize L2(0.1) on *.weight", "  precision float16",
)  # fmt: skip
_OPTIMIZERS: Final = (
    "SGD(lr=0.1)", "AdamW(lr=0.01)", "SGD(lr=0.1) on *.weight\n  optimizer Adam(lr=0.1) on *.bias",
    "SGD(lr=0.1) {{ group(lr=0.2) on *.bias }}",
)  # fmt: skip
_BLOCKS: Final = """block Unit(width: int, act: layer = ReLU) {
  input x: float[N, D]
  h = x -> Linear(width) -> act
  output h -> Linear(D)
}

block Scaled {
  input x: float[N, D]
  parameter scale: float[D] = ones_
  buffer shift = 0.5 * ones(D)
  output x * scale + shift
}

block Noise {
  input x: float[N, D]
  output x + normal_like(x) * 0.1
}

block Fork {
  input x: float[N, D]
  output [x -> Linear(D), x -> Linear(D) -> ReLU]
}

block Join {
  input parts: [float[N, D] for k in range(2)]
  output parts[0] + parts[1]
}

block Fuse {
  input parts: [float[N, D] for k in range(2)]
  output [p -> Linear(D) for p in parts]
}
"""


def structured(number: int) -> tuple[str, str]:
    """The program of that number: what it is of, and its text."""
    rng = random.Random(f"structured {number}")

    def filled(text: str) -> str:
        while "{" in text.replace("{{", "").replace("}}", ""):
            text = _Parts(rng).put_into(text)
        return text.replace("{{", "{").replace("}}", "}")

    lines = ["  input x: float[N, 6]"]
    state = rng.random() < 0.7
    if state:
        lines.append(filled(rng.choice(_STATES)))
        lines.append("  parameter table: float[2, 6] = normal_")
        lines.append("  buffer place = arange(6), persistent=false")
    lines += [filled(rng.choice(_FRAMES)) for _ in range(rng.choice((1, 2, 2, 3)))]
    if rng.random() < 0.6:
        lines.append("  x = x -> Linear(6)")
    if rng.random() < 0.15:
        lines.append(rng.choice(("  freeze on *.bias", "  freeze linear_1", "  freeze on table")))
    lines += ["  y = x", "  output y"]
    text = ["spec 1", "", "param stages: tuple = ((6, 1), (8, 2))", "param deep: bool = true", ""]
    text += [_BLOCKS, "model M {", *lines, "}", ""]
    if rng.random() < 0.75:
        head = ["  input t: float[N, 6]", rng.choice(_EXTRAS), filled(rng.choice(_TRAINS))]
        optimizer = filled(rng.choice(_OPTIMIZERS))
        text += ["train {", *filter(None, head), f"  optimizer {optimizer}", "}", ""]
    text += ["test {", "  sizes N=3", "}", ""]
    return "a structure", "\n".join(text)


class _Parts:
    """Fills the places in a part with others, drawn from ``rng``."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def put_into(self, text: str) -> str:
        """``text`` with its first place filled, doubled braces as they are."""
        start = text.replace("{{", "\0\0").index("{")
        end = text.index("}", start)
        return text[:start] + self._of(text[start + 1 : end]) + text[end + 1 :]

    def _of(self, name: str) -> str:
        match name:
            case "step":
                return self.rng.choice(_STEPS)
            case "layer":
                return self.rng.choice(_LAYERS)
            case "d":
                return self.rng.choice(("6", "6", "6", "8", "5"))
            case "i":
                return self.rng.choice(("0", "1", "1", "2", "3", "-1"))
            case "f":
                return self.rng.choice(("0.5", "1.0", "0.0", "-1.0", "2", "0"))
            case "cast":
                return self.rng.choice(("long", "bool", "double", "half", "int"))
            case "loss":
                return self.rng.choice(_LOSSES)
            case "score":
                return self.rng.choice(_SCORES)
            case _:
                return self.rng.choice(("*", "**", "+", "/"))
