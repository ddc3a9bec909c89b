"""Rows of the table of codes. E03, and the warnings: shapes, types, values without effect."""

from specc.codes.form import Code

ROWS = {
    "E0301": Code(
        "a value with the wrong number of dimensions",
        "Each layer takes values of the numbers of dimensions that torch's documentation states.",
        "y = x -> Conv2d(8, 3)",
        (
            "Bring the value to the shape that the message names: Flatten, unsqueeze, or an input "
            "of another shape."
        ),
    ),
    "E0302": Code(
        "shapes that do not fit together",
        "Sizes must be equal, or one of them 1. The message shows both shapes and the dimension.",
        "y = x + (x -> Linear(5))",
        "Make the sizes equal: another layer width, a pooling, a slice.",
    ),
    "E0303": Code(
        "a size that must be divided and cannot be",
        "Groups and heads split a size into equal parts.",
        "y = x -> GroupNorm(3)",
        "Choose a number that divides the size.",
    ),
    "E0304": Code(
        "a dimension out of range",
        "`dim` counts from 0, or back from -1, within the value's dimensions.",
        "y = x -> softmax(dim=4)",
        "Choose a dimension that the value has.",
    ),
    "E0305": Code(
        "a layer that leaves nothing of its input",
        "The kernel, the stride or the padding is larger than the value that it goes over.",
        "y = x -> Conv2d(8, 9)",
        "Use a smaller kernel or stride, more padding, or a larger input.",
    ),
    "E0306": Code(
        "a value of the wrong type",
        "Layers compute with floats; ids and labels are integers. Nothing is converted silently.",
        "y = x -> Linear(4)",
        "Feed a value of the type that the message names.",
    ),
    "E0307": Code(
        "a setting that the layer or function cannot work with",
        (
            "It has the right type and the wrong value: a probability above 1, a step of 0, two "
            "settings that exclude each other, or a size that only a run knows."
        ),
        "y = x -> Dropout(1.5)",
        "Write a value within the limits that the message states.",
    ),
    "E0308": Code(
        "a size that would have to be told by an unknown one",
        "A weight has a fixed size; an input's unknown size cannot become one.",
        "y = x -> Linear(4)",
        "Give that size of the input a number or a param.",
    ),
    "E0309": Code(
        "ids that go beyond a table",
        "An index(k) holds 0 to k-1, and the table has fewer rows.",
        "y = token -> Embedding(num_embeddings=50, embedding_dim=4)",
        "Leave num_embeddings out: the input's type tells it.",
    ),
    "E0310": Code(
        "a loss between values of different shapes",
        (
            "torch would stretch [N, 1] and [N] to [N, N] and average over all pairs: a loss that "
            "trains, and is wrong."
        ),
        "loss = MSELoss(logits, label)",
        "Bring both to one shape: `logits[:, 0]`, or a label of shape [N, 1].",
    ),
    "E0311": Code(
        "a size that the computation ties down, and no input says so",
        (
            "An input leaves the size open, and the line computes for one value of it alone, or "
            "for inputs of equal sizes alone: a `.mT` that was forgotten often reads so."
        ),
        "scores = q @ k",
        (
            "Mend the line, as the message proposes where that checks; or state the equality at "
            "the input: `where T == dim`."
        ),
    ),
    "E0312": Code(
        "a size whose name is another name typed wrong",
        (
            "A name in a shape that nothing has is a new size, which a run may choose. One letter "
            "away from a param it was most likely meant to be that."
        ),
        "input x: float[N, boservations]",
        "Write the name that was meant, or give the size a name that is less like it.",
    ),
    "E0313": Code(
        "whole numbers divided by what holds 0",
        (
            "An `index(k)` is any number from 0 to k - 1, and a whole number divided by 0 is no "
            "number: torch stops the run, on a GPU it goes on with what is none."
        ),
        "share = 12 // level",
        "Keep 0 out: `12 // clamp(level, min=1)`; or divide floats: `12 / float(level)`.",
    ),
    "E0320": Code(
        "a gradient through a function without a derivative",
        (
            "torch has no derivative of it by this argument, and refuses in `backward`: no step "
            "could be taken."
        ),
        "y = (x -> Linear(8)) // 2",
        "Use a function that has one, such as `floor(a / b)`, or `detach` what goes in.",
    ),
    "W0201": Code(
        "a value that nothing uses",
        "It is computed, and does not reach an output: often a sign of a name typed wrong.",
        ("h = x -> Linear(4)\ny = x -> relu"),
        "Use it, put it out, or begin its name with an underscore.",
    ),
    "E0330": Code(
        "a number that half precision does not hold",
        (
            "float16 ends at 65504. torch refuses to fill a tensor of it with more, when the model "
            "runs and in words of its own; in autocast what a product gives is of it as well."
        ),
        "kept = masked_fill(scores, scores > 0, -1e9)",
        "Write a number that it holds: -6e4, which a softmax makes as much of a zero.",
    ),
    "E0331": Code(
        "what autocast feeds, and torch does not take",
        (
            "Under `precision bfloat16` products are in half precision, and other things in "
            "float32. Some functions take one precision alone or have no kernel for half, "
            "forward or backward, on the CPU or on a GPU: torch would refuse in the first step."
        ),
        "y = lerp(x, x -> Linear(8), 0.5)",
        "Write `float(...)` around what is lower, which computes it in float32.",
    ),
    "W0301": Code(
        "a bias that the next layer subtracts again",
        (
            "BatchNorm subtracts the mean of each channel, and with it any bias that was added "
            "just before: the bias takes memory and learns nothing."
        ),
        "y = x -> Linear(4) -> BatchNorm1d",
        "Write `bias=false`.",
    ),
    "W0321": Code(
        "frozen parameters whose running statistics still move",
        (
            "`freeze on` holds parameters. What a BatchNorm keeps of its inputs is no parameter, "
            "and moves with each batch in training: the layer then gives something else."
        ),
        "freeze on bn.*",
        "Write `freeze bn`, which keeps parameters, statistics and dropout as in evaluation.",
    ),
    "W0302": Code(
        "a target that may be any number where a probability is meant",
        (
            "BCELoss takes targets from 0 to 1. A `float` may be anything, and so is what tests "
            "draw for it: the loss is then no cross-entropy of anything."
        ),
        "input wanted: float[N, 3]\nloss = BCELoss(sigmoid(scores), wanted)",
        "Declare the input as `unit[...]`; tests draw it, and samples are held, from 0 to 1.",
    ),
    "W0320": Code(
        "whole numbers of any size that something is looked up with",
        (
            "A table, a one-hot vector or a dimension has so many entries, and an `int` may be any "
            "number: one beyond them is torch's IndexError, on a GPU the end of the process."
        ),
        "y = token -> Embedding(5, 3)",
        "Declare the input as `index(k)[...]`: the check then holds k against the entries.",
    ),
    "W0322": Code(
        "whole numbers divided by what may be 0",
        (
            "An `int` may be any number, and so may what is computed from labels. Divided by 0 "
            "a whole number is no number, and torch stops the run. The inputs that a test draws "
            "hold no 0 where they divide as they are."
        ),
        "share = 12 // count",
        "Keep 0 out: `12 // clamp(count, min=1)`; or divide floats: `12 / float(count)`.",
    ),
}
