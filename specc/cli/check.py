"""``specc check``: every fault of the given specs. Never imports torch."""

from __future__ import annotations

from specc.cli.paths import spec_files
from specc.cli.verb import Paths, Settings, parse_settings, verb


@verb
def check(paths: Paths, settings: Settings = None) -> int:
    """Find every fault in the given specs, without torch.

    Ends with 0 if there is none (warnings are no faults), with 2 otherwise.

    \b
    Examples:
      specc check specs
      specc check specs/mlp.spec --set width=256
    """
    from specc import front
    from specc.report.diagnostics import closing_line, pieces
    from specc.report.style import Piece, show, terminal_width

    params = parse_settings(settings)
    files = spec_files(paths)
    found = []
    for file in files:
        _, diagnostics, sources = front.check(file, params)
        if diagnostics:
            show(pieces(diagnostics, sources, terminal_width()))
            show([Piece("\n")])
        found += diagnostics
    failed = any(item.severity == "error" for item in found)
    show([Piece(closing_line(found, len(files)) + "\n", "bold red" if failed else "bold green")])
    return 2 if failed else 0
