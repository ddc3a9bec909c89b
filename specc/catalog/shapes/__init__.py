"""Shape rules: one module a family, shared by the rows of ``specc.catalog``.

``broadcast`` and ``together`` are what an operator on two tensors needs. Non-goal: finding faults
in graphs; a rule sees one call.
"""

from specc.catalog.shapes.common import (
    RequireEqual,
    Shape,
    broadcast,
    promote,
    rearranged,
    together,
)
from specc.catalog.shapes.of_functions.matrix_products import product as matrix_product

__all__ = [
    "RequireEqual",
    "Shape",
    "broadcast",
    "matrix_product",
    "promote",
    "rearranged",
    "together",
]
