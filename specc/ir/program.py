"""The test matrix and the whole program."""

from __future__ import annotations

from dataclasses import dataclass, field

from specc.errors import Span
from specc.ir.modules import Module, Param
from specc.ir.targets import TARGET_NAMES
from specc.ir.training import Train
from specc.ir.types import Static
from specc.policy import STEPS
from specc.sizes import Size

# ── tests, the whole ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class TestPlan:
    """The test matrix: every field has a default, so that a spec without ``test`` is tested
    well."""

    __test__ = False  # pytest collects classes called Test*

    # What the spec's params are while it is tested, in place of their defaults.
    params: tuple[tuple[str, Static], ...] = ()
    sizes: tuple[tuple[tuple[str, int], ...], ...] = ()
    # Where each row of sizes is written.
    rows: tuple[tuple[tuple[tuple[str, int], ...], Span], ...] = field(default=(), compare=False)
    seed: int = 0
    steps: int = STEPS
    targets: tuple[str, ...] = TARGET_NAMES
    devices: tuple[str, ...] = ("cpu", "cuda")
    dtypes: tuple[str, ...] = ("float32",)
    modes: tuple[str, ...] = ("train", "eval")
    layouts: tuple[str, ...] = ("contiguous",)
    # Among torch's implementations of a step: "default" is its own choice.
    optimizers: tuple[str, ...] = ("default",)
    # Whether a reference may hold NaN and infinity: "refused" or "allowed".
    nonfinite: str = "refused"
    # Inputs that are read from a file: (input's name, path from the spec's folder).
    samples: tuple[tuple[str, str], ...] = ()

    def place_of(self, row: tuple[tuple[str, int], ...]) -> Span | None:
        """Where ``row``, in whatever order, is written; None of one that is not."""
        wanted = dict(row)
        return next((span for each, span in self.rows if dict(each) == wanted), None)


@dataclass(frozen=True, slots=True)
class Program:
    """A whole spec after checking: what every later stage is made from."""

    file: str
    version: int
    params: tuple[Param, ...]
    models: tuple[Module, ...]
    train: Train | None
    test: TestPlan
    warnings: tuple[object, ...] = field(default=(), compare=False)

    def model(self, name: str | None = None) -> Module:
        """The model called ``name``, or the only one (or the one that ``train`` trains)."""
        if name is None:
            name = self.train.model if self.train else self.models[-1].name
        return next(model for model in self.models if model.name == name)

    def subject(self) -> Module:
        """What a test builds and runs: the training module where there is one, or else the model
        that ``model()`` gives."""
        if self.train is not None and self.train.module is not None:
            return self.train.module
        return self.model()

    def param_values(self, model: Module) -> dict[str, Size]:
        """The int params in scope of ``model``, by name, for evaluating its sizes."""
        return {
            param.name: param.value
            for param in (*self.params, *model.params)
            if isinstance(param.value, int) and not isinstance(param.value, bool)
        }
