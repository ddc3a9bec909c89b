"""E043: derivatives that a loss is made of, and how models are called in ``train``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.codes.form import Code

ROWS: Final[Mapping[str, Code]] = {
    "E0430": Code(
        "a derivative of what has none, or by what it cannot be taken",
        (
            "`grad(number, value)` is the derivative of one float by each entry of a tensor of "
            "floats: an input of the batch, or what is computed in `train`. It can be "
            "differentiated again. Of a tensor take the sum, whose derivative by an entry is that "
            "of what the entry went into."
        ),
        "slope = grad(score, mixed)",
        "Write one number first: `grad(sum(score), mixed)`.",
    ),
    "E0431": Code(
        "a derivative by what the number is not computed from",
        (
            "The number must be computed from that very value, in the same step, without a "
            "`detach` between: torch follows what was computed, not what has the same numbers."
        ),
        "score = Critic(real)\nslope = grad(sum(score), mixed)",
        "Compute the number from the value: `score = Critic(mixed)`.",
    ),
    "E0432": Code(
        "a derivative under float16",
        (
            "The gradients of float16 are scaled so that they do not vanish. A derivative inside "
            "the loss is not, and most of its entries would be 0."
        ),
        "precision float16",
        "Write `precision bfloat16`, whose range is that of float32, or leave it out.",
    ),
    "E0434": Code(
        "accumulated batches weighed by what is no number of the step",
        (
            "`accumulate 4 by tokens` makes the mean over all that four batches count of their "
            "means: `tokens` is what a batch counts, one float by a name of its own in a `train` "
            "of one loss."
        ),
        "accumulate 2 by counts",
        "Name the number: `tokens = sum(weight)`, then `accumulate 4 by tokens`.",
    ),
    "E0433": Code(
        "a model called with weights that are given to it",
        (
            "In `train` a model is called with the weights that it has: the emitted step is a "
            "module's plain call, which every target compiles. With weights that are computed "
            "(MAML's inner step, a hypernetwork) it would be another function of each of its "
            "layers, which no scripted or exported module is. So weights are no values there, "
            "and derivatives are by what a batch brings or the step computes."
        ),
        "after = Net(x, params=fast)",
        (
            "Compute with functions, whose weights are values: `linear(x, weight)`; or make the "
            "weights' network and what uses them one model."
        ),
    ),
}
