"""The classes of the emitted file: one for each model and block, however often it is used.

The readings of one block are merged into a class whose arguments tell them apart. Where no one
text says them all, there are as many classes as it takes, ``Block``, ``Block2``. Non-goal: what is
written into a class (``modules``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from specc import ir
from specc.emit.constructor.condition_names import condition_name
from specc.emit.constructor.constructors import ClassForm
from specc.emit.merging.asked import asked
from specc.emit.merging.common_forms import Standpoint
from specc.emit.merging.grouping import Grouping
from specc.emit.merging.inherited import Inheritance
from specc.emit.merging.param_names import distinct
from specc.emit.merging.result_sizes import ResultSize, blocks_asked, result_size, symbols_said
from specc.emit.writing.chosen_layers import is_hidden
from specc.emit.writing.method_parts import Choice, Cycle, Kept, Part, Sequential
from specc.emitted_names import MODULE_ATTRIBUTES


@dataclass(slots=True, eq=False)
class EmittedClass:
    """One class: the readings that it stands for, the first of them to be printed from."""

    name: str
    variants: list[ir.Module]
    parts: tuple[Part, ...]
    canonical: dict[int, ir.Value]
    # Where each reading is read from.
    standpoints: list[Standpoint]
    # The readings that the parts are of: with symbols for sizes that rounds change, or those.
    readings: list[ir.Module]
    dimensions: tuple[str, ...] = ()
    # The reading of a model that is one of the spec's own, not a part of another.
    whole: ir.Module | None = None
    flags: dict[int, str] = field(default_factory=dict)
    optional: set[str] = field(default_factory=set)
    # The params that must be what they are, because blocks inside give other sizes with others.
    held: dict[str, ir.Static] = field(default_factory=dict)
    # The sizes of its results that it keeps, by result and dimension, and what each is called.
    kept: dict[tuple[int, int], str] = field(default_factory=dict)

    @property
    def module(self) -> ir.Module:
        return self.variants[0]

    @property
    def written(self) -> ir.Module:
        """The reading that is written."""
        return self.readings[0]

    @property
    def threaded(self) -> bool:
        """Whether it is written from readings with symbols for sizes that rounds change."""
        return self.written is not self.module

    def kept_sizes(self) -> list[tuple[str, ResultSize]]:
        """What each size that it keeps is called, and what it is."""
        return [(name, result_size(self, *place)) for place, name in self.kept.items()]

    def fixed(self) -> list[tuple[str, tuple[ir.Static, ...]]]:
        """The params and sizes that went into numbers, and each value that a reading had: of those,
        too, whose branches made no number of it."""
        fixed = (name for reading in self.readings for name, _ in reading.fixed)
        names = dict.fromkeys([*fixed, *self.held])
        found: dict[str, dict[str, ir.Static]] = {name: {} for name in names}
        for reading in self.readings:
            known = {
                **self.held,
                **dict(reading.fixed),
                **reading.values,
                **{param.name: param.value for param in reading.params},
            }
            for name in names:
                if name in known:
                    found[name][repr(known[name])] = known[name]
        return [(name, tuple(values.values())) for name, values in found.items()]

    def defaults(self) -> dict[str, ir.Static]:
        """What the constructor's params are when they are not given: the values of a model that
        stands for itself, or else the literals that the spec says."""
        if self.whole is not None:
            return {param.name: param.value for param in self.whole.params}
        return {
            param.name: param.default for param in self.module.params if param.default is not None
        }

    def hidden(self) -> frozenset[str]:
        """The params that the constructor does not take: those that some reading gives a block."""
        values: dict[str, list[ir.Static]] = {}
        for variant in self.variants:
            for param in variant.params:
                values.setdefault(param.name, []).append(param.value)
        return frozenset(name for name, found in values.items() if is_hidden(found))

    def attributes(self) -> set[str]:
        """What the layers, the state and the flags are called in the module."""
        layers = {
            layer.name.partition(".")[0] for variant in self.variants for layer in variant.layers
        }
        states = {state.name for variant in self.variants for state in variant.states}
        return layers | states | set(self.flags.values()) | set(self.kept.values())

    def results(self) -> list[ir.Value]:
        """What ``forward`` returns."""
        return [
            self.canonical.get(id(output.value), output.value) for output in self.written.outputs
        ]


@dataclass(slots=True)
class Classes:
    """The classes in the order of the file, each after those it uses."""

    listed: list[EmittedClass]
    by_module: dict[int, EmittedClass]
    _inheritance: Inheritance = field(init=False)

    def __post_init__(self) -> None:
        self._inheritance = Inheritance(self.by_module)

    def inherited(self, made: EmittedClass) -> list[ir.Scalar]:
        """What must hold of a class's arguments for the blocks inside to give what they gave."""
        return [] if made.threaded else self._inheritance.of(made.variants)

    def of(self, module: ir.Module) -> EmittedClass:
        return self.by_module[id(module)]

    def sizes_of(self, layer: ir.Layer) -> tuple[str, ...]:
        """The sizes that the class of a block's layer takes."""
        assert layer.module is not None
        return self.of(layer.module).dimensions

    def keeping(
        self, parts: Sequence[Part]
    ) -> Callable[[ir.Layer], Sequence[tuple[ir.Thread, str]]]:
        """What the layers of ``parts`` that are blocks keep: the symbols that stand for it, and the
        names of the attributes."""
        found: dict[int, list[tuple[ir.Thread, str]]] = {}
        for layer, thread in blocks_asked(parts):
            assert layer.module is not None
            name = self.of(layer.module).kept.get((thread.position, thread.dimension))
            if name is not None:
                found.setdefault(id(layer), []).append((thread, name))
        return lambda layer: found.get(id(layer), ())

    def form(self, layer: ir.Layer) -> ClassForm:
        """How the class of a block's layer is called."""
        assert layer.module is not None
        found = self.of(layer.module)
        return ClassForm(found.name, found.dimensions, found.defaults(), found.hidden())


def classes_of(models: Sequence[ir.Module]) -> Classes:
    """The classes that the models and the blocks inside them are of."""
    readings: dict[str, list[ir.Module]] = {}
    seen: set[int] = set()
    for model in models:
        for module in _inner_first(model, seen):
            readings.setdefault(module.name, []).append(module)
    groups: dict[str, list[EmittedClass]] = {}
    known: dict[int, EmittedClass] = {}
    grouping = Grouping(known)
    circular = []
    for name, modules in readings.items():
        if any(id(inner) not in known for module in modules for inner in _inside_of(module)):
            circular.append(name)
        groups[name] = _classes_of(name, modules, grouping)
        _note(groups[name], known)
    _refine(circular, groups, known, grouping)
    found = Classes([made for group in groups.values() for made in group], dict(known))
    taken = set(readings)
    for name, group in groups.items():
        for number, made in enumerate(group[1:], 2):
            made.name = distinct(f"{name}{number}", taken)
            taken.add(made.name)
    own = {id(model): model for model in models}
    for made in found.listed:
        made.whole = next((own[id(v)] for v in made.variants if id(v) in own), None)
    _find_dimensions(found)
    for made in found.listed:
        _find_flags(made)
    return found


def _inner_first(module: ir.Module, seen: set[int]) -> Iterator[ir.Module]:
    if id(module) in seen:
        return
    seen.add(id(module))
    for layer in module.layers:
        if layer.module is not None:
            yield from _inner_first(layer.module, seen)
    yield module


def _inside_of(module: ir.Module) -> Iterator[ir.Module]:
    return (layer.module for layer in module.layers if layer.module is not None)


def _note(group: Sequence[EmittedClass], known: dict[int, EmittedClass]) -> None:
    for made in group:
        known.update((id(variant), made) for variant in made.variants)


def _refine(
    circular: Sequence[str], groups: dict[str, list[EmittedClass]],
    known: dict[int, EmittedClass], grouping: Grouping,
) -> None:  # fmt: skip
    """Takes the classes of blocks that are inside themselves apart until each makes, for all of
    its readings, blocks of one class."""
    changed = True
    while changed:
        changed = False
        for name in circular:
            finer = [
                part for made in groups[name] for part in _classes_of(name, made.variants, grouping)
            ]
            changed |= len(finer) > len(groups[name])
            groups[name] = finer
            _note(finer, known)


def _classes_of(name: str, modules: Sequence[ir.Module], grouping: Grouping) -> list[EmittedClass]:
    return [
        EmittedClass(
            name, group.variants, group.parts, group.canonical,
            grouping.standpoints(group.variants), group.readings, held=group.held,
        )
        for group in grouping.groups(modules)
    ]  # fmt: skip


# ── what a constructor must be told ──────────────────────────────────────────────────────────────


def _find_dimensions(classes: Classes) -> None:
    """Which shape names of its inputs each class needs to make its layers; a block inside may need
    them for its own, and a block may be inside itself."""
    changed = True
    while changed:
        changed = False
        for made in classes.listed:
            results = [name for _, size in made.kept_sizes() for name in symbols_said(size)]
            needed = asked(made.parts, classes.sizes_of, results)
            needed.update(name for name, _ in made.fixed())
            changed |= _ask_of_blocks(made, needed, classes)
            wanted = tuple(name for name in made.module.dimensions if name in needed)
            if made.module.kind == "block" and wanted != made.dimensions:
                made.dimensions = wanted
                changed = True


def _ask_of_blocks(made: EmittedClass, needed: set[str], classes: Classes) -> bool:
    """Lets the blocks inside keep those sizes of their results that are ``needed``; whether they
    did not before."""
    more = False
    for layer, thread in blocks_asked(made.parts):
        assert layer.module is not None
        inner, place = classes.of(layer.module), (thread.position, thread.dimension)
        if thread.symbol in needed and place not in inner.kept:
            rank = len(inner.written.outputs[thread.position].value.type.shape)
            images = thread.dimension == 1 and rank > 2
            last = "out_features" if thread.dimension == rank - 1 else "out_size"
            taken = inner.attributes() | MODULE_ATTRIBUTES
            inner.kept[place] = distinct("out_channels" if images else last, taken)
            more = True
    return more


# ── which side was taken ─────────────────────────────────────────────────────────────────────────


def _find_flags(made: EmittedClass) -> None:
    """The attribute that ``forward`` asks at each choice: a layer that is there or None, a param
    that is true or false, or one made up."""
    paths = made.attributes()
    weighted = {
        layer.name.partition(".")[0]
        for variant in made.variants
        for layer in variant.layers
        if layer.parameters or layer.module is not None
    } | {state.name for variant in made.variants for state in variant.states}
    for choice in _choices(made.parts):
        if choice.one_sided or choice.in_round:
            continue
        yes, no = _made(choice.yes or ()), _made(choice.no or ())
        own = [name for name in yes if name not in no and name not in made.optional]
        if own:
            # What has weights tells a reader more than what has none.
            own.sort(key=lambda name: name not in weighted)
            made.flags[id(choice)] = own[0]
            made.optional.add(own[0])
            continue
        wanted = condition_name(choice.condition)
        taken = paths | set(made.flags.values()) | MODULE_ATTRIBUTES
        made.flags[id(choice)] = distinct(wanted, taken)


def _choices(parts: Sequence[Part]) -> Iterator[Choice]:
    for part in parts:
        if isinstance(part, Choice):
            yield part
            yield from _choices(part.yes or ())
            yield from _choices(part.no or ())


def _made(parts: Sequence[Part]) -> list[str]:
    """The attributes that parts make without being asked again."""
    found: dict[str, None] = {}
    for part in parts:
        match part:
            case ir.Make():
                found[part.layer.name.partition(".")[0]] = None
            case Kept() if part.state.kind == "parameter":
                found[part.name] = None
            case Sequential():
                found[part.path.partition(".")[0]] = None
            case Cycle() if part.loop.path:
                found[part.loop.path.partition(".")[0]] = None
            case _:
                continue
    return list(found)
