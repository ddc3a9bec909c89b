"""Whether torch's own initialisers still give each parameter what the spec asks for.

A case replaces initial weights by portable ones, so that they are a check of their own: the emitted
class is made under torch's generator with fixed seeds, and each parameter is held against
``Module.initial`` and the spec's ``init``. Left out is what the catalogue says by a stand-in alone:
the parameters of ``orthogonal``, the norms of ``weight_norm``, and layers of extensions. Non-goals:
the statistics (``native_laws``), when it runs (``native_checks``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from specc.catalog import INITS
from specc.catalog.catalogue import is_built_in
from specc.errors import Span
from specc.harness.cases import computed, subject
from specc.harness.native.native_laws import CHANCE, Continuous, normal, sample, truncated, uniform
from specc.ir import (
    Distribution,
    Initializer,
    Layer,
    Module,
    Program,
    Scalar,
    Selection,
    State,
)
from specc.sizes import Poly, Size, evaluate

SEEDS = (20_011, 20_021)
# Two tensors are told apart by so many of their numbers.
_TOLD_APART = 64
# Rounding in the products of unit vectors, times their length.
_ORTHOGONAL = 64 * 2.0**-24
_GRAM_ROWS = 64
# Of an expression's largest number: float32 may lose the rest by subtraction.
_DIGITS = 1e-3


@dataclass(frozen=True)
class Wanted:
    """What a parameter should be filled with: ``faults`` of its draws under several seeds;
    ``surprise`` bounds the logarithm of the chance that two such parameters are equal (0 where
    they may well be). ``layer`` is the path of the layer that draws it."""

    faults: Callable[[Sequence[Tensor]], list[str]]
    surprise: float
    layer: str
    span: Span


def initial_faults(program: Program, make: Callable[[], nn.Module]) -> dict[str, tuple[str, Span]]:
    """What is wrong with the initial values that ``make`` gives, by parameter, each with the line
    of the spec that asks for others. torch's generator is left as it was."""
    first, second = (drawn(make, seed) for seed in SEEDS)
    again = drawn(make, SEEDS[0])
    found: dict[str, tuple[str, Span]] = {}
    wanted = wanted_of(program)
    for name, want in wanted.items():
        draws = (first[name], second[name])
        text = "; ".join(_of_one(want, draws, again[name]))
        if text:
            found[name] = (text, want.span)
    for name, other in _twins(program, wanted, first):
        found.setdefault(name, (f"has the numbers of {other}", wanted[name].span))
    return found


def drawn(make: Callable[[], nn.Module], seed: int) -> dict[str, Tensor]:
    """The parameters and buffers of a module that is made under ``seed``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = make()
        tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        return {name: value.detach() for name, value in tensors.items()}


def _of_one(want: Wanted, draws: tuple[Tensor, Tensor], again: Tensor) -> Iterator[str]:
    if not draws[0].numel():
        return
    if not all(bool(torch.isfinite(each).all()) for each in draws):
        yield "holds NaN or infinity"
        return
    yield from want.faults(draws)
    if not torch.equal(draws[0], again):
        yield "is another one when it is drawn again under the same seed"
    if want.surprise < math.log(CHANCE) and torch.equal(*draws):
        yield "is the same under two seeds"


def _twins(
    program: Program, wanted: dict[str, Wanted], draws: dict[str, Tensor]
) -> Iterator[tuple[str, str]]:
    """Parameters with the numbers of an earlier one. A stack of torch's is made of copies, and so
    are the copies and averages that a training keeps."""
    train = program.train
    members = train.members if train is not None else ()
    copies = {member.attribute for member in members if member.kind in ("copy", "ema")}
    seen: dict[tuple[object, ...], str] = {}
    pairs = 2 * math.log(max(len(wanted), 1))
    for name, want in wanted.items():
        if want.surprise + pairs > math.log(CHANCE) or name.partition(".")[0] in copies:
            continue
        value = draws[name]
        key = (tuple(value.shape), sample(value)[:_TOLD_APART].numpy().tobytes())
        other = seen.setdefault(key, name)
        if wanted[other].layer != want.layer:
            yield name, other


# ── what is wanted ───────────────────────────────────────────────────────────────────────────────


def wanted_of(program: Program) -> dict[str, Wanted]:
    """What each parameter whose law is known should be filled with, by its full name."""
    whole = program.subject()
    chosen = _initializers(whole)
    distributions = whole.initial
    found = dict(_of_states(program, chosen))
    for path, layer in whole.all_layers:
        shapes = {name: shape for name, shape in _shapes(layer)}
        for name, shape in shapes.items():
            full = f"{path}.{name}"
            given = distributions[full]
            if full in chosen:
                module, initializer = chosen[full]
                span = initializer.span
                law = _of_initializer(initializer, module.values, given, shape)
            else:
                span = layer.span
                law = _of_layer(layer, name, given)
            if law is not None:
                faults, single, free = law
                surprise = min(free, _TOLD_APART) * math.log(single) if free else 0.0
                found[full] = Wanted(faults, surprise, path, span)
    return found


def _of_states(
    program: Program, chosen: Mapping[str, tuple[Module, Initializer]]
) -> Iterator[tuple[str, Wanted]]:
    """What the parameters and buffers that modules keep themselves should be filled with;
    ``chosen`` are the `init` that have the last word."""
    whole, given = program.subject(), computed.values_of(program)
    for prefix, state in whole.all_states:
        full, span = f"{prefix}{state.name}", state.span
        if full in chosen:
            module, initializer = chosen[full]
            span, shape = initializer.span, dict(_shapes(state))[state.name]
            law = _of_initializer(initializer, module.values, whole.initial[full], shape)
        elif state.computed:
            law = _of_values(given[full])
        else:
            law = _of_state(state)
        if law is not None:
            faults, single, free = law
            surprise = min(free, _TOLD_APART) * math.log(single) if free else 0.0
            yield full, Wanted(faults, surprise, full, span)


def _shapes(layer: Layer | State) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name, shape in (*layer.parameters, *(layer.buffers if isinstance(layer, State) else ())):
        sizes = tuple(evaluate(size, layer.values) for size in shape)
        assert all(isinstance(size, int) for size in sizes), f"{name} is open in a layer"
        yield name, sizes  # type: ignore[misc]  # all ints, as just checked


def _initializers(whole: Module) -> dict[str, tuple[Module, Initializer]]:
    """Which ``init`` fills each parameter in the end: the outermost module's, the last of it."""
    found: dict[str, tuple[Module, Initializer]] = {}
    for prefix, module in subject.blocks(whole):
        for initializer in reversed(module.initializers):
            for name in initializer.on.names:
                found.setdefault(prefix + name, (module, initializer))
    return found


# The faults of draws, the chance of the likeliest single number, and how many are independent.
_Law = tuple[Callable[[Sequence[Tensor]], list[str]], float, int]


def _of_layer(layer: Layer, name: str, given: Distribution) -> _Law | None:
    """The law by which torch's layer itself fills its parameter ``name``."""
    if layer.row is None or not is_built_in(layer.row):
        return None
    if name.startswith("parametrizations."):
        last = name.rpartition(".")[2]
        wrappers = {wrapper.type for wrapper in layer.wrappers}
        if not wrappers <= {"spectral_norm", "weight_norm"} or last == "original0":
            return None
    if layer.type in ("Embedding", "EmbeddingBag"):
        entry = _plain(dict(layer.arguments).get("padding_idx"), layer.values)
        if isinstance(entry, int):
            return _padded(given, entry, dict(_shapes(layer))[name])
    return _of_distribution(given, math.prod(dict(_shapes(layer))[name]))


def _of_state(state: State) -> _Law | None:
    """The law of a parameter or buffer that its own initialiser fills."""
    if state.wrappers:
        return None
    made = Initializer(
        state.initializer, state.arguments, Selection(state.name, (state.name,)), state.initial,
        state.span,
    )  # fmt: skip
    shape = dict(_shapes(state))[state.name]
    return _of_initializer(made, state.values, dict(state.initial)[state.name], shape)


def _of_values(wanted: Tensor) -> _Law:
    """What an expression gives, to the few digits that no machine's arithmetic loses."""

    def faults(draws: Sequence[Tensor]) -> list[str]:
        given, made = wanted.double(), draws[0].double()
        if given.shape != made.shape:
            return [f"has shape {list(made.shape)}, the spec says {list(given.shape)}"]
        error, largest = float((given - made).abs().max()), float(given.abs().max())
        return [f"is off by {error:.2g} of {largest:.2g}"] if error > _DIGITS * largest else []

    return faults, 1.0, 0


def _of_distribution(given: Distribution, count: int) -> _Law:
    if given.kind == "constant" or (given.kind == "uniform" and given.low == given.high):
        return lambda draws: _constant(given.low, draws), 1.0, 0
    if given.kind == "normal" and given.high == 0.0:
        return lambda draws: _constant(given.low, draws), 1.0, 0
    law = (uniform if given.kind == "uniform" else normal)(given.low, given.high)
    return law.faults, law.single, count


def _padded(given: Distribution, entry: int, shape: tuple[int, ...]) -> _Law:
    """A table whose row ``entry`` is cleared."""

    def rest(table: Tensor) -> Tensor:
        kept = [k for k in range(shape[0]) if k != entry % shape[0]]
        return table[kept]

    law, single, count = _of_distribution(given, math.prod(shape) - shape[-1])

    def faults(draws: Sequence[Tensor]) -> list[str]:
        found = _constant(0.0, [each[entry] for each in draws])
        found = [f"row {entry}, the padding, {text}" for text in found]
        return found + (law([rest(each) for each in draws]) if count else [])

    return faults, single, max(count, 0)


def _of_initializer(
    initializer: Initializer, values: Mapping[str, Size], given: Distribution,
    shape: tuple[int, ...],
) -> _Law | None:  # fmt: skip
    settings = settings_of(initializer, values)
    count = math.prod(shape)
    match initializer.type:
        case "trunc_normal_" if given.kind == "normal":
            law = truncated(*(float(settings[name]) for name in ("mean", "std", "a", "b")))
            return None if law is None else (law.faults, law.single, count)
        case "trunc_normal_":
            return None  # one end of a tail: which it is no float32 tells
        case "orthogonal_":
            return _orthogonal(abs(float(settings["gain"])), shape)
        case "eye_" | "dirac_":
            exact = torch.zeros(shape)
            _ones(exact, int(settings.get("groups", 1)))
            return lambda draws: _exactly(exact, draws), 1.0, 0
        case "sparse_":
            share, std = float(settings["sparsity"]), float(settings["std"])
            return _sparse(math.ceil(share * shape[0]), std, shape)
        case _:
            return _of_distribution(given, count)


def settings_of(initializer: Initializer, values: Mapping[str, Size]) -> dict[str, float]:
    """The numbers that an ``init`` is set up with, defaults filled in; ``values`` are the sizes
    known where it stands."""
    row = INITS[initializer.type]
    settings = {a.name: a.default for a in row.arguments if not a.required}
    settings |= {n: _plain(value, values) for n, value in initializer.arguments}
    return {n: value for n, value in settings.items() if isinstance(value, (int, float))}


def _plain(value: object, values: object) -> object:
    if isinstance(value, Scalar):
        return value.value
    if isinstance(value, Poly):
        return evaluate(value, values)  # type: ignore[arg-type]  # the sizes of a module
    return value


# ── laws that are no distribution ────────────────────────────────────────────────────────────────


def _constant(value: float, draws: Sequence[Tensor]) -> list[str]:
    wanted = torch.tensor(value).to(draws[0].dtype)
    wrong = sum(int((each != wanted).sum()) for each in draws)
    return [f"should be {value:.9g} everywhere; {wrong} elements are not"] if wrong else []


def _exactly(wanted: Tensor, draws: Sequence[Tensor]) -> list[str]:
    wrong = sum(int((each != wanted).sum()) for each in draws)
    return [f"{wrong} elements of the identity are wrong"] if wrong else []


def _ones(zeros: Tensor, groups: int) -> None:
    """Write the ones of ``eye_`` and ``dirac_``: output k of a group keeps input k."""
    each = zeros.shape[0] // groups
    middle = tuple(size // 2 for size in zeros.shape[2:])
    for group in range(groups):
        for k in range(min(each, zeros.shape[1])):
            zeros[(group * each + k, k, *middle)] = 1.0


def _orthogonal(gain: float, shape: tuple[int, ...]) -> _Law:
    rows, columns = shape[0], math.prod(shape[1:])

    def faults(draws: Sequence[Tensor]) -> list[str]:
        found = []
        for each in draws:
            matrix = each.detach().double().reshape(rows, columns)
            vectors = (matrix if rows <= columns else matrix.t())[:_GRAM_ROWS]
            products = vectors @ vectors.t()
            error = float((products - gain**2 * torch.eye(len(vectors))).abs().max())
            if error > _ORTHOGONAL * gain**2 * math.sqrt(max(rows, columns)):
                found.append(f"rows are not orthogonal, of length {gain:.6g}: off by {error:.2g}")
        return found[:1]

    fewer, more = min(rows, columns), max(rows, columns)
    return faults, 2.0**-20, fewer * more - fewer * (fewer + 1) // 2 if gain else 0


def _sparse(zeros: int, std: float, shape: tuple[int, ...]) -> _Law:
    law: Continuous | None = normal(0.0, std) if std > 0 and zeros < shape[0] else None

    def faults(draws: Sequence[Tensor]) -> list[str]:
        found = []
        for each in draws:
            # A normal draw that is exactly 0 may be among those that are kept.
            counts = (each == 0).sum(0)
            if bool((counts < zeros).any()) or (
                law is not None and counts.sum() > zeros * shape[1] + 2
            ):
                found.append(
                    f"should have {zeros} zeros in each column, and has up to {counts.max()}"
                )
        if law is not None and not found:
            found += law.faults([each[each != 0] for each in draws])
        return found[:1]

    return faults, 1.0 if law is None else law.single, 0 if law is None else shape[1]
