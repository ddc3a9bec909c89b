"""Specs written at random: blocks, loops, branches, lists, shared layers, rebound names.

Every value is ``[N, D]``, so that any may follow any; the text is right by construction.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

# Words that the emitted source might want for itself are among them.
VALUES = ("a", "b", "c", "h", "x", "x_2", "y", "block", "layers_2", "items", "zip", "i_2", "torch")
LABELS = (
    "fc",
    "attn",
    "blocks",
    "h",
    "layers",
    "items",
    "linear_1",
    "a",
    "ys",
    "enumerate",
    "fc_2",
)
VARIABLES = ("i", "j", "k")


@dataclass
class Scope:
    """What a stretch of statements may say: the names of values, ints, conditions and layers.

    ``size`` is what the last dimension of every value is called."""

    size: str
    values: list[str]
    ints: list[str]
    flags: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    blocks: list[str] = field(default_factory=list)
    variables: tuple[str, ...] = ()
    depth: int = 0

    def inner(self, variable: str | None = None) -> Scope:
        known = (*self.variables, variable) if variable else self.variables
        ints = [*self.ints, variable] if variable else list(self.ints)
        return Scope(
            self.size, list(self.values), ints, list(self.flags), list(self.shared), self.labels,
            self.blocks, known, self.depth + 1,
        )  # fmt: skip


class Writer:
    """Draws the lines of one spec."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.signatures: dict[str, str] = {}

    def one_of(self, *items: str) -> str:
        return self.draw(st.sampled_from(items))

    def chance(self, of: int) -> bool:
        return self.draw(st.integers(0, of - 1)) == 0

    # ── expressions ──────────────────────────────────────────────────────────────────────────────

    def width(self, scope: Scope) -> str:
        base = self.one_of(scope.size, "3", f"{scope.size} + 1", f"2 * {scope.size}", *scope.ints)
        return f"{base} + 2" if base in scope.ints else base

    def label(self, scope: Scope) -> str:
        free = [label for label in LABELS if label not in scope.labels | set(scope.shared)]
        if not free or not self.chance(3):
            return ""
        label = self.one_of(*free)
        scope.labels.add(label)
        return f"{label}: "

    def stage(self, scope: Scope, *, row: bool = False) -> str:
        """One or more stages from ``[N, D]`` to ``[N, D]``."""
        label = "" if row else self.label(scope)
        kinds = ["linear", "linear", "two", "relu", "norm", "noise", "state"]
        if scope.depth < 4:
            kinds += ["chain", "repeat"]
        if scope.blocks:
            kinds += ["block", "block"]
        if not row:
            kinds.append("function")
        match self.one_of(*kinds):
            case "linear":
                return f"{label}Linear({scope.size})"
            case "two":
                return f"{label}Linear({self.width(scope)}) -> Linear({scope.size}, bias=false)"
            case "relu":
                return f"{label}{self.one_of('ReLU', 'Tanh')}"
            case "norm":
                return f"{label}LayerNorm"
            case "noise":
                return f"{label}Dropout(0.5)"
            case "state":
                return f"{label}BatchNorm1d"
            case "function":
                return self.one_of("relu", "tanh", "sigmoid")
            case "chain":
                inner = scope.inner()
                inner.labels = set()
                count = self.draw(st.integers(1, 3))
                stages = " -> ".join(self.stage(inner, row=True) for _ in range(count))
                return f"{label}{{ {stages} }}"
            case "repeat":
                free = [name for name in VARIABLES if name not in scope.variables]
                position = self.one_of(*free) if free and self.chance(2) else ""
                inner = scope.inner(position) if position else scope.inner()
                times = self.one_of("1", "2", "3", *scope.ints)
                times += f", {position}" if position else ""
                one = self.stage(inner, row=True)
                if " -> " in one and not one.startswith("{"):
                    one = f"{{ {one} }}"
                return f"{label}repeat({times}) {one}"
            case _:
                return f"{label}{self.use(scope)}"

    def use(self, scope: Scope) -> str:
        """A use of a block with arguments of its own."""
        name = self.one_of(*scope.blocks)
        given = []
        for kind in self.signatures[name]:
            match kind:
                case "w":
                    given.append("w=" + self.one_of("2", "3", "4", scope.size, *scope.ints))
                case "s":
                    given.append("s=" + self.one_of("true", "false", *scope.flags))
                case "n":
                    given.append("n=" + self.one_of("0", "1", "2"))
        kept = [item for item in given if item.startswith(("w", "n")) or not self.chance(3)]
        return f"{name}({', '.join(kept)})" if kept else name

    def value(self, scope: Scope) -> str:
        return self.one_of(*scope.values)

    def expression(self, scope: Scope) -> str:
        kinds = ["pipe", "pipe", "pipe", "sum", "scaled", "name", "function", "residual", "slice"]
        kinds += ["both", "call"]
        if scope.shared:
            kinds += ["shared", "shared"]
        tied = [name for name in scope.shared if name.startswith("shared")]
        if tied:
            kinds.append("tied")
        match self.one_of(*kinds):
            case "sum":
                return f"{self.value(scope)} {self.one_of('+', '-', '*')} {self.value(scope)}"
            case "scaled":
                return f"{self.value(scope)} * {self.one_of('0.5', scope.size, *scope.ints)}"
            case "name":
                return self.value(scope)
            case "function":
                return f"{self.one_of('relu', 'tanh')}({self.value(scope)})"
            case "residual":
                return f"{self.value(scope)} + ({self.pipe(scope)})"
            case "slice":
                both = f"cat([{self.value(scope)}, {self.value(scope)}], dim=1)"
                return f"{both}[:, {self.one_of(f':{scope.size}', f'{scope.size}:', '::2')}]"
            case "shared":
                return f"{self.one_of(*scope.shared)}({self.value(scope)})"
            case "tied":
                return f"{self.value(scope)} @ {self.one_of(*tied)}.weight.T"
            case "both":
                return f"({self.pipe(scope)}) {self.one_of('+', '-', '*')} ({self.pipe(scope)})"
            case "call":
                items = ", ".join(self.pipe(scope) for _ in range(self.draw(st.integers(2, 3))))
                return f"mean(stack([{items}], dim=0), dim=0)"
        return self.pipe(scope)

    def pipe(self, scope: Scope) -> str:
        stages = [self.stage(scope) for _ in range(self.draw(st.integers(1, 3)))]
        return " -> ".join([self.value(scope), *stages])

    # ── statements ───────────────────────────────────────────────────────────────────────────────

    def statements(self, scope: Scope, most: int) -> list[str]:
        lines: list[str] = []
        for _ in range(self.draw(st.integers(1, most))):
            lines += self.statement(scope)
        return lines

    def target(self, scope: Scope) -> str:
        name = self.one_of(*VALUES)
        return name if name not in scope.shared else "a"

    def bind(self, scope: Scope, *names: str) -> None:
        scope.values += [name for name in names if name not in scope.values]

    def statement(self, scope: Scope) -> list[str]:
        kinds = ["assign"] * 4 + ["swap", "split"]
        if scope.depth < 3:
            kinds += ["for", "for", "if", "list", "grow"]
        if scope.depth == 0:
            kinds.append("layer")
        match self.one_of(*kinds):
            case "swap":
                one, two = self.target(scope), self.target(scope)
                if one != two:
                    line = f"{one}, {two} = ({self.value(scope)}, {self.value(scope)})"
                    self.bind(scope, one, two)
                    return [line]
            case "split":
                one, two = self.target(scope), self.target(scope)
                if one != two:
                    pipe = f"{self.value(scope)} -> Linear(2 * {scope.size}) -> chunk(2, dim=1)"
                    self.bind(scope, one, two)
                    return [f"{one}, {two} = {pipe}"]
            case "for":
                return self.loop(scope)
            case "if":
                return self.branch(scope)
            case "list":
                return self.listing(scope)
            case "grow":
                return self.growing(scope)
            case "layer":
                kind = self.one_of(f"Linear({scope.size})", "BatchNorm1d")
                name = f"{'norm' if kind == 'BatchNorm1d' else 'shared'}_{len(scope.shared)}"
                scope.shared.append(name)
                return [
                    f"layer {name} = {kind}",
                    f"{self.rebound(scope)} = {name}({self.value(scope)})",
                ]
        written = self.expression(scope)
        name = self.target(scope)
        self.bind(scope, name)
        return [f"{name} = {written}"]

    def rebound(self, scope: Scope) -> str:
        return self.one_of(*scope.values)

    def loop(self, scope: Scope) -> list[str]:
        free = [name for name in VARIABLES if name not in scope.variables]
        variable = self.one_of(*free) if free else "i"
        label = self.label(scope) if self.chance(2) else ""
        inner = scope.inner(variable)
        if label:
            inner.labels = set()
        over = self.one_of("range(2)", "range(3)", "range(1, 6, 2)", "(2, 3, 5)", "range(1)")
        if scope.ints and self.chance(3):
            over = f"range({self.one_of(*scope.ints)})"
        body = self.statements(inner, 3)
        return [f"{label}for {variable} in {over} {{", *body, "}"]

    def branch(self, scope: Scope) -> list[str]:
        conditions = [*scope.flags, f"{scope.size} == 4", "true"]
        for name in scope.ints:
            conditions += [f"{name} % 2 == 0", f"{name} > 2", f"{name} == {scope.size}"]
        inner = [scope.inner(), scope.inner()]
        lines = [f"if {self.one_of(*conditions)} {{", *self.statements(inner[0], 2)]
        if self.chance(2):
            lines += ["} else {", *self.statements(inner[1], 2)]
            shared = [name for name in inner[0].values if name in inner[1].values]
        else:
            shared = scope.values
        self.bind(scope, *shared)
        return [*lines, "}"]

    def listing(self, scope: Scope) -> list[str]:
        free = [name for name in VARIABLES if name not in scope.variables]
        if not free:
            return []
        inner = scope.inner(free[-1])
        name = f"list_{self.draw(st.integers(0, 3))}"
        over = self.one_of("range(2)", "range(3)", "(1, 2)")
        lines = [f"{name} = [{self.expression(inner)} for {free[-1]} in {over}]"]
        target = self.target(scope)
        used = self.one_of(
            f"{name}[0] + {name}[1]", f"mean(stack({name}, dim=0), dim=0)", f"{name}[-1]"
        )
        self.bind(scope, target)
        return [*lines, f"{target} = {used}"]

    def growing(self, scope: Scope) -> list[str]:
        """A list that gets an item a round, or each other round, and may lose some again."""
        free = [name for name in VARIABLES if name not in scope.variables]
        if not free:
            return []
        variable = free[-1]
        inner = scope.inner(variable)
        name = f"grown_{scope.depth}"
        lines = [f"{name} = {self.one_of('[]', f'[{self.value(scope)}]')}"]
        body = self.statements(inner, 2)
        if self.chance(2):
            body.append(f"{self.rebound(inner)} = mean(stack({name} + [x], dim=0), dim=0)")
        body.append(f"{name} = {name} + [{self.expression(inner)}]")
        if self.chance(3):
            body += [f"if {variable} % 2 == 1 {{", f"{name} = {name} + [{self.value(inner)}]", "}"]
        over = self.one_of("range(2)", "range(3)", "(2, 3)")
        lines += [f"for {variable} in {over} {{", *body, "}"]
        target = self.target(scope)
        if self.chance(3):
            taken = f"{target} = {self.value(scope)} + {name}[-1]"
            lines += [f"for {variable} in range(2) {{", taken, f"{name} = {name}[:-1]", "}"]
            if target not in scope.values:
                return lines
            used = self.value(scope)
        else:
            used = self.one_of(f"{name}[0] + {name}[-1]", f"mean(stack({name}, dim=0), dim=0)")
        self.bind(scope, target)
        return [*lines, f"{target} = {used}"]

    # ── the file ─────────────────────────────────────────────────────────────────────────────────

    def block(self, name: str, earlier: list[str]) -> list[str]:
        kinds = self.draw(st.sampled_from(["", "w", "s", "ws", "n", "wn"]))
        forms = {"w": "w: int", "s": "s: bool = false", "n": "n: int"}
        ordered = [kind for kind in "wns" if kind in kinds]
        params = ", ".join(forms[kind] for kind in ordered)
        inputs = ["x"]
        ints = [kind for kind in ordered if kind != "s"]
        scope = Scope("D", list(inputs), ints, ["s"] if "s" in kinds else [], blocks=list(earlier))
        lines = [f"block {name}({params}) {{" if params else f"block {name} {{"]
        lines += [f"input {value}: float[N, D]" for value in inputs]
        if self.chance(4):
            # A row alone: an `nn.Sequential`.
            stages = [self.stage(scope, row=True) for _ in range(self.draw(st.integers(1, 3)))]
            lines.append(f"output x -> {' -> '.join(stages)}")
        else:
            lines += self.statements(scope, 4)
            if "n" in kinds and self.chance(2):
                given = ", ".join(f"{kind}=n - 1" if kind == "n" else f"{kind}={kind}"
                                  for kind in ordered)  # fmt: skip
                lines.append(f"if n > 0 {{ x = x -> {name}({given}) }}")
            lines.append(f"output {self.expression(scope)}")
        self.signatures[name] = "".join(ordered)
        return [*lines, "}"]

    def spec(self) -> str:
        names = [f"Block{number}" for number in range(self.draw(st.integers(0, 3)))]
        lines = ["spec 1"]
        for position, name in enumerate(names):
            lines += self.block(name, names[:position])
        lines += ["model Net(dim: int = 4, width: int = 3) {", "input x: float[N, dim]"]
        scope = Scope("dim", ["x"], ["width"], blocks=names)
        lines += self.statements(scope, 6)
        lines.append(f"output {self.expression(scope)}")
        return "\n".join([*lines, "}"]) + "\n"


@st.composite
def specs(draw: st.DrawFn) -> str:
    """The text of a spec with a model ``Net`` from ``[N, 4]`` to ``[N, 4]``."""
    return Writer(draw).spec()
