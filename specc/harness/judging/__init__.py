"""A cell judged against its golden: the comparison, what it adds, and where a fault is."""
