"""Calls of catalogue rows, and operators: arguments bound, layers made, functions applied."""
