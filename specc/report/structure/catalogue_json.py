"""The catalogue as JSON, for editors and scripts: every row with its arguments and types.

Non-goal: shapes; those need a call.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from specc.catalog import row_notation
from specc.catalog.examples import explained
from specc.catalog.rows import FunctionRow, LayerRow, Row
from specc.catalog.signatures import Argument


def text(rows: Iterable[tuple[str, Row]], more: Iterable[object] = ()) -> str:
    """A list with one object a row, and ``more`` behind them."""
    return data([*(_row(kind, row) for kind, row in rows), *more])


def data(found: object) -> str:
    """``found`` as text that ends its line."""
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _row(kind: str, row: Row) -> dict[str, object]:
    shaped = row if isinstance(row, LayerRow | FunctionRow) else None
    return {
        "name": row.name,
        "kind": kind,
        "family": shaped.family if shaped else "",
        "torch": row.torch,
        "summary": row.summary,
        "since": row.since,
        "signature": row_notation.signature(row),
        "arguments": [_argument(row, each) for each in row.arguments],
        "forward": [_argument(row, each) for each in row.forward_arguments]
        if isinstance(row, LayerRow)
        else [],
        "stochastic": shaped.stochastic if shaped else False,
        "refuses": dict(row.refuses),
        "example": list(explained(kind, row)),
        "page": row_notation.page(kind, row),
    }


def _argument(row: Row, argument: Argument) -> dict[str, object]:
    told: dict[str, object] = {"name": argument.name, "type": row_notation.type_of(row, argument)}
    if argument.inferred:
        told["inferred"] = True
    elif not argument.required:
        told["default"] = argument.default
    if argument.keyword_only:
        told["keyword_only"] = True
    if argument.name in row.choices:
        told["choices"] = list(row.choices[argument.name])
    return told
