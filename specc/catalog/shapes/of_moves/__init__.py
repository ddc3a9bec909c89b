"""Shape rules of what moves elements and computes nothing, and of what picks some of them."""
