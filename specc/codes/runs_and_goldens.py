"""Rows of the table of codes. E06 to E09: params, files and calls, goldens, targets."""

from specc.codes.form import Code

ROWS = {
    "E0601": Code(
        "a param that the spec does not have, in --set or in `params` of a test",
        "A setting that nothing takes would be ignored.",
        "specc check mlp.spec --set widht=256",
        "Take the name that the message proposes.",
    ),
    "E0602": Code(
        "a value of another type than the param's, in --set or in `params` of a test",
        "The param's type stands in its declaration.",
        "specc check mlp.spec --set width=wide",
        "Give a value of that type: 256, 0.5, true.",
    ),
    "E0603": Code(
        "a param of another type than it says",
        "A param is an int, a float, a bool, a str or a tuple, and its default is of that type.",
        "param width: int = 0.5",
        "Change the type or the default.",
    ),
    "E0604": Code(
        "a param that has no value",
        "It has no default, and --set does not give it one.",
        "param width: int",
        "Write a default, or give it: --set width=256.",
    ),
    "E0701": Code(
        "a file that is not there, or cannot be read",
        "The path does not exist, or is not readable text in UTF-8.",
        "specc check specs/mpl.spec",
        "Look at the path and at the file's permissions; the message proposes the nearest name.",
    ),
    "E0702": Code(
        "a folder without specs",
        (
            "Specs are files that end in .spec, in the folder or below it; folders that start "
            "with a dot are passed over."
        ),
        "specc check docs",
        "Name a file, or a folder that holds specs.",
    ),
    "E0703": Code(
        "a place that cannot be written",
        (
            "The folder is missing and cannot be made, or is not yours, or the disk is full. "
            "Nothing was left half written."
        ),
        "specc build specs/mlp.spec -o /proc/out",
        "Name another folder with -o, or make room.",
    ),
    "E0704": Code(
        "a file that is not text",
        "A spec is UTF-8 text; this file holds bytes that no text has.",
        "specc check model.pt",
        "Save the file as UTF-8, or name another file.",
    ),
    "E0705": Code(
        "a file too large to be a spec",
        "The largest spec that is read has 2 MiB.",
        "specc check data.bin",
        "Look whether this is the file you meant.",
    ),
    "E0706": Code(
        "a model that the spec does not have",
        "The spec has no model of this name, or several, none of which `train` trains.",
        "specc build specs/gan.spec --model Discriminater -o out",
        "Take one of the names that the message lists: --model NAME.",
    ),
    "E0707": Code(
        "a target that there is not",
        "Targets are eager, compile, torchscript and export.",
        "specc build specs/mlp.spec --target onxx -o out",
        "Take the name that the message proposes.",
    ),
    "E0708": Code(
        "a device that cannot be used",
        (
            "torch cannot make a tensor on it: it does not exist here, or this torch is built "
            "without it."
        ),
        "specc.load('specs/mlp.spec', device='cuda')",
        "Use 'cpu', or a machine and a torch that have the device.",
    ),
    "E0709": Code(
        "a checkpoint that cannot be started from",
        (
            "`weights` names a file inside the project, from the spec's folder: safetensors, or "
            "torch's own format, which is read without running its code. Its names, as the map "
            "changes them, its shapes and dtypes are those of the model's state_dict; every tensor "
            "of both is accounted for."
        ),
        'weights "../elsewhere/resnet18.safetensors"',
        "Put the file there; label the layers as the checkpoint names them, or write a map.",
    ),
    "E0711": Code(
        "a code that there is not",
        "Codes are a letter and four digits, such as E0203.",
        "specc explain E9999",
        "List them with: specc explain",
    ),
    "E0712": Code(
        "an option with a value that it does not take",
        (
            "Options that name something take the names that specc knows; --set takes NAME=VALUE, "
            "once a name."
        ),
        "specc test specs --target onxx",
        "Take one of the names that the message lists.",
    ),
    "E0713": Code(
        "a verb or an option that needs a package which is not installed",
        (
            "pytest-benchmark keeps the times of `specc bench`, Graphviz draws for "
            "`specc show --plot`; they are extras."
        ),
        "specc bench specs",
        "pip install 'specc[bench]' or 'specc[plot]', as the message says.",
    ),
    "E0714": Code(
        "a required device that is not there",
        (
            "--require-device turns the skipping of cells into a failure, so that a machine that "
            "lost its GPU does not look healthy."
        ),
        "specc test specs --require-device cuda",
        "Run where the device is, or leave --require-device out.",
    ),
    "E0715": Code(
        "a folder of profiles that holds something else",
        (
            "TensorBoard takes a folder for one run, so `specc profile` writes into a folder that "
            "it makes, or that holds traces alone. Nothing was written."
        ),
        "specc profile specs/mlp.spec -o specs",
        "Name a new folder: -o runs/mlp",
    ),
    "E0716": Code(
        "a picture that Graphviz did not make",
        "A graph of thousands of layers takes it longer than the two minutes that it is given.",
        "specc show specs/mlp.spec --plot mlp.svg",
        "Draw less, with --depth 1 or --model NAME; or write a .dot file and lay it out yourself.",
    ),
    "E0717": Code(
        "a Python environment that cannot be used",
        (
            "specc bisect runs its own code under the two interpreters that it is given. This one "
            "is not there, is older than Python 3.11, lacks torch or another package that specc "
            "imports, or what it wrote is no result."
        ),
        "specc bisect specs/mlp.spec --good venv-2.12 --bad /usr/bin/python3",
        "Name an interpreter or a virtual environment's folder; there: pip install specc",
    ),
    "E0718": Code(
        "a good environment that does not run the case",
        (
            "specc bisect compares the bad environment with the good one, and this one stops, "
            "crashes or takes too long: there is nothing to compare with."
        ),
        "specc bisect specs/mlp.spec --good venv-2.12 --bad venv-2.13",
        "Name as --good an environment in which specc test passes, or give it longer: --timeout.",
    ),
    "E0719": Code(
        "faults that cannot be used",
        (
            "specc mutate --faults imports the module that it names, which must have FAULTS, a "
            "tuple of specc.mutate.fault.Fault."
        ),
        "specc mutate specs/mlp.spec --faults my_faults",
        "Write FAULTS = (MyFault(),) in a module that can be imported from the current folder.",
    ),
    "E0731": Code(
        "two specs that would write one file",
        (
            "What is built is called as its spec, whatever folder that is in; characters that no "
            "Python module has become `_`. Nothing was written."
        ),
        "specc build vision/net.spec text/net.spec -o out",
        "Build them into folders of their own, or rename one.",
    ),
    "E0732": Code(
        "a cell that the spec does not have",
        (
            "A cell is called by its target, device, precision and mode, and what else its spec "
            "asks for: specc test -v lists them."
        ),
        "specc test specs/mlp.spec::eager-cpu-float32-trian",
        "Take the name that the message proposes.",
    ),
    "E0801": Code(
        "no golden for this case",
        (
            "There is nothing to judge against: the spec was never blessed, or not with these "
            "sizes, this mode or this precision."
        ),
        "specc test specs/new.spec",
        "Look at what the spec computes, then: specc bless SPEC",
    ),
    "E0802": Code(
        "a golden that cannot be used",
        (
            "It is truncated or damaged, was edited or merged by hand, or is from another version "
            "of the format: golden.json has a digest of all that it says. A golden is data: "
            "nothing in it was run."
        ),
        "specc test specs/mlp.spec",
        "Restore it from version control, or make it anew: specc bless SPEC",
    ),
    "E0803": Code(
        "a golden of another spec",
        (
            "The spec's meaning, its sizes, seed or steps have changed since the golden was "
            "blessed. That is no regression, and no pass."
        ),
        "specc test specs/mlp.spec",
        "If the change is meant: specc bless SPEC; otherwise undo it.",
    ),
    "E0804": Code(
        "a golden that cannot be written",
        (
            "The folder cannot be written, or the disk is full. The golden that was there is as "
            "it was."
        ),
        "specc bless specs/mlp.spec",
        "Make room, or give write permission.",
    ),
    "E0805": Code(
        "a spec outside of its project",
        (
            "Goldens lie under the project's folder `golden`, by the path of the spec in the "
            "project; this one has no such path."
        ),
        "specc bless ../elsewhere/mlp.spec",
        "Keep the spec inside the project.",
    ),
    "E0806": Code(
        "samples that cannot be read",
        (
            "The file of `input ... from` is not there, is no safetensors file, is very large, or "
            "lies outside of the project. Samples are data: nothing in them is run."
        ),
        "specc test specs/mlp.spec",
        "Write a safetensors file inside the project, and its path from the spec's folder.",
    ),
    "E0807": Code(
        "samples that do not fit their input",
        (
            "The file has no tensor of the input's name, or one of another shape or type, or with "
            "NaN, infinity or values out of the type's range."
        ),
        "specc test specs/mlp.spec",
        "The message says what was found and what the input asks for: write that.",
    ),
    "E0808": Code(
        "no golden to compare",
        "What was named holds no golden.json: it was never blessed, or not in that revision.",
        "specc diff HEAD~1 specs/new.spec",
        "Name a spec that has been blessed, a folder below 'golden', or REVISION:PATH.",
    ),
    "E0809": Code(
        "a review without a terminal",
        "specc bless --review asks about each tensor that moved, and nobody is there to answer.",
        "specc bless --review specs/mlp.spec < /dev/null",
        "Run it in a terminal; in CI, --check writes nothing and says what moved.",
    ),
    "E0810": Code(
        "a reference that is not finite",
        (
            "The float64 run of a case has NaN, or has infinity in an output, a loss, a gradient, "
            "an optimizer's state or a buffer. It is likely a mistake (the root of a negative "
            "number, a gradient of sqrt at 0), and little can be judged by it. Infinity that a "
            "layer hands on, as a mask does, is no such: it is named in the golden's notes."
        ),
        "specc bless specs/root.spec",
        "Mend what the message names; if it is meant: test { nonfinite allowed }",
    ),
    "E0811": Code(
        "a case of which nothing can be judged",
        (
            "Honest arithmetic determines none of the values that the case shows in this "
            "precision: their noise is as large as they are, and a model that computes something "
            "else would pass."
        ),
        "specc bless specs/mlp.spec",
        "Give the case larger sizes or another seed, or leave the precision out of `dtypes`.",
    ),
    "E0901": Code(
        "an artefact that cannot be loaded",
        "It is truncated, was edited, or was written by another tool or version.",
        "specc build specs/mlp.spec --target export -o out",
        "Build it again: specc build SPEC --target T -o DIR",
    ),
    "E0902": Code(
        "a target that cannot take this model",
        "torch refuses to script, trace or export it; the message has torch's own reason.",
        "specc build specs/mlp.spec --target torchscript -o out",
        "Use another target, or leave this one out of the spec's `targets`.",
    ),
    "E0903": Code(
        "emitted source that does not run",
        (
            "The source stops while it is executed, or has no class of the model's name; for a "
            "blessing, the model stops in float64 on the CPU."
        ),
        "specc test specs/mlp.spec --source out/mlp.py",
        (
            "Undo the edit, or build the source again. For source that specc has just written "
            "this is a bug: please report it with the spec."
        ),
    ),
    "E0904": Code(
        "an artefact that does not compute what eager computes",
        (
            "An artefact is loaded back and run beside the eager module before it is called done; "
            "here the two differ."
        ),
        "specc build specs/mlp.spec --target compile -o out",
        (
            "Do not use the artefact. The message says where they differ; a small spec that shows "
            "it is worth a report to torch."
        ),
    ),
    "E0905": Code(
        "a case that does not pass as it is",
        (
            "specc mutate asks what a golden catches beside what it passes; this one does not pass "
            "the unchanged spec on this machine."
        ),
        "specc mutate specs/mlp.spec",
        "Run specc test on it: mend what it says, or bless the spec anew.",
    ),
    "E0906": Code(
        "an artefact called with a size that it was not made for",
        (
            "torch.export fixes the length of what a recurrent layer reads, and a trace all sizes; "
            "specc build says so, and specc.load of such an artefact refuses other sizes."
        ),
        "specc build specs/gru_tagger.spec --target export -o out",
        "Build it again from a spec whose first row of `sizes` has the size that is needed.",
    ),
    "E0790": Code(
        "a defect of specc",
        "Whatever a spec, a file or a call may be, the answer is a message of this table: here "
        "specc itself made a mistake.",
        "specc check net.spec",
        "Report it with the spec and the call; SPECC_DEBUG=1 shows the traceback. Until it is "
        "mended, another way to write what the spec says may help.",
    ),
}
