"""Rows of the table of codes. E072: extensions of the catalogue."""

from specc.codes.form import Code

ROWS = {
    "E0721": Code(
        "an extension that cannot be had",
        (
            "`extensions` under [tool.specc] of the project's pyproject.toml names packages that "
            "are installed, and Python files inside the project, no links among them."
        ),
        'extensions = ["acme-layers", "layers/rows.py"]',
        "Install the package, or correct the name or the path.",
    ),
    "E0722": Code(
        "a faulty extension",
        (
            "What an extension registers are rows in the form of specc.catalog.rows; its module "
            "can be imported, its rules compute types, and its helpers define what they name."
        ),
        'ROWS = ("Swish",)',
        "Mend the extension as the message says, or tell those who wrote it.",
    ),
    "E0723": Code(
        "two rows of one name",
        (
            "A name means one thing in a project: an extension adds to the catalogue, and changes "
            "nothing of it, nor of another extension."
        ),
        'LayerRow("ReLU", "acme.ReLU", ...)',
        "Give the extension's row another name, or leave one of the two extensions out.",
    ),
    "E0724": Code(
        "a name of an extension that the project does not name",
        (
            "A spec alone never imports code: what an installed package adds to the catalogue is "
            "there only for projects whose pyproject.toml names the package."
        ),
        "y = x -> Swish",
        "Add the line that the message shows to the project's pyproject.toml.",
    ),
    "E0725": Code(
        "an extension's code that cannot be imported",
        (
            "A row's `module` is imported before the emitted source runs: from the project's root, "
            "or from what is installed. One process has one module of a name."
        ),
        'LayerRow("Swish", "acme.Swish", ..., module="acme")',
        "Correct the row's module, or test projects whose modules share a name apart.",
    ),
}
