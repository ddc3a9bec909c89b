"""Every metric against torchmetrics' own: its value on generated data, its arguments, its shape.

Data hold ties, classes that never occur, one example, none that is right. Non-goal: emission.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from catalog_oracle import Conditions, call_of, described, floats, index, shape_of, shown
from conftest import CasesOf
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from specc.catalog import METRICS, REGULARIZERS, exclusions
from specc.catalog.rows import FunctionRow, Row, RuleError
from specc.ir import TensorType
from specc.sizes import symbol

torchmetrics = pytest.importorskip("torchmetrics", reason="the oracle of metrics")

Draw = Any
Case = tuple[dict[str, Any], tuple[Tensor, ...]]
GENERIC = (
    "Accuracy", "Precision", "Recall", "F1Score", "FBetaScore", "Specificity", "HammingDistance",
    "NegativePredictiveValue", "JaccardIndex", "CohenKappa", "MatthewsCorrCoef", "ConfusionMatrix",
    "AUROC", "AveragePrecision", "CalibrationError", "HingeLoss", "ExactMatch",
)  # fmt: skip


def _helper(row: Row) -> Any:
    names: dict[str, Any] = {"torch": torch, "F": F, "Tensor": Tensor}
    exec(compile(row.source, row.torch, "exec"), names)  # the catalogue's own source, not a spec's
    return names[row.torch]


def _class(name: str) -> Any:
    """torchmetrics' class of this name, wherever it is."""
    homes = ("classification", "regression", "image", "audio", "text", "retrieval")
    for home in (f"torchmetrics.{each}" for each in homes):
        module = __import__(home, fromlist=[name])
        if hasattr(module, name):
            return getattr(module, name)
    return getattr(torchmetrics, name)


def _oracle(row: FunctionRow, args: dict[str, Any], tensors: tuple[Tensor, ...]) -> Tensor:
    """What torchmetrics makes of the batch."""
    given = dict(args)
    metric = _class(row.name)
    if row.name in GENERIC:
        given |= {"task": "multiclass", "num_classes": tensors[0].shape[1]}
    elif row.name.startswith("Multiclass"):
        given["num_classes"] = tensors[0].shape[1]
    elif row.name.startswith("Multilabel"):
        given["num_labels"] = tensors[0].shape[1]
    elif row.name == "RelativeSquaredError":
        given["num_outputs"] = 1 if tensors[0].dim() == 1 else tensors[0].shape[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = metric(**given)
        if made.__class__.__name__.startswith("Retrieval"):
            preds, target, indexes = tensors
            made.update(preds, target, indexes=indexes)
        else:
            made.update(*tensors)
        found = made.compute()
    assert isinstance(found, Tensor)
    return found


# ── data ─────────────────────────────────────────────────────────────────────────────────────────


def _scores(draw: Draw, *shape: int) -> Tensor:
    """Chances or logits; few values, so that there are ties."""
    seed = draw(st.integers(0, 10_000))
    generator = torch.Generator().manual_seed(seed)
    steps = draw(st.sampled_from([3, 8, 1000]))
    values = torch.randint(0, steps + 1, shape, generator=generator).double() / steps
    if draw(st.booleans()):
        values = 6 * values - 3
    return values


def _labels(draw: Draw, classes: int, *shape: int) -> Tensor:
    seed = draw(st.integers(0, 10_000))
    generator = torch.Generator().manual_seed(seed)
    most = draw(st.integers(1, classes))  # classes above never occur
    return torch.randint(0, most, shape, generator=generator)


def _of_classes(draw: Draw, row: FunctionRow) -> Case:
    classes, n = draw(st.integers(2, 5)), draw(st.integers(1, 12))
    rest = draw(st.sampled_from([(), (), (3,)]))
    args: dict[str, Any] = {}
    if "HingeLoss" in row.name or "CalibrationError" in row.name:
        rest = ()
    if "ExactMatch" in row.name:
        rest = (2,)
    preds = _scores(draw, n, classes, *rest)
    # torch does not say which of equal scores is among the first k.
    if "top_k" in row.by_name and draw(st.integers(0, 2)) == 0:
        args["top_k"] = draw(st.integers(1, classes))
        preds = preds + torch.linspace(0, 1e-4, preds.numel(), dtype=preds.dtype).view_as(preds)
    target = _labels(draw, classes, n, *rest)
    if "ignore_index" in row.by_name and draw(st.integers(0, 3)) == 0 and "top_k" not in args:
        args["ignore_index"] = draw(st.sampled_from([0, classes - 1]))
    return args, (preds, target)


def _of_two(draw: Draw, row: FunctionRow) -> Case:
    n = draw(st.integers(1, 12))
    rest = draw(st.sampled_from([(), (3,)])) if "HingeLoss" not in row.name else ()
    args: dict[str, Any] = {}
    if "threshold" in row.by_name and draw(st.booleans()):
        args["threshold"] = draw(st.sampled_from([0.3, 0.5, 0.7]))
    if "ignore_index" in row.by_name and draw(st.integers(0, 3)) == 0:
        args["ignore_index"] = 0
    return args, (_scores(draw, n, *rest), _labels(draw, 2, n, *rest))


def _of_labels(draw: Draw, row: FunctionRow) -> Case:
    n, count = draw(st.integers(1, 8)), draw(st.integers(2, 4))
    rest = draw(st.sampled_from([(), (3,)])) if "ExactMatch" not in row.name else ()
    args: dict[str, Any] = {}
    if "threshold" in row.by_name and draw(st.booleans()):
        args["threshold"] = draw(st.sampled_from([0.3, 0.5]))
    if "ignore_index" in row.by_name and draw(st.integers(0, 3)) == 0:
        args["ignore_index"] = 0
    return args, (_scores(draw, n, count, *rest), _labels(draw, 2, n, count, *rest))


ROWS_OF_ONE = {
    "LogCoshError", "PearsonCorrCoef", "ConcordanceCorrCoef", "SpearmanCorrCoef",
    "KendallRankCorrCoef",
}  # fmt: skip
OF_MATRICES = {"CosineSimilarity", "KLDivergence", "JensenShannonDivergence"}
POSITIVE = {"KLDivergence", "JensenShannonDivergence", "TweedieDevianceScore",
            "MeanSquaredLogError"}  # fmt: skip
# These divide by a spread, which both must have.
SPREAD = ROWS_OF_ONE - {"LogCoshError"} | {"NormalizedRootMeanSquaredError"}


def _numbers(draw: Draw, row: FunctionRow) -> Case:
    shape: tuple[int, ...] = (draw(st.integers(3, 9)),)
    if row.name in OF_MATRICES:
        shape = (*shape, 3)
    elif row.name not in ROWS_OF_ONE and draw(st.booleans()):
        shape = (*shape, 1 if row.name == "KendallRankCorrCoef" else 2)
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    coarse = draw(st.booleans())
    pair = []
    for _ in range(2):
        values = torch.randn(shape, generator=generator, dtype=torch.float64)
        if coarse:
            values = values.mul(2).round().div(2)
        if row.name in POSITIVE:
            values = values.abs() + 0.25
        pair.append(values)
    if row.name in SPREAD:
        for position, values in enumerate(pair):
            values[:3] = torch.tensor([0.0, 1.0, 3.0 + position], dtype=torch.float64).view(
                3, *[1] * (values.dim() - 1)
            )
    if draw(st.integers(0, 5)) == 0 and row.name not in SPREAD:
        pair[1] = pair[0].clone()
    args: dict[str, Any] = {}
    for name in ("squared", "log_prob"):
        if name in row.by_name:
            args[name] = draw(st.booleans())
    if args.get("log_prob"):
        pair = [values.log_softmax(dim=-1) for values in pair]
    if row.name == "MinkowskiDistance":
        args["p"] = draw(st.sampled_from([1.0, 2.0, 3.5]))
    if row.name == "TweedieDevianceScore":
        args["power"] = draw(st.sampled_from([-1.0, 0.0, 1.0, 1.5, 2.0, 3.0]))
    if row.name == "CriticalSuccessIndex":
        args["threshold"] = draw(st.sampled_from([-0.5, 0.0, 5.0]))
    return args, tuple(pair)


def _images(draw: Draw, row: FunctionRow) -> Case:
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    shape = (2, draw(st.integers(1, 3)), draw(st.integers(8, 12)), 9)
    pair = tuple(torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(2))
    args: dict[str, Any] = {}
    if "data_range" in row.by_name:
        args["data_range"] = draw(st.sampled_from([1.0, 2.0]))
    if "base" in row.by_name:
        args["base"] = draw(st.sampled_from([10.0, 2.0]))
    if "sigma" in row.by_name:
        args["sigma"] = draw(st.sampled_from([1.0, 1.5]))
        if draw(st.booleans()):
            del args["data_range"]
    return args, pair if row.name != "TotalVariation" else pair[:1]


def _words(draw: Draw, row: FunctionRow) -> Case:
    n, t, words = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(2, 5))
    target = _labels(draw, words, n, t)
    args: dict[str, Any] = {}
    if draw(st.booleans()) and bool((target != 0).any()):
        args["ignore_index"] = 0
    return args, (_scores(draw, n, t, words), target)


def _signals(draw: Draw, row: FunctionRow) -> Case:
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    shape = draw(st.sampled_from([(8,), (2, 8), (2, 3, 8)]))
    pair = tuple(torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))
    return ({"zero_mean": draw(st.booleans())} if "zero_mean" in row.by_name else {}), pair


def _documents(draw: Draw, row: FunctionRow) -> Case:
    count = draw(st.integers(1, 12))
    order = torch.randperm(count, generator=torch.Generator().manual_seed(draw(st.integers(0, 99))))
    # No two are equal (torch does not say which comes first), and some are below 0.
    preds = (order.double() + 1) / count - draw(st.sampled_from([0.0, 0.5]))
    if row.name == "RetrievalNormalizedDCG" and draw(st.booleans()):
        preds = preds.mul(3).round() / 3
    target = _labels(draw, 4 if row.name == "RetrievalNormalizedDCG" else 2, count)
    indexes = _labels(draw, 3, count)
    args: dict[str, Any] = {}
    if "top_k" in row.by_name and draw(st.booleans()):
        args["top_k"] = draw(st.integers(1, 4))
    return args, (preds, target, indexes)


def _maker(row: FunctionRow) -> Callable[[Draw, FunctionRow], Case]:
    if row.name.startswith("Binary"):
        return _of_two
    if row.name.startswith("Multilabel"):
        return _of_labels
    if row.name.startswith("Multiclass") or row.name in GENERIC:
        return _of_classes
    if row.name.startswith("Retrieval"):
        return _documents
    if row.name in ("PeakSignalNoiseRatio", "StructuralSimilarityIndexMeasure", "TotalVariation"):
        return _images
    if row.name.endswith("Ratio"):
        return _signals
    return _words if row.name == "Perplexity" else _numbers


def _case(draw: Draw, row: FunctionRow) -> Case:
    args, tensors = _maker(row)(draw, row)
    for name, choices in row.choices.items():
        if draw(st.booleans()):
            args[name] = draw(st.sampled_from(choices))
    if row.name.endswith("FBetaScore"):
        args["beta"] = draw(st.sampled_from([0.5, 2.0]))
    if "n_bins" in row.by_name and draw(st.booleans()):
        args["n_bins"] = draw(st.integers(1, 6))
    return args, tensors


def _undefined(row: FunctionRow, tensors: tuple[Tensor, ...], args: dict[str, Any]) -> bool:
    """Whether there is no correlation: one side is all one class. It is 0 here, as in scikit-learn;
    in torchmetrics it is 1, -1, or a number that its eps makes."""
    if not row.name.endswith("MatthewsCorrCoef"):
        return False
    settings = {"threshold": args["threshold"]} if "threshold" in args else {}
    task = next((each for each in ("Binary", "Multilabel") if row.name.startswith(each)), "")
    matrix = _helper(METRICS[f"{task}ConfusionMatrix"])(*tensors, **settings)
    if task == "Multilabel":
        matrix = matrix.sum(dim=0)
    return any(int((matrix.sum(dim=side) > 0).sum()) == 1 for side in (0, 1))


# ── values and shapes ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("row", METRICS.values(), ids=lambda row: row.name)
def test_a_metric_is_torchmetrics(row: FunctionRow, cases_of: CasesOf) -> None:
    metric = _helper(row)
    # torchmetrics takes a millisecond or two to make and feed a metric: the family has 1,500 cases.
    count = cases_of(row, METRICS.values(), least=15)

    @settings(max_examples=count, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        args, tensors = _case(data.draw, row)
        found = metric(*(each.clone() for each in tensors), **args)
        if row.name in ("AveragePrecision", "MulticlassAveragePrecision") and not tensors[1].any():
            return  # torchmetrics takes labels that are all class 0 for no labels at all
        if row.name == "MultilabelJaccardIndex" and not tensors[1].any() and "average" in args:
            assert (
                found.isfinite().all()
            )  # torchmetrics divides by the labels that there are none of
            return
        if _undefined(row, tensors, args):
            assert found.item() == 0
            return
        wanted = _oracle(row, args, tensors)
        torch.testing.assert_close(
            found.double(), wanted.double(), rtol=3e-5, atol=3e-6, equal_nan=True,
            msg=lambda text: f"{args}\n{tensors}\n{found}\n{wanted}\n{text}",
        )  # fmt: skip
        names = [each.name for each in row.arguments if each.is_tensor]
        types: dict[str, Any] = {
            name: floats(*each.shape) if each.is_floating_point()
            else TensorType("int64", tuple(each.shape))
            for name, each in zip(names, tensors, strict=True)
        }  # fmt: skip
        dtype, shape = described(found.float() if found.is_floating_point() else found)
        assert shown(row.shape(call_of(row, args, types))) == (
            dtype.replace("float32", "float"), shape,
        )  # fmt: skip

    check()


def test_every_metric_of_torchmetrics_is_a_row_or_has_a_reason() -> None:
    domains = (
        "audio", "classification", "clustering", "detection", "image", "multimodal", "nominal",
        "regression", "retrieval", "segmentation", "shape", "text", "video", "wrappers",
    )  # fmt: skip
    modules = [torchmetrics, *(importlib.import_module(f"torchmetrics.{d}") for d in domains)]
    exported = {name for module in modules for name in module.__all__} - {"functional"}
    covered = exported & set(METRICS)
    excluded = exported & set(exclusions.METRICS)
    assert not covered & excluded
    assert exported - covered - excluded == set(), "neither covered nor excluded"
    assert set(METRICS) <= exported
    # Some are exported only where another package is installed; no other name is made up.
    for name in set(exclusions.METRICS) - exported:
        assert exclusions.METRICS[name].startswith(("asks", "finds")), name
    assert len(covered) == len(METRICS) == 100


# ── arguments ────────────────────────────────────────────────────────────────────────────────────

LEFT_OUT = {
    "task": "the name says it",
    "num_classes": "the scores say it",
    "num_labels": "the scores say it",
    "num_outputs": "the values say it, or are one row of observations",
    "multidim_average": "one number for a batch",
    "validate_args": "the checker validates",
    "thresholds": "an approximation of the curve",
    "max_fpr": "a part of the curve",
    "normalize": "counts stay counts",
    "normalization": "scores outside 0..1 are logits",
    "absent_score": "0",
    "zero_division": "0",
    "adjusted": "the number of regressors is no affair of one batch",
    "adaptive_k": "top_k says it",
    "empty_target_action": "torchmetrics' default",
    "aggregation": "the mean",
    "kernel_size": "the Gaussian's follows from sigma",
    "gaussian_kernel": "always the Gaussian",
    "return_full_image": "one number",
    "return_contrast_sensitivity": "one number",
    "keep_sequence_dim": "one number",
    "dim": "one number",
    "variant": "b, the default",
    "t_test": "one number",
    "alternative": "of the test that is left out",
    "compute_on_cpu": "state over batches",
    "kwargs": "state over batches",
    "input_format": "the types say it",
}
# (row or "", argument): left out of these rows alone.
LEFT_OUT_HERE = {
    **{
        (name, "ignore_index"): "take the examples out"
        for name in METRICS
        if "ignore_index" not in METRICS[name].by_name
    },
    **{
        (name, argument): "has no effect on the multiclass task"
        for name in GENERIC
        for argument in ("threshold", "top_k", "average", "average_method")
        if argument not in METRICS[name].by_name
    },
    ("PeakSignalNoiseRatio", "reduction"): "has no effect without dim",
    ("StructuralSimilarityIndexMeasure", "reduction"): "the mean",
    **{(name, "top_k"): "the first guess" for name in METRICS if "CalibrationError" in name},
}


@pytest.mark.parametrize("row", METRICS.values(), ids=lambda row: row.name)
def test_a_metrics_settings_are_torchmetrics(row: FunctionRow) -> None:
    made = _class(row.name)
    target = made.__new__ if row.name in GENERIC else made.__init__
    torchs = dict(inspect.signature(target).parameters)
    for name in ("self", "cls"):
        torchs.pop(name, None)
    ours = {each.name: each for each in row.arguments if not each.is_tensor}
    extra = set(torchs) - set(ours)
    assert all(n in LEFT_OUT or (row.name, n) in LEFT_OUT_HERE for n in extra), extra
    assert set(ours) <= set(torchs), set(ours) - set(torchs)
    for name, argument in ours.items():
        default = torchs[name].default
        if default is inspect.Parameter.empty:
            assert argument.required, (row.name, name)
        elif default is None and argument.types == ("str",):
            assert argument.default == "none", (row.name, name)
        else:
            assert argument.default == default, (row.name, name, default)


# ── by hand ──────────────────────────────────────────────────────────────────────────────────────


def _by_hand(name: str, chosen: list[int], actual: list[int], classes: int, macro: bool) -> float:
    """The metric by counting, as torchmetrics' multiclass task defines it."""

    def score(hits: int, wrong: int, missed: int) -> float:
        above, below = {
            "Accuracy": (hits, hits + missed),
            "Recall": (hits, hits + missed),
            "Precision": (hits, hits + wrong),
            "F1Score": (2 * hits, 2 * hits + wrong + missed),
        }[name]
        return above / below if below else 0.0

    counts = []
    for label in range(classes):
        pairs = list(zip(chosen, actual, strict=True))
        hits = sum(p == label and a == label for p, a in pairs)
        wrong = sum(p == label and a != label for p, a in pairs)
        missed = sum(p != label and a == label for p, a in pairs)
        counts.append((hits, wrong, missed))
    if not macro:
        return score(*(sum(column) for column in zip(*counts, strict=True)))
    seen = [count for count in counts if sum(count)]
    return sum(score(*count) for count in seen) / len(seen)


@pytest.mark.parametrize("average", ["micro", "macro"])
@pytest.mark.parametrize("name", ["Accuracy", "Precision", "Recall", "F1Score"])
def test_a_class_metric_counts_as_by_hand(name: str, average: str, cases_of: CasesOf) -> None:
    metric = _helper(METRICS[name])
    counted = [METRICS[each] for each in ("Accuracy", "Precision", "Recall", "F1Score")]
    count = cases_of(METRICS[name], counted, least=60)

    @settings(max_examples=count, deadline=None, database=None, derandomize=True)
    @given(st.integers(2, 5), st.data())
    def check(classes: int, data: st.DataObject) -> None:
        label = st.integers(0, classes - 1)
        rows = data.draw(st.lists(st.tuples(label, label), min_size=1, max_size=12))
        chosen, actual = [pair[0] for pair in rows], [pair[1] for pair in rows]
        scores = F.one_hot(torch.tensor(chosen), classes).double()
        found = metric(scores, torch.tensor(actual), average=average)
        wanted = _by_hand(name, chosen, actual, classes, average == "macro")
        assert found.item() == pytest.approx(wanted, abs=1e-12)

    check()


# ── what is refused ──────────────────────────────────────────────────────────────────────────────

N = symbol("N")


@pytest.mark.parametrize(
    ("name", "args", "tensors", "code", "words"),
    [
        ("Accuracy", {}, {"preds": floats(N, 5), "target": index(6, N)}, "E0309", "6 classes"),
        ("Accuracy", {}, {"preds": floats(N), "target": index(6, N)}, "E0301", "[N, C, ...]"),
        ("Accuracy", {}, {"preds": floats(N, 5), "target": floats(N)}, "E0306", "int64"),
        ("Recall", {"top_k": 6}, {"preds": floats(N, 5), "target": index(5, N)}, "E0307", "top_k"),
        ("BinaryF1Score", {}, {"preds": floats(N), "target": index(3, N)}, "E0309", "3 classes"),
        ("BinaryF1Score", {"threshold": 2.0}, {"preds": floats(N), "target": index(2, N)},
         "E0307", "threshold"),
        ("BinaryFBetaScore", {"beta": 0.0}, {"preds": floats(N), "target": index(2, N)},
         "E0307", "beta"),
        ("MultilabelAUROC", {}, {"preds": floats(N), "target": index(2, N)}, "E0301", "[N, L"),
        ("MeanSquaredError", {}, {"preds": floats(N, 1), "target": floats(N)}, "E0310", "shape"),
        ("PearsonCorrCoef", {}, {"preds": floats(N, 2), "target": floats(N, 2)}, "E0301", "[N]"),
        ("KLDivergence", {}, {"p": floats(N), "q": floats(N)}, "E0301", "[N, D]"),
        ("TweedieDevianceScore", {"power": 0.5}, {"preds": floats(N), "targets": floats(N)},
         "E0307", "power"),
        ("MinkowskiDistance", {"p": 0.5}, {"preds": floats(N), "target": floats(N)}, "E0307", "p "),
        ("StructuralSimilarityIndexMeasure", {},
         {"preds": floats(N, 3, 4, 4), "target": floats(N, 3, 4, 4)}, "E0302", "5 pixels"),
        ("Perplexity", {}, {"preds": floats(N, 3, 7), "target": index(9, N, 3)}, "E0309", "9 c"),
        ("RetrievalMAP", {}, {"preds": floats(N), "target": index(3, N), "indexes": index(4, N)},
         "E0309", "3 classes"),
        ("MulticlassCalibrationError", {"n_bins": 0},
         {"preds": floats(N, 5), "target": index(5, N)}, "E0307", "n_bins"),
    ],
)  # fmt: skip
def test_what_a_metric_cannot_mean_is_refused(
    name: str, args: dict[str, Any], tensors: dict[str, Any], code: str, words: str
) -> None:
    with pytest.raises(RuleError) as caught:
        shape_of(METRICS[name], args, **tensors)
    assert caught.value.code == code
    assert words in caught.value.message


def test_sizes_stay_symbolic_and_what_is_open_is_said() -> None:
    row, conditions = METRICS["BinaryAccuracy"], Conditions()
    tensors = {"preds": floats(N), "target": index(2, symbol("M"))}
    assert row.shape(call_of(row, {}, tensors, conditions)) == TensorType("float", ())
    assert conditions.open == [(N, symbol("M"))]
    none = shape_of(METRICS["Recall"], {"average": "none"}, preds=floats(N, 5), target=index(5, N))
    assert none == TensorType("float", (5,))


# ── the source of the helpers ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("row", METRICS.values(), ids=lambda row: row.name)
def test_a_helper_is_one_typed_function_in_the_projects_format(row: FunctionRow) -> None:
    (function,) = ast.parse(row.source).body
    assert isinstance(function, ast.FunctionDef)
    assert function.name == row.torch
    assert ast.get_docstring(function)
    arguments = [*function.args.args, *function.args.kwonlyargs]
    assert [argument.arg for argument in arguments] == [a.name for a in row.arguments]
    assert all(argument.annotation for argument in arguments)
    assert function.returns is not None
    loaded = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    assert not {"nn", "np", "math"} & loaded


def test_the_helpers_are_formatted() -> None:
    rows = (*METRICS.values(), *REGULARIZERS.values())
    text = "\n\n".join(row.source for row in rows if row.helper)
    command = [sys.executable, "-m", "ruff", "format", "--line-length", "88", "--diff", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
