"""Text to tree: the grammar as a parser, and what it calls."""
