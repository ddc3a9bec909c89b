"""Rows of the table of codes. E0234 to E0246, W0202: blocks, loops, branches, used files.
E0251: what modules keep."""

from specc.codes.form import Code

ROWS = {
    "E0251": Code(
        "a parameter or a buffer that cannot be made",
        (
            "A parameter or a buffer comes to be when the module is made, before anything is fed: "
            "its shape and its value are of numbers, params and sizes that are known there. A "
            "parameter is of floats of the run's precision; a buffer may be of whole numbers too."
        ),
        "parameter gamma = ones_",
        "Say its type where an initialiser fills it; compute what comes of inputs in `name = ...`.",
    ),
    "E0234": Code(
        "an `if` that cannot be decided when the model is built",
        (
            "`if` chooses what is built, by params and by sizes that are numbers there. A size of "
            "a batch is known only when the model runs, and the values of a tensor are too."
        ),
        "if N > 4 { y = x -> relu }",
        (
            "Decide by a param or by a known size; in a block, its inputs' sizes are known as far "
            "as its caller knows them."
        ),
    ),
    "E0235": Code(
        "a count that `repeat`, `for` or a list cannot go by",
        (
            "How often something is built is a whole number, known when the model is built, from "
            "0 to 100,000."
        ),
        "y = x -> repeat(-1) Linear(8)",
        "Count with a number or a param; `for` goes through `range(n)` or a list of numbers.",
    ),
    "E0236": Code(
        "a block that uses itself without end",
        "A block may use itself only if a param comes closer to an end from use to use.",
        "output x -> Linear(D) -> Endless",
        "Let a param decrease, and stop by it: `if depth > 0 { x = x -> Tree(depth - 1) }`.",
    ),
    "E0237": Code(
        "blocks nested too deeply",
        (
            "Blocks stand inside each other at most some hundred deep, so that a hostile file "
            "cannot exhaust the machine's stack, nor its emitted source Python's."
        ),
        "y = x -> Tree(1000)",
        "Nest less; what comes one after the other is `repeat` or `for`.",
    ),
    "E0238": Code(
        "a loop or a list that carries something else than tensors",
        (
            "What a loop rebinds is the same kind of thing in each round: a tensor, or a list of "
            "any number of them. The items of a list are all tensors or all numbers."
        ),
        "for i in range(2) { y = [y, y] }",
        "Give what is made in the loop a name of its own.",
    ),
    "E0239": Code(
        "files that use each other in a circle",
        "Each file is read after those that it uses; in a circle none could be first.",
        'use "E0239_circle.spec"',
        "Put what both need into a third file.",
    ),
    "E0240": Code(
        "a file that cannot be used",
        (
            "`use` names a spec by its path from the file that says it: text in UTF-8 that ends "
            "in .spec, of at most 2 MiB; or a file of the library, `std/drop_path.spec`."
        ),
        'use "used/missing.spec"',
        "Look at the path; it begins at the folder of the file that says it.",
    ),
    "E0241": Code(
        "a model used before it is declared",
        "Models are read from top to bottom; only blocks may stand anywhere.",
        "y = x -> Later",
        "Move the model above its first use, or make it a block.",
    ),
    "E0242": Code(
        "a block fed with what its inputs do not take",
        (
            "A block's inputs say their types. A name in a shape stands for the caller's size; "
            "numbers, repeated names and what the block's layers ask for must hold of it."
        ),
        "y = x -> Pairs",
        "Feed it a value of the shape that the message shows, or change the block's input.",
    ),
    "E0243": Code(
        "a function where a row of layers is",
        (
            "Braces and `repeat` become an nn.Sequential, which holds layers; a function is not "
            "one of its stages."
        ),
        "y = x -> { Linear(8) -> relu }",
        "Take the layer that computes the same (`ReLU`), or write a block.",
    ),
    "E0244": Code(
        "a used file outside the project",
        (
            "A spec reads nothing outside its project's root: the nearest folder above it that "
            "holds golden/, pyproject.toml or .git. Links are followed before that is decided."
        ),
        'use "../../../outside.spec"',
        "Keep the blocks inside the project, and say their path from this file.",
    ),
    "E0245": Code(
        "more layers than a spec may have",
        (
            "A model has at most 200,000 layers, so that a few lines of nested `repeat` cannot "
            "exhaust the machine's memory."
        ),
        "y = x -> repeat(1000) Many",
        "Make the counts smaller.",
    ),
    "E0250": Code(
        "more than is computed with",
        (
            "A few lines can ask for more than a machine holds: a size of thousands of terms, a "
            "list that doubles in every round, loops inside loops. What that costs is bounded."
        ),
        "x = cat([x, x], 1)",
        "Make the counts smaller; name what repeats as a block.",
    ),
    "E0246": Code(
        "a parametrization that there is not, or of what has none",
        (
            "`with` puts one of torch's parametrizations on a tensor of one of torch's layers; "
            "chains, blocks and functions have no tensor of their own."
        ),
        "y = x -> Linear(8) with spectral_nrom",
        "Take the name that the message proposes, and write `with` behind the layer itself.",
    ),
    "W0202": Code(
        "a block that nothing uses",
        (
            "What a block means depends on what it is fed, so that one which nobody uses is not "
            "checked; it is not emitted either."
        ),
        "block Spare {",
        "Use it, take it away, or move it to a file that others `use`.",
    ),
}
