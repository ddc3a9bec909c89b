"""Architectures in whose loops a list of tensors grows or shrinks: what is computed in each target,
how layers are called, what is emitted, and what is refused. Non-goal: each form of such a loop
(``test_growing_lists``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import specc
from specc import front
from specc.emit import emit
from specc.harness.cases import matrix
from specc.semantics import analyse
from specc.targets.live import module_class

UNET = """spec 1
model Net(depth: int = 3, width: int = 4) {
  input x: float[N, 3, H, W] where H % 8 == 0, W % 8 == 0
  skips = []
  for k in range(depth) {
    x = x -> down: Conv2d(width * 2 ** k, 3, padding=1) -> relu
    skips = skips + [x]
    x = max_pool2d(x, 2)
  }
  for k in range(depth) {
    x = cat([interpolate(x, scale_factor=2), skips[-1]], dim=1)
    x = x -> up: Conv2d(width * 2 ** (depth - 1 - k), 3, padding=1) -> relu
    skips = skips[:-1]
  }
  output x -> head: Conv2d(2, 1)
}
"""


def unet(net: Any, x: Tensor) -> Tensor:
    skips = []
    for down in net.down:
        x = functional.relu(down(x))
        skips.append(x)
        x = functional.max_pool2d(x, 2)
    for up in net.up:
        x = functional.relu(
            up(torch.cat([functional.interpolate(x, scale_factor=2.0), skips.pop()], dim=1))
        )
    found: Tensor = net.head(x)
    return found


# DETR's: the states of each layer, all read by one head.
STATES = """spec 1
model Net(depth: int = 3) {
  input x: float[N, 6]
  layer head = Linear(2)
  states = [x]
  layers: for k in range(depth) {
    x = x + (x -> norm: LayerNorm -> fc: Linear(6))
    states = states + [x]
  }
  output stack([head(state) for state in states[1:]], dim=0), states[0]
}
"""


def states(net: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    kept, before = [], x
    for layer in net.layers:
        x = x + layer["fc"](layer["norm"](x))
        kept.append(net.head(x))
    return torch.stack(kept), before


# DenseNet's: a round reads all that there is; the list stands on the right; loops nest.
DENSE = """spec 1
model Net {
  input x: float[N, 3]
  features = [x]
  for stage in range(2) {
    for k in range(2) {
      y = cat(features, dim=1) -> fc: Linear(2 + stage) -> tanh
      features = [y] + features
    }
    features = [cat(features, dim=1)]
  }
  output features[0], cat(features + [x], dim=1)
}
"""


def dense(net: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    features = [x]
    for stage in net.fc:
        for fc in stage:
            features.insert(0, torch.tanh(fc(torch.cat(features, dim=1))))
        features = [torch.cat(features, dim=1)]
    return features[0], torch.cat([*features, x], dim=1)


# HRNet's: a branch more in each stage, all through a block; a table; rounds that differ.
BRANCHES = """spec 1
param table: tuple = ((4, 1), (6, 0), (8, 2))
block Mix(widths: tuple) {
  input xs: [float[N, widths[k]] for k in range(len(widths))]
  output [xs[k] -> Linear(widths[k]) -> tanh for k in range(len(widths))]
}
model Net {
  input x: float[N, 4]
  xs = [x]
  stages: for width, times in table {
    if width > 4 { xs = xs + [xs[-1] -> grow: Linear(width)] }
    for m in range(times) { xs = xs -> mix: Mix([w for w, _ in table][:len(xs)]) }
  }
  output cat(xs, dim=1)
}
"""


def branches(net: Any, x: Tensor) -> Tensor:
    xs = [x]
    for stage, (width, times) in zip(net.stages, ((4, 1), (6, 0), (8, 2)), strict=True):
        if width > 4:
            xs.append(stage["grow"](xs[-1]))
        for round_ in range(times):
            mix = stage["mix"][round_]
            # Its layers are called after their places in the text.
            layers = list(mix.linear_1)
            xs = [torch.tanh(layer(y)) for layer, y in zip(layers, xs, strict=True)]
    return torch.cat(xs, dim=1)


# A scan: what is carried beside the list, and a value from before the loop in it.
SCAN = """spec 1
block Scan(length: int) {
  input x: float[N, length, D]
  state = zeros_like(x[:, 0])
  ys = []
  for t in range(length) {
    gate = x[:, t] -> gate: Linear(D) -> sigmoid
    state = gate * state + (1 - gate) * x[:, t]
    if t % 2 == 0 { ys = ys + [state, x[:, 0]] }
  }
  output stack(ys, dim=1)
}
model Net {
  input x: float[N, 5, 3]
  input z: float[N, 3, 3]
  output x -> long: Scan(5), z -> short: Scan(3)
}
"""


def scan(net: Any, x: Tensor, z: Tensor) -> tuple[Tensor, ...]:
    found = []
    for block, given in ((net.long, x), (net.short, z)):
        state, ys = torch.zeros_like(given[:, 0]), []
        for t, layer in enumerate(block.gate):
            gate = torch.sigmoid(layer(given[:, t]))
            state = gate * state + (1 - gate) * given[:, t]
            if t % 2 == 0:
                ys += [state, given[:, 0]]
        found.append(torch.stack(ys, dim=1))
    return tuple(found)


# UNet++'s: columns of levels, each level reads all that stands left of it.
NESTED = """spec 1
model Net(levels: int = 3) {
  input x: float[N, 3]
  columns = [[x -> encode: Linear(3 + i) for i in range(levels)]]
  for j in range(1, levels) {
    columns = columns + [[
      cat([columns[k][i] for k in range(j)] + [columns[j - 1][i + 1]], dim=1) -> node: Linear(3 + i)
      for i in range(levels - j)
    ]]
  }
  pairs = [[y, tanh(y)] for y in columns[0]]
  output columns[-1][0], cat(pairs[1], dim=1)
}
"""


def nested(net: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    columns = [[encode(x) for encode in net.encode]]
    for j, nodes in enumerate(net.node, start=1):
        before = [[column[i] for column in columns] for i in range(len(nodes))]
        columns.append(
            [
                node(torch.cat([*before[i], columns[j - 1][i + 1]], dim=1))
                for i, node in enumerate(nodes)
            ]
        )
    middle = columns[0][1]
    return columns[-1][0], torch.cat([middle, torch.tanh(middle)], dim=1)


PROGRAMS: dict[str, tuple[str, Callable[..., Any], list[tuple[int, ...]]]] = {
    "unet": (UNET, unet, [(2, 3, 16, 24)]),
    "states": (STATES, states, [(2, 6)]),
    "dense": (DENSE, dense, [(2, 3)]),
    "branches": (BRANCHES, branches, [(2, 4)]),
    "nested": (NESTED, nested, [(2, 3)]),
    "scan": (SCAN, scan, [(2, 5, 3), (2, 3, 3)]),
}


@pytest.mark.parametrize("target", ["eager", "torchscript", "export"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_it_computes_what_a_list_in_python_does(name: str, target: str) -> None:
    text, by_hand, shapes = PROGRAMS[name]
    torch.manual_seed(3)
    net = specc.loads(text)
    inputs = [torch.randn(shape) for shape in shapes]
    wanted = by_hand(net, *inputs)
    if target != "eager":
        found = specc.loads(text, target=target)
        assert found.state_dict().keys() == net.state_dict().keys()
        found.load_state_dict(net.state_dict())
        torch.testing.assert_close(found(*inputs), wanted)
        return
    found = net(*inputs)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)


def test_what_is_emitted_is_written_out_and_asserts_its_rounds() -> None:
    program, diagnostics, _ = front.check_text(UNET, "net.spec")
    assert program is not None and not diagnostics
    source = emit(program)
    assert 'assert depth == 3, "built for 3 rounds: build the spec again' in source
    lines = [line.partition("  # ")[0].strip() for line in source.splitlines()]
    assert {"x_2 = F.relu(self.down[0](x))", "x = F.relu(self.up[2](x))"} <= set(lines)
    assert matrix.cases(program)
    with pytest.raises(AssertionError, match="built for 3 rounds"):
        module_class(source, "Net", "net")(depth=2)


def test_layers_that_are_alike_are_made_by_one_expression() -> None:
    program = front.check_text(STATES, "net.spec")[0]
    assert program is not None
    assert "for _ in range(depth)" in emit(program)
    program = front.check_text(NESTED, "net.spec")[0]
    assert program is not None
    # A list that computes nothing is written where it is read.
    assert "torch.cat([items[0], items[1]], dim=1)" in emit(program)


def test_layers_are_called_as_in_any_loop() -> None:
    names = specc.loads(STATES).state_dict()
    assert {"layers.0.norm.weight", "layers.2.fc.bias", "head.weight"} <= names.keys()
    names = specc.loads(DENSE).state_dict()
    assert {"fc.0.0.weight", "fc.1.1.bias"} <= names.keys()


TRAIN = """spec 1
model Net(levels: int = 3) {
  input x: float[N, 8]
  heads = stack([x -> Linear(4) for k in range(levels)], dim=0)
  output heads
}
train {
  input label: index(4)[N]
  losses = []
  for k in range(levels) { losses = losses + [CrossEntropyLoss(heads[k], label)] }
  loss = amax(stack(losses, dim=0)) + losses[0]
  optimizer SGD(lr=0.1)
}
"""


def test_a_list_grows_in_train() -> None:
    net: Any = specc.loads(TRAIN)
    x, label = torch.randn(5, 8), torch.tensor([0, 1, 2, 3, 0])
    heads = net(x)
    each = torch.stack([functional.cross_entropy(head, label) for head in heads])
    torch.testing.assert_close(net.loss(heads, label)["loss"], each.max() + each[0])


def test_gradients_and_warnings_go_through_it() -> None:
    text = STATES.replace("  output stack(", "  y = stack(").replace(", states[0]", "\n  output y")
    text += "train {\n  loss = mean(y ** 2)\n  optimizer SGD(lr=0.1)\n}\n"
    program, diagnostics, _ = front.check_text(text)
    assert program is not None and not diagnostics, diagnostics
    text = text.replace("states[1:]", "states[:-1]")
    _, diagnostics, _ = front.check_text(text)
    assert [each.code for each in diagnostics] == ["W0403"]
    assert "layers.2" in diagnostics[0].message


REFUSED = [
    # What is no list afterwards; what is a list in place of a tensor.
    ("xs = [x]\n  for k in range(2) { xs = xs + [x]\n xs = xs[0] }\n  output xs", "E0238"),
    ("xs = [x]\n  for k in range(2) { xs = xs + [x]\n x = xs }\n  output x", "E0238"),
    ("xs = []\n  for k in range(1001) { xs = xs + [x] }\n  output xs[0]", "E0235"),
    ("xs = []\n  for a in range(40) { for b in range(40) { xs = xs + [x] } }\n  output xs[0]",
     "E0235"),
    ("xs = []\n  for k in range(2) { xs = xs + [x] }\n  output xs[2]", "E0304"),
    ("xs = []\n  for k in range(2) { xs = xs + [x, 3] }\n  output x", "E0225"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code"), REFUSED)
def test_what_cannot_be_is_refused(body: str, code: str) -> None:
    _, diagnostics, _ = front.check_text(
        f"spec 1\nmodel Net {{\n  input x: float[N, 3]\n  {body}\n}}\n"
    )
    assert code in [each.code for each in diagnostics], diagnostics


@pytest.mark.parametrize("before", ["0", "[]", "(1, 2)", "true"])
def test_what_no_loop_carries_becomes_no_tensor_in_it(before: str) -> None:
    _, diagnostics, _ = front.check_text(
        f"spec 1\nmodel Net {{\n  input x: float[N, 4]\n  y = {before}\n"
        "  for k in range(2) { y = x -> Linear(4) }\n  output x + y\n}\n"
    )
    assert [each.code for each in diagnostics] == ["E0238"]


@pytest.mark.parametrize(
    "body",
    [
        "total = 0\n  for k in range(3) { total = total + (x -> fc: Linear(4)) }",
        "total = 0.0\n  for k in range(3) {\n"
        "    y = x -> fc: Linear(4)\n    total = y * 0.5 + total\n  }",
        "total = 1\n  for k in range(2) { for j in range(2) { total = total * relu(x) } }",
        "total = 0\n  for y in [x, -x] { if true { total = total + exp(y) } }",
    ],
)
def test_a_number_may_become_a_sum_of_tensors(body: str) -> None:
    module = specc.loads(
        f"spec 1\nmodel Net {{\n  input x: float[N, 4]\n  {body}\n  output total\n}}\n"
    )
    x = torch.randn(2, 4)
    wanted = torch.zeros(2, 4)
    fcs = [each for each in module.modules() if isinstance(each, torch.nn.Linear)]
    if "y * 0.5" in body:
        wanted = sum(0.5 * fc(x) for fc in fcs)
    elif fcs:
        wanted = sum(fc(x) for fc in fcs)
    elif "relu" in body:
        wanted = x.relu() ** 4
    else:
        wanted = x.exp() + (-x).exp()
    torch.testing.assert_close(module(x), wanted)
    torch.testing.assert_close(torch.jit.script(module)(x), wanted)


def test_a_number_of_the_rounds_alone_keeps_its_loop() -> None:
    source = emit(
        analyse(
            "spec 1\nmodel Net(n: int = 3) {\n  input x: float[N, 4]\n  width = 1\n"
            "  for k in range(n) { width = width + 1 }\n"
            "  for k in range(n) { x = x * 2 }\n  output x -> Linear(width)\n}\n",
            "m.spec",
        )
    )
    assert "for _ in range(self.n)" in source or "for _ in range(n)" in source
