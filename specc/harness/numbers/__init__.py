"""The portable numbers: bits from a counter, tensors of them, and torch's functions and layers that
draw, on them."""
