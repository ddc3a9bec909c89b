"""The models and blocks of a spec and of the files it uses, and what was already made of them.

A block is read once for each set of params and sizes that it is used with; ``instances`` keeps
what came out. Non-goal: reading one (``blocks``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeAlias, TypeVar

from specc import ir
from specc.catalog.catalogue import BUILT_IN, Catalogue
from specc.errors import Span, TooLarge
from specc.semantics.compile_time.entities import Entity
from specc.semantics.compile_time.reports import Reported
from specc.sizes import Size
from specc.syntax.tree import ast

# More than any model that a machine could train, and few enough to be read in seconds.
MOST_LAYERS: Final = 200_000
MOST_TIMES: Final = 10_000
MOST_ROUNDS: Final = 10_000
# Of loops whose rounds stand in the emitted source one by one, because a list grows in them.
MOST_WRITTEN_OUT: Final = 1_000
# Expressions read, those of a block or a round as often as they are; a use of a block is as many
# as ``WORK_OF_A_BLOCK``.
MOST_WORK: Final = 50_000
WORK_OF_A_BLOCK: Final = 5
DEEPEST: Final = 100

# A block's name, its params' values, its inputs' sizes (None where only the run knows one).
Key: TypeAlias = tuple[str, tuple[ir.Static, ...], tuple[Size | None, ...], tuple[str, ...]]


@dataclass(slots=True)
class Definition:
    """A ``model`` or ``block`` as written, and the params of its file."""

    tree: ast.Module
    env: Mapping[str, Entity]
    params: Mapping[str, Size]
    unread: frozenset[str]

    @property
    def kind(self) -> str:
        return self.tree.kind


@dataclass(slots=True)
class Instance:
    """What one set of params and sizes makes of a block: None where it was reported faulty."""

    module: ir.Module | None
    count: int


# What is under construction while statements are read: ``graph.Graph``.
Under = TypeVar("Under")


@dataclass(slots=True)
class LibraryFor(Generic[Under]):
    """``ready`` are the models whose declaration has been read; ``active`` the blocks being read,
    outermost first; ``reported`` the faults found in blocks; ``arguments`` what each model's params
    are. The readers of statements hang here, because statements hold expressions and expressions
    use blocks, which are statements again."""

    build: Callable[[Under, ast.Module, tuple[ir.Param, ...], tuple[ir.Value, ...]], ir.Module]
    declare_input: Callable[[Under, ast.Input], ir.Value | None]
    run: Callable[[Under, tuple[ast.Statement, ...]], None]
    catalogue: Catalogue = BUILT_IN
    definitions: dict[str, Definition] = field(default_factory=dict)
    ready: set[str] = field(default_factory=set)
    instances: dict[Key, Instance] = field(default_factory=dict)
    active: list[Key] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    reported: Reported = field(default_factory=Reported)
    # The blocks whose text was read, for whatever use.
    read: set[str] = field(default_factory=set)
    arguments: dict[str, tuple[ir.Param, ...]] = field(default_factory=dict)
    # The params of all files, and the file of each: one name means one thing in all of them.
    file_params: dict[str, str] = field(default_factory=dict)
    # How many layers each module that was read makes, blocks entered.
    counts: dict[int, int] = field(default_factory=dict)
    # Whether every file that the spec uses could be read: what is missing may stand in another.
    complete: bool = True
    # What was asked for and is not there, wherever; and whether an output is called so: what
    # speaks of it in another place follows from that.
    unknown: set[str] = field(default_factory=set)
    misnamed_output: bool = False
    # How a node of `train` came to stand there, where a block says it: the uses, the nearest first.
    trails: dict[int, tuple[str, ...]] = field(default_factory=dict)
    # Where `train` calls the block of the library that such a node stands in.
    calls: dict[int, Span] = field(default_factory=dict)
    # How many rounds of loops have been read.
    work: int = 0
    rounds: int = 0
    # Those of them in which a list grows.
    written_out: int = 0
    # How many names were looked for among those that are near.
    sought: int = 0

    def value_of(self, name: str) -> str | None:
        """The model that binds ``name`` inside; None if none does."""
        for owner, definition in self.definitions.items():
            if definition.kind == "model" and any(
                name in bound_names(statement.targets)
                for statement in definition.tree.body
                if isinstance(statement, ast.Assign)
            ):
                return owner
        return None


def bound_names(targets: tuple[ast.Target, ...]) -> set[str]:
    """The names that the left side of an assignment binds."""
    found: set[str] = set()
    for target in targets:
        found |= {target.name} if target.name is not None else bound_names(target.items)
    return found


def too_much_work(span: Span) -> TooLarge:
    """What is raised at ``span`` where ``MOST_WORK`` is spent."""
    fault = TooLarge(
        f"reading this spec takes more than {MOST_WORK:,} steps: its loops and blocks multiply",
        help="let fewer rounds do more, or say the layers by `repeat`",
    )
    fault.span = span
    return fault
