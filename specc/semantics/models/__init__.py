"""A model: its params, inputs, states and statements, its initial values."""
