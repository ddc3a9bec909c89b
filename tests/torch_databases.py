"""The databases of torch's own samples: functions, layers, optimizers.

They are of torch's tests and of no interface that it promises: constraints.txt says of which torch.
Non-goal: choosing among them (``torch_samples``, ``torch_optimizers``).
"""

from __future__ import annotations

import sys
import types
import unittest
import warnings

import torch

# What torch's own test cases derive from; its databases import it, and use none of it.
_cases = types.ModuleType("expecttest")
_cases.TestCase = unittest.TestCase  # type: ignore[attr-defined]  # a stand-in for the package
sys.modules.setdefault("expecttest", _cases)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.common_modules import module_db
    from torch.testing._internal.common_optimizers import optim_db
# Their import forbids every other test to set a flag of torch's for the whole process.
# The module that `torch.backends` is has another in front of it: its own names are its functions'.
torch.backends.flags_frozen.__globals__["__allow_nonbracketed_mutation_flag"] = True
assert not torch.backends.flags_frozen()

__all__ = ["module_db", "op_db", "optim_db"]
