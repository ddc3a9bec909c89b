"""The spec line that computes each observed value; torch-free. Non-goal: columns and carets."""

from __future__ import annotations

from specc.ir import LayerCall, Program, flat_nodes


class Lines:
    """Looks up the line of an observation's name (``step0/grad/conv1.weight``) in one program."""

    def __init__(self, program: Program) -> None:
        model, train = program.model(), program.train
        self._calls = {
            node.layer: node.span.line
            for node in flat_nodes(model.nodes)
            if isinstance(node, LayerCall)
        }
        self._layers = {layer.name: layer.span.line for layer in model.layers}
        self._named = {
            "output": {output.name: output.value.span.line for output in model.outputs},
            "input_grad": {value.name: value.span.line for value in model.inputs},
        }
        self._model = model.span.line
        self._stage: dict[str, int] = {}
        if train is not None:
            self._named["loss"] = {name: value.span.line for name, value in train.terms}
            metrics = {metric.name: metric.span.line for metric in train.metrics}
            self._named |= {"metric": metrics, "metric_half_right": metrics}
            if train.regularizers:
                self._stage["penalty"] = train.regularizers[0].span.line
            if train.clip:
                self._stage["clipped_grad"] = train.clip.span.line
            if train.optimizer:
                line = train.optimizer.span.line
                self._stage |= {"delta": line, "state": line, "lr": line}
            if train.constraints:
                self._stage["constrained"] = train.constraints[0].span.line
            self._scheduler = train.scheduler.span.line if train.scheduler else None
        else:
            self._scheduler = None

    def of(self, name: str) -> int:
        """The line (from 1) of what computes ``name``; the model's own line where nothing is
        closer.
        """
        step, kind, *rest = name.split("/")
        key = rest[-1] if rest else ""
        if step == "option":
            return self._stage.get("lr", self._model)
        if step == "setting":
            return self._layers.get(kind.rpartition(".")[0], self._model)
        if self._scheduler is not None and (
            kind == "schedule" or (kind == "lr" and step != "step0")
        ):
            return self._scheduler
        if kind in self._stage:
            return self._stage[kind]
        if kind in self._named:
            return self._named[kind].get(key, self._model)
        if kind == "layer":
            return self._calls.get(rest[0].split("#")[0], self._model)
        layer = key.rpartition(".")[0]
        return self._layers.get(layer, self._model)
