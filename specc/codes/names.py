"""Rows of the table of codes. E02: names and arguments."""

from specc.codes.form import Code

ROWS = {
    "E0201": Code(
        "a name that nothing has",
        (
            "A name is a value, a param or a declared layer of this file, or a layer, a function "
            "or a loss of the catalogue, in torch's spelling."
        ),
        "y = x -> Linaer(10)",
        "Take the spelling that the message proposes, or declare the name before its first use.",
    ),
    "E0202": Code(
        "a layer or a function used as something else",
        (
            "A layer is made with its settings and then fed; a function is called. A name of one "
            "is not a value by itself."
        ),
        "y = x + relu",
        "Feed it with a pipe: `x -> relu`, `x -> Linear(10)`.",
    ),
    "E0203": Code(
        "an argument that does not exist",
        "Arguments have torch's names, and none is ever ignored.",
        "y = x -> Linear(10, bais=false)",
        "Take the name that the message proposes, or look at the form that it shows.",
    ),
    "E0204": Code(
        "a thing in a part of the file where it cannot stand",
        (
            "Layers, and blocks that have some, stand in the model; losses, optimizers, schedulers "
            "and regularizers stand in `train`."
        ),
        "y = x -> CrossEntropyLoss",
        "Move it to the part that the message names.",
    ),
    "E0205": Code(
        "a name that Python keeps to itself",
        (
            "Names become names of the emitted Python source, where its keywords and the double "
            "underscores have a meaning already."
        ),
        "lambda = x -> relu",
        "Choose another name; with an underscore behind it, for example.",
    ),
    "E0206": Code(
        "two layers of one name",
        "A label is the layer's name in the state_dict: two layers cannot share it.",
        "y = x -> fc: Linear(8) -> fc: Linear(8)",
        (
            "Give each layer a label of its own; to use one layer twice, declare it with `layer` "
            "and call it twice."
        ),
    ),
    "E0207": Code(
        "a layer named like an attribute of every module",
        (
            "Layers become attributes of an nn.Module, and this name is one that modules have: "
            "the layer would hide it."
        ),
        "y = x -> forward: Linear(8)",
        "Choose another label.",
    ),
    "E0208": Code(
        "an argument that must be given by name",
        (
            "A row of the catalogue says which of its arguments may stand without a name: those "
            "that a reader knows, before what has a name. torch's own order begins with sizes that "
            "the shapes tell here, so that `LSTM(8, 16)` would be two things."
        ),
        "y = x -> Linear(8, 3)",
        "Write the call as the message gives it: Linear(3).",
    ),
    "E0209": Code(
        "an argument given twice",
        "One of the two would have to be ignored.",
        "y = x -> Linear(10, bias=true, bias=false)",
        "Say it once.",
    ),
    "E0210": Code(
        "an argument that must be given",
        "torch has no default for it, and the incoming shape does not tell it.",
        "y = x -> Linear()",
        "Give the argument; the message shows the whole form.",
    ),
    "E0211": Code(
        "an argument of the wrong type",
        (
            "Each argument has the types that torch documents; an index is a whole number, a "
            "slice or a tensor of indices."
        ),
        'y = x -> Dropout("half")',
        "Give a value of the type that the message names.",
    ),
    "E0212": Code(
        "a word that an argument does not take",
        "The argument is one of a few words.",
        'y = x -> gelu(approximate="tan")',
        "Take one of the words that the message lists.",
    ),
    "E0213": Code(
        "an argument that contradicts the incoming shape",
        (
            "A size that the shape already says may be written, and must then agree. The message "
            "says both sizes and how the second came about."
        ),
        "y = x -> Linear(in_features=64, out_features=10)",
        "Leave the argument out: the shape tells it.",
    ),
    "E0216": Code(
        "a size that only a run knows, where it must be known now",
        "A compile-time value such as a count of layers cannot depend on a batch.",
        "y = x * 0.5 ** N",
        "Give that size of the input a number or a param.",
    ),
    "E0219": Code(
        "two models or blocks of one name",
        "A model is a class of the emitted source.",
        (
            "model Net {\n"
            "  input x: float[N, 8]\n"
            "  output x -> relu\n"
            "}\n"
            "\n"
            "model Net {\n"
            "  input x: float[N, 8]\n"
            "  output x -> relu\n"
            "}"
        ),
        "Give each its own name.",
    ),
    "E0220": Code(
        "a param declared twice",
        "`--set` could not tell the two apart, or the one would hide the other.",
        ("param width: int = 4\nparam width: int = 8"),
        "Give one of them another name.",
    ),
    "E0221": Code(
        "a model without an output",
        "What a model does not put out, nobody can use or test.",
        "y = x -> relu",
        "End the model with `output name`.",
    ),
    "E0222": Code(
        "a model that is given nothing and keeps nothing",
        (
            "A model computes something of what it is given, or of parameters and buffers that it "
            "keeps; of neither it could only give a constant."
        ),
        ("model Net {\n  output 1\n}"),
        "Write `input x: float[N, 3]`.",
    ),
    "E0223": Code(
        "a type that does not exist",
        (
            "Types are float, int, bool, complex and those with a fixed precision (float32, "
            "int64, ...), and three with a meaning: index(k), unit and normal. A tensor's type "
            "has its sizes in brackets."
        ),
        "input x: floot[N, 8]",
        "Take the type that the message proposes.",
    ),
    "E0224": Code(
        "a layer or a function fed the wrong number or kind of values",
        "Each takes the tensors that torch's forward takes.",
        ("layer fc = Linear(4)\ny = fc(x, x)"),
        "Feed it as many values as the message says.",
    ),
    "E0225": Code(
        "brackets after something that has no parts",
        "Tensors and lists of results can be indexed; numbers cannot.",
        "y = x -> Linear(8[0])",
        "Index a tensor, or pick a result by a whole number.",
    ),
    "E0226": Code(
        "a stage of a pipe that is no layer and no function",
        (
            "`a -> b` feeds a to b: b must be something that can be fed. Layers and functions are "
            "called by their names alone: methods, `self` and prefixes such as `nn.` are Python's."
        ),
        "y = x -> 3",
        "Write a layer or a function after `->`; the message shows a method as a function.",
    ),
    "E0227": Code(
        "a declared layer that is not fed",
        (
            "A layer's sizes come from what it is fed: without that there is nothing to build, "
            "and no weight to read."
        ),
        ("layer spare = Linear(4)\ny = x -> relu"),
        "Apply it: `emb(x)`; or take the declaration away.",
    ),
    "E0228": Code(
        "several results in a pipe",
        "A pipe carries one value; an LSTM, for one, gives three.",
        "y = x -> LSTM(8, batch_first=true) -> relu",
        "Name the results and go on from one: `out, (h, c) = x -> LSTM(8)`.",
    ),
    "E0229": Code(
        "a label where no layer is",
        "Only a layer has a name in the state_dict.",
        "y = x -> act: relu",
        "Take the label away.",
    ),
    "E0230": Code(
        "a name that would hide another",
        (
            "An input, a loop's variable, the position in a `repeat` and a value have a name of "
            "their own: a reader could not tell what a name means that is two things."
        ),
        ("input x: float[N, 4]\ny = x -> relu"),
        "Choose another name.",
    ),
    "E0231": Code(
        "a `where` that is no comparison of sizes",
        "`where` states what holds of an input's sizes.",
        "input x: float[N, 8] where N + 1",
        "Write a comparison: `where T <= 64`.",
    ),
    "E0232": Code(
        "names that do not fit the results",
        "There are as many names on the left as there are results, nested as the results are.",
        "y, z = x -> Linear(8)",
        "Nest the names as the results are: `out, (h, c) = ...`.",
    ),
    "E0233": Code(
        "an output that is no tensor, or is put out twice",
        "Each output is one tensor with a name of its own.",
        "y = x -> relu",
        "Put out the tensors by name.",
    ),
}
