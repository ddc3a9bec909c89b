"""Text to AST and back: the grammar's parser, the frozen nodes, and nothing of what they mean."""
