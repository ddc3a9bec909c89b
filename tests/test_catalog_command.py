"""``specc catalog``: the list, one row at length, data, drift; without torch but for the last.

Non-goal: what rows say, which ``test_catalog_*`` hold against torch.
"""

from __future__ import annotations

import json

import pytest
from conftest import Run

from specc.catalog import LAYERS, SCHEDULERS, examples, row_notation, std
from specc.catalog.examples import KINDS
from specc.catalog.rows import Row
from specc.inspect.row_shapes import entry
from specc.report.structure import library_listing
from specc.report.terminal.style import plain

CONV = """\
Conv2d  layer · convolution · since torch 2.0
"""


def test_a_layer_is_explained(specc_without_torch: Run) -> None:
    done = specc_without_torch("catalog", "Conv2d")
    assert done.returncode == 0, done.stderr
    text = done.stdout
    assert text.startswith(CONV)
    assert "x -> Conv2d(out_channels, kernel_size, stride=1," in text
    assert 'padding       int or 2 of them or "valid" or "same"' in text
    assert "in_channels   size" in text and "told by the shapes" in text
    assert ", H, W]" in text.partition("shapes")[2].partition("->")[0]
    assert "-> Conv2d(" in text.partition("example")[2]
    assert "generated/torch.nn.Conv2d.html" in text


def test_what_a_target_cannot_take_is_said(specc_without_torch: Run) -> None:
    text = specc_without_torch("catalog", "spectral_norm").stdout
    assert "not for\n  torchscript  a trace forgets" in text


def test_names_are_listed_by_kind(specc_without_torch: Run) -> None:
    done = specc_without_torch("catalog")
    assert done.returncode == 0, done.stderr
    for kind, rows in KINDS.items():
        assert f"{row_notation.plural(kind)}  {len(rows)}\n" in done.stdout
        for name in rows:
            assert f"    {name}" in done.stdout
    assert "losses  " in done.stdout
    one = specc_without_torch("catalog", "--kind", "schedulers")
    assert "StepLR" in one.stdout and "Conv2d" not in one.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("conv2D",), "did you mean 'Conv2d'?"),
        (("Zxqvzxqv",), "list what there is"),
        (("--kind", "lair"), "the kinds are layer, loss"),
        (("SGD", "--kind", "layer"), "there is nothing called 'SGD'"),
    ],
)
def test_what_is_not_there_is_an_error(
    specc_without_torch: Run, arguments: tuple[str, ...], said: str
) -> None:
    done = specc_without_torch("catalog", *arguments)
    assert done.returncode == 2
    assert "E0712" in done.stderr and said in done.stderr


def test_rows_are_data(specc_without_torch: Run) -> None:
    rows = json.loads(specc_without_torch("catalog", "--json").stdout)
    assert len(rows) == sum(map(len, KINDS.values())) + len(std.BLOCKS)
    (row,) = json.loads(specc_without_torch("catalog", "Linear", "--json").stdout)
    assert row["signature"] == "Linear(out_features, bias=true)"
    assert row["arguments"][0] == {"name": "in_features", "type": "size", "inferred": True}
    assert row["arguments"][2] == {"name": "bias", "type": "bool", "default": True}


def test_a_block_of_the_library_is_explained_by_its_file(specc_without_torch: Run) -> None:
    text = specc_without_torch("catalog", "DropPath").stdout
    assert text.startswith('DropPath  block · layer · use "std/drop_path.spec"\n')
    assert "Huang et al. 2016" in text and "  block DropPath(p: float = 0.1) {\n" in text
    assert text.endswith("output x + (x -> Linear(6) -> DropPath(0.2))\n")
    listed = specc_without_torch("catalog", "--kind", "blocks").stdout
    assert all(name in listed for name in std.BLOCKS) and "Conv2d" not in listed
    (row,) = json.loads(specc_without_torch("catalog", "FocalLoss", "--json").stdout)
    assert row["use"] == "std/focal_loss.spec" and row["family"] == "loss"
    assert row["arguments"] == [{"name": "gamma", "type": "float", "default": "2.0"}]
    assert row["inputs"][1] == {"name": "label", "type": "index(C)[N]"}
    assert "did you mean 'NTXentLoss'?" in specc_without_torch("catalog", "NTXentLos").stderr


@pytest.mark.parametrize("name", std.BLOCKS)
def test_every_block_can_be_explained(name: str) -> None:
    text = plain(library_listing.at_length(std.BLOCKS[name]))
    assert library_listing.source(std.BLOCKS[name]).startswith(f"block {name}(")
    assert std.BLOCKS[name].path in text and text.count(f"block {name}(") == 1


def test_drift_compares_with_torch(specc: Run, specc_without_torch: Run) -> None:
    done = specc("catalog", "--drift")
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout.splitlines()[-1].startswith("torch ")
    assert (done.returncode == 0) == done.stdout.endswith(": no difference\n")
    found = json.loads(specc("catalog", "--drift", "--json").stdout)
    assert {"torch", "new", "gone", "changed", "later"} <= found.keys()
    assert specc_without_torch("catalog", "--drift").returncode != 0


def test_shapes_are_told_by_the_rule_on_symbols() -> None:
    found = entry("layer", LAYERS["MaxPool2d"])
    assert found is not None
    assert found.takes == (("x", "float[N, C, H, W]"),)
    assert "H" in found.gives[0][1] and "C" in found.gives[0][1]
    conv = entry("layer", LAYERS["Conv2d"])
    assert conv is not None and [name for name, _ in conv.parameters] == ["weight", "bias"]
    assert entry("scheduler", SCHEDULERS["StepLR"]) is None


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_can_be_explained(kind: str) -> None:
    for row in KINDS[kind].values():
        lines = examples.explained(kind, row)
        assert any(row.name in line for line in lines), row.name
        assert row.name in row_notation.statement(kind, row)
        found = entry(kind, row)
        assert found is None or (found.gives and all("[" in type_ for _, type_ in found.gives))


def test_torchs_page_is_that_of_what_the_source_calls() -> None:
    pages: dict[tuple[str, str], str] = {
        ("function", "relu"): "generated/torch.nn.functional.relu.html",
        ("function", "cat"): "generated/torch.cat.html",
        ("loss", "MSELoss"): "generated/torch.nn.MSELoss.html",
        ("scheduler", "StepLR"): "generated/torch.optim.lr_scheduler.StepLR.html",
        ("initialiser", "normal_"): "nn.init.html#torch.nn.init.normal_",
        ("parametrization", "weight_norm"): (
            "generated/torch.nn.utils.parametrizations.weight_norm.html"
        ),
    }
    for (kind, name), path in pages.items():
        assert (
            row_notation.page(kind, KINDS[kind][name])
            == f"https://docs.pytorch.org/docs/stable/{path}"
        )
    without: list[Row] = [KINDS["metric"]["Accuracy"], KINDS["regularizer"]["L1"]]
    assert not any(row_notation.page("", row) for row in without)
