"""Blocks that ``train`` calls: what they compute there, what is emitted, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

import specc
from specc import front
from specc.errors import Diagnostic

NET = """spec 1

param sharp: float = 2.0

model Net {
  input x: float[N, 5]
  scores = x -> Linear(3)
  output scores
}
"""
BLOCK = """
block Sharp(gamma: float = 1.0, whole: bool = false) {
  input logits: float[N, C]
  input label: index(C)[N] where C > 1
  p = cross_entropy(logits, label, reduction="none")
  if whole { p = p * C }
  output mean((1 - exp(-p)) ** gamma * p)
}
"""
TRAIN = """
train {{
  input label: index(3)[N]
{}
  optimizer SGD(lr=0.1)
}}
"""


def spec(lines: str, blocks: str = BLOCK) -> str:
    body = "\n".join(f"  {line}" for line in lines.splitlines())
    return f"{NET}{blocks}{TRAIN.format(body)}"


def found(text: str) -> list[Diagnostic]:
    return front.check_text(text)[1]


def terms(text: str, *values: torch.Tensor) -> dict[str, Any]:
    return dict(specc.loads(text).double().loss(*values))


X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABEL = torch.tensor([0, 2, 1, 1])


def sharp(gamma: float, factor: float = 1.0) -> torch.Tensor:
    p = F.cross_entropy(X, LABEL, reduction="none") * factor
    return torch.mean((1 - torch.exp(-p)) ** gamma * p)


@pytest.mark.parametrize(
    "call",
    ["Sharp(scores, label, gamma=3.0)", "Sharp(gamma=3.0)(scores, label)",
     "Sharp(3.0)(scores, label)", "scores -> Sharp(label, gamma=3.0)",
     "Sharp(scores, label, gamma=sharp + 1)"],
)  # fmt: skip
def test_a_block_is_called_as_a_loss_or_as_a_layer_is(call: str) -> None:
    text = spec(f"loss = {call}")
    assert not found(text)
    assert torch.equal(terms(text, X, LABEL)["loss"], sharp(3.0))


def test_each_use_has_its_own_params_and_hides_no_name() -> None:
    text = spec(
        "p = mean(scores)\none = Sharp(scores, label)\n"
        "two = Sharp(scores, label, gamma=sharp, whole=true)\nloss = one + two + 0.0 * p + p"
    )
    assert not found(text)
    given = terms(text, X, LABEL)
    assert list(given) == ["p", "one", "two", "loss"]
    assert torch.equal(given["p"], X.mean())
    assert torch.equal(given["one"], sharp(1.0)) and torch.equal(given["two"], sharp(2.0, 3.0))


def test_a_block_stands_in_the_loss_as_lines_of_its_own(tmp_path: Any) -> None:
    file = tmp_path / "net.spec"
    file.write_text(spec("loss = Sharp(scores, label)"))
    (source,) = specc.build(file, tmp_path / "out")
    text = source.read_text()
    assert "class Sharp" not in text and "self.sharp" not in text
    assert "Sharp(" not in text
    (line,) = [line for line in text.splitlines() if "F.cross_entropy" in line]
    place = 1 + file.read_text().splitlines().index(
        '  p = cross_entropy(logits, label, reduction="none")'
    )
    assert f"net.spec:{place}" in line
    assert ".mean()" in text.partition("def loss")[2].partition("return {")[0]


def test_sizes_lists_loops_and_inner_blocks() -> None:
    blocks = """
block Scaled {
  input y: float[M, K]
  output y / K + M
}

block Sum(times: int) {
  input values: [float[N, C] for k in range(n)]
  total = Scaled()(values[0])
  for k in range(1, len(values)) { total = total + times * (values[k] -> Scaled) }
  output mean(total), total
}
"""
    blocks = blocks.replace("block Sum(times: int)", "block Sum(n: int, times: int)")
    text = spec(
        "a, all = Sum([scores, scores ** 2, sin(scores)], n=3, times=2)\n"
        "loss = a + mean(all[:, 0])",
        blocks,
    )
    assert not found(text)
    net = specc.loads(text).double()
    given = net.loss(X)

    def scaled(y: torch.Tensor) -> torch.Tensor:
        return y / 3 + 4

    total = scaled(X) + 2 * scaled(X**2) + 2 * scaled(torch.sin(X))
    torch.testing.assert_close(given["a"], total.mean(), rtol=1e-14, atol=0.0)
    torch.testing.assert_close(given["loss"], total.mean() + total[:, 0].mean(), rtol=1e-14, atol=0)


def test_a_block_is_called_in_steps_and_in_loops() -> None:
    lines = """input x: float[N, 5]
step first {
  loss = Sharp(Net(x), label)
  for k in range(2) { loss = loss + Sharp(Net(x), label, gamma=2.0) * (k + 1) }
  optimizer SGD(lr=0.1) on Net
}
step second {
  loss = Sharp(Net(x), label, whole=true)
  optimizer SGD(lr=0.1) on Net
}"""
    text = spec(lines).replace("\n  optimizer SGD(lr=0.1)\n}\n", "\n}\n")
    assert not [item for item in found(text) if item.severity == "error"]
    net = specc.loads(text, model="Training").double()
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    scores = net.net(x)

    def own(gamma: float, factor: float = 1.0) -> torch.Tensor:
        p = F.cross_entropy(scores, LABEL, reduction="none") * factor
        return torch.mean((1 - torch.exp(-p)) ** gamma * p)

    torch.testing.assert_close(net.first_loss(LABEL, x)["loss"], own(1.0) + 3 * own(2.0))
    torch.testing.assert_close(net.second_loss(LABEL, x)["loss"], own(1.0, 3.0))


def test_a_derivative_may_be_taken_in_a_block() -> None:
    text = """spec 1

model Net {
  input x: float[N, 5]
  output x -> Linear(8) -> Tanh -> Linear(1)
}

block Slope {
  input score: float[N, 1]
  input x: float[N, 5]
  slope = grad(sum(score), x)
  output mean(sum(slope ** 2, dim=1))
}

train {
  input x: float[N, 5]
  loss = Slope(Net(x), x)
  optimizer SGD(lr=0.1) on Net
}
"""
    assert not found(text)
    net = specc.loads(text, model="Training").double()
    x = torch.randn(4, 5, dtype=torch.float64)
    fed = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(net.net(fed).sum(), fed)
    torch.testing.assert_close(net.loss(x)["loss"], (slope**2).sum(1).mean())


def test_what_a_block_asks_of_sizes_is_asked_of_the_caller() -> None:
    text = spec(
        "loss = Many(scores)", "\nblock Many {\n  input y: float[N, C] where N > 2\n"
        "  output mean(y[2:] - y[:-2])\n}\n",
    )  # fmt: skip
    program, diagnostics, _ = front.check_text(text)
    assert program is not None and not diagnostics and program.train is not None
    assert "N > 2" in map(str, program.train.conditions)
    with pytest.raises(AssertionError, match="N"):
        specc.loads(text).double().loss(X[:2])


@pytest.mark.parametrize(
    ("blocks", "lines", "code", "said"),
    [
        (BLOCK, "loss = Sharp(scores)", "E0224", "`logits` and `label`"),
        (BLOCK, "loss = Sharp(scores, label, gama=1.0)", "E0203", "no argument `gama`"),
        (BLOCK, "loss = Sharp(scores, label=label)", "E0208", "by place"),
        (BLOCK, "loss = Sharp(scores, scores)", "E0242", "`label` of Sharp is index(C)[N]"),
        (BLOCK, "loss = Sharp(scores[:, :1], label)", "E0231", "1 > 1 does not hold"),
        (BLOCK, "loss = own: scores -> Sharp(label)", "E0102", ""),
        (
            "\nblock B {\n  input y: float[N, C]\n  output mean(y -> Linear(2))\n}\n",
            "loss = B(scores)", "E0204", "layers stand in the model",
        ),
        (
            "\nblock B {\n  input y: float[N, C]\n  layer fc = Linear(2)\n  output fc(y)\n}\n",
            "loss = B(scores)", "E0204", "`B` has its own layer",
        ),
        (
            "\nblock B {\n  input y: float[N, 3]\n  parameter w: float[3] = ones_\n"
            "  output mean(w * y)\n}\n",
            "loss = B(scores)", "E0204", "`B` has its own parameter",
        ),
        (
            "\nblock B {\n  input x: float[N, D]\n  output mean(Net(x))\n}\n",
            "loss = mean(scores) + B(x)", "E0204", "`Net` is a model, and a block",
        ),
        (
            "\nblock B(n: int) {\n  input y: float[N, C]\n  output B(n)(y)\n}\n",
            "loss = B(scores, n=1)", "E0236", "uses itself without end",
        ),
        (
            "\nblock B {\n  input y: float[N, C]\n  z = mean(y)\n}\n",
            "loss = B(scores)", "E0221", "B has no output",
        ),
        (
            "\nblock B {\n  input y: float[N, C]\n  output C\n}\n",
            "loss = B(scores)", "E0233", "an output is a tensor",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(blocks: str, lines: str, code: str, said: str) -> None:
    errors = [item for item in found(spec(lines, blocks)) if item.severity == "error"]
    assert errors and errors[0].code == code, errors
    assert said in errors[0].message or said in (errors[0].help or "")


def test_a_fault_inside_is_told_once_with_the_use() -> None:
    blocks = "\nblock B {\n  input y: float[N, C]\n  output mean(rlu(y))\n}\n"
    text = spec("one = B(scores)\nloss = one + B(scores)", blocks)
    (fault,) = [item for item in found(text) if item.severity == "error"]
    assert fault.code == "E0201" and fault.span is not None
    assert text.splitlines()[fault.span.line - 1] == "  output mean(rlu(y))"
    assert any("B is used at" in note for note in fault.notes)


def test_a_loss_fed_wrongly_in_a_block_is_told() -> None:
    blocks = (
        "\nblock B {\n  input y: float[N, C]\n  input label: index(C)[N]\n"
        "  output cross_entropy(softmax(y, dim=1), label)\n}\n"
    )
    errors = [item.code for item in found(spec("loss = B(scores, label)", blocks))]
    assert "E0410" in errors
