"""What several verbs share: how they end, their paths, their progress, the run of ``specc
test``."""
