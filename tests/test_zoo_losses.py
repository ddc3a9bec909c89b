"""Trainings of the zoo against the same written by hand in torch: loss and gradients in float64.

The references are functions of the tensors that the state holds. What a CRF and CTC sum over is
summed path by path. Non-goals: numbers that stay (the goldens), sizes (``test_zoo``)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

import specc

SPECS = Path(__file__).parent.parent / "specs"

State = Mapping[str, Tensor]


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)


def loaded(name: str, model: str | None = None, **params: object) -> Any:
    """The module that trains, in float64, each of its parameters away from zeros and ones."""
    module = specc.load(SPECS / f"{name}.spec", model=model, params=params).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module


def assert_same(module: nn.Module, ours: Tensor, theirs: Tensor, cancelled: str = "") -> None:
    """The losses, and their gradients by each parameter that is trained; those of ``cancelled``, to
    which the loss is indifferent, are zero."""
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)
    named = [(n, p) for n, p in module.named_parameters() if p.requires_grad]
    parameters = [parameter for _, parameter in named]
    mine = torch.autograd.grad(ours, parameters)
    others = torch.autograd.grad(theirs, parameters)
    for (name, _), one, other in zip(named, mine, others, strict=True):
        assert (one.abs().max() > 1e-12) == (name != cancelled), name
        torch.testing.assert_close(
            one, other, rtol=1e-9, atol=1e-12, msg=lambda text, name=name: f"{name}: {text}"
        )


def linear(state: State, name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


# ── images ───────────────────────────────────────────────────────────────────────────────────────


def critic(state: State, image: Tensor) -> Tensor:
    for k in range(4):
        at = f"critic.down.{k}"
        image = F.conv2d(image, state[f"{at}.weight"], state[f"{at}.bias"], stride=2, padding=1)
        image = image.clamp(min=0) + 0.2 * image.clamp(max=0)
    return linear(state, "critic.score", image.flatten(1))[:, 0]


def generator(state: State, z: Tensor) -> Tensor:
    h = (z @ state["generator.project.weight"].T).view(len(z), -1, 4, 4)
    h = normed(state, "generator.batchnorm2d_1", h).relu()
    for k in range(3):
        h = F.conv_transpose2d(h, state[f"generator.up.{k}.weight"], stride=2, padding=1)
        h = normed(state, f"generator.norm.{k}", h).relu()
    image = state["generator.image.weight"], state["generator.image.bias"]
    return F.conv_transpose2d(h, *image, stride=2, padding=1).tanh()


def normed(state: State, name: str, x: Tensor, learned: bool = True) -> Tensor:
    """By the statistics of the batch; by those that were kept where it is not ``learned``."""
    dims = (0, 2, 3)
    if learned:
        mean, var = x.mean(dims), x.var(dims, correction=0)
    else:
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    scale = state[f"{name}.weight"] / (var + 1e-5).sqrt()
    shift = state[f"{name}.bias"] - mean * scale
    return x * scale[:, None, None] + shift[:, None, None]


def test_wgan_gps_critic_pays_for_slopes_that_are_not_one() -> None:
    training = loaded("wgan_gp", "Training", width=2, noise=5)
    training.generator.requires_grad_(False)
    state = dict(training.named_parameters())
    real, fake = torch.randn(2, 3, 3, 64, 64)
    share = torch.rand(3, 1, 1, 1)
    terms = training.critic_loss(fake, real, share)

    def slope(image: Tensor) -> Tensor:
        image = image.requires_grad_()
        (found,) = torch.autograd.grad(critic(state, image[None])[0], image, create_graph=True)
        return found.square().sum().sqrt()

    norms = torch.stack([slope(f + s * (r - f)) for r, f, s in zip(real, fake, share, strict=True)])
    theirs = critic(state, fake).mean() - critic(state, real).mean()
    theirs = theirs + 10 * (norms - 1).square().mean()
    assert_same(training, terms["loss"], theirs, cancelled="critic.score.bias")


def test_wgan_gps_generator_seeks_a_high_score() -> None:
    training = loaded("wgan_gp", "Training", width=2, noise=5)
    training.critic.requires_grad_(False)
    state = dict(training.named_parameters())
    z = torch.randn(3, 5)
    ours = training.generator_loss(training(z))["loss"]
    assert_same(training, ours, -critic(state, generator(state, z)).mean())


def test_simclr_tells_the_other_view_from_all_the_rest() -> None:
    model = loaded("simclr", width=2, features=4, projection=3, temperature=0.7)
    state = dict(model.named_parameters())
    views = torch.randn(2, 3, 3, 32, 32)
    ours = model.loss(model(*views), views[0])["loss"]

    h = views.flatten(0, 1)
    for k in range(3):
        stride = 1 if k == 0 else 2
        h = F.conv2d(h, state[f"encoder.{k}.conv.weight"], stride=stride, padding=1)
        h = normed(state, f"encoder.{k}.norm", h).relu()
    z = linear(state, "head.0", h.mean((2, 3))).relu() @ state["head.2.weight"].T
    losses = []
    for i in range(6):
        alike = [torch.cosine_similarity(z[i], z[k], dim=0) / 0.7 for k in range(6)]
        rest = torch.stack([alike[k] for k in range(6) if k != i])
        losses.append(rest.logsumexp(0) - alike[(i + 3) % 6])
    assert_same(model, ours, torch.stack(losses).mean())


def test_a_student_learns_from_a_teacher_that_stays_as_it_is() -> None:
    training = loaded("distillation", "Training", classes=3, temperature=2.5).train()
    for name, buffer in training.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.add_(torch.rand_like(buffer))
    state = {**dict(training.named_parameters()), **dict(training.named_buffers())}
    kept = {name: tensor.clone() for name, tensor in training.teacher.state_dict().items()}
    image, label = torch.randn(5, 3, 32, 32), torch.tensor([0, 2, 1, 1, 0])
    ours = training.loss(image, label)["loss"]

    def scores(model: str, units: int, learned: bool) -> Tensor:
        h = image
        for k in range(1, units + 1):
            at = f"{model}.convunit_{k}"
            h = F.conv2d(h, state[f"{at}.conv.weight"], padding=1)
            h = F.max_pool2d(normed(state, f"{at}.norm", h, learned).relu(), 2)
        return linear(state, f"{model}.head", h.flatten(1))

    taught = (scores("teacher", 3, False) / 2.5).softmax(1)
    told = scores("student", 2, True)
    soft = (taught * (taught.log() - (told / 2.5).log_softmax(1))).sum(1).mean()
    hard = -told.log_softmax(1)[range(5), label].mean()
    assert_same(training, ours, 0.9 * 2.5**2 * soft + 0.1 * hard)
    after = training.teacher.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in kept.items())


# ── sequences ────────────────────────────────────────────────────────────────────────────────────


def both_ways(state: State, x: Tensor) -> Tensor:
    """An LSTM that reads forwards and one that reads backwards, gate by gate."""
    found = []
    for suffix in ("", "_reverse"):
        w, u, b, c = (
            state[f"lstm.{name}_l0{suffix}"]
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        hidden = cell = x.new_zeros(len(x), u.shape[1])
        states = []
        for step in (x.flip(1) if suffix else x).unbind(1):
            i, f, g, o = (step @ w.T + b + hidden @ u.T + c).chunk(4, 1)
            cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            hidden = o.sigmoid() * cell.tanh()
            states.append(hidden)
        found.append(torch.stack(states[::-1] if suffix else states, 1))
    return torch.cat(found, 2)


def test_a_crf_sums_over_every_path() -> None:
    model = loaded("crf", tags=3, length=4)
    state = dict(model.named_parameters())
    sentence = torch.randint(60, (2, 4))
    tag = torch.tensor([[0, 2, 2, 1], [1, 1, 0, 2]])
    ours = model.loss(*model(sentence), tag)["loss"]

    scores = linear(state, "head", both_ways(state, state["embedding.weight"][sentence]))

    def weight(row: Tensor, path: tuple[int, ...]) -> Tensor:
        total = state["start"][path[0]] + state["end"][path[-1]]
        total = total + sum(row[place, each] for place, each in enumerate(path))
        return total + sum(state["transition"][pair] for pair in itertools.pairwise(path))

    paths = list(itertools.product(range(3), repeat=4))
    losses = [
        torch.stack([weight(row, path) for path in paths]).exp().sum().log()
        - weight(row, tuple(gold.tolist()))
        for row, gold in zip(scores, tag, strict=True)
    ]
    assert_same(model, ours, torch.stack(losses).mean())


def test_a_recognizer_sums_over_every_alignment() -> None:
    """Of four sequences one is too short for its phonemes, and counts nothing."""
    model = loaded("ctc", phonemes=2, features=3, hidden=2)
    state = dict(model.named_parameters())
    frames = torch.randn(4, 5, 3)
    transcript = torch.tensor([[0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 1]])
    counts, lengths = torch.tensor([5, 4, 3, 5]), torch.tensor([3, 2, 3, 1])
    ours = model.loss(model(frames), transcript, counts, lengths)["loss"]

    rows = linear(state, "head", both_ways(state, frames)).softmax(2)
    losses = []
    for row, labels, count, length in zip(rows, transcript, counts, lengths, strict=True):
        wanted = labels[:length].tolist()
        fitting = [
            path
            for path in itertools.product(range(3), repeat=int(count))
            if [each for each, _ in itertools.groupby(path) if each != 2] == wanted
        ]
        if not fitting:
            losses.append(row.new_zeros(()))
            continue
        likelihood = torch.stack([row[range(len(path)), path].prod() for path in fitting]).sum()
        losses.append(-likelihood.log() / length)
    assert len([loss for loss in losses if loss == 0]) == 1
    assert_same(model, ours, torch.stack(losses).mean())


def test_bert_learns_masked_words_and_what_follows() -> None:
    model = loaded("bert_pretraining", vocab=11, dim=6, heads=2, context=5).eval()
    state = dict(model.named_parameters())
    tokens = torch.tensor([[3, 7, 1, 9, 2], [4, 10, 8, 0, 0]])
    segments = torch.tensor([[0, 0, 0, 1, 1], [0, 1, 1, 1, 1]])
    masked = torch.tensor([[-100, 5, -100, 0, -100], [-100, -100, 8, -100, -100]])
    follows = torch.tensor([1, 0])
    terms = model.loss(*model(tokens, segments), masked, follows)

    def norm(name: str, x: Tensor) -> Tensor:
        x = x - x.mean(-1, keepdim=True)
        x = x / (x.square().mean(-1, keepdim=True) + 1e-12).sqrt()
        return x * state[f"{name}.weight"] + state[f"{name}.bias"]

    def gelu(x: Tensor) -> Tensor:
        return 0.5 * x * (1 + torch.erf(x / 2**0.5))

    h = state["word.weight"][tokens] + state["position.weight"] + state["segment.weight"][segments]
    h = norm("norm", h)
    for k in range(2):
        at = f"encoder.layers.{k}"
        weight, bias = (
            state[f"{at}.self_attn.in_proj_weight"],
            state[f"{at}.self_attn.in_proj_bias"],
        )
        heads = (h @ weight.T + bias).view(2, 5, 3, 2, 3).permute(2, 0, 3, 1, 4)
        scores = heads[0] @ heads[1].mT / 3**0.5
        scores = scores.masked_fill((tokens == 0)[:, None, None], -torch.inf)
        mixed = (scores.softmax(-1) @ heads[2]).transpose(1, 2).flatten(2)
        h = norm(f"{at}.norm1", h + linear(state, f"{at}.self_attn.out_proj", mixed))
        wide = gelu(linear(state, f"{at}.linear1", h))
        h = norm(f"{at}.norm2", h + linear(state, f"{at}.linear2", wide))
    told = norm("transform.2", gelu(linear(state, "transform.0", h)))
    words = (told @ state["word.weight"].T + state["bias"]).log_softmax(-1)
    answer = linear(state, "seq_relationship", linear(state, "pooler.0", h[:, 0]).tanh())
    theirs = -(words[0, 1, 5] + words[0, 3, 0] + words[1, 2, 8]) / 3
    theirs = theirs - answer.log_softmax(-1)[[0, 1], follows].mean()
    assert_same(model, terms["loss"], theirs)


# ── actions ──────────────────────────────────────────────────────────────────────────────────────


def test_ppo_gains_nothing_by_going_further_than_the_clip() -> None:
    model = loaded("ppo", observations=3, actions=4, hidden=5)
    state = dict(model.named_parameters())
    seen, action = torch.randn(6, 3), torch.tensor([0, 1, 3, 2, 1, 0])
    advantage, target = torch.tensor([1.0, -1.0, 0.7, -0.4, 2.0, -3.0]), torch.randn(6)

    def hidden(name: str) -> Tensor:
        return linear(state, f"{name}.2", linear(state, f"{name}.0", seen).tanh()).tanh()

    scores = linear(state, "choice", hidden("actor")).log_softmax(1)
    chosen = scores[range(6), action]
    # Of each sign of an advantage one ratio below, one inside and one above of what is let go.
    ratios = torch.tensor([0.5, 0.5, 1.1, 0.9, 1.6, 1.6])
    before = chosen.detach() - ratios.log()
    ours = model.loss(*model(seen), action, before, advantage, target)["loss"]

    gains = []
    for log, old, good in zip(chosen, before, advantage, strict=True):
        ratio = (log - old).exp()
        held = 1.2 if good > 0 and ratio > 1.2 else 0.8 if good < 0 and ratio < 0.8 else ratio
        gains.append(held * good)
    entropy = -(scores.exp() * scores).sum(1).mean()
    worth = (linear(state, "worth", hidden("critic"))[:, 0] - target).square().mean()
    assert_same(model, ours, 0.5 * worth - torch.stack(gains).mean() - 0.01 * entropy)
