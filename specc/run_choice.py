"""What a call chooses: targets, devices, precisions, params, edited source. Imports no torch.

The command line and the pytest plugin read their options with this, so that both take the same
words and refuse the others in the same words. Non-goals: reading specs, running anything.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from specc.api import stem_of
from specc.errors import CallError
from specc.semantics.files.plan import CHOICES
from specc.suggestions import did_you_mean

if TYPE_CHECKING:
    from specc import ir
    from specc.emit.read_back.built_with import Differing


@dataclass(frozen=True, slots=True)
class RunChoice:
    """What a test run overrides. An empty tuple leaves the spec's own list."""

    targets: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    required_devices: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    source: Path | None = None

    def source_of(self, spec: Path) -> str | None:
        """The text to judge in place of a fresh emission of ``spec``; None where there is none.

        ``source`` is a file, or a folder with the file that ``specc build`` wrote. Raises CallError
        (E0701) where it cannot be read.
        """
        if self.source is None:
            return None
        path = self.source / f"{stem_of(spec)}.py" if self.source.is_dir() else self.source
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise CallError(
                "E0701",
                f"cannot read {str(path)!r}: {reason}",
                help=f"write it with: specc build {spec.name} -o {path.parent}",
            ) from None

    def told_of_params(
        self, differing: Sequence[Differing], spec: str,
        of_test: Sequence[tuple[str, ir.Static]], here: Path,
    ) -> tuple[str, ...]:  # fmt: skip
        """What there is to say of a ``source`` that has other params than the ``spec`` is tested
        with: a line that says so and two that say what to type ``here``; nothing of one that has
        the same. ``of_test`` is what the spec's ``test`` says of params."""
        if not differing or self.source is None:
            return ()
        built = ", ".join(f"{item.name}={item.built}" for item in differing)
        names = {item.name.rpartition(".")[2] for item in differing}
        set_, said = names & self.settings.keys(), names & {name for name, _ in of_test}
        reasons = ["--set"] * bool(set_) + ["`test`"] * bool(said - set_)
        wanted = ", ".join(f"{item.name}={item.wanted}" for item in differing)
        why = f", as {' and '.join(reasons)} says" if reasons else ""
        lines = [f"the source has {built}, and the spec is tested with {wanted}{why}"]
        if all(item.settable for item in differing):
            path = (
                self.source.relative_to(here) if self.source.is_relative_to(here) else self.source
            )
            folder = path if self.source.is_dir() else path.parent
            file = shlex.quote(spec)
            set_wanted, set_built = (
                _options(
                    {**self.settings, **{item.name: getattr(item, side) for item in differing}}
                )
                for side in ("wanted", "built")
            )
            lines += [
                f"  to test what the spec says: specc build {file} {set_wanted} -o {folder}",
                f"  to test what was built: specc bless {file} {set_built}, then"
                f" specc test {file} {set_built} --source {path}",
            ]
        return tuple(lines)


def _options(values: Mapping[str, str]) -> str:
    """The options that set ``values``."""
    return " ".join(f"--set {shlex.quote(f'{name}={value}')}" for name, value in values.items())


def choose(
    *,
    target: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
    require_device: str | None = None,
    settings: dict[str, str] | None = None,
    source: Path | None = None,
) -> RunChoice:
    """A choice from comma-separated names.

    Raises CallError: E0712 for a name that there is not, E0701 where ``source`` is not there.
    """
    if source is not None and not source.exists():
        raise CallError(
            "E0701", f"there is no {str(source)!r}", help="name what 'specc build' wrote"
        )
    return RunChoice(
        names("--target", target, CHOICES["targets"]),
        names("--device", device, CHOICES["devices"]),
        names("--dtype", dtype, CHOICES["dtypes"]),
        names("--require-device", require_device, CHOICES["devices"]),
        settings or {},
        source,
    )


def settings(given: Sequence[str]) -> dict[str, str]:
    """``["width=256"]`` as ``{"width": "256"}``; CallError (E0712) where one is not such."""
    values: dict[str, str] = {}
    for setting in given:
        name, equals, value = setting.partition("=")
        name = name.strip()
        if not equals or not name:
            raise CallError(
                "E0712",
                f"--set takes NAME=VALUE, and {setting!r} is not that",
                help="write for example --set width=256",
            )
        if name in values:
            raise CallError("E0712", f"--set gives {name!r} twice", help="give each param once")
        values[name] = value.strip()
    return values


def sizes(given: Sequence[str]) -> dict[str, int]:
    """``["N=64,T=12"]`` as ``{"N": 64, "T": 12}``; CallError (E0712) where one is not such."""
    values: dict[str, int] = {}
    for text in (part for each in given for part in each.split(",")):
        name, _, number = text.partition("=")
        name, number = name.strip(), number.strip()
        if not name.isidentifier() or not number.isdecimal() or not int(number):
            raise CallError(
                "E0712",
                f"--size takes NAME=NUMBER, and {text!r} is not that",
                help="write for example --size N=64",
            )
        if name in values:
            raise CallError("E0712", f"--size gives {name!r} twice", help="give each size once")
        values[name] = int(number)
    return values


def seconds(option: str, text: str | None, usual: float) -> float | None:
    """A limit of time: ``usual`` where none is given, None for 0; CallError (E0712) for what is no
    number of seconds."""
    if text is None:
        return usual
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e9:
        raise CallError(
            "E0712", f"{option} takes a number of seconds, and {text!r} is not that",
            help="write for example 60, or 0 for no limit",
        )  # fmt: skip
    return found or None


def one(option: str, text: str, known: Sequence[str]) -> str:
    """``text``, which must be one of ``known``; CallError (E0712) where it is not."""
    found = names(option, text, known)
    if len(found) > 1:
        raise CallError("E0712", f"{option} takes one of {', '.join(known)} here, not several")
    return found[0]


def names(option: str, text: str | None, known: Sequence[str]) -> tuple[str, ...]:
    """The names that ``text`` lists, each once; none without it. Raises CallError (E0712)."""
    if text is None:
        return ()
    found = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not found:
        raise CallError("E0712", f"{option} is empty", help=f"give some of {', '.join(known)}")
    for name in found:
        if name not in known:
            raise CallError(
                "E0712",
                f"{option}: there is no {name!r}",
                help=did_you_mean(name, known, f"there is {', '.join(known)}", "{!r}"),
            )
    return found
