"""Generated calls of every function row, sound ones and unsound ones, a maker for each family.

A case is (arguments, tensor types). Losses are called as functions too: their cases are those of
``test_catalog_losses``. Non-goal: judging cases, which ``test_catalog_functions`` does.
"""

from __future__ import annotations

from catalog_arrangement_cases import arrangement, indexing, joining
from catalog_elementwise_cases import activation, complex_numbers, elementwise, like, pairwise
from catalog_linalg_cases import linalg, spectral
from catalog_matrix_cases import matrix
from catalog_neural_cases import creation, neural
from catalog_order_cases import order, reduction

GENERATORS = {
    "elementwise": elementwise,
    "cast": elementwise,
    "pairwise": pairwise,
    "activation": activation,
    "reduction": reduction,
    "order": order,
    "arrangement": arrangement,
    "joining": joining,
    "indexing": indexing,
    "matrix": matrix,
    "linalg": linalg,
    "spectral": spectral,
    "complex": complex_numbers,
    "neural": neural,
    "creation": creation,
    "like": like,
}
