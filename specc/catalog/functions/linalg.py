"""Rows of linear algebra: torch.linalg, by the last part of each name.

``norm`` and ``cross`` are those of torch.linalg. A factorization's vectors have no fixed sign: what
is compared across machines must not depend on it. Non-goal: products (``matrix_products``).
"""

from __future__ import annotations

from functools import partial

from specc.catalog.functions.family import Family
from specc.catalog.shapes.of_functions import linalg as rules

# Matrices near the identity: regular, and of positive determinant.
_REGULAR = "x: unit[N, 4, 4] | {}(x * 0.2 + eye(4))"
# Symmetric ones that are positive definite, of distinct eigenvalues.
_SYMMETRIC = "x: float[N, 4, 4] | {}(x @ x.mT + diag(linspace(1.0, 4.0, 4)))"
_ANY = "x: float[N, 4, 3] | {}(x)"
_UPLO = {"UPLO": ("L", "U")}
_TOLERANCES = (
    "*, atol: tensor | float | none = None, rtol: tensor | float | none = None, "
    "hermitian: bool = False"
)

_row = Family("linalg", signature="A: tensor", example=_REGULAR)

ROWS = (
    _row(
        "torch.linalg.matrix_norm",
        "the norm of matrices",
        rules.matrix_norm,
        "input: tensor, ord: float | str = 'fro', dim: ints = (-2, -1), keepdim: bool = False",
        example=_ANY,
        choices={"ord": ("fro", "nuc")},
    ),
    _row("torch.linalg.det", "the determinant", rules.determinant),
    _row(
        "torch.logdet",
        "the logarithm of the determinant",
        partial(rules.determinant, name="input"),
        "input: tensor",
    ),
    _row(
        "torch.linalg.slogdet",
        "the sign of the determinant, and the logarithm of its size",
        rules.signed_determinant,
        example="x: unit[N, 4, 4] | sign, size = slogdet(x * 0.2 + eye(4))",
    ),
    _row("torch.linalg.inv", "the inverse", partial(rules.square, name="A")),
    _row(
        "torch.linalg.pinv",
        "the pseudo-inverse of Moore and Penrose",
        rules.pseudo_inverse,
        f"input: tensor, {_TOLERANCES}",
        example=_ANY,
    ),
    _row("torch.linalg.matrix_exp", "the exponential of matrices", rules.square, "input: tensor"),
    _row(
        "torch.linalg.matrix_power",
        "the n-th power of matrices",
        rules.powered,
        "input: tensor, n: int",
        example="x: unit[N, 4, 4] | matrix_power(x * 0.2 + eye(4), 3)",
    ),
    _row(
        "torch.linalg.cond",
        "the condition number",
        rules.condition,
        "input: tensor, p: float | str | none = None",
        choices={"p": ("fro", "nuc")},
    ),
    _row(
        "torch.linalg.matrix_rank",
        "how many singular values are not 0",
        rules.rank,
        f"input: tensor, {_TOLERANCES}",
    ),
    _row(
        "torch.linalg.cholesky",
        "the triangular L with L L^H = input",
        rules.square,
        "input: tensor, *, upper: bool = False",
        example=_SYMMETRIC,
    ),
    _row(
        "torch.cholesky_inverse",
        "the inverse of L L^H",
        partial(rules.square, name="L"),
        "L: tensor, upper: bool = False",
        example="x: unit[N, 4, 4] | cholesky_inverse(tril(x * 0.2 + eye(4)))",
    ),
    _row(
        "torch.cholesky_solve",
        "X with L L^H X = B",
        rules.solved_cholesky,
        "B: tensor, L: tensor, upper: bool = False",
        example="x: unit[N, 4, 4], y: float[N, 4, 2] | cholesky_solve(y, tril(x * 0.2 + eye(4)))",
    ),
    _row(
        "torch.linalg.qr",
        "an orthogonal Q and a triangular R with Q R = A",
        rules.orthogonal,
        "A: tensor, mode: str = 'reduced'",
        example="x: float[N, 4, 3] | q, r = qr(x)",
        choices={"mode": ("reduced", "complete")},
    ),
    _row(
        "torch.linalg.lu",
        "a permutation P and triangular L and U with P L U = A",
        rules.triangular_factors,
        "A: tensor, *, pivot: bool = True",
        example="x: unit[N, 4, 4] | p, lower, upper = lu(x * 0.2 + eye(4))",
    ),
    _row(
        "torch.linalg.svd",
        "U, S and Vh with U diag(S) Vh = A",
        rules.singular,
        "A: tensor, full_matrices: bool = True",
        example="x: float[N, 4, 3] | u, s, vh = svd(x, full_matrices=false)\n"
        "s, (u * unsqueeze(s, -2)) @ vh",
    ),
    _row("torch.linalg.svdvals", "the singular values", rules.singular_values, example=_ANY),
    _row(
        "torch.linalg.eigh",
        "the eigenvalues and eigenvectors of Hermitian matrices",
        rules.eigenvectors,
        "input: tensor, UPLO: str = 'L'",
        example="x: float[N, 4, 4] | "
        "values, vectors = eigh(x @ x.mT + diag(linspace(1.0, 4.0, 4)))\n"
        "values, vectors * vectors",
        choices=_UPLO,
    ),
    _row(
        "torch.linalg.eigvalsh",
        "the eigenvalues of Hermitian matrices",
        rules.eigenvalues,
        "input: tensor, UPLO: str = 'L'",
        example=_SYMMETRIC,
        choices=_UPLO,
    ),
    _row(
        "torch.linalg.solve",
        "X with A X = B",
        rules.solved,
        "A: tensor, B: tensor, *, left: bool = True",
        example="x: unit[N, 4, 4], y: float[N, 4, 2] | solve(x * 0.2 + eye(4), y)",
    ),
    _row(
        "torch.linalg.solve_triangular",
        "X with input X = B, of a triangular input",
        rules.solved_triangular,
        "input: tensor, B: tensor, *, upper: bool, left: bool = True, unitriangular: bool = False",
        example="x: unit[N, 4, 4], y: float[N, 4, 2] | "
        "solve_triangular(x * 0.2 + eye(4), y, upper=true)",
    ),
    _row(
        "torch.linalg.vander",
        "the powers 0 to N - 1 of each element",
        rules.powers,
        "x: tensor, *, N: int | none = None",
        example="x: float[N, 4] | vander(x)",
    ),
)
