"""How many multiply-adds a call does: a rule for each layer and function that multiplies.

One multiply-add is one product and the addition that takes it up: a convolution's, a dense layer's,
a matrix product's. What is done once an element (an activation, a normalisation, a bias, pooling, a
loss) counts as none; that is the convention of ``torch.utils.flop_counter.FlopCounterMode``, which
counts two operations for each of these. A causal mask saves nothing, since torch's kernels need not
use it; what a parametrization makes of a weight counts as none. Non-goals: memory, time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConcreteCall:
    """One call in numbers. ``inputs`` are the shapes of its tensors by the row's names (a list of
    tensors is numbered: ``operands.0``), ``weights`` those of the layer's parameters."""

    arguments: Mapping[str, object] = field(default_factory=dict)
    inputs: Mapping[str, Shape] = field(default_factory=dict)
    outputs: tuple[Shape, ...] = ()
    weights: Mapping[str, Shape] = field(default_factory=dict)


Rule: TypeAlias = Callable[[ConcreteCall], int]


def _dense(call: ConcreteCall) -> int:
    """Each output element is a sum over the weight's last dimension."""
    return math.prod(call.outputs[0]) * call.weights["weight"][-1]


def _bilinear(call: ConcreteCall) -> int:
    """Each output element is a sum over all pairs of the two inputs' elements."""
    return math.prod(call.outputs[0]) * math.prod(call.weights["weight"][1:])


def _convolution(call: ConcreteCall) -> int:
    """Each output element is a sum over the kernel and the channels of its group."""
    return math.prod(call.outputs[0]) * math.prod(call.weights["weight"][1:])


def _transposed_convolution(call: ConcreteCall) -> int:
    """Each input element is spread over the kernel and the output channels of its group."""
    return math.prod(call.inputs["input"]) * math.prod(call.weights["weight"][1:])


def _recurrent(call: ConcreteCall) -> int:
    """At each position every weight matrix, of each layer and direction, is used once."""
    matrices = sum(math.prod(shape) for shape in call.weights.values() if len(shape) == 2)
    return math.prod(call.inputs["input"][:-1]) * matrices


def _multihead(call: ConcreteCall) -> int:
    """What comes in is projected in and out, with attention between."""
    query, key, value = (call.inputs[name] for name in ("query", "key", "value"))
    extra = sum(bool(call.arguments.get(name)) for name in ("add_bias_kv", "add_zero_attn"))
    return _projected_attention(call, query, key, value, extra)


def _encoder(call: ConcreteCall) -> int:
    """Self-attention and the feed-forward net of ``TransformerEncoderLayer``."""
    source = call.inputs["src"]
    return _projected_attention(call, source, source, source) + _feed_forward(call, source)


def _decoder(call: ConcreteCall) -> int:
    """As the encoder's, with attention to the memory."""
    target, memory = call.inputs["tgt"], call.inputs["memory"]
    attentions = _projected_attention(call, target, target, target)
    attentions += _projected_attention(call, target, memory, memory)
    return attentions + _feed_forward(call, target)


def _projected_attention(
    call: ConcreteCall, query: Shape, key: Shape, value: Shape, extra: int = 0
) -> int:
    """``extra`` places are added to the keys after they are projected."""
    width = query[-1]
    places = key[1 if call.arguments.get("batch_first") else 0] + extra
    asked, offered = math.prod(query[:-1]), math.prod(key[:-1])
    projections = 2 * asked * width * width + offered * width * (key[-1] + value[-1])
    return projections + 2 * asked * places * width


def _feed_forward(call: ConcreteCall, through: Shape) -> int:
    weights = (call.weights[f"linear{number}.weight"] for number in (1, 2))
    return math.prod(through[:-1]) * sum(math.prod(weight) for weight in weights)


def _stack(layer: Rule, call: ConcreteCall, prefix: str = "") -> int:
    """So many times the first of the layers whose weights begin with ``prefix``: all are alike."""
    first, last = f"{prefix}layers.0.", ".linear1.weight"
    weights = {
        name.removeprefix(first): shape
        for name, shape in call.weights.items()
        if name.startswith(first)
    }
    count = sum(name.startswith(prefix) and name.endswith(last) for name in call.weights)
    return count * layer(replace(call, weights=weights))


def _encoder_stack(call: ConcreteCall) -> int:
    return _stack(_encoder, call)


def _decoder_stack(call: ConcreteCall) -> int:
    return _stack(_decoder, call)


def _transformer(call: ConcreteCall) -> int:
    """Both stacks; the decoder's memory has the source's shape."""
    inner = replace(call, inputs={**call.inputs, "memory": call.inputs["src"]})
    return _stack(_encoder, inner, "encoder.") + _stack(_decoder, inner, "decoder.")


def _first_cluster(call: ConcreteCall) -> int:
    """What each row costs at least: the head. A label of a rare class takes its cluster as well,
    which no shape tells."""
    return math.prod(call.inputs["input_"][:-1]) * math.prod(call.weights["head.weight"])


def _scores(call: ConcreteCall) -> int:
    """At each position the whole weight is used once."""
    return math.prod(call.inputs["input"][:-1]) * math.prod(call.weights["linear.weight"])


LAYERS: Mapping[str, Rule] = {
    "Linear": _dense,
    "Bilinear": _bilinear,
    **{f"Conv{dims}d": _convolution for dims in (1, 2, 3)},
    **{f"ConvTranspose{dims}d": _transposed_convolution for dims in (1, 2, 3)},
    **dict.fromkeys(("RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell"), _recurrent),
    "MultiheadAttention": _multihead,
    "TransformerEncoderLayer": _encoder,
    "TransformerDecoderLayer": _decoder,
    "TransformerEncoder": _encoder_stack,
    "TransformerDecoder": _decoder_stack,
    "Transformer": _transformer,
    "AdaptiveLogSoftmaxWithLoss": _first_cluster,
    "LinearCrossEntropyLoss": _scores,
}


def _product(call: ConcreteCall) -> int:
    """Each output element is a sum over the left side's last dimension."""
    return math.prod(call.outputs[0]) * call.inputs["input"][-1]


def _added_product(call: ConcreteCall) -> int:
    return math.prod(call.outputs[0]) * call.inputs["batch1"][-1]


def _product_of(left: str) -> Rule:
    """As ``_product``, for a product whose left side is called ``left``."""
    return lambda call: math.prod(call.outputs[0]) * call.inputs[left][-1]


def _added_batches(call: ConcreteCall) -> int:
    """The products of all pairs, which are summed over the batch."""
    return math.prod(call.inputs["batch1"]) * call.inputs["batch2"][-1]


def _inner(call: ConcreteCall) -> int:
    """Each output element is a sum over the last dimensions; with a scalar there is none."""
    left, right = call.inputs["input"], call.inputs["other"]
    return math.prod(call.outputs[0]) * left[-1] if left and right else 0


def _contracted(call: ConcreteCall) -> int:
    """Each output element is a sum over the pairs of dimensions; where one of a pair has size 1
    the other is summed before, for no multiply-add."""
    left, right, dims = call.inputs["a"], call.inputs["b"], call.arguments["dims"]
    if isinstance(dims, tuple):
        first, second = (side if isinstance(side, tuple) else (side,) for side in dims)
        pairs = [(left[int(one)], right[int(two)]) for one, two in zip(first, second, strict=True)]
    else:
        count = dims if isinstance(dims, int) else 0
        pairs = list(zip(left[len(left) - count :], right[:count], strict=True))
    summed: int = math.prod(min(pair) for pair in pairs)
    return math.prod(call.outputs[0]) * summed


def _powered(call: ConcreteCall) -> int:
    """The products of repeated squaring: one a bit, and one more for each further bit that is 1."""
    shape, power = call.inputs["input"], call.arguments["n"]
    bits = bin(abs(power)) if isinstance(power, int) else "0b0"
    products = max(len(bits) - 3, 0) + max(bits.count("1") - 1, 0)
    return products * math.prod(shape) * shape[-1]


def _chain(call: ConcreteCall) -> int:
    """The cheapest order of a chain of matrices: Cormen et al., "Introduction to Algorithms"."""
    shapes = list(call.inputs.values())
    first, last = shapes[0], shapes[-1]
    sizes = [first[0] if len(first) == 2 else 1, *(shape[0] for shape in shapes[1:])]
    sizes.append(last[1] if len(last) == 2 else 1)
    count = len(shapes)
    best = [[0] * count for _ in range(count)]
    for width in range(1, count):
        for start in range(count - width):
            end = start + width
            best[start][end] = min(
                best[start][cut]
                + best[cut + 1][end]
                + sizes[start] * sizes[cut + 1] * sizes[end + 1]
                for cut in range(start, end)
            )
    return best[0][-1]


def _covariances(call: ConcreteCall) -> int:
    """Each pair of rows is a sum over the columns; a vector is one row."""
    *rows, columns = call.inputs["input"] or (1,)
    return math.prod(rows) ** 2 * columns


def _bilinear_with(call: ConcreteCall) -> int:
    """As the layer's, with a given weight."""
    return math.prod(call.outputs[0]) * math.prod(call.inputs["weight"][1:])


def _transposed_convolution_with(call: ConcreteCall) -> int:
    """As the layer's, with a given weight."""
    return math.prod(call.inputs["input"]) * math.prod(call.inputs["weight"][1:])


def _convolution_with(call: ConcreteCall) -> int:
    """As the layer's, with a given weight."""
    return math.prod(call.outputs[0]) * math.prod(call.inputs["weight"][1:])


def _attention(call: ConcreteCall) -> int:
    """Scores of each query with each key, then their sum of the values."""
    query, key, value = (call.inputs[name] for name in ("query", "key", "value"))
    return math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _einsum(call: ConcreteCall) -> int:
    """The operands are taken in from left to right, as torch does where opt_einsum is absent.

    What only one side of a product has and nobody needs later is summed before, for no
    multiply-add; each product that is summed then has one for every combination of the letters it
    still has.
    """
    equation = str(call.arguments["equation"]).replace(" ", "")
    left, arrow, result = equation.partition("->")
    operands = list(call.inputs.values())
    terms = [
        _letters(term, len(shape)) for term, shape in zip(left.split(","), operands, strict=True)
    ]
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, operands, strict=True):
        for letter, size in zip(term, shape, strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
    if arrow:
        dots = max((sum(letter.isdigit() for letter in term) for term in terms), default=0)
        wanted = set(_letters(result, len(result.replace("...", "")) + dots))
    else:
        whole = [letter for term in terms for letter in term]
        wanted = {letter for letter in whole if letter.isdigit() or whole.count(letter) == 1}
    total, taken = 0, set(terms[0])
    for position, term in enumerate(terms[1:], 1):
        later = wanted.union(*terms[position + 1 :])
        taken &= later | set(term)
        right = set(term) & (later | taken)
        together = taken | right
        if not together <= later:
            total += math.prod(sizes[letter] for letter in together)
        taken = together & later
    return total


def _letters(term: str, rank: int) -> list[str]:
    """One name a dimension: those that ``...`` stands for are counted from the right, ``0`` the
    last."""
    before, dots, after = term.partition("...")
    hidden = rank - len(before) - len(after) if dots else 0
    return [*before, *(str(number) for number in reversed(range(hidden))), *after]


FUNCTIONS: Mapping[str, Rule] = {
    "matmul": _product,
    "mm": _product,
    "mv": _product,
    "bmm": _product,
    "addmm": _product_of("mat1"),
    "addmv": _product_of("mat"),
    "baddbmm": _added_product,
    "addbmm": _added_batches,
    "inner": _inner,
    "tensordot": _contracted,
    "multi_dot": _chain,
    "matrix_power": _powered,
    "cov": _covariances,
    "corrcoef": _covariances,
    "bilinear": _bilinear_with,
    **{f"conv_transpose{dims}d": _transposed_convolution_with for dims in (1, 2, 3)},
    "linear": _product,
    **{f"conv{dims}d": _convolution_with for dims in (1, 2, 3)},
    "einsum": _einsum,
    "scaled_dot_product_attention": _attention,
}
