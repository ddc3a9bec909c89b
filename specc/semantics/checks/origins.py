"""What is known of each value beside its type: what kind of numbers it holds, and what made it.

One pass over the nodes in their order, into blocks and models as often as they are fed with
something else; what each node is fed is shown to whoever asks. Non-goal: judging it
(``feeding``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from specc import ir
from specc.catalog.advice.kinds import (
    GIVES,
    IN_PLACE,
    KEEPS,
    OPENS,
    OVER,
    SCORES_OF_SCORES,
    SHAPES_ANEW,
    Kind,
)
from specc.catalog.rows import LayerRow


@dataclass(frozen=True, slots=True)
class Origin:
    """Of one value: the ``kind`` of its numbers and the ``maker`` that a message names; whether it
    depends on parameters (``learned``) and on what a batch brings (``given``); whether the spec
    itself gave it a dimension of 1 (``opened``). ``over`` is the dimension over which probabilities
    sum to 1, where that is known."""

    kind: Kind = ""
    maker: str = ""
    learned: bool = False
    given: bool = False
    opened: bool = False
    over: int | None = None


UNKNOWN: Final = Origin()
_EXPONENTS: Final[dict[Kind, Kind]] = {
    "log_softmax": "softmax",
    "log_sigmoid": "sigmoid",
    "scores": "positive",
    "positive": "positive",
    "between": "positive",
}
_LOGARITHMS: Final[dict[Kind, Kind]] = {"softmax": "log_softmax", "sigmoid": "log_sigmoid"}

# A node that computes, where it stands, and what is known of a value there.
Watch: TypeAlias = Callable[[ir.Leaf, ir.Module, "Origins"], None]


class Origins(ir.Follower[Origin]):
    """The origins of the values of a module and of the blocks inside it, as they are come by."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch
        # The uses that led into the block that is gone through, the outermost first.
        self.uses: list[str] = []

    def of(self, operand: ir.Operand) -> Origin:
        """What is known of ``operand``; of several, what all of them have in common."""
        if isinstance(operand, ir.Value):
            return self.fact(operand)
        if isinstance(operand, tuple):
            return _common([self.of(item) for item in operand if ir.holds_values(item)])
        return UNKNOWN

    def read(self, module: ir.Module, inputs: Sequence[Origin] = ()) -> tuple[Origin, ...]:
        """Goes through ``module``, fed with ``inputs`` (with a batch, where there are none), and
        gives the origins of its outputs."""
        return self.enter(module, inputs or [Origin(given=True)] * len(module.inputs))

    def unknown(self, value: ir.Value) -> Origin:
        """``UNKNOWN``."""
        return UNKNOWN

    def compute(self, node: ir.Leaf, module: ir.Module) -> None:
        """Shows ``node`` to who asks, and notes the origins of what it gives."""
        self.watch(node, module, self)
        made = list(ir.result_values(node.result))
        if isinstance(node, ir.LayerCall):
            found = self._called(node, module, made)
        else:
            found = [self._computed(node, module)] * len(made)
        for value, origin in zip(made, found, strict=False):
            self.know(value, origin)

    def batch(self, values: Iterable[ir.Value]) -> None:
        """Notes that ``values`` are what a batch brings."""
        for value in values:
            self.know(value, Origin(given=True))

    def _called(
        self, node: ir.LayerCall, module: ir.Module, results: Sequence[ir.Value]
    ) -> Sequence[Origin]:
        count = len(results)
        layer = module.by_path.get(node.layer)
        fed = [self.of(item) for item in node.inputs]
        if layer is None:
            return [UNKNOWN] * count
        if layer.module is not None:
            self.uses.append(f"{layer.type} is used at {node.span.file}:{node.span.line}")
            found = self.read(layer.module, fed)
            self.uses.pop()
            return found
        common = _joined(fed)
        made = replace(
            self._applied(layer.type, fed[0] if fed else UNKNOWN, common, _family(layer.row)),
            learned=common.learned or bool(layer.parameters),
            given=common.given,
        )
        if layer.type in OVER:
            made = replace(
                made, over=dimension(dict(layer.arguments).get("dim"), results[0], module)
            )
        if layer.type == "MultiheadAttention":  # its outputs, then its weights
            scores = replace(made, kind="scores", maker=layer.type)
            return [scores, *[made] * (count - 1)]
        return [made] * count

    def _computed(self, node: ir.Leaf, module: ir.Module) -> Origin:
        match node:
            case ir.FunctionCall():
                operands = [value for _, value in node.arguments if ir.holds_values(value)]
                common = _joined(self.of(operand) for operand in operands)
                first = self.of(operands[0]) if operands else UNKNOWN
                made = replace(
                    self._applied(node.function, first, common, node.row.family),
                    learned=common.learned,
                    given=common.given,
                )
                if node.function in OVER:
                    result = next(ir.result_values(node.result))
                    return replace(
                        made, over=dimension(dict(node.arguments).get("dim"), result, module)
                    )
                return made
            case ir.Operation():
                return self._operated(node)
            case ir.ParameterRead():
                return Origin("scores", f"{node.layer}.{node.parameter}", learned=True)
            case ir.Subscript():
                # An index may be a tensor of its own.
                return replace(self.of(node.value), over=None)
            case ir.Transpose():
                return replace(self.of(node.value), over=None)
            case _:
                return UNKNOWN

    def _applied(self, name: str, first: Origin, common: Origin, family: str) -> Origin:
        """What the layer or function called ``name``, of a ``family``, makes of ``first``, and of
        all it is fed."""
        opened = (common.opened and family not in SHAPES_ANEW) or name in OPENS
        if name in GIVES:
            return Origin(GIVES[name], name, opened=opened)
        if name in KEEPS:
            return replace(first, opened=opened, over=first.over if name in IN_PLACE else None)
        if name in SCORES_OF_SCORES and first.kind == "scores":
            return replace(first, opened=opened)
        table = {"exp": _EXPONENTS, "log": _LOGARITHMS}.get(name, {})
        kind = table.get(first.kind, "")
        # However often, such as in a loop, the last is what is named.
        over = first.over if name == "log" else None
        return Origin(kind, name if kind else "", opened=opened, over=over)

    def _operated(self, node: ir.Operation) -> Origin:
        origins = [self.of(item) for item in node.operands if ir.holds_values(item)]
        common = _joined(origins)
        kinds = {origin.kind for origin in origins}
        alone = len(origins) == 1
        kind: Kind = ""
        maker = origins[0].maker if origins else ""
        if kinds == {"scores"} and node.operator in ("+", "-", "*", "@"):
            kind = "scores"
        elif kinds == {"scores"} and node.operator == "/" and not ir.holds_values(node.operands[1]):
            kind = "scores"
        elif node.operator in ("*", "@") and "scores" in kinds:
            # Weighed by anything, scores are scores.
            kind = "scores"
            maker = next(origin.maker for origin in origins if origin.kind == "scores")
        elif node.operator == "-" and alone and kinds == {"sigmoid"} and node.operands[0] == 1:
            kind = "sigmoid"
        opened = common.opened and node.operator != "@"
        return Origin(kind, maker if kind else "", common.learned, common.given, opened)


def dimension(dim: object, result: ir.Value, module: ir.Module) -> int | None:
    """Which dimension of ``result`` the argument ``dim`` means, where that is known."""
    dim = ir.static_value(dim, module.values)  # type: ignore[arg-type]  # compile-time
    rank = len(result.type.shape)
    return dim % rank if isinstance(dim, int) and rank else None


def _family(row: LayerRow | None) -> str:
    return "" if row is None else row.family


def _joined(origins: Iterable[Origin]) -> Origin:
    """What a value that is computed from all of them depends on."""
    found = list(origins)
    return Origin(
        learned=any(each.learned for each in found),
        given=any(each.given for each in found),
        opened=any(each.opened for each in found),
    )


def _common(origins: Sequence[Origin]) -> Origin:
    """A list of values as one: of a kind where all are."""
    joined = _joined(origins)
    if origins and len({each.kind for each in origins}) == 1:
        return replace(joined, kind=origins[0].kind, maker=origins[0].maker)
    return joined
