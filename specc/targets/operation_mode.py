"""The base of what stands between a run and torch's operations: records, counts, changes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class OperationMode(TorchDispatchMode):
    """While open, ``run`` says what each operation of aten gives: in forward, backward and
    optimizer."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own has no annotations

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Torch hides every dispatch from its compiler, at a cost: nothing is compiled in here.
        return False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return self.run(func, args, kwargs or {})

    def run(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """What ``func`` gives: here what it computes."""
        return func(*args, **kwargs)


def name_of(func: Any) -> str:
    """The operation's name as its kernels have it, without overload: `mm`, `add_`."""
    name: str = func._schema.name
    return name.partition("::")[2]
