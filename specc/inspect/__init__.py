"""What a program consists of, as data: its layers with their costs, its graph, its training.

A checked ``Program`` and the sizes of its inputs go in; frozen dataclasses come out, which
``specc.report`` prints and draws. Imports no torch. Non-goals: layout, colour, running anything.
"""
