"""The ways to judge that are compared: ours, ``torch.testing.assert_close``, and the rule of
torch's own compiler benchmarks.

The other two are given what their users give them: outputs, losses, gradients, buffers and the
parameters after the last step, against a run that was not changed (``assert_close``) and against
float64 beside it (``same``). They see whole tensors; ours sees what a golden holds. Non-goals:
running, settings of the others but their defaults.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from specc.harness.cases.case import ClosedCase
from specc.harness.running.observed_lines import WITHOUT_HOOKS

# What torch's benchmarks give `same` when they train, and when they infer.
SAME_TRAINING = 1e-3
SAME_INFERENCE = 1e-4
_SEEN = ("output", "loss", "grad", "input_grad", "buffer", "metric", *WITHOUT_HOOKS)


def visible(whole: Mapping[str, Tensor], closed: ClosedCase) -> dict[str, Tensor]:
    """What a user of the other rules compares, of all that a run showed."""
    found = {}
    after = {name: value.double() for name, value in closed.parameters.items()}
    for name, tensor in whole.items():
        stage, _, rest = name.partition("/")
        kind, _, of = rest.partition("/")
        if kind in _SEEN and stage != "end":
            found[name] = tensor
        elif kind == "delta" and of in after:
            after[of] = after[of] + tensor.double()
    wide = next((t.dtype for t in whole.values() if t.is_floating_point()), torch.float32)
    if any("/delta/" in name for name in whole):
        found |= {f"parameter/{name}": value.to(wide) for name, value in after.items()}
    return found


def assert_close_passes(run: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    """``torch.testing.assert_close`` at its defaults, tensor by tensor."""
    if run.keys() != expected.keys():
        return False
    for name, tensor in run.items():
        try:
            torch.testing.assert_close(tensor, expected[name], equal_nan=True)
        except AssertionError:
            return False
    return True


def same_passes(
    run: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    exact: Mapping[str, Tensor],
    *,
    training: bool,
) -> bool:
    """``torch._dynamo.utils.same`` as torch's benchmarks call it."""
    from torch._dynamo.utils import same

    # It zips lists: a tensor that is missing shows as another number of them.
    names = [name for name in expected if name in run and name in exact]
    if len(run) != len(expected):
        return False
    with _quiet():
        try:
            passes = same(
                [expected[name] for name in names],
                [run[name] for name in names],
                [exact[name] for name in names],
                tol=SAME_TRAINING if training else SAME_INFERENCE,
                equal_nan=True,
            )
        except ZeroDivisionError:
            # It divides by an error of zero to say how bad what it has found is.
            return False
    return bool(passes)


@contextmanager
def _quiet() -> Iterator[None]:
    """While open, what `same` logs of each difference is not shown."""
    log = logging.getLogger("torch._dynamo.utils")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before
