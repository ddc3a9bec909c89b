"""Rows of the table of codes. W0101, W0303 to W0307, W0403, W0404: what is likely a mistake."""

from specc.codes.form import Code

ROWS = {
    "W0101": Code(
        "an ignore that silences nothing",
        (
            "`# specc: ignore[W0301] reason` silences that warning on its line, or, alone on a "
            "line, on the next. Without a reason, or where there is no such warning, it does "
            "nothing, and hides what comes later."
        ),
        "y = x -> Linear(4) -> ReLU  # specc: ignore[W0301] the bias is wanted",
        "Take it away, or write it as the message shows.",
    ),
    "W0303": Code(
        "a layer that has its batch where the spec has its steps",
        (
            "torch's recurrent and attention layers have the batch second, unless `batch_first` is "
            "said: fed [N, T, D] they run along the batch, and every sample depends on the others. "
            "Likewise `states[:, -1]` of [T, N, D] is one sample, not one step of each."
        ),
        "states, last = x -> LSTM(16)",
        "Say `batch_first=true`, or index the dimension of the steps.",
    ),
    "W0304": Code(
        "a loss, a logarithm or a softmax of what is better given another way",
        (
            "The logarithm of a softmax is infinite where a probability is too small for a float; "
            "a cross entropy of sigmoids can never be sure; a softmax of a softmax is nearly flat; "
            "PoissonNLLLoss takes the logarithm of a rate, unless `log_input=false` is said."
        ),
        "loss = NLLLoss(log(p), label)",
        "Write what the message proposes.",
    ),
    "W0305": Code(
        "every row with every other, where each with its own was meant",
        (
            "Of [N, 1] and [N], torch makes [N, N]: the difference of each prediction from every "
            "target. The mean of it is one number, and trains, towards the mean of all targets."
        ),
        "loss = mean((y - wanted) ** 2)",
        "Bring both to one shape: `squeeze(y, -1)`. Where pairs are meant, `unsqueeze` says so.",
    ),
    "W0306": Code(
        "a reshape where axes were to be exchanged",
        (
            "A reshape keeps the order of the numbers and cuts it anew. Where a size, such as the "
            "steps T, stands at another place in the new shape, its entries are cut from those of "
            "other axes: heads that see parts of several steps. torch runs it, and it trains, "
            "badly."
        ),
        "q = x -> Linear(dim) -> reshape(N, heads, T, dim // heads)",
        "Split or join beside the axis that it is of, and exchange axes by `transpose`.",
    ),
    "W0307": Code(
        "a softmax over another dimension than what is summed",
        (
            "Scores of every query with every key become shares that add up to 1 for each query, "
            "over the keys, and the product behind them sums over the keys. A softmax over another "
            "dimension, such as the heads, gives weights that add up to anything."
        ),
        "shares = softmax(q @ k.mT, dim=1)",
        "Take it over the last dimension, `dim=-1`.",
    ),
    "W0403": Code(
        "parameters that nothing trains",
        (
            "No optimizer steps them, or no loss reaches them: they stay as they were drawn, and "
            "the model computes with them all the same."
        ),
        "optimizer SGD(lr=0.1) on head.*",
        "Let an optimizer step them and a loss reach them, or `freeze` them.",
    ),
    "W0404": Code(
        "a mean over what is counted in one batch, accumulated over several",
        (
            "Labels that are ignored, weights of classes and masks make the mean of a batch one "
            "over a count of its own. The mean of such means, which `accumulate` goes down, is "
            "not the mean over all: a label in a batch of few weighs more."
        ),
        "accumulate 4\nloss = CrossEntropyLoss(y, label, ignore_index=0)",
        "Weigh each batch by its count, `accumulate 4 by tokens`, or divide a sum by a size.",
    ),
}
