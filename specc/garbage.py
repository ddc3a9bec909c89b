"""Pauses Python's cycle collector while something large is built that holds no cycles, and keeps it
to what is new where it runs often.

The collector walks everything alive each time a tenth more has been made: for a spec of ten
thousand layers that is most of the time, and all of it for nothing. Non-goal: memory that does hold
cycles, which waits until afterwards.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """No collection inside; afterwards it goes on as before."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            # Everything made inside would be walked at once as 'young': this hands it to the oldest
            # generation as it stands, unless somebody froze objects that must stay frozen.
            if gc.get_freeze_count() == 0:
                gc.freeze()
                gc.unfreeze()
            gc.enable()


@contextmanager
def settled() -> Iterator[None]:
    """A collection inside walks what is made inside: half a million objects of torch's own, a
    seventh of a second each time, are left as they are."""
    if gc.get_freeze_count():  # somebody froze objects that must stay frozen
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
