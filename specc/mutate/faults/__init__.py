"""The faults that come along: incidents from trackers, and generic ones."""

from __future__ import annotations

from specc.mutate.fault import Fault
from specc.mutate.faults import (
    corners,
    dropout,
    functions,
    generic,
    kernels,
    layers,
    optimizer_steps,
    optimizers,
    training_loop,
)

FAULTS: tuple[Fault, ...] = (
    *optimizers.FAULTS,
    *optimizer_steps.FAULTS,
    *kernels.FAULTS,
    *functions.FAULTS,
    *layers.FAULTS,
    *training_loop.FAULTS,
    *corners.FAULTS,
    *dropout.FAULTS,
    *generic.FAULTS,
)
