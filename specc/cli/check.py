"""``specc check``: every fault of the given specs. Never imports torch."""

from __future__ import annotations

from specc.cli.paths import spec_files
from specc.cli.verb import Paths, Settings, verb


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
    from specc.choice import settings as parse
    from specc.errors import SpecError
    from specc.harness import matrix
    from specc.report.diagnostics import closing_line, pieces
    from specc.report.style import Piece, show, terminal_width

    params = parse(settings or ())
    files = spec_files(paths)
    found = []
    for file in files:
        program, diagnostics, sources = front.check(file, params, tested=True)
        try:
            # Whether the sizes of `test` fit the model is the matrix's to say.
            matrix.cases(program) if program is not None else ()
        except SpecError as error:
            diagnostics = [*diagnostics, *error.diagnostics()]
        if diagnostics:
            show(pieces(diagnostics, sources, terminal_width()))
            show([Piece("\n")])
        found += diagnostics
    failed = any(item.severity == "error" for item in found)
    show([Piece(closing_line(found, len(files)) + "\n", "bold red" if failed else "bold green")])
    return 2 if failed else 0
