"""Programs of blocks, of several models and of several steps, made by hand for the harness's tests.

Like ``harness_support``, they are the smallest that exercise each branch of the contract with the
emitter. Non-goal: being what the emitter writes to the letter.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness_support import (
    CNN_SOURCE,
    HEADER,
    MLP_SOURCE,
    cnn,
    computed,
    layer,
    mlp,
    program,
    span,
    value,
)

from specc.ir import (
    Clip,
    Condition,
    FunctionCall,
    Layer,
    LayerCall,
    Make,
    Member,
    Module,
    Node,
    Operation,
    Optimizer,
    Output,
    Program,
    Scheduler,
    Selection,
    Step,
    TensorType,
    Train,
    Value,
)
from specc.sizes import symbol

N = symbol("N")
PARTS = "parts.spec"

# ── blocks ───────────────────────────────────────────────────────────────────────────────────────

BLOCKS_SOURCE = (
    HEADER
    + """class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Linear(width, width)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.norm(self.fc(x)))
        h = F.dropout(h, 0.25, training=self.training)
        return x + h * (1 + 0.1 * torch.randn_like(h))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 10)
        self.blocks = nn.ModuleList([Residual(10) for _ in range(2)])
        self.head = nn.Linear(10, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.stem(x)
        for block in self.blocks:
            h = block(h)
        return self.head(h)

    def loss(self, logits: Tensor, label: Tensor) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(logits, label)}

    def configure_optimizers(self):
        return {"optimizer": torch.optim.SGD(self.parameters(), lr=0.05)}

    def training_step(self, optimizer, x: Tensor, label: Tensor) -> dict[str, Tensor]:
        optimizer.zero_grad()
        terms = self.loss(self(x), label)
        terms["loss"].backward()
        optimizer.step()
        return {name: term.detach() for name, term in terms.items()}
"""
)


def block_layer(name: str, kind: str, module: Module, line: int) -> Layer:
    return Layer(name, kind, (), (), (), (), span(line), module=module)


def residual() -> Module:
    """A block of another file; its input calls its sizes ``B`` and ``C``."""
    rows, width = symbol("B"), symbol("C")

    def inner(name: str, line: int) -> Value:
        return Value(name, TensorType("float", (rows, width)), span(line, PARTS))

    x, fc, norm, relu, drop, noise, out = (
        inner(name, line)
        for name, line in zip(
            ("x", "fc", "norm", "relu", "drop", "noise", "out"), range(2, 9), strict=True
        )
    )
    running = {"running_mean": (10,), "running_var": (10,), "num_batches_tracked": ()}
    parts = (
        layer("fc", "Linear", 3, {"weight": (10, 10), "bias": (10,)}, 10**-0.5),
        layer("norm", "BatchNorm1d", 4, {"weight": (10,), "bias": (10,)}, 0.0, running, True),
    )
    there = [replace(each, span=span(each.span.line, PARTS)) for each in parts]
    nodes: tuple[Node, ...] = (
        *(Make(each, each.span) for each in there),
        LayerCall("fc", (x,), fc, span(3, PARTS)),
        LayerCall("norm", (fc,), norm, span(4, PARTS)),
        computed("function", "relu", (("input", norm),), relu, span(5, PARTS)),
        computed("function", "dropout", (("input", relu),), drop, span(6, PARTS)),
        computed("function", "normal_like", (("input", drop),), noise, span(7, PARTS)),
        Operation("+", (x, noise), out, span(8, PARTS)),
    )
    two = Condition(rows, "!=", 5, "no five rows", span(2, PARTS))
    return Module(
        "Residual", (), (x,), nodes, (Output("out", out),), (two,), span(1, PARTS), "block",
        ("B", "C"), {"C": 10},
    )  # fmt: skip


def blocks(folder: Path | None = None, **plan: object) -> Program:
    """Two instances of one block, of another file, between two layers."""
    shared = residual()
    x, stem = value("x", N, 6, line=4), value("stem", N, 10, line=5)
    one, two = value("one", N, 10, line=6), value("two", N, 10, line=6)
    logits, label = (
        value("logits", N, 3, line=7),
        value("label", N, line=9, meaning="index", classes=3),
    )
    loss = value("loss", line=10)
    made = (
        layer("stem", "Linear", 5, {"weight": (10, 6), "bias": (10,)}, 6**-0.5),
        block_layer("blocks.0", "Residual", shared, 6),
        block_layer("blocks.1", "Residual", shared, 6),
        layer("head", "Linear", 7, {"weight": (3, 10), "bias": (3,)}, 10**-0.5),
    )
    nodes: tuple[Node, ...] = (
        *(Make(each, each.span) for each in made),
        LayerCall("stem", (x,), stem, span(5)),
        LayerCall("blocks.0", (stem,), one, span(6)),
        LayerCall("blocks.1", (one,), two, span(6)),
        LayerCall("head", (two,), logits, span(7)),
    )
    model = Module("Net", (), (x,), nodes, (Output("logits", logits),), (), span(3))
    call = computed("loss", "CrossEntropyLoss", (("input", logits),), loss, span(10))
    step = plain_step("", (call,), (("loss", loss),), (logits, label), model, "SGD", 11)
    train = Train("Net", (label,), (step,), (), (), (), span(8))
    return program(model, train, folder, "net", dict(plan))


def plain_step(
    name: str,
    nodes: tuple[Node, ...],
    terms: tuple[tuple[str, Value], ...],
    uses: tuple[Value, ...],
    of: Module | str,
    optimizer: str,
    line: int,
    whole: Module | None = None,
    clip: bool = False,
    scheduler: bool = False,
) -> Step:
    """A step whose optimizer has the parameters of ``of``: a model, or a member of ``whole``."""
    if isinstance(of, Module):
        names = tuple(full for full, _, _ in of.parameters())
    else:
        assert whole is not None
        names = tuple(full for full, _, _ in whole.parameters() if full.startswith(f"{of}."))
    rest = Selection("*", names)
    return Step(
        name,
        nodes,
        terms,
        uses,
        (),
        (),
        Clip("GradNorm", (("max_norm", 0.1),), rest, span(line + 1)) if clip else None,
        Optimizer(optimizer, (("lr", 1e-2),), (), rest, span(line)),
        Scheduler("StepLR", (("step_size", 1),), "step", span(line + 2)) if scheduler else None,
        (),
        span(line),
    )


# ── a GAN: two models, two steps ─────────────────────────────────────────────────────────────────

GAN_SOURCE = (
    HEADER
    + """class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(4, 12)
        self.norm = nn.BatchNorm1d(12)
        self.fc2 = nn.Linear(12, 6)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.fc2(F.relu(self.norm(self.fc1(z)))))


class Discriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(6, 12)
        self.drop = nn.Dropout(0.25)
        self.fc2 = nn.Linear(12, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.fc2(self.drop(F.leaky_relu(self.fc1(image), 0.2)))


class Training(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.generator = Generator()
        self.discriminator = Discriminator()

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)

    def discriminator_loss(self, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        score = self.discriminator(real)
        on_real = F.binary_cross_entropy_with_logits(score, torch.ones_like(score))
        score = self.discriminator(fake.detach())
        on_fake = F.binary_cross_entropy_with_logits(score, torch.zeros_like(score))
        return {"on_real": on_real, "on_fake": on_fake, "loss": on_real + on_fake}

    def generator_loss(self, fake: Tensor) -> dict[str, Tensor]:
        score = self.discriminator(fake)
        return {"loss": F.binary_cross_entropy_with_logits(score, torch.ones_like(score))}

    def metrics(self, fake: Tensor) -> dict[str, Tensor]:
        return {"spread": fake.std()}

    def configure_optimizers(self):
        discriminator = torch.optim.Adam(self.discriminator.parameters(), lr=2e-4)
        generator = torch.optim.Adam(self.generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        scheduler = torch.optim.lr_scheduler.StepLR(generator, step_size=1, gamma=0.5)
        return {
            "discriminator": {"optimizer": discriminator},
            "generator": {
                "optimizer": generator,
                "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
            },
        }

    def training_step(self, optimizers, real: Tensor, z: Tensor) -> dict[str, Tensor]:
        fake = self(z)
        terms = {}

        optimizers["discriminator"].zero_grad()
        found = self.discriminator_loss(fake, real)
        found["loss"].backward()
        nn.utils.clip_grad_norm_(self.discriminator.parameters(), 0.1)
        optimizers["discriminator"].step()
        terms |= {f"discriminator/{name}": term.detach() for name, term in found.items()}

        optimizers["generator"].zero_grad()
        found = self.generator_loss(fake)
        found["loss"].backward()
        optimizers["generator"].step()
        terms |= {f"generator/{name}": term.detach() for name, term in found.items()}
        return terms
"""
)


def one_in_one_out(name: str, source: Value, result: Value, made: tuple[Layer, ...]) -> Module:
    """A model whose layers are called in a row."""
    nodes: list[Node] = [Make(each, each.span) for each in made]
    current = source
    for position, each in enumerate(made):
        last = position == len(made) - 1
        shape = each.parameters[-1][1] if each.parameters else current.type.shape[1:]
        after = result if last else value(each.name, N, *shape, line=each.span.line)
        nodes.append(LayerCall(each.name, (current,), after, each.span))
        current = after
    return Module(name, (), (source,), tuple(nodes), (Output(result.name, result),), (), span(2))


def gan(folder: Path | None = None, **plan: object) -> Program:
    """A generator and a discriminator with Dropout and BatchNorm, clipped and scheduled."""
    running = {"running_mean": (12,), "running_var": (12,), "num_batches_tracked": ()}
    generator = one_in_one_out(
        "Generator",
        value("z", N, 4, line=3),
        value("image", N, 6, line=6),
        (
            layer("fc1", "Linear", 4, {"weight": (12, 4), "bias": (12,)}, 0.5),
            layer("norm", "BatchNorm1d", 5, {"weight": (12,), "bias": (12,)}, 0, running, True),
            layer("fc2", "Linear", 6, {"weight": (6, 12), "bias": (6,)}, 12**-0.5),
        ),
    )
    discriminator = one_in_one_out(
        "Discriminator",
        value("image", N, 6, line=9),
        value("score", N, 1, line=12),
        (
            layer("fc1", "Linear", 10, {"weight": (12, 6), "bias": (12,)}, 6**-0.5),
            layer("drop", "Dropout", 11, {}),
            layer("fc2", "Linear", 12, {"weight": (1, 12), "bias": (1,)}, 12**-0.5),
        ),
    )
    members = (
        Member("generator", "Generator", "model", span=span(2)),
        Member("discriminator", "Discriminator", "model", span=span(8)),
    )
    whole = training((generator, discriminator), members)
    real, z = value("real", N, 6, line=15), value("z", N, 4, line=16, meaning="normal")
    fake = value("fake", N, 6, line=17)
    scores = [value(f"score{k}", N, 1, line=line) for k, line in enumerate((20, 21, 26))]
    detached = value("detached", N, 6, line=21)
    terms = [
        value(name, line=line) for name, line in (("on_real", 20), ("on_fake", 21), ("loss", 22))
    ]
    fooled = value("loss", line=26)
    first = (
        LayerCall("discriminator", (real,), scores[0], span(20)),
        loss_call(scores[0], terms[0]),
        computed("function", "detach", (("input", fake),), detached, span(21)),
        LayerCall("discriminator", (detached,), scores[1], span(21)),
        loss_call(scores[1], terms[1]),
        Operation("+", (terms[0], terms[1]), terms[2], span(22)),
    )
    second = (
        LayerCall("discriminator", (fake,), scores[2], span(26)),
        loss_call(scores[2], fooled),
    )
    steps = (
        plain_step(
            "discriminator", first, tuple((t.name, t) for t in terms), (fake, real),
            "discriminator", "Adam", 23, whole, clip=True,
        ),
        plain_step(
            "generator", second, (("loss", fooled),), (fake,), "generator", "Adam", 27, whole,
            scheduler=True,
        ),
    )  # fmt: skip
    shared = (LayerCall("generator", (z,), fake, span(17)),)
    train = Train(
        "Training",
        (real, z),
        steps,
        (),
        (),
        (fake,),
        span(14),
        members,
        shared,
        (z,),
        (fake,),
        whole,
    )
    models = (generator, discriminator)
    return replace(program(generator, train, folder, "gan", dict(plan)), models=models)


def training(models: tuple[Module, ...], members: tuple[Member, ...]) -> Module:
    """The class ``Training`` of these members."""
    by_name = {model.name: model for model in models}
    made = tuple(
        Make(block_layer(each.attribute, each.model, by_name[each.model], 14), span(14))
        for each in members
    )
    return Module("Training", (), (), made, (), (), span(14))


def loss_call(score: Value, result: Value) -> FunctionCall:
    return computed("loss", "BCEWithLogitsLoss", (("input", score),), result, result.span)


# ── Q learning with a target network, and an average of the weights ──────────────────────────────

DQN_SOURCE = (
    HEADER.replace("import torch\n", "import copy\n\nimport torch\n", 1)
    + """class QNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 16)
        self.fc2 = nn.Linear(16, 3)

    def forward(self, state: Tensor) -> Tensor:
        return self.fc2(torch.tanh(self.fc1(state)))


class Training(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qnet = QNet()
        self.target = copy.deepcopy(self.qnet).requires_grad_(False)
        self.average = copy.deepcopy(self.qnet).requires_grad_(False)

    def loss(
        self, state: Tensor, action: Tensor, reward: Tensor, after: Tensor
    ) -> dict[str, Tensor]:
        chosen = self.qnet(state).gather(1, action[:, None])[:, 0]
        best = self.target(after).max(1).values
        return {"loss": F.smooth_l1_loss(chosen, reward + 0.9 * best)}

    @torch.no_grad()
    def update_average(self) -> None:
        for average, weight in zip(self.average.parameters(), self.qnet.parameters()):
            average.lerp_(weight, 1 - 0.9)

    def configure_optimizers(self):
        return {"optimizer": torch.optim.RMSprop(self.qnet.parameters(), lr=1e-3)}

    def training_step(
        self, optimizer, batch: int, state: Tensor, action: Tensor, reward: Tensor, after: Tensor
    ) -> dict[str, Tensor]:
        optimizer.zero_grad()
        terms = self.loss(state, action, reward, after)
        terms["loss"].backward()
        optimizer.step()
        self.update_average()
        if (batch + 1) % 100 == 0:
            self.target.load_state_dict(self.qnet.state_dict())
        return {name: term.detach() for name, term in terms.items()}
"""
)


def dqn(folder: Path | None = None, **plan: object) -> Program:
    """A copy every 100 batches, and an average of decay 0.9; one step without a name."""
    qnet = one_in_one_out(
        "QNet",
        value("state", N, 5, line=3),
        value("q", N, 3, line=5),
        (
            layer("fc1", "Linear", 4, {"weight": (16, 5), "bias": (16,)}, 5**-0.5),
            layer("fc2", "Linear", 5, {"weight": (3, 16), "bias": (3,)}, 0.25),
        ),
    )
    members = (
        Member("qnet", "QNet", "model", span=span(2)),
        Member("target", "QNet", "copy", "qnet", 100, span=span(9)),
        Member("average", "QNet", "ema", "qnet", decay=0.9, span=span(10)),
    )
    whole = training((qnet,), members)
    state, after = value("state", N, 5, line=11), value("after", N, 5, line=14)
    action = value("action", N, line=12, meaning="index", classes=3)
    reward = value("reward", N, line=13)
    q, best, loss = value("q", N, 3, line=15), value("best", N, 3, line=16), value("loss", line=17)
    nodes = (
        LayerCall("qnet", (state,), q, span(15)),
        LayerCall("target", (after,), best, span(16)),
        computed("loss", "SmoothL1Loss", (("input", q), ("target", best)), loss, span(17)),
    )
    inputs = (state, action, reward, after)
    step = plain_step("", nodes, (("loss", loss),), inputs, "qnet", "RMSprop", 18, whole)
    train = Train("Training", inputs, (step,), (), (), (), span(8), members, module=whole)
    return program(qnet, train, folder, "dqn", dict(plan))


# ── accumulation and precision ───────────────────────────────────────────────────────────────────

ACCUMULATING_SOURCE = (
    MLP_SOURCE[: MLP_SOURCE.index("    def training_step")]
    + """\
    def training_step(self, optimizer, batch: int, x: Tensor, label: Tensor) -> dict[str, Tensor]:
        terms = self.loss(self(x), label)
        terms["penalty"] = self.penalty()
        ((terms["loss"] + terms["penalty"]) / 2).backward()
        if (batch + 1) % 2 == 0:
            nn.utils.clip_grad_norm_(self.parameters(), 0.5)
            optimizer.step()
            optimizer.zero_grad()
        return {name: term.detach() for name, term in terms.items()}
"""
)


def accumulating(folder: Path | None = None, **plan: object) -> Program:
    """``mlp`` with a step of the optimizer every second batch."""
    found = mlp(folder, **plan)
    assert found.train is not None
    return replace(found, train=replace(found.train, accumulate=2))


def half_source(source: str, dtype: str) -> str:
    """``MLP_SOURCE`` or ``CNN_SOURCE`` with its forward and loss under autocast."""
    before, after = source.split("        optimizer.zero_grad()\n")
    given = "x" if "x: Tensor, label" in before.rpartition("def ")[2] else "image"
    cast = f"""        optimizer.zero_grad()
        with torch.autocast({given}.device.type, dtype=torch.{dtype}):
            terms = self.loss(self({given}), label)
"""
    if dtype == "float16":
        before = before.replace("(self, optimizer, ", "(self, optimizer, scaler, ")
        cast += """        scaler.scale(terms["loss"]).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(self.parameters(), 0.5)
        scaler.step(optimizer)
        scaler.update()
"""
    else:
        cast += """        terms["loss"].backward()
        nn.utils.clip_grad_norm_(self.parameters(), 0.5)
        optimizer.step()
"""
    assert "def training_step" in after or "def training_step" in before
    return before + cast + "        return {name: term.detach() for name, term in terms.items()}\n"


def in_half(found: Program, precision: str) -> Program:
    """``mlp`` or ``cnn`` under autocast, clipped, without a penalty."""
    assert found.train is not None
    step = replace(
        found.train.steps[0],
        regularizers=(),
        clip=Clip("GradNorm", (("max_norm", 0.5),), None, span(14)),
    )
    train = replace(found.train, steps=(step,), precision=precision)  # type: ignore[arg-type]  # a literal
    return replace(found, train=train)


def mlp_half(precision: str = "bfloat16", folder: Path | None = None, **plan: object) -> Program:
    return in_half(mlp(folder, **plan), precision)


def cnn_half(precision: str = "bfloat16", folder: Path | None = None, **plan: object) -> Program:
    return in_half(cnn(folder, **plan), precision)


SEVERAL = {
    "net": (blocks, BLOCKS_SOURCE),
    "gan": (gan, GAN_SOURCE),
    "dqn": (dqn, DQN_SOURCE),
    "accumulating": (accumulating, ACCUMULATING_SOURCE),
}
HALF = {
    "mlp": (mlp_half, MLP_SOURCE),
    "cnn": (cnn_half, CNN_SOURCE),
}
