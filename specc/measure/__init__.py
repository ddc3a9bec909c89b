"""Measures what a spec costs: time and memory by spec line, and targets against eager.

``lines``, ``attribute`` and ``costs`` are torch-free. Non-goals: judging numbers
(``specc.harness``), how tables look (``specc.report``).
"""
