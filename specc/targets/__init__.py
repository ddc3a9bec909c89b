"""Source to runnable: the targets (``specc.ir.targets`` is their table), and what they share.

A target takes a live module and gives what is called in its place (``runnable``), and writes and
reads its artefact (``save``, ``load``). Torch is imported by the functions alone, so the table can
be read by anything. Non-goals: emitting source (``specc.emit``), judging numbers in training
(``specc.harness``).

A runnable **shares** the module's parameters and buffers, the tensors themselves: an optimizer on
``module.parameters()`` trains it and ``module.state_dict()`` shows the result.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from specc.ir.targets import TARGET_ROWS, TargetRow

if TYPE_CHECKING:
    from torch import Tensor, nn

    from specc.targets.artefacts import Facts

# For each input the sizes that are free: dimension -> symbol, or an expression (``{0: "N"}``).
FreeSizes: TypeAlias = Sequence[Mapping[int, str]]
# Inputs of other sizes, which a module with free sizes takes.
Others: TypeAlias = Sequence[tuple["Tensor", ...]]


class Functions(Protocol):
    """What the file of a target has, said at ``Target``'s methods of the same names."""

    def runnable(
        self,
        module: nn.Module,
        inputs: tuple[Tensor, ...],
        *,
        free_sizes: FreeSizes | None,
        others: Others = (),
    ) -> nn.Module: ...

    def save(
        self,
        module: nn.Module,
        inputs: tuple[Tensor, ...],
        source: str,
        path: Path,
        *,
        free_sizes: FreeSizes | None,
        others: Others = (),
    ) -> tuple[str, ...]: ...

    def load(
        self, path: Path, *, class_name: str | None, params: Mapping[str, Any] | None
    ) -> nn.Module: ...

    def facts(self, path: Path) -> Facts: ...


@dataclass(frozen=True)
class Target(TargetRow):
    """One way to run a model: a row of the table with its functions."""

    def artefact(self, folder: Path, stem: str, model: str | None = None) -> Path:
        """Where ``save`` is to write the artefact of the spec called ``stem``.

        ``model`` names one of several: ``gan.Critic.pt2``, ``gan_Critic_compile.py``, since a file
        of Python is imported by its name. The source has all models, in one file."""
        return folder / self.named(stem, model)

    def named(self, stem: str, model: str | None = None) -> str:
        """As ``artefact``, the file's name alone."""
        if model is None or self.name == "eager":
            return f"{stem}{self.suffix}"
        joint = "_" if self.suffix.endswith(".py") else "."
        return f"{stem}{joint}{model}{self.suffix}"

    def runnable(
        self,
        module: nn.Module,
        inputs: tuple[Tensor, ...],
        *,
        free_sizes: FreeSizes | None = None,
        others: Others = (),
    ) -> nn.Module:
        """What is called in place of ``module``, in the mode that ``module.training`` tells.

        ``inputs`` are example inputs with the sizes, dtype and device of the calls to come; with
        ``free_sizes`` the named dimensions may change, which is tried on ``others``: ``notes_of``
        tells what it is bound to all the same. Trains with autograd. Shares the module's
        parameters and buffers, and moves neither while it is built. Raises TargetError.
        """
        return self._functions().runnable(module, inputs, free_sizes=free_sizes, others=others)

    def save(
        self,
        module: nn.Module,
        inputs: tuple[Tensor, ...],
        source: str,
        path: Path,
        *,
        free_sizes: FreeSizes | None = None,
        others: Others = (),
    ) -> tuple[str, ...]:
        """Write the artefact, in evaluation mode, atomically; returns notes for the user.

        ``source`` is the emitted source that ``module``'s class was made from; the rest is as for
        ``runnable``. Raises TargetError when the target refuses the module, CallError when ``path``
        cannot be written.
        """
        return self._functions().save(
            module, inputs, source, path, free_sizes=free_sizes, others=others
        )

    def load(
        self,
        path: Path,
        *,
        class_name: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> nn.Module:
        """The artefact as a module, in evaluation mode; ``notes_of`` it tells what it is bound to.

        Source artefacts are executed; ``class_name`` (by default the file's last module class) and
        ``params`` say what to construct, with fresh weights. Raises TargetError when the file is
        truncated or is not this target's, CallError when it cannot be read.
        """
        return self._functions().load(path, class_name=class_name, params=params)

    def facts(self, path: Path) -> Facts:
        """Whether an artefact has a training mode, and the sizes that it is bound to. Raises as
        ``load`` does."""
        return self._functions().facts(path)

    def _functions(self) -> Functions:
        return cast(Functions, importlib.import_module(f"{__name__}.{self.name}"))


TARGETS: dict[str, Target] = {row.name: Target(**vars(row)) for row in TARGET_ROWS}


def parameters_of(runnable: nn.Module) -> dict[str, Tensor]:
    """The runnable's parameters by the names that they have in the module."""
    return {_plain(name): tensor for name, tensor in runnable.named_parameters()}


def buffers_of(runnable: nn.Module) -> dict[str, Tensor]:
    """The runnable's buffers by the names that they have in the module."""
    return {_plain(name): tensor for name, tensor in runnable.named_buffers()}


def notes_of(runnable: nn.Module) -> tuple[str, ...]:
    """What a target had to say about a runnable that it made, such as 'traced, not scripted'."""
    from specc.targets.artefacts import RUNNABLE_NOTES

    return RUNNABLE_NOTES.get(runnable, ())


def _plain(name: str) -> str:
    # torch.compile wraps the module as a submodule called ``_orig_mod``.
    return name.replace("_orig_mod.", "")
