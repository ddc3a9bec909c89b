"""Results as text: diagnostics with carets, the summary of a test run. Imports no torch."""
