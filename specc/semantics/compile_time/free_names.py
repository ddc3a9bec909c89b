"""Which names a spec may give: what Python, torch's modules and the emitted source leave free.

Non-goals: which names those are (``specc.emitted_names``), what a name refers to.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import Final

from specc.catalog import METRICS, REGULARIZERS
from specc.emitted_names import (
    CALLED_BY_CONSTRUCTORS,
    EMITTED_GLOBALS,
    EMITTED_METHODS,
    EXPORTED_ATTRIBUTES,
    MODULE_ATTRIBUTES,
    average_method,
    methods_of_step,
)
from specc.errors import Collector, Span
from specc.syntax.tree import ast

# What a method of a step is.
_PURPOSES: Final = {
    "loss": "the loss",
    "penalty": "the penalty",
    "constraint": "the constraint",
    "optimizer": "what makes the optimizer",
}
# Why a layer, a copy or an average cannot have a name: whose it is.
_OWNERS: Final = (
    (MODULE_ATTRIBUTES, "it is an attribute of every module"),
    (EMITTED_METHODS, "it is a method of the emitted class"),
    (EXPORTED_ATTRIBUTES, "it is an attribute of torch's exported programs"),
)

# The functions that the emitted file carries for what torch does not have.
_HELPERS: Final = frozenset(
    row.torch for row in (*METRICS.values(), *REGULARIZERS.values()) if row.helper
)


def check_name(
    name: str, span: Span, collector: Collector, what: str, kept: frozenset[str] = frozenset()
) -> bool:
    """Whether ``name`` may be given to a ``what``; an E0205 where Python keeps it to itself.

    ``kept`` are the names that the emitted source may have from the project's extensions."""
    if keyword.iskeyword(name):
        collector.error(
            "E0205",
            f"`{name}` is a word of Python's and cannot name a {what} of the emitted source",
            span,
            f"call it `{name}_`",
        )
        return False
    if (what in ("param", "size", "variable", "class") and name in kept) or (
        what in ("param", "size", "variable") and name in CALLED_BY_CONSTRUCTORS
    ):
        collector.error(
            "E0205",
            f"`{name}` means something in the emitted source, where it would name a {what}",
            span,
            f"call it `{name.strip('_') or 'value'}_`" if name != "_" else "give it a name",
        )
        return False
    if name.startswith("__"):
        collector.error(
            "E0205",
            f"names that begin with two underscores are Python's own: `{name}` cannot name a"
            f" {what}",
            span,
            f"call it `{name.strip('_') or 'value'}`",
        )
        return False
    return True


def owner(name: str) -> str | None:
    """Why no attribute of an emitted class can be called ``name``; None where it can."""
    if name.startswith("_"):
        return "it begins with an underscore, as the module's own attributes do"
    return next((reason for names, reason in _OWNERS if name in names), None)


def check_label(
    name: str, span: Span, collector: Collector, container: frozenset[str] = frozenset()
) -> bool:
    """Whether a layer may be called ``name``; an E0207 where it would hide a module's attribute,
    or one of what contains it."""
    if not check_name(name, span, collector, "layer"):
        return False
    reason = owner(name)
    if reason is None and name in container:
        reason = "it is an attribute of the container that it would be in"
    if reason is None:
        return True
    collector.error(
        "E0207",
        f"a layer cannot be called `{name}`: {reason}",
        span,
        f"call it `{name.strip('_') or 'layer'}_layer`",
    )
    return False


def check_twin(
    name: str, what: str, methods: Mapping[str, str], span: Span, collector: Collector
) -> bool:
    """Whether a copy or an average may be called ``name``; an E0207 where the class ``Training``,
    whose attribute it becomes, has something of that name. ``methods`` are ``training_methods``."""
    if not check_name(name, span, collector, what):
        return False
    reason = owner(name)
    if reason is None and name in methods:
        reason = f"it is {methods[name]}, a method of the emitted class"
    if reason is None:
        return True
    collector.error(
        "E0207",
        f"{what} cannot be called `{name}`: {reason}",
        span,
        f"call it `{name.strip('_') or 'model'}_model`",
    )
    return False


def training_methods(block: ast.Train, collector: Collector) -> dict[str, str]:
    """The methods that the class ``Training`` of ``block`` has for its steps and averages, each
    with what it is; an E0205 where two would be one, or one is there for another purpose."""
    found: dict[str, str] = {}
    for statement in block.body:
        if isinstance(statement, ast.Step):
            name, what = statement.name, "step"
            wanted = {
                method: f"{_PURPOSES[role]} of the step `{name}`"
                for role, method in methods_of_step(name).items()
            }
        elif isinstance(statement, ast.Ema):
            name, what = statement.name, "average"
            wanted = {average_method(name): f"what moves the average `{name}`"}
        else:
            continue
        for method, purpose in wanted.items():
            taken = None
            if method in MODULE_ATTRIBUTES or method in EMITTED_METHODS:
                taken = "every training has"
            elif found.get(method, purpose) != purpose:
                taken = f"is {found[method]}"
            if taken is not None:
                collector.error(
                    "E0205",
                    f"`{name}` cannot name this {what}: its method would be `{method}`, which"
                    f" {taken}",
                    statement.span,
                    f"call it `{name}_{what}`",
                )
            found.setdefault(method, purpose)
    return found


def check_type_name(
    name: str, span: Span, collector: Collector, kept: frozenset[str] = frozenset()
) -> bool:
    """Whether a model or block may be called ``name``: an emitted class of that name."""
    if not check_name(name, span, collector, "class", kept):
        return False
    if name in EMITTED_GLOBALS or name in _HELPERS:
        collector.error(
            "E0205",
            f"`{name}` is a name that the emitted source uses itself",
            span,
            f"call it `{name}Model`",
        )
        return False
    return True
