"""Losses that are fed with what they do not take, though torch would run them: scores where
log-probabilities are wanted, input and target in each other's place, ``[N, 1]`` against ``[N]``.

What a loss wants is in ``specc.catalog.advice.pairs``, what it is fed in ``origins``, through
blocks and models. Non-goal: shapes that do not fit, which the rows' rules refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from specc import ir
from specc.catalog.advice.pairs import (
    FEEDINGS,
    NEGATIVE_LIKELIHOOD,
    OF_A_LOGARITHM,
    OF_A_SOFTMAX,
    ONE_SIDED,
    TWICE,
    Feeding,
)
from specc.errors import Collector, Diagnostic, Span
from specc.semantics.checks.origins import Origins, dimension
from specc.sizes import Poly, evaluate

# How many of the uses that led to a block a message shows.
_SHOWN_USES = 3
_FED: dict[str, list[Feeding]] = {}
for _row in (*FEEDINGS, OF_A_LOGARITHM, OF_A_SOFTMAX):
    for _name in _row.consumers:
        _FED.setdefault(_name, []).append(_row)


class FeedingLint:
    """What is reported while ``Origins`` goes through models and ``train``: each fault once."""

    def __init__(
        self, collector: Collector, trails: Mapping[int, tuple[str, ...]] | None = None,
        calls: Mapping[int, Span] | None = None,
    ) -> None:  # fmt: skip
        self.collector = collector
        # Where a line of the library was called: what is wrong there is wrong with the call.
        self.calls = calls or {}
        # How nodes of `train` that stand in a block came to be read.
        self.trails = trails or {}
        self.origins = Origins(self._look)
        self.said: set[tuple[str, Span]] = set()

    def model(self, model: ir.Module) -> None:
        """Goes through a model that is fed with a batch."""
        self.origins.read(model)

    def train(self, model: ir.Module, train: ir.Train) -> None:
        """Goes through the steps and metrics of ``train``."""
        subject = train.module or model
        self.origins.batch(train.inputs)
        self.origins.read(subject)
        for step in train.steps:
            self.origins.go(step.nodes, subject)
        self.origins.go(train.metric_nodes, subject)

    def _look(self, node: ir.Leaf, module: ir.Module, origins: Origins) -> None:
        if isinstance(node, ir.FunctionCall):
            if not self._swapped(node, origins):
                for row in _FED.get(node.function, ()):
                    self._fed(row, node, module, origins)
                self._over(node, origins)
                self._twice(node, node.function, dict(node.arguments), module, origins)
            if node.row.family == "pairwise" and len(node.arguments) >= 2:
                first, second = (operand for _, operand in node.arguments[:2])
                self._outer(node, first, second, module, origins)
        elif isinstance(node, ir.Operation) and len(node.operands) == 2 and node.operator != "@":
            self._outer(node, *node.operands, module=module, origins=origins)
        elif isinstance(node, ir.LayerCall):
            layer = module.by_path.get(node.layer)
            if layer is not None and layer.module is None and node.inputs:
                arguments = {**dict(layer.arguments), "input": node.inputs[0]}
                self._twice(node, layer.type, arguments, module, origins)

    def _say(self, found: Diagnostic, node: ir.Leaf) -> None:
        called = self.calls.get(id(node))
        if found.span is not None and called is not None:
            place = f"{found.span.file}:{found.span.line}"
            found = replace(found, span=called, notes=(f"it is computed at {place}",))
        if found.span is not None and (found.code, found.span) not in self.said:
            self.said.add((found.code, found.span))
            uses = (*self.trails.get(id(node), ()), *reversed(self.origins.uses))
            self.collector.items.append(replace(found, notes=(*found.notes, *uses[:_SHOWN_USES])))

    def _fed(
        self, row: Feeding, node: ir.FunctionCall, module: ir.Module, origins: Origins
    ) -> None:
        arguments = dict(node.arguments)
        operand = arguments.get(row.argument)
        if operand is None or not all(
            ir.static_value(arguments.get(name, node.row.defaults[name]), module.values) is wanted  # type: ignore[arg-type]  # compile-time
            for name, wanted in row.when
        ):
            return
        if row.argument == "target" and isinstance(operand, ir.Value) and not operand.type.floating:
            return
        origin = origins.of(operand)
        if origin.kind in row.kinds:
            words = {"producer": origin.maker, "consumer": node.function}
            self._say(
                Diagnostic(
                    row.code, row.message.format(**words), node.span, row.help.format(**words),
                    severity=row.severity,
                ),
                node,
            )  # fmt: skip

    def _over(self, node: ir.FunctionCall, origins: Origins) -> None:
        """Reports log-probabilities that sum to 1 over another dimension than the classes'."""
        fed = dict(node.arguments).get("input")
        if node.function not in NEGATIVE_LIKELIHOOD or not isinstance(fed, ir.Value):
            return
        classes = min(1, len(fed.type.shape) - 1)
        origin = origins.of(fed)
        if origin.kind == "log_softmax" and origin.over not in (None, classes):
            self._say(
                Diagnostic(
                    "E0410",
                    f"{node.function} has its classes in dimension {classes}, and"
                    f" {origin.maker} is over dimension {origin.over} of {fed.type}",
                    node.span,
                    f"take the {origin.maker} over the classes: `dim={classes}`",
                ),
                node,
            )

    def _twice(
        self, node: ir.FunctionCall | ir.LayerCall, name: str,
        arguments: Mapping[str, ir.Operand], module: ir.Module, origins: Origins,
    ) -> None:  # fmt: skip
        """Warns of a softmax of probabilities over the same dimension, of a sigmoid of others."""
        kind, fed = TWICE.get(name), arguments.get("input")
        if kind is None or not isinstance(fed, ir.Value):
            return
        origin = origins.of(fed)
        if origin.kind not in ("softmax", "sigmoid"):
            return
        if kind == origin.kind == "softmax":
            own = dimension(arguments.get("dim"), fed, module)
            if own is None or origin.over != own:
                return
        again = "it is applied twice" if kind == origin.kind else "it wants scores of any size"
        self._say(
            Diagnostic(
                "W0304",
                f"{name} of probabilities, which {origin.maker} gives: {again}",
                node.span,
                f"feed it the scores: take {origin.maker} away"
                if id(node) in self.calls
                else "take one of the two away",
                severity="warning",
            ),
            node,
        )

    def _swapped(self, node: ir.FunctionCall, origins: Origins) -> bool:
        """Reports a one-sided loss whose target is learned, and whose input is not."""
        if node.function not in ONE_SIDED:
            return False
        arguments = dict(node.arguments)
        fed, target = arguments.get("input"), arguments.get("target")
        known, wanted = origins.of(fed), origins.of(target)
        other_way = wanted.kind in ("log_softmax", "log_sigmoid") and known.kind in (
            "softmax", "sigmoid",
        )  # fmt: skip
        divergence = node.function in ("KLDivLoss", "kl_div") and other_way
        if not divergence and (known.learned or not wanted.learned or not known.given):
            return False
        self._say(
            Diagnostic(
                "E0410",
                f"{node.function} takes the prediction first and its target second: here they are"
                " the other way round",
                node.span,
                swapped_advice(node.function, fed, target),
            ),
            node,
        )
        return True

    def _outer(
        self, node: ir.FunctionCall | ir.Operation, first: ir.Operand, second: ir.Operand,
        module: ir.Module, origins: Origins,
    ) -> None:  # fmt: skip
        """Warns of ``[N, 1]`` with ``[N]``, which is every row with every other."""
        if not isinstance(first, ir.Value) or not isinstance(second, ir.Value):
            return
        if origins.of(first).opened or origins.of(second).opened:
            return
        wide, narrow = (
            (first, second) if len(first.type.shape) >= len(second.type.shape) else (second, first)
        )
        if not _meets_itself(wide.type.shape, narrow.type.shape, module):
            return
        result = next(ir.result_values(node.result))
        self._say(
            Diagnostic(
                "W0305",
                f"{first.type} with {second.type} is {result.type}: every row with every other",
                node.span,
                (
                    f"write `squeeze({wide.name}, -1)` for `{wide.name}`"
                    if wide.named
                    else "squeeze the last dimension of the one that has it"
                )
                + "; where every pair is meant, say so by an `unsqueeze`",
                severity="warning",
            ),
            node,
        )


def swapped_advice(loss: str, first: object, second: object) -> str:
    """How a loss is written whose two tensors stand in each other's place."""
    if all(isinstance(value, ir.Value) and value.named for value in (first, second)):
        return f"write `{loss}({second.name}, {first.name})`"  # type: ignore[attr-defined]  # values
    return "exchange the two"


def _meets_itself(
    wide: Sequence[int | Poly], narrow: Sequence[int | Poly], module: ir.Module
) -> bool:
    """Whether a size of ``narrow`` is spread over a 1 of ``wide`` that has the size itself."""
    if len(wide) == len(narrow):
        return False
    sizes = [evaluate(size, module.values) for size in wide]
    for place in range(1, len(narrow) + 1):
        size = evaluate(narrow[-place], module.values)
        if isinstance(size, Poly) and sizes[-place] == 1 and size in sizes[:-place]:
            return True
    return False
