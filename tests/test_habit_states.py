"""State as other frameworks declare it: the declaration that a message proposes checks."""

from __future__ import annotations

import pytest

from specc import front
from specc.errors import Diagnostic

SPEC = """spec 1

model Net(width: int = 16) {{
  input x: float[N, width]
  {}
  output x -> Linear(3)
}}
"""
STATES = [
    ("nn.Parameter(torch.zeros(16))", "parameter g: float[16] = zeros_"),
    ("torch.nn.Parameter(torch.ones(1, 1, width))", "parameter g: float[1, 1, width] = ones_"),
    ("nn.Parameter(torch.randn(4, width) * 0.02)",
     "parameter g: float[4, width] = normal_(std=0.02)"),
    ("nn.Parameter(0.5 * torch.randn(4))", "parameter g: float[4] = normal_(std=0.5)"),
    ("nn.Parameter(torch.randn(4))", "parameter g: float[4] = normal_"),
    ("nn.Parameter(torch.rand(4))", "parameter g: float[4] = uniform_"),
    ("nn.Parameter(torch.full((4,), 0.5))", "parameter g: float[4] = constant_(0.5)"),
    ("nn.Parameter(1e-6 * torch.ones(width), requires_grad=True)",
     "parameter g: float[width] = constant_(1e-06)"),
    ("nn.Parameter(torch.tensor(0.5))", "parameter g: float[] = constant_(0.5)"),
    ("nn.Parameter(torch.tensor([0.5, 1.0]))", "parameter g = (0.5, 1.0)"),
    ("nn.Parameter(torch.log(torch.arange(1, 17)))", "parameter g = log(arange(1, 17))"),
    ("tf.Variable(tf.zeros((16,)))", "parameter g: float[16] = zeros_"),
    ('self.param("g", nn.initializers.ones, (16,))', "parameter g: float[16] = ones_"),
    ('self.param("g", nn.initializers.normal(0.02), (4, 16))',
     "parameter g: float[4, 16] = normal_(std=0.02)"),
]  # fmt: skip


def errors(text: str) -> list[Diagnostic]:
    _, found, _ = front.check_text(text)
    return [item for item in found if item.severity == "error"]


def line_of(text: str) -> str:
    """The line of ``text`` once the proposal of its one message is in its place; it then checks."""
    (found,) = errors(text)
    assert found.fix is not None and found.span is not None and found.span.line == 5, found
    right = text[: found.fix.start] + found.fix.text + text[found.fix.end :]
    assert errors(right) == []
    return right.split("\n")[4].strip()


@pytest.mark.parametrize(("said", "right"), STATES)
@pytest.mark.parametrize("target", ["g = ", "self.g = ", "parameter g = "])
def test_a_parameter_is_declared_with_its_name_and_shape(
    said: str, right: str, target: str
) -> None:
    assert line_of(SPEC.format(target + said)).replace("1e-6", "1e-06") == right


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ('self.register_buffer("mask", torch.tril(torch.ones(8, 8)))',
         "buffer mask = tril(ones(8, 8))"),
        ('register_buffer("mask", torch.ones(8), persistent=False)',
         "buffer mask = ones(8), persistent=false"),
        ("self.register_buffer('mean', torch.tensor([0.485, 0.456]))",
         "buffer mean = (0.485, 0.456)"),
        ("parameter g: float[16] = zeros", "parameter g: float[16] = zeros_"),
        ("parameter g: float[16] = zeros()", "parameter g: float[16] = zeros_"),
        ("parameter g: float[16, 3] = nn.init.xavier_uniform_",
         "parameter g: float[16, 3] = xavier_uniform_"),
        ("parameter g: float[16, 3] = init.trunc_normal_(std=0.02)",
         "parameter g: float[16, 3] = trunc_normal_(std=0.02)"),
        ("parameter g: float[16] = torch.zeros(16)", "parameter g: float[16] = zeros(16)"),
    ],
)  # fmt: skip
def test_a_buffer_and_an_initialiser_are_said_as_here(said: str, right: str) -> None:
    assert line_of(SPEC.format(said)) == right


@pytest.mark.parametrize(
    "said",
    ["g = nn.Parameter(torch.empty(16))", "g = nn.Parameter(x)", "self.g = nn.Parameter(weight)",
     "g = nn.Parameter(torch.Tensor(16, 16))"],
)  # fmt: skip
def test_what_fills_it_elsewhere_is_told_in_words(said: str) -> None:
    (found,) = errors(SPEC.format(said))
    assert found.fix is None and "`parameter gamma: float[8] = ones_`" in (found.help or "")
