"""``train``: what a batch brings, the models that learn, their steps, copies and averages, metrics.

Most often there is one model and one step, which sees the model from outside: its inputs and
outputs by name. Where models are called by name, or there are several steps, training is a module
of its own that holds the models as members. Non-goal: what is inside a step (``steps``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from specc import ir
from specc.errors import Collector, Span
from specc.semantics.blocks.block_lists import named_inputs, named_outputs
from specc.semantics.blocks.blocks import told_by_use
from specc.semantics.blocks.called_models import call_member, called, mentioned, selected
from specc.semantics.blocks.expressions import elaborate
from specc.semantics.blocks.loops import for_loop
from specc.semantics.blocks.train_branches import chosen
from specc.semantics.calls.calls import call_function, given_arguments
from specc.semantics.calls.grad_calls import GRAD, check_derivatives
from specc.semantics.checks.lint import warn_of_idle
from specc.semantics.compile_time.entities import POISON, Entity, Items, is_poisoned, is_static
from specc.semantics.compile_time.free_names import check_name
from specc.semantics.models.freezes import still
from specc.semantics.models.models import assign, declare_inputs
from specc.semantics.naming.foreign_names import meant_word
from specc.semantics.naming.graph import Graph
from specc.semantics.naming.selectors import Among
from specc.semantics.naming.settings import check_closure
from specc.semantics.proposals.ties import without_ties
from specc.semantics.training.batch_uses import closure, made_by, visible_uses
from specc.semantics.training.step_checks import apart, check_gradient, check_shared_once
from specc.semantics.training.steps import StepBuilder, find_row
from specc.semantics.training.training_members import named_members, training_module, whole_number
from specc.syntax.tree import ast


class TrainBuilder:
    """Gathers one ``train`` block; ``build`` gives the IR, as far as the block could be read."""

    def __init__(
        self,
        models: Sequence[tuple[ir.Module, Graph]],
        file_env: Mapping[str, Entity],
        collector: Collector,
    ) -> None:
        self.models = {model.name: (model, graph) for model, graph in models}
        self.collector = collector
        self.file_env = file_env
        # A layer that was reported is missing from the model: that its parameters are is no news.
        self.incomplete = collector.failed
        self.inputs: list[ir.Value] = []
        self.metrics: list[tuple[ast.Metric, ast.Expression]] = []
        self.accumulate = 1
        self.weighed: ast.Name | None = None
        self.precision: Literal["", "bfloat16", "float16"] = ""
        self.said: set[str] = set()
        self.unread: frozenset[str] = frozenset()
        self.unknown: set[str] = set()

    def build(self, block: ast.Train) -> ir.Train | None:
        """The training that ``block`` says; None where it could not be read at all."""
        first = next(iter(self.models.values()))
        free = self._free()
        known = self._of_the_model(free[0][1], free[0][0]) if len(free) == 1 else {}
        found = chosen(block, self._graph(first[1], {**self.file_env, **known}))
        self.unread |= found.unread
        train = self._built(found.block)
        if train is not None:
            train = replace(train, decisions=tuple(found.decisions))
            check_closure(train, self.collector)
        return train

    def _built(self, block: ast.Train) -> ir.Train | None:
        names = mentioned(block, self.models)
        first = next(iter(self.models.values()))
        several = any(isinstance(item, ast.Step | ast.Copy | ast.Ema) for item in block.body)
        # What is differentiated by goes into the model where the loss is computed.
        several = several or GRAD in called(block, first[1].modules)
        # A count over several batches is kept by what trains.
        several = several or any(isinstance(i, ast.Accumulate) and i.by for i in block.body)
        # Where a model that is not there is called by name, the inputs are `train`'s own.
        unknown = not names and self._calls_unknown(block, first[1])
        if names or several or unknown:
            held = {*names, *selected(block, self.models)} or {first[0].name}
            ordered = [name for name in self.models if name in held]
            return self._members(block, ordered, explicit=bool(names) or unknown)
        free = self._free()
        if len(self.models) > 1 and len(free) == 1:
            return self._alone(block, *free[0])
        if len(self.models) > 1:
            self.collector.error(
                "E0417",
                f"there are {len(self.models)} models, and `train` calls none of them",
                block.span._replace(end=block.span.start + 5),
                f"call them: `y = {first[0].name}(x)`",
            )
            return None
        return self._alone(block, *first)

    def _calls_unknown(self, block: ast.Train, scope: Graph) -> bool:
        """Whether ``train`` calls what is called as a model is, and is not there."""
        known = (*scope.library.definitions, *scope.env)
        twins = {item.name for item in block.body if isinstance(item, ast.Copy | ast.Ema)}
        inputs = {item.name for item in block.body if isinstance(item, ast.Input)}
        inputs &= {value.name for model, _ in self.models.values() for value in model.inputs}
        return bool(inputs) and any(
            name[:1].isupper() and name not in known and name not in twins
            and name not in scope.catalogue
            for name in called(block, scope.modules)
        )  # fmt: skip

    def _free(self) -> list[tuple[ir.Module, Graph]]:
        """The models that no other holds: what another holds is trained with it."""
        return [
            (model, graph)
            for name, (model, graph) in self.models.items()
            if name not in graph.library.used
        ]

    # ── one model, one step ──────────────────────────────────────────────────────────────────────

    def _alone(self, block: ast.Train, model: ir.Module, scope: Graph) -> ir.Train:
        env: dict[str, Entity] = {**self.file_env, **self._of_the_model(scope, model)}
        env.update(self._fed(scope, model))
        env.update(
            {
                name: POISON if scope.env.get(name) is POISON else value
                for name, value in named_outputs(model).items()
            }
        )
        graph = self._graph(scope, env)
        step = StepBuilder("", graph, model, Among(), block.span, self.incomplete)
        for statement in block.body:
            if not step.take(statement):
                self._statement(graph, statement)
        visible = (*(output.value for output in model.outputs), *model.inputs, *self.inputs)
        declared = (*_declared(self._tree(scope, model)), *_declared(block))
        graph.conditions = without_ties(graph, declared, model.conditions)
        made = step.finish(visible)
        check_gradient(step, (*model.nodes, *made.nodes), model)
        told, graph.conditions = graph.conditions, []
        metrics, metric_nodes = self._metrics(graph, made.nodes)
        warn_of_idle([graph], self.collector)
        of_metrics = ir.joined(without_ties(graph, declared, (*model.conditions, *told)))
        self._check_device((*model.inputs, *self.inputs), block)
        return ir.Train(
            model=model.name,
            inputs=tuple(self.inputs),
            steps=(made,),
            metrics=metrics,
            metric_nodes=metric_nodes,
            metric_uses=visible_uses(
                metric_nodes, (metric.value for metric in metrics), visible, of_metrics
            ),
            span=block.span,
            accumulate=self.accumulate,
            precision=self.precision,
            conditions=tuple(dict.fromkeys((*made.conditions, *told, *of_metrics))),
            metric_conditions=of_metrics,
        )

    def _of_the_model(self, scope: Graph, model: ir.Module) -> dict[str, Entity]:
        """What is known of the one model beside its inputs and outputs: its params, the sizes of
        its inputs, and that something was reported of either."""
        names = [*told_by_use(self._tree(scope, model)), *scope.dimensions]
        found = {name: scope.env[name] for name in names if name in scope.env}
        return {
            name: entity
            for name, entity in found.items()
            if is_static(entity) or is_poisoned(entity)
        }

    def _fed(self, scope: Graph, model: ir.Module) -> dict[str, Entity]:
        """The inputs of the one model by name, those that are lists as such."""
        statements = [item for item in self._tree(scope, model).body if isinstance(item, ast.Input)]
        return named_inputs(statements, model.inputs)

    def _graph(self, scope: Graph, env: dict[str, Entity]) -> Graph:
        return Graph(
            kind="train", collector=self.collector, params=dict(scope.params), env=env,
            library=scope.library, unread=scope.unread | self.unread,
            dimensions=dict(scope.dimensions), equal=dict(scope.equal), unknown=self.unknown,
            whole=dict(scope.whole), shorter=dict(scope.shorter),
        )  # fmt: skip

    def _tree(self, scope: Graph, model: ir.Module) -> ast.Module:
        return scope.library.definitions[model.name].tree

    # ── several models, several steps ────────────────────────────────────────────────────────────

    def _members(self, block: ast.Train, names: list[str], *, explicit: bool) -> ir.Train:
        scope = self.models[names[0]][1]
        env = dict(self.file_env)
        graph = self._graph(scope, env)
        if explicit:
            graph.params = {
                name: value for name, value in graph.params.items() if name in self.file_env
            }
            graph.dimensions, graph.equal = {}, {}
        model, home = self.models[names[0]]
        known = {} if explicit else self._of_the_model(home, model)
        members = named_members(block, names, self.models, {**self.file_env, **known})
        graph.members = {member.attribute if member.kind != "model" else member.model: member
                         for member in members}  # fmt: skip
        subject = training_module(members, self.models, block.span)
        among = Among({m.model: m.attribute for m in members if m.kind == "model"},
                      tuple(m.attribute for m in members if m.kind != "model"))  # fmt: skip
        if not explicit:
            self._call_the_model(graph, names[0], members[0])
        steps = [item for item in block.body if isinstance(item, ast.Step)]
        subject = self._kept_whole(block, subject, members)
        whole = StepBuilder("", graph, subject, among, block.span, self.incomplete)
        built: list[tuple[StepBuilder, ir.Step]] = []
        for statement in block.body:
            if isinstance(statement, ast.Freeze) and statement.on is None:
                continue  # read before the steps, which are not to train it
            if isinstance(statement, ast.Step):
                built.append(self._step(statement, graph, subject, among, built))
            elif steps and isinstance(statement, ast.Assign):
                assign(graph, statement)
            elif steps and isinstance(statement, ast.For):
                for_loop(graph, statement, elaborate)
            elif steps and isinstance(
                statement, ast.Optimizer | ast.Scheduler | ast.Clip | ast.Regularize | ast.Constrain
            ):
                word = type(statement).__name__.lower()
                self.collector.error(
                    "E0412",
                    f"there are steps: `{word}` stands in the step that it is for",
                    statement.span,
                    "move it into a `step`",
                )
            elif not whole.take(statement):
                self._statement(graph, statement)
        # The sizes of the one model's inputs are the batch's, and what it says of them is said.
        declared = (*(() if explicit else _declared(self._tree(home, model))), *_declared(block))
        beside = (*(() if explicit else model.conditions), *graph.conditions)
        for each in (graph, *(builder.graph for builder, _ in built)):
            each.conditions = without_ties(each, declared, beside)
        shared: tuple[ir.Node, ...] = ()
        values: tuple[ir.Value, ...] = ()
        if steps:
            shared = tuple(graph.nodes)
            values = tuple(made_by(shared))
        else:
            built.append((whole, whole.finish(tuple(self.inputs))))
        made = [
            builder.finish((*values, *self.inputs)) if steps else step for builder, step in built
        ]
        read = {id(value) for step in made for value in step.uses}
        shared_values = tuple(value for value in values if id(value) in read)
        if steps:
            shared = closure(shared, shared_values)
        for nodes in (shared, *(step.nodes for step in made)):
            within = "before the steps" if steps and nodes is shared else "here"
            check_derivatives(nodes, subject, self.collector, self.precision, within)
        for builder, step in zip((builder for builder, _ in built), made, strict=True):
            check_gradient(builder, (*shared, *step.nodes), subject)
        self._check_weight(made)
        check_shared_once(made, shared, subject, self.collector)
        if self.accumulate > 1 and len(made) > 1:
            made = apart(made, members, subject, self.collector)
        everything = (*shared, *(node for step in made for node in step.nodes))
        told, graph.conditions = graph.conditions, []
        metrics, metric_nodes = self._metrics(graph, everything)
        warn_of_idle([graph, *(builder.graph for builder, _ in built)], self.collector)
        of_metrics = ir.joined(without_ties(graph, declared, (*beside, *told)))
        graph.conditions = told
        of_steps = [condition for step in made for condition in step.conditions]
        conditions = ir.joined((*told, *of_steps, *of_metrics))
        inputs = tuple(self.inputs)
        self._check_device(inputs, block)
        return ir.Train(
            model=names[0],
            inputs=inputs,
            steps=tuple(made),
            metrics=metrics,
            metric_nodes=metric_nodes,
            metric_uses=visible_uses(
                metric_nodes, (metric.value for metric in metrics), inputs, of_metrics
            ),
            span=block.span,
            members=members,
            shared=shared,
            shared_uses=visible_uses(shared, shared_values, inputs, tuple(graph.conditions)),
            shared_values=shared_values,
            module=replace(
                subject,
                inputs=inputs,
                nodes=(*subject.nodes, *shared),
                outputs=tuple(ir.Output(value.name, value) for value in shared_values),
                conditions=conditions,
                values=graph.params,
            ),
            weighed=self.weighed.name if self.weighed is not None else "",
            accumulate=self.accumulate,
            precision=self.precision,
            conditions=conditions,
            metric_conditions=of_metrics,
        )

    def _kept_whole(
        self, block: ast.Train, subject: ir.Module, members: Sequence[ir.Member]
    ) -> ir.Module:
        """``subject`` with the members that ``freeze Teacher`` keeps as in evaluation."""
        attributes = {m.model if m.kind == "model" else m.attribute: m.attribute for m in members}
        kept = list(subject.frozen)
        for statement in block.body:
            if not isinstance(statement, ast.Freeze) or statement.on is not None:
                continue
            for pattern in statement.whole:
                attribute = attributes.get(pattern.text)
                if attribute is None:
                    self.collector.error(
                        "E0401", f"`{pattern.text}` is no model that is trained here", pattern.span,
                        f"one of {', '.join(attributes)}; a layer is frozen in its model",
                    )  # fmt: skip
                else:
                    kept.append(still(pattern.text, (attribute,), subject))
        return replace(subject, frozen=tuple(kept))

    def _step(
        self, statement: ast.Step, graph: Graph, subject: ir.Module, among: Among,
        built: list[tuple[StepBuilder, ir.Step]],
    ) -> tuple[StepBuilder, ir.Step]:  # fmt: skip
        if any(builder.name == statement.name for builder, _ in built):
            self.collector.error(
                "E0409", f"there is already a step `{statement.name}`",
                statement.span._replace(end=statement.span.start + 4), "give it another name",
            )  # fmt: skip
        check_name(statement.name, statement.span, self.collector, "step")
        inner = self._graph(graph, dict(graph.env))
        inner.params, inner.members, inner.called = graph.params, graph.members, graph.called
        builder = StepBuilder(
            statement.name, inner, subject, among, statement.span, self.incomplete
        )
        for item in statement.body:
            builder.take(item)
        return builder, builder.finish(())

    def _call_the_model(self, graph: Graph, name: str, member: ir.Member) -> None:
        """The inputs of the one model are the batch's, and its outputs are known by name."""
        model, scope = self.models[name]
        graph.env.update(self._of_the_model(scope, model))
        self.inputs += model.inputs
        fed = self._fed(scope, model)
        graph.env.update(fed)
        outputs = tuple(named_outputs(model))
        hint = outputs[0] if len(outputs) == 1 else outputs
        result = call_member(graph, name, [*fed.values()], [], None, model.span, hint, elaborate)
        several = isinstance(result, Items) and len(outputs) > 1
        items = result.items if isinstance(result, Items) and several else (result,)
        graph.env.update(zip(outputs, items, strict=False))

    # ── statements that belong to no step ────────────────────────────────────────────────────────

    def _statement(self, graph: Graph, statement: ast.Statement) -> None:
        match statement:
            case ast.Input():
                self.inputs += declare_inputs(graph, statement)
            case ast.Metric():
                self.metrics.append((statement, statement.call))
            case ast.Accumulate():
                self._say_once("accumulate", statement.span)
                count = whole_number(graph, statement.count, "so many batches make one step")
                self.accumulate = count or 1
                self.weighed = statement.by
            case ast.Precision():
                self._say_once("precision", statement.span)
                self._precision(statement)
            case ast.Copy() | ast.Ema():
                return  # read before the others, which may call them
            case _:
                self.collector.error(
                    "E0204", "this stands in a model or block, not in `train`",
                    statement.span._replace(end=statement.span.start + 3),
                    "compute it in the model, and put it out",
                )  # fmt: skip

    def _check_weight(self, steps: Sequence[ir.Step]) -> None:
        """Reports what accumulated batches cannot be weighed by; E0434."""
        by = self.weighed
        if by is None or self.collector.failed:
            return
        terms = [name for name, _ in steps[0].terms if name != "loss"]
        if steps[0].name:
            problem = "the batches of several steps are not weighed by one number"
            help_ = "leave `by` out, or make one loss of them"
        elif by.name not in terms:
            problem = f"`{by.name}` is no number that the loss is computed beside"
            help_ = f"say in `train` what a batch counts: `{by.name} = sum(...)`, one float"
        else:
            return
        self.collector.error("E0434", problem, by.span, help_)

    def _say_once(self, word: str, span: Span) -> None:
        if word in self.said:
            self.collector.error("E0409", f"there is already one `{word}`", span, "say it once")
        self.said.add(word)

    def _precision(self, statement: ast.Precision) -> None:
        if statement.name in ("bfloat16", "float16"):
            self.precision = "bfloat16" if statement.name == "bfloat16" else "float16"
        elif statement.name != "float32":
            self.collector.error(
                "E0505", f"`{statement.name}` is no precision to train in", statement.span,
                meant_word(statement.name, ("bfloat16", "float16", "float32")),
            )  # fmt: skip

    def _check_device(self, inputs: tuple[ir.Value, ...], block: ast.Train) -> None:
        """Reports autocast that nothing tells a device to."""
        written = next((item for item in block.body if isinstance(item, ast.Precision)), None)
        if self.precision and not inputs and written is not None and not self.collector.failed:
            self.collector.error(
                "E0222",
                f"`precision {written.name}` takes its device from a batch, and this one is empty",
                written.span,
                "declare what a batch brings: `input x: float[N, 3]`",
            )

    # ── metrics ──────────────────────────────────────────────────────────────────────────────────

    def _metrics(
        self, graph: Graph, before: tuple[ir.Node, ...]
    ) -> tuple[tuple[ir.Metric, ...], tuple[ir.Node, ...]]:
        """The metrics, and what computes them from what ``train`` can see."""
        count = len(graph.nodes)
        found = tuple(self._each_metric(graph))
        nodes = closure((*before, *graph.nodes[count:]), [metric.value for metric in found])
        return found, nodes

    def _each_metric(self, graph: Graph) -> Iterator[ir.Metric]:
        names: set[str] = set()
        for statement, call in self.metrics:
            row, arguments = find_row(
                self.collector, call, graph.catalogue.metrics, "metric", graph.catalogue.offered
            )
            if row is None:
                continue
            given = given_arguments(graph, arguments, elaborate)
            row = graph.catalogue.metrics[row.name]
            value = call_function(graph, "metric", row, given, call.span, None)
            if not isinstance(value, ir.Value):
                continue
            name = row.name
            while name in names:
                name = f"{row.name}_{sum(known.startswith(row.name) for known in names) + 1}"
            names.add(name)
            yield ir.Metric(name, value, statement.span)


def _declared(tree: ast.Module | ast.Train) -> tuple[ast.Input, ...]:
    return tuple(item for item in tree.body if isinstance(item, ast.Input))
