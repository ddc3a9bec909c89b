"""Where in the spec a statement comes from, and what an assertion says of a condition.

Non-goal: the conditions themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from specc import ir
from specc.errors import Span
from specc.sizes import as_remainder


def because(condition: ir.Condition) -> str:
    """What an assertion says where ``condition`` does not hold."""
    remainder = as_remainder(condition.left)
    if remainder is not None and condition.relation == "==" and condition.right == 0:
        return f"{remainder[0]} must be a multiple of {remainder[1]}"
    return f"{condition}: {condition.reason}"


# What the files are called whose own name another file of the program has, too.
_LONGER: ContextVar[Mapping[str, str] | None] = ContextVar("longer names", default=None)


def mark(span: Span) -> str:
    """``mnist_cnn.spec:9``: where in the spec a statement comes from. Inside ``told_apart``, a file
    whose name another has is said with the folders that tell them apart."""
    shown = (_LONGER.get() or {}).get(span.file) or _last(span.file, 1)
    return f"{shown}:{span.line}"


def stands_for_the_next(function: str) -> bool:
    """Whether in the emitted function of this name a mark holds for the statements behind it, up to
    the next mark or the end of the block. In a step what torch does for the whole batch
    (``optimizer.step()``) has no mark, and every other statement its own."""
    return function in ("__init__", "forward", "loss", "metrics")


@contextmanager
def told_apart(program: ir.Program) -> Iterator[None]:
    """While open, ``mark`` gives each file of ``program`` a name of its own."""
    token = _LONGER.set({path: name for name, path in shown_files(program).items()})
    try:
        yield
    finally:
        _LONGER.reset(token)


def shown_files(program: ir.Program) -> dict[str, str]:
    """The paths of the program's files by the name that they have in marks: their own, behind as
    many folders as it takes to tell them apart."""
    found: dict[str, str] = {}
    paths = list(dict.fromkeys(_paths(program)))
    count = 1
    while paths:
        names = Counter(_last(path, count) for path in paths)
        ambiguous = []
        for path in paths:
            name = _last(path, count)
            # A path that is said in full cannot be said longer.
            if names[name] > 1 and _last(path, count + 1) != name:
                ambiguous.append(path)
            else:
                found[name] = path
        paths = ambiguous
        count += 1
    return found


def _paths(program: ir.Program) -> Iterator[str]:
    yield program.file
    yield from _of_modules((program.subject(), *program.models), set())
    train = program.train
    if train is not None:
        # A loss may be a block of another file, whose lines stand among the step's own.
        parts = (train.shared, train.metric_nodes, *(step.nodes for step in train.steps))
        yield from (node.span.file for nodes in parts for node in ir.flat_nodes(nodes))


def _of_modules(modules: Iterable[ir.Module], seen: set[int]) -> Iterator[str]:
    for module in modules:
        if id(module) in seen:
            continue
        seen.add(id(module))
        yield module.span.file
        for layer in module.layers:
            yield layer.span.file
            if layer.module is not None:
                yield from _of_modules((layer.module,), seen)


def _last(path: str, count: int) -> str:
    """The last ``count`` parts of a path."""
    return "/".join(path.replace("\\", "/").split("/")[-count:])
