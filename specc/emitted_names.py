"""What names an emitted file has of its own: what it imports, what it calls, its variables, its
methods, and the attributes that torch's modules have before it.

Said once, below the language: the rules of names ask what a spec may call something, extensions
what a helper may define, the emitter what it may call its own. The attributes of torch's modules
are written out, because this side never imports it; a test compares them with the installed torch.
Non-goals: which name is given (``specc.emit``), what is said of one that is taken (``free_names``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# ── attributes ───────────────────────────────────────────────────────────────────────────────────

# Of torch.nn.Module: a layer of that name would hide them.
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
# What torch.export gives the modules of a program that it loads.
EXPORTED_ATTRIBUTES: Final = frozenset(
    "add_submodule code delete_all_unused_submodules delete_submodule graph print_readable"
    " recompile to_folder".split()
)
EMITTED_METHODS: Final = frozenset(
    "loss penalty constrain metrics configure_optimizers training_step from_checkpoint".split()
)


def methods_of_step(step: str) -> Mapping[str, str]:
    """The methods that the class ``Training`` has for a step, by what each is."""
    return {
        "loss": f"{step}_loss",
        "penalty": f"{step}_penalty",
        "constraint": f"{step}_constrain",
        "optimizer": f"configure_{step}",
    }


def average_method(average: str) -> str:
    """The method that moves an average."""
    return f"update_{average}"


# ── globals and variables ────────────────────────────────────────────────────────────────────────

# What an emitted file may import, but for modules of extensions.
IMPORTED: Final = frozenset("torch nn F Tensor Any Final OrderedDict copy".split())
# Those, what else it imports where it needs it, and the words of Python's own that it calls: no
# class of a spec has such a name.
EMITTED_GLOBALS: Final = IMPORTED | frozenset(
    "Callable partial load_file math re self abs bool dict enumerate float id int isinstance len"
    " list map max min next range round set str sum super tuple zip".split()
)
# What constructors call, and loops that count nothing: a param, size or variable would hide it.
CALLED_BY_CONSTRUCTORS: Final = frozenset("_ self super nn torch range len OrderedDict".split())
# What a function calls, and so no variable of it is called.
RESERVED: Final = frozenset(
    "self super torch nn F Tensor Any Final OrderedDict copy float sum dict list tuple set map id"
    " len range zip enumerate isinstance abs max min round math".split()
)
# The variables of the methods that train.
STEP_VARIABLES: Final = frozenset(
    "optimizer optimizers scaler batch terms losses total name term loss closure weight parameter"
    " evaluations".split()
)
# What functions call their own: what a helper of an extension defines would be hidden by it.
VARIABLES: Final = frozenset(
    "module name parameter parameters optimizer optimizers scheduler scaler batch terms losses"
    " total term loss claimed grouped model path state cls".split()
)
