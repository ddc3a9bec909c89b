"""Expressions and what holds them: blocks put to use, loops, chains, pipes, branches."""
