"""The tree of a text and back: nodes, precedence, an expression written out, where statements
end."""
