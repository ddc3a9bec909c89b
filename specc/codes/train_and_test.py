"""Rows of the table of codes. E04, E05, W0501: train and test."""

from specc.codes.form import Code

ROWS = {
    "E0401": Code(
        "a selector that matches no parameter",
        "A pattern after `on` that matches nothing would do nothing, silently.",
        ("loss = CrossEntropyLoss(logits, label)\nregularize L2(1e-4) on fc9.weight"),
        (
            "Take one of the names that the message lists; patterns are as in a shell: "
            "`*.weight`, `Linear.bias`."
        ),
    ),
    "E0402": Code(
        "a parameter group that says nothing, or takes what is not there",
        (
            "A group changes a setting of the optimizer for some of its parameters; each belongs "
            "to one group."
        ),
        ("loss = CrossEntropyLoss(logits, label)\noptimizer SGD(lr=0.1) { group() on *.bias }"),
        "Give the group a setting, and a selector that no other group overlaps.",
    ),
    "E0403": Code(
        "a `train` without a loss",
        "There is nothing to minimise.",
        "optimizer SGD(lr=0.1)",
        "Write `loss = CrossEntropyLoss(logits, label)`.",
    ),
    "E0404": Code(
        "a loss that is not one number, or is not the model's",
        "Training goes down the gradient of one number that depends on the parameters.",
        'loss = CrossEntropyLoss(logits, label, reduction="none")',
        "Take the value's mean() or sum(), and compute it from the model's outputs.",
    ),
    "E0405": Code(
        "no such optimizer, scheduler, regularizer, constraint, clip or metric",
        "They have torch's names; the regularizers are L1, L2, ElasticNet and Orthogonal.",
        ("loss = CrossEntropyLoss(logits, label)\noptimizer Adamm(lr=0.1)"),
        "Take the name that the message proposes.",
    ),
    "E0406": Code(
        "a penalty, a constraint or an optimizer on a parameter that it is not defined for",
        (
            "Orthogonality and a norm of each row want a matrix, Muon one of two dimensions, and "
            "SparseAdam the gradient of an `Embedding(..., sparse=true)`."
        ),
        ("loss = CrossEntropyLoss(logits, label)\nregularize Orthogonal(0.1) on *.bias"),
        "Select the weights alone: `*.weight`.",
    ),
    "E0407": Code(
        "an optimizer for a model that has no parameters",
        "There is nothing to train.",
        "optimizer SGD(lr=0.1)",
        "Take the optimizer away, or add a layer with weights.",
    ),
    "E0408": Code(
        "a scheduler without an optimizer, or with another pace",
        "A scheduler moves an optimizer's learning rate, once a step or once an epoch.",
        (
            "loss = CrossEntropyLoss(logits, label)\n"
            "optimizer SGD(lr=0.1)\n"
            "scheduler StepLR(step_size=2) per batch"
        ),
        "Write the optimizer before it, and `per step` or `per epoch` after it.",
    ),
    "E0409": Code(
        "a part that may stand once and stands twice",
        "One of the two would have to be ignored.",
        ("loss = CrossEntropyLoss(logits, label)\noptimizer SGD(lr=0.1)\noptimizer SGD(lr=0.2)"),
        "Say it once.",
    ),
    "E0410": Code(
        "a loss that applies again what the model has applied, or misses it",
        (
            "CrossEntropyLoss takes the scores and applies the softmax itself, BCEWithLogitsLoss "
            "the sigmoid; NLLLoss and KLDivLoss want logarithms, BCELoss probabilities; the "
            "prediction comes first, its target second. Otherwise training runs, and learns badly."
        ),
        "loss = CrossEntropyLoss(logits, label)",
        "Feed the loss the scores, or use the loss for what the model puts out.",
    ),
    "E0411": Code(
        "an optimizer that does not say which model it steps",
        "Where `train` calls several models, each optimizer steps those it is `on`.",
        "optimizer Adam(lr=1e-3)",
        "Name the model, or some of its parameters: `optimizer Adam(lr=2e-4) on Generator`.",
    ),
    "E0412": Code(
        "a thing of one step that stands outside the steps",
        (
            "Where there are steps, each has its own loss, optimizer, clip and penalties; what "
            "stands before them is computed once and shared."
        ),
        "clip GradNorm(1.0)\nstep actor {",
        "Move it into the step that it is for.",
    ),
    "E0413": Code(
        "a copy or an average of a model that there is none of",
        "`copy target of QNet` and `ema average of Net` make a twin of a model that `train` calls.",
        "copy target of Kritic every 10",
        "Take one of the models that the message lists.",
    ),
    "E0414": Code(
        "a count or a decay out of its range",
        (
            "A copy is made every so many batches, and `accumulate` says how many make a step: "
            "whole numbers of at least 1. The decay of an average is at least 0 and below 1."
        ),
        "ema average of Critic decay 1.5",
        "Write a number in the range.",
    ),
    "E0415": Code(
        "a loss that does not reach what its optimizer steps",
        (
            "The optimizer's parameters would get no gradient from this loss, and never move: "
            "the loss is computed without them, or behind a `detach`."
        ),
        "step critic {\n  loss = mean(Actor(x))\n  optimizer Adam(lr=1e-3) on Critic",
        "Compute the loss from the model that is stepped, or step the one it is computed from.",
    ),
    "E0416": Code(
        "two steps that go back through one forward pass",
        (
            "What stands before the steps is computed once. A backward pass frees it, and the "
            "optimizer's step changes the weights that it was computed with."
        ),
        "y = Actor(x)\nstep first {\n  loss = mean(y)",
        "Compute it inside each step, or `detach` it in one of them.",
    ),
    "E0417": Code(
        "a training that calls none of several models",
        "With one model, its outputs are known by name in `train`; with several, they are called.",
        "loss = mean(target)",
        "Call them: `y = Generator(z)`.",
    ),
    "E0418": Code(
        "gradients accumulated over steps that share a model",
        (
            "While gradients are accumulated, each step keeps them between batches. Those of one "
            "step would end in the sums of another where both step parameters of one model."
        ),
        "accumulate 4\nstep first {",
        "Give each step a model of its own, or leave `accumulate` out.",
    ),
    "E0419": Code(
        "an optimizer that computes the loss itself, where it cannot",
        (
            "LBFGS looks for its step by computing the loss and its gradient again and again. "
            "What is done once between a backward pass and a step has no place there."
        ),
        "loss = CrossEntropyLoss(logits, label)\noptimizer LBFGS()\nclip GradNorm(1.0)",
        "Take another optimizer, or leave out what the message names.",
    ),
    "E0501": Code(
        "sizes on which the model does not hold",
        "A row of sizes breaks a condition of the model, or leaves a value without elements.",
        "sizes N=4, T=2",
        "Choose sizes for which the condition holds.",
    ),
    "E0502": Code(
        "sizes that do not name the inputs' sizes",
        "A row of sizes says each unknown size of the inputs, and no other.",
        "sizes M=4",
        "Name every size once: `sizes N=8, T=12`.",
    ),
    "E0503": Code(
        "a setting of `test` said twice",
        "One of the two would have to be ignored.",
        ("seed 1\nseed 2"),
        "Say it once; several values stand in one line: `targets eager, compile`.",
    ),
    "E0504": Code(
        "a number of `test` out of range",
        "Sizes and steps count from 1, a seed from 0.",
        "steps 0",
        "Write a whole number within the limits that the message states.",
    ),
    "E0505": Code(
        "a target, device, precision, mode or layout that there is not",
        "The test matrix is made of what this version of specc knows.",
        "targets eager, onxx",
        "Take one of the names that the message lists.",
    ),
    "E0506": Code(
        "samples for an input that there is not",
        (
            "`input ... from` names an input of the model, or of `train`, that a test would draw; "
            "in a training of several models what they are called with is no such input."
        ),
        'input imgae from "samples.safetensors"',
        "Take one of the names that the message lists.",
    ),
    "W0501": Code(
        "fewer steps than show what an optimizer does",
        (
            "RAdam divides by the root of the squares from its sixth step on, and momentum counts "
            "from the second: what a test does not reach, it does not guard."
        ),
        "optimizer RAdam(lr=0.01)\ntest {\nsteps 3",
        (
            "Write the steps that the message names, or leave `steps` out: then there are as many "
            "as show everything, up to 12 of the optimizer."
        ),
    ),
}
