"""Models whose loops, branches and blocks change sizes, as texts that tests of threaded sizes draw.

Non-goal: whether a text is a spec that checks; what draws it asks."""

from __future__ import annotations

from hypothesis import strategies as st

BLOCKS = """spec 1
block Twice {
  input x: float[N, D]
  output x -> fc: Linear(2 * D) -> ReLU
}
block Grow(growth: int) {
  input x: float[N, D]
  output cat([x, x -> fc: Linear(growth)], dim=-1)
}
block Stage(depth: int, merge: bool) {
  input x: float[N, D]
  x = x -> body: repeat(depth) Linear(D)
  if merge { x = x -> merged: Linear(D + 2) }
  output x
}
block Tower(sizes: tuple) {
  input x: float[N, D]
  for k in range(len(sizes)) { x = x -> fc: Linear(sizes[k]) }
  output x
}
"""
PARAMS = {
    "depth": [2, 1, 3], "width": [4, 3], "skip": [1, 0, 2], "widths": [(4, 6), (5,), (3, 4, 2)],
    "flag": [True, False],
}  # fmt: skip
HEAD = (
    "model M(depth: int = 2, width: int = 4, skip: int = 1, widths: tuple = (4, 6),"
    " flag: bool = true) {\n  input x: float[N, 5]\n  h = x\n"
)
TAIL = (
    "  y = h -> head: Linear(3)\n  output y\n}\ntrain {\n  input t: float[N, 3]\n"
    "  loss = MSELoss(y, t)\n  optimizer SGD(lr=0.1)\n}\ntest {\n  sizes N=2\n}\n"
)
SIZES = ["width", "2 * width", "width + 1", "widths[0]", "max(widths)", "len(widths) + 2", "6"]
CONDITIONS = ["flag", "skip > 0", "depth == 2", "len(widths) > 1", "width > 3"]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A model of a few statements."""
    names = iter(range(100))

    def statements(indent: str, sizes: list[str], conditions: list[str], deep: int) -> list[str]:
        found = []
        for _ in range(draw(st.integers(1, 3))):
            found += statement(indent, sizes, conditions, deep)
        return found

    def statement(
        indent: str, sizes: list[str], conditions: list[str], deep: int
    ) -> list[str]:  # fmt: skip
        label, size = f"l{next(names)}", draw(st.sampled_from(sizes))
        kinds = ["linear", "linear", "twice", "grow", "cat", "stage", "tower", "norm"]
        kind = draw(st.sampled_from([*kinds, *(["for", "for", "if", "repeat"] if deep else [])]))
        condition = draw(st.sampled_from(conditions))
        match kind:
            case "linear":
                return [f"{indent}h = h -> {label}: Linear({size}) -> ReLU"]
            case "twice":
                return [f"{indent}h = h -> {label}: Twice"]
            case "grow":
                return [f"{indent}h = h -> {label}: Grow({size})"]
            case "cat":
                return [f"{indent}h = cat([h, x], dim=-1)"]
            case "norm":
                return [f"{indent}h = h -> {label}: LayerNorm"]
            case "stage":
                return [f"{indent}h = h -> {label}: Stage({size} // {size}, {condition})"]
            case "tower":
                return [f"{indent}h = h -> {label}: Tower(widths)"]
            case "repeat":
                block = draw(st.sampled_from(["Twice", f"Grow({size})", f"Linear({size})"]))
                return [f"{indent}h = h -> {label}: repeat(depth) {block}"]
            case "if":
                inner = statements(f"{indent}  ", sizes, conditions, deep - 1)
                other = statements(f"{indent}  ", sizes, conditions, deep - 1)
                middle = draw(st.sampled_from([[], [f"{indent}}} else {{", *other]]))
                return [f"{indent}if {condition} {{", *inner, *middle, f"{indent}}}"]
        variable = f"i{next(names)}"
        head, more, asked = draw(
            st.sampled_from(
                [
                    (f"{variable} in range(depth)", [f"{variable} + 1", f"width * 2 ** {variable}"],
                     [f"{variable} == skip", f"{variable} > 0", f"{variable} < depth - 1"]),
                    (f"{variable} in range(len(widths))", [f"widths[{variable}]"],
                     [f"{variable} < len(widths) - 1", f"{variable} == skip"]),
                    (f"{variable} in widths", [variable], [f"{variable} > width"]),
                ]
            )
        )  # fmt: skip
        inner = statements(f"{indent}  ", [*sizes, *more], [*conditions, *asked], deep - 1)
        label = draw(st.sampled_from(["", f"{label}: "]))
        return [f"{indent}{label}for {head} {{", *inner, f"{indent}}}"]

    body = statements("  ", SIZES, CONDITIONS, 2)
    return BLOCKS + HEAD + "\n".join(body) + "\n" + TAIL
