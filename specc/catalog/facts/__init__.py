"""What torch does with a row beside its shapes: precision, derivatives, layers inside, look-ups."""
