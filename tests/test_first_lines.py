"""Lines as somebody writes them at first, in a spec of real size: each is told once, at its place,
and what its message proposes checks there.

A row has the part of the spec that the line stands in, the line with the place between « and »,
and what the help says. Where a help is a proposal, the line must check once it is in its place.
"""

from __future__ import annotations

import re

import pytest

from specc import front
from specc.errors import Diagnostic

SPEC = """spec 1

param width: int = 16
param depth: int = 2

block Unit(hidden: int, rate: float = 0.1) {{
  input x: float[N, T, D]
  h = x -> norm: LayerNorm -> up: Linear(hidden) -> GELU -> Dropout(rate) -> down: Linear(D)
  output x + h
}}

model Net(classes: int = 10) {{
  input tokens: index(100)[N, T]
  input mask: bool[N, T]
  input image: unit[N, 3, 32, 32]
  e = tokens -> embed: Embedding(width)
  units: for k in range(depth) {{ e = e -> unit: Unit(4 * width) }}
  f = image -> conv: Conv2d(8, 3, padding=1, bias=false) -> bn: BatchNorm2d -> relu
  pooled = mean(e, dim=1) + (mean(f, dim=(2, 3)) -> proj: Linear(width))
  pooled = pooled + sum(where(mask, 0.01, 0.0))
{model}
  logits = pooled -> head: Linear(classes)
  output logits
}}

train {{
  input label: index(classes)[N]
{loss}
{optimizer}
}}

test {{
{test}
}}
"""
PARTS = {
    "model": "", "loss": "  loss = CrossEntropyLoss(logits, label)",
    "optimizer": "  optimizer AdamW(lr=1e-3)", "test": "  sizes N=4, T=5",
}  # fmt: skip

MODEL = [
    # parts of a value, and values changed in place
    ("«pooled[pooled > 0] = 0.0»", "write `pooled = masked_fill(pooled, pooled > 0, 0.0)`"),
    ("«pooled[:, 0] = pooled[:, 1]»", "write `pooled = select_scatter("),
    ("«pooled[:, 0:2] = pooled[:, 2:4]»", "write `pooled = slice_scatter("),
    ("«pooled[..., 3] = 0»", "write `pooled = index_fill(pooled, -1, arange(3, 4), 0)`"),
    ("«pooled[0] += 1»", "make a new value: "),
    ("«embed.weight.requires_grad = False»", "write `freeze on embed.weight`"),
    ("«self.head.requires_grad = False»", "write `freeze on head.*`"),
    ("«embed.bias = pooled»", "bind a name to a new value"),
    # calls by themselves
    ("«nn.init.xavier_uniform_(self.head.weight)»", "write `init xavier_uniform_ on head.weight`"),
    ("«nn.init.normal_(self.head.weight, std=0.02)»",
     "write `init normal_(std=0.02) on head.weight`"),
    ("«torch.manual_seed(0)»", "a test says `seed 7`"),
    ("«super().__init__()»", "take the line away"),
    # signs
    ("y = «~»mask", "write `not mask`"), ("y = «!»mask", "write `not mask`"),
    ("y = mask «&» mask", "write `logical_and(mask, mask)`"),
    ("y = tokens «&» 3", "write `bitwise_and(tokens, 3)`"),
    ("y = tokens «|» tokens", "write `bitwise_or(tokens, tokens)`"),
    ("y = pooled «|» pooled", "of masks, `logical_or(a, b)`; of whole numbers"),
    ("y = «~»tokens", "of masks, `not mask`; of whole numbers, `bitwise_not(k)`"),
    ("y = tokens «^» tokens", "of whole numbers, `bitwise_xor(a, b)`"),
    ("y = (pooled > 0) «|» (pooled < 1)", "write `logical_or(pooled > 0, pooled < 1)`"),
    ("if depth > 1 «&&» width > 3 { pooled = relu(pooled) }", "write `and`"),
    ("y = pooled «≤» 1", "write `<=`"), ("y = pooled «→» relu", "write `->`"),
    ("y = pooled «×» 2", "write `*`"), ("y = pooled «−» 1", "write `-`"),
    ("y = pooled«\u00a0»+ 1", "write a space"),
    ("y = pooled -> gelu(approximate=«“tanh”»)", 'write `"tanh"`'),
    ("y = pooled -> gelu(approximate=«tanh»)", "write `\"tanh\"`"),
    ("y = pooled -> relu «->»", "write the stage that takes the value"),
    ("y = pooled «+»  # and more", "write what follows it"), ("y «=»", "write what follows it"),
    ("y = pooled\n    «+» 1", "a line goes on in the next where"),
    ("y = pooled«;» z = pooled", "put what follows on a line of its own"),
    ("y «<-» pooled", "write `y = pooled`"),
    ("pooled = pooled «}»", "take it away"),
    ("y = e.masked_fill(«~»mask.unsqueeze(-1), float(\"-inf\"))", "of masks, `not mask`"),
    # words of Python's
    ("s = «f\"layer{k}\"»", "write the text itself"), ("d = «{»}", "give each value a name"),
    ("d = «{»\"a\": pooled}", "give each value a name"),
    ("y = sum(pooled «for» k in range(3))", "make a list: "),
    ("«while» depth > 0 {\n    pooled = relu(pooled)\n  }", "the number of rounds is known"),
    ("if depth > 1 { pooled = relu(pooled) } «elif» depth > 0 { pooled = tanh(pooled) }",
     "write `else if`"),
    ("«for k in range(3): pooled = relu(pooled)»",
     "write `for k in range(3) { pooled = relu(pooled) }`"),
    ("«return {\"logits\": pooled}»", "put values out by their names"),
    # layers and labels
    ("y = «self.embed(tokens)»", "declared before: `layer embed = Linear(8)`"),
    ("y = «embed»(tokens)", "it is the label of a layer"),
    ("y = pooled -> «(Linear(16), ReLU)»", "write `{ Linear(16) -> ReLU }`"),
    ("y = pooled -> «[Linear(16), ReLU]»", "write `{ Linear(16) -> ReLU }`"),
    ("y = pooled -> «Linear(8).relu()»", "write `Linear(8) -> relu`"),
    ("«fc: Linear(8)»", "or declare it: `layer fc = Linear(8)`"),
    ("y = pooled -> fc «=» Linear(8)", "a label is followed by `:`"),
    ("y = pooled -> Linear(8) «as» fc", "a label stands before the layer"),
    ("y = pooled -> {Linear(8)«, »ReLU}", "stages follow each other by `->`"),
    ("y = pooled -> repeat «3» Linear(16)", "`repeat(3) Linear(8)`"),
    ("y = pooled -> «AdamW(lr=0.1)»", "it is an optimizer: write `optimizer AdamW(...)`"),
    ("y = pooled -> «StepLR(3)»", "it is a scheduler: "),
    ("y = pooled -> «kaiming_normal_»", "it is an initialiser: "),
    ("y = pooled -> «spectral_norm»", "it is a parametrization: "),
    ("y = pooled -> «Accuracy»", "it is a metric: "),
    ("y = «CrossEntropyLoss»(pooled, tokens)", "write `loss = CrossEntropyLoss(...)` in `train`"),
    # several results
    ("a, b, c = «chunk(pooled, 2, dim=1)»", "`a, b = ...`"),
    ("h, c = «pooled»", "`a, b = unbind(x, 0)`"),
    ("y = «pooled.max(dim=1).values»", "write `max(pooled, dim=1)[0]`"),
    ("y = «torch.topk(pooled, 3).indices»", "write `topk(pooled, 3)[1]`"),
    ("y = «nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4), 2)(e)»",
     "write `TransformerEncoder(nhead=4, num_layers=2)(e)`"),
    ("y = «K.mean(e, axis=1)»", "write `mean(e, dim=1)`"),
    ("y = «tf.random.normal((N, 16))»", "noise is drawn by"),
    ("y = «e.get_shape()»", "sizes are the names and numbers"),
    ("y = «einops.rearrange(e, \"b t d -> b d t\")»", "write what the pattern asks for"),
    ("y = «cat(pooled, pooled)»", "write `cat([pooled, pooled])`"),
    ("y = «stack(pooled, pooled, dim=1)»", "write `stack([pooled, pooled], dim=1)`"),
    ("for k in «depth» { pooled = relu(pooled) }", "write `range(depth)`"),
    ("if «depth» { pooled = relu(pooled) }", "write a comparison: `k > 0`"),
    ("y = «softmax(pooled)»", "`dim=-1` is the last"),
    # declarations
    ("input q: «long[N]»", "did you mean `int`?"), ("«param» k: int = 3", "write it there"),
    ("input q: float[«-1», 8]", "an unknown size is a name: `N`"),
    ("init kaiming_normal_(mode=«fan_out») on head.weight", "write `\"fan_out\"`"),
]  # fmt: skip
OPTIMIZER = [
    ("optimizer SGD(«net.parameters()», lr=0.1)", "write `SGD(lr=0.1)`"),
    ("optimizer AdamW «lr=1e-3, weight_decay=0.1»",
     "write `optimizer AdamW(lr=1e-3, weight_decay=0.1)`"),
    ("optimizer AdamW(lr=1e-3) on «\"head.*\"»", "write `head.*`"),
    ("optimizer AdamW(lr=1e-3) on «net.head.*»", "did you mean `head.*`?"),
    ("optimizer AdamW(lr=1e-3) on «self.head.*»", "did you mean `head.*`?"),
    ("optimizer AdamW(lr=1e-3) «on model.parameters()»", "take it away, for all parameters"),
    ("optimizer AdamW(lr=1e-3) { «weight_decay=0.0 on» *.bias }",
     "write `group(weight_decay=0.0) on`"),
    ("optimizer AdamW([«{»\"params\": head, \"lr\": 1e-3}])", "`{ group(lr=1e-4) on *.bias }`"),
    ("optimizer «StepLR(step_size=3)»", "it is a scheduler: "),
]  # fmt: skip
TRAIN = [
    ("scheduler StepLR(«optimizer», step_size=30)", "write `StepLR(step_size=30)`"),
    ("scheduler SequentialLR(«optimizer», [LinearLR(), ExponentialLR(gamma=0.9)], milestones=(5,))",
     "write `SequentialLR("),
    ("scheduler StepLR(step_size=3) «every step»", "write `per step`"),
    ("«scheduler StepLR(step_size=3)» per batch", "write `per step`"),
    ("scheduler «Adam»", "it is an optimizer: "),
    ("«nn.utils.clip_grad_norm_(net.parameters(), 1.0)»", "write `clip GradNorm(1.0)`"),
    ("clip GradNorm «1.0»", "write `clip GradNorm(1.0)`"),
    ("«regularize L2(1e-4)»", "write `regularize L2(1e-4) on *.weight`"),
    ("«precision fp16»", "did you mean `float16`?"),
    ("«init» zeros_ on head.bias", "write it there: `init zeros_ on *.bias`"),
    ("«accumulate_grad_batches» 4", "write `accumulate 4`"),
    ("metric «F1(logits, label)»", "did you mean `F1Score`?"),
]  # fmt: skip
TEST = [
    ("sizes «N=4 T=5»", "write `N=4, T=5`"),
    ("sizes N=4, T=5\n  targets «eager compile»", "write `eager, compile`"),
    ("sizes N=4, T=5\n  targets «torch.compile»", "did you mean `compile`?"),
    ("sizes N=4, T=5\n  dtypes «half»", "did you mean `float16`?"),
    ("sizes N=4, T=5\n  devices «gpu»", "did you mean `cuda`?"),
    ("sizes N=4, T=5\n  modes «training»", "did you mean `train`?"),
    ("sizes N=4, T=5\n  layouts «NHWC»", "did you mean `channels_last`?"),
    ("sizes N=4, T=5\n  «rtol» 1e-3", "no test has a tolerance"),
    ("sizes N=4, T=5\n  «seed 1.5»", "write `seed 3`"),
]  # fmt: skip
CASES = [
    *(("model", line, help) for line, help in MODEL),
    *(("optimizer", line, help) for line, help in OPTIMIZER),
    *(("train", line, help) for line, help in TRAIN),
    *(("test", line, help) for line, help in TEST),
]


def errors(text: str) -> list[Diagnostic]:
    _, found, _ = front.check_text(text)
    return [item for item in found if item.severity == "error"]


def spec(part: str, line: str) -> str:
    parts = dict(PARTS)
    if part == "train":
        parts["optimizer"] += f"\n  {line}"
    else:
        parts[part] = f"  {line}"
    return SPEC.format(**parts)


def test_the_spec_itself_checks() -> None:
    assert errors(SPEC.format(**PARTS)) == []


@pytest.mark.parametrize(("part", "line", "help"), CASES, ids=lambda case: case[:50])
def test_a_line_is_told_once_at_its_place(part: str, line: str, help: str) -> None:
    marked = spec(part, line)
    start = marked.index("«")
    text = marked.replace("«", "").replace("»", "")
    found = errors(text)
    assert len(found) == 1, found
    (item,) = found
    assert item.span is not None and item.help is not None
    wanted = (text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start))
    assert (item.span.line, item.span.column) == wanted
    said = re.search("«(.*?)»", line, re.DOTALL)
    assert said is not None and text[item.span.start :].startswith(said[1][:3])
    assert help in item.help
    if item.fix is not None:
        right = text[: item.fix.start] + item.fix.text + text[item.fix.end :]
        assert errors(right) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("epochs = 10", "how long a run trains"), ("batch_size = 32", "a test says `sizes N=8`"),
        ("lr = 0.1", "an argument of the optimizer"), ("k = 3", "use it, or take it away"),
    ],
)  # fmt: skip
def test_a_number_of_train_that_nothing_reads_is_told(name: str, said: str) -> None:
    _, found, _ = front.check_text(spec("train", name))
    (item,) = [each for each in found if each.code == "W0201"]
    assert said in (item.help or "")


FAULTY = """spec 1

block Unit(hidden: int) {
  input x: float[N, D]
  while true {
    x = rlu(x)
  }
  output x -> Linaer(D)
}

model Net {
  input x: float[N, 8]
  y = x -> Unit(8) ->
  z = tnh(y)
  if z is not None:
    z = sigmod(z)
  output z -> head: Linear(3)
}

train {
  input label: index(3)[N]
  loss = CrossEntropyLoss(output, label)
  optimizer Adam lr=0.1
  clip GradNrom(1.0)
}

test {
  sizes N=4 T=5
  dtypes half
}
"""


def test_one_fault_hides_none_in_other_lines_or_blocks() -> None:
    found = [(item.code, item.span.line) for item in errors(FAULTY) if item.span is not None]
    assert found == [
        ("E0102", 5), ("E0201", 6), ("E0201", 8), ("E0102", 13), ("E0201", 14), ("E0102", 15),
        ("E0102", 15), ("E0201", 16), ("E0102", 23), ("E0405", 24), ("E0102", 28), ("E0505", 29),
    ]  # fmt: skip
