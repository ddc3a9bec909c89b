"""What a name may be and what it was meant to be: rows and their arguments, models and blocks, the
model being read."""
