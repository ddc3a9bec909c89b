"""The command line. A verb is a file: its arguments, one call, one rendering.

Importing this imports typer and nothing heavier: each verb imports what it calls when it is called,
so that ``--help``, ``check`` and ``explain`` answer at once and never import torch.
"""

from specc.cli.app import main

__all__ = ["main"]
