"""The readings of a block sorted into classes: as many to a class as one text says.

What could not be merged is told apart by what its statements are (``_Outline``), so that not each
reading is held against each. Non-goal: what the classes are called (``classes``)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from specc import ir
from specc.emit.merging.asked import asked
from specc.emit.merging.branch_sides import Known, known_by
from specc.emit.merging.common_forms import Different, Standpoint
from specc.emit.merging.inherited import Inheritance
from specc.emit.merging.merge import merge, without_numbers
from specc.emit.merging.reads import symbols_of
from specc.emit.merging.result_sizes import blocks_asked, result_size, symbols_said
from specc.emit.merging.threads import check_written, unlike_a_person
from specc.emit.merging.unread import without_unread
from specc.emit.merging.views import View
from specc.emit.writing.chosen_layers import remaining
from specc.emit.writing.method_parts import Cycle, Part
from specc.semantics.compile_time.threads import is_thread
from specc.sizes import symbols


@dataclass(frozen=True, slots=True)
class Group:
    """Readings that are one class: its parts, and what stands for the values of the first.

    ``readings`` are what the parts are of: the variants, or their readings with symbols for sizes
    that rounds change; ``dull`` is how much of it no person would write."""

    variants: list[ir.Module]
    parts: tuple[Part, ...]
    canonical: dict[int, ir.Value]
    readings: list[ir.Module]
    dull: int
    # The params that a user of the blocks inside goes on without: what they give depends on those.
    held: dict[str, ir.Static]


@runtime_checkable
class Merged(Protocol):
    """What is asked of a class that is known already (``classes.EmittedClass``)."""

    @property
    def parts(self) -> tuple[Part, ...]: ...

    @property
    def variants(self) -> list[ir.Module]: ...
    @property
    def readings(self) -> list[ir.Module]: ...
    @property
    def standpoints(self) -> list[Standpoint]: ...
    def fixed(self) -> list[tuple[str, tuple[ir.Static, ...]]]: ...
    def results(self) -> list[ir.Value]: ...


class Grouping:
    """Sorts readings. ``classes`` says of blocks inside, by identity, which class each is of, as
    far as that is known."""

    def __init__(self, classes: Mapping[int, Merged]) -> None:
        self._classes = classes
        self._facts: Known = {}
        self._taken: dict[int, Collection[str]] = {}

    def groups(self, modules: Sequence[ir.Module]) -> list[Group]:
        """All in one class if one text says them; or else each with the first that it fits."""
        whole = self._merged(modules)
        if whole is not None:
            return [whole]
        outline = _Outline(
            self._classes,
            forms=not any(known_by(module, self._facts) for module in modules),
            rounds=not any(_has_no_rounds(module.nodes) for module in modules),
        )
        alike: dict[object, list[ir.Module]] = {}
        for module in modules:
            alike.setdefault(outline.of(module.nodes), []).append(module)
        place = {id(module): position for position, module in enumerate(modules)}
        found = [group for some in alike.values() for group in self._sorted(some)]
        return sorted(found, key=lambda group: place[id(group.variants[0])])

    def standpoints(self, modules: Iterable[ir.Module]) -> list[Standpoint]:
        """Where each reading is read from."""
        return [
            Standpoint(number, known_by(module, self._facts))
            for number, module in enumerate(modules)
        ]

    def _sorted(self, modules: Sequence[ir.Module]) -> list[Group]:
        """Readings of one outline."""
        whole = self._merged(modules)
        if whole is not None:
            return [whole]
        rows: list[list[ir.Module]] = []
        for module in modules:
            # Two are soon held together; the whole class is when all are there.
            row = next((row for row in rows if self._merged([row[0], module])), None)
            if row is None:
                rows.append([module])
            else:
                row.append(module)
        found = []
        for row in rows:
            together = self._merged(row)
            found += [together] if together is not None else self._one_by_one(row)
        return found

    def _one_by_one(self, modules: Sequence[ir.Module]) -> list[Group]:
        """Readings that fit the first of them, each alone, and not all together."""
        found: list[Group] = []
        for module in modules:
            for position, group in enumerate(found):
                together = self._merged([*group.variants, module])
                if together is not None:
                    found[position] = together
                    break
            else:
                alone = self._merged([module])
                assert alone is not None, f"{module.name} differs from itself"
                found.append(alone)
        return found

    def _merged(self, modules: Sequence[ir.Module]) -> Group | None:
        found = self._merged_as(modules, threaded=False)
        if found is not None and not found.dull:
            return found
        others = [again for module in modules if (again := module.threaded()) is not None]
        if len(others) < len(modules):
            return found
        other = self._merged_as(others, threaded=True)
        if other is None or other.dull >= (1 if found is None else found.dull):
            return found
        return replace(other, variants=list(modules))

    def _merged_as(self, modules: Sequence[ir.Module], *, threaded: bool) -> Group | None:
        """One text for all readings; ``threaded`` says that rounds hand on sizes in them."""
        views = [
            View(module.nodes, at, classes=self._classes, threaded=threaded)
            for module, at in zip(modules, self.standpoints(modules), strict=True)
        ]
        first = modules[0]
        # A list may be of another length in another reading.
        if len({(len(module.inputs), module.lists) for module in modules}) > 1:
            return None
        for view, module in zip(views[1:], modules[1:], strict=True):
            for mine, canonical in zip(module.inputs, first.inputs, strict=True):
                view.canonical[id(mine)] = canonical
        try:
            parts = merge(views)
            for view, module in zip(views, modules, strict=True):
                for output, wanted in zip(module.outputs, first.outputs, strict=True):
                    if view.of(output.value) is not views[0].of(wanted.value):
                        raise Different("another output")
            results = [views[0].of(output.value) for output in first.outputs]
            parts = without_unread(parts, results)
            if threaded:
                if first.sequential and any(isinstance(part, Cycle) for part in parts):
                    raise Different("a row that is a class")
                check_written(parts, self._sizes_of, self._told_outside(modules))
                self._check_kept(parts)
        except Different:
            return None
        fixed = {name for module in modules for name, _ in module.fixed}
        held = {} if threaded else self._held(modules)
        inherited = 0 if threaded else self._inherited(modules)
        dull = unlike_a_person(parts) + len(fixed | held.keys()) + inherited
        return Group(list(modules), parts, views[0].canonical, list(modules), dull, held)

    def _inherited(self, modules: Sequence[ir.Module]) -> int:
        """How many conditions of blocks inside must hold of the class; none where one of those is
        inside itself, and not known yet."""
        blocks = [layer.module for module in modules for layer in module.layers]
        if any(inner is not None and id(inner) not in self._classes for inner in blocks):
            return 0
        return len(Inheritance(self._classes).of(modules))

    def _told_outside(self, modules: Sequence[ir.Module]) -> list[str]:
        """The symbols that a block's results speak of, which the block may have to keep."""
        return [
            name
            for module in modules
            if module.kind == "block"
            for output in module.outputs
            for size in output.value.type.shape
            for name in symbols(size)
            if is_thread(name)
        ]

    def _check_kept(self, parts: Sequence[Part]) -> None:
        """Raises Different where a block inside cannot keep what is asked of it."""
        wanted = asked(parts, self._sizes_of)
        for layer, kept in blocks_asked(parts):
            if kept.symbol not in wanted:
                continue
            made = self._classes.get(id(layer.module))
            if not isinstance(made, Merged):
                raise Different("a block that is not known yet")
            first = made.readings[0]
            known = {param.name for param in first.params} | set(first.dimensions)
            for name in symbols_said(result_size(made, kept.position, kept.dimension)):
                if not is_thread(name) and name not in known:
                    raise Different("a result whose size the run alone knows")

    def _held(self, modules: Sequence[ir.Module]) -> dict[str, ir.Static]:
        """The params that are given to blocks whose results have sizes which these readings know as
        numbers, though the blocks are right for others."""
        found: dict[str, ir.Static] = {}
        for module in modules:
            values = {param.name: param.value for param in module.params}
            for layer in module.layers:
                made = None if layer.module is None else self._classes.get(id(layer.module))
                if isinstance(made, Merged) and made.readings[0] is not made.variants[0]:
                    if any(map(_gives_open_sizes, made.readings)):
                        given = [symbols_of(argument) for _, argument in layer.arguments]
                        names = set[str]().union(*given) & values.keys()
                        found.update((name, values[name]) for name in sorted(names))
        return found

    def _sizes_of(self, layer: ir.Layer) -> Collection[str]:
        """The sizes that the class of a block takes, as far as it is known already."""
        assert layer.module is not None
        made = self._classes.get(id(layer.module))
        names = layer.module.dimensions
        if not isinstance(made, Merged):
            return names
        if id(made) not in self._taken:
            self._taken[id(made)] = names  # a block that is inside itself
            needed = asked(made.parts, self._sizes_of)
            needed.update(name for name, _ in made.fixed())
            self._taken[id(made)] = [name for name in names if name in needed]
        return self._taken[id(made)]


def _gives_open_sizes(module: ir.Module) -> bool:
    """Whether a reading says of its results what its user has no words for."""
    tuples = {param.name for param in module.params if param.type == "tuple"}
    shapes = [output.value.type.shape for output in module.outputs]
    return any(
        is_thread(name) or name in tuples
        for shape in shapes
        for size in shape
        for name in symbols(size)
    )


@dataclass(frozen=True, slots=True)
class _Outline:
    """What two readings must have in common to be one class: what their statements are, and in
    which order, as far as no branch decides it.

    ``forms``: the arguments, too, where no branch makes two forms one. ``rounds``: what is in
    loops, where each goes round at least once."""

    classes: Mapping[int, object]
    forms: bool
    rounds: bool

    def of(self, nodes: Iterable[ir.Node], *, in_loop: bool = False) -> tuple[object, ...]:
        """The outline of some statements: equal where they may be one."""
        return tuple(self._of_node(node, in_loop) for node in nodes)

    def _of_node(self, node: ir.Node, in_loop: bool) -> object:
        match node:
            case ir.Make():
                return self._of_layer(node.layer, in_loop)
            case ir.Chain():
                return "chain", self.of(node.nodes, in_loop=in_loop)
            case ir.Branch():
                # A loop is written with one side, or a round at a time.
                return ("if", node.taken, self.of(node.nodes, in_loop=True)) if in_loop else "if"
            case ir.Loop():
                rounds = tuple(
                    self.of(iteration.nodes, in_loop=True)
                    for iteration in (node.iterations if self.rounds else ())
                )
                said = rounds if len(set(rounds)) > 1 else rounds[:1]
                return node.kind, node.variable, node.names, node.offset, said
            case ir.LayerCall() | ir.ParameterRead():
                return type(node).__name__, without_numbers(node.layer)
            case ir.FunctionCall():
                return node.kind, node.function
            case ir.Operation():
                return node.operator
            case ir.State():
                return node.kind, node.name, node.initializer
            case _:
                return type(node).__name__

    def _of_layer(self, layer: ir.Layer, in_loop: bool) -> object:
        made = self.classes.get(id(layer.module))
        outline = (
            layer.type if layer.choice is None else ("chosen", layer.choice.param),
            without_numbers(layer.name), None if made is None else id(made),
            tuple(wrapper.type for wrapper in layer.wrappers),
        )  # fmt: skip
        if not self.forms or in_loop:
            return outline
        said = layer.arguments if layer.choice is None else remaining(layer)
        return *outline, repr(said), repr(layer.sizes)


def _has_no_rounds(nodes: Iterable[ir.Node]) -> bool:
    """Whether a loop among the nodes goes round no time: it is one with any."""
    for node in nodes:
        match node:
            case ir.Loop():
                if not node.iterations or any(_has_no_rounds(i.nodes) for i in node.iterations):
                    return True
            case ir.Chain() | ir.Branch():
                if _has_no_rounds(node.nodes):
                    return True
            case _:
                continue
    return False
