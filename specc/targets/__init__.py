"""Source to runnable: the table of targets, and what is common to all of them.

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
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor, nn

    from specc.targets.files import Facts

# For each input the sizes that are free: dimension -> symbol, or an expression (``{0: "N"}``).
FreeSizes: TypeAlias = Sequence[Mapping[int, str]]
# Inputs of other sizes, which a module with free sizes takes.
Others: TypeAlias = Sequence[tuple["Tensor", ...]]


@dataclass(frozen=True, slots=True)
class Target:
    """One way to run a model: ``module_path`` holds its functions, ``suffix`` ends its artefact."""

    name: str
    module_path: str
    suffix: str
    summary: str

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
        made: nn.Module = self._functions().runnable(
            module, inputs, free_sizes=free_sizes, others=others
        )
        return made

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
        notes: tuple[str, ...] = self._functions().save(
            module, inputs, source, path, free_sizes=free_sizes, others=others
        )
        return notes

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
        loaded: nn.Module = self._functions().load(path, class_name=class_name, params=params)
        return loaded

    def facts(self, path: Path) -> Facts:
        """Whether an artefact has a training mode, and the sizes that it is bound to. Raises as
        ``load`` does."""
        found: Facts = self._functions().facts(path)
        return found

    def _functions(self) -> Any:
        return importlib.import_module(self.module_path)


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("eager", "specc.targets.eager", ".py", "plain PyTorch source"),
        Target("compile", "specc.targets.compile", "_compile.py", "torch.compile with inductor"),
        Target("torchscript", "specc.targets.torchscript", ".ts", "TorchScript (legacy in torch)"),
        Target("export", "specc.targets.export", ".pt2", "torch.export"),
    )
}


def parameters_of(runnable: nn.Module) -> dict[str, Tensor]:
    """The runnable's parameters by the names that they have in the module."""
    return {_plain(name): tensor for name, tensor in runnable.named_parameters()}


def buffers_of(runnable: nn.Module) -> dict[str, Tensor]:
    """The runnable's buffers by the names that they have in the module."""
    return {_plain(name): tensor for name, tensor in runnable.named_buffers()}


def notes_of(runnable: nn.Module) -> tuple[str, ...]:
    """What a target had to say about a runnable that it made, such as 'traced, not scripted'."""
    from specc.targets.files import RUNNABLE_NOTES

    return RUNNABLE_NOTES.get(runnable, ())


def _plain(name: str) -> str:
    # torch.compile wraps the module as a submodule called ``_orig_mod``.
    return name.replace("_orig_mod.", "")
