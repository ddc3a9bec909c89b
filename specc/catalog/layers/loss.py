"""Rows of the losses that hold parameters, and so are layers: labels are fed beside the values."""

from __future__ import annotations

from specc.catalog.facts import inner_layers
from specc.catalog.rows import LayerRow
from specc.catalog.shapes.of_losses import linear_loss as rules

ROWS = (
    LayerRow(
        "LinearCrossEntropyLoss",
        "nn.LinearCrossEntropyLoss",
        "in_features: size = ?, num_classes: size = ?, *, out_features: sizes = (), "
        "bias: bool = False, reduction: str = 'mean', ignore_index: int | none = None, "
        "label_smoothing: float = 0.0",
        "a Linear of its own, and the cross entropy of its scores against labels",
        choices={"reduction": ("mean", "sum", "none")},
        positional=((), ("num_classes",), ("in_features", "num_classes")),
        example="x: float[N, 6], label: index(9)[N] | LinearCrossEntropyLoss()(x, label)",
        since="2.13",
        shape=rules.layer,
        infer={"in_features": rules.features, "num_classes": rules.classes},
        parameters=rules.parameters,
        initial=rules.initial,
        parts=inner_layers.LINEAR_LOSS,
        forward="input: tensor, target: tensor",
        family="loss",
    ),
)
