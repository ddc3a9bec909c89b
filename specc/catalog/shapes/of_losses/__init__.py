"""Shape rules of losses and metrics."""
