"""What torch has inside its composite layers, and that selectors reach it there.

The oracle is torch's own ``named_modules``: a selector ``Type.name`` picks that parameter of every
module that is an instance of the type, and a whole ``Type.*`` all parameters inside each."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import nn

from specc import ir
from specc.catalog import LAYERS
from specc.emit import emit
from specc.errors import SpecError
from specc.inspect import training_summary as shown
from specc.semantics import analyse
from specc.semantics.naming.selectors import matches
from specc.targets.live import module_class

# Composite layers in one model, beside layers of the spec's own.
_BODIES = {
    "encoder layer": "y = x -> TransformerEncoderLayer(nhead=2, dim_feedforward=5, "
    "batch_first=true) -> LayerNorm -> Linear(4)",
    "encoder": "y = x -> TransformerEncoder(nhead=2, num_layers=9, dim_feedforward=5, "
    "batch_first=true, norm=true) -> Linear(4)",
    "encoder without bias": "y = x -> TransformerEncoder(nhead=2, num_layers=2, bias=false, "
    "batch_first=true) -> Linear(4)",
    "decoder": "y = TransformerDecoder(nhead=2, num_layers=3, dim_feedforward=5, "
    "batch_first=true)(x, x)",
    "decoder layer": "y = TransformerDecoderLayer(nhead=2, batch_first=true)(x, x)",
    "transformer": "y = Transformer(nhead=2, num_encoder_layers=1, num_decoder_layers=2, "
    "dim_feedforward=5, batch_first=true)(x, x)",
    "attention": "y, _ = MultiheadAttention(num_heads=2, batch_first=true, "
    "add_bias_kv=true)(x, x, x)",
    "attention of others": "k = x -> Linear(6)\n  y, _ = MultiheadAttention(num_heads=2, "
    "batch_first=true, kdim=6, vdim=6)(x, k, k)",
    "recurrent": "y, _ = x -> LSTM(3, num_layers=2, batch_first=true, bidirectional=true, "
    "proj_size=2)\n  y = y -> Linear(4)",
    "parametrized": "y = x -> Linear(4) with spectral_norm -> Linear(4) with weight_norm "
    "-> TransformerEncoderLayer(nhead=2, dim_feedforward=5, batch_first=true)",
    "blocks": "y = x -> repeat(2) Around -> Linear(4)",
}
_TYPES = (
    "Linear LayerNorm MultiheadAttention TransformerEncoderLayer TransformerDecoderLayer "
    "TransformerEncoder TransformerDecoder Transformer LSTM"
).split()
_BLOCK = """
block Around {
  input x: float[N, T, D]
  output x + (x -> TransformerEncoderLayer(nhead=2, dim_feedforward=5, batch_first=true))
}
"""


def _program(body: str, more: str = "", train: str = "") -> ir.Program:
    model = f"model Net {{\n  input x: float[N, T, 4]\n  {body}\n{more}  output y\n}}\n"
    return analyse(f"spec 1\n{_BLOCK}\n{model}{train}", "net.spec")


def _live(program: ir.Program) -> nn.Module:
    made: nn.Module = module_class(emit(program), "Net", "net")()
    return made


def _expected(module: nn.Module, type_: str, name: str) -> set[str]:
    """What torch says that ``type_.name`` is: ``name`` empty is everything inside."""
    cls = getattr(nn, type_)
    found = set()
    for path, inner in module.named_modules():
        if not isinstance(inner, cls):
            continue
        # A parametrized weight is a module inside its layer.
        wrapped = isinstance(inner, nn.Module) and hasattr(inner, "parametrizations")
        for own, _ in inner.named_parameters(recurse=wrapped or name == ""):
            word = own.removeprefix("parametrizations.").partition(".")[0].split("_")
            if name in ("", own) or (name in ("weight", "bias") and name in word):
                found.add(f"{path}.{own}")
    return found


@pytest.mark.parametrize("body", _BODIES.values(), ids=_BODIES)
def test_a_type_reaches_what_torch_has_inside(body: str) -> None:
    program = _program(body)
    module = _live(program)
    model = program.model()
    assert [name for name, _ in module.named_parameters()] == [n for n, _, _ in model.parameters()]
    for type_ in _TYPES:
        assert matches(f"{type_}.*", model) == _expected(module, type_, "")
        for name in ("weight", "bias"):
            assert matches(f"{type_}.{name}", model) == _expected(module, type_, name)


@pytest.mark.parametrize("body", _BODIES.values(), ids=_BODIES)
def test_every_bias_is_a_bias_whatever_torch_calls_it(body: str) -> None:
    program = _program(body)
    for word in ("bias", "weight"):
        expected = {
            name
            for name, _ in _live(program).named_parameters()
            if word in re.sub(r"\.original[01]?$", "", name).rpartition(".")[2].split("_")
        }
        assert matches(f"*.{word}", program.model()) == expected


def test_the_rows_say_all_that_torch_has_inside() -> None:
    """Each part with parameters that torch makes is a row's, and of the type that it says."""
    seen = set()
    for body in _BODIES.values():
        program = _program(body)
        modules = dict(_live(program).named_modules())
        for each in ir.owned_parameters(program.model()):
            assert each.direct or each.holder.wrappers, each
            for type_, inside in each.around:
                part = modules[each.name.removesuffix(f".{inside}")]
                assert isinstance(part, getattr(nn, type_))
                seen.add(type_)
    assert seen >= set(_TYPES)
    composite = {name for name, row in LAYERS.items() if row.parts}
    assert composite == {
        "AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss", "MultiheadAttention",
        "Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder",
        "TransformerEncoderLayer",
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        "_, y = AdaptiveLogSoftmaxWithLoss((3, 5), div_value=2.0)(mean(x, dim=1), label)",
        "y = LinearCrossEntropyLoss()(mean(x, dim=1), label)",
    ],
)
def test_layers_that_are_losses_have_a_linear_inside(body: str) -> None:
    program = _program(f"input label: index(9)[N]\n  {body}")
    assert matches("Linear.*", program.model()) == _expected(_live(program), "Linear", "")
    assert matches("Linear.*", program.model())


_SELECTORS = (
    "LayerNorm.*",
    "*.bias",
    "*.bias, LayerNorm.*",
    "LayerNorm.*, *.bias",
    "LayerNorm.weight, LayerNorm.bias",
    "Linear.weight",
    "Linear.bias, MultiheadAttention.bias",
    "*.weight",
    "MultiheadAttention.*",
    "TransformerEncoderLayer.*",
    "*.weight except Linear.weight",
    "*.in_proj_weight",
)


@pytest.mark.parametrize("selector", _SELECTORS)
@pytest.mark.parametrize("name", ["encoder layer", "encoder", "parametrized", "blocks"])
def test_the_emitted_optimizer_groups_are_exactly_the_selected(name: str, selector: str) -> None:
    train = (
        "train {\n  loss = mean(y ** 2)\n  optimizer AdamW(lr=0.1) {\n"
        f"    group(weight_decay=0.0) on {selector}\n  }}\n}}\n"
    )
    program = _program(_BODIES[name], train=train)
    assert program.train is not None and program.train.optimizer is not None
    chosen = program.train.optimizer.groups[0].on.names
    module: Any = _live(program)
    optimizer = module.configure_optimizers()["optimizer"]
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    groups = {group["weight_decay"]: [names[id(each)] for each in group["params"]]
              for group in optimizer.param_groups}  # fmt: skip
    assert sorted(groups[0.0]) == sorted(chosen)
    assert sorted(chosen + tuple(groups[0.01])) == sorted(names.values())
    facts = shown.facts(program)
    assert facts is not None
    share = facts.steps[0].shares[0]
    sizes = {name: parameter.numel() for name, parameter in module.named_parameters()}
    assert (share.tensors, share.elements) == (len(chosen), sum(sizes[n] for n in chosen))


@pytest.mark.parametrize("selector", _SELECTORS)
@pytest.mark.parametrize("name", ["encoder layer", "encoder", "blocks"])
@pytest.mark.parametrize("what", ["init constant_(0.5) on", "freeze on"])
def test_init_and_freeze_reach_exactly_the_selected(what: str, name: str, selector: str) -> None:
    program = _program(_BODIES[name], f"  {what} {selector}\n")
    model = program.model()
    chosen = {n for item in (*model.initializers, *model.frozen)
              for n in getattr(item, "on", item).names}  # fmt: skip
    assert chosen
    for parameter_name, parameter in _live(program).named_parameters():
        if what.startswith("freeze"):
            assert parameter.requires_grad == (parameter_name not in chosen)
        else:
            filled = bool(torch.all(parameter == 0.5))
            assert filled == (parameter_name in chosen), parameter_name


def test_a_layer_of_many_is_picked_as_a_person_would() -> None:
    more = "  init zeros_ on LayerNorm.bias\n  init normal_(std=0.02) on Linear.weight\n"
    train = (
        "train {\n  loss = mean(y ** 2)\n  optimizer AdamW(lr=0.1) {\n"
        "    group(weight_decay=0.0) on *.bias, LayerNorm.*\n  }\n}\n"
    )
    source = emit(_program(_BODIES["encoder"], more, train))
    assert "if isinstance(module, nn.LayerNorm):" in source
    assert "nn.init.normal_(module.weight, std=0.02)" in source
    assert 'if "bias" in name or isinstance(module, nn.LayerNorm)' in source
    several = "y = x -> {0} -> LayerNorm -> {0}".format(
        "TransformerEncoderLayer(nhead=2, dim_feedforward=5, batch_first=true)"
    )
    whole = emit(_program(several, train=train.replace(
        "*.bias, LayerNorm.*", "TransformerEncoderLayer.*")))  # fmt: skip
    assert "for parameter in module.parameters()" in whole


def test_what_is_not_inside_is_still_an_error() -> None:
    with pytest.raises(SpecError) as caught:
        _program(_BODIES["encoder layer"], "  init zeros_ on TransformerDecoderLayer.*\n")
    assert caught.value.code == "E0401"
    with pytest.raises(SpecError) as caught:
        _program(_BODIES["encoder layer"], "  init zeros_ on LayrNorm.*\n")
    assert caught.value.help == "did you mean `LayerNorm.*`?"


def test_a_parametrized_weight_is_a_weight() -> None:
    body = (
        "y = x -> a: Linear(4) with spectral_norm -> b: Linear(4) with orthogonal -> c: Linear(4)"
    )
    model = _program(body, "  init normal_(std=0.02) on Linear.weight\n").model()
    (init,) = model.initializers
    assert init.on.names == (
        "a.parametrizations.weight.original",
        "b.parametrizations.weight.original",
        "c.weight",
    )
    module = _live(_program(body, "  init zeros_ on a.weight\n  freeze on *.weight\n"))
    still = {name for name, each in module.named_parameters() if not each.requires_grad}
    assert still == set(init.on.names)
    filled = {name for name, each in module.named_parameters() if not bool(each.any())}
    assert filled == {"a.parametrizations.weight.original"}


def test_an_initialiser_fills_no_half_of_a_weight() -> None:
    body = "y = x -> a: Linear(4) with weight_norm -> b: Linear(4)"
    with pytest.raises(SpecError) as caught:
        _program(body, "  init normal_(std=0.02) on Linear.weight\n")
    assert caught.value.code == "E0406"
    # What is proposed checks.
    exception = (caught.value.help or "").partition("`")[2].partition("`")[0]
    _program(body, f"  init normal_(std=0.02) on Linear.weight {exception}\n")
    _program(body, "  init ones_ on a.parametrizations.weight.original0\n  freeze on *.weight\n")
