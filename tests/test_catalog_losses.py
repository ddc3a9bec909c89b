"""Every loss, penalty, projection and clip against torch and against its definition.

Losses: shapes, dtypes, refusals. Penalties: values and gradients against the stated formulas.
Non-goal: metrics, which are ``test_catalog_metrics``'s.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from catalog_oracle import (
    Conditions,
    call_of,
    described,
    floats,
    index,
    put_in,
    refusal,
    shape_of,
    shown,
    symbolic,
    torch_function,
)
from conftest import CasesOf
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from specc.catalog import CLIPS, CONSTRAINTS, LOSSES, REGULARIZERS
from specc.catalog.rows import FormulaRow, FunctionRow, Row, RuleError
from specc.ir import TensorType
from specc.sizes import symbol

Case = tuple[dict[str, Any], dict[str, Any]]
Draw = Any
small = st.integers(1, 4)

# What a loss refuses although torch takes it.
STRICTER = {
    "E0310": "torch broadcasts different shapes, with a warning or without",
    "E0306": "torch computes the value of an integer target and fails, or not, in the gradient",
    "E0301": "torch takes a triplet of scalars",
    "E0309": "torch sees the classes only in the data",
}


def _classes(draw: Draw, row: FunctionRow) -> Case:
    classes = draw(st.integers(1, 5))
    rest = draw(st.lists(small, max_size=2))
    shape = [draw(small), classes, *rest]
    if draw(st.integers(0, 9)) == 0:
        shape = [classes]
    wanted = [*shape[:1], *shape[2:]] if len(shape) > 1 else []
    if draw(st.integers(0, 4)) == 0 and wanted:
        wanted[-1] += 1
    labels: TensorType = index(classes + draw(st.sampled_from([0, 0, 0, 1])), *wanted)
    tensors: dict[str, Any] = {"input": floats(*shape), "target": labels}
    if row.name == "CrossEntropyLoss" and draw(st.booleans()):
        tensors["target"] = floats(*shape)
    if draw(st.booleans()):
        tensors["weight"] = floats(classes + draw(st.sampled_from([0, 0, 0, 1])))
    args: dict[str, Any] = {}
    if "p" in row.by_name:
        args["p"] = draw(st.sampled_from([1, 2, 3]))
    if "label_smoothing" in row.by_name:
        args["label_smoothing"] = draw(st.sampled_from([0.0, 0.1, 1.5]))
    return args, tensors


def _several(draw: Draw, row: FunctionRow) -> Case:
    n, d = draw(small), draw(small)
    names = [a.name for a in row.arguments if a.is_tensor and a.required]
    wrong = draw(st.sampled_from([0, 0, 0, 1]))
    shape = draw(st.sampled_from([(n, d), (n,), (n, d, 2), ()]))
    shapes = {name: shape for name in names}
    if row.name == "CosineEmbeddingLoss":
        shapes["target"] = shape[:-1]
    if row.name == "GaussianNLLLoss" and shape:
        shapes["var"] = draw(st.sampled_from([shape, (*shape[:-1], 1), shape[:-1]]))
    broken = draw(st.sampled_from(names))
    if wrong and shapes[broken]:
        shapes[broken] = (*shapes[broken][:-1], shapes[broken][-1] + 1)
    args: dict[str, Any] = {}
    if "margin" in row.by_name:
        args["margin"] = 0.5
    for name in ("beta", "delta"):
        if name in row.by_name:
            args[name] = draw(st.sampled_from([-1.0, 0.5]))
    return args, {name: floats(*shape) for name, shape in shapes.items()}


def _multi_label(draw: Draw, row: FunctionRow) -> Case:
    shape = draw(st.sampled_from([(3, 4), (4,), (1, 1), (2, 3, 2), ()]))
    target = list(shape)
    if shape and draw(st.integers(0, 4)) == 0:
        target[-1] += 1
    classes = (shape[-1] if shape else 1) + draw(st.sampled_from([0, 0, 0, -1, 1]))
    labels = draw(
        st.sampled_from([index(max(classes, 1), *target), TensorType("int64", tuple(target)),
                         floats(*target)])
    )  # fmt: skip
    return {}, {"input": floats(*shape), "target": labels}


def _sequences(draw: Draw, row: FunctionRow) -> Case:
    """The lengths are zeros, and so labels of all sequences in one row are none."""
    t, n, c = draw(small) + 4, draw(small), draw(small) + 1
    batched, padded = draw(st.booleans()), draw(st.booleans())
    s = draw(small) + 8 if batched and padded else 0

    def off(size: int) -> int:
        return size + draw(st.sampled_from([0] * 7 + [1]))

    labels = (off(n), s) if batched and padded else (s,)
    if draw(st.integers(0, 9)) == 0:
        labels = (n, s, 2)
    rows = (off(n),) if batched else ()
    classes = c - 1 + draw(st.sampled_from([0, 0, 0, 1, 2]))
    lengths = TensorType("int64", rows)
    tensors: dict[str, Any] = {
        "log_probs": floats(*((t, n, c) if batched else (t, c))),
        "targets": draw(st.sampled_from([index(classes, *labels), TensorType("int64", labels)])),
        "input_lengths": draw(st.sampled_from([lengths, index(t + 1, *rows)])),
        "target_lengths": draw(st.sampled_from([lengths, index(s + off(1), *rows)])),
    }
    return {"blank": draw(st.sampled_from([0, 0, c - 1, c, -1])), "zero_infinity": True}, tensors


_MAKERS = {
    "CrossEntropyLoss": _classes,
    "NLLLoss": _classes,
    "MultiMarginLoss": _classes,
    "MultiLabelMarginLoss": _multi_label,
    "CTCLoss": _sequences,
}


def _loss(draw: Draw, row: FunctionRow) -> Case:
    args, tensors = _MAKERS.get(row.name, _several)(draw, row)
    args["reduction"] = draw(st.sampled_from(row.choices["reduction"]))
    if row.name.startswith("BCE") and draw(st.booleans()):
        tensors["weight"] = tensors["input"]
    return args, tensors


@pytest.mark.parametrize("row", LOSSES.values(), ids=lambda row: row.name)
def test_a_loss_goes_as_torchs(row: FunctionRow, cases_of: CasesOf) -> None:
    accepted = 0
    count = cases_of(row, LOSSES.values(), least=60)

    @settings(max_examples=count, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal accepted
        args, tensors = _loss(data.draw, row)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out, refused = refusal(lambda: torch_function(row, args, tensors))
        result, error = refusal(lambda: row.shape(call_of(row, args, tensors)))
        if error is not None:
            assert isinstance(error, RuleError), error
            assert refused is not None or error.code in STRICTER, (args, tensors, error)
            return
        assert refused is None, (args, tensors, refused)
        accepted += 1
        assert shown(result) == described(out), (args, tensors)
        lifted, values = symbolic(tensors)
        conditions = Conditions()
        found = row.shape(call_of(row, args, lifted, conditions))
        assert conditions.hold(values)
        assert put_in(found, values) == result

    check()
    assert accepted >= 5, "the generator hardly makes a sound case"


# ── what a loss refuses, and how it says so ──────────────────────────────────────────────────────

N, T = symbol("N"), symbol("T")


def _refused(row: FunctionRow, args: dict[str, Any], **tensors: Any) -> RuleError:
    with pytest.raises(RuleError) as caught:
        shape_of(row, args, **tensors)
    return caught.value


def test_a_column_against_a_row_says_what_torch_would_do() -> None:
    error = _refused(LOSSES["MSELoss"], {}, input=floats(N, 1), target=floats(N))
    assert error.code == "E0310"
    assert "torch would stretch both to [N, N]" in error.message
    assert error.help is not None
    assert "squeeze" in error.help


def test_labels_of_other_classes_than_the_scores() -> None:
    error = _refused(LOSSES["CrossEntropyLoss"], {}, input=floats(N, 8), target=index(10, N))
    assert (error.code, error.argument) == ("E0309", "target")
    assert "10 classes" in error.message
    assert "float[N, 8] scores 8" in error.message


def test_scores_with_the_classes_last_are_explained() -> None:
    error = _refused(LOSSES["CrossEntropyLoss"], {}, input=floats(2, 7, 50), target=index(50, 2, 7))
    assert error.code == "E0302"
    assert error.help is not None
    assert "flatten(x, 0, 1)" in error.help


def test_float_labels_are_no_classes() -> None:
    error = _refused(LOSSES["NLLLoss"], {}, input=floats(N, 8), target=floats(N))
    assert error.code == "E0306"
    assert error.help is not None
    assert "index(k)" in error.help


def test_integer_targets_of_a_float_loss() -> None:
    error = _refused(LOSSES["MSELoss"], {}, input=floats(N), target=index(4, N))
    assert error.code == "E0306"
    assert error.help is not None
    assert "CrossEntropyLoss" in error.help


# ── penalties, projections, clips ────────────────────────────────────────────────────────────────


def _helper(row: Row) -> Any:
    names: dict[str, Any] = {"torch": torch, "F": F, "Tensor": Tensor}
    exec(compile(row.source, row.torch, "exec"), names)  # the catalogue's own source, not a spec's
    return names[row.torch]


def _formula(row: FormulaRow, **names: Any) -> Any:
    code = compile(row.formula, row.name, "eval")  # the catalogue's own source, not a spec's
    if row.helper:
        names[row.torch] = _helper(row)
    assert set(code.co_names) <= {*names, "torch", "nn", "F"} | set(dir(Tensor)) | {"utils",
            "renorm", "clip_grad_norm_", "clip_grad_value_"}  # fmt: skip
    return eval(code, {"torch": torch, "nn": nn, "F": F, **names})


WEIGHT = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "arguments", "wanted"),
    [
        ("L1", {"strength": 0.1}, 0.1 * 7.5),
        ("L2", {"strength": 0.1}, 0.05 * 15.25),
        ("ElasticNet", {"l1": 0.1, "l2": 0.3}, 0.1 * 7.5 + 0.15 * 15.25),
        # W W^T is [[5.25, -6.5], [-6.5, 10]].
        ("Orthogonal", {"strength": 0.5}, 0.5 * (4.25**2 + 2 * 6.5**2 + 9.0**2)),
    ],
)
def test_a_penalty_is_its_definition(name: str, arguments: dict[str, float], wanted: float) -> None:
    row = REGULARIZERS[name]
    assert list(arguments) == [argument.name for argument in row.arguments]
    assert _formula(row, weight=WEIGHT, **arguments).item() == pytest.approx(wanted, rel=1e-12)


def test_every_penalty_is_tested_and_flattens_kernels() -> None:
    assert set(REGULARIZERS) == {"L1", "L2", "ElasticNet", "Orthogonal"}
    kernels = torch.randn(4, 3, 2, 2, dtype=torch.float64)
    flat = kernels.flatten(1)
    wanted = (flat @ flat.T - torch.eye(4, dtype=torch.float64)).square().sum()
    assert torch.equal(_formula(REGULARIZERS["Orthogonal"], weight=kernels, strength=1.0), wanted)


def test_l2_and_weight_decay_give_one_trajectory() -> None:
    torch.manual_seed(0)
    start, slope = torch.randn(5, dtype=torch.float64), torch.randn(5, dtype=torch.float64)
    ends = []
    for decay, penalty in ((0.3, 0.0), (0.0, 0.3)):
        weight = nn.Parameter(start.clone())
        optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9, weight_decay=decay)
        for _ in range(5):
            optimizer.zero_grad()
            loss = (weight * slope).sum()
            loss = loss + _formula(REGULARIZERS["L2"], weight=weight, strength=penalty)
            loss.backward()
            optimizer.step()
        ends.append(weight.detach())
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-13, atol=0)


def test_max_norm_scales_each_output_down() -> None:
    weight = WEIGHT.clone()
    _formula(CONSTRAINTS["MaxNorm"], weight=weight, max_norm=2.5)
    norms = WEIGHT.norm(dim=1)
    assert torch.equal(weight[0], WEIGHT[0])
    assert norms[1] > 2.5
    torch.testing.assert_close(weight[1], WEIGHT[1] * 2.5 / norms[1], rtol=1e-6, atol=0)


def test_non_negative_clears_what_is_below() -> None:
    weight = WEIGHT.clone()
    _formula(CONSTRAINTS["NonNegative"], weight=weight)
    assert torch.equal(weight, WEIGHT.clamp(min=0))


def test_clamp_keeps_weights_in_a_box() -> None:
    weight = WEIGHT.clone()
    _formula(CONSTRAINTS["Clamp"], weight=weight, min=-0.5, max=0.25)
    assert weight.min() == -0.5 and weight.max() == 0.25
    assert torch.equal(weight, WEIGHT.clamp(-0.5, 0.25))


@pytest.mark.parametrize(
    "row", [*REGULARIZERS.values(), *CONSTRAINTS.values()], ids=lambda r: r.name
)
def test_a_formula_takes_the_ranks_that_its_row_says(row: FormulaRow) -> None:
    arguments = {argument.name: 0.5 for argument in row.arguments}
    for rank in range(1, 5):
        weight = torch.ones([2] * rank)
        if rank >= row.rank:
            _formula(row, weight=weight, **arguments)
        else:
            with pytest.raises((RuntimeError, IndexError)):
                _formula(row, weight=weight, **arguments)


def test_clips_are_torchs() -> None:
    for name, arguments in (("GradNorm", {"max_norm": 1.0, "norm_type": 2.0}),
                            ("GradValue", {"clip_value": 0.5})):  # fmt: skip
        parameters = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2, 2))]
        for parameter in parameters:
            parameter.grad = torch.full_like(parameter, 2.0)
        _formula(CLIPS[name], parameters=parameters, **arguments)
        gradients = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
        if name == "GradNorm":
            assert gradients.norm().item() == pytest.approx(1.0, rel=1e-4)
        else:
            assert gradients.max().item() == 0.5
