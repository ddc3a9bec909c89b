"""Every wrapper against torch's parametrizations: names, order, shapes, refusals, fresh values."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from catalog_oracle import call_of, floats, index, names_and_shapes, refusal, torch_callable
from conftest import CasesOf
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from specc.catalog import LAYERS, WRAPPERS
from specc.catalog.rows import RuleError, Wrapped, WrapperRow
from specc.ir import Distribution
from specc.sizes import symbol

SEQUENCE = floats(2, 3, 8)
MADE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Linear": ({"out_features": 40}, {"input": floats(2, 130)}),
    "Conv2d": ({"out_channels": 16, "kernel_size": 3}, {"input": floats(2, 12, 9, 9)}),
    "ConvTranspose1d": ({"out_channels": 6, "kernel_size": 4}, {"input": floats(2, 8, 9)}),
    "Embedding": ({"embedding_dim": 8}, {"input": index(8, 2)}),
    "BatchNorm1d": ({}, {"input": floats(2, 8)}),
    "LSTM": ({"hidden_size": 8}, {"input": SEQUENCE}),
    "MultiheadAttention": (
        {"num_heads": 2},
        {"query": SEQUENCE, "key": SEQUENCE, "value": SEQUENCE},
    ),
}


Made = tuple[dict[str, Any], dict[str, Any]]


def _wrapped(
    layer: str, wrapper: str, given: dict[str, Any], *more: dict[str, Any], made: Made | None = None
) -> Wrapped:
    """The layer with the wrapper around it, and around that again for each of ``more``."""
    row = LAYERS[layer]
    call = call_of(row, *(made or MADE[layer]))
    tensors = row.parameters(call), row.buffers(call), row.initial(call)
    defaults: dict[str, Any] = {a.name: a.default for a in WRAPPERS[wrapper].arguments}
    for chosen in (given, *more):
        found = Wrapped(layer, *tensors, {**defaults, **chosen})
        tensors = WRAPPERS[wrapper].tensors(found)
    return Wrapped(layer, *tensors, {})


def _torchs(
    layer: str, wrapper: str, *given: dict[str, Any], made: Made | None = None
) -> nn.Module:
    row = LAYERS[layer]
    call = call_of(row, *(made or MADE[layer]))
    module: nn.Module = torch_callable(row)(
        **{name: call.args[name] for name in row.by_name if name in call.args}
    )
    module = module.double()
    for chosen in given:
        torch_callable(WRAPPERS[wrapper])(module, **chosen)
    return module


CASES: list[tuple[str, str, dict[str, Any]]] = [
    *(
        (layer, wrapper, {})
        for layer in ("Linear", "Conv2d", "ConvTranspose1d", "Embedding")
        for wrapper in WRAPPERS
    ),
    ("BatchNorm1d", "spectral_norm", {}),
    ("BatchNorm1d", "weight_norm", {}),
    ("Linear", "spectral_norm", {"name": "bias"}),
    ("Linear", "spectral_norm", {"dim": 1, "n_power_iterations": 3}),
    ("Conv2d", "spectral_norm", {"dim": -2}),
    ("Conv2d", "weight_norm", {"dim": 1}),
    ("Conv2d", "weight_norm", {"dim": 3}),
    ("Conv2d", "weight_norm", {"dim": None}),
    ("Linear", "orthogonal", {"use_trivialization": False}),
    ("Linear", "orthogonal", {"orthogonal_map": "matrix_exp"}),
    ("Linear", "orthogonal", {"orthogonal_map": "cayley", "use_trivialization": False}),
    ("Embedding", "orthogonal", {"orthogonal_map": "householder"}),
    ("LSTM", "spectral_norm", {"name": "weight_hh_l0"}),
    ("LSTM", "orthogonal", {"name": "weight_hh_l0"}),
    ("MultiheadAttention", "weight_norm", {"name": "in_proj_weight"}),
]


@pytest.mark.parametrize(("layer", "wrapper", "given"), CASES)
def test_a_wrapped_layer_has_torchs_tensors(
    layer: str, wrapper: str, given: dict[str, Any]
) -> None:
    found = _wrapped(layer, wrapper, given)
    module = _torchs(layer, wrapper, given)
    assert names_and_shapes(found.parameters) == [
        (name, tuple(tensor.shape)) for name, tensor in module.named_parameters()
    ]
    assert names_and_shapes(found.buffers) == [
        (name, tuple(tensor.shape)) for name, tensor in module.named_buffers()
    ]
    assert [name for name, _ in found.initial] == [name for name, _ in found.parameters]
    new = {name for name, _ in found.buffers} - {name for name, _ in LAYERS[layer].buffers(
        call_of(LAYERS[layer], *MADE[layer]))}  # fmt: skip
    assert {name.rpartition(".")[2] for name in new} <= set(WRAPPERS[wrapper].buffers)


# ── generated layers and settings ────────────────────────────────────────────────────────────────

Draw = Any
# What is refused although torch takes it, by (wrapper, code).
STRICTER = {
    ("weight_norm", "E0304"): "torch takes dim=-1 for the whole",
    **{
        (name, "E0307"): "torch wraps a wrapped tensor again, and its parts' tensors"
        for name in ("spectral_norm", "weight_norm", "orthogonal")
    },
}


def _layer(draw: Draw) -> tuple[str, Made]:
    """A layer with weights of one dimension and of several, tall ones, wide ones and square."""
    size = st.integers(1, 5)
    one, two = draw(size), draw(size)
    batch = (2, one)
    convolved: dict[str, Any] = {"out_channels": two, "kernel_size": draw(st.integers(1, 3))}
    makers: dict[str, Made] = {
        "Linear": ({"out_features": two}, {"input": floats(*batch)}),
        "Bilinear": ({"out_features": two}, {"input1": floats(*batch), "input2": floats(2, 3)}),
        "Embedding": ({"embedding_dim": two}, {"input": index(one, 2)}),
        "PReLU": ({"num_parameters": one}, {"input": floats(*batch)}),
        "BatchNorm1d": ({"affine": draw(st.booleans())}, {"input": floats(*batch)}),
        "LayerNorm": ({"normalized_shape": (two, one)}, {"input": floats(2, two, one)}),
        "Conv1d": (convolved, {"input": floats(*batch, 9)}),
        "Conv3d": (convolved, {"input": floats(*batch, 4, 4, 4)}),
        "ConvTranspose2d": (convolved, {"input": floats(*batch, 4, 4)}),
        "GRU": ({"hidden_size": two, "num_layers": 2}, {"input": floats(2, 3, one)}),
        "LSTM": ({"hidden_size": two, "bias": False}, {"input": floats(2, 3, one)}),
        "MultiheadAttention": (
            {"num_heads": one},
            dict.fromkeys(("query", "key", "value"), floats(2, 3, one * two)),
        ),
    }
    name = draw(st.sampled_from([*makers]))
    return name, makers[name]


def _settings(draw: Draw, row: WrapperRow, names: list[str]) -> dict[str, Any]:
    own = [name for name in names if name.startswith("weight")] or ["weight"]
    given: dict[str, Any] = {"name": draw(st.sampled_from([*own * 3, *names, "wieght"]))}
    if "dim" in row.by_name and draw(st.booleans()):
        given["dim"] = draw(st.sampled_from([None, 0, 1, 2, 3, -1, -2, -3]))
    if "n_power_iterations" in row.by_name and draw(st.booleans()):
        given["n_power_iterations"] = draw(st.sampled_from([0, 1, 2]))
    if "orthogonal_map" in row.by_name:
        given["use_trivialization"] = draw(st.booleans())
        given["orthogonal_map"] = draw(st.sampled_from([None, *row.choices["orthogonal_map"]]))
    return given


@pytest.mark.parametrize("row", WRAPPERS.values(), ids=lambda row: row.name)
def test_a_wrapper_goes_as_torchs(row: WrapperRow, cases_of: CasesOf) -> None:
    accepted = 0
    count = cases_of(row, WRAPPERS.values())

    @settings(max_examples=count, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal accepted
        layer, made = _layer(data.draw)
        names = [name for name, _ in LAYERS[layer].parameters(call_of(LAYERS[layer], *made))]
        several = data.draw(st.sampled_from([1, 1, 2]))
        given = [_settings(data.draw, row, names) for _ in range(several)]

        def torchs() -> nn.Module:
            try:
                return _torchs(layer, row.name, *given, made=made)
            except AttributeError as error:  # a layer without a bias has None for it
                raise ValueError("there is no such tensor") from error

        module, refused = refusal(torchs)
        found, error = refusal(lambda: _wrapped(layer, row.name, *given, made=made))
        if error is not None:
            assert isinstance(error, RuleError), error
            stricter = (row.name, error.code) in STRICTER
            assert refused is not None or stricter, (layer, made, given, error)
            return
        assert refused is None, (layer, made, given, refused)
        accepted += 1
        assert names_and_shapes(found.parameters) == [
            (name, tuple(tensor.shape)) for name, tensor in module.named_parameters()
        ], (layer, made, given)
        assert names_and_shapes(found.buffers) == [
            (name, tuple(tensor.shape)) for name, tensor in module.named_buffers()
        ], (layer, made, given)
        assert [name for name, _ in found.initial] == [name for name, _ in found.parameters]

    check()
    assert accepted >= 5, "the generator hardly makes a sound case"


def test_two_tensors_of_a_layer_are_wrapped_one_after_the_other() -> None:
    both = {"name": "weight_hh_l0"}, {"name": "weight_ih_l0"}
    found = _wrapped("LSTM", "spectral_norm", *both)
    module = _torchs("LSTM", "spectral_norm", *both)
    assert [name for name, _ in found.parameters] == [n for n, _ in module.named_parameters()]
    assert [name for name, _ in found.buffers] == [n for n, _ in module.named_buffers()]


@pytest.mark.parametrize(
    ("layer", "wrapper", "given", "code", "argument"),
    [
        ("Linear", "spectral_norm", {"name": "wieght"}, "E0307", "name"),
        ("Linear", "spectral_norm", {"dim": 2}, "E0304", "dim"),
        ("Linear", "spectral_norm", {"n_power_iterations": 0}, "E0307", "n_power_iterations"),
        ("Linear", "weight_norm", {"dim": 2}, "E0304", "dim"),
        ("Linear", "orthogonal", {"name": "bias"}, "E0301", "name"),
        ("MultiheadAttention", "weight_norm", {"name": "out_proj.weight"}, "E0307", "name"),
    ],
)
def test_what_torch_refuses_is_refused(
    layer: str, wrapper: str, given: dict[str, Any], code: str, argument: str
) -> None:
    with pytest.raises((ValueError, IndexError, RuntimeError)):
        _torchs(layer, wrapper, given)
    with pytest.raises(RuleError) as caught:
        _wrapped(layer, wrapper, given)
    assert (caught.value.code, caught.value.argument) == (code, argument)


def test_a_tensor_is_wrapped_once_and_weight_norm_counts_from_0() -> None:
    # torch would norm the norms, and takes dim=-1 for the whole.
    with pytest.raises(RuleError, match="wrapped already"):
        _wrapped("Linear", "weight_norm", {}, {})
    with pytest.raises(RuleError, match="out of range"):
        _wrapped("Linear", "weight_norm", {"dim": -1})


def test_sizes_of_params_stay_names() -> None:
    width = symbol("width")
    found = WRAPPERS["spectral_norm"].tensors(
        Wrapped(
            "Linear",
            (("weight", (width, 3 * width)), ("bias", (width,))),
            (),
            (("weight", Distribution("normal", 0, 1)), ("bias", Distribution("constant", 0))),
            {"name": "weight", "n_power_iterations": 1, "eps": 1e-12, "dim": None},
            {"width": 4},
        )
    )
    assert found[0][1] == ("parametrizations.weight.original", (width, 3 * width))
    assert found[1] == (
        ("parametrizations.weight.0._u", (width,)),
        ("parametrizations.weight.0._v", (3 * width,)),
    )


# ── fresh values ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("layer", ["Linear", "Conv2d", "BatchNorm1d"])
@pytest.mark.parametrize("dim", [0, None])
def test_a_fresh_norm_is_that_of_the_fresh_weight(layer: str, dim: int | None) -> None:
    torch.manual_seed(2)
    said = dict(_wrapped(layer, "weight_norm", {"dim": dim}).initial)
    said_norm = said["parametrizations.weight.original0"]
    norms = torch.stack(
        [
            dict(_torchs(layer, "weight_norm", {"dim": dim}).named_parameters())[
                "parametrizations.weight.original0"
            ].detach()
            for _ in range(60)
        ]
    )
    if said_norm.kind == "constant":
        torch.testing.assert_close(norms, torch.full_like(norms, said_norm.low), rtol=1e-6, atol=0)
        return
    assert norms.mean().item() == pytest.approx(said_norm.low, rel=0.02)
    assert norms.std().item() == pytest.approx(said_norm.high, rel=0.3)


@pytest.mark.parametrize("wrapper", ["spectral_norm", "weight_norm"])
def test_a_fresh_direction_is_the_layers_own(wrapper: str) -> None:
    call = call_of(LAYERS["Conv2d"], *MADE["Conv2d"])
    own = dict(LAYERS["Conv2d"].initial(call))["weight"]
    said = dict(_wrapped("Conv2d", wrapper, {}).initial)
    tail = "original" if wrapper == "spectral_norm" else "original1"
    assert said[f"parametrizations.weight.{tail}"] == own


@pytest.mark.parametrize(
    ("layer", "given"),
    [(layer, given) for layer, wrapper, given in CASES if wrapper == "orthogonal"],
)
def test_what_stands_for_a_fresh_orthogonal_weight_is_one(
    layer: str, given: dict[str, Any]
) -> None:
    torch.manual_seed(4)
    module = _torchs(layer, "orthogonal", given)
    name = given.get("name", "weight")
    path = f"parametrizations.{name}.original"
    said = dict(_wrapped(layer, "orthogonal", given).initial)[path]
    original = dict(module.named_parameters())[path]
    with torch.no_grad():
        noise = torch.rand_like(original)
        if said.kind == "uniform":
            original.copy_(said.low + (said.high - said.low) * noise)
        else:  # a case moves a constant by up to a tenth
            assert said.kind == "constant"
            original.copy_(said.low + 0.2 * noise - 0.1)
    weight = getattr(module, name).detach()
    tall = weight if weight.shape[-2] >= weight.shape[-1] else weight.mT
    square = tall.mT @ tall
    torch.testing.assert_close(
        square, torch.eye(square.shape[-1], dtype=square.dtype).expand_as(square)
    )
