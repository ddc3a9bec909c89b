"""Where in the specs each observed value is computed; torch-free. Non-goal: columns and carets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from specc.errors import Span
from specc.harness.cases import subject
from specc.ir import Program, Step, Stepped

# What the outputs and losses of runs without hooks are called by within their stage, and how a
# report says it.
WITHOUT_HOOKS = {
    "no_hooks": "without hooks, as users run it",
    "no_hooks_grad": "without hooks and with gradients, as users run it",
}
# A gradient that an optimizer's step has changed.
CHANGED_GRADIENT = "changed_grad"
_OF_SCHEDULERS = ("initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum")


@dataclass(frozen=True, slots=True)
class Spot:
    """A line (from 1) of a spec: the program's own, or one that it uses."""

    file: str
    line: int


def with_hooks(name: str) -> str:
    """The name of the same value, or of the same stage, in a run with hooks, which is what a golden
    holds; empty where ``name`` is of such a run itself."""
    stage, _, rest = name.partition("/")
    kind, _, own = rest.partition("/")
    if kind not in WITHOUT_HOOKS:
        return ""
    return f"{stage}/{own}" if own else stage


def beside_golden(name: str) -> bool:
    """Whether no golden holds a value of this name: it is judged by another's, or by itself."""
    return bool(with_hooks(name)) or name.split("/")[1:2] == [CHANGED_GRADIENT]


def is_setting(name: str) -> bool:
    """Whether ``name`` is a constructor's setting: another torch may have more or fewer of them."""
    return name.startswith(("setting/", "option/"))


class Lines:
    """Looks up the place of an observation's name (``step0/grad/conv1.weight``) in one program."""

    def __init__(self, program: Program) -> None:
        self._known: dict[str, Spot] = {}
        self._file = program.file
        self._whole = program.subject().span
        self._calls = {path: call.span for path, call in subject.layer_calls(program).items()}
        self._layers = {path: layer.span for path, layer in program.subject().all_layers}
        self._states = {
            f"{prefix}{name}": state.span
            for prefix, state in program.subject().all_states
            for name, _ in ((state.name, ()), *state.parameters, *state.buffers)
        }
        train = program.train
        outputs = {output.name: output.value.span for output in program.subject().outputs}
        inputs = [*subject.model_inputs(program), *subject.train_inputs(program)]
        self._named = {
            "output": outputs,
            "input_grad": {value.name: value.span for value in inputs},
        }
        if train is not None:
            for value in train.shared_values:
                outputs.setdefault(value.name, value.span)
            for member in train.members:
                model = next((m for m in program.models if m.name == member.model), None)
                for output in model.outputs if model else ():
                    outputs[f"{member.attribute}.{output.name}"] = output.value.span
            self._named["loss"] = {
                subject.prefixed(step.name, name): value.span
                for step in train.steps
                for name, value in step.terms
            }
            metrics = {metric.name: metric.span for metric in train.metrics}
            self._named |= {"metric": metrics, "metric_half_right": metrics}
        self._steps = {step.name: _spans_of(step) for step in subject.steps(program)}
        self._owners: dict[str, str] = {}
        for step in reversed(subject.steps(program)):
            for each in step.stepped:
                self._steps.setdefault(each.key, _spans_of(step, each))
                for on in (each.optimizer.rest, *(group.on for group in each.optimizer.groups)):
                    self._owners |= dict.fromkeys(on.names, each.key)
        self._members = {
            member.attribute: member.span
            for member in (train.members if train else ())
            if member.span is not None
        }

    def of(self, name: str) -> Spot:
        """The line of what computes ``name``; the model's own where nothing is closer."""
        if name not in self._known:
            span = self._span(name) or self._whole
            self._known[name] = Spot(span.file or self._file, span.line)
        return self._known[name]

    def _span(self, name: str) -> Span | None:
        when, *rest = (with_hooks(name) or name).split("/")
        if when == "setting":
            return self._layers.get(rest[0].rpartition(".")[0])
        if when == "option":
            spans = self._steps.get("/".join(rest[:-2]), {})
            # Kept in the optimizer's groups by a scheduler, of which they are arguments.
            kind = "schedule" if rest[-1].startswith(_OF_SCHEDULERS) else "lr"
            return spans.get(kind) or spans.get("lr")
        kind, *rest = rest
        key = "/".join(rest).split("#")[0]
        if kind in self._named and key in self._named[kind]:
            return self._named[kind][key]
        if kind.startswith("alone"):
            return self._of_layer(key)
        if kind == "layer":
            return self._calls.get(key.split("/")[0])
        last = rest[-1] if rest else ""
        if kind == "delta":
            owner = self._owners.get(last)
            if owner is None:
                return self._members.get(last.partition(".")[0]) or self._layer_of(last)
            return self._steps[owner].get("delta")
        keys = ("/".join(rest[:2]), rest[0] if rest else "", "")
        spans = next((self._steps[key] for key in keys if key in self._steps), {})
        if kind == "lr" and when != "step0":
            return spans.get("schedule") or spans.get("lr")
        return spans.get(kind) or self._layer_of(last)

    def _of_layer(self, name: str) -> Span | None:
        """The call of the layer whose path ``name`` begins with: its own, or a value of it."""
        path = name.split("/")[0]
        while path and path not in self._calls:
            path = path.rpartition(".")[0]
        return self._calls.get(path)

    def _layer_of(self, parameter: str) -> Span | None:
        """The layer that holds ``parameter``, or its own line; a parametrized one lies deeper than
        its layer."""
        if parameter in self._states:
            return self._states[parameter]
        path = parameter.rpartition(".")[0]
        while path:
            if path in self._layers:
                return self._layers[path]
            path = path.rpartition(".")[0]
        return None


def lines_of(program: Program) -> Lines:
    """The lines of ``program``, looked through once for all its runs."""
    return _lines(subject.Key(program))


@lru_cache(maxsize=4)
def _lines(key: subject.Key) -> Lines:
    return Lines(key.program)


def _spans_of(step: Step, each: Stepped | None = None) -> dict[str, Span]:
    """The lines of a step and of one of its optimizers, the first where none is asked for, by the
    kind of what they say."""
    each = each or next(iter(step.stepped), None)
    found: dict[str, Span] = {}
    if step.regularizers:
        found["penalty"] = step.regularizers[0].span
    if step.clip:
        found["clipped_grad"] = step.clip.span
    if each:
        found |= dict.fromkeys((CHANGED_GRADIENT, "delta", "state", "lr"), each.optimizer.span)
    if step.constraints:
        found["constrained"] = step.constraints[0].span
    if each and each.scheduler:
        found |= dict.fromkeys(("schedule", "scheduler"), each.scheduler.span)
    return found
