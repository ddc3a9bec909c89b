"""The proof of an artefact: what was written is loaded back and computes what eager computes.

Both sides run on the same inputs and weights, from the same buffers, with the same draws: in
evaluation and in training mode, with gradients and under ``no_grad``. Outputs, gradients of a fixed
random weighting of them, and the buffers that a run leaves are compared. Non-goals: how far apart
honest arithmetic may be (``roundoff``); losses, optimizers and several steps, which the harness
compares on every runnable.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from specc.errors import TargetError
from specc.targets import Target
from specc.targets.live import class_name
from specc.targets.proof_noise import Draw, Recorded, Replayed, compiled_as_eager_draws, seeded
from specc.targets.proof_runs import WAYS, Side, SideRun, Way
from specc.targets.roundoff import Float64Reference, Key, compare

# A kink (ReLU, max) that lies within a rounding of an input turns a term of a gradient on or off in
# one side and not in the other. It does not lie there for other inputs; a fault does.
_ATTEMPTS = 3
# TorchScript observes a first call and optimizes what a second and a third run.
_CALLS = {"torchscript": 3}


@dataclass(frozen=True, slots=True)
class ProvenTensor:
    """One tensor of one way to run: ``output 1.0``, ``the gradient of fc.weight`` or ``the buffer
    norm.running_mean``; the largest error against the reference (0 where it is equal to eager's to
    the bit), its bound."""

    way: Way
    what: str
    error: float
    bound: float


@dataclass(frozen=True, slots=True)
class ProofResult:
    """A proof that held: everything within its bound (equal to the bit where ``exact``)."""

    target: str
    path: Path
    exact: bool
    comparisons: tuple[ProvenTensor, ...]


def prove(
    target: Target,
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    path: Path,
    *,
    params: Mapping[str, Any] | None = None,
    others: Sequence[tuple[Tensor, ...]] = (),
) -> ProofResult:
    """Load ``path`` and compare its runs on ``inputs`` with ``module``'s; ``module`` stays as it
    is.

    ``others`` are inputs of other sizes, which the artefact leaves free. An artefact that has
    evaluation mode alone is proved in that. Source artefacts are constructed with ``params`` and
    given the module's weights. Raises TargetError E0901 or E0903 when the artefact does not load,
    E0904 with the first value that differs and by how much, and E0904 with the reason where the
    artefact, or the module in float64 (its reference), does not run.
    """
    trains = target.facts(path).trains
    device = _device_of(module, inputs)
    with seeded(device, 0):  # a source artefact draws weights, which are replaced
        artefact = target.load(path, class_name=class_name(module), params=params).to(device)
    if target.suffix.endswith(".py"):
        _give_weights(artefact, module, path)
    proof = _Proof(target, module, artefact, path, fixed_mode=not trains)
    ways = [way for way in WAYS if trains or not way.training]
    found: list[ProvenTensor] = []
    with _many_compilations() if target.name == "compile" else nullcontext():
        for sizes, each in enumerate((inputs, *others)):
            proof.where = f" on inputs of {_shapes(each)}" if sizes else ""
            for way in ways:
                found += proof.way(way, each)
    return ProofResult(target.name, path, proof.exact, tuple(found))


class _Proof:
    """The sides of a proof: eager, the artefact, and eager in another precision once it is
    needed."""

    def __init__(
        self,
        target: Target,
        module: nn.Module,
        artefact: nn.Module,
        path: Path,
        *,
        fixed_mode: bool,
    ) -> None:
        self.exact = target.name == "eager"
        self.where = ""
        self._compiles = target.name == "compile"
        self._calls = _CALLS.get(target.name, 1)
        self._path = path
        self._module = module
        self._device = _device_of(module, ())
        self._start = {
            name: tensor.detach().clone()
            for name, tensor in module.named_buffers(remove_duplicate=False)
        }
        self._learning = tuple(
            name for name, tensor in module.named_parameters() if tensor.requires_grad
        )
        self._eager = Side(copy.deepcopy(module), self._start, f"{type(module).__name__} itself")
        self._artefact = Side(artefact, self._start, str(path), fixed_mode=fixed_mode)
        self._precise: dict[torch.dtype, Side] = {}

    def way(self, way: Way, inputs: tuple[Tensor, ...]) -> list[ProvenTensor]:
        """Compares one way to run. Raises TargetError (E0904)."""
        own: dict[Key, float] = {}
        unequal: TargetError | None = None
        for attempt in range(_ATTEMPTS):
            given = tuple(_turned(each, attempt) for each in inputs)
            record = Recorded()
            try:
                # What must be equal to the bit needs no reference, and so no record.
                with seeded(self._device, attempt), nullcontext() if self.exact else record:
                    eager = self._eager.run(given, way, None, self._learning)
            except TargetError:
                if unequal is not None:  # the model does not take its inputs in another order
                    break
                raise
            reference = None
            if not self.exact:
                run_in = partial(self.run_in, way, given, eager, record.draws)
                reference = Float64Reference(run_in, eager, own)
            found, unequal = self._attempt(way, given, eager, record, attempt, reference)
            if unequal is None:
                return found
        assert unequal is not None
        raise unequal

    def _attempt(
        self,
        way: Way,
        inputs: tuple[Tensor, ...],
        eager: SideRun,
        record: Recorded,
        attempt: int,
        reference: Float64Reference | None,
    ) -> tuple[list[ProvenTensor], TargetError | None]:
        """The comparisons on one draw of inputs, and the first gradient that is too far off."""
        # An optimized script moves draws that do not depend on each other.
        calls = 1 if len(record.draws) > 1 and self._calls > 1 else self._calls
        compared: list[ProvenTensor] = []
        unequal: TargetError | None = None
        for _ in range(calls):
            with seeded(self._device, attempt), self._drawing(record.draws):
                seen = self._artefact.run(inputs, way, eager.weights, self._learning)
            compared = []
            for kind, place, expected, found in _pairs(eager, seen, self._start, self._path):
                what = {"output": "output ", "gradient": "the gradient of ",
                        "buffer": "the buffer "}[kind] + place  # fmt: skip
                where = f"{what} of {self._path} {way}{self.where}"
                key = kind, place
                try:
                    error, bound = compare(
                        where, key, expected, found, reference,
                        record.terms(expected), record.size(expected),
                    )  # fmt: skip
                except TargetError as fault:
                    if kind != "gradient" or self.exact:
                        raise
                    unequal = unequal or fault
                    continue
                compared.append(ProvenTensor(way, what, error, bound))
        return compared, unequal

    def _drawing(self, draws: Sequence[Draw]) -> AbstractContextManager[object]:
        return compiled_as_eager_draws() if self._compiles and draws else nullcontext()

    def precise(self, dtype: torch.dtype) -> Side:
        """A copy of the module in another precision."""
        if dtype not in self._precise:
            twin = copy.deepcopy(self._module).to(dtype)
            what = f"{type(self._module).__name__} in {dtype}, a reference,"
            self._precise[dtype] = Side(twin, self._start, what)
        return self._precise[dtype]

    def run_in(
        self,
        way: Way,
        inputs: tuple[Tensor, ...],
        eager: SideRun,
        draws: Sequence[Draw],
        dtype: torch.dtype,
    ) -> SideRun:
        """What eager would have seen in another precision, with its draws."""
        complex_dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
        converted = tuple(
            each.to(complex_dtype if each.is_complex() else dtype)
            if each.is_complex() or each.is_floating_point()
            else each
            for each in inputs
        )
        with seeded(self._device, 0), Replayed(draws):
            return self.precise(dtype).run(converted, way, eager.weights, self._learning)


def _pairs(
    eager: SideRun, seen: SideRun, start: Mapping[str, Tensor], path: Path
) -> Iterator[tuple[str, str, Tensor, Tensor]]:
    """(kind, place, eager's, the artefact's) of all that is compared. Raises TargetError (E0904)
    where one side has what the other has not."""
    if [*eager.outputs] != [*seen.outputs]:
        raise TargetError(
            "E0904",
            f"{path} returns outputs {', '.join(seen.outputs) or 'none'} "
            f"where eager returns {', '.join(eager.outputs) or 'none'}",
        )
    for place, expected in eager.outputs.items():
        yield "output", place, expected, seen.outputs[place]
    for name, before in start.items():
        after = eager.buffers[name]
        if name in seen.buffers and seen.buffers[name].shape == after.shape:
            yield "buffer", name, after, seen.buffers[name]
        elif not torch.equal(after, before):
            raise TargetError("E0904", f"{path} does not keep the buffer {name}, which eager moves")
    for name in {**eager.gradients, **seen.gradients}:
        mine, theirs = eager.gradients.get(name), seen.gradients.get(name)
        if mine is None or theirs is None:
            given, has = (mine, "eager") if theirs is None else (theirs, str(path))
            assert given is not None  # one of the two has it
            # Compilers may give zeros where eager gives nothing, and the other way round.
            if given.count_nonzero():
                raise TargetError("E0904", f"only {has} has a gradient of {name}")
            continue
        yield "gradient", name, mine, theirs


def _give_weights(artefact: nn.Module, module: nn.Module, path: Path) -> None:
    """Load the module's parameters and buffers, under the plain names of a compiled artefact
    too."""
    inner = getattr(artefact, "_orig_mod", artefact)
    weights = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    if _fits(inner, weights):
        _assign(inner, weights)
        return
    try:
        inner.load_state_dict(weights)
    except RuntimeError as error:
        raise TargetError(
            "E0904",
            f"the weights do not fit {path}: {str(error).splitlines()[-1].strip()}",
            help="the file was built with other params",
        ) from None


def _fits(module: nn.Module, weights: Mapping[str, Tensor]) -> bool:
    own = module.state_dict()
    return own.keys() == weights.keys() and all(
        own[name].shape == tensor.shape for name, tensor in weights.items()
    )


def _assign(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """``module.load_state_dict(weights, assign=True)``, which looks through all of ``weights`` for
    each submodule, and so takes the square of ten thousand layers.

    Assigned, not copied into what is there: dtype and device are the weights'."""
    places = dict(module.named_modules(remove_duplicate=False))
    for name, tensor in weights.items():
        place, _, leaf = name.rpartition(".")
        known = getattr(places[place], leaf)
        if isinstance(known, nn.Parameter):
            tensor = nn.Parameter(tensor, requires_grad=known.requires_grad)
        setattr(places[place], leaf, tensor)


def _device_of(module: nn.Module, inputs: tuple[Tensor, ...]) -> torch.device:
    for tensor in (*module.parameters(), *module.buffers(), *inputs):
        return tensor.device
    return torch.device("cpu")


def _turned(tensor: Tensor, attempt: int) -> Tensor:
    """The same values in other places: another draw of inputs, of the same kind."""
    if attempt == 0 or tensor.numel() < 2:
        return tensor
    return tensor.reshape(-1).roll(attempt * 7919).reshape(tensor.shape)


def _shapes(inputs: tuple[Tensor, ...]) -> str:
    return ", ".join(str(list(each.shape)) for each in inputs)


def _many_compilations() -> AbstractContextManager[object]:
    """As many compilations as a proof takes: beyond torch's limit, eager would run in place of what
    is to be proved."""
    import torch._dynamo.config as dynamo

    name = "recompile_limit" if hasattr(dynamo, "recompile_limit") else "cache_size_limit"
    patched: AbstractContextManager[object] = dynamo.patch({name: 1024})
    return patched
