"""A text that does not parse: what is found wrong with it, and how the rest is read on."""
