"""The command line. A verb is a file: its arguments, one call, one rendering.

Importing this imports nothing: typer comes when ``main`` is called, and each verb imports what it
calls when it is called, so that ``--help``, ``check`` and ``explain`` answer at once and never
import torch.
"""

__all__ = ["main"]


def main() -> None:
    """Run the command line on ``sys.argv`` and end the process with the verb's exit status."""
    try:
        from specc.cli.app import main as run

        run()
    except KeyboardInterrupt:  # while the verbs are imported
        import sys

        sys.stderr.write("interrupted\n")
        sys.exit(130)
