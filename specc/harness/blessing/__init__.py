"""Goldens made and reviewed."""
