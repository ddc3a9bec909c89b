"""What names and expressions stand for, and the arithmetic that is done before any tensor
exists."""
