"""What training adds around the loss: penalties, projections, clipping.

Definitions: L1(s) = s Σ|w|; L2(s) = (s / 2) Σw², so that ``L2(s)`` and ``SGD(weight_decay=s)`` give
one trajectory; ElasticNet(l1, l2) = L1(l1) + L2(l2); Orthogonal(s) = s ‖WWᵀ - I‖² (Frobenius) with
W the parameter flattened to a matrix, a row for each output. MaxNorm(c) scales each output's
weights down to a 2-norm of c. Non-goal: which parameters, which selectors say.
"""

from __future__ import annotations

from specc.catalog.helper_source import Whole
from specc.catalog.rows import FormulaRow

REGULARIZERS = (
    FormulaRow(
        "L1",
        "",
        "strength: float",
        "strength times the sum of absolute values",
        example="L1(0.01)",
        formula="strength * weight.abs().sum()",
    ),
    FormulaRow(
        "L2",
        "",
        "strength: float",
        "half of strength times the sum of squares",
        example="L2(0.01)",
        formula="0.5 * strength * weight.square().sum()",
    ),
    FormulaRow(
        "ElasticNet",
        "",
        "l1: float, l2: float",
        "L1(l1) + L2(l2)",
        example="ElasticNet(0.01, 0.02)",
        formula="l1 * weight.abs().sum() + 0.5 * l2 * weight.square().sum()",
    ),
    FormulaRow(
        "Orthogonal",
        "orthogonality",
        "strength: float",
        "strength times the squared distance of W W^T from the identity",
        example="Orthogonal(0.01)",
        formula="strength * orthogonality(weight)",
        helper=Whole("penalties", "orthogonality"),
        rank=2,
    ),
)

CONSTRAINTS = (
    FormulaRow(
        "MaxNorm",
        "",
        "max_norm: float",
        "each output's weights to a 2-norm of max_norm at most",
        example="MaxNorm(0.5)",
        formula="weight.copy_(torch.renorm(weight, 2, 0, max_norm))",
        rank=2,
    ),
    FormulaRow(
        "NonNegative",
        "",
        "",
        "negative weights to 0",
        formula="weight.clamp_(min=0)",
    ),
    FormulaRow(
        "Clamp",
        "",
        "min: float, max: float",
        "weights below min to min, above max to max",
        example="Clamp(-0.2, 0.2)",
        formula="weight.clamp_(min, max)",
    ),
)

CLIPS = (
    FormulaRow(
        "GradNorm",
        "nn.utils.clip_grad_norm_",
        "max_norm: float, norm_type: float = 2.0",
        "the gradients' common norm to max_norm at most",
        example="GradNorm(0.5)",
        formula="nn.utils.clip_grad_norm_(parameters, max_norm, norm_type=norm_type)",
    ),
    FormulaRow(
        "GradValue",
        "nn.utils.clip_grad_value_",
        "clip_value: float",
        "each gradient element to clip_value at most",
        example="GradValue(0.1)",
        formula="nn.utils.clip_grad_value_(parameters, clip_value)",
    ),
)
