"""An emitted source read again: the params that it was built with, the lines that it names."""
