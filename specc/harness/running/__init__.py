"""One case run and recorded: the live module, what passes through its layers, its training
steps."""
