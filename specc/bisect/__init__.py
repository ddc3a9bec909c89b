"""Two Python environments, one case: the first value, then the first operation, that differs."""
