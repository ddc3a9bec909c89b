"""torch's own samples: the calls with which torch tests its functions, its layers and its losses
(``op_db``, ``module_db``), of those that the catalogue has, and of operators.

Non-goals: how one is said as a spec (``torch_said``), running either (``torch_oracle``), and which
of them specc refuses (``torch_refusals``).
"""

from __future__ import annotations

import inspect
import itertools
import operator
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from operator import attrgetter
from typing import Any, Final, TypeAlias

import torch
from catalog_oracle import torch_callable
from torch import nn
from torch_databases import module_db, op_db
from torch_said import Sample

from specc.catalog.catalogue import BUILT_IN
from specc.catalog.rows import FunctionRow, Row

# op_db calls these with the arguments in another order than torch's function has them in.
_ORDER: Final[Mapping[str, tuple[int, ...]]] = {
    "einsum": (1, 0),
    "embedding": (1, 0),
    "embedding_bag": (1, 0),
    "polygamma": (1, 0),
    "where": (1, 0, 2),
}
# Arguments that no spec has, with the values that say nothing: what a run chooses is chosen so
# here, or they are torch's own defaults.
_SAYS_NOTHING: Final[Mapping[str, tuple[Any, ...]]] = {
    "device": ("cpu", torch.device("cpu"), None),
    "dtype": (torch.float32, None),
    "layout": (torch.strided, None),
    "requires_grad": (False,),
    "pin_memory": (False,),
    "memory_format": (torch.preserve_format, torch.contiguous_format),
    "recompute_scale_factor": (None, False),
    "dropout_p": (0.0,),
    "bias": (True,),  # of a norm
    **{
        name: (None,)
        for name in (
            "offsets",
            "per_sample_weights",
            "fweights",
            "aweights",
            "weight",
            "sorter",
            "options",
        )
    },
}
# What op_db calls a method: as a spec writes it, and as Python computes what is so written.
_FORMS: Final[Mapping[str, tuple[str, Callable[..., Any]]]] = {
    "T": ("{0}.T", attrgetter("T")),
    "mT": ("{0}.mT", attrgetter("mT")),
    "__getitem__": ("{0}[{1}]", operator.getitem),
    "__radd__": ("{1} + {0}", lambda one, other: other + one),
    "__rsub__": ("{1} - {0}", lambda one, other: other - one),
    "__rmul__": ("{1} * {0}", lambda one, other: other * one),
    "__rdiv__": ("{1} / {0}", lambda one, other: other / one),
    "__rmod__": ("{1} % {0}", lambda one, other: other % one),
    "__rpow__": ("{1} ** {0}", lambda one, other: other**one),
    "__rmatmul__": ("{1} @ {0}", lambda one, other: other @ one),
}
# Entries of op_db that compute something else than the function that they are named for.
_COMPOSED: Final = {("linalg.pinv", "singular")}


Only: TypeAlias = Callable[[str], bool]


def _any(name: str) -> bool:
    return True


def functions(most: int | None = None, only: Only = _any) -> Iterator[Sample]:
    """The samples of each entry of ``op_db`` whose function is in the catalogue (or the first
    ``most``, of the names that ``only`` takes), in float32 on the CPU, and those that torch
    refuses."""
    known = {_path(row): name for name, row in BUILT_IN.functions.items()}
    for entry in op_db:
        paths = [entry.name, *(alias.name.removeprefix("torch.") for alias in entry.aliases)]
        name = next((known[path] for path in paths if path in known), None)
        if name is None or (entry.name, entry.variant_test_name) in _COMPOSED:
            continue
        if not only(name) or not entry.supports_dtype(torch.float32, "cpu"):
            continue
        order = _ORDER.get(name)
        torch.manual_seed(0)
        drawn = entry.sample_inputs("cpu", torch.float32, requires_grad=entry.supports_autograd)
        faulty = entry.error_inputs("cpu") if entry.error_inputs_func is not None else ()
        which = f"{entry.name}.{entry.variant_test_name}".strip(".")
        for number, each in enumerate(itertools.islice(drawn, most)):
            yield _call(name, f"{which} {number}", each, order)
        for number, wrong in enumerate(itertools.islice(faulty, most)):
            made = _call(name, f"{which} faulty {number}", wrong.sample_input, order)
            made.faulty = True
            yield made


def _call(name: str, label: str, each: Any, order: tuple[int, ...] | None) -> Sample:
    given = (each.input, *each.args)
    if order is not None:
        given = (*(given[place] for place in order if place < len(given)), *given[len(order) :])
    row = BUILT_IN.functions[name]
    made = Sample(name, label, given, _told(row, _public(each.kwargs)), torch_callable(row))
    if row.training:
        default = inspect.signature(torch_callable(row)).parameters["training"].default
        made.training = bool(each.kwargs.get("training", default))
    return made


def _told(row: Row, settings: Mapping[str, Any]) -> dict[str, Any]:
    """``settings`` without those that no spec has, and that say nothing."""
    return {
        name: value
        for name, value in settings.items()
        if name in row.by_name
        or not any(value is none or value == none for none in _SAYS_NOTHING.get(name, ()))
    }


def _public(settings: Mapping[str, Any]) -> dict[str, Any]:
    """``settings`` without private ones: what is drawn where they are not given."""
    return {name: value for name, value in settings.items() if not name.startswith("_")}


def _path(row: FunctionRow) -> str:
    """``nn.functional.relu`` or ``linalg.norm``, as op_db calls it."""
    home, _, rest = row.torch.partition(".")
    return f"nn.functional.{rest}" if home == "F" else rest.removeprefix("Tensor.")


def operators(most: int | None = None, only: Only = _any) -> Iterator[Sample]:
    """The samples of what a spec writes as an operator, an index or an attribute."""
    for entry in op_db:
        if entry.name not in _FORMS or not only(entry.name):
            continue
        torch.manual_seed(0)
        drawn = entry.sample_inputs("cpu", torch.float32, requires_grad=entry.supports_autograd)
        for number, each in enumerate(itertools.islice(drawn, most)):
            given, (form, run) = (each.input, *each.args), _FORMS[entry.name]
            yield Sample(entry.name, f"{entry.name} {number}", given, run=run, form=form)


def layers(most: int | None = None, only: Only = _any) -> Iterator[Sample]:
    """The samples of each entry of ``module_db`` whose layer or loss is in the catalogue, in
    training and in evaluation, and those that torch refuses."""
    for entry in module_db:
        name = entry.module_cls.__name__
        if name not in BUILT_IN.layers and name not in BUILT_IN.losses:
            continue
        if not only(name) or entry.module_cls.__module__.startswith("torch.ao"):
            continue
        for training in (True, False):
            torch.manual_seed(0)
            drawn = entry.module_inputs_func(
                entry, device="cpu", dtype=torch.float32, requires_grad=True, training=training
            )
            for number, each in enumerate(itertools.islice(drawn, most)):
                label = f"nn.{name} {'train' if training else 'eval'} {number}"
                yield _layer(name, label, entry.module_cls, each, training)
        if entry.module_error_inputs_func is not None:
            wrong = entry.module_error_inputs_func(
                entry, device="cpu", dtype=torch.float32, requires_grad=True, training=True
            )
            for number, each in enumerate(itertools.islice(wrong, most)):
                label = f"nn.{name} faulty {number}"
                made = _layer(name, label, entry.module_cls, each.module_error_input, True)
                made.faulty = True
                yield made


def _layer(name: str, label: str, kind: type[nn.Module], each: Any, training: bool) -> Sample:
    given = each.constructor_input
    own = _public(given.kwargs)
    bound = inspect.signature(kind).bind_partial(*given.args, **own)
    settings = {key: value for key, value in bound.arguments.items() if key != "kwargs"}
    row = BUILT_IN.layers[name] if name in BUILT_IN.layers else BUILT_IN.losses[name]
    settings = _told(row, {**settings, **bound.arguments.get("kwargs", {})})
    if isinstance(settings.get("encoder_layer"), nn.TransformerEncoderLayer):
        settings |= _parts(settings.pop("encoder_layer"))
    forward = each.forward_input
    args = forward.args if forward is not None else ()
    keywords = forward.kwargs if forward is not None else {}
    make = partial(kind, *given.args, **own)
    return Sample(
        name, label, tuple(args), keywords, settings=settings, make=make, training=training
    )


def _parts(layer: nn.TransformerEncoderLayer) -> dict[str, Any]:
    """The settings of a stack of such layers, which a spec makes of the settings alone."""
    return {
        "nhead": layer.self_attn.num_heads,
        "dim_feedforward": layer.linear1.out_features,
        "dropout": layer.dropout.p,
        "activation": layer.activation,
        "layer_norm_eps": layer.norm1.eps,
        "batch_first": layer.self_attn.batch_first,
        "norm_first": layer.norm_first,
        "bias": layer.linear1.bias is not None,
    }
