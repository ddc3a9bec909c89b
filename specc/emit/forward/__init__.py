"""A function's body: what computes, in the order of the spec, loops and branches."""
