"""A script that shows a fault with torch alone, and the numbers that it needs beside it.

For a layer that is wrong alone: that layer, built by torch, on the inputs that it had. For a source
that computes something else: it and what the spec means, side by side (``repro_source``). For
anything else: the emitted source, run by the target and in float64. The numbers are read with
``weights_only``, so that nothing in them runs. Non-goals: finding the layer (``locate``).
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from specc.errors import CallError
from specc.harness.cases.case import ClosedCase
from specc.harness.cases.precisions import dtype_of
from specc.harness.judging.locate import Located
from specc.harness.judging.repro_source import script
from specc.harness.running.layer_calls import RecordedCall
from specc.harness.running.ongoing_run import Setting
from specc.ir import Program
from specc.targets import TARGETS

SCRIPT = "repro.py"
NUMBERS = "repro.pt"

_RUN = '''
def results(run, model, inputs):
    """What ``run`` gives, and the gradients of ``model`` and of its inputs, by name."""
    torch.manual_seed(0)  # the same masks, where the model draws any
    inputs = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    found = run(*inputs)
    outputs = list(found) if isinstance(found, (tuple, list)) else [found]
    named = {f"output {k}": y.detach() for k, y in enumerate(outputs)}
    learning = [y for y in outputs if y.requires_grad and data["training"]]
    if learning:
        weights = [torch.linspace(-1, 1, y.numel()).view(y.shape).to(y) for y in learning]
        sum((y * w).sum() for y, w in zip(learning, weights)).backward()
    named |= {f"gradient of input {k}": x.grad for k, x in enumerate(inputs) if x.grad is not None}
    parameters = model.named_parameters()
    return named | {f"gradient of {n}": p.grad for n, p in parameters if p.grad is not None}


def wide(values):
    return [x.double() if x.is_floating_point() else x for x in values]


def error(found, exact):
    if found.shape != exact.shape:
        return f"shape {list(found.shape)} in place of {list(exact.shape)}"
    scale = float(exact.double().square().mean().sqrt())
    off = float((found.double() - exact.double()).square().mean().sqrt())
    # Of what is zero, or float64's own rounding of it, no error can be relative.
    return f"{off / scale:.3e}" if scale > 1e-12 else f"{off:.3e} (absolute)"


exact = results(double, double, wide(inputs))
eager = results(model, model, inputs)
found = results(run, other, inputs)
print(f"torch {torch.__version__}: relative error against float64")
for name in exact:
    made = error(found[name], exact[name]) if name in found else "missing"
    print(f"{name:40} eager {error(eager[name], exact[name])}  TARGET {made}")
'''


def write(
    folder: Path,
    program: Program,
    closed: ClosedCase,
    source: str,
    setting: Setting,
    located: Located,
    finding: str,
) -> Path:
    """Write the script and its numbers into ``folder``; returns the script. Raises CallError
    (E0703)."""
    head = f'"""{_quoted(program.file)}, {setting.target} in {setting.dtype}: {_quoted(finding)}"""'
    sources: Mapping[str, str] = {}
    made = None if located.culprit is None else _of_layer(located.culprit)
    if made is None and located.meant:
        body, sources, numbers = script(program, closed, source, located.meant)
        text = f"{head}\n{body}"
    else:
        body, numbers = made or _of_source(program, closed, source, setting)
        text = _compared(head, body, setting)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(numbers, folder / NUMBERS)
        for name, content in {**sources, SCRIPT: text}.items():
            (folder / name).write_text(content, encoding="utf-8")
    except (OSError, RuntimeError) as error:
        raise CallError(
            "E0703", f"cannot write {folder}: {error}", help="name a folder that can be written"
        ) from None
    return folder / SCRIPT


def _compared(head: str, body: str, setting: Setting) -> str:
    """The script of one model: in the target, in eager where that is another, and in float64."""
    wrapped = TARGETS[setting.target].made_by.format(model="other")
    run = _RUN.replace("TARGET", setting.target)
    if setting.target == "eager":
        run = run.replace("eager {error(eager[name], exact[name])}  ", "")
    return (
        f"{head}\n\nimport copy\nfrom pathlib import Path\n\nimport torch\n{body}\n"
        "double, other = copy.deepcopy(model).double(), copy.deepcopy(model)\n"
        f"run = {wrapped}\n{run}"
    )


_LOAD = """
data = torch.load(Path(__file__).with_name("repro.pt"), weights_only=True)
model.load_state_dict(data["state"])
model.train(data["training"])
inputs = data["inputs"]"""


def _of_layer(call: RecordedCall) -> tuple[str, dict[str, object]] | None:
    """The layer as torch prints it, which for most is how it is made; None where it is not."""
    constructor = repr(call.layer)
    name = type(call.layer).__name__
    if not call.positional:
        return None
    if not hasattr(nn, name) or not constructor.startswith(f"{name}(") or "\n" in constructor:
        return None
    try:
        ast.parse(constructor, mode="eval")
    except SyntaxError:
        return None
    numbers = {
        "state": dict(call.layer.state_dict()),
        "training": call.layer.training,
        "inputs": [each.detach().cpu() for each in call.tensors],
    }
    return f"from torch import nn\n\nmodel = nn.{constructor}{_LOAD}", numbers


def _of_source(
    program: Program, closed: ClosedCase, source: str, setting: Setting
) -> tuple[str, dict[str, object]]:
    dtype = dtype_of(setting.dtype)

    def cast(value: torch.Tensor) -> torch.Tensor:
        return value.to(dtype) if value.is_floating_point() else value.clone()

    numbers = {
        "state": {
            name: cast(value) for name, value in (closed.parameters | closed.buffers).items()
        },
        "training": closed.case.mode == "train",
        "inputs": [cast(value) for _, value in closed.batches[0].inputs],
    }
    body = source.replace("from __future__ import annotations\n", "")
    load = _LOAD.replace('data["state"])', 'data["state"], strict=False)')
    name = program.subject().name
    return f"\n{textwrap.dedent(body).strip()}\n\n\nmodel = {name}(){load}", numbers


def _quoted(text: str) -> str:
    return text.replace("\\", "/").replace('"', "'").replace("\n", " ")
