"""Python written out: expressions, statements, lines as a formatter leaves them, marks of the
spec's lines."""
