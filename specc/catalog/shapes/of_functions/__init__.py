"""Shape rules of functions that compute: arithmetic, products, reductions, transforms."""
