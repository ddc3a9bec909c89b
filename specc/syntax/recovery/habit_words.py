"""Words that begin a line and are no statement here: settings of a run, or of another part.

``epochs 10`` in ``train``, ``dropout 0.1`` in a model, ``steps 5`` outside of ``test``: what each
is, and where it is said. Non-goals: misspelt words of the language (``habit_headers``)."""

from __future__ import annotations

import re
from typing import Final

from specc.syntax.recovery.statement_forms import FORMS
from specc.syntax.recovery.stopped_at import Line, Recovery

_OF_TEST: Final = frozenset(
    "seed steps targets devices dtypes modes layouts optimizers nonfinite sizes".split()
)
_OF_TRAIN: Final = frozenset(
    "regularize constrain clip optimizer scheduler step copy ema accumulate precision"
    " metric".split()
)
_OF_MODEL: Final = frozenset("init weights layer parameter buffer output".split())
_LENGTH: Final = (
    "how long a run trains is the run's affair; a test follows a few: `steps 3` in `test`"
)
_BATCH: Final = "a batch is as large as what the run feeds; a test says `sizes N=8`"
_DATA: Final = "where batches come from is the run's affair; `train` says what one brings: `input`"
_ARGUMENT: Final = "it is an argument of the optimizer: `optimizer SGD(lr=0.1, {}=0.01)`"
_LAYER: Final = "it is a layer: `x -> {}`"
_RUN: Final = "where and how a run computes is the run's affair; a test says {}"
_KEPT: Final = (
    "what a run logs and keeps is the run's affair; `metric Accuracy(logits, label)` adds"
    " a number to what each step gives"
)
_WORDS: Final[dict[str, str]] = {
    **dict.fromkeys(
        "epochs epoch num_epochs n_epochs max_epochs iterations iters num_steps max_steps n_steps"
        " train_steps".split(), _LENGTH
    ),
    **dict.fromkeys(
        "batch batch_size batchsize bs minibatch".split(), _BATCH
    ),
    **dict.fromkeys("dataset data dataloader shuffle loader num_workers workers".split(), _DATA),
    **dict.fromkeys("lr learning_rate".split(),
                    "it is an argument of the optimizer: `optimizer SGD(lr=0.1)`"),
    **{word: _ARGUMENT.format(word) for word in ("momentum", "weight_decay")},
    "betas": "it is an argument of the optimizer: `optimizer Adam(betas=(0.9, 0.999))`",
    "label_smoothing": "it is an argument of the loss: `CrossEntropyLoss(logits, label,"
                       " label_smoothing=0.1)`",
    "dropout": _LAYER.format("Dropout(0.1)"),
    "batch_norm": _LAYER.format("BatchNorm1d"), "batchnorm": _LAYER.format("BatchNorm1d"),
    "layer_norm": _LAYER.format("LayerNorm"), "layernorm": _LAYER.format("LayerNorm"),
    "activation": _LAYER.format("ReLU"), "relu": _LAYER.format("ReLU"),
    "linear": _LAYER.format("Linear(8)"), "dense": _LAYER.format("Linear(8)"),
    **dict.fromkeys("l1 l2".split(),
                    "a penalty says what it is on: `regularize L2(1e-4) on *.weight`"),
    **dict.fromkeys("grad_clip gradient_clip max_grad_norm clip_grad_norm clip_norm".split(),
                    "gradients are cut by `clip GradNorm(1.0)`"),
    **dict.fromkeys("amp mixed_precision autocast".split(), "write `precision bfloat16`"),
    **dict.fromkeys("warmup warmup_steps".split(),
                    "it is a scheduler: `scheduler LinearLR(start_factor=0.1, total_iters=100)"
                    " per step`"),
    **dict.fromkeys("accumulation accumulation_steps grad_accum accumulate_grad_batches"
                    " gradient_accumulation_steps gradient_accumulation".split(),
                    "write `accumulate 4`"),
    **dict.fromkeys("tolerance tol rtol atol eps epsilon threshold".split(),
                    "no test has a tolerance: `specc bless` measures how far honest runs differ"),
    **dict.fromkeys("seeds random_seed manual_seed".split(), "a test says `seed 7`"),
    "device": _RUN.format("`devices cpu`"), "dtype": _RUN.format("`dtypes float32`"),
    "gpu": _RUN.format("`devices cuda`"), "gpus": _RUN.format("`devices cuda`"),
    "backend": _RUN.format("`targets compile`"),
    **dict.fromkeys("log log_every checkpoint save save_every eval_every verbose patience"
                    " early_stopping monitor callbacks".split(), _KEPT),
}  # fmt: skip


def tell_word(line: Line, match: re.Match[str]) -> Recovery | None:
    """``epochs 10``, and ``steps 5`` where no test is."""
    word = match["word"]
    part = _part(line)
    if word in _OF_TEST and part != "test":
        advice = f"write it there: `test {{ {word} ... }}`"
        return line.finding(match, "word", f"`{word}` stands in `test`", advice)
    if word in _OF_TRAIN and part not in ("train", "step"):
        advice = f"write it there: `train {{ {word} ... }}`"
        return line.finding(match, "word", f"`{word}` stands in `train`", advice)
    if word in _OF_MODEL and part in ("train", "test", "step"):
        advice = f"write it there: `{FORMS[word]}`"
        return line.finding(match, "word", f"`{word}` stands in a model", advice)
    if word == "loss" and part == "test":
        advice = "write it there: `train { loss = ... }`"
        return line.finding(match, "word", "`loss` stands in `train`", advice)
    if word not in _WORDS:
        return None
    return line.finding(match, "word", f"there is no `{word}` to set here", _WORDS[word])


def setting(word: str) -> str | None:
    """Where ``word``, bound as a value, is said; None of a word that is no setting of others."""
    return _WORDS.get(word)


def _part(line: Line) -> str:
    """The part of the file that ``line`` stands in: ``model``, ``train``, ``test``; empty of
    none."""
    headers = re.findall(r"(?m)^(model|block|train|test)\b", line.text[: line.start])
    return headers[-1] if headers else ""
