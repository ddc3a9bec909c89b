"""``specc check``: every fault of the given specs. Never imports torch."""

from __future__ import annotations

from specc.cli.shared.paths import spec_files
from specc.cli.shared.verb import Paths, Settings, verb
from specc.errors import Status


@verb
def check(paths: Paths, settings: Settings = None) -> int:
    """Find every fault in the given specs, and say what each asks of its sizes, without torch.

    Ends with 0 if there is none (warnings are no faults), with 2 otherwise.

    \b
    Examples:
      specc check specs
      specc check specs/mlp.spec --set width=256
    """
    from specc.harness.cases import tested_program
    from specc.inspect.shown_sizes import asked
    from specc.report.terminal.conditions import listed
    from specc.report.terminal.diagnostics import closing_line, pieces
    from specc.report.terminal.style import Piece, show, terminal_width
    from specc.run_choice import settings as parse

    params = parse(settings or ())
    files = spec_files(paths)
    found = []
    for file in files:
        program, diagnostics, sources = tested_program.check(file, params)
        if diagnostics:
            show(pieces(diagnostics, sources, terminal_width()))
            show([Piece("\n")])
        if program is not None:
            show(listed(file, asked(program)))
        found += diagnostics
    failed = any(item.severity == "error" for item in found)
    show([Piece(closing_line(found, len(files)) + "\n", "bold red" if failed else "bold green")])
    return Status.FAULT if failed else Status.WELL
