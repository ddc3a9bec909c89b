"""The faults that come along: incidents from trackers, and generic ones."""

from __future__ import annotations

from specc.mutate.fault import Fault
from specc.mutate.faults import generic, kernels, optimizers, training

FAULTS: tuple[Fault, ...] = (
    *optimizers.FAULTS,
    *kernels.FAULTS,
    *training.FAULTS,
    *generic.FAULTS,
)
