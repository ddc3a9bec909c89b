"""A class and how it is made: ``__init__``, its layers, states, initial values and assertions."""
