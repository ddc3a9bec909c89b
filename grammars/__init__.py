"""Holds ``spec.lark``, the only definition of the language's syntax, as package data."""
