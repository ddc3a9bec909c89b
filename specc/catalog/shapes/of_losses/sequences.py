"""The shape rule of CTCLoss: log-probabilities, labels, and two rows of lengths.

Non-goal: what only the data says, that every length is within its sequence.
"""

from __future__ import annotations

from specc.catalog.rows import Call, RuleError
from specc.catalog.shapes.common import Shape, as_sizes, bracketed, plain, require_floating
from specc.catalog.shapes.of_losses.losses import reduced, require_no_more_classes
from specc.ir import TensorType
from specc.sizes import Size


def ctc(call: Call) -> TensorType:
    """CTCLoss: log-probabilities ``[T, N, C]``, labels ``[N, S]`` (or those of all sequences in one
    row), and for each sequence how many of its T places and S labels count.

    A single sequence has ``[T, C]``, ``[S]`` and two scalars. E0307 where ``blank`` is no class,
    E0309 where labels or lengths go beyond what there is."""
    scores, targets = call.tensor("log_probs"), call.tensor("targets")
    require_floating(call, scores)
    if len(scores.shape) not in (2, 3):
        raise RuleError(
            "E0301",
            f"{call.name} takes log-probabilities [T, N, C], or [T, C] of one sequence; "
            f"got {scores}",
            help="write transpose(x, 0, 1) where the batch comes first",
            argument="log_probs",
        )
    batched = len(scores.shape) == 3
    ranks = (1, 2) if batched else (1,)
    if len(targets.shape) not in ranks:
        wanted = "[N, S], or the labels of all sequences in one row" if batched else "[S]"
        raise RuleError(
            "E0301", f"{call.name} takes labels {wanted}; got {targets}", argument="targets"
        )
    for name in filter(call.has, ("targets", "input_lengths", "target_lengths")):
        given = call.tensor(name)
        if given.dtype not in ("int64", "int32"):
            raise RuleError("E0306", f"{call.name} takes int64 {name}; got {given}", argument=name)
    rows = scores.shape[1:2] if batched else ()
    _require_blank(call, scores)
    if len(targets.shape) == 2:
        _require_row(call, "targets", targets.shape[:1], rows, targets)
    for name in ("input_lengths", "target_lengths"):
        numbers = call.args.get(name)
        counts = (len(numbers),) if isinstance(numbers, tuple) else call.tensor(name).shape
        _require_row(call, name, counts, rows, scores)
    _require_length(call, "input_lengths", scores.shape[0], scores)
    if len(targets.shape) == 2 or not batched:
        _require_length(call, "target_lengths", targets.shape[-1], targets)
    require_no_more_classes(call, targets, scores.shape[-1], scores, "targets")
    return reduced(call, scores, rows)


def _require_blank(call: Call, scores: TensorType) -> None:
    blank = plain(call, "blank")
    classes = call.value(scores.shape[-1])
    if isinstance(blank, int) and (blank < 0 or (isinstance(classes, int) and blank >= classes)):
        raise RuleError(
            "E0307",
            f"blank of {call.name} is one of the classes of {scores}, and is {blank}",
            argument="blank",
        )


def _require_row(call: Call, name: str, shape: Shape, rows: Shape, of: TensorType) -> None:
    """E0302 unless ``shape`` of the argument ``name`` has a place for each sequence."""
    error = RuleError(
        "E0302",
        f"{call.name}: {name} has one place for each sequence, {bracketed(rows)}; "
        f"got {call.tensor(name) if call.has(name) else bracketed(shape)} for {of}",
        argument=name,
    )
    if len(shape) != len(rows):
        raise error
    for size, wanted in zip(shape, rows, strict=True):
        call.require_equal(size, wanted, error)


def _require_length(call: Call, name: str, size: Size, of: TensorType) -> None:
    """E0309 where lengths ``index(k)`` may be more than ``size``; E0307 for numbers that are."""
    if not call.has(name):
        for length in as_sizes(call, name):
            message = f"{call.name}: {name} {length} is not from 0 to the {size} of {of}"
            error = RuleError("E0307", message, argument=name, by_torch=True)
            call.require_at_least(length, 0, error)
            call.require_at_least(size, length, error)
        return
    lengths = call.tensor(name)
    if lengths.classes is None:
        return
    call.require_at_least(
        size + 1,
        lengths.classes,
        RuleError(
            "E0309",
            f"{call.name}: {name} {lengths} go up to {lengths.classes - 1}, and {of} has {size}",
            help=f"declare them as index({size + 1})",
            argument=name,
        ),
    )
