"""How much of torch the catalogue covers: covered and excluded together are what torch exports.

Prints the table (``pytest -s``), and holds docs/catalogue.md to it. What a torch other than the one
in ``constraints.txt`` has more or less is not a failure: ``specc catalog --drift`` lists it. Non-
goal: signatures, which ``test_catalog_signatures`` compares.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from catalogue_page import counts, coverage, page

from specc.catalog import examples
from specc.catalog.examples import KINDS
from specc.catalog.rows import Row
from specc.drift import coverage as covering
from specc.drift.coverage import EXCLUDED, counted, drift

ROOT = Path(__file__).resolve().parent.parent
ROWS = tuple(examples.cases())
COUNTED = [kind for kind in counted() if coverage(kind).exported]
PINNED = re.search(r"^torch==(\d+\.\d+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
assert PINNED is not None
is_pinned = torch.__version__.startswith(f"{PINNED[1]}.")
the_pinned_torch = pytest.mark.skipif(
    not is_pinned, reason=f"counted with torch {PINNED[1]}, and this is {torch.__version__}"
)


def test_the_kinds_that_torch_exports_are_counted() -> None:
    print("\n" + "\n".join(counts()))
    assert COUNTED == [
        "layer", "loss", "function", "tensor function", "optimizer", "scheduler", "initialiser",
        "parametrization",
    ]  # fmt: skip


@the_pinned_torch
@pytest.mark.parametrize("kind", COUNTED)
def test_covered_and_excluded_are_what_torch_exports(kind: str) -> None:
    found = coverage(kind)
    assert not found.unknown
    assert len(found.covered) + len(found.excluded) == len(found.exported)


@pytest.mark.parametrize("kind", EXCLUDED)
def test_what_is_excluded_has_a_reason_and_no_row(kind: str) -> None:
    for name, reason in EXCLUDED[kind].items():
        assert len(reason) > 10, name
        assert name not in covering.covered_names(kind), f"{name} is covered and excluded"


@the_pinned_torch
@pytest.mark.parametrize("kind", COUNTED)
def test_what_is_excluded_is_there(kind: str) -> None:
    assert EXCLUDED.get(kind, {}).keys() <= set(coverage(kind).exported)


@the_pinned_torch
def test_the_pinned_torch_has_not_drifted() -> None:
    found = drift()
    assert not (found.new or found.gone or found.changed or found.later)


def test_a_row_that_torch_has_not_is_gone_and_one_of_a_newer_torch_is_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dataclasses import replace

    relu, gelu, elu = (KINDS["layer"][name] for name in ("ReLU", "GELU", "ELU"))
    rows: dict[str, Row] = {
        "Rule": replace(relu, name="Rule", torch="nn.Rule"),
        "GELU": replace(gelu, torch="nn.Future", since="9.0"),
        "ELU": replace(elu, signature="alpha: float = 2.0"),
    }
    monkeypatch.setattr(covering, "KINDS", {"layer": rows, "loss": {}})
    found = drift()
    assert found.gone == [("layer", "Rule")]
    assert found.later == [("layer", "GELU", "9.0")]
    assert found.changed == [("layer", "ELU", ("`alpha` is 1.0 in torch, and 2.0 in the row",))]
    assert ("layer", "ReLU") in found.new
    assert not found.none


@the_pinned_torch
def test_the_page_is_current() -> None:
    text = (ROOT / "docs" / "catalogue.md").read_text(encoding="utf-8")
    assert PINNED is not None
    assert text == page(PINNED[1]), "python tests/catalogue_page.py > docs/catalogue.md"


@pytest.mark.parametrize(("kind", "row"), ROWS, ids=[f"{kind}-{row.name}" for kind, row in ROWS])
def test_a_rows_example_is_a_spec(kind: str, row: Row) -> None:
    from specc import front
    from specc.harness.cases import matrix

    program, diagnostics, _ = front.check_text(examples.program_of(kind, row))
    assert program is not None and not diagnostics, diagnostics
    assert matrix.cases(program)
