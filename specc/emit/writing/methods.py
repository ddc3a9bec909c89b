"""Which functions of torch people write as methods of a tensor, and how they write the arguments.

``x.reshape(N, T, -1).transpose(1, 2)``: what changes a tensor's layout, picks from it or reduces it
reads from left to right. Functions of numbers (``torch.exp``) and of several tensors
(``torch.cat``) stay functions. Each method takes what the function takes after its first argument:
``tests/test_methods.py`` compares them. Non-goal: expressions in general (``expressions``)."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Final

METHODS: Final = frozenset(
    {"chunk", "diagonal", "flatten", "flip", "movedim", "narrow", "permute", "reshape", "roll"}
    | {"select", "split", "squeeze", "swapaxes", "transpose", "tril", "triu", "unbind"}
    | {"unflatten", "unsqueeze"}
    | {"gather", "index_select", "masked_fill", "repeat_interleave", "take_along_dim"}
    | {"all", "amax", "amin", "any", "argmax", "argmin", "cumprod", "cumsum", "logsumexp"}
    | {"mean", "prod", "std", "sum", "topk", "var"}
    | {"clamp", "detach"}
)
# Of these the sizes stand one by one: `x.permute(0, 2, 1)`.
_ONE_BY_ONE: Final = frozenset(["permute", "reshape"])
# Of these everybody knows what the arguments are by their place: `x.flatten(1)`.
_BY_PLACE: Final = {"flatten": ("start_dim", "end_dim"), "unbind": ("dim",)}


def as_method(
    torch: str, positional: Sequence[ast.expr], keywords: Sequence[ast.keyword]
) -> ast.expr | None:
    """The call of ``torch.name`` as one of its first argument's method; None where people write the
    function."""
    package, _, name = torch.rpartition(".")
    if package != "torch" or name not in METHODS or not positional:
        return None
    receiver, *others = positional
    named = list(keywords)
    if isinstance(receiver, ast.Constant | ast.List | ast.Tuple | ast.Starred):
        return None
    if name in _ONE_BY_ONE and len(others) == 1 and isinstance(others[0], ast.Tuple):
        others = others[0].elts or others
    known = _BY_PLACE.get(name, ())
    if tuple(item.arg for item in named) == known[: len(named)]:
        others, named = [*others, *(item.value for item in named)], []
    return ast.Call(ast.Attribute(receiver, name, ast.Load()), others, named)
