"""The whole file: what it uses, its models, training and test, and what its comments silence."""
