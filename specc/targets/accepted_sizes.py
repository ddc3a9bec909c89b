"""Which of its free sizes a graph takes: it is run on others.

torch tells of a size that is a number in a graph. Of one that is held by what is made of it, as
``(T + 1) // 2 == 24`` where a recurrent layer reads behind a stride, a guard knows alone, and not
that it holds T for good. Non-goals: choosing the sizes (``harness.cases.build_sizes``), numbers
(``prove``).
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from specc.targets import FreeSizes, Others

_GUARD = re.compile(r"Guard failed: (.+)")
_SIZE = re.compile(r"(\w+)\.size\(\)\[(\d+)\]")


@dataclass(slots=True)
class Refused:
    """``bound`` are the sizes that are held to one value, by name, each with what the graph's guard
    asks; ``small`` those of which the graph refuses a small one alone, with that and the guard."""

    bound: dict[str, str] = field(default_factory=dict)
    small: dict[str, tuple[int, str]] = field(default_factory=dict)

    def notes(self) -> tuple[str, ...]:
        """What of ``small`` whoever has the artefact should be told."""
        if not self.small:
            return ()
        sizes = ", ".join(f"{name}={size}" for name, (size, _) in self.small.items())
        guards = dict.fromkeys(guard for _, guard in self.small.values() if guard)
        asked = f" (its graph asks {next(iter(guards))})" if guards else ""
        return (f"refuses small sizes, such as {sizes}{asked}",)


def refused(
    made: nn.Module,
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    free_sizes: FreeSizes,
    others: Others,
) -> Refused:
    """What ``made``, a graph of ``module`` from ``inputs``, does not take of ``free_sizes``.

    A size is bound where a greater one is refused, or every other. What ``module`` itself refuses
    tells nothing.
    """
    before = {name: buffer.clone() for name, buffer in made.named_buffers()}
    answers: dict[tuple[str, ...], list[tuple[int, bool, str | None]]] = {}
    for other in others:
        changed = _changed(inputs, other, free_sizes)
        if not changed:
            continue
        reason = _refusal(made, other)
        if reason is not None and _refusal(copy.deepcopy(module), other) is not None:
            continue
        size, greater = next(iter(changed.values()))
        answers.setdefault(tuple(changed), []).append((size, greater, reason))
    with torch.no_grad():
        for name, buffer in made.named_buffers():
            buffer.copy_(before[name])
    found = Refused()
    for names, tried in answers.items():
        bad = [each for each in tried if each[-1] is not None]
        if not bad:
            continue
        size, _, reason = bad[-1]
        guard = _in_names(reason or "", module, free_sizes)
        if len(bad) == len(tried) or any(greater for _, greater, _ in bad):
            found.bound |= dict.fromkeys(names, guard)
        else:
            found.small[names[0]] = size, guard
    return found


def _changed(
    inputs: tuple[Tensor, ...], other: tuple[Tensor, ...], free_sizes: FreeSizes
) -> dict[str, tuple[int, bool]]:
    """The names of the sizes in which ``other`` differs, with its own and whether it is greater."""
    if [each.dim() for each in inputs] != [each.dim() for each in other]:
        return {}
    return {
        name: (theirs.shape[dimension], theirs.shape[dimension] > mine.shape[dimension])
        for mine, theirs, names in zip(inputs, other, free_sizes, strict=True)
        for dimension, name in names.items()
        if theirs.shape[dimension] != mine.shape[dimension]
    }


def _refusal(runnable: nn.Module, inputs: tuple[Tensor, ...]) -> str | None:
    """Why it does not run; None where it does."""
    try:
        with torch.random.fork_rng(), torch.no_grad():
            runnable(*(each.clone() for each in inputs))
    except Exception as error:  # guards come in several types across versions
        return str(error).strip() or type(error).__name__
    return None


def _in_names(reason: str, module: nn.Module, free_sizes: FreeSizes) -> str:
    """What a guard asks, in the names of the sizes: ``1 + (-1 + T) // 2 == 24``."""
    guard = _GUARD.search(reason)
    if guard is None:
        return ""
    arguments = dict(zip(inspect.signature(module.forward).parameters, free_sizes, strict=False))

    def named(size: re.Match[str]) -> str:
        sizes: Mapping[int, str] = arguments.get(size[1], {})
        return sizes.get(int(size[2]), size[0])

    return _SIZE.sub(named, guard[1])
