"""Which names a spec may give: what Python, torch's modules and the emitted source leave free.

The names are written out, not read from torch, because this room never imports it; a test compares
them with the installed torch. Non-goal: what a name refers to.
"""

from __future__ import annotations

import keyword
from typing import Final

from specc.catalog import METRICS, REGULARIZERS
from specc.errors import Collector, Span

# Attributes of torch.nn.Module and of the emitted classes: a layer of that name would hide them.
MODULE_ATTRIBUTES: Final = frozenset(
    "T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda"
    " double dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter"
    " get_submodule half ipu load_state_dict modules mtia named_buffers named_children"
    " named_modules named_parameters parameters register_backward_hook register_buffer"
    " register_forward_hook register_forward_pre_hook register_full_backward_hook"
    " register_full_backward_pre_hook register_load_state_dict_post_hook"
    " register_load_state_dict_pre_hook register_module register_parameter"
    " register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state"
    " set_submodule share_memory state_dict to to_empty train training type xpu zero_grad".split()
)
# What the containers of torch call their own, beside the above: a labelled loop is a ModuleDict for
# each round, a chain in braces a Sequential.
MEMBER_ATTRIBUTES: Final = frozenset("clear items keys pop update values".split())
ROW_ATTRIBUTES: Final = frozenset("append extend insert pop".split())
EMITTED_METHODS: Final = frozenset(
    "loss penalty constrain metrics configure_optimizers training_step".split()
)
EMITTED_GLOBALS: Final = frozenset(
    "torch nn F Tensor Any math bool dict float int list next range str sum super tuple".split()
)

# What constructors call, and loops that count nothing: a param, size or variable would hide it.
_KEPT: Final = frozenset("_ self super nn torch range len OrderedDict".split())


def check_name(name: str, span: Span, collector: Collector, what: str) -> bool:
    """Whether ``name`` may be given to a ``what``; an E0205 where Python keeps it to itself."""
    if keyword.iskeyword(name):
        collector.error(
            "E0205",
            f"`{name}` is a word of Python's and cannot name a {what} of the emitted source",
            span,
            f"call it `{name}_`",
        )
        return False
    if what in ("param", "size", "variable") and name in _KEPT:
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


def check_label(
    name: str, span: Span, collector: Collector, container: frozenset[str] = frozenset()
) -> bool:
    """Whether a layer may be called ``name``; an E0207 where it would hide a module's attribute,
    or one of what contains it."""
    if not check_name(name, span, collector, "layer"):
        return False
    if name.startswith("_"):
        reason = "it begins with an underscore, as the module's own attributes do"
    elif name in MODULE_ATTRIBUTES or name in EMITTED_METHODS:
        reason = "it is an attribute of every module"
    elif name in container:
        reason = "it is an attribute of the container that it would be in"
    else:
        return True
    collector.error(
        "E0207",
        f"a layer cannot be called `{name}`: {reason}",
        span,
        f"call it `{name.strip('_') or 'layer'}_layer`",
    )
    return False


def check_type_name(name: str, span: Span, collector: Collector) -> bool:
    """Whether a model or block may be called ``name``: an emitted class of that name."""
    if not check_name(name, span, collector, "class"):
        return False
    rows = (*METRICS.values(), *REGULARIZERS.values())
    helpers = {row.torch for row in rows if row.helper}
    if name in EMITTED_GLOBALS or name in helpers:
        collector.error(
            "E0205",
            f"`{name}` is a name that the emitted source uses itself",
            span,
            f"call it `{name}Model`",
        )
        return False
    return True
