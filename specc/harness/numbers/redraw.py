"""Functions that draw, in a source that is to be tested: their noise from the portable generator.

The calls in the source (``torch.randn_like(x)``, ``F.dropout(x, 0.1, self.training)``) are
rewritten to ``draws``' twins, which read a key and a counter from the instance that they are called
on; the noise of such a call is known by the instance's path and the call's place in its class, in
the order of the source. A call that runs twice within a step draws the same twice. Dropout inside
attention's kernel is set to zero and said. A source without such calls is left as it is, to the
letter.
Non-goal: layers that draw (``portable_dropout``).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import nn

from specc.harness.numbers.counter import STEP_BUFFER, key_of

# How the emitted source writes a function -> its twin in ``draws``.
_TWINS = {
    "torch.randn_like": "portable_randn_like",
    "torch.rand_like": "portable_rand_like",
    "torch.bernoulli": "portable_bernoulli",
    "F.dropout": "portable_dropout",
    "F.dropout1d": "portable_dropout1d",
    "F.dropout2d": "portable_dropout_channels",
    "F.dropout3d": "portable_dropout3d",
    "F.alpha_dropout": "portable_alpha_dropout",
    "F.feature_alpha_dropout": "portable_feature_alpha_dropout",
    "F.rrelu": "portable_rrelu",
    "F.gumbel_softmax": "portable_gumbel_softmax",
    "F.fractional_max_pool2d": "portable_fractional_max_pool2d",
    "F.fractional_max_pool3d": "portable_fractional_max_pool3d",
}
_SILENCED = {"F.scaled_dot_product_attention": ("dropout_p", 4)}
# What else draws: nothing here replaces it, and a report says so.
_UNCOVERED = frozenset(
    """
    torch.randn torch.rand torch.randint torch.randperm torch.normal torch.multinomial
    torch.poisson torch.randint_like torch.dropout F.multi_head_attention_forward
    """.split()
)
# What torch calls the first argument of these.
_FIRST = ("input", "logits")
_KEY = "noise_key_"
_PREFIX = "specc_"


@dataclass(frozen=True, slots=True)
class Redrawn:
    """The source to run; ``sites`` are each class's calls by their functions, in order;
    ``silenced`` and ``uncovered`` say what was switched off and what still draws from torch."""

    source: str
    sites: dict[str, tuple[str, ...]] = field(default_factory=dict)
    silenced: tuple[str, ...] = ()
    uncovered: tuple[str, ...] = ()


@lru_cache(maxsize=16)
def redrawn(source: str) -> Redrawn:
    """``source`` with its draws made portable; itself where it does not parse or draws nothing."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return Redrawn(source)  # executing it says what is wrong
    sites: dict[str, tuple[str, ...]] = {}
    silenced: list[str] = []
    uncovered: list[str] = []
    twins: set[str] = set()
    for item in tree.body:
        rewriter = _Rewriter(item.name if isinstance(item, ast.ClassDef) else "")
        rewriter.visit(item)
        if rewriter.sites:
            sites[rewriter.owner] = tuple(rewriter.sites)
        silenced += rewriter.silenced
        uncovered += rewriter.uncovered
        twins |= rewriter.twins
    if not sites and not silenced:
        return Redrawn(source, uncovered=tuple(uncovered))
    names = sorted(twins)
    if names:
        aliases = [ast.alias(name, _PREFIX + name) for name in names]
        tree.body.insert(
            _after_head(tree), ast.ImportFrom("specc.harness.numbers.draws", aliases, 0)
        )
    text = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    return Redrawn(text, sites, tuple(silenced), tuple(uncovered))


def give_keys(module: nn.Module, seed: int, sites: dict[str, tuple[str, ...]]) -> None:
    """Give every instance inside ``module`` what its rewritten calls read: keys and a counter."""
    for path, each in list(module.named_modules(remove_duplicate=False)):
        functions = sites.get(type(each).__name__)
        if functions is None or hasattr(each, STEP_BUFFER):
            continue
        for position, function in enumerate(functions):
            name = f"{path}/{function}/{position}"
            setattr(each, f"{_KEY}{position}", key_of(seed, name))
        counter = torch.zeros((), dtype=torch.int64)
        device = next((tensor.device for tensor in module.parameters()), counter.device)
        each.register_buffer(STEP_BUFFER, counter.to(device), persistent=False)


def _gives_places(node: ast.Call) -> bool:
    """Whether a pooling gives two results: a function of its own for TorchScript."""
    return any(
        keyword.arg == "return_indices"
        and isinstance(keyword.value, ast.Constant)
        and bool(keyword.value.value)
        for keyword in node.keywords
    )


def _after_head(tree: ast.Module) -> int:
    """Behind the docstring and what ``__future__`` asks for, which must come first."""
    position = 0
    for number, item in enumerate(tree.body):
        docstring = number == 0 and isinstance(item, ast.Expr)
        if docstring or (isinstance(item, ast.ImportFrom) and item.module == "__future__"):
            position = number + 1
    return position


class _Rewriter(ast.NodeTransformer):
    """Rewrites the calls inside one statement of the file: a class, or something else."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.sites: list[str] = []
        self.silenced: list[str] = []
        self.uncovered: list[str] = []
        self.twins: set[str] = set()
        self._self = ""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        before = self._self
        if self.owner and not before and node.args.args:
            self._self = node.args.args[0].arg
        found = self.generic_visit(node)
        self._self = before
        return found

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = ast.unparse(node.func) if isinstance(node.func, ast.Attribute) else ""
        place = f"{self.owner or 'a function'}: {function}"
        # The outer call stands before its arguments in the source.
        position = len(self.sites)
        replaced = function in _TWINS and bool(self._self)
        if replaced:
            self.sites.append(function)
        self.generic_visit(node)
        if replaced:
            twin = _TWINS[function] + ("_with_indices" if _gives_places(node) else "")
            self.twins.add(twin)
            node.func = ast.Name(_PREFIX + twin, ast.Load())
            itself = [keyword.value for keyword in node.keywords if keyword.arg in _FIRST]
            node.keywords = [keyword for keyword in node.keywords if keyword.arg not in _FIRST]
            first, rest = (itself or node.args[:1]), (node.args if itself else node.args[1:])
            node.args = [*first, self._read(f"{_KEY}{position}"), self._read(STEP_BUFFER), *rest]
        elif function in _SILENCED:
            self._silence(node, *_SILENCED[function], place)
        elif function in _UNCOVERED or function in _TWINS:
            self.uncovered.append(place)
        return node

    def _read(self, attribute: str) -> ast.expr:
        return ast.Attribute(ast.Name(self._self, ast.Load()), attribute, ast.Load())

    def _silence(self, node: ast.Call, argument: str, position: int, place: str) -> None:
        """Set a kernel's own dropout to zero, where it is not already."""
        given = [keyword for keyword in node.keywords if keyword.arg == argument]
        value = given[0].value if given else None
        if value is None and len(node.args) > position:
            value = node.args[position]
        if value is None or (isinstance(value, ast.Constant) and not value.value):
            return
        if given:
            given[0].value = ast.Constant(0.0)
        else:
            node.args[position] = ast.Constant(0.0)
        self.silenced.append(f"{place}: {argument} {ast.unparse(value)} set to 0")
