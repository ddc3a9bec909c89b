"""What honest arithmetic does to each tensor: the noise floors of a run, and of each layer by
itself."""
