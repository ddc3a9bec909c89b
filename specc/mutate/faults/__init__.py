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
    optimizers,
    steps,
    training,
)

FAULTS: tuple[Fault, ...] = (
    *optimizers.FAULTS,
    *steps.FAULTS,
    *kernels.FAULTS,
    *functions.FAULTS,
    *layers.FAULTS,
    *training.FAULTS,
    *corners.FAULTS,
    *dropout.FAULTS,
    *generic.FAULTS,
)
