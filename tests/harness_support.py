"""Programs made by hand, with source in the emitter's style, for tests of the harness alone.

They stand in for nothing: the harness's contract is with ``ir.Program`` and a source text, and
these are the smallest that exercise each of its branches.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from specc.catalog import FUNCTIONS, LAYERS, LOSSES, METRICS
from specc.errors import Span
from specc.ir import (
    Arguments,
    Clip,
    Condition,
    Distribution,
    FunctionCall,
    Layer,
    LayerCall,
    Make,
    Module,
    Node,
    Optimizer,
    Output,
    Program,
    Regularizer,
    Result,
    Selection,
    Step,
    TensorType,
    TestPlan,
    Train,
    Value,
)
from specc.sizes import Size, symbol

N = symbol("N")
HEADER = "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor, nn\n\n\n"


def span(line: int, file: str = "") -> Span:
    return Span(file, line * 10, line * 10 + 5, line, 1)


def value(
    name: str, *shape: Size, line: int = 1, meaning: str = "plain", classes: int | None = None
) -> Value:
    dtype = "int64" if meaning == "index" else "float"
    kind = TensorType(dtype, shape, meaning, classes)  # type: ignore[arg-type]  # a literal here
    return Value(name, kind, span(line))


def layer(
    name: str,
    kind: str,
    line: int,
    parameters: dict[str, tuple[int, ...]],
    bound: float = 0.0,
    buffers: dict[str, tuple[int, ...]] | None = None,
    scale: bool = False,
) -> Layer:
    """A layer whose parameters are uniform in ``bound``, or (``scale``) torch's ones and zeros."""
    initial = {
        key: Distribution("constant", 1.0 if key == "weight" else 0.0)
        if scale
        else Distribution("uniform", -bound, bound)
        for key in parameters
    }
    return Layer(
        name,
        kind,
        (),
        tuple(parameters.items()),
        tuple((buffers or {}).items()),
        tuple(initial.items()),
        span(line),
        row=LAYERS.get(kind),
    )


def computed(
    kind: Literal["function", "loss", "metric"],
    function: str,
    arguments: Arguments,
    result: Result,
    place: Span,
) -> FunctionCall:
    """A call of one of the catalogue's own functions."""
    table = {"function": FUNCTIONS, "loss": LOSSES, "metric": METRICS}[kind]
    return FunctionCall(kind, function, arguments, result, place, table[function])


MLP_SOURCE = (
    HEADER
    + """class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(20, 16)
        self.drop = nn.Dropout(0.25)
        self.fc2 = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.drop(F.relu(self.fc1(x)))
        return self.fc2(hidden)

    def loss(self, logits: Tensor, label: Tensor) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(logits, label)}

    def penalty(self) -> Tensor:
        return 1e-3 / 2 * self.fc1.weight.square().sum()

    def metrics(self, logits: Tensor, label: Tensor) -> dict[str, Tensor]:
        return {"accuracy": (logits.argmax(dim=1) == label).to(logits.dtype).mean()}

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def training_step(self, optimizer, x: Tensor, label: Tensor) -> dict[str, Tensor]:
        optimizer.zero_grad()
        logits = self(x)
        terms = self.loss(logits, label)
        penalty = self.penalty()
        (terms["loss"] + penalty).backward()
        nn.utils.clip_grad_norm_(self.parameters(), 0.5)
        optimizer.step()
        return {name: term.detach() for name, term in terms.items()} | {"penalty": penalty.detach()}
"""
)


def mlp(folder: Path | None = None, **plan: object) -> Program:
    """Two Linear layers with Dropout, cross entropy, an L2 penalty, clipping, SGD, StepLR."""
    x = value("x", N, 20, line=4)
    fc1, drop, logits = (
        value("fc1", N, 16, line=5),
        value("drop", N, 16, line=6),
        value("logits", N, 5, line=7),
    )
    label = value("label", N, line=11, meaning="index", classes=5)
    loss = value("loss", line=12)
    layers = (
        layer("fc1", "Linear", 5, {"weight": (16, 20), "bias": (16,)}, 20**-0.5),
        layer("drop", "Dropout", 6, {}),
        layer("fc2", "Linear", 7, {"weight": (5, 16), "bias": (5,)}, 0.25),
    )
    relu = value("relu", N, 16, line=5)
    nodes = (
        LayerCall("fc1", (x,), fc1, span(5)),
        computed("function", "relu", (("input", fc1),), relu, span(5)),
        LayerCall("drop", (relu,), drop, span(6)),
        LayerCall("fc2", (drop,), logits, span(7)),
    )
    every = Selection("*", ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"))
    step = Step(
        "",
        (
            computed(
                "loss", "CrossEntropyLoss", (("input", logits), ("target", label)), loss, span(12)
            ),
        ),
        (("loss", loss),),
        (logits, label),
        (
            Regularizer(
                "L2", (("strength", 1e-3),), Selection("fc1.weight", ("fc1.weight",)), span(13)
            ),
        ),
        (),
        Clip("GradNorm", (("max_norm", 0.5),), None, span(14)),
        Optimizer("SGD", (("lr", 0.05), ("momentum", 0.9)), (), every, span(15)),
        None,
        (),
        span(10),
    )
    train = Train("Mlp", (label,), (step,), (), (), (logits, label), span(10))
    model = Module("Mlp", (), (x,), _made(layers, nodes), (Output("logits", logits),), (), span(3))
    return program(model, train, folder, "mlp", plan)


CNN_SOURCE = (
    HEADER
    + """class Cnn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3)
        self.fc = nn.Linear(16 * 9, 6)

    def forward(self, image: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.conv1(image))), 2)
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        return self.fc(x.flatten(1))

    def loss(self, logits: Tensor, label: Tensor) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(logits, label)}

    def configure_optimizers(self):
        return {"optimizer": torch.optim.Adam(self.parameters(), lr=1e-3)}

    def training_step(self, optimizer, image: Tensor, label: Tensor) -> dict[str, Tensor]:
        optimizer.zero_grad()
        terms = self.loss(self(image), label)
        terms["loss"].backward()
        optimizer.step()
        return {name: term.detach() for name, term in terms.items()}
"""
)


def cnn(folder: Path | None = None, **plan: object) -> Program:
    """Two convolutions, BatchNorm (after a bias), pools; Adam."""
    image = value("image", N, 3, 16, 16, line=4)
    made = {
        name: value(name, *shape, line=line)
        for name, shape, line in (
            ("conv1", (N, 8, 16, 16), 5),
            ("norm", (N, 8, 16, 16), 6),
            ("conv2", (N, 16, 6, 6), 8),
            ("logits", (N, 6), 10),
        )
    }
    logits = made["logits"]
    label = value("label", N, line=13, meaning="index", classes=6)
    loss = value("loss", line=14)
    running = {"running_mean": (8,), "running_var": (8,), "num_batches_tracked": ()}
    layers = (
        layer("conv1", "Conv2d", 5, {"weight": (8, 3, 3, 3), "bias": (8,)}, 27**-0.5),
        layer("norm", "BatchNorm2d", 6, {"weight": (8,), "bias": (8,)}, 0.0, running, True),
        layer("conv2", "Conv2d", 8, {"weight": (16, 8, 3, 3), "bias": (16,)}, 72**-0.5),
        layer("fc", "Linear", 10, {"weight": (6, 144), "bias": (6,)}, 144**-0.5),
    )
    nodes = (
        LayerCall("conv1", (image,), made["conv1"], span(5)),
        LayerCall("norm", (made["conv1"],), made["norm"], span(6)),
        LayerCall("conv2", (made["norm"],), made["conv2"], span(8)),
        LayerCall("fc", (made["conv2"],), logits, span(10)),
    )
    model = Module(
        "Cnn", (), (image,), _made(layers, nodes), (Output("logits", logits),), (), span(3)
    )
    return program(model, _training(model, label, loss, logits, "Adam"), folder, "cnn", plan)


LSTM_SOURCE = (
    HEADER
    + """class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(6, 24, batch_first=True)
        self.norm = nn.LayerNorm(24)
        self.head = nn.Linear(24, 4)

    def forward(self, series: Tensor) -> Tensor:
        states, _ = self.encoder(series)
        last = F.gelu(self.norm(states[:, -1]))
        return self.head(last)

    def loss(self, kind: Tensor, label: Tensor) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(kind, label)}

    def configure_optimizers(self):
        return {"optimizer": torch.optim.AdamW(self.parameters(), lr=1e-3)}

    def training_step(self, optimizer, series: Tensor, label: Tensor) -> dict[str, Tensor]:
        optimizer.zero_grad()
        terms = self.loss(self(series), label)
        terms["loss"].backward()
        nn.utils.clip_grad_norm_(self.parameters(), 1.0)
        optimizer.step()
        return {name: term.detach() for name, term in terms.items()}
"""
)


def lstm(folder: Path | None = None, **plan: object) -> Program:
    """An LSTM's last state through LayerNorm and GELU; AdamW, clipping; two symbols."""
    time = symbol("T")
    series = value("series", N, time, 6, line=4)
    states, hidden, cell = (
        value("states", N, time, 24, line=5),
        value("hidden", 1, N, 24, line=5),
        value("cell", 1, N, 24, line=5),
    )
    last, norm = value("last", N, 24, line=6), value("norm", N, 24, line=7)
    smooth = value("smooth", N, 24, line=7)
    kind = value("kind", N, 4, line=8)
    label = value("label", N, line=11, meaning="index", classes=4)
    loss = value("loss", line=12)
    weights = {
        "weight_ih_l0": (96, 6),
        "weight_hh_l0": (96, 24),
        "bias_ih_l0": (96,),
        "bias_hh_l0": (96,),
    }
    layers = (
        layer("encoder", "LSTM", 5, weights, 24**-0.5),
        layer("norm", "LayerNorm", 7, {"weight": (24,), "bias": (24,)}, scale=True),
        layer("head", "Linear", 8, {"weight": (4, 24), "bias": (4,)}, 24**-0.5),
    )
    nodes = (
        LayerCall("encoder", (series,), (states, (hidden, cell)), span(5)),
        computed(
            "function", "select", (("input", states), ("dim", 1), ("index", -1)), last, span(6)
        ),
        LayerCall("norm", (last,), norm, span(7)),
        computed("function", "gelu", (("input", norm),), smooth, span(7)),
        LayerCall("head", (smooth,), kind, span(8)),
    )
    model = Module(
        "Tagger", (), (series,), _made(layers, nodes), (Output("kind", kind),), (), span(3)
    )
    train = _training(model, label, loss, kind, "AdamW", clip=True)
    return program(model, train, folder, "tagger", plan)


PLAIN_SOURCE = (
    HEADER
    + """class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.fc(x))
"""
)


def plain(
    folder: Path | None = None, conditions: tuple[Condition, ...] = (), **plan: object
) -> Program:
    """One layer and no ``train``: forward, and backward from random weights."""
    x, y = value("x", N, 3, line=4), value("y", N, 2, line=5)
    layers = (layer("fc", "Linear", 5, {"weight": (2, 3), "bias": (2,)}, 3**-0.5),)
    nodes = (LayerCall("fc", (x,), y, span(5)),)
    model = Module("Plain", (), (x,), _made(layers, nodes), (Output("y", y),), conditions, span(3))
    return program(model, None, folder, "plain", plan)


def _made(layers: tuple[Layer, ...], nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The nodes after what makes their layers."""
    return (*(Make(layer, layer.span) for layer in layers), *nodes)


def _training(
    model: Module, label: Value, loss: Value, output: Value, optimizer: str, clip: bool = False
) -> Train:
    every = Selection("*", tuple(name for name, _, _ in model.parameters()))
    call = computed("loss", "CrossEntropyLoss", (("input", output),), loss, span(14))
    step = Step(
        "",
        (call,),
        (("loss", loss),),
        (output, label),
        (),
        (),
        Clip("GradNorm", (("max_norm", 1.0),), None, span(15)) if clip else None,
        Optimizer(optimizer, (("lr", 1e-3),), (), every, span(16)),
        None,
        (),
        span(12),
    )
    return Train(model.name, (label,), (step,), (), (), (), span(12))


def program(
    model: Module, train: Train | None, folder: Path | None, stem: str, plan: dict[str, object]
) -> Program:
    if "sizes" not in plan:
        names = {"tagger": (("N", 4), ("T", 7))}.get(stem, (("N", 4),))
        plan = {"sizes": (names,), **plan}
    file = str((folder or Path()) / f"{stem}.spec")
    return Program(file, 1, (), (model,), train, TestPlan(**plan))  # type: ignore[arg-type]


EVERY = {"mlp": (mlp, MLP_SOURCE), "cnn": (cnn, CNN_SOURCE), "tagger": (lstm, LSTM_SOURCE)}
