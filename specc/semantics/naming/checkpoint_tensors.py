"""Which file a checkpoint is, and which tensor of it becomes which of the model's: an account of
every name.

Non-goals: reading files and comparing tensors (``specc.targets.weights``), what a path stands for
(``checkpoint_map``)."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from specc import ir
from specc.errors import CallError
from specc.roots import project_root
from specc.semantics.naming.checkpoint_map import glob
from specc.suggestions import nearest

# So many comparisons of a name with a path take about a second.
_MOST_COMPARISONS: Final = 1_000_000
# The names of a hundred thousand tensors.
LONGEST_HEADER: Final = 16 << 20


def inside(written: str, spec: str | os.PathLike[str]) -> Path:
    """The file that is ``written`` in the spec at ``spec``; E0709 where it is outside of the
    project or not there."""
    root = project_root(Path(os.fspath(spec)))
    try:
        path = (Path(os.fspath(spec)).resolve().parent / written).resolve()
        there = path.is_file()
    except (OSError, ValueError) as fault:
        raise CallError("E0709", f"{written!r} is no path: {fault}") from None
    if Path(written).is_absolute() or not path.is_relative_to(root):
        raise CallError(
            "E0709",
            f"the checkpoint {written!r} lies outside the project",
            help="copy it into the project, and name it from the spec's folder",
        )
    if not there:
        raise CallError(
            "E0709",
            f"there is no checkpoint {written!r} beside the spec",
            help="put it there, or take `weights` away to start from fresh ones",
        )
    return path


class Source(NamedTuple):
    """A tensor of a checkpoint, and whether its transpose is meant."""

    name: str
    transposed: bool = False


class Made(NamedTuple):
    """What one tensor of a model is made of: the ``parts`` one after the other along their first
    dimension; or of one part the stretch of that dimension which is left for it where the model's
    tensors ``siblings``, of which it is one, share the part in their order."""

    parts: tuple[Source, ...]
    siblings: tuple[str, ...] = ()


@dataclass(slots=True)
class Account:
    """Every tensor of a checkpoint and of a model, and what becomes of it.

    ``taken`` gives for each name in the model what it is made of: several are one tensor that the
    file has twice. ``dropped`` are the file's, ``fresh`` the model's own, ``problems`` what of the
    map does not go with the file."""

    taken: dict[str, tuple[Made, ...]] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def transposed(self) -> set[str]:
        """The file's tensors whose transpose the model takes."""
        return {s.name for name in self.taken for s in self.sources(name) if s.transposed}

    def sources(self, name: str) -> tuple[Source, ...]:
        """The file's tensors that the model's ``name`` is made of."""
        return tuple(source for made in self.taken.get(name, ()) for source in made.parts)

    def summary(self, own: Collection[str]) -> str:
        """What the model, whose names are ``own``, takes and leaves: ``148 tensors used, 48 of them
        transposed, 12 dropped; 2 of the model's are fresh``."""
        taken = {name: ways for name, ways in self.taken.items() if name in own}
        used = {source for name in taken for source in self.sources(name)}
        turned = sum(source.transposed for source in used)
        twice = sum(len(ways) - 1 for ways in taken.values())
        made = [way for ways in taken.values() for way in ways]
        joined = [way for way in made if len(way.parts) > 1]
        pieces = [way for way in made if way.siblings]
        parts = [f"{len(used)} tensor{'s' if len(used) != 1 else ''} used"]
        parts += [f"{turned} of them transposed"] if turned else []
        parts += [f"{twice} of them twice"] if twice else []
        if joined:
            parts.append(f"{sum(len(way.parts) for way in joined)} of them joined to {len(joined)}")
        if pieces:
            whole = len({way.parts for way in pieces})
            parts.append(f"{whole} of them split into {len(pieces)}")
        if self.dropped:
            parts.append(f"{len(self.dropped)} dropped")
        line = ", ".join(parts)
        return f"{line}; {len(self.fresh)} of the model's are fresh" if self.fresh else line


def account(
    lines: Sequence[ir.MapLine], names: Collection[str], wanted: Iterable[str], written: str
) -> Account:
    """What ``lines`` make of the ``names`` in the checkpoint ``written``, for a model whose tensors
    are called ``wanted``.

    Raises CallError (E0709) where that would take too long."""
    paths = sum(len(line.paths) for line in lines)
    if paths * len(names) > _MOST_COMPARISONS:
        raise CallError(
            "E0709",
            f"the checkpoint {written!r} has {len(names):,} tensors, too many for a map of"
            f" {len(lines)} lines",
            help="save the part of it that the model has",
        )
    found = Account()
    called: dict[Source, str] = {Source(name): name for name in names}
    for line in lines:
        if line.verb in ("rename", "drop", "transpose"):
            called = _in_file(line, called, found)
    for source, name in called.items():
        _take(found, name, Made((source,)))
    own = list(wanted)
    for line in lines:
        if line.verb == "copy":
            _copied(line, found)
        elif line.verb == "cat":
            _joined(line, found)
        elif line.verb == "split":
            _divided(line, found)
        elif line.verb == "fresh":
            kept = [name for name in own if any(glob(path).matches(name) for path in line.paths)]
            found.fresh += [name for name in kept if name not in found.fresh]
    found.problems += [
        f"{name} is fresh by the map, and the checkpoint has it"
        for name in found.fresh
        if name in found.taken
    ]
    return found


def _in_file(line: ir.MapLine, called: dict[Source, str], found: Account) -> dict[Source, str]:
    """What the tensors are called after ``line``, those it drops left out."""
    after: dict[Source, str] = {}
    unmatched = dict.fromkeys(line.paths)
    for source, name in called.items():
        hits = [path for path in line.paths if glob(path).matches(name)]
        for path in hits:
            unmatched.pop(path, None)
        if not hits:
            after[source] = name
        elif line.verb == "drop":
            found.dropped.append(source.name)
        elif line.verb == "transpose":
            after[source._replace(transposed=not source.transposed)] = name
        else:
            after[source] = glob(hits[0]).renamed(name, line.targets[0]) or name
    found.problems += [_unmatched(line, path, called.values()) for path in unmatched]
    return after


def _copied(line: ir.MapLine, found: Account) -> None:
    path = line.paths[0]
    copies = {
        new: ways
        for name, ways in found.taken.items()
        if (new := glob(path).renamed(name, line.targets[0])) is not None
    }
    if not copies:
        found.problems.append(_unmatched(line, path, found.taken))
    for name, ways in copies.items():
        _take(found, name, *ways)


def _joined(line: ir.MapLine, found: Account) -> None:
    """``cat``: of all parts with the same wildcards one tensor, none of which may lack."""
    whole = line.targets[0]
    parts: dict[str, list[str | None]] = {}
    for place, path in enumerate(line.paths):
        hits = _hits(path, whole, found)
        if not hits:
            found.problems.append(_unmatched(line, path, found.taken))
            return
        for name, new in hits:
            parts.setdefault(new, [None] * len(line.paths))[place] = name
    made: dict[str, Made] = {}
    for new, names in parts.items():
        kept = [name for name in names if name is not None]
        if len(kept) < len(names):
            lacking = line.paths[names.index(None)]
            found.problems.append(
                f"line {line.span.line}: {new[:80]!r} has no part that {lacking!r} gives"
            )
            return
        made[new] = Made(tuple(source for name in kept for source in _only(line, name, found)))
    for name in {name for names in parts.values() for name in names if name is not None}:
        found.taken.pop(name, None)
    for new, way in made.items():
        _take(found, new, way)


def _divided(line: ir.MapLine, found: Account) -> None:
    """``split``: of each tensor the model's ``targets``, one after the other."""
    path = line.paths[0]
    hits = [name for name, _ in _hits(path, line.targets[0], found)]
    if not hits:
        found.problems.append(_unmatched(line, path, found.taken))
    # All are taken out first: a piece may have the name of the whole.
    whole = {name: _only(line, name, found) for name in hits}
    for name in hits:
        del found.taken[name]
    for name, parts in whole.items():
        names = tuple(glob(path).renamed(name, target) or name for target in line.targets)
        for new in names:
            _take(found, new, Made(parts, names))


def _hits(path: str, target: str, found: Account) -> list[tuple[str, str]]:
    """The names taken so far that ``path`` matches, and what each is called as ``target``."""
    renamed = ((name, glob(path).renamed(name, target)) for name in found.taken)
    return [(name, new) for name, new in renamed if new is not None]


def _only(line: ir.MapLine, name: str, found: Account) -> tuple[Source, ...]:
    """The one tensor of the file that is called ``name`` so far."""
    ways = found.taken[name]
    if len(ways) > 1 or len(ways[0].parts) > 1 or ways[0].siblings:
        found.problems.append(
            f"line {line.span.line}: {name[:80]!r} is no single tensor of the file"
        )
    return ways[0].parts[:1]


def _take(found: Account, name: str, *ways: Made) -> None:
    found.taken[name] = (*found.taken.get(name, ()), *ways)


def _unmatched(line: ir.MapLine, path: str, names: Iterable[str]) -> str:
    known = [name for name in names if len(name) < 200]
    modules = dict.fromkeys(name.rpartition(".")[0] for name in known)
    # Nearness among more would take long.
    close = nearest(path, [*modules, *known]) if len(known) < 2000 else None
    more = f" (is it {close[:80]!r}?)" if close else ""
    return f"line {line.span.line}: {path!r} matches nothing in it{more}"
